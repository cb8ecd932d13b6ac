"""A call by the SQLite extension, beside the same one on a connection of ours: CPU of both ends.

The client is APSW in a process of its own; the library is compiled here, which needs a C compiler
and SQLite's headers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import sqlagent
from benchmarks.bench import Bench

ROOT = Path(__file__).resolve().parent.parent
CALLS = {
    "a scalar": ("SELECT token_count('green tea')", "SELECT token_count('green tea')"),
    "recall, 10 of 1,000": (
        "SELECT memory_id, content, score FROM recall('ada', 'parcel 7') WHERE k = 10",
        "SELECT memory_id, content, score FROM recall('ada', 'parcel 7', k => 10)",
    ),
}
CLIENT = """
import apsw, json, sys, time
con = apsw.Connection(sys.argv[1])
con.enable_load_extension(True)
con.load_extension(sys.argv[2])
con.execute("SELECT sqlagent('SET embedding_model = ''none''')").fetchall()
for line in sys.stdin:
    sql, times = json.loads(line)
    rows = con.execute(sql).fetchall()
    walls, cpu = [], time.process_time()
    for _ in range(times):
        begun = time.perf_counter()
        con.execute(sql).fetchall()
        walls.append(time.perf_counter() - begun)
    print(json.dumps([rows, walls, time.process_time() - cpu]), flush=True)
"""


def run(bench: Bench) -> None:
    """Both kinds of call, the rows compared."""
    library = compiled(bench.folder)
    if library is None:
        bench.note("not measured: no C compiler, or no sqlite3ext.h (libsqlite3-dev)")
        return
    path = bench.folder / "agent.db"
    con = sqlagent.connect(path, embedding_model="none")
    con.execute("BEGIN")
    for n in range(1000):
        con.execute("SELECT remember('ada', ?)", (f"the parcel {n} is in locker {n % 17}",))
    con.execute("COMMIT")
    room = Path(tempfile.mkdtemp(dir="/tmp", prefix="sa-"))  # a socket's path is short
    engine: int | None = None
    try:
        with client(path, library, room) as process:
            for what, (theirs, ours) in CALLS.items():
                times = bench.size(3000, 20)
                rows, walls, cpu = asked(process, theirs, 1)  # the engine is there now
                engine = engine_of(room)
                before = spent(engine)
                rows, walls, cpu = asked(process, theirs, times)
                both = (cpu + spent(engine) - before) / times
                found = con.execute(ours).fetchall()
                # The best one: others score alike, and scores fall with time, as memories decay.
                same = len(rows) == len(found) and rows[0][:2] == list(found[0][:2])
                bench.check(what, same, (rows[:2], found[:2]))
                begun = time.process_time()
                for _ in range(times):
                    con.execute(ours).fetchall()
                own = (time.process_time() - begun) / times
                bench.report(
                    f"{what}, CPU of both ends", 1e6 * both, "µs",
                    beside="in one process", peer=1e6 * own,
                )  # fmt: skip
                reach = 150.0 if what == "a scalar" else None  # of what a call costs by itself
                bench.report(f"{what}, median wall", 1e6 * median(walls), "µs", reach=reach)
    finally:
        if engine is not None:
            os.kill(engine, 15)
        shutil.rmtree(room, ignore_errors=True)
        con.close()


def compiled(folder: Path) -> Path | None:
    """The library; None where it cannot be built."""
    target = folder / "sqlagent0.so"
    sources = sorted(str(source) for source in (ROOT / "extension").glob("*.c"))
    version = f'-DSQLAGENT_VERSION="{sqlagent.__version__}"'
    command = ["cc", "-std=c11", "-O2", "-fPIC", "-fvisibility=hidden", "-shared", version]
    try:
        made = subprocess.run(
            [*command, "-o", str(target), *sources, "-ldl"], capture_output=True, timeout=120
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return target if made.returncode == 0 else None


def client(path: Path, library: Path, room: Path) -> subprocess.Popen[str]:
    """A client's process, whose engine is this checkout."""
    program = room / "program"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m sqlagent.cli "$@"\n')
    program.chmod(0o755)
    environment = {**os.environ, "SQLAGENT_COMMAND": str(program), "XDG_RUNTIME_DIR": str(room)}
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(path), str(library)], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def asked(process: subprocess.Popen[str], sql: str, times: int) -> Any:
    """The rows, the wall time of each call, and the client's CPU, in seconds."""
    import json

    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps([sql, times]) + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def engine_of(room: Path) -> int:
    """The process that listens in a folder."""
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and process.name != str(os.getpid()):
            command = (process / "cmdline").read_bytes() if process.exists() else b""
            if str(room).encode() in command and b"--serve" in command:
                return int(process.name)
    raise RuntimeError("the engine is not found")


def spent(pid: int) -> float:
    """Seconds of CPU of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
