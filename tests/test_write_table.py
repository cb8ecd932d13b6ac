"""Table functions that write, CALL of functions, and PLAN: what a function would do to memories."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import sqlagent
from sqlagent import functions
from sqlagent.context import Context

OPERATION = "INSERT INTO sqlagent_operations (agent_id, operation) VALUES ('ada', 'by hand')"


@pytest.fixture
def greet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table function that writes an agent, and gives rows of every kind of value."""

    def body(ctx: Context, count: int, name: str = "it's") -> Iterator[tuple[Any, ...]]:
        ctx.writer.execute("INSERT INTO agents (agent_id) VALUES (?)", (name,))
        for i in range(count):
            yield i, name, "2026-01-01 00:00:00.000", '{"a": 1}'

    hints = {"ctx": Context, "count": int, "name": str}
    body.__name__, body.__annotations__ = "greet", hints
    columns = ("n BIGINT", "name VARCHAR", "at TIMESTAMP", "j JSON")
    made = functions.table(*columns, writes=True)(body)
    functions.functions()
    monkeypatch.setitem(functions._loaded, "greet", made)


@pytest.mark.parametrize("route", ["auto", "sqlite", "duckdb"])
@pytest.mark.parametrize(
    ("sql", "parameters", "rows"),
    [
        ("SELECT n, name FROM greet(2, name => ?)", ["王芳"], [(0, "王芳"), (1, "王芳")]),
        ("SELECT n, j->>'$.a' FROM greet(1) AS g WHERE g.n >= 0", [], [(0, "1")]),
        ("SELECT n + ? FROM greet(?, ?) ORDER BY n DESC LIMIT 1", [10, 3, "x"], [(12,)]),
        ("SELECT count(*) FROM greet(:n, :n2)", {"n": 0, "n2": "y"}, [(0,)]),
        ("WITH g AS (SELECT * FROM greet(2)) SELECT sum(n) FROM g", [], [(1,)]),
    ],
)
def test_a_select_over_the_rows(
    words: sqlagent.Connection, greet: None, route: str, sql: str, parameters: Any, rows: Any
) -> None:
    words.execute(f"SET route = '{route}'")
    assert words.execute(sql, parameters).fetchall() == rows
    assert words.execute("SELECT count(*) FROM agents").fetchall() == [(1,)]


def test_as_a_select_alone_and_by_call(words: sqlagent.Connection, greet: None) -> None:
    cursor = words.execute("SELECT greet(1, 'a')")
    assert [c[:2] for c in cursor.description or []][2:] == [("at", "TIMESTAMP"), ("j", "JSON")]
    assert len(cursor.fetchall()) == 1
    assert len(words.execute("CALL greet(2, name => 'b')").fetchall()) == 2
    words.execute("SET dialect = 'sqlite'")
    assert words.execute("SELECT n, name FROM greet(1, 'c')").fetchall() == [(0, "c")]
    assert words.execute("SELECT agent_id FROM agents ORDER BY 1").fetchall() == [
        ("a",), ("b",), ("c",)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT nothing FROM greet(1)", "nothing"),
        ("SELECT CAST(name AS INTEGER) FROM greet(1)", "it's"),
        ("SELECT * FROM greet(n)", "literals or parameters"),
        ("SELECT * FROM greet(1), greet(2)", "stands alone"),
        ("INSERT INTO agents (agent_id) SELECT name FROM greet(1)", "stands alone"),
        ("SELECT greet(1) FROM agents", "gives rows"),
        ("SELECT * FROM greet()", "needs its argument count"),
        ("SELECT * FROM greet('x')", "count is a whole number"),
    ],
)
def test_what_cannot_be_writes_nothing(
    words: sqlagent.Connection, greet: None, sql: str, error: str
) -> None:
    with pytest.raises(sqlagent.Error, match=error):
        words.execute(sql).fetchall()
    assert words.execute("SELECT count(*) FROM agents").fetchall() == [(0,)]
    assert not words.in_transaction


def test_in_a_transaction_it_is_rolled_back_with_it(
    words: sqlagent.Connection, greet: None
) -> None:
    words.execute("BEGIN")
    assert words.execute("SELECT n FROM greet(1)").fetchall() == [(0,)]
    assert words.execute("SELECT count(*) FROM agents").fetchall() == [(1,)]
    words.execute("ROLLBACK")
    assert words.execute("SELECT count(*) FROM agents").fetchall() == [(0,)]


def test_explain_does_not_run_it(words: sqlagent.Connection, greet: None) -> None:
    shown = words.execute("EXPLAIN SELECT * FROM greet(1)").fetchall()
    assert ("  functions: greet",) in shown
    assert words.execute("SELECT count(*) FROM agents").fetchall() == [(0,)]


@pytest.mark.parametrize("open_transaction", [False, True])
def test_plan_shows_what_would_be_done_and_does_nothing(
    words: sqlagent.Connection, open_transaction: bool
) -> None:
    words.execute("SELECT remember('ada', 'one')")
    words.execute(OPERATION)
    words.execute(
        "INSERT INTO sqlagent_operation_rows (operation_id, memory_id, action) VALUES (1, 1, 'x')"
    )
    if open_transaction:
        words.execute("BEGIN")
        words.execute("SELECT remember('ada', 'two')")
    assert words.execute("PLAN SELECT undo(?)", (1,)).fetchall() == []  # it begins no operation
    assert words.in_transaction is open_transaction
    still = "SELECT count(*), count(archived_at) FROM memories"
    assert words.execute(still).fetchall() == [(1 + open_transaction, 0)]
    assert words.execute("SELECT undone_at FROM sqlagent_operations").fetchall() == [(None,)]


@pytest.mark.parametrize("sql", ["PLAN SELECT 1", "PLAN DELETE FROM memories", "PLAN"])
def test_plan_is_for_functions_that_write(words: sqlagent.Connection, sql: str) -> None:
    with pytest.raises(sqlagent.Error, match="PLAN"):
        words.execute(sql)
