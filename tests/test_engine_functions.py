"""Every function that an engine has works here by its name, or is refused with what is wrong."""

from __future__ import annotations

import re

import apsw
import duckdb
import pytest

import sqlagent

NAME = re.compile(r"[a-z_][a-z0-9_]*$")


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    path = tmp_path_factory.mktemp("functions") / "agent.db"
    with sqlagent.connect(path, embedding_model="none") as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, x DOUBLE, s TEXT)")
        connection.execute("INSERT INTO t VALUES (1, 2, 3.5, 'abc')")
        yield connection


def duckdb_functions():
    return duckdb.execute(
        "SELECT function_name, min(len(parameters)) FROM duckdb_functions() "
        "WHERE function_type IN ('scalar', 'aggregate', 'macro') GROUP BY ALL ORDER BY ALL"
    ).fetchall()


def sqlite_functions():
    return (
        apsw.Connection(":memory:")
        .execute(
            "SELECT DISTINCT name, narg FROM pragma_function_list "
            "WHERE builtin AND type <> 'w' ORDER BY 1, 2"
        )
        .fetchall()
    )


def problem(con, sql):
    """What our error says, where the statement fails; empty where it works."""
    try:
        con.execute(sql).fetchall()
    except sqlagent.Error as error:
        return str(error)
    return ""


def test_what_duckdb_runs_runs_here(con):
    """What works in a DuckDB by itself works here, or is refused by the guard."""
    wrong = {}
    for name, count in duckdb_functions():
        if not NAME.match(name):
            continue
        sql = f"SELECT {name}({', '.join(['NULL'] * count)})"
        said = problem(con, sql)
        if not said or "is not for statements" in said or "lacks an argument" in said:
            continue
        try:
            duckdb.execute(sql).fetchall()
        except duckdb.Error as error:
            unknown = re.search("unknown function|does not exist|no such", said)
            if unknown and "does not exist" not in str(error):  # it is a window function
                wrong[sql] = said
        else:
            wrong[sql] = said
    assert wrong == {}


# In DuckDB they take other arguments, or a syntax of their own.
OTHERWISE = {
    "current_time", "load_extension", "mode", "percentile", "percentile_cont", "percentile_disc",
    "sqlite_log",
}  # fmt: skip


def test_what_sqlite_has_is_known_here(con):
    wrong = {}
    for name, count in sqlite_functions():
        if not NAME.match(name) or name in OTHERWISE:
            continue
        sql = f"SELECT {name}({', '.join(['s'] * (2 if count < 0 else count))}) FROM t"
        said = problem(con, sql)
        if re.search("unknown function|does not exist|no such", said):
            wrong[sql] = said
    assert wrong == {}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT left('abc', 2), right('abc', 2)", ("ab", "bc")),
        ("SELECT first(n), last(s) FROM t", (2, "abc")),
        ("SELECT if(n > 1, 'a', 'b'), iif(n > 1, 'a', 'b') FROM t", ("a", "a")),
        ("SELECT char(72, 105), unicode('H')", ("Hi", 72)),
        ("SELECT printf('%d-%s', 5, 'x'), format('{}', 5)", ("5-x", "5")),
        ("SELECT hex('a'), unhex('61')", ("61", b"a")),
        ("SELECT group_concat(s), total(n) FROM t", ("abc", 2.0)),
        ("SELECT quote(s), typeof(s) FROM t", ("'abc'", "VARCHAR")),
    ],
)
def test_some(con, sql, expected):
    assert con.execute(sql).fetchone() == expected
