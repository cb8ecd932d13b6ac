"""The connection: text is parsed, rewritten, planned and run, in that order.

A text seen before is a dictionary look-up away from its runner (`sqlagent.run`), which holds the
plan.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from sqlagent import config, errors
from sqlagent.cursor import Cursor
from sqlagent.engines import live, schema
from sqlagent.engines.sqlite_errors import translate
from sqlagent.errors import (
    BusyError,
    Error,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)

PLANS_MAX = 2000
Runner = Callable[["Connection", Cursor, Any], None]


def connect(
    path: str | os.PathLike[str],
    *,
    read_only: bool = False,
    timeout: float = 30.0,
    autocommit: bool = True,
    **settings: Any,
) -> Connection:
    """Open the SQLite file `path`, creating and migrating it; ':memory:' keeps nothing.

    `timeout` is how many seconds a statement waits for another writer. With `autocommit=False` the
    first write opens a transaction that lasts until `commit()` or `rollback()` (PEP 249's way);
    without, each statement commits unless BEGIN opened one. `settings` are those of SET. An
    ordinary SQLite file gets our tables beside its own, after a copy whose name is in
    `Connection.messages`.

    Raises OperationalError where the file cannot be opened or is not SQLite, MigrationError where
    its schema is newer, edited, or has a table under a name that we need; the file is then as it
    was.
    """
    if not isinstance(path, str | os.PathLike):
        raise InterfaceError(f"a path is text, not {type(path).__name__}")
    if "\0" in os.fsdecode(path):
        raise InterfaceError("a path has no NUL character")
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0:
        raise InterfaceError(f"timeout is a number of seconds from 0, not {timeout!r}")
    return Connection(os.fspath(path), read_only, float(timeout), autocommit, settings)


class Connection:
    """A connection to one file; threads may share it.

    `messages` are notices for the user, such as the copy made before an upgrade.
    """

    Warning = errors.Warning
    Error = errors.Error
    InterfaceError = errors.InterfaceError
    DatabaseError = errors.DatabaseError
    DataError = errors.DataError
    OperationalError = errors.OperationalError
    IntegrityError = errors.IntegrityError
    InternalError = errors.InternalError
    ProgrammingError = errors.ProgrammingError
    NotSupportedError = errors.NotSupportedError

    def __init__(
        self,
        path: str,
        read_only: bool,
        timeout: float,
        autocommit: bool,
        settings: dict[str, Any],
    ) -> None:
        self.closed = True
        self.settings = config.defaults()
        for name, value in settings.items():
            key, checked = config.check(name, value)
            self.settings[key] = checked
        self.autocommit = autocommit
        self.timeout = timeout
        self.messages: list[str] = []
        self.progress: Callable[[str, int], None] | None = None  # told of long work: (what, done)
        self.running: dict[int, Any] = {}  # what interrupt() must reach, by id
        self.txn: Any = None  # the writer's handle while a transaction is open
        self.slowly = bool(self.settings["statement_timeout_ms"])  # a transaction or a time limit
        self.snapshot = False  # the transaction is a reader's
        self.txn_lock = threading.RLock()
        self.txn_failed = False  # under the dialect of PostgreSQL, until ROLLBACK
        self.plans: dict[str, Runner] = {}
        self.sources: dict[str, Any] = {}  # attached databases, by lower-case alias
        self.principal: Any = None  # the user from outside; None: the owner of the file
        self.session: Any = None  # of a client of the PostgreSQL protocol: its settings, its number
        self.gate: Any = None  # what a principal's statements pass (see sqlagent.serve.gate)
        self.temporary: dict[str, Any] = {}  # definitions of this connection alone, by name
        self.planned_by = 0  # the database's generation when the last plan's catalog was read
        self.redefined = False  # the open transaction changed the schema
        self.other: Any = None  # the attached database that the transaction writes
        self.wrote: str | None = None  # what the transaction wrote: '' the file, or an alias
        self.savepoints: list[str] = []  # quoted, the outermost first
        self.temporary_tables: dict[str, str] = {}  # by lower-case name, their names in the file
        self.sequences: dict[str, int] = {}  # what nextval() gave; under '' the last of all
        self.returned: dict[str, Any] = {}  # rows of parts of the WITH that runs, as tables
        # Asked first of a text: gives what runs it where it is of another system's catalog.
        self.foreign: Callable[[Connection, str], Runner | None] | None = None
        self.database = live.attach(path, read_only=read_only, timeout=timeout)
        self.database.connections.add(self)
        try:
            from sqlagent.open import prepare

            prepare(self)
        except BaseException:
            live.release(self.database)
            raise
        self.closed = False

    # Statements -----------------------------------------------------------------------------------

    def execute(self, sql: str, parameters: Any = ()) -> Cursor:
        """Run one statement; returns a cursor with its rows."""
        cursor = Cursor(self)
        try:
            runner = self.plans.get(sql)
        except TypeError:  # a list, say: planning says that it is no text
            runner = None
        try:
            if runner is None:
                runner = self._runner(sql)
            runner(self, cursor, parameters)
        except Error as error:
            self._place(error, sql)
            raise
        return cursor

    def executemany(self, sql: str, parameters: Iterable[Any]) -> Cursor:
        """Run one writing statement for each set of parameters, all in one transaction."""
        cursor = Cursor(self)
        self._run_many(cursor, sql, parameters)
        return cursor

    def executescript(self, script: str) -> Cursor:
        """Run the statements of a script one by one; the cursor is the last one's.

        Each commits by itself, unless the script says BEGIN; the first error ends it.
        """
        from sqlagent.parse.lexer import lex, statements

        self._check()
        cursor = Cursor(self)
        for part in statements(lex(script)):
            if part:
                end = part[-1].start + len(part[-1].text)
                self._run(cursor, script[part[0].start : end], ())
        return cursor

    def cursor(self) -> Cursor:
        """A new cursor."""
        self._check()
        return Cursor(self)

    def _run(self, cursor: Cursor, sql: str, parameters: Any) -> None:
        cursor._reset()
        try:
            (self.plans.get(sql) or self._runner(sql))(self, cursor, parameters)
        except Error as error:
            self._place(error, sql)
            raise

    def _place(self, error: errors.Error, sql: object) -> None:
        """Make an error speak of the user's own text."""
        if isinstance(sql, str):
            from sqlagent.run.place import placed

            placed(error, sql, self)

    def _run_many(self, cursor: Cursor, sql: str, parameters: Iterable[Any]) -> None:
        from sqlagent.run import run_many

        cursor._reset()
        self._check()
        try:
            run_many(self, cursor, sql, parameters)
        except Error as error:
            self._place(error, sql)
            raise

    def _runner(self, sql: str) -> Runner:
        """Parse, rewrite and plan a text, and keep what runs it."""
        self._check()
        if not isinstance(sql, str):
            raise ProgrammingError(f"a statement is text, not {type(sql).__name__}")
        from sqlagent.run import runner_for
        from sqlagent.run.writing import fail

        try:
            runner, keep = runner_for(self, sql)
        except BaseException:
            fail(self)
            raise
        if keep and self.planned_by == self.database.generation:
            if len(self.plans) >= PLANS_MAX:
                for old in list(self.plans)[: PLANS_MAX // 2]:
                    self.plans.pop(old, None)
            self.plans[sql] = runner
        return runner

    # Transactions ---------------------------------------------------------------------------------

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.txn is not None

    def begin(self, *, snapshot: bool = False) -> None:
        """Open a transaction, and take the writer for it; raises BusyError after the timeout.

        With `snapshot` it only reads, holds nobody up, and sees one commit throughout. Savepoints
        that were named before are made in it.
        """
        with self.txn_lock:
            if self.txn is not None:
                raise ProgrammingError(
                    "a transaction is open already", hint="Use SAVEPOINT.", sqlstate="25001"
                )
            if self.database.read_only or snapshot:
                handle = self.database.checkout()
                handle.execute("BEGIN")
                self.txn = handle
                self.snapshot = True
            else:
                self.txn = self.database.hold(self.timeout, self)
            for quoted in self.savepoints:
                self.txn.execute(f"SAVEPOINT {quoted}")
            self.txn_failed = False
            self.slowly = True
            known = self.database.known_catalog
            if known is not None and schema.version(self.txn) != known.version:
                self.database.schema_changed()

    def commit(self) -> None:
        """Make the transaction durable; does nothing where none is open."""
        self._check()
        if self.txn is not None:
            self._end("COMMIT")

    def rollback(self) -> None:
        """Undo the transaction; does nothing where none is open."""
        self._check()
        self._end("ROLLBACK")

    def held(self, name: str) -> Any:
        """The handle on the attached SQLite file `name` that the transaction writes with."""
        other = self.other
        return other.handle if other is not None and other.name == name.lower() else None

    def _end(self, verb: str) -> None:
        with self.txn_lock:
            handle = self.txn
            if handle is None or self.database.forked:
                return
            if self.txn_failed:
                verb = "ROLLBACK"
            try:
                if self.other is not None:  # first, since the file itself has then no writes
                    self.other.end(verb)
                if handle.in_transaction:
                    handle.execute(verb)
            except Exception as error:
                translated = translate(error)
                if handle.in_transaction and not isinstance(translated, BusyError):
                    handle.execute("ROLLBACK")
                if not handle.in_transaction:
                    self._let_go(handle)
                raise translated from None
            self._let_go(handle)

    def schema_changed(self) -> None:
        """Plans are made anew by all connections; in a transaction by this one, until its end."""
        self.redefined = self.txn is not None
        self.plans.clear()
        if not self.redefined:
            self.database.schema_changed()

    def _let_go(self, handle: Any) -> None:
        self.txn = self.other = self.wrote = None
        self.savepoints = []
        if self.redefined:
            self.schema_changed()
        self.txn_failed = False
        self.slowly = bool(self.settings["statement_timeout_ms"])
        handle.owner = None
        if self.snapshot:
            self.snapshot = False
            self.database.give_back(handle)
        else:
            self.database.let_go()
        for service in self.database.services.values():
            forget = getattr(service, "transaction_ended", None)
            if forget is not None:
                forget()

    # Life -----------------------------------------------------------------------------------------

    def report(self, what: str, done: int) -> None:
        """Tell whoever listens how far long work is."""
        if self.progress is not None:
            self.progress(what, done)

    def interrupt(self) -> None:
        """End what this connection's other threads are running; they get an InterruptedError."""
        for running in list(self.running.values()):
            running.interrupt()

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back. Closing twice is no error."""
        if self.closed:
            return
        try:
            self._end("ROLLBACK")
        except Error:
            pass  # what could not be rolled back is rolled back by closing
        if self.temporary_tables:
            from sqlagent.run.temporary import drop_own

            drop_own(self)
        self.closed = True
        if self.gate is not None:
            self.gate.ended()
        self.database.tell()  # who waits on this connection
        self.plans = _Closed()
        for source in self.sources.values():
            source.close()
        self.sources.clear()
        live.release(self.database)

    def _check(self) -> None:
        if self.closed:
            raise InterfaceError("the connection is closed")

    def __enter__(self) -> Connection:
        self._check()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Commit, or roll back after an exception; the connection stays open, as sqlite3's does."""
        if not self.closed:
            self._end("COMMIT" if kind is None else "ROLLBACK")

    def __del__(self) -> None:
        if not getattr(self, "closed", True):
            try:
                self.close()
            except (Error, OperationalError, ImportError, AttributeError, TypeError):
                pass  # the interpreter is going down

    def __repr__(self) -> str:
        return f"<sqlagent.Connection {self.database.path!r}{' closed' if self.closed else ''}>"


class _Closed(dict[str, Runner]):
    """The plans of a closed connection: none is found, so that planning says why."""
