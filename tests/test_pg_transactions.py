"""Transactions, savepoints, cursors and prepared statements over the wire, with psycopg."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pg_served import Served, served

psycopg = pytest.importorskip("psycopg", reason="needs psycopg, of the extra [dev]")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    path: Path = tmp_path_factory.mktemp("served") / "agent.db"
    with served(path) as found:
        with psycopg.connect(**found.owner, autocommit=True) as connection:
            connection.execute("CREATE TABLE numbers (n integer PRIMARY KEY)")
            connection.execute("CREATE TABLE parents (id integer PRIMARY KEY)")
            connection.execute(
                "CREATE TABLE children (id integer PRIMARY KEY, parent integer REFERENCES parents "
                "(id) DEFERRABLE INITIALLY DEFERRED)"
            )
        yield found


@pytest.fixture
def pg(place: Served) -> Iterator[Any]:
    with psycopg.connect(**place.owner, autocommit=True) as connection:
        connection.execute("DELETE FROM numbers")
        yield connection


def numbers(connection: Any) -> list[int]:
    return [n for (n,) in connection.execute("SELECT n FROM numbers ORDER BY n").fetchall()]


def add(connection: Any, *given: int) -> None:
    for n in given:
        connection.execute("INSERT INTO numbers VALUES (%s)", [n])


def test_commit_and_rollback(place: Served, pg: Any) -> None:
    pg.execute("BEGIN")
    add(pg, 1)
    assert numbers(pg) == [1]
    with psycopg.connect(**place.owner, autocommit=True) as other:
        assert numbers(other) == []
    pg.execute("ROLLBACK")
    assert numbers(pg) == []
    pg.execute("START TRANSACTION")
    add(pg, 1)
    assert pg.execute("END").statusmessage == "COMMIT"
    assert numbers(pg) == [1]


def test_a_failed_block_refuses_all_but_its_end(pg: Any) -> None:
    pg.execute("BEGIN")
    add(pg, 1)
    with pytest.raises(psycopg.errors.UniqueViolation):
        add(pg, 1)
    assert pg.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
    for sql in ("SELECT 1", "INSERT INTO numbers VALUES (2)", "BEGIN", "SHOW timezone"):
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            pg.execute(sql)
    assert pg.execute("COMMIT").statusmessage == "ROLLBACK"
    assert numbers(pg) == []
    pg.execute("BEGIN")
    with pytest.raises(psycopg.Error):
        pg.execute("SELECT nope FROM numbers")  # a read that failed fails the block too
    assert pg.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
    pg.execute("ROLLBACK")


def test_savepoints_are_real(pg: Any) -> None:
    """Also those that were named before anything was written."""
    pg.execute("BEGIN")
    pg.execute("SAVEPOINT empty")
    add(pg, 1)
    pg.execute("SAVEPOINT one")
    add(pg, 2)
    with pytest.raises(psycopg.errors.UniqueViolation):
        add(pg, 2)
    pg.execute("ROLLBACK TO SAVEPOINT one")
    assert numbers(pg) == [1]
    add(pg, 3)
    pg.execute("RELEASE one")
    with pytest.raises(psycopg.Error) as caught:
        pg.execute("ROLLBACK TO one")
    assert caught.value.sqlstate == "3B001"
    pg.execute("ROLLBACK TO empty")
    assert numbers(pg) == []
    add(pg, 4)
    pg.execute("COMMIT")
    assert numbers(pg) == [4]


def test_psycopg_s_nested_transactions(pg: Any) -> None:
    with pg.transaction():
        add(pg, 1)
        with pytest.raises(ZeroDivisionError), pg.transaction():
            add(pg, 2)
            raise ZeroDivisionError
        with pg.transaction():
            add(pg, 3)
    assert numbers(pg) == [1, 3]


def test_read_only(pg: Any) -> None:
    pg.execute("BEGIN READ ONLY")
    assert numbers(pg) == []
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        add(pg, 1)
    pg.execute("ROLLBACK")
    pg.execute("SET default_transaction_read_only = on")
    for sql in ("INSERT INTO numbers VALUES (1)", "SELECT remember('ada', 'x')",
                "DROP TABLE numbers", "COPY numbers FROM STDIN"):  # fmt: skip
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            pg.execute(sql)
    pg.execute("BEGIN READ WRITE")
    add(pg, 1)
    pg.execute("COMMIT")
    pg.execute("RESET default_transaction_read_only")
    assert numbers(pg) == [1]


def test_isolation(place: Served, pg: Any) -> None:
    """READ COMMITTED sees what others commit, REPEATABLE READ what was there when it began."""
    with psycopg.connect(**place.owner, autocommit=True) as other:
        other.execute("BEGIN")
        assert numbers(other) == []
        add(pg, 1)
        assert numbers(other) == [1]
        other.execute("COMMIT")
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        assert other.execute("SHOW transaction_isolation").fetchone() == ("repeatable read",)
        assert numbers(other) == [1]
        add(pg, 2)
        assert numbers(other) == [1]
        other.execute("COMMIT")
        assert numbers(other) == [1, 2]


def test_deferred_keys_are_checked_at_commit(pg: Any) -> None:
    pg.execute("BEGIN")
    pg.execute("INSERT INTO children VALUES (1, 7)")
    pg.execute("INSERT INTO parents VALUES (7)")
    pg.execute("COMMIT")
    pg.execute("BEGIN")
    pg.execute("INSERT INTO children VALUES (2, 8)")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        pg.execute("COMMIT")
    assert pg.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert pg.execute("SELECT count(*) FROM children").fetchone() == (1,)


def test_warnings(pg: Any) -> None:
    found: list[str] = []
    pg.add_notice_handler(lambda diag: found.append(f"{diag.severity} {diag.sqlstate}"))
    pg.execute("COMMIT")
    pg.execute("BEGIN")
    pg.execute("BEGIN")
    pg.execute("ROLLBACK")
    pg.execute("SET LOCAL application_name = 'x'")
    assert found == ["WARNING 25P01", "WARNING 25001", "WARNING 25P01"]
    pg.execute("SET client_min_messages = error")
    pg.execute("COMMIT")
    assert len(found) == 3


def test_a_client_that_goes_takes_its_transaction_with_it(place: Served, pg: Any) -> None:
    other = psycopg.connect(**place.owner)
    add(other, 5)
    other.pgconn.finish()
    add(pg, 6)
    assert numbers(pg) == [6]


# Cursors -----------------------------------------------------------------------------------------


def test_cursors(pg: Any) -> None:
    pg.execute("BEGIN")
    pg.execute("DECLARE c SCROLL CURSOR FOR SELECT n FROM generate_series(1, 10) AS t(n)")

    def fetch(how: str) -> list[int]:
        return [n for (n,) in pg.execute(f"FETCH {how} FROM c").fetchall()]

    assert fetch("NEXT") == [1] and fetch("3") == [2, 3, 4] and fetch("PRIOR") == [3]
    assert fetch("ABSOLUTE 7") == [7] and fetch("RELATIVE -2") == [5] and fetch("0") == [5]
    assert fetch("FORWARD 2") == [6, 7] and fetch("BACKWARD 3") == [6, 5, 4]
    assert fetch("LAST") == [10] and fetch("NEXT") == [] and fetch("PRIOR") == [10]
    assert fetch("FIRST") == [1] and fetch("BACKWARD ALL") == [] and fetch("ALL") == [*range(1, 11)]
    assert fetch("ABSOLUTE -2") == [9]
    assert pg.execute("MOVE ABSOLUTE 2 FROM c").statusmessage == "MOVE 1"
    assert fetch("NEXT") == [3]
    assert pg.execute("CLOSE c").statusmessage == "CLOSE CURSOR"
    with pytest.raises(psycopg.errors.InvalidCursorName):
        pg.execute("FETCH NEXT FROM c")
    pg.execute("ROLLBACK")


def test_a_cursor_without_scroll_goes_forward(pg: Any) -> None:
    pg.execute("BEGIN")
    pg.execute("DECLARE c NO SCROLL CURSOR FOR SELECT n FROM generate_series(1, 3) AS t(n)")
    pg.execute("FETCH 2 FROM c")
    with pytest.raises(psycopg.Error) as caught:
        pg.execute("FETCH PRIOR FROM c")
    assert caught.value.sqlstate == "55000"
    pg.execute("ROLLBACK")


def test_cursors_with_hold_outlive_their_transaction(pg: Any) -> None:
    add(pg, 1, 2, 3)
    pg.execute("BEGIN")
    pg.execute("DECLARE held CURSOR WITH HOLD FOR SELECT n FROM numbers ORDER BY n")
    pg.execute("DECLARE gone CURSOR FOR SELECT 1")
    assert pg.execute("FETCH 1 FROM held").fetchall() == [(1,)]
    pg.execute("COMMIT")
    pg.execute("DELETE FROM numbers")
    assert pg.execute("FETCH ALL FROM held").fetchall() == [(2,), (3,)]
    with pytest.raises(psycopg.errors.InvalidCursorName):
        pg.execute("FETCH 1 FROM gone")
    pg.execute("CLOSE ALL")
    pg.execute("BEGIN")
    pg.execute("DECLARE undone CURSOR WITH HOLD FOR SELECT 1")
    pg.execute("ROLLBACK")
    with pytest.raises(psycopg.errors.InvalidCursorName):
        pg.execute("FETCH 1 FROM undone")


def test_psycopg_s_server_side_cursors(pg: Any) -> None:
    for binary in (False, True):
        with pg.transaction(), pg.cursor("mine", binary=binary) as cursor:
            cursor.itersize = 100
            cursor.execute("SELECT n, 'x' || n FROM generate_series(1, 1000) AS t(n)")
            assert cursor.description[0].name == "n"
            assert [n for n, _ in cursor] == list(range(1, 1001))
    with pg.transaction(), pg.cursor("moves", scrollable=True) as cursor:
        cursor.execute("SELECT n FROM generate_series(1, 20) AS t(n)")
        cursor.scroll(10)
        assert cursor.fetchone() == (11,)
        cursor.scroll(-5)
        assert cursor.fetchmany(2) == [(7,), (8,)]


# PREPARE -----------------------------------------------------------------------------------------


def test_prepare_and_execute(pg: Any) -> None:
    pg.execute("PREPARE adding (int) AS INSERT INTO numbers VALUES ($1) RETURNING n")
    assert pg.execute("EXECUTE adding (1 + 1)").fetchall() == [(2,)]
    pg.execute("PREPARE reading AS SELECT n FROM numbers WHERE n = $1")
    assert pg.execute("EXECUTE reading ('2')").fetchall() == [(2,)]
    with pytest.raises(psycopg.Error) as caught:
        pg.execute("EXECUTE reading")
    assert "wrong number" in str(caught.value)
    with pytest.raises(psycopg.errors.DuplicatePreparedStatement):
        pg.execute("PREPARE reading AS SELECT 1")
    assert pg.execute("DEALLOCATE reading").statusmessage == "DEALLOCATE"
    assert pg.execute("DEALLOCATE ALL").statusmessage == "DEALLOCATE ALL"
    with pytest.raises(psycopg.errors.InvalidSqlStatementName):
        pg.execute("EXECUTE adding (1)")


def test_a_prepared_statement_outlives_a_change_of_the_schema(pg: Any) -> None:
    pg.execute("CREATE TABLE shape (a integer)")
    pg.execute("INSERT INTO shape VALUES (1)")
    for _ in range(10):
        assert pg.execute("SELECT a FROM shape WHERE a = %s", [1], prepare=True).fetchone() == (1,)
    pg.execute("ALTER TABLE shape ADD COLUMN b integer")
    assert pg.execute("SELECT a FROM shape WHERE a = %s", [1], prepare=True).fetchone() == (1,)
    assert pg.execute("SELECT * FROM shape").fetchone() == (1, None)
    pg.execute("DROP TABLE shape")


def test_pipelines(pg: Any) -> None:
    with pg.pipeline():
        first = pg.execute("INSERT INTO numbers VALUES (1) RETURNING n")
        second = pg.execute("SELECT count(*) FROM numbers")
    assert first.fetchone() == (1,) and second.fetchone() == (1,)
    with pytest.raises(psycopg.errors.UniqueViolation), pg.pipeline():
        add(pg, 2, 2)
    assert numbers(pg) == [1]
    pg.cursor().executemany("INSERT INTO numbers VALUES (%s)", [(n,) for n in range(10, 60)])
    assert len(numbers(pg)) == 51
