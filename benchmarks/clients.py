"""A hundred clients that save durably at once, beside a hundred raw APSW connections."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from statistics import median

import apsw

import sqlagent
from benchmarks.bench import Bench
from benchmarks.data import STATE
from benchmarks.measure import Work, share

CLIENTS = 100
SAVE = "SELECT save_state(?, ?)"
RAW = """
INSERT INTO states VALUES (?1, ?2, 1)
ON CONFLICT DO UPDATE SET data = ?2, version = version + 1
"""
Make = Callable[[int], Work]


def hammer(make: Make, saves: int) -> tuple[float, list[float]]:
    """(saves a second, sorted seconds of each) of all clients, each with so many to do."""
    gate = threading.Barrier(CLIENTS + 1)
    took: list[list[float]] = []
    errors: list[BaseException] = []

    def client(number: int) -> None:
        mine = []
        try:
            save = make(number)
            gate.wait()
            for _ in range(saves):
                before = time.perf_counter()
                save()
                mine.append(time.perf_counter() - before)
        except BaseException as error:
            errors.append(error)
            gate.abort()
        took.append(mine)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    gate.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    if errors:
        raise errors[0]
    return CLIENTS * saves / seconds, sorted(x for mine in took for x in mine)


def run(bench: Bench) -> None:
    """Five rounds in turns; one connection for all, one each, and raw connections."""
    path, raw_path = bench.folder / "agent.db", str(bench.folder / "raw.db")
    con = sqlagent.connect(path)
    raw = apsw.Connection(raw_path)
    raw.execute("PRAGMA journal_mode=WAL").fetchall()
    raw.execute("CREATE TABLE states (agent_id TEXT PRIMARY KEY, data TEXT, version INTEGER)")
    data = STATE % 1

    def shared(number: int) -> Work:
        return lambda: con.execute(SAVE, (f"shared{number}", data)).fetchall()

    def own(number: int) -> Work:
        mine = sqlagent.connect(path)
        return lambda: mine.execute(SAVE, (f"own{number}", data)).fetchall()

    def plain(number: int) -> Work:
        mine = apsw.Connection(raw_path)
        mine.set_busy_timeout(60_000)
        mine.execute("PRAGMA synchronous=FULL")

        def save() -> None:
            mine.execute("BEGIN IMMEDIATE")
            mine.execute(RAW, (f"raw{number}", data))
            mine.execute("COMMIT")

        return save

    saves = bench.size(100, 10)
    kinds: dict[str, tuple[Make, int]] = {
        "shared": (shared, saves), "own": (own, saves), "raw": (plain, bench.size(20, 2)),
    }  # fmt: skip
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    tails: dict[str, list[float]] = {name: [] for name in kinds}
    rounds = bench.size(5, 1)
    for _ in range(rounds):
        for name, (make, each) in kinds.items():
            rate, took = hammer(make, each)
            rates[name].append(rate)
            tails[name].append(1000 * share(took, 0.99))
    for name in ("shared", "own"):
        kept = con.execute(
            "SELECT count(*), count(DISTINCT agent_id) FROM state_versions WHERE agent_id LIKE ?",
            (f"{name}%",),
        ).fetchone()
        wanted = (CLIENTS * saves * rounds, CLIENTS)
        bench.check(f"all that was acknowledged is kept ({name})", kept == wanted, kept)
    peer = median(rates["raw"])
    peer_tail = median(tails["raw"])
    beside = "raw apsw, a connection each"
    for name, said in (("shared", "one connection"), ("own", "a connection each")):
        rate, tail = median(rates[name]), median(tails[name])
        bench.report(
            f"saves a second, {said}", rate, "/s", reach=8000, at_least=True,
            beside=beside, peer=peer,
        )  # fmt: skip
        bench.report(f"p99, {said}", tail, "ms", reach=25, beside=beside, peer=peer_tail)
    best = max(median(rates["shared"]), median(rates["own"]))
    bench.report("times raw connections", best / peer, "x", reach=6, at_least=True)
    con.close()
