"""PEP 249: the public compliance suite, and what it leaves open."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import dbapi20
import pytest

import sqlagent


class TestCompliance(dbapi20.DatabaseAPI20Test):  # type: ignore[misc]  # the suite has no types
    """All of dbapi20 that applies; procedures and output sizes are a driver's own affair."""

    driver = sqlagent
    connect_kw_args: dict[str, Any] = {}  # noqa: RUF012  # the suite reads it so

    @pytest.fixture(autouse=True)
    def _file(self, fresh_db: Path) -> None:
        self.connect_args = (str(fresh_db),)

    def test_callproc(self) -> None: ...

    def test_nextset(self) -> None: ...

    def test_setoutputsize(self) -> None: ...

    def test_non_idempotent_close(self) -> None:
        """A second close() is no error here."""
        connection = self._connect()
        connection.close()
        connection.close()


del dbapi20.DatabaseAPI20Test  # collected once, as ours


def test_the_rows_of_a_cursor_in_every_manner(words: sqlagent.Connection) -> None:
    words.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
    words.executemany("INSERT INTO t VALUES (?, ?)", [(n, f"n{n}") for n in range(5)])
    cursor = words.cursor()
    assert cursor.execute("SELECT id FROM t ORDER BY id") is cursor
    assert cursor.fetchone() == (0,)
    assert cursor.fetchmany(2) == [(1,), (2,)]
    assert next(cursor) == (3,)
    assert cursor.fetchall() == [(4,)]
    assert cursor.fetchone() is None and cursor.fetchall() == [] and cursor.fetchmany(3) == []


def test_description_names_and_types(words: sqlagent.Connection) -> None:
    cursor = words.execute("SELECT memory_id, content, importance, created_at FROM memories")
    assert [c[0] for c in cursor.description] == [
        "memory_id",
        "content",
        "importance",
        "created_at",
    ]
    kinds = [c[1] for c in cursor.description]
    assert kinds == [sqlagent.NUMBER, sqlagent.STRING, sqlagent.NUMBER, sqlagent.DATETIME]
    assert words.execute("CREATE TABLE t (a)").description is None


def test_rowcount_and_lastrowid(words: sqlagent.Connection) -> None:
    words.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    inserted = words.execute("INSERT INTO t (n) VALUES (1), (2), (3)")
    assert (inserted.rowcount, inserted.lastrowid) == (3, 3)
    assert words.execute("UPDATE t SET n = 0 WHERE id > 1").rowcount == 2
    assert words.execute("UPDATE t SET n = 0 WHERE id > 99").rowcount == 0
    assert words.execute("DELETE FROM t").rowcount == 3
    many = words.executemany("INSERT INTO t (n) VALUES (?)", [(n,) for n in range(7)])
    assert many.rowcount == 7


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("SELECT ?, ?", (1, "a")),
        ("SELECT ?2, ?1", ("a", 1)),
        ("SELECT :n, :t", {"n": 1, "t": "a"}),
        ("SELECT $n, $t", {"n": 1, "t": "a"}),
        ("SELECT $1, $2", (1, "a")),
        ("SELECT ?, ?", [1, "a"]),
    ],
)
def test_parameters_in_every_style(words: sqlagent.Connection, sql: str, values: Any) -> None:
    assert words.execute(sql, values).fetchall() == [(1, "a")]


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("SELECT ?, ?", (1,)),
        ("SELECT ?", (1, 2)),
        ("SELECT ?", ()),
        ("SELECT :a", {"b": 1}),
        ("SELECT count(*) FROM memories WHERE agent_id = ?", ()),
        ("SELECT count(*) FROM memories WHERE agent_id = ?", ("a", "b")),
        ("INSERT INTO agents (agent_id) VALUES (?)", ()),
        ("INSERT INTO agents (agent_id) VALUES (?)", ("a", "b")),
        ("SELECT remember('a', ?)", ()),
        ("SELECT remember(:who, 'x')", {"whom": "a"}),
        ("SELECT * FROM recall(?, 'x')", ()),
    ],
)
def test_a_wrong_number_of_parameters(words: sqlagent.Connection, sql: str, values: Any) -> None:
    with pytest.raises(sqlagent.InterfaceError):
        words.execute(sql, values).fetchall()


def test_what_is_closed_says_so(words: sqlagent.Connection) -> None:
    cursor = words.execute("SELECT 1")
    cursor.close()
    cursor.close()
    for use in (
        cursor.fetchone,
        cursor.fetchall,
        cursor.fetchmany,
        lambda: cursor.execute("SELECT 1"),
    ):
        with pytest.raises(sqlagent.InterfaceError, match="cursor is closed"):
            use()
    words.close()
    words.close()
    uses: list[Any] = [
        lambda: words.execute("SELECT 1"),
        lambda: words.executemany("INSERT INTO agents (agent_id) VALUES (?)", [("a",)]),
        words.cursor, words.commit, words.rollback, words.__enter__,
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(sqlagent.InterfaceError, match="connection is closed"):
            use()


def test_fetching_where_there_are_no_rows(words: sqlagent.Connection) -> None:
    cursor = words.cursor()
    with pytest.raises(sqlagent.ProgrammingError):
        cursor.fetchone()
    cursor.execute("CREATE TABLE t (a)")
    with pytest.raises(sqlagent.ProgrammingError):
        cursor.fetchall()


def test_without_autocommit_the_first_write_opens_a_transaction(fresh_db: Path) -> None:
    con = sqlagent.connect(fresh_db, autocommit=False)
    other = sqlagent.connect(fresh_db)
    assert con.execute("SELECT count(*) FROM agents").fetchone() == (0,)
    assert not con.in_transaction
    con.execute("INSERT INTO agents (agent_id) VALUES ('ada')")
    assert con.in_transaction
    assert other.execute("SELECT count(*) FROM agents").fetchone() == (0,)
    con.rollback()
    assert con.execute("SELECT count(*) FROM agents").fetchone() == (0,)
    con.execute("INSERT INTO agents (agent_id) VALUES ('ada')")
    con.commit()
    con.commit()
    assert other.execute("SELECT count(*) FROM agents").fetchone() == (1,)
    con.close()
    other.close()


def test_what_was_not_committed_is_gone_after_close(fresh_db: Path) -> None:
    con = sqlagent.connect(fresh_db, autocommit=False)
    con.execute("INSERT INTO agents (agent_id) VALUES ('ada')")
    con.close()
    con = sqlagent.connect(fresh_db)
    assert con.execute("SELECT * FROM agents").fetchall() == []
    con.close()


def test_the_context_manager_commits_or_rolls_back(fresh_db: Path) -> None:
    con = sqlagent.connect(fresh_db, autocommit=False)
    with con:
        con.execute("INSERT INTO agents (agent_id) VALUES ('ada')")
    with pytest.raises(ZeroDivisionError), con:
        con.execute("INSERT INTO agents (agent_id) VALUES ('bob')")
        _ = 1 / 0
    assert con.execute("SELECT agent_id FROM agents").fetchall() == [("ada",)]
    con.close()


def test_executemany_is_one_transaction(words: sqlagent.Connection) -> None:
    words.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    with pytest.raises(sqlagent.IntegrityError):
        words.executemany("INSERT INTO t VALUES (?)", [(1,), (2,), (1,)])
    assert words.execute("SELECT * FROM t").fetchall() == []
    words.executemany("INSERT INTO t VALUES (?)", ((n,) for n in range(3)))
    words.executemany("INSERT INTO t VALUES (:n)", [{"n": 10}, {"n": 11}])
    assert [n for (n,) in words.execute("SELECT id FROM t")] == [0, 1, 2, 10, 11]
    words.executemany("SELECT remember(?, ?)", [("ada", "one"), ("ada", "two")])
    assert words.execute("SELECT count(*) FROM memories").fetchone() == (2,)
    with pytest.raises(sqlagent.ProgrammingError):
        words.executemany("SELECT ?", [(1,)])


def test_rows_as_arrow_and_pandas_and_polars(words: sqlagent.Connection) -> None:
    words.execute("INSERT INTO memories (agent_id, content) VALUES ('ada', 'a'), ('ada', 'b')")
    for sql in (
        "SELECT memory_id, content, created_at, pinned FROM memories",
        "SELECT agent_id, count(*) AS n FROM memories GROUP BY agent_id",
        "SELECT memory_id, content FROM memories WHERE memory_id > 99",
    ):
        rows = words.execute(sql).fetchall()
        table = words.execute(sql).arrow()
        assert [tuple(r.values()) for r in table.to_pylist()] == rows
        pytest.importorskip("pandas")
        assert len(words.execute(sql).df()) == len(rows)
        pytest.importorskip("polars")
        assert words.execute(sql).pl().rows() == rows


def test_constructors_of_pep_249() -> None:
    assert sqlagent.Date(2026, 1, 31) == datetime.date(2026, 1, 31)
    assert sqlagent.Timestamp(2026, 1, 31, 12, 5, 7) == datetime.datetime(2026, 1, 31, 12, 5, 7)
    assert sqlagent.Binary(bytearray(b"ab")) == b"ab"


def test_errors_are_attributes_of_the_connection(words: sqlagent.Connection) -> None:
    for name in ("Error", "DataError", "IntegrityError", "NotSupportedError", "Warning"):
        assert getattr(words, name) is getattr(sqlagent, name)
    with pytest.raises(words.Error):
        words.execute("SELEC 1")


def test_an_error_says_where_and_what_to_do(words: sqlagent.Connection) -> None:
    sql = "SELECT contnt FROM memories"
    with pytest.raises(sqlagent.ProgrammingError) as caught:
        words.execute(sql)
    error = caught.value
    assert (error.sql, error.position, error.sqlstate) == (sql, 7, "42703")
    assert str(error).splitlines()[1:3] == ["LINE 1: " + sql, " " * 15 + "^"]
    assert "content" in (error.hint or "")
