"""Saving a state durably, one client: beside raw APSW, LangGraph, and the disk's own flush."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from statistics import median

import apsw

import sqlagent
from benchmarks.bench import Bench
from benchmarks.data import STATE
from benchmarks.measure import Work, cpu, ratio, wall_of
from benchmarks.saver import saver

NOW = "strftime('%Y-%m-%d %H:%M:%f', 'now')"
SCHEMA = """
CREATE TABLE states (agent_id TEXT, state_type TEXT, data TEXT, version INTEGER, created_at TEXT,
  PRIMARY KEY (agent_id, state_type));
CREATE TABLE state_versions (id INTEGER PRIMARY KEY, agent_id TEXT, state_type TEXT, data TEXT,
  version INTEGER, created_at TEXT)
"""
NEWEST = f"""
INSERT INTO states VALUES (?1, 'context', ?2, 1, {NOW})
ON CONFLICT DO UPDATE SET data = ?2, version = version + 1
"""
VERSION = f"""
INSERT INTO state_versions (agent_id, state_type, data, version, created_at)
VALUES (?1, 'context', ?2, 1, {NOW})
"""
SAVES = 20  # a round
WAL_HEADER, FRAME = 32, 24  # bytes of the log's own: https://www.sqlite.org/walformat.html


def run(bench: Bench) -> None:
    """Wall time of a save, its median of a round; the rounds in turns."""
    con = sqlagent.connect(bench.folder / "agent.db")
    raw = apsw.Connection(str(bench.folder / "raw.db"))
    raw.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL").fetchall()
    raw.execute(SCHEMA).fetchall()
    log = os.open(bench.folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    numbers = {name: count() for name in ("ours", "raw", "log", "langgraph")}

    def ours() -> None:
        n = next(numbers["ours"])
        con.execute("SELECT save_state(?, ?)", (f"agent{n % 100}", STATE % n)).fetchall()

    def plain() -> None:
        n = next(numbers["raw"])
        values = (f"agent{n % 100}", STATE % n)
        raw.execute("BEGIN IMMEDIATE")
        raw.execute(NEWEST, values)
        raw.execute(VERSION, values)
        raw.execute("COMMIT")

    def append() -> None:
        os.write(log, (STATE % next(numbers["log"])).encode())
        os.fdatasync(log)

    works: dict[str, Work] = {
        "ours": ours,
        "raw apsw, two rows": plain,
        "append + fdatasync": append,
    }
    peer = saver(bench)
    if peer is not None:

        def put() -> None:
            n = next(numbers["langgraph"])
            peer.put(f"agent{n % 100}", STATE % n)

        works["langgraph SqliteSaver"] = put

    wall: dict[str, list[float]] = {name: [] for name in works}
    used: dict[str, list[float]] = {name: [] for name in works}
    saves = bench.size(SAVES, 5)
    rounds = bench.size(45, 2)
    for round_number in range(rounds + 1):
        order = list(works.items())
        for name, work in order if round_number % 2 else reversed(order):
            before = cpu()
            took = median(wall_of(work) for _ in range(saves))
            if round_number:  # the first one warms
                wall[name].append(took)
                used[name].append((cpu() - before) / saves)
    done = saves * (rounds + 1)
    row = con.execute("SELECT count(*), max(version) FROM state_versions").fetchall()[0]
    bench.check("every version is kept", row == (done, -(-done // 100)), row)
    newest = con.execute(
        "SELECT data FROM states WHERE agent_id = ?", (f"agent{(done - 1) % 100}",)
    )
    bench.check("the newest is the last one saved", newest.fetchall()[0][0] == STATE % (done - 1))
    mine = 1e6 * median(wall["ours"])
    for name in list(works)[1:]:
        bench.report("wall time", mine, "us", beside=name, peer=1e6 * median(wall[name]))
    times = ratio(wall["ours"], wall["raw apsw, two rows"])
    bench.report("wall time, times raw apsw", times, "x", reach=1.3)
    bench.report(
        "CPU", 1e6 * median(used["ours"]), "us",
        beside="raw apsw, two rows", peer=1e6 * median(used["raw apsw, two rows"]),
    )  # fmt: skip
    mine, theirs = (pages(bench.folder / f, w) for f, w in (("agent.db", ours), ("raw.db", plain)))
    bench.report("pages written", mine, "pages", beside="raw apsw, two rows", peer=theirs)
    os.close(log)
    con.close()


def pages(path: Path, work: Work) -> float:
    """How many pages a save writes to the log on disk, over 100 saves."""
    own = apsw.Connection(str(path))
    own.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # so that it has opened the log
    own.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    size = int(own.execute("PRAGMA page_size").get)
    own.close()
    for _ in range(100):  # fewer pages than the log has when it begins anew
        work()
    return (path.with_name(f"{path.name}-wal").stat().st_size - WAL_HEADER) / (size + FRAME) / 100
