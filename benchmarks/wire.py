"""The PostgreSQL protocol, beside a PostgreSQL of this machine: point reads by one client and by a
hundred, a million rows, the server's memory and start. Clients and servers share the machine."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import sqlagent
from benchmarks.bench import Bench
from benchmarks.measure import share

ROWS = 1_000_000
CLIENTS = 100
POINT = "SELECT id, name, x, at FROM big WHERE id = $1"
ALL = "SELECT id, name, x, at FROM big"
SERVE = "import sys; from sqlagent.cli import main; sys.exit(main())"
LOAD = """
SELECT i AS id, 'user number ' || i AS name, i * CAST(0.37 AS DOUBLE PRECISION) AS x,
  TIMESTAMP '2026-01-01 00:00:00' + i * INTERVAL '1 second' AS at
FROM generate_series(0, $1::BIGINT - 1) AS t(i)
"""


def load(path: Path, rows: int) -> None:
    """The table on our side."""
    con = sqlagent.connect(path)
    con.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, name TEXT, x DOUBLE, at TIMESTAMP)")
    con.execute(f"INSERT INTO big {LOAD.replace('$1::BIGINT', str(rows))}")
    con.close()


@contextmanager
def ours(path: Path, folder: Path) -> Iterator[tuple[dict[str, Any], int, float]]:
    """`sqlagent serve`: how to connect, its process, the seconds until it listened."""
    password = folder / "password"
    password.write_text("secret\n")
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, "serve", str(path), "--pg", "127.0.0.1:0", "--user", "ada",
         "--password-file", str(password)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        started = time.perf_counter() - begun
        port = int(line.rpartition(":")[2])
        yield (
            {"host": "127.0.0.1", "port": port, "user": "ada", "password": "secret",
             "database": path.stem}, process.pid, started,
        )  # fmt: skip
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def theirs(folder: Path, rows: int) -> Iterator[dict[str, Any] | None]:
    """A PostgreSQL of this machine with the same table; None where there is none to start."""
    programs = [shutil.which(p) for p in ("initdb", "postgres", "createdb", "psql")]
    if None in programs:
        yield None
        return
    root = os.getuid() == 0
    as_user: dict[str, Any] = {"user": "postgres"} if root else {}
    data = folder / "pg"
    data.mkdir()
    folder.chmod(0o777)
    for above in folder.parents[:2]:
        if root and above != Path("/tmp"):
            above.chmod(above.stat().st_mode | 0o111)
    if root:
        shutil.chown(data, "postgres")
    port = 20_000 + os.getpid() % 20_000
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
                             "cwd": "/"} | as_user  # fmt: skip
    try:
        subprocess.run(
            [str(programs[0]), "-D", str(data), "-U", "ada", "--auth=trust", "-E", "UTF8"],
            check=True, timeout=120, **quiet,
        )  # fmt: skip
    except (subprocess.SubprocessError, OSError):
        yield None
        return
    process = subprocess.Popen(
        [str(programs[1]), "-D", str(data), "-p", str(port), "-k", str(data),
         "-c", "max_connections=200"], **quiet,
    )  # fmt: skip
    try:
        create = f"CREATE TABLE big AS {LOAD.replace('$1::BIGINT', str(rows))};"
        statements = [create, "ALTER TABLE big ADD PRIMARY KEY (id);", "VACUUM ANALYZE big;"]
        for _ in range(100):
            made = subprocess.run(
                [str(programs[2]), "-h", "127.0.0.1", "-p", str(port), "-U", "ada", "agent"],
                check=False, **quiet,
            )  # fmt: skip
            if not made.returncode:
                break
            time.sleep(0.1)
        given = ["-h", "127.0.0.1", "-p", str(port), "-U", "ada", "-d", "agent"]
        for statement in statements:
            subprocess.run([str(programs[3]), *given, "-c", statement], check=True, **quiet)
        yield {"host": "127.0.0.1", "port": port, "user": "ada", "database": "agent"}
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


async def points(
    asyncpg: Any, place: dict[str, Any], clients: int, seconds: float, rows: int, pid: int = 0
) -> tuple[float, list[float], list[int], float]:
    """(reads a second, sorted seconds of each, how many each client had, the server's CPU)."""
    connections = [await asyncpg.connect(**place) for _ in range(clients)]
    statements = [await c.prepare(POINT) for c in connections]
    took: list[float] = []
    counts = [0] * clients
    wrong: list[Any] = []
    for statement in statements:
        for _ in range(3):
            await statement.fetchrow(1)

    async def one(number: int) -> None:
        statement, key = statements[number], number * 7919
        while (before := time.perf_counter()) < end:
            key = (key * 31 + 17) % rows
            row = await statement.fetchrow(key)
            took.append(time.perf_counter() - before)
            counts[number] += 1
            if row["name"] != f"user number {key}":
                wrong.append(row)

    used = cpu_s(pid) if pid else 0.0
    begun = time.perf_counter()
    end = begun + seconds
    await asyncio.gather(*[one(n) for n in range(clients)])
    spent = time.perf_counter() - begun
    used = cpu_s(pid) - used if pid else 0.0
    for connection in connections:
        await connection.close()
    assert not wrong, wrong[:3]
    return len(took) / spent, sorted(took), counts, used


async def whole(asyncpg: Any, place: dict[str, Any], runs: int) -> tuple[float, int, Any]:
    """(median seconds to fetch all rows, how many, the last)."""
    connection = await asyncpg.connect(**place)
    seconds, rows = [], []
    for _ in range(runs):
        begun = time.perf_counter()
        rows = await connection.fetch(ALL)
        seconds.append(time.perf_counter() - begun)
    await connection.close()
    return median(seconds), len(rows), tuple(rows[-1])


async def copied(asyncpg: Any, place: dict[str, Any], runs: int) -> tuple[float, int]:
    """(median seconds to read all rows by COPY in the binary format, their bytes)."""
    connection = await asyncpg.connect(**place)
    seconds, total = [], 0

    async def count(data: bytes) -> None:
        nonlocal total
        total += len(data)

    for _ in range(runs):
        total = 0
        begun = time.perf_counter()
        await connection.copy_from_query(ALL, output=count, format="binary")
        seconds.append(time.perf_counter() - begun)
    await connection.close()
    return median(seconds), total


def memory_mb(pid: int, what: str = "VmRSS") -> float:
    """Memory of a process, as Linux tells it."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith(what))
    return int(line.split()[1]) / 1024


def cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        parts = file.read().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def run(bench: Bench) -> None:
    """Ours and PostgreSQL's in turns."""
    asyncpg = bench.peer("asyncpg", "asyncpg")
    if asyncpg is None:
        return
    rows = bench.size(ROWS, 20_000)
    path = bench.folder / "agent.db"
    load(path, rows)
    with theirs(bench.folder, rows) as peer, ours(path, bench.folder) as (place, pid, started):
        if peer is None:
            bench.note("no PostgreSQL could be started here: there is nothing beside")
        linux = Path("/proc/self/status").exists()
        if linux:
            bench.report("memory at the start", memory_mb(pid), "MB", reach=150)
        bench.report("start", started, "s", reach=1.0)
        measure(bench, asyncpg, place, peer, pid, rows)
        if linux:
            growth(bench, asyncpg, place, pid)


def measure(
    bench: Bench, asyncpg: Any, place: dict[str, Any], peer: dict[str, Any] | None, pid: int,
    rows: int,
) -> None:  # fmt: skip
    """The rates and times."""
    beside = "PostgreSQL"
    seconds = bench.size(5, 1)
    for clients, reach in ((1, 4000), (CLIENTS, 5000)):
        known = pid if Path("/proc/self/stat").exists() else 0
        found = asyncio.run(points(asyncpg, place, clients, seconds, rows, known))
        rate, took, counts, spent = found
        other = asyncio.run(points(asyncpg, peer, clients, seconds, rows)) if peer else None
        who = "one client" if clients == 1 else f"{clients} clients"
        bench.report(f"prepared point reads, {who}", rate, "/s", reach=reach, at_least=True,
                     beside=beside, peer=other[0] if other else None)  # fmt: skip
        bench.report(f"p99, {who}", 1000 * share(took, 0.99), "ms",
                     reach=60 if clients > 1 else None, beside=beside,
                     peer=1000 * share(other[1], 0.99) if other else None)  # fmt: skip
        if spent:
            bench.report(f"server's CPU a read, {who}", 1e6 * spent / len(took), "us")
        if clients > 1:
            fair = min(counts) / (sum(counts) / clients)
            bench.report("the slowest client's share of an even one", fair, "x", reach=0.5,
                         at_least=True)  # fmt: skip
    runs = bench.size(3, 1)
    first, count, last = asyncio.run(whole(asyncpg, place, 1))
    took_s, again, _ = asyncio.run(whole(asyncpg, place, runs))
    other_whole = asyncio.run(whole(asyncpg, peer, runs)) if peer else None
    bench.check("all rows came", count == again == rows, count)
    bench.check("the last row", last[0] == rows - 1 and last[1] == f"user number {rows - 1}", last)
    if other_whole:
        bench.check("PostgreSQL's are the same", other_whole[1:] == (count, last), other_whole[2])
    bench.report(f"{rows:,} rows of 4 columns, asyncpg, first time", first, "s")
    bench.report(f"{rows:,} rows of 4 columns, asyncpg", took_s, "s", reach=3.0, beside=beside,
                 peer=other_whole[0] if other_whole else None)  # fmt: skip
    by_copy, size = asyncio.run(copied(asyncpg, place, runs))
    other_copy = asyncio.run(copied(asyncpg, peer, runs)) if peer else None
    bench.check("COPY gave them all", size > rows * 40, size)
    bench.report(f"{rows:,} rows by COPY, binary", by_copy, "s", reach=1.5, beside=beside,
                 peer=other_copy[0] if other_copy else None)  # fmt: skip
    connectorx(bench, place, peer, rows)


def connectorx(bench: Bench, place: dict[str, Any], peer: dict[str, Any] | None, rows: int) -> None:
    """A reader of whole tables into Arrow, where it is installed."""
    reader = bench.peer("connectorx", "connectorx")
    if reader is None:
        return

    def read(where: dict[str, Any]) -> float:
        login = f"{where['user']}:{where.get('password', 'x')}"
        url = f"postgresql://{login}@{where['host']}:{where['port']}/{where['database']}"
        begun = time.perf_counter()
        table = reader.read_sql(url, ALL, return_type="arrow")
        bench.check("connectorx has all rows", table.num_rows == rows, table.num_rows)
        return time.perf_counter() - begun

    mine = median(read(place) for _ in range(3))
    other = median(read(peer) for _ in range(3)) if peer else None
    bench.report(f"{rows:,} rows, connectorx", mine, "s", reach=1.5, beside="PostgreSQL",
                 peer=other)  # fmt: skip


def growth(bench: Bench, asyncpg: Any, place: dict[str, Any], pid: int) -> None:
    """What streaming all rows twenty times leaves in the server, once it has done it before."""
    for _ in range(bench.size(5, 2)):  # until the allocator has what it wants
        asyncio.run(copied(asyncpg, place, 1))
    before = memory_mb(pid)
    for _ in range(bench.size(20, 2)):
        asyncio.run(copied(asyncpg, place, 1))
    bench.report("memory that streaming leaves", memory_mb(pid) - before, "MB", reach=20)
