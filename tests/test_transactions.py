"""Transactions: all or nothing, its own writes seen on every route, savepoints, failures inside."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import sqlagent


def one(con: sqlagent.Connection, sql: str, *values: Any) -> Any:
    row = con.execute(sql, values).fetchone()
    return None if row is None else row[0]


SEES = {
    "row": "SELECT count(*) FROM memories WHERE agent_id = 'ada'",
    "aggregate": "SELECT coalesce(sum(1), 0) FROM memories WHERE agent_id = 'ada'",
    "group": "SELECT coalesce(sum(n), 0) "
    "FROM (SELECT kind, count(*) AS n FROM memories GROUP BY kind)",
    "duckdb only": "SELECT len(list(memory_id)) FROM memories",
    "recall": "SELECT count(*) FROM recall('ada', 'violin')",
    "search": "SELECT count(*) FROM search('violin')",
    "knn": "SELECT count(*) FROM knn('p', [1.0, 0.0])",
    "state": "SELECT count(*) FROM states",
    "history": "SELECT count(*) FROM state_history('ada')",
    "view": "SELECT count(*) FROM memory_strength",
}


@pytest.fixture
def tuned(words: sqlagent.Connection) -> sqlagent.Connection:
    """One of everything is committed."""
    write(words)
    return words


def write(con: sqlagent.Connection) -> None:
    """One more of everything."""
    con.execute("INSERT INTO memories (agent_id, content) VALUES ('ada', 'The violin is tuned')")
    number = random.randrange(10**9)  # what nearly repeats another is found once
    con.execute("SELECT index_document(?)", (f"Violin number {number} needs new strings.",))
    con.execute("SELECT put_vector('p', ?, [1.0, 0.0])", (str(random.random()),))
    con.execute("SELECT save_state('ada', '{}', session_id => ?)", (str(random.random()),))


@pytest.mark.parametrize("sql", SEES.values(), ids=SEES)
def test_a_transaction_sees_its_own_writes_and_nobody_else_does(
    tuned: sqlagent.Connection, sql: str
) -> None:
    other = sqlagent.connect(tuned.database.path, embedding_model="none")
    assert (one(tuned, sql), one(other, sql)) == (1, 1)
    tuned.execute("BEGIN")
    assert one(tuned, sql) == 1
    write(tuned)
    assert (one(tuned, sql), one(other, sql)) == (2, 1)
    write(tuned)
    assert (one(tuned, sql), one(other, sql)) == (3, 1)
    tuned.execute("ROLLBACK")
    assert (one(tuned, sql), one(other, sql)) == (1, 1)
    tuned.execute("BEGIN")
    write(tuned)
    tuned.execute("COMMIT")
    assert (one(tuned, sql), one(other, sql)) == (2, 2)
    other.close()


@pytest.mark.parametrize("sql", SEES.values(), ids=SEES)
def test_savepoints(tuned: sqlagent.Connection, sql: str) -> None:
    tuned.execute("BEGIN")
    write(tuned)
    tuned.execute("SAVEPOINT a")
    write(tuned)
    assert one(tuned, sql) == 3
    tuned.execute("SAVEPOINT b")
    write(tuned)
    assert one(tuned, sql) == 4
    tuned.execute("ROLLBACK TO a")
    assert one(tuned, sql) == 2
    write(tuned)
    assert one(tuned, sql) == 3
    tuned.execute("ROLLBACK TO SAVEPOINT a")
    assert one(tuned, sql) == 2
    tuned.execute("RELEASE a")
    tuned.execute("COMMIT")
    assert one(tuned, sql) == 2


def test_a_deleted_and_changed_row_inside(tuned: sqlagent.Connection) -> None:
    tuned.execute("BEGIN")
    tuned.execute("UPDATE memories SET content = 'The cello is tuned'")
    recalled = "SELECT content FROM recall('ada', 'violin cello')"
    assert tuned.execute(recalled).fetchall() == [("The cello is tuned",)]
    tuned.execute("DELETE FROM memories")
    assert tuned.execute(recalled).fetchall() == []
    assert one(tuned, "SELECT sum(1) FROM memories") is None
    tuned.execute("ROLLBACK")
    assert tuned.execute(recalled).fetchall() == [("The violin is tuned",)]
    assert one(tuned, "SELECT sum(1) FROM memories") == 1


FAILING = [
    "INSERT INTO agents (agent_id) VALUES ('new'), ('taken')",
    "INSERT INTO memories (agent_id, content, importance) VALUES ('ada', 'x', 7)",
    "SELECT put_vector('p', 'z', [1.0])",
    "SELECT save_state('ada', '{}', if_version => 99)",
    "SELECT remember('ada', 'x', kind => 'nonsense')",
    "SELECT 1 +",
    "SELECT * FROM nowhere",
    "SELECT * FROM knn('nowhere', [1.0])",
    "SELECT sum(nothing) FROM memories",
    "SELECT CAST('x' AS INTEGER) + count(*) FROM memories",
]


@pytest.mark.parametrize("sql", FAILING)
def test_a_statement_that_fails_is_undone_alone(tuned: sqlagent.Connection, sql: str) -> None:
    tuned.execute("INSERT INTO agents (agent_id) VALUES ('taken')")
    tuned.execute("BEGIN")
    write(tuned)
    with pytest.raises(sqlagent.DatabaseError):
        tuned.execute(sql).fetchall()
    write(tuned)
    tuned.execute("COMMIT")
    assert one(tuned, SEES["row"]) == 3
    assert one(tuned, "SELECT count(*) FROM agents WHERE agent_id = 'new'") == 0


@pytest.mark.parametrize("sql", FAILING)
def test_under_postgres_it_aborts_the_transaction(tuned: sqlagent.Connection, sql: str) -> None:
    tuned.execute("INSERT INTO agents (agent_id) VALUES ('taken')")
    tuned.execute("SET dialect = 'postgres'")
    tuned.execute("BEGIN")
    write(tuned)
    with pytest.raises(sqlagent.DatabaseError):
        tuned.execute(sql).fetchall()
    for refused in ("SELECT 1", "SELECT count(*) FROM memories", "SAVEPOINT s",
                    "INSERT INTO agents (agent_id) VALUES ('x')"):  # fmt: skip
        with pytest.raises(sqlagent.ProgrammingError, match="until ROLLBACK") as caught:
            tuned.execute(refused)
        assert caught.value.sqlstate == "25P02"
    tuned.execute("COMMIT")
    assert one(tuned, SEES["row"]) == 1


def test_under_postgres_a_savepoint_revives_it(tuned: sqlagent.Connection) -> None:
    tuned.execute("SET dialect = 'postgres'")
    tuned.execute("BEGIN")
    write(tuned)
    tuned.execute("SAVEPOINT s")
    with pytest.raises(sqlagent.DatabaseError):
        tuned.execute("SELECT * FROM nowhere")
    tuned.execute("ROLLBACK TO s")
    write(tuned)
    tuned.execute("COMMIT")
    assert one(tuned, SEES["row"]) == 3


@pytest.mark.parametrize(
    ("sql", "state"),
    [
        ("COMMIT", "25P01"),
        ("ROLLBACK", "25P01"),
        ("RELEASE a", "25P01"),
        ("ROLLBACK TO a", "25P01"),
    ],
)
def test_without_a_transaction(words: sqlagent.Connection, sql: str, state: str) -> None:
    with pytest.raises(sqlagent.ProgrammingError, match="no transaction is open") as caught:
        words.execute(sql)
    assert caught.value.sqlstate == state
    words.commit()
    words.rollback()


def test_a_transaction_within_a_transaction(words: sqlagent.Connection) -> None:
    words.execute("BEGIN")
    with pytest.raises(sqlagent.ProgrammingError, match="open already") as caught:
        words.execute("BEGIN")
    assert "SAVEPOINT" in (caught.value.hint or "")
    with pytest.raises(sqlagent.ProgrammingError, match="savepoint"):
        words.execute("RELEASE nowhere")
    words.execute("COMMIT")


def test_a_savepoint_opens_a_transaction(words: sqlagent.Connection) -> None:
    words.execute("SAVEPOINT a")
    assert words.in_transaction
    words.execute("INSERT INTO agents (agent_id) VALUES ('ada')")
    words.execute("ROLLBACK")
    assert one(words, "SELECT count(*) FROM agents") == 0


@pytest.mark.parametrize(
    "begin", ["BEGIN", "BEGIN TRANSACTION", "BEGIN IMMEDIATE", "START TRANSACTION", "begin;"]
)
@pytest.mark.parametrize("end", ["COMMIT", "END", "COMMIT TRANSACTION", "commit;"])
def test_every_spelling(words: sqlagent.Connection, begin: str, end: str) -> None:
    words.execute(begin)
    words.execute("INSERT INTO agents (agent_id) VALUES ('ada')")
    words.execute(end)
    assert not words.in_transaction
    assert one(words, "SELECT count(*) FROM agents") == 1


def test_tables_made_and_dropped_inside(words: sqlagent.Connection) -> None:
    words.execute("BEGIN")
    words.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n DOUBLE)")
    words.execute("INSERT INTO t VALUES (1, 2.5), (2, 3.5)")
    assert one(words, "SELECT sum(n) FROM t") == 6.0
    assert words.execute("SELECT n FROM t WHERE id = 1").fetchall() == [(2.5,)]
    words.execute("ROLLBACK")
    for sql in (
        "SELECT sum(n) FROM t",
        "SELECT n FROM t WHERE id = 1",
        "INSERT INTO t VALUES (1, 1)",
    ):
        with pytest.raises(sqlagent.ProgrammingError, match='"t"'):
            words.execute(sql)
    words.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, other TEXT)")
    words.execute("BEGIN")
    words.execute("DROP TABLE t")
    with pytest.raises(sqlagent.ProgrammingError, match='"t"'):
        words.execute("SELECT count(*) FROM t")
    words.execute("ROLLBACK")
    assert one(words, "SELECT count(*) FROM t") == 0


def test_create_table_as_is_one_step(words: sqlagent.Connection) -> None:
    words.execute("CREATE TABLE t AS SELECT range AS n, 'x' AS s, range / 2 AS half FROM range(3)")
    assert words.execute("SELECT * FROM t ORDER BY n").fetchall() == [
        (0, "x", 0.0), (1, "x", 0.5), (2, "x", 1.0),
    ]  # fmt: skip
    words.execute("BEGIN")
    words.execute("CREATE TABLE u (a, b) AS SELECT range, range + 1 FROM range(4)")
    assert one(words, "SELECT sum(b) FROM u") == 10
    words.execute("ROLLBACK")
    with pytest.raises(sqlagent.ProgrammingError):
        words.execute("SELECT * FROM u")
    with pytest.raises(sqlagent.DatabaseError):
        words.execute("CREATE TABLE v AS SELECT error('stop') AS a FROM range(3)")
    with pytest.raises(sqlagent.ProgrammingError):
        words.execute("SELECT * FROM v")
    words.execute("INSERT INTO t SELECT range + 10, 'y', 0 FROM range(100)")
    assert one(words, "SELECT count(*) FROM t") == 103


def test_vacuum_and_pragmas(words: sqlagent.Connection) -> None:
    write(words)
    words.execute("VACUUM")
    words.execute("ANALYZE")
    words.execute("REINDEX")
    words.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    words.execute("PRAGMA optimize")
    assert one(words, "PRAGMA integrity_check") == "ok"
    assert one(words, SEES["recall"]) == 1
    words.execute("BEGIN")
    with pytest.raises(sqlagent.ProgrammingError, match="VACUUM"):
        words.execute("VACUUM")
    words.execute("COMMIT")


def test_vacuum_into_makes_a_copy(words: sqlagent.Connection, tmp_path: Path) -> None:
    write(words)
    words.execute(f"VACUUM INTO '{tmp_path / 'copy.db'}'")
    copy = sqlagent.connect(tmp_path / "copy.db", embedding_model="none")
    assert one(copy, SEES["recall"]) == 1
    copy.close()


def test_random_statements_agree_with_a_model(words: sqlagent.Connection) -> None:
    """A dict with undo, beside the table; reads by SQLite and by DuckDB."""
    words.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    rng = random.Random(5)
    stack: list[dict[int, int]] = [{}]
    names: list[str] = []
    for step in range(250):
        now = stack[-1]
        verb = rng.choice(["put", "put", "put", "drop", "begin", "save", "back", "commit", "undo"])
        key = rng.randrange(20)
        if verb == "put":
            words.execute("INSERT OR REPLACE INTO t VALUES (?, ?)", (key, step))
            now[key] = step
        elif verb == "drop":
            words.execute("DELETE FROM t WHERE id = ?", (key,))
            now.pop(key, None)
        elif verb == "begin" and len(stack) == 1:
            words.execute("BEGIN")
            stack.append(dict(now))
        elif verb == "save" and len(stack) > 1:
            names.append(f"s{step}")
            words.execute(f"SAVEPOINT s{step}")
            stack.append(dict(now))
        elif verb == "back" and names:
            words.execute(f"ROLLBACK TO {names[-1]}")
            stack[-1] = dict(stack[-2])
        elif verb == "commit" and len(stack) > 1:
            words.execute("COMMIT")
            stack, names = [now], []
        elif verb == "undo" and len(stack) > 1:
            words.execute("ROLLBACK")
            stack, names = [stack[0]], []
        if step % 5 == 0:
            rows = words.execute("SELECT id, n FROM t").fetchall()
            assert dict(rows) == stack[-1]
            total = words.execute("SELECT count(*), sum(n) FROM t").fetchone()
            assert total == (len(rows), sum(stack[-1].values()) if rows else None)
