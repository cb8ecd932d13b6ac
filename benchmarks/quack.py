"""DuckDB's remote protocol: a point query, 24 clients at once, a million rows; beside DuckDB's own
server of it with the same rows in a table of its own. The client is DuckDB's, unmodified."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from statistics import median
from typing import Any

import duckdb

import sqlagent
from benchmarks.bench import Bench
from benchmarks.data import MEMORY, text
from benchmarks.measure import share
from sqlagent.engines import extensions

TOKEN = "bench:a long password"
CLIENTS = 24
POINT = "FROM {0}.query('SELECT content FROM memories WHERE memory_id = {1}')"
MANY = (
    "SELECT i, i * 1.5::DOUBLE AS d, ''name '' || (i % 1000) AS s, "
    "TIMESTAMP ''2026-01-01'' + INTERVAL 1 SECOND * i AS t FROM range({}) AS r(i)"
)
THEIRS = """
import sys, time
import duckdb
con = duckdb.connect()
for file in sys.argv[3:]:
    con.execute(f"LOAD '{file}'")
con.execute("CREATE TABLE memories (memory_id BIGINT PRIMARY KEY, content VARCHAR)")
con.execute("INSERT INTO memories SELECT * FROM read_csv(?, header = false)", [sys.argv[2]])
uri = f"quack:localhost:{sys.argv[1]}"
con.execute(f"CALL quack_serve('{uri}', token := 'bench:a long password')")
print("listening", flush=True)
time.sleep(3600)
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return int(own.getsockname()[1])


def served(command: list[str]) -> subprocess.Popen[str]:
    """A server's process, once it listens."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    if "listening" not in process.stdout.readline():
        raise RuntimeError(f"{command[:4]} does not listen")
    return process


def run(bench: Bench) -> None:
    """Both servers in processes of their own; the works in turns."""
    files = [extensions.path(name) for name in ("httpfs", "quack")]
    if None in files:
        bench.note("pip install duckdb-extension-quack==1.5.5 duckdb-extension-httpfs==1.5.5")
        return
    rows = bench.size(20_000, 1_000)
    path, csv = bench.folder / "agent.db", bench.folder / "memories.csv"
    with sqlagent.connect(path, embedding_model="none") as con:
        con.executemany(MEMORY, [(i, f"a{i % 50}", text(i), 0.5) for i in range(1, rows + 1)])
    con.close()
    csv.write_text("".join(f'{i},"{text(i)}"\n' for i in range(1, rows + 1)))
    password = bench.folder / "password"
    password.write_text(TOKEN.partition(":")[2])
    ports = {"ours": free_port(), "theirs": free_port()}
    ours = [sys.executable, "-m", "sqlagent.cli", "serve", str(path), "--user", "bench"]
    ours += ["--password-file", str(password), "--quack", f"127.0.0.1:{ports['ours']}"]
    theirs = [sys.executable, "-c", THEIRS, str(ports["theirs"]), str(csv), *map(str, files)]
    processes = []
    try:
        for command in (ours, theirs):
            processes.append(served(command))
        measured(bench, ports, rows, files)
    finally:
        for process in processes:
            process.terminate()
            process.wait(30)


def client(ports: dict[str, int], files: list[Any]) -> duckdb.DuckDBPyConnection:
    """A DuckDB that has attached both."""
    con = duckdb.connect(config={"autoinstall_known_extensions": False})
    for file in files:
        con.execute(f"LOAD '{file}'")
    for name, port in ports.items():
        con.execute(f"ATTACH 'quack:localhost:{port}' AS {name} (TOKEN '{TOKEN}')")
    return con


def measured(bench: Bench, ports: dict[str, int], rows: int, files: list[Any]) -> None:
    con = client(ports, files)
    took: dict[str, list[float]] = {name: [] for name in ports}
    for i in range(bench.size(1_000, 50)):
        wanted = i * 7 % rows + 1
        for name in ports:
            before = time.perf_counter()
            found = con.execute(POINT.format(name, wanted)).fetchall()
            took[name].append(1000 * (time.perf_counter() - before))
            bench.check("the memory", found == [(text(wanted),)], (name, wanted, found))
    for name in ports:
        took[name].sort()
    peer = {"beside": "DuckDB's own server"}
    p50 = {name: median(times) for name, times in took.items()}
    bench.report("point query, p50", p50["ours"], "ms", reach=3.0, peer=p50["theirs"], **peer)
    p99 = {name: share(times, 0.99) for name, times in took.items()}
    bench.report("point query, p99", p99["ours"], "ms", peer=p99["theirs"], **peer)
    crowd = {name: hammer(name, ports, files, bench.size(50, 3)) for name in ports}
    rate, errors = crowd["ours"]
    bench.check("24 clients without an error", errors == [], errors[:1])
    peer_rate = crowd["theirs"][0]
    bench.report("24 clients, queries", rate, "/s", at_least=True, peer=peer_rate, **peer)
    count = bench.size(1_000_000, 30_000)
    spent = {name: [] for name in ports}
    for _ in range(bench.size(3, 1)):
        for name in ports:
            before = time.perf_counter()
            sql = f"SELECT count(*), sum(i) FROM (FROM {name}.query('{MANY.format(count)}'))"
            found = con.execute(sql).fetchall()
            spent[name].append(time.perf_counter() - before)
            bench.check("all rows", found == [(count, count * (count - 1) // 2)], found)
    a, b = median(spent["ours"]), median(spent["theirs"])
    bench.report(f"{count:,} rows of 4 columns", a, "s", peer=b, **peer)


def hammer(
    name: str, ports: dict[str, int], files: list[Any], each: int
) -> tuple[float, list[BaseException]]:
    """Queries a second of 24 clients, each with a DuckDB and a session of its own; what failed."""
    clients = [client({name: ports[name]}, files) for _ in range(CLIENTS)]
    errors: list[BaseException] = []
    gate = threading.Barrier(CLIENTS + 1)

    def work(con: duckdb.DuckDBPyConnection) -> None:
        gate.wait()
        try:
            for i in range(each):
                con.execute(POINT.format(name, i + 1)).fetchall()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(con,)) for con in clients]
    for thread in threads:
        thread.start()
    gate.wait()
    before = time.perf_counter()
    for thread in threads:
        thread.join()
    return CLIENTS * each / (time.perf_counter() - before), errors
