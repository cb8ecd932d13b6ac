"""What planning costs: a statement seen before, a new point SELECT, a new TPC-H Q9."""

from __future__ import annotations

from itertools import count
from statistics import median

import apsw
import duckdb

import sqlagent
from benchmarks.bench import Bench
from benchmarks.measure import Work, turns

SEEN = "SELECT v, g FROM kv WHERE k = ?"
POINT = "SELECT v AS v{n}, g + {n} AS g{n} FROM kv AS t{n} WHERE t{n}.k = {k}"
Q9 = """
SELECT nation, o_year, sum(amount) AS sum_profit
FROM (
  SELECT n_name AS nation, extract(year FROM o_orderdate) AS o_year,
    l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity AS amount
  FROM part, supplier, lineitem, partsupp, orders, nation
  WHERE s_suppkey = l_suppkey AND ps_suppkey = l_suppkey AND ps_partkey = l_partkey
    AND p_partkey = l_partkey AND o_orderkey = l_orderkey AND s_nationkey = n_nationkey
    AND p_name LIKE '%green%'
) AS {name}
GROUP BY nation, o_year ORDER BY nation, o_year DESC"""
TABLES = (
    "part (p_partkey BIGINT, p_name VARCHAR)",
    "supplier (s_suppkey BIGINT, s_nationkey INTEGER)",
    "lineitem (l_orderkey BIGINT, l_partkey BIGINT, l_suppkey BIGINT, l_quantity DECIMAL(15, 2), "
    "l_extendedprice DECIMAL(15, 2), l_discount DECIMAL(15, 2))",
    "partsupp (ps_partkey BIGINT, ps_suppkey BIGINT, ps_supplycost DECIMAL(15, 2))",
    "orders (o_orderkey BIGINT, o_orderdate DATE)",
    "nation (n_nationkey INTEGER, n_name VARCHAR)",
)
FACTS = (
    "INSERT INTO part VALUES (1, 'dark green paper'), (2, 'red')",
    "INSERT INTO supplier VALUES (7, 3)",
    "INSERT INTO lineitem VALUES (5, 1, 7, 2, 100, 0.5), (5, 2, 7, 1, 100, 0)",
    "INSERT INTO partsupp VALUES (1, 7, 10), (2, 7, 10)",
    "INSERT INTO orders VALUES (5, '1995-03-01')",
    "INSERT INTO nation VALUES (3, 'FRANCE')",
)
ROWS = 10_000


def run(bench: Bench) -> None:
    """CPU over the bare engine in the same turns; no text is ever the same, nor any shape."""
    path = bench.folder / "agent.db"
    con = sqlagent.connect(path, embedding_model="none")
    con.execute("SET result_cache = off")
    con.execute("CREATE TABLE kv (k INTEGER PRIMARY KEY, v TEXT, g INTEGER)")
    con.executemany(
        "INSERT INTO kv VALUES (?, ?, ?)", [(k, f"value {k}", k % 7) for k in range(ROWS)]
    )
    raw = apsw.Connection(str(path))  # the same library as ours, so the locks are shared
    seen(bench, con, raw)
    point(bench, con, raw)
    native = duckdb.connect(config={"threads": 2})
    for statement in (*(f"CREATE TABLE {table}" for table in TABLES), *FACTS):
        con.execute(statement)
        native.execute(statement)
    nine(bench, con, native)
    con.close()
    native.close()


def seen(bench: Bench, con: sqlagent.Connection, raw: apsw.Connection) -> None:
    """The same text with other values."""
    keys = [(k * 37 % ROWS,) for k in range(bench.size(4000, 1000))]

    def ours() -> None:
        for key in keys:
            con.execute(SEEN, key).fetchone()

    def bare() -> None:
        for key in keys:
            raw.execute(SEEN, key).fetchone()

    bench.check(
        "the rows of a seen statement",
        [con.execute(SEEN, k).fetchone() for k in keys]
        == [raw.execute(SEEN, k).fetchone() for k in keys],
    )
    mine, theirs = 1e6 / len(keys) * over(bench, ours, bare), 0.0
    theirs = 1e6 / len(keys) * median(turns(bench.size(9, 3), [bare])[0])
    bench.report("a statement seen before, over raw apsw", mine, "us", reach=3)
    bench.report("raw apsw's own", theirs, "us")


def point(bench: Bench, con: sqlagent.Connection, raw: apsw.Connection) -> None:
    """A point SELECT whose names are new each time."""
    numbers = count()
    runs = bench.size(100, 20)

    def text() -> str:
        n = next(numbers)
        return POINT.format(n=n, k=n % ROWS)

    def ours() -> None:
        for _ in range(runs):
            con.execute(text()).fetchone()

    def bare() -> None:
        for _ in range(runs):
            raw.execute(text()).fetchone()

    same = text()
    bench.check("a point", con.execute(same).fetchone() == raw.execute(same).fetchone())
    planning = 1e3 / runs * over(bench, ours, bare)
    bench.report("a new point SELECT, over raw apsw", planning, "ms", reach=0.5)


def nine(bench: Bench, con: sqlagent.Connection, native: duckdb.DuckDBPyConnection) -> None:
    """TPC-H Q9 over a few rows: nearly all of its time is planning, DuckDB's own too."""
    numbers = count()
    runs = bench.size(5, 2)

    def text() -> str:
        return Q9.format(name=f"profit{next(numbers)}")

    def ours() -> None:
        for _ in range(runs):
            con.execute(text()).fetchall()

    def bare() -> None:
        for _ in range(runs):
            native.execute(text()).fetchall()

    con.execute("SET route = 'duckdb'")
    same = text()
    found = [tuple(map(str, row)) for row in con.execute(same).fetchall()]
    bench.check(
        "Q9", found == [tuple(map(str, row)) for row in native.execute(same).fetchall()], found
    )
    con.execute("SET route = 'auto'")
    planning = 1e3 / runs * over(bench, ours, bare)
    bench.report("a new TPC-H Q9, over native DuckDB", planning, "ms", reach=4)
    own = 1e3 / runs * median(turns(bench.size(9, 3), [bare])[0])
    bench.report("native DuckDB's own", own, "ms")


def over(bench: Bench, ours: Work, bare: Work) -> float:
    """The median of the seconds that a turn of ours takes more than the bare engine's."""
    turns(1, [ours, bare])
    took = turns(bench.size(9, 3), [ours, bare])
    return median(a - b for a, b in zip(*took, strict=True))
