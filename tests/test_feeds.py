"""Feeds: what is read of another engine's tables, and that no answer depends on it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent import catalog
from sqlagent.catalog import Catalog
from sqlagent.engines import live, schema
from sqlagent.plan import feeds as planned
from sqlagent.plan import keys
from sqlagent.plan.plans import Feed
from sqlagent.run.across import Across
from sqlagent.sources import Rows, Statistics, lite


class Shop:
    """A second SQLite file as a source, as plainly as the protocol allows."""

    kind: str = "sqlite"
    native: str | None = None

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.database = live.attach(str(path), read_only=False, timeout=5)
        self.read_feeds: list[Feed] = []

    def catalog(self, connection: sqlagent.Connection | None = None) -> Catalog:
        return schema.catalog(self.database)

    def check(self) -> None:
        """The file is there."""

    def table(self, name: str) -> Any:
        return self.catalog().tables.get(name.lower())

    def tables(self) -> list[str]:
        return list(self.catalog().tables)

    def statistics(self, table: str) -> Statistics:
        with self.database.read() as handle:
            return lite.statistics(handle, table)

    @contextmanager
    def snapshot(self, connection: sqlagent.Connection) -> Iterator[Any]:
        with self.database.snapshot() as handle:
            handle.execute("SELECT 1 FROM sqlite_schema").fetchall()
            yield handle

    def read(
        self, feed: Feed, values: Sequence[Any], wanted: list[Any] | None, *,
        connection: sqlagent.Connection, snapshot: Any,
    ) -> Rows:  # fmt: skip
        self.read_feeds.append(feed)
        return lite.read(snapshot, feed, values, wanted)

    def token(self) -> Any:
        return None

    def close(self) -> None:
        live.release(self.database)


ROWS = [
    (1, 1, "a", 1.5), (2, 2, "B", -2.0), (3, None, "b", None), (4, 2, None, 0.0),
    (5, 7, "", 1e300), (6, -1, "ä", 2.5), (7, 2**40, "a", 2.5), (8, 0, "A", -0.0),
]  # fmt: skip
THERE = [(1, 2, "a"), (2, 2, "b"), (3, None, None), (4, 7, "A"), (5, 99, "a"), (6, 0, "zz")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with shop.db, keys.parquet and an agent.db with tables of the same rows."""
    folder = tmp_path_factory.mktemp("feeds")
    shop = apsw.Connection(str(folder / "shop.db"))
    shop.execute(
        "CREATE TABLE o (id INTEGER PRIMARY KEY, k INTEGER, s TEXT COLLATE NOCASE, x REAL);"
        "CREATE INDEX o_by_k ON o (k); CREATE INDEX o_by_s ON o (s)"
    ).fetchall()
    shop.executemany("INSERT INTO o VALUES (?, ?, ?, ?)", ROWS)
    shop.execute("CREATE TABLE p (id INTEGER PRIMARY KEY, k INTEGER, s TEXT, x REAL)")
    shop.execute("INSERT INTO p SELECT * FROM o")
    shop.close()
    con = duckdb.connect()
    con.execute("CREATE TABLE f (id BIGINT, k BIGINT, s VARCHAR)")
    con.executemany("INSERT INTO f VALUES (?, ?, ?)", THERE)
    con.execute(f"COPY f TO '{folder / 'keys.parquet'}' (FORMAT parquet)")
    with sqlagent.connect(folder / "agent.db") as own:
        own.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, k INTEGER, s TEXT, x REAL)")
        own.execute("CREATE INDEX t_by_k ON t (k)")
        own.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", ROWS)
        own.close()
    return folder


@pytest.fixture(scope="module")
def con(place: Path) -> Iterator[sqlagent.Connection]:
    """A connection with shop.db attached."""
    made = sqlagent.connect(place / "agent.db", result_cache=False)
    shop = Shop("shop", place / "shop.db")
    made.sources["shop"] = shop
    yield made
    made.close()
    shop.close()


@contextmanager
def forced(con: sqlagent.Connection, on: bool) -> Iterator[None]:
    """Every table that may be a feed is one, with all that can be pushed down; or nothing is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "SMALL_ROWS", 0 if on else 1 << 60)
        patch.setattr(Across, "may", lambda *_: False)
        if not on:
            patch.setattr(planned._Splitter, "_best", lambda self, draft: None)
            patch.setattr(planned, "pushed", lambda *_: None)
            patch.setattr(planned._Splitter, "_limit", lambda *_: None)
        else:
            patch.setattr(keys, "FILE_ROWS", 0)
        con.plans.clear()
        yield
        con.plans.clear()


def ran(con: sqlagent.Connection, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    return sorted(con.execute(sql, values).fetchall(), key=repr)


# No answer depends on what is pushed down ---------------------------------------------------------

SIDES = ("", "LEFT", "RIGHT", "FULL", "SEMI", "ANTI")
sources = st.sampled_from(["shop.o", "t", "'{keys}'"])
names = st.sampled_from(["a", "b"])


@st.composite
def conditions(draw: st.DrawFn, alias: str) -> str:
    """A condition on one source's columns."""
    column = draw(st.sampled_from(["id", "k"]))
    number = draw(st.sampled_from([-1, 0, 2, 3, 7, 2**40]))
    text = draw(st.sampled_from(["a", "A", "b", "", "zz", "ä"]))
    form = draw(st.sampled_from([
        "{a}.{c} = {n}", "{a}.{c} > {n}", "{a}.{c} <> {n}", "{a}.{c} IS NULL",
        "{a}.{c} IS NOT NULL", "{a}.{c} BETWEEN 0 AND {n}", "{a}.{c} IN (1, {n})",
        "NOT ({a}.{c} = {n})", "{a}.s = '{t}'", "{a}.s > '{t}'", "{a}.s <> '{t}'",
        "{a}.s IN ('a', '{t}')", "NOT ({a}.s = '{t}' OR {a}.{c} < {n})", "{a}.s LIKE '%{t}'",
        "coalesce({a}.{c}, 2) = 2", "{a}.{c} + 1 > {n}", "{a}.s || 'x' = '{t}x'",
        "({a}.{c} = {n} OR {a}.s IS NULL)", "length({a}.s) = 1", "upper({a}.s) = 'A'",
        "{a}.{c} % 2 = 0", "CASE WHEN {a}.s IS NULL THEN true ELSE {a}.{c} = {n} END",
    ]))  # fmt: skip
    return form.format(a=alias, c=column, n=number, t=text)


@st.composite
def statements(draw: st.DrawFn) -> str:
    """A join of two sources, of whatever kind, with conditions wherever one can stand."""
    left, right = draw(sources), draw(sources)
    side = draw(st.sampled_from(SIDES))
    equal = draw(st.sampled_from(["a.k = b.k", "a.id = b.k", "a.s = b.s", "a.k = b.id"]))
    on = [equal]
    if draw(st.booleans()):
        on.append(draw(conditions(draw(names))))
    output = "a.id, a.k, a.s"
    where = []
    if side not in ("SEMI", "ANTI"):
        output += ", b.id, b.s"
        where = [draw(conditions(draw(names))) for _ in range(draw(st.integers(0, 2)))]
    else:
        where = [draw(conditions("a")) for _ in range(draw(st.integers(0, 1)))]
    shape = draw(st.sampled_from(["join", "comma", "in", "three", "cte"]))
    if shape == "comma":
        where.append(" AND ".join(on))
        text = f"SELECT a.id, b.id, a.s FROM {left} a, {right} b"
    elif shape == "in":
        where = [w for w in where if "b." not in w]
        text = f"SELECT a.id, a.s, list_value(a.k) FROM {left} a"
        where.append(f"a.k IN (SELECT k FROM {right} WHERE id > 1)")
    elif shape == "three" and side not in ("SEMI", "ANTI"):
        last = draw(st.sampled_from(SIDES[:4]))
        text = f"SELECT {output}, c.id FROM {left} a {side} JOIN {right} b ON {' AND '.join(on)}"
        text += f" {last} JOIN {draw(sources)} c ON c.k = {draw(names)}.k"
    elif shape == "cte":
        text = f"WITH w AS (SELECT * FROM {right} WHERE id < 6) SELECT {output} FROM {left} a"
        text += f" {side} JOIN w b ON {' AND '.join(on)}"
    else:
        text = f"SELECT {output} FROM {left} a {side} JOIN {right} b ON {' AND '.join(on)}"
    return text + (f" WHERE {' AND '.join(where)}" if where else "")


@given(sql=statements())
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_rows_are_the_same_with_feeds_and_without(
    con: sqlagent.Connection, place: Path, sql: str
) -> None:
    sql = sql.format(keys=place / "keys.parquet") if "{keys}" in sql else sql
    sql = f"SELECT *, [1] AS one FROM ({sql}) z" if "list_value" not in sql else sql
    with forced(con, False):
        without = ran(con, sql)
    with forced(con, True):
        assert ran(con, sql) == without


@given(sql=statements())
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_sqlite_gives_the_same_rows_across_files(con: sqlagent.Connection, sql: str) -> None:
    sql = sql.replace("'{keys}'", "shop.p").replace(", list_value(a.k)", "")
    with forced(con, False):
        without = ran(con, sql)
    con.plans.clear()
    assert ran(con, sql) == without


def test_sqlite_runs_alone_what_it_can(con: sqlagent.Connection) -> None:
    def across(sql: str) -> bool:
        con.plans.clear()
        con.execute(sql).fetchall()
        runner: Any = con.plans[sql]
        return runner.across is not None and runner.across.columns is not None

    assert across("SELECT t.s, count(*) FROM t JOIN shop.p ON p.id = t.id GROUP BY t.s")
    assert across("SELECT shop.p.s FROM shop.main.p JOIN t ON t.id = p.id")
    assert not across("SELECT [t.s] FROM t JOIN shop.p ON p.id = t.id")
    sql = "SELECT count(*) FROM t JOIN shop.o ON o.s = t.s"  # o.s has a collation of its own
    assert con.execute(sql).fetchone() == (9,)
    assert con.execute("SELECT count(*) FROM t JOIN shop.o ON o.id = t.id").fetchone() == (8,)
    con.execute("BEGIN")
    con.execute("DELETE FROM t WHERE id > 2")
    assert con.execute("SELECT count(*) FROM t JOIN shop.o ON o.id = t.id").fetchone() == (2,)
    con.execute("ROLLBACK")


PAIRS = (("shop.o", "t"), ("t", "'{keys}'"), ("'{keys}'", "shop.o"))
ALONE = ("a.k > 0", "b.s = 'a'", "coalesce(b.k, 2) = 2", "a.s IS NULL")


@pytest.mark.parametrize("side", SIDES)
def test_every_join_keeps_its_rows(con: sqlagent.Connection, place: Path, side: str) -> None:
    for left, right in PAIRS:
        for alone in ALONE:
            on = f"{left} a {side} JOIN {right} b ON a.k = b.k"
            output = "a.id, [a.k]" if side in ("SEMI", "ANTI") else "a.id, b.id, [a.k]"
            texts = [f"SELECT {output} FROM {on} AND {alone}"]
            if side not in ("SEMI", "ANTI"):
                texts.append(f"SELECT {output} FROM {on} WHERE {alone}")
                for last in ("", "RIGHT"):
                    third = f"{on} {last} JOIN {left} c ON c.k = a.k AND {alone}"
                    texts.append(f"SELECT {output}, c.id FROM {third}")
            for text in texts:
                sql = text.replace("{keys}", str(place / "keys.parquet"))
                with forced(con, False):
                    without = ran(con, sql)
                with forced(con, True):
                    assert ran(con, sql) == without, sql


def test_an_asof_join_searches_all_rows(con: sqlagent.Connection) -> None:
    sql = (
        "SELECT a.id, b.id, [1] FROM t a ASOF LEFT JOIN shop.o b ON a.s = b.s AND a.id >= b.id"
        " WHERE b.x > 1 OR b.x < 0 OR a.id < 4 AND b.k = 2"
    )
    with forced(con, False):
        without = ran(con, sql)
    with forced(con, True):
        assert ran(con, sql) == without


# What is pushed down ------------------------------------------------------------------------------


def feeds_of(con: sqlagent.Connection, sql: str, values: Sequence[Any] = ()) -> list[Any]:
    cursor = con.execute(sql, values)
    cursor.fetchall()
    return list(cursor._feeds)


def test_only_the_columns_that_are_named_cross(con: sqlagent.Connection) -> None:
    (step,) = feeds_of(con, "SELECT [x] FROM shop.o WHERE k > 1")
    assert step.feed.columns == ("k", "x")
    (step,) = feeds_of(con, "SELECT [count(*)] FROM shop.o")
    assert step.feed.columns == ("id",)
    (step,) = feeds_of(con, "SELECT *, [1] FROM shop.o")
    assert step.feed.columns == ("id", "k", "s", "x")
    (step,) = feeds_of(con, "SELECT o, [1] FROM shop.o")
    assert step.feed.columns == ("id", "k", "s", "x")


def test_the_rowid_is_the_key(con: sqlagent.Connection) -> None:
    (step,) = feeds_of(con, "SELECT [rowid], s FROM shop.o")
    assert step.feed.columns == ("id", "s")


def test_a_sample_is_of_all_rows(con: sqlagent.Connection) -> None:
    (step,) = feeds_of(con, "SELECT [x] FROM shop.o WHERE k = 2 USING SAMPLE 8 ROWS")
    assert step.feed.filter is None


def test_conditions_go_to_the_source_that_they_are_about(con: sqlagent.Connection) -> None:
    (step,) = feeds_of(con, "SELECT [id] FROM shop.main.o q WHERE q.k = 2 AND upper(q.s) = 'B'")
    assert step.rows == 2
    assert step.feed.filter == "k = 2"
    (step,) = feeds_of(con, "SELECT [o.id] FROM shop.o WHERE shop.o.k BETWEEN ? AND ?", (0, 2))
    assert step.rows == 4


def test_a_parameter_of_another_kind_is_not_compared_by_sqlite(con: sqlagent.Connection) -> None:
    sql = "SELECT id, [1] FROM shop.o WHERE s = ?"
    (step,) = feeds_of(con, sql, ("a",))
    assert step.rows == 3  # the column's collation is wider than the comparison
    assert len(con.execute(sql, ("a",)).fetchall()) == 2
    (step,) = feeds_of(con, "SELECT id, [1] FROM shop.o WHERE k = ?", ("2",))
    assert step.rows == len(ROWS)
    assert ran(con, "SELECT id FROM shop.o WHERE k = ?", ("2",)) == [(2,), (4,)]


def test_a_limit_goes_down_only_where_nothing_stands_between(con: sqlagent.Connection) -> None:
    def limit(sql: str) -> Any:
        return feeds_of(con, sql)[0].feed.limit

    assert limit("SELECT id, [1] FROM shop.o LIMIT 2") == 2
    assert limit("SELECT id, [1] FROM shop.o WHERE k > 0 LIMIT 2 OFFSET 1") == 3
    assert limit("SELECT id, [1] FROM shop.o WHERE list_contains([1], k) LIMIT 2") is None
    assert limit("SELECT id, [1] FROM shop.o ORDER BY k LIMIT 2") is None
    assert limit("SELECT k, list(id) FROM shop.o GROUP BY k LIMIT 2") is None
    assert limit("SELECT DISTINCT k, [1] FROM shop.o LIMIT 2") is None
    assert limit("SELECT id, unnest([1, 2]) FROM shop.o LIMIT 2") is None
    assert limit("SELECT a.id, [1] FROM shop.o a, range(3) LIMIT 2") is None


def test_keys_of_the_small_side_choose_the_rows_of_the_large(
    con: sqlagent.Connection, place: Path
) -> None:
    with forced(con, True):
        (step,) = feeds_of(
            con,
            f"SELECT o.id, [1] FROM '{place / 'keys.parquet'}' f JOIN shop.o ON o.k = f.k"
            " WHERE f.id < 3",
        )
    assert (step.keys, step.rows) == (1, 2)
    assert "carray" in step.sql


def test_keys_pass_from_feed_to_feed(con: sqlagent.Connection, place: Path) -> None:
    with forced(con, True):
        steps = feeds_of(
            con,
            f"SELECT o.id, t.id, [1] FROM '{place / 'keys.parquet'}' f JOIN shop.o ON o.k = f.k"
            " JOIN t ON t.id = o.id WHERE f.id < 3",
        )
    assert [(s.feed.source, s.keys, s.rows) for s in steps] == [("shop", 1, 2), ("", 2, 2)]


def test_a_table_of_the_file_is_read_from_columns_where_keys_are_many(
    place: Path, tmp_path: Path
) -> None:
    with sqlagent.connect(tmp_path / "a.db", result_cache=False) as con:
        con.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, v INTEGER)")
        con.execute(
            "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 30000)"
            " INSERT INTO big SELECT n, n % 7 FROM g"
        )
        many = tmp_path / "many.parquet"
        duckdb.sql(f"COPY (SELECT i AS id FROM range(9000) r(i)) TO '{many}'")
        sql = f"SELECT count(*), sum(v), [1] FROM '{many}' m JOIN big USING (id)"
        (step,) = feeds_of(con, sql)
        assert step.columns
        assert con.execute(sql).fetchone() == (8999, sum(n % 7 for n in range(9000)), [1])
        runner: Any = con.plans[sql]
        assert runner.past.skip  # the next time at once
        few = sql.replace("USING (id)", "USING (id) WHERE m.id < 5")
        (step,) = feeds_of(con, few)
        assert (step.columns, step.keys, step.rows) == (False, 5, 4)
        con.close()


# One state of each source -------------------------------------------------------------------------


def test_feeds_and_columns_of_the_file_are_of_one_commit(place: Path, tmp_path: Path) -> None:
    con = sqlagent.connect(tmp_path / "a.db", result_cache=False)
    con.execute("CREATE TABLE small (id INTEGER PRIMARY KEY, v INTEGER)")
    con.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, v INTEGER)")
    con.execute(
        "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 30000)"
        " INSERT INTO big SELECT n, 0 FROM g"
    )
    con.execute("INSERT INTO small VALUES (1, 0), (2, 0)")
    stop = threading.Event()

    def write() -> None:
        other = sqlagent.connect(tmp_path / "a.db")
        while not stop.is_set():
            with other:
                other.execute("BEGIN")
                other.execute("UPDATE small SET v = v + 1")
                other.execute("UPDATE big SET v = v + 1 WHERE id IN (1, 2)")
        other.close()

    writer = threading.Thread(target=write)
    writer.start()
    fed = 0
    try:
        for _ in range(60):
            cursor = con.execute(
                "SELECT s.v, b.v, [1] FROM small s JOIN big b ON b.id = s.id WHERE b.id < 3"
            )
            rows = cursor.fetchall()
            fed += not cursor._feeds[0].columns
            assert len(rows) == 2
            assert len({v for row in rows for v in row[:2]}) == 1
        assert fed
    finally:
        stop.set()
        writer.join()
        con.close()


def test_a_transaction_sees_its_own_rows_through_a_feed(con: sqlagent.Connection) -> None:
    sql = "SELECT o.id, t.s, [1] FROM t JOIN shop.o ON o.id = t.id WHERE t.id = 900 OR t.id = 1"
    with forced(con, True):
        con.execute("BEGIN")
        con.execute("INSERT INTO t VALUES (900, 1, 'mine', 0)")
        con.execute("UPDATE t SET s = 'changed' WHERE id = 1")
        assert con.execute(sql).fetchall() == [(1, "changed", [1])]
        assert con.execute("SELECT s, [1] FROM t WHERE id = 900").fetchall() == [("mine", [1])]
        con.execute("ROLLBACK")
        assert con.execute(sql).fetchall() == [(1, "a", [1])]


# Errors and EXPLAIN -------------------------------------------------------------------------------


def test_an_unknown_table_of_a_source_is_named(con: sqlagent.Connection) -> None:
    with pytest.raises(sqlagent.ProgrammingError, match=r'unknown table "(shop\.)?oo"'):
        con.execute("SELECT * FROM shop.oo")


def test_a_value_that_is_not_of_its_type_is_refused(tmp_path: Path) -> None:
    odd = apsw.Connection(str(tmp_path / "odd.db"))
    odd.execute("CREATE TABLE e (id INTEGER PRIMARY KEY, at TIMESTAMP, n INTEGER)")
    odd.execute("INSERT INTO e VALUES (1, '2030-01-01', 1), (2, 'never', 2), (3, NULL, 'x')")
    odd.close()
    with sqlagent.connect(tmp_path / "a.db") as con:
        con.sources["odd"] = shop = Shop("odd", tmp_path / "odd.db")
        assert len(con.execute("SELECT id, [1] FROM odd.e").fetchall()) == 3
        with pytest.raises(sqlagent.NotSupportedError, match='table "e" cannot be read'):
            con.execute("SELECT at, [1] FROM odd.e")
        with pytest.raises(sqlagent.NotSupportedError, match=r"declared BIGINT and holds 'x'"):
            con.execute("SELECT n, [1] FROM odd.e")
        con.close()
        shop.close()


def test_a_table_that_changes_is_seen_with_its_new_columns(place: Path, tmp_path: Path) -> None:
    there = apsw.Connection(str(tmp_path / "there.db"))
    there.execute("CREATE TABLE e (id INTEGER PRIMARY KEY, n INTEGER)")
    there.execute("INSERT INTO e VALUES (1, 2)")
    with sqlagent.connect(tmp_path / "a.db") as con:
        con.sources["there"] = shop = Shop("there", tmp_path / "there.db")
        con.execute("CREATE TABLE one (id INTEGER)")
        con.execute("INSERT INTO one VALUES (1)")
        fed = "SELECT *, [1] AS x FROM there.e"
        across = "SELECT e.* FROM one JOIN there.e ON e.id = one.id"
        assert con.execute(fed).fetchall() == [(1, 2, [1])]
        assert con.execute(across).fetchall() == [(1, 2)]
        there.execute("ALTER TABLE e ADD COLUMN s TEXT DEFAULT 'new'")
        assert con.execute(fed).fetchall() == [(1, 2, "new", [1])]
        assert con.execute(across).fetchall() == [(1, 2, "new")]
        there.execute("ALTER TABLE e RENAME TO f")
        with pytest.raises(sqlagent.Error, match="e"):
            con.execute(fed)
        with pytest.raises(sqlagent.Error, match="e"):
            con.execute(across)
        con.close()
        shop.close()
    there.close()


def test_explain_has_a_step_for_each_feed(con: sqlagent.Connection) -> None:
    sql = "SELECT o.s, [1] FROM shop.o WHERE k = 2 LIMIT 5"
    (line,) = con.execute(f"EXPLAIN (FORMAT json) {sql}").fetchone() or ("",)
    steps = json.loads(line)
    (feed,) = [s for s in steps if s["does"] == "feed"]
    assert feed["source"] == "shop"
    assert feed["sql"] == 'SELECT "k", "s" FROM "o" WHERE k = 2 LIMIT 5'
    assert (feed["filter"], feed["limit"], feed["columns"]) == ("k = 2", 5, ["k", "s"])
