"""A million rows of eight columns in a table of columns: loading it, its size, and an aggregate."""

from __future__ import annotations

import os
from statistics import median

import sqlagent
from benchmarks.aggregate import same
from benchmarks.bench import Bench
from benchmarks.measure import Work, cpu, ratio, turns

SELECT = """SELECT i AS id, TIMESTAMP '2024-01-01' + to_seconds(i) AS seen,
  'page ' || i % 1000 AS page,
  'user ' || hash(i) % 50000 AS user, i % 7 AS kind, (hash(i) % 100000) / 1000.0::DOUBLE AS price,
  i % 3 = 0 AS paid, 'a note of some words, number ' || i AS note FROM range({rows}) AS t(i)"""
COLUMNS = """id INTEGER, seen TIMESTAMP, page TEXT, user TEXT, kind INTEGER, price DOUBLE,
  paid BOOLEAN, note TEXT"""
STATEMENTS = (
    "SELECT kind, count(*), sum(id), max(seen) FROM {table} GROUP BY kind",
    "SELECT page, count(*) AS n, avg(price) FROM {table} WHERE paid GROUP BY page "
    "ORDER BY n DESC, page LIMIT 20",
    "SELECT count(DISTINCT user), max(note) FROM {table} WHERE price > 50",
)


def run(bench: Bench) -> None:
    """CPU of the load and of three statements, beside a table of rows and a native table."""
    import duckdb

    count = bench.size(1_000_000, 20_000)
    select = SELECT.format(rows=count)
    loads: dict[str, float] = {}
    sizes: dict[str, int] = {}
    con = None
    for engine in ("rows", "columns"):
        path = bench.folder / f"{engine}.db"
        con = sqlagent.connect(path, embedding_model="none")
        empty = _bytes(path)
        con.execute(f"CREATE TABLE t ({COLUMNS}) USING {engine}")
        con.execute("SELECT 1 AS a FROM range(1)").fetchall()  # DuckDB is up
        before = cpu()
        con.execute(f"INSERT INTO t {select}")
        loads[engine] = cpu() - before
        con.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        sizes[engine] = _bytes(path) - empty
        if engine == "rows":
            con.close()
    assert con is not None
    what = f"{count:,} rows of 8 columns"
    bench.report(f"CPU of loading {what}", loads["columns"], "s", beside="rows", peer=loads["rows"])
    bench.report(
        f"size of {what}", sizes["columns"] / 1e6, "MB", beside="rows", peer=sizes["rows"] / 1e6
    )
    native = duckdb.connect(str(bench.folder / "native.duckdb"))
    before = cpu()
    native.execute(f"CREATE TABLE t AS {select}")
    native.execute("CHECKPOINT")
    bench.report(
        f"CPU of loading {what}", loads["columns"], "s", beside="a native DuckDB table",
        peer=cpu() - before,
    )  # fmt: skip
    con.execute("SET result_cache = off")
    before = cpu()
    con.execute("SELECT count(*) FROM t").fetchall()
    bench.report("CPU of the first read, from the parts", cpu() - before, "s")
    texts = [sql.format(table="t") for sql in STATEMENTS]
    for sql in texts:
        ours, theirs = con.execute(sql).fetchall(), native.execute(sql).fetchall()
        bench.check("the same answer", same(ours, theirs), (ours[:2], theirs[:2]))

    def mine() -> None:
        for sql in texts:
            con.execute(sql).fetchall()

    def theirs_too() -> None:
        for sql in texts:
            native.execute(sql).fetchall()

    works: list[Work] = [mine, theirs_too]
    turns(2, works)
    took = turns(bench.size(11, 3), works)
    a, b = (1000 * median(t) / len(texts) for t in took)
    bench.report(
        f"CPU of an aggregate over {what}", a, "ms", beside="a native DuckDB table", peer=b
    )
    bench.report("an aggregate over columns, times DuckDB", ratio(*took), "x", reach=1.2)
    con.close()


def _bytes(path: object) -> int:
    """The size of a file and its WAL."""
    return sum(
        os.path.getsize(f"{path}{end}") for end in ("", "-wal") if os.path.exists(f"{path}{end}")
    )
