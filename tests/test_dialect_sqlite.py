"""SET dialect = 'sqlite' means SQLite: native SQLite is asked the same on every route."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from logic import ROUTES
from sqlite_queries import Writer, filled

import sqlagent

Routes = tuple[apsw.Connection, dict[str, sqlagent.Connection]]


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Routes]:
    native = apsw.Connection(":memory:")
    folder = tmp_path_factory.mktemp("routes")
    ours = {
        route: sqlagent.connect(folder / f"{route}.db", dialect="sqlite", route=route)
        for route in ROUTES
    }
    for statement in filled(Random(7)):
        native.execute(statement)
        for connection in ours.values():
            connection.execute(statement)
    yield native, ours
    for connection in ours.values():
        connection.close()


def answer(connection: Any, sql: str) -> Any:
    """The rows, in an order of their own where the statement says none; None for an error."""
    try:
        rows = connection.execute(sql).fetchall()
    except (apsw.Error, sqlagent.Error) as error:
        if isinstance(error, sqlagent.NotSupportedError | sqlagent.InternalError):
            raise
        return None
    if " ORDER BY " not in sql:
        rows.sort(key=lambda row: [(x is not None, type(x).__name__, x) for x in row])
    return rows


def alike(a: Any, b: Any) -> bool:
    """The same value of the same type; a sum of REALs may round otherwise."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, float):
        return a == b or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
    return bool(a == b)


@settings(max_examples=200, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_query_gives_what_sqlite_gives(routes: Routes, random: Random) -> None:
    native, ours = routes
    sql = Writer(random).query()
    try:
        wanted = answer(native, sql)
    except UnicodeDecodeError:
        return  # a CAST made a text that is none
    for route, connection in ours.items():
        try:
            found = answer(connection, sql)
        except sqlagent.NotSupportedError:
            assert route == "duckdb", sql
            continue
        # What SQLite computes and throws away may fail there; nothing else may differ.
        if wanted is None and route == "duckdb":
            continue
        assert alike(wanted, found), f"{route}: {sql}\n{wanted!r:.500}\n{found!r:.500}"


def test_much_of_it_runs_on_duckdb(routes: Routes) -> None:
    _, ours = routes
    random, ran = Random(11), 0
    for _ in range(300):
        try:
            answer(ours["duckdb"], Writer(random).query())
            ran += 1
        except sqlagent.NotSupportedError:
            pass
    assert ran > 60


SAID = [
    ("SELECT a /* two */ + 1, s AS name, r FROM t ORDER BY id", ["a /* two */ + 1", "name", "r"]),
    ("SELECT * FROM (SELECT 1, 2 AS b)", ["1", "b"]),
]


@pytest.mark.parametrize(("sql", "names"), SAID)
def test_columns_are_named_as_by_sqlite(routes: Routes, sql: str, names: list[str]) -> None:
    _, ours = routes
    for connection in ours.values():
        assert [d[0] for d in connection.execute(sql).description or ()] == names


def test_types_are_those_of_storage_classes(tmp_path: Path) -> None:
    for route in ROUTES:
        connection = sqlagent.connect(tmp_path / f"{route}.db", dialect="sqlite", route=route)
        connection.execute("CREATE TABLE t (a INTEGER, r REAL, s TEXT, b BLOB, q BOOLEAN)")
        connection.execute("INSERT INTO t VALUES (1, 2, 3, x'04', 5 = 5)")
        cursor = connection.execute("SELECT a, r, s, b, q, a > 0, a / 2.0 FROM t")
        kinds = ["BIGINT", "DOUBLE", "VARCHAR", "BLOB", "BIGINT", "BIGINT", "DOUBLE"]
        assert [str(d[1]) for d in cursor.description or ()] == kinds
        assert cursor.fetchall() == [(1, 2.0, "3", b"\x04", 1, 1, 0.5)]
        connection.close()


def test_dialects_share_a_file_and_keep_their_like(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    lite = sqlagent.connect(path, dialect="sqlite")
    duck = sqlagent.connect(path)
    lite.execute("CREATE TABLE t (s TEXT)")
    for _ in range(3):
        lite.execute("INSERT INTO t SELECT 'Ab' WHERE 'A' LIKE \"a\"")
        duck.execute("INSERT INTO t SELECT 'none' WHERE 'A' LIKE 'a'")
        assert lite.execute("SELECT count(*) FROM t WHERE s LIKE 'aB'").fetchall()[0][0] > 0
        assert duck.execute("SELECT count(*) FROM t WHERE s LIKE 'aB'").fetchall() == [(0,)]
    assert lite.execute('SELECT count(*), "none" FROM t').fetchall() == [(3, "none")]
    with pytest.raises(sqlagent.ProgrammingError):
        duck.execute('SELECT "none" FROM t')
    lite.begin()
    assert lite.execute("UPDATE t SET s = 'z' WHERE s LIKE 'AB'").rowcount == 3
    assert lite.execute("SELECT count(*) FROM t WHERE s LIKE 'Z'").fetchall() == [(3,)]
    lite.rollback()
    lite.close()
    duck.close()


def test_several_statements_in_one_text(tmp_path: Path) -> None:
    connection = sqlagent.connect(tmp_path / "a.db", dialect="sqlite")
    text = "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2); SELECT sum(a) FROM t;"
    assert connection.execute(text).fetchall() == [(3,)]
    with pytest.raises(sqlagent.ProgrammingError, match="no parameters"):
        connection.execute(text, (1,))
    connection.close()


GIVEN: list[tuple[str, tuple[Any, ...]]] = [
    ("SELECT ? + 1, ? || 'x', typeof(?)", (1, 2, 3)),
    ("SELECT ? + 1, ? || 'x', typeof(?)", (1.5, "a", None)),
    ("SELECT id FROM t WHERE a = ? OR s LIKE ? ORDER BY id", (5, "A%")),
    ("SELECT id FROM t WHERE a = ? OR 0 AND ? ORDER BY id", (5, "unused")),
    ("SELECT ?2, count(*) FROM t WHERE b < ?1 AND (?3 OR 1)", (4, b"x", "no")),
    ("SELECT '$1', $1, id FROM t WHERE id < $2 ORDER BY id", (True, 3)),
]


@pytest.mark.parametrize(("sql", "values"), GIVEN)
def test_parameters_have_the_class_of_their_value(
    routes: Routes, sql: str, values: tuple[Any, ...]
) -> None:
    native, ours = routes
    wanted = native.execute(sql.replace("$1, id", "?1, id").replace("$2", "?2"), values).fetchall()
    for connection in ours.values():
        assert alike(connection.execute(sql, values).fetchall(), wanted)


def test_what_is_not_sqlite_is_an_error(routes: Routes) -> None:
    _, ours = routes
    for connection in ours.values():
        with pytest.raises(sqlagent.ProgrammingError, match="syntax error"):
            connection.execute("SELECT id, rank() OVER (ORDER BY id) AS n FROM t QUALIFY n = 1")


def test_functions_of_ours_and_explain(routes: Routes) -> None:
    _, ours = routes
    for route in ("auto", "sqlite"):
        assert ours[route].execute('EXPLAIN SELECT "none" FROM t').fetchall()
        assert ours[route].execute("SELECT token_count('two words') LIKE '%'").fetchall() == [(1,)]


REFUSED = [
    ("SELECT a + 1 FROM t LIMIT 1", "LIMIT without ORDER BY"),
    ("SELECT a, count(*) FROM t", "neither grouped by nor aggregated"),
    ("SELECT s + 1 FROM t", "arithmetic over TEXT"),
    ("SELECT group_concat(s) FROM t", "order is that of SQLite's scan"),
    ("SELECT CASE WHEN a THEN 1 ELSE 2.5 END FROM t", "INTEGER and REAL"),
    ("SELECT s COLLATE NOCASE FROM t", "COLLATE NOCASE"),
    ("SELECT 9223372036854775807 + a * a * 0 + 1 FROM t WHERE a > 0", "DuckDB fails"),
]


@pytest.mark.parametrize(("sql", "reason"), REFUSED)
def test_what_duckdb_cannot_say_is_refused(routes: Routes, sql: str, reason: str) -> None:
    _, ours = routes
    with pytest.raises(sqlagent.NotSupportedError, match=reason):
        ours["duckdb"].execute(sql)
    ours["auto"].execute(sql).fetchall()


WRONG = [
    ("SELECT nope FROM t", 'unknown column "nope"', 7),
    ("SELECT a FROM nowhere", 'unknown table "nowhere"', 14),
    ("SELECT a FROM t WHERE sum(a) > 1", r"misuse of the aggregate sum\(\)", 22),
    ("SELECT a FROM t, u", 'ambiguous column "a"', 7),
    ("SELECT a FROM t GROUP BY", "ends too early", 24),
    ("SELECT " + "(" * 5000 + "1" + ")" * 5000, "nested too deeply", None),
]


@pytest.mark.parametrize(("sql", "message", "position"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_said(routes: Routes, sql: str, message: str, position: int) -> None:
    _, ours = routes
    with pytest.raises(sqlagent.Error, match=message) as caught:
        ours["duckdb"].execute(sql)
    if position is not None:
        assert caught.value.position == position
