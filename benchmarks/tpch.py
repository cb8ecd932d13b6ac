"""TPC-H captured in tables of the file: 22 queries beside a native DuckDB file and the scanner.

Scale factor 1 (8.7 million rows), or 0.01 under --quick. The native peer is a .duckdb file that
is opened in the same process, in turns with ours; the SQLite scanner reads the file in a process of
its own. The answers must agree.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import sqlagent
from benchmarks.bench import Bench
from benchmarks.measure import child, cpu, cpu_of, rss_mb

KEYS = {
    "region": "r_regionkey", "nation": "n_nationkey", "supplier": "s_suppkey",
    "customer": "c_custkey", "part": "p_partkey", "partsupp": "ps_partkey, ps_suppkey",
    "orders": "o_orderkey", "lineitem": "l_orderkey, l_linenumber",
}  # fmt: skip
SCANNER = """
import duckdb, json, sys, time
file, extension, queries = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
con = duckdb.connect()
con.execute("LOAD '" + extension + "'")
con.execute("ATTACH '" + file + "' AS lite (TYPE sqlite, READ_ONLY)")
con.execute("USE lite")
took = []
for sql in queries:
    before = time.process_time()
    con.execute(sql).fetchall()
    took.append(time.process_time() - before)
print(json.dumps(took))
"""
FEW = (0, 2, 4, 5, 8, 11, 17, 20)  # the scanner takes a minute for all at scale factor 1


def run(bench: Bench) -> None:
    """CPU of the 22 queries in sum, of the worst one, and of the scanner's."""
    import duckdb

    from sqlagent.engines import extensions

    package = bench.peer("duckdb_extension_tpch", "duckdb-extension-tpch==1.5.5")
    if package is None:
        return
    scale = 1 if not bench.quick else 0.01
    native = duckdb.connect(str(bench.folder / "native.duckdb"))
    native.execute("SET enable_progress_bar = false")
    extensions.load(native, "tpch")
    native.execute(f"CALL dbgen(sf = {scale})")
    native.execute("CHECKPOINT")
    queries = [
        sql.strip().rstrip(";")
        for (sql,) in native.execute(
            "SELECT query FROM tpch_queries() ORDER BY query_nr"
        ).fetchall()
    ]
    con = sqlagent.connect(bench.folder / "agent.db")
    before = cpu()
    for table, key in KEYS.items():
        capture(con, native, table, key, bench.folder)
    bench.report(f"CPU of capturing TPC-H at scale factor {scale}", cpu() - before, "s")
    con.execute("SET result_cache = off")
    before, memory = cpu(), rss_mb()
    for number, sql in enumerate(queries, 1):
        got, want = con.execute(sql).fetchall(), native.execute(sql).fetchall()
        bench.check(f"the rows of Q{number}", same(got, want), (got[:2], want[:2]))
    bench.report("CPU of the first run of all, which makes the columns", cpu() - before, "s")
    bench.report("memory that the columns took", rss_mb() - memory, "MB")
    ours, theirs = [], []
    for sql in queries:
        mine, others = [], []
        for _ in range(bench.size(5, 3)):
            mine.append(cpu_of(lambda sql=sql: con.execute(sql).fetchall()))  # type: ignore[misc]  # bound at once
            others.append(cpu_of(lambda sql=sql: native.execute(sql).fetchall()))  # type: ignore[misc]  # bound at once
        ours.append(median(mine))
        theirs.append(median(others))
    total = f"CPU of the 22 queries at scale factor {scale}"
    bench.report(total, 1000 * sum(ours), "ms", beside="a native DuckDB file",
                 peer=1000 * sum(theirs))  # fmt: skip
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    limited = not bench.quick  # what a statement costs beyond its scan weighs more on small tables
    bench.report("the 22 queries in sum, times DuckDB", sum(ours) / sum(theirs), "x",
                 reach=1.1 if limited else None)  # fmt: skip
    worst = max(range(len(ratios)), key=ratios.__getitem__)
    bench.report(f"the worst of them (Q{worst + 1}), times DuckDB", ratios[worst], "x",
                 reach=1.3 if limited else None)  # fmt: skip
    by_query = ", ".join(f"Q{n} {r:.2f}" for n, r in enumerate(ratios, 1))
    bench.note(f"times DuckDB: {by_query}")
    native.close()
    con.close()
    import json

    chosen = range(22) if bench.quick else FEW
    took = child(SCANNER, bench.folder / "agent.db", extensions.path("sqlite_scanner"),
                 json.dumps([queries[i] for i in chosen]), folder=bench.folder)  # fmt: skip
    bench.report(f"the SQLite scanner's CPU in {len(took)} queries, times ours",
                 sum(took) / sum(ours[i] for i in chosen), "x", reach=8 if limited else None,
                 at_least=True)  # fmt: skip


def capture(con: Any, native: Any, table: str, key: str, folder: Path) -> None:
    """A table as a transactional one of ours, from Parquet."""
    columns = native.execute(
        "SELECT column_name || ' ' || data_type FROM duckdb_columns() WHERE table_name = ? "
        "ORDER BY column_index", (table,),
    ).fetchall()  # fmt: skip
    names = ", ".join(c for (c,) in columns)
    con.execute(f"CREATE TABLE {table} ({names}, PRIMARY KEY ({key}))")
    file = folder / f"{table}.parquet"
    native.execute(f"COPY {table} TO '{file}'")
    con.execute(f"INSERT INTO {table} SELECT * FROM '{file}'")
    file.unlink()


def same(ours: list[Any], theirs: list[Any]) -> bool:
    """Equal rows in the same order, but for the last bits of a floating sum."""

    def alike(a: Any, b: Any) -> bool:
        if isinstance(a, float) or isinstance(b, float):
            return abs(float(a) - float(b)) <= 1e-6 * max(1.0, abs(float(b)))
        return bool(a == b)

    return len(ours) == len(theirs) and all(
        len(x) == len(y) and all(map(alike, x, y)) for x, y in zip(ours, theirs, strict=True)
    )
