"""Our functions in connections of APSW's and DuckDB's that somebody else opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import duckdb
import pytest

import sqlagent
from sqlagent.functions import functions


@pytest.fixture
def lite(fresh_db: Path) -> Iterator[tuple[apsw.Connection, sqlagent.Connection]]:
    con = apsw.Connection(":memory:")
    with sqlagent.load(con, fresh_db) as own:
        yield con, own
        con.close()
    own.close()


@pytest.fixture
def duck(fresh_db: Path) -> Iterator[tuple[Any, sqlagent.Connection]]:
    con = duckdb.connect()
    with sqlagent.load(con, fresh_db) as own:
        yield con, own
        con.close()
    own.close()


def rows(con: Any, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    return list(con.execute(sql, list(values)).fetchall())


def test_apsw_remembers_and_recalls(lite: tuple[apsw.Connection, sqlagent.Connection]) -> None:
    con, own = lite
    assert rows(con, "SELECT remember(?, ?)", "ada", "I like green tea") == [(1,)]
    assert rows(con, "SELECT remember('ada', '我喜欢绿茶', 'semantic')") == [(2,)]
    kinds = own.execute("SELECT kind FROM memories ORDER BY memory_id").fetchall()
    assert kinds == [("episodic",), ("semantic",)]
    con.execute("CREATE TABLE asked (agent, question); INSERT INTO asked VALUES ('ada', '绿茶')")
    joined = "SELECT r.content FROM asked, recall(asked.agent, question, 1) AS r"
    assert rows(con, joined) == [("我喜欢绿茶",)]
    assert rows(con, "SELECT retention(3, 3), decayed_importance(1, 0, 0)") == [(0.9, 0.0)]
    assert rows(con, "SELECT save_state('ada', '{\"a\": 1}')") == [(1,)]
    assert rows(con, "SELECT version, data FROM state_history('ada')") == [(1, '{"a": 1}')]
    assert rows(con, "SELECT put_vector('p', 'x', ?)", "[1, 0]") == [("x",)]
    assert rows(con, "SELECT id FROM knn('p', '[1, 1]', 3)") == [("x",)]
    with pytest.raises(sqlagent.ProgrammingError, match="needs its argument content"):
        rows(con, "SELECT remember('ada')")
    assert rows(con, "SELECT remember('ada', NULL)") == [(None,)]


def test_duckdb_remembers_and_recalls(duck: tuple[Any, sqlagent.Connection]) -> None:
    con, own = duck
    say = "SELECT remember(?, ?, kind := 'semantic', importance => 0.9)"
    assert rows(con, say, "ada", "The cat sleeps on the sofa") == [(1,)]
    con.execute(
        "CREATE TABLE said AS SELECT * FROM (VALUES ('ada', '我喜欢绿茶'), ('bob', 'x')) t(a, t)"
    )
    assert sorted(rows(con, "SELECT remember(a, t) FROM said")) == [(2,), (3,)]
    assert own.execute("SELECT count(*) FROM memories").fetchall() == [(3,)]
    assert rows(con, "SELECT content FROM recall('ada', '绿茶', k := 1)") == [("我喜欢绿茶",)]
    found = rows(
        con, "SELECT said.a, count(*) FROM said, recall(said.a, 'cat') GROUP BY 1 ORDER BY 1"
    )
    assert found == [("ada", 2), ("bob", 1)]
    assert rows(con, "SELECT retention(3, stability_days := 3), len(embed('x'))") == [(0.9, 384)]
    assert rows(con, "SELECT put_vector('p', 'x', [1.0, 0.0])") == [("x",)]
    assert rows(con, "SELECT id FROM knn('p', [1.0, 0.5]::FLOAT[2], k := 1)") == [("x",)]
    (created,) = rows(con, "SELECT typeof(created_at) FROM recall('ada', 'cat', k := 1)")[0]
    assert created == "TIMESTAMP"
    with pytest.raises(duckdb.Error, match='unknown collection "nope"'):
        rows(con, "SELECT * FROM knn('nope', [1.0])")
    assert rows(con, "SELECT * FROM recall(NULL, 'x')") == []


def test_duckdb_never_opens_the_live_file(
    duck: tuple[Any, sqlagent.Connection], fresh_db: Path
) -> None:
    con, _ = duck
    rows(con, "SELECT remember('ada', 'x')")
    assert [name for (name,) in rows(con, "SELECT database_name FROM duckdb_databases() "
            "WHERE NOT internal")] == ["memory"]  # fmt: skip
    assert rows(con, "SELECT path FROM duckdb_databases() WHERE path IS NOT NULL") == []


@pytest.mark.parametrize("kind", ["apsw", "duckdb"])
def test_every_function_is_there(fresh_db: Path, kind: str) -> None:
    con = apsw.Connection(":memory:") if kind == "apsw" else duckdb.connect()
    with sqlagent.load(con, fresh_db, embedding_model="none") as own:
        if kind == "apsw":
            known = {n for (n,) in rows(con, "SELECT name FROM pragma_function_list")}
            known |= {n for (n,) in rows(con, "SELECT name FROM pragma_module_list")}
        else:
            known = {n for (n,) in rows(con, "SELECT function_name FROM duckdb_functions()")}
        assert set(functions()) <= known
        with pytest.raises((sqlagent.Error, duckdb.Error), match="embedding_model is 'none'"):
            rows(con, "SELECT embed('x')")
        own.execute("SET embedding_model = 'minilm'")
        assert len(rows(con, "SELECT embed('x')")) == 1
    own.close()
    with pytest.raises((sqlagent.Error, duckdb.Error), match="the connection is closed"):
        rows(con, "SELECT * FROM recall('ada', 'x')")


def test_any_other_connection_is_refused(fresh_db: Path) -> None:
    with pytest.raises(sqlagent.InterfaceError, match=r"not sqlite3\.Connection") as caught:
        sqlagent.load(sqlite3.connect(":memory:"), fresh_db)
    assert "sqlagent extension" in (caught.value.hint or "")
    with pytest.raises(sqlagent.InterfaceError, match=r"not builtins\.str"):
        sqlagent.load("agent.db", fresh_db)
    assert not fresh_db.exists()
