"""Work for the writer: alone or in the open transaction, interruptible, bounded in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlagent.engines import schema
from sqlagent.engines.sqlite import Handle, translate
from sqlagent.errors import Error, NotSupportedError, ProgrammingError

if TYPE_CHECKING:
    from sqlagent.connection import Connection


def writing(
    connection: Connection,
    work: Callable[[Handle], Any],
    text: str | None,
    *,
    several: bool = False,
    alone: bool = False,
) -> Any:
    """Run a write: in the open transaction, or durably by itself. `several`: undone as one;
    `alone`: in a transaction of its own, which is over then."""
    try:
        if connection.txn is None:
            if connection.autocommit or alone:

                def bounded(handle: Handle) -> Any:
                    with limited(connection, handle):
                        return work(handle)

                return connection.database.write(bounded, connection.timeout, connection)
            connection.begin()
        with connection.txn_lock:
            handle = open_handle(connection)
            claim(connection, "")
            return within(connection, handle, work, several)
    except BaseException as error:
        raise failed(connection, error, text) from None


def claim(connection: Connection, name: str) -> None:
    """Take note of the database ('' is the file) that the transaction writes: it may be but one."""
    if connection.wrote is not None and connection.wrote != name:
        first, second = (f'"{n}"' if n else "the file itself" for n in (connection.wrote, name))
        raise NotSupportedError(
            f"this transaction writes {first}: it cannot write {second} too",
            detail="two databases have no commit in common: a crash could keep one half",
            hint="COMMIT first.", sqlstate="25000",
        )  # fmt: skip
    connection.wrote = name


def within(
    connection: Connection, handle: Handle, work: Callable[[Handle], Any], several: bool
) -> Any:
    """Run a write in an open transaction."""
    with limited(connection, handle):
        if not several:
            return work(handle)
        handle.execute("SAVEPOINT one")
        try:
            result = work(handle)
        except BaseException:
            if handle.in_transaction:
                handle.execute("ROLLBACK TO one")
                handle.execute("RELEASE one")
            raise
        handle.execute("RELEASE one")
        return result


def failed(connection: Connection, error: BaseException, text: str | None) -> BaseException:
    """A write's error as it is raised."""
    fail(connection)
    translated = translate(error, text)
    if isinstance(translated, Error) and translated.sql is None:
        translated.sql = text
    return translated


def writing_bare(connection: Connection, work: Callable[[Handle], Any], text: str | None) -> Any:
    """Run what cannot be in a transaction with the writer, alone."""
    if connection.txn is not None:
        return writing(connection, work, text)  # SQLite says why not
    try:
        handle = connection.database.hold_bare(connection.timeout, connection)
        try:
            with limited(connection, handle):
                return work(handle)
        finally:
            connection.database.let_go()
    except BaseException as error:
        raise translate(error, text) from None


def outside(text: str) -> bool:
    """Whether SQLite runs a statement only outside a transaction: VACUUM, a pragma that sets."""
    from sqlagent.parse.lexer import lex

    return lex(text)[0].upper in ("VACUUM", "PRAGMA")


def outdated(connection: Connection) -> bool:
    """Whether somebody else changed the schema since plans were made: what a view or a macro was
    may stand in them. All plans are then forgotten."""
    database = connection.database
    if connection.txn is not None:
        return False  # `begin` has looked, and since then nobody else commits
    with database.read() as handle:
        known = database.known_catalog
        if handle.data_version() == handle.seen or known is None:
            return False
        handle.seen = handle.data_version()
        if schema.version(handle) == known.version:
            return False
    database.schema_changed()
    return True


def open_handle(connection: Connection, check: bool = True) -> Handle:
    """The transaction's connection; refuses where a failed statement ended it or will."""
    handle: Handle | None = connection.txn
    if handle is None:
        raise ProgrammingError("no transaction is open", sqlstate="25P01")
    connection.database.check_open()
    if not handle.in_transaction:
        connection._let_go(handle)
        raise ProgrammingError(
            "the transaction was rolled back by an earlier error", sqlstate="25P02"
        )
    if check and connection.txn_failed:
        raise ProgrammingError(
            "the transaction failed: statements are refused until ROLLBACK", sqlstate="25P02"
        )
    return handle


def fail(connection: Connection) -> None:
    """A statement failed: in PostgreSQL's dialect that ends its transaction."""
    if connection.txn is not None and connection.settings["dialect"] == "postgres":
        connection.txn_failed = True


class limited:
    """Makes a connection's work reachable by interrupt(), and bounded in time where a limit is
    set."""

    def __init__(self, connection: Connection, handle: Handle) -> None:
        self.connection = connection
        self.handle = handle

    def __enter__(self) -> None:
        if self.connection.gate is not None:
            self.connection.gate.enter(self.connection, self.handle)
        self.connection.running[id(self.handle)] = self.handle
        limit = self.connection.settings["statement_timeout_ms"]
        if limit:
            import time

            end = time.monotonic() + limit / 1000
            self.handle.set_progress_handler(lambda: time.monotonic() > end, 2000)

    def __exit__(self, *_: object) -> None:
        self.connection.running.pop(id(self.handle), None)
        self.release()

    def release(self) -> None:
        """Take the bounds off the handle again."""
        if self.connection.gate is not None:
            self.connection.gate.leave(self.handle)
        if self.connection.settings["statement_timeout_ms"]:
            self.handle.set_progress_handler(None)
