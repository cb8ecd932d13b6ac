"""Reading the newest state by its key, beside raw APSW with the same statement on the same file."""

from __future__ import annotations

import threading
from statistics import median

import apsw

import sqlagent
from benchmarks.bench import Bench
from benchmarks.data import STATE
from benchmarks.measure import Work, ratio, turns, wall_of
from benchmarks.saver import saver

SQL = "SELECT data FROM states WHERE agent_id = ? AND state_type = ?"
STATES = 2000


def run(bench: Bench) -> None:
    """CPU of 4,000 reads a round, and reads a second of two threads by the wall clock."""
    path = bench.folder / "agent.db"
    con = sqlagent.connect(path)
    con.execute("BEGIN")
    for i in range(STATES):
        con.execute("SELECT save_state(?, ?)", (f"agent{i}", STATE % i)).fetchall()
    con.execute("COMMIT")
    reads = bench.size(4000, 1000)
    keys = [(f"agent{i * 7 % STATES}", "context") for i in range(reads)]
    wanted = [STATE % (i * 7 % STATES) for i in range(reads)]
    raw = apsw.Connection(str(path))  # the same library as ours, so the locks are shared

    def ours() -> None:
        for key in keys:
            con.execute(SQL, key).fetchone()

    def plain() -> None:
        for key in keys:
            raw.execute(SQL, key).fetchone()

    works: list[Work] = [ours, plain]
    peer = saver(bench)
    if peer is not None:
        for i in range(200):
            peer.put(f"agent{i}", STATE % i)

        def theirs() -> None:
            for i in range(200):
                peer.get(f"agent{i}")

        works.append(theirs)
        bench.check("langgraph reads it too", peer.get("agent7") == STATE % 7)

    bench.check("every state", [con.execute(SQL, k).fetchall()[0][0] for k in keys] == wanted)
    turns(1, works)
    took = turns(bench.size(15, 3), works)
    a, b = 1e6 * median(took[0]) / reads, 1e6 * median(took[1]) / reads
    bench.report("CPU a read", a, "us", beside="raw apsw", peer=b)
    bench.report("CPU a read, times raw apsw", ratio(took[0], took[1]), "x", reach=1.5)
    bench.report("reads a CPU second", 1e6 / a, "/s", reach=60_000, at_least=True)
    if peer is not None:
        c = 1e6 * median(took[2]) / 200
        bench.report("CPU a read", a, "us", beside="langgraph SqliteSaver", peer=c)

    second = apsw.Connection(str(path))

    def plain_on(connection: apsw.Connection) -> Work:
        def read() -> None:
            for key in keys:
                connection.execute(SQL, key).fetchone()

        return read

    def two(first: Work, other: Work) -> Work:
        def both() -> None:
            threads = [threading.Thread(target=work) for work in (first, other)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        return both

    pair = [two(ours, ours), two(plain_on(raw), plain_on(second))]
    turns(1, pair)
    wall = turns(bench.size(15, 3), pair, wall_of)
    rates = [2 * reads / median(w) for w in wall]
    bench.report(
        "reads a second, two threads", rates[0], "/s", reach=100_000, at_least=True,
        beside="raw apsw, a connection each", peer=rates[1],
    )  # fmt: skip
    con.close()
