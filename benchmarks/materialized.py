"""A materialised view over a million rows: following 1,000 changes beside computing it again."""

from __future__ import annotations

from statistics import median

import sqlagent
from benchmarks.bench import Bench
from benchmarks.measure import cpu

GROUPED = (
    "SELECT region, product, count(*) AS n, sum(amount) AS total, avg(amount) AS mean, "
    "max(amount) AS most FROM sales GROUP BY region, product"
)


def run(bench: Bench) -> None:
    """CPU of a read after 1,000 changed rows, with the view held and without, and of the next."""
    count = bench.size(1_000_000, 20_000)
    con = sqlagent.connect(bench.folder / "agent.db", embedding_model="none", result_cache=False)
    con.execute(
        "CREATE TABLE sales (id INTEGER PRIMARY KEY, region TEXT, product BIGINT, amount BIGINT)"
    )
    con.execute(
        "INSERT INTO sales SELECT i, 'region ' || (i % 50), i % 1000, (i * 7919) % 10007 "
        f"FROM range({count}) r(i)"
    )
    con.execute(GROUPED).fetchall()  # makes the columns
    base: list[float] = []
    kept: list[float] = []
    idle: list[float] = []
    again: list[float] = []
    change = "UPDATE sales SET amount = amount + 1 WHERE id % {} = {}"
    step = max(1, count // 1000)
    rounds = bench.size(15, 3)
    for turn in range(rounds):  # catching up alone, then computing it again
        con.execute(change.format(step, turn))
        base.append(_spent(con, "SELECT count(*) FROM sales"))
        again.append(_spent(con, GROUPED))
    con.execute(f"CREATE MATERIALIZED VIEW summed AS {GROUPED}")
    for turn in range(rounds):
        con.execute(change.format(step, rounds + turn))
        kept.append(_spent(con, "SELECT * FROM summed"))
        idle.append(_spent(con, "SELECT * FROM summed"))
    ours = sorted(con.execute("SELECT * FROM summed").fetchall())
    fresh = sorted(con.execute(GROUPED).fetchall())
    bench.check("the view is the query", ours == fresh, (ours[:2], fresh[:2]))
    what = f"CPU of a view over {count:,} rows"
    bench.report(f"{what}, read after 1,000 changes", 1000 * median(kept), "ms")
    computed = 1000 * (median(base) + median(again))
    bench.report(f"{what}, its query after 1,000 changes", computed, "ms")
    bench.report(f"{what}, read with nothing changed", 1000 * median(idle), "ms")
    bench.report(f"{what}, its query with nothing changed", 1000 * median(again), "ms")
    con.close()


def _spent(con: sqlagent.Connection, sql: str) -> float:
    """CPU seconds of a read."""
    before = cpu()
    con.execute(sql).fetchall()
    return cpu() - before
