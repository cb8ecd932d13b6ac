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
from sqlagent.engines import live, schema
from sqlagent.plan import feeds as planned
from sqlagent.plan.plans import Feed
from sqlagent.sources import Rows, Statistics, lite


class Shop:
    """A second SQLite file as a source, as plainly as the protocol allows."""

    kind: str = "sqlite"
    native: str | None = None

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.database = live.attach(str(path), read_only=False, timeout=5)
        self.read_feeds: list[Feed] = []

    def table(self, name: str) -> Any:
        return schema.catalog(self.database).tables.get(name.lower())

    def tables(self) -> list[str]:
        return list(schema.catalog(self.database).tables)

    def statistics(self, table: str) -> Statistics:
        with self.database.read() as handle:
            return lite.statistics(handle, table)

    @contextmanager
    def snapshot(self, connection: sqlagent.Connection) -> Iterator[Any]:
        with self.database.snapshot() as handle:
            handle.execute("SELECT 1 FROM sqlite_schema").fetchall()
            yield handle

    def read(
        self, feed: Feed, values: Sequence[Any], keys: list[Any] | None, *,
        connection: sqlagent.Connection, snapshot: Any,
    ) -> Rows:  # fmt: skip
        self.read_feeds.append(feed)
        return lite.read(snapshot, feed, values, keys)

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
    made = sqlagent.connect(place / "agent.db")
    shop = Shop("shop", place / "shop.db")
    made.sources["shop"] = shop
    yield made
    made.close()
    shop.close()


@contextmanager
def forced(con: sqlagent.Connection, on: bool) -> Iterator[None]:
    """Every table that may be a feed is one, with all that can be pushed down; or nothing is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planned, "SMALL_ROWS", 0 if on else 1 << 60)
        if not on:
            patch.setattr(planned._Splitter, "_best", lambda self, draft: None)
            patch.setattr(planned, "pushed", lambda *_: None)
            patch.setattr(planned._Splitter, "_limit", lambda *_: None)
        else:
            patch.setattr(planned, "FILE_ROWS", 0)
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
@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_rows_are_the_same_with_feeds_and_without(
    con: sqlagent.Connection, place: Path, sql: str
) -> None:
    sql = sql.format(keys=place / "keys.parquet") if "{keys}" in sql else sql
    sql = f"SELECT *, [1] AS one FROM ({sql}) z" if "list_value" not in sql else sql
    with forced(con, False):
        without = ran(con, sql)
    with forced(con, True):
        assert ran(con, sql) == without
