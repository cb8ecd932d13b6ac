"""Statements on an attached SQLite file: read on its own readers, written by its own writer.

A transaction writes one database. The attached one's writer is taken at the first write to it, and
ends with the transaction of the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sqlagent.engines.sqlite import Handle, translate
from sqlagent.errors import BusyError, ProgrammingError
from sqlagent.plan.plans import Lite
from sqlagent.run.lite import LiteRead, LiteWrite, Runnable, plain
from sqlagent.run.writing import (
    claim,
    failed,
    limited,
    open_handle,
    outside,
    within,
    writing,
)  # fmt: skip
from sqlagent.values import pick, stored_all

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor
    from sqlagent.sources.sqlite import SqliteSource


class HeldFile:
    """An attached SQLite file that the open transaction writes."""

    def __init__(self, connection: Connection, source: SqliteSource) -> None:
        self.name = source.name.lower()
        self.database = source.database
        self.handle = self.database.hold(connection.timeout, connection)
        try:
            for name in connection.savepoints:
                self.handle.execute(f"SAVEPOINT {name}")
        except BaseException:
            self.end("ROLLBACK")
            raise

    def savepoint(self, text: str) -> None:
        """SAVEPOINT, RELEASE or ROLLBACK TO, beside the file's own."""
        self.handle.execute(text)

    def end(self, verb: str) -> None:
        """COMMIT or ROLLBACK; after a BusyError it may be tried again."""
        handle = self.handle
        try:
            if handle.in_transaction:
                handle.execute(verb)
        except Exception as error:
            translated = translate(error)
            if isinstance(translated, BusyError):
                raise translated from None
            if handle.in_transaction:
                handle.execute("ROLLBACK")
            self._let_go()
            raise translated from None
        self._let_go()

    def _let_go(self) -> None:
        self.handle.owner = None
        self.database.let_go()


def hold(connection: Connection, source: Any) -> Any:
    """What the open transaction writes an attached database with, taken at its first write."""
    name = source.name.lower()
    before = connection.wrote
    claim(connection, name)
    if connection.other is None:
        try:
            connection.other = source.hold(connection)
        except BaseException:
            connection.wrote = before
            raise
    return connection.other


def writing_to(
    connection: Connection,
    source: SqliteSource | None,
    work: Callable[[Handle], Any],
    text: str,
    *,
    several: bool = False,
) -> Any:
    """`writing`, in an attached SQLite file; None is the connection's own."""
    if source is None:
        return writing(connection, work, text, several=several)
    try:
        source.check()
        if connection.txn is None:
            if connection.autocommit:

                def bounded(handle: Handle) -> Any:
                    with limited(connection, handle):
                        return work(handle)

                return source.database.write(bounded, connection.timeout, connection)
            connection.begin()
        with connection.txn_lock:
            open_handle(connection)
            return within(connection, hold(connection, source).handle, work, several)
    except BaseException as error:
        raise failed(connection, error, text) from None


def source_of(connection: Connection, name: str) -> Any:
    """The attached database of that name. Raises ProgrammingError where it is no more."""
    found = connection.sources.get(name)
    if found is None:
        raise ProgrammingError(f'no database "{name}" is attached', sqlstate="3D000")
    return found


class RunAttached:
    """A statement that an attached SQLite file runs alone."""

    def __init__(self, plan: Lite, text: str) -> None:
        self.plan = plan
        self.text = text
        self.runner: Any = None

    def runner_on(self, connection: Connection) -> Any:
        """The runner, made with the source when it first runs: DETACH forgets the plan."""
        source = source_of(connection, self.plan.source)
        source.check()
        if self.runner is None:
            kind = AttachedWrite if self.plan.writes else AttachedRead
            self.runner = kind(source, self.plan, self.text)
        return self.runner

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        self.runner_on(connection)(connection, cursor, parameters)

    def many(self, connection: Connection, cursor: Cursor, parameters: Iterable[Any]) -> None:
        """`executemany`."""
        if not self.plan.writes:
            raise ProgrammingError("executemany is for statements that write")
        self.runner_on(connection).many(connection, cursor, parameters)


class AttachedRead(LiteRead):
    """A read: in a transaction that writes the file, with its writer; else on a reader."""

    def __init__(self, source: SqliteSource, plan: Lite, text: str) -> None:
        super().__init__(source.database, plan, text)
        self.name = source.name

    def slowly(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        held = connection.held(self.name)
        if connection.txn is not None:
            open_handle(connection)  # which refuses what follows a failed statement
        if held is None:
            with self.database.read(native=self.native) as handle, limited(connection, handle):
                self.fetch(connection, cursor, handle, parameters)
            return
        with connection.txn_lock, limited(connection, held):
            self.fetch(connection, cursor, held, parameters)


class AttachedWrite(LiteWrite):
    """A write, by the file's own writer."""

    def __init__(self, source: SqliteSource, plan: Lite, text: str) -> None:
        Runnable.__init__(self, source.database, plan, text)
        self.source = source
        self.bare = not plan.tables and outside(plan.sql)

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        def work(handle: Handle) -> tuple[list[Any], int, int]:
            self.prepare(connection, handle)
            rows = list(self.start(handle, parameters))
            return rows, handle.changes(), handle.last_insert_rowid()

        if self.bare and connection.txn is None:
            rows, changes, rowid = self.alone(connection, work)
        else:
            rows, changes, rowid = writing_to(connection, self.source, work, self.text)
        if self.plan.ddl:
            connection.plans.clear()
            self.database.known_catalog = None
            return
        cursor.rowcount = changes
        cursor.lastrowid = rowid
        if self.columns:
            cursor._columns = self.columns_of(connection, rows)
            cursor._iter = map(self.convert, rows) if self.convert else iter(rows)

    def alone(self, connection: Connection, work: Callable[[Handle], Any]) -> Any:
        """VACUUM and pragmas that set: outside a transaction."""
        try:
            handle = self.database.hold_bare()
            try:
                with limited(connection, handle):
                    return work(handle)
            finally:
                self.database.let_go()
        except BaseException as error:
            raise failed(connection, error, self.text) from None

    def many(self, connection: Connection, cursor: Cursor, parameters: Iterable[Any]) -> None:
        sets = parameters if isinstance(parameters, list) else list(parameters)

        def work(handle: Handle) -> None:
            self.prepare(connection, handle)
            values = sets if self.slots is None else [pick(self.slots, p) for p in sets]
            if not all(map(plain, values)):
                values = [stored_all(v) for v in values]
            for _ in handle.executemany(self.sql, values):
                pass

        if sets:
            writing_to(connection, self.source, work, self.text, several=True)
        cursor.rowcount = len(sets)
