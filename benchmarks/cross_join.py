"""A join of a thousand keys with ten million rows of another engine, beside the best by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

import sqlagent
from benchmarks.aggregate import same
from benchmarks.bench import Bench
from benchmarks.measure import Work, cpu_of, ratio, turns

Rows = list[tuple[Any, ...]]
KEYS = 1_000
JOIN = (
    "SELECT w.tag, count(*), sum(b.amount), max(b.label) FROM {keys} w JOIN {big} b ON b.k = w.k "
    "GROUP BY w.tag ORDER BY w.tag"
)
MADE = (
    "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < ?) "
    "INSERT INTO big SELECT n, n * 7919 % ?, n * 0.5, 'label ' || n % 1000 FROM g"
)
BIG = "CREATE TABLE big (id INTEGER PRIMARY KEY, k INTEGER, amount REAL, label TEXT)"
WANTED = "CREATE TABLE wanted (k INTEGER, tag TEXT)"


def run(bench: Bench) -> None:
    """CPU of each join, ours and by hand in turns; both must give the same rows."""
    import duckdb

    count = bench.size(10_000_000, 200_000)
    folder = bench.folder
    keys = [(n * (count // KEYS) + 3, f"tag {n % 7}") for n in range(KEYS)]
    shop, facts, parquet = folder / "shop.db", folder / "facts.duckdb", folder / "big.parquet"
    wanted, listed = folder / "wanted.parquet", folder / "wanted.csv"
    fill(shop, count)
    native = duckdb.connect(str(facts))
    native.execute(
        f"CREATE TABLE big AS SELECT n AS id, n * 7919 % {count} AS k, n * 0.5 AS amount,"
        f" 'label ' || n % 1000 AS label FROM range(1, {count + 1}) r(n)"
    )
    native.execute(f"COPY big TO '{parquet}' (FORMAT parquet)")
    native.execute("CREATE TEMP TABLE wanted (k BIGINT, tag VARCHAR)")
    native.executemany("INSERT INTO wanted VALUES (?, ?)", keys)
    native.execute(f"COPY wanted TO '{wanted}' (FORMAT parquet)")
    native.execute(f"COPY wanted TO '{listed}' (FORMAT csv, HEADER)")
    native.close()

    own = folder / "agent.db"
    con = sqlagent.connect(own)
    con.execute(BIG)
    con.execute(WANTED)
    con.executemany("INSERT INTO wanted VALUES (?, ?)", keys)
    con.close()
    fill(own, count)
    con = sqlagent.connect(own)
    con.execute("SET result_cache = off")
    con.execute(f"ATTACH '{shop}' AS shop")
    con.execute(f"ATTACH '{facts}' AS facts (READ_ONLY)")

    duck = duckdb.connect()
    lite = apsw.Connection(str(shop), flags=apsw.SQLITE_OPEN_READONLY)
    mine = apsw.Connection(str(own), flags=apsw.SQLITE_OPEN_READONLY)
    mine.execute(f"ATTACH '{shop}' AS shop")
    by_hand = Hand(duck, mine, lite)

    pairs: list[tuple[str, str, Callable[[], Rows]]] = [
        ("keys in Parquet, rows in our table", JOIN.format(keys=f"'{wanted}'", big="big"),
         lambda: by_hand.fed(mine, f"'{wanted}'")),
        ("keys in CSV, rows in our table", JOIN.format(keys=f"'{listed}'", big="big"),
         lambda: by_hand.fed(mine, f"'{listed}'")),
        ("keys in our table, rows in an attached SQLite file",
         JOIN.format(keys="wanted", big="shop.big"),
         lambda: list(mine.execute(JOIN.format(keys="wanted", big="shop.big")))),
        ("keys in Parquet, rows in an attached SQLite file",
         JOIN.format(keys=f"'{wanted}'", big="shop.big"),
         lambda: by_hand.fed(lite, f"'{wanted}'")),
        ("keys in our table, rows in Parquet", JOIN.format(keys="wanted", big=f"'{parquet}'"),
         lambda: by_hand.given(f"'{parquet}'")),
        ("keys in our table, rows in an attached DuckDB file",
         JOIN.format(keys="wanted", big="facts.big"), lambda: by_hand.given("facts.big")),
    ]  # fmt: skip
    for what, sql, hand in pairs:
        if "facts" in sql:
            # One process cannot open a DuckDB file twice: ours lets it go before the peer has it.
            run_facts(bench, con, duck, facts, what, sql, hand)
            continue
        measure(bench, con, what, sql, hand)
    con.close()


def measure(
    bench: Bench, con: sqlagent.Connection, what: str, sql: str, hand: Callable[[], Rows]
) -> None:
    """One pair in turns."""
    ours, theirs = con.execute(sql).fetchall(), hand()
    bench.check("the same rows", same(ours, theirs), (ours[:2], theirs[:2]))
    works: list[Work] = [lambda: con.execute(sql).fetchall(), hand]
    turns(2, works)
    took = turns(bench.size(9, 3), works)
    report(bench, what, took)


def run_facts(
    bench: Bench, con: sqlagent.Connection, duck: Any, facts: Path, what: str, sql: str,
    hand: Callable[[], Rows],
) -> None:  # fmt: skip
    """The same where only one of the two may have the file open: one after the other."""
    rounds = bench.size(9, 3)
    ours = con.execute(sql).fetchall()
    con.execute(sql).fetchall()
    mine = [cpu_of(lambda: con.execute(sql).fetchall()) for _ in range(rounds)]
    con.execute("DETACH facts")
    duck.execute(f"ATTACH '{facts}' AS facts (READ_ONLY)")
    theirs = hand()
    bench.check("the same rows", same(ours, theirs), (ours[:2], theirs[:2]))
    hand()
    report(bench, what, [mine, [cpu_of(hand) for _ in range(rounds)]])


def report(bench: Bench, what: str, took: list[list[float]]) -> None:
    """The lines of one pair."""
    from statistics import median

    a, b = (1000 * median(t) for t in took)
    bench.report(f"CPU: {what}", a, "ms", beside="the best by hand", peer=b)
    bench.report(f"{what}, times by hand", ratio(*took), "x", reach=2.0)


class Hand:
    """The same joins as somebody writes them who knows both engines."""

    def __init__(self, duck: Any, mine: apsw.Connection, lite: apsw.Connection) -> None:
        self.duck = duck
        self.mine = mine
        self.lite = lite

    def fed(self, lite: apsw.Connection, keys: str) -> Rows:
        """Keys out of a file, their rows by an index of SQLite, the join in DuckDB."""
        import json

        import pyarrow as pa

        found = self.duck.execute(f"SELECT DISTINCT k FROM {keys}").fetchall()
        rows = lite.execute(
            "SELECT k, amount, label FROM big WHERE k IN (SELECT value FROM json_each(?))",
            (json.dumps([k for (k,) in found]),),
        ).fetchall()
        columns = list(zip(*rows, strict=True))
        kinds = (pa.int64(), pa.float64(), pa.string())
        arrays = [pa.array(c, kind) for c, kind in zip(columns, kinds, strict=True)]
        self.duck.register("fed", pa.table(arrays, names=["k", "amount", "label"]))
        try:
            return list(self.duck.execute(JOIN.format(keys=keys, big="fed")).fetchall())
        finally:
            self.duck.unregister("fed")

    def given(self, big: str) -> Rows:
        """Keys out of our table to DuckDB, which has the rows."""
        import pyarrow as pa

        keys = self.mine.execute("SELECT k, tag FROM wanted").fetchall()
        columns = list(zip(*keys, strict=True))
        given = pa.table(
            [pa.array(columns[0], pa.int64()), pa.array(columns[1])], names=["k", "tag"]
        )
        self.duck.register("given", given)
        try:
            return list(self.duck.execute(JOIN.format(keys="given", big=big)).fetchall())
        finally:
            self.duck.unregister("given")


def fill(path: Path, count: int) -> None:
    """Put the rows into a SQLite file, and an index on them."""
    db = apsw.Connection(str(path))
    db.execute("PRAGMA synchronous = off").fetchall()
    db.execute(BIG.replace("TABLE", "TABLE IF NOT EXISTS"))
    with db:
        db.execute(MADE, (count, count))
        db.execute("CREATE INDEX big_by_k ON big (k)")
    db.close()
