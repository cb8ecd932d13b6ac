"""Aggregates over a million memories, beside the same statements on a table of DuckDB's own."""

from __future__ import annotations

from statistics import median
from typing import Any

import apsw

import sqlagent
from benchmarks.bench import Bench
from benchmarks.data import crowd
from benchmarks.measure import Work, cpu, cpu_of, ratio, turns

COLUMNS = "memory_id, agent_id, kind, content, importance, access_count, pinned, created_at"
STATEMENTS = (
    "SELECT kind, count(*), avg(importance), sum(access_count) FROM memories GROUP BY kind",
    "SELECT agent_id, count(*) AS n, max(importance) FROM memories GROUP BY agent_id "
    "ORDER BY n DESC, agent_id LIMIT 20",
    "SELECT count(*), avg(length(content)) FROM memories WHERE importance > 0.5 AND NOT pinned",
    "SELECT importance, count(DISTINCT agent_id) FROM memories GROUP BY importance "
    "ORDER BY importance",
)


def run(bench: Bench) -> None:
    """CPU of four statements, in turns; the answers must agree."""
    import duckdb

    count = bench.size(1_000_000, 20_000)
    con = sqlagent.connect(crowd(bench.shared, count))
    con.execute("SET result_cache = off")
    con.execute("SET route = 'duckdb'")
    before = cpu()
    con.execute(STATEMENTS[0]).fetchall()
    bench.report("CPU of the first, which makes the columns", cpu() - before, "s")
    native = duckdb.connect(str(bench.folder / "native.duckdb"))
    table: Any = con.execute(f"SELECT {COLUMNS} FROM memories ORDER BY memory_id").arrow()
    native.register("source", table)
    native.execute("CREATE TABLE memories AS SELECT * FROM source")
    native.unregister("source")
    native.execute("CHECKPOINT")
    del table
    for sql in STATEMENTS:
        ours, theirs = con.execute(sql).fetchall(), native.execute(sql).fetchall()
        bench.check("the same answer", same(ours, theirs), (ours[:2], theirs[:2]))

    def mine() -> None:
        for sql in STATEMENTS:
            con.execute(sql).fetchall()

    def theirs_too() -> None:
        for sql in STATEMENTS:
            native.execute(sql).fetchall()

    works: list[Work] = [mine, theirs_too]
    turns(2, works)
    took = turns(bench.size(15, 3), works)
    a, b = (1000 * median(t) / len(STATEMENTS) for t in took)
    what = f"CPU of an aggregate over {count:,}"
    bench.report(what, a, "ms", beside="a native DuckDB table", peer=b)
    bench.report(f"{what}, times DuckDB", ratio(*took), "x", reach=1.2)
    raw = apsw.Connection(con.database.path)
    plain = [cpu_of(lambda sql=sql: raw.execute(sql).fetchall()) for sql in STATEMENTS]  # type: ignore[misc]  # bound at once
    bench.report(what, a, "ms", beside="raw apsw", peer=1000 * sum(plain) / len(plain))
    con.close()


def same(ours: list[Any], theirs: list[Any]) -> bool:
    """Equal rows, whatever their order, but for the last bits of an average."""

    def rounded(rows: list[Any]) -> list[Any]:
        return sorted(
            (tuple(round(v, 9) if isinstance(v, float) else v for v in row) for row in rows),
            key=repr,
        )

    return rounded(ours) == rounded(theirs)
