"""Whether an agent of 100,000 memories was told the same, or nearly the same, already."""

from __future__ import annotations

from statistics import median, quantiles

import sqlagent
from benchmarks.bench import Bench
from benchmarks.data import text
from benchmarks.measure import cpu_of

STORE = "INSERT INTO memories (agent_id, content) VALUES ('ada', ?)"
REMEMBER = "SELECT remember('ada', ?)"


def run(bench: Bench) -> None:
    """CPU of one remember(): with the check of each kind, and without one."""
    held, asked = bench.size(100_000, 2_000), bench.size(300, 20)
    con = sqlagent.connect(bench.folder / "agent.db", embedding_model="none")
    con.executemany(STORE, [(text(n),) for n in range(held)])
    behind = [spent(con, text(n).upper()) for n in range(held - asked, held)]
    bench.report("remember, while other clients' rows are read", *told(behind), reach=2.0)
    fresh = iter(range(held, 2 * held))
    kept = {"keep": "off", "strengthen": "note", "near": "note"}
    for policy, guard in kept.items():
        con.execute(f"SET remember_duplicates = '{policy}'")
        con.execute(f"SET remember_guard = '{guard}'")
        con.execute("CALL sync()").fetchall()  # the bands of all rows, where they are asked for
        spent(con, text(next(fresh)))
        new = [spent(con, text(next(fresh))) for _ in range(asked)]
        what = "without a check" if policy == "keep" else f"new, checked: '{policy}'"
        bench.report(what, *told(new), reach=2.0)
    count = "SELECT count(*) FROM memories"
    before = con.execute(count).fetchall()
    again = [spent(con, f"Well, {text(n)}!") for n in range(0, held, held // asked)]
    bench.check("what nearly repeats makes no memory", con.execute(count).fetchall() == before)
    bench.report("a near-duplicate, found", *told(again), reach=2.0)
    bench.note(f"the agent has {held:,} memories; the median, and p95 beside it; ms of CPU")
    con.close()


def spent(con: sqlagent.Connection, content: str) -> float:
    """CPU of one remember, in ms."""
    return 1000 * cpu_of(lambda: con.execute(REMEMBER, (content,)).fetchall())


def told(spans: list[float]) -> tuple[float, str]:
    """The median and its unit, with the 95th percentile."""
    return median(spans), f"ms (p95 {quantiles(spans, n=20)[-1]:.2f})"
