"""The change log's triggers: pure SQL of SQLite 3.40, and no change slips by them."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from test_columns import foreign, new_file

from sqlagent.errors import NotSupportedError
from sqlagent.sync import log


@pytest.fixture
def connection(tmp_path: Path) -> apsw.Connection:
    path = new_file(
        tmp_path / "a.db",
        'CREATE TABLE "my \'odd"" table" (id INTEGER PRIMARY KEY, u TEXT UNIQUE)',
        "CREATE TABLE r (rowid TEXT, _rowid_ TEXT, oid TEXT, n UNIQUE)",
        "CREATE TABLE p (a TEXT, b TEXT, n INTEGER)",
        "CREATE UNIQUE INDEX p_part ON p (a) WHERE b = 'where (' -- a comment )",
    )
    return apsw.Connection(str(path))


def logged(connection: apsw.Connection) -> set[tuple[object, ...]]:
    found = set(connection.execute("SELECT tbl, pk FROM sqlagent_change_log").fetchall())
    connection.execute("DELETE FROM sqlagent_change_log")
    return found


def ready(connection: apsw.Connection, table: str) -> None:
    assert not log.installed(connection, table)
    log.install(connection, table)
    assert log.installed(connection, table)
    assert logged(connection) == {(table, None)}  # whoever has columns of it reads it again


def test_an_odd_name(connection: apsw.Connection) -> None:
    name = "my 'odd\" table"
    table = log.quoted(name)
    ready(connection, name)
    connection.execute(f"INSERT INTO {table} VALUES (1, 'a'), (2, 'b')")
    assert logged(connection) == {(name, 1), (name, 2)}
    connection.execute(f"INSERT OR REPLACE INTO {table} (u) VALUES ('a')")
    assert logged(connection) == {(name, 1), (name, 3)}
    connection.execute(f"UPDATE {table} SET id = 9 WHERE id = 2")
    assert logged(connection) == {(name, 2), (name, 9)}
    connection.execute(f"DELETE FROM {table}")
    assert logged(connection) == {(name, 3), (name, 9)}


def test_a_table_whose_rowid_has_no_name(connection: apsw.Connection) -> None:
    ready(connection, "r")
    connection.execute("INSERT INTO r VALUES ('a', 'b', 'c', 1)")
    assert logged(connection) == {("r", None)}


def test_a_partial_index(connection: apsw.Connection, tmp_path: Path) -> None:
    ready(connection, "p")
    connection.execute("INSERT INTO p VALUES ('x', 'where (', 1), ('x', 'else', 2)")
    logged(connection)
    foreign(tmp_path / "a.db", "INSERT OR REPLACE INTO p VALUES ('x', 'where (', 3)")
    assert logged(connection) == {("p", 1), ("p", 3)}
    plan = "\n".join(
        row[3]
        for row in connection.execute(
            "EXPLAIN QUERY PLAN SELECT rowid FROM p"
            " WHERE a COLLATE BINARY = 'x' AND (b = 'where (' -- )\n)"
        )
    )
    assert "p_part" in plan


def test_a_new_unique_index_and_a_new_name_are_noticed(connection: apsw.Connection) -> None:
    ready(connection, "p")
    connection.execute("CREATE UNIQUE INDEX p_n ON p (n)")
    ready(connection, "p")
    connection.execute("ALTER TABLE p RENAME TO q")
    ready(connection, "q")
    connection.execute("ALTER TABLE q RENAME COLUMN n TO m")
    log.install(connection, "q")
    connection.execute("INSERT INTO q VALUES ('x', 'y', 1)")
    logged(connection)
    connection.execute("UPDATE OR REPLACE q SET m = 1")
    assert logged(connection) == {("q", 1)}


def test_triggers_of_a_migration_are_taken_as_they_are(connection: apsw.Connection) -> None:
    for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
        assert not log.installed(connection, "p")
        connection.execute(
            f"CREATE TRIGGER own_{event} AFTER {event} ON p BEGIN INSERT INTO sqlagent_change_log"
            f" (tbl, pk, op) VALUES ('p', {row}.rowid, 'u'); END"
        )
    assert log.installed(connection, "p")


def test_triggers_that_log_another_table_are_not(connection: apsw.Connection) -> None:
    for event in ("INSERT", "UPDATE", "DELETE"):
        connection.execute(
            f"CREATE TRIGGER own_{event} AFTER {event} ON p BEGIN INSERT INTO sqlagent_change_log"
            " (tbl, pk, op) VALUES ('r', NULL, 'u'); END"
        )
    assert not log.installed(connection, "p")


def test_what_is_no_table(connection: apsw.Connection) -> None:
    connection.execute("CREATE VIEW v AS SELECT 1")
    for name in ("v", "nothing"):
        with pytest.raises(NotSupportedError, match="is not a table of the file"):
            log.install(connection, name)


def test_span_and_entries(connection: apsw.Connection) -> None:
    assert log.span(connection) == (0, 0)
    log.install(connection, "p")
    connection.execute("INSERT INTO p VALUES ('a', 'b', 1)")
    assert log.span(connection) == (1, 2)
    assert log.entries(connection, 0) == {"p": (2, True)}
    assert log.entries(connection, 1) == {"p": (1, False)}
    assert log.fingerprint(connection, 1) != log.fingerprint(connection, 2)
    assert log.fingerprint(connection, 3) is None
    assert log.span(apsw.Connection(":memory:")) is None
