"""Writes that DuckDB runs itself, in a .duckdb file or a PostgreSQL server that it has attached.

A statement alone commits by itself. In a transaction they share one cursor, on which DuckDB's own
transaction is open: what reads then reads there too, and sees them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb

from sqlagent.engines.duckdb import DuckResult
from sqlagent.engines.sqlite import Database
from sqlagent.errors import Error, NotSupportedError
from sqlagent.parse.lexer import quote_name
from sqlagent.plan.plans import Native
from sqlagent.run.attached import hold, source_of
from sqlagent.run.duck import RunDuck
from sqlagent.run.writing import fail, open_handle

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor


class SharedCursor:
    """A cursor that several statements use, one after the other, in one transaction of DuckDB's.

    What begins a statement on it finds no temporary table of the one before.
    """

    shared = True  # its snapshot is older than the columns are by now: they are read anew

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self._begun = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, sql: str, *parameters: Any) -> Any:
        """Run a statement; every BEGIN but the first is of a statement, not of the transaction."""
        if sql != "BEGIN":
            return self._cursor.execute(sql, *parameters)
        if not self._begun:
            self._begun = True
            return self._cursor.execute(sql)
        self.rollback()
        return self._cursor

    def rollback(self) -> None:
        """Drop what a statement made for itself; what it wrote stays."""
        found = self._cursor.execute(
            "SELECT 'VIEW', view_name FROM duckdb_views() WHERE temporary AND NOT internal "
            "UNION ALL SELECT 'TABLE', table_name FROM duckdb_tables() WHERE temporary"
        ).fetchall()
        for kind, name in found:
            self._cursor.execute(f"DROP {kind} IF EXISTS temp.{quote_name(name)}")

    def close(self) -> None:
        """A statement is done with it; `end` closes it."""

    def end(self, verb: str) -> None:
        """COMMIT or ROLLBACK, and close it."""
        try:
            if self._begun:
                self._cursor.execute(verb)
        finally:
            self._cursor.close()


class HeldNative:
    """A database of DuckDB's that the open transaction writes."""

    handle = None

    def __init__(self, connection: Connection, source: Any) -> None:
        self.name = source.name.lower()
        self.source = source
        if connection.savepoints:
            raise self._no_savepoints()
        self.cursor = SharedCursor(source.engine.cursor())

    def _no_savepoints(self) -> NotSupportedError:
        return NotSupportedError(
            f'a transaction with savepoints cannot write "{self.source.name}"',
            detail="DuckDB has no savepoints",
        )

    def savepoint(self, text: str) -> None:
        """Refused: what ROLLBACK TO would have to undo, DuckDB keeps."""
        raise self._no_savepoints()

    def end(self, verb: str) -> None:
        """COMMIT or ROLLBACK."""
        try:
            self.cursor.end(verb)
        except duckdb.Error as error:
            raise self.source.translated(error) from None


class RunNative:
    """A write in an attached database of DuckDB's."""

    repeats = True  # by executemany

    def __init__(self, database: Database, plan: Native, text: str) -> None:
        self.plan = plan
        self.text = text
        self.read = RunDuck(database, plan.read._replace(lite=None), text)

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        source = source_of(connection, self.plan.target)
        try:
            source.check()
            if connection.txn is None and not connection.autocommit:
                connection.begin()
            if connection.txn is not None:
                with connection.txn_lock:
                    open_handle(connection)
                    hold(connection, source)
            held = connection.other or HeldNative(connection, source)
            try:
                result = self.read.start(connection, parameters, shared=held.cursor)
                self.fill(cursor, result)
            except BaseException as error:
                if held is connection.other:
                    connection.txn_failed = True  # DuckDB undoes the whole transaction
                else:
                    held.end("ROLLBACK")
                raise source.translated(error) from None
            if held is not connection.other:
                held.end("COMMIT")
        except Error as error:
            fail(connection)
            error.sql, error.position = self.text, None
            raise
        if self.plan.ddl:
            connection.plans.clear()

    def fill(self, cursor: Cursor, result: DuckResult) -> None:
        """The rows of RETURNING, or how many rows were written."""
        rows = list(result.rows())
        if self.plan.ddl:
            return
        if [name for name, _ in result.columns] == ["Count"]:
            cursor.rowcount = int(rows[0][0]) if rows else 0
            return
        cursor._columns, cursor._iter = result.columns, iter(rows)
        cursor.rowcount = len(rows)
