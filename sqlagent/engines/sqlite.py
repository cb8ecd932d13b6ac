"""SQLite through APSW: the file, a pool of readers, and one writer with group commit.

One `Database` for each file and process, shared by every connection on it. Readers are checked out
for the length of one statement. Writers queue: whoever finds the writer free leads, runs all that
waits in one transaction, commits once, and wakes the others (leader and followers), so a lone
client pays no hand-over and a hundred share one fsync. A user's transaction holds the writer until
it ends.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent.engines.sqlite_errors import translate
from sqlagent.errors import BusyError, Error, InterfaceError, OperationalError

READERS_MAX = 16
BATCH_MAX = 256
CHECKPOINT_PAGES = 4000  # 16 MB: pages that change often are copied home less often
CACHE_KB = 2048  # of a reader: holds the inner pages of a table of a million vectors
__all__ = ["Database", "Handle", "attach", "protected", "release", "translate"]
_numbers = iter(range(1, 1 << 62))
_live: dict[str, Database] = {}
_live_lock = threading.Lock()
_inherited: list[Any] = []


class Handle(apsw.Connection):
    """An APSW connection with what we keep beside it."""

    if TYPE_CHECKING:

        def execute(self, *arguments: Any, **named: Any) -> Any: ...
        def executemany(self, *arguments: Any, **named: Any) -> Any: ...

    functions_ready = False
    owner: Any = None
    seen = 0  # SQLite's data_version when the schema was last looked at


class Ticket:
    """A piece of work that waits for the writer."""

    __slots__ = ("done", "error", "finished", "result", "timeout", "work")

    def __init__(self, work: Callable[[Handle], Any], timeout: float) -> None:
        self.work = work
        self.timeout = timeout
        self.done = threading.Lock()
        self.done.acquire()
        self.finished = False
        self.result: Any = None
        self.error: BaseException | None = None


class Database:
    """A file, open in this process."""

    def __init__(self, path: str, *, read_only: bool = False, timeout: float = 30.0) -> None:
        self.memory = path == ":memory:"
        self.path = (
            f"file:/sqlagent-{os.getpid()}-{next(_numbers)}?vfs=memdb"
            if self.memory
            else os.path.abspath(path)
        )
        self.read_only = read_only
        self.timeout = timeout
        self.users = 0
        self.closed = False
        self.forked = False  # the parent's, in a child process
        self.services: dict[str, Any] = {}  # what hangs on the file: columns, search indexes
        self.known_catalog: Any = None
        self.duck_settings: dict[str, Any] = {}  # what functions on DuckDB see
        self.lock = threading.RLock()
        self._busy = BusyWait(timeout)
        self._writer: Handle | None = None
        self._writing = threading.Lock()
        self._queue: deque[Ticket] = deque()
        self.pool: deque[Handle] = deque()
        self._readers = 0
        self._returned = threading.Condition()
        self.synchronous = "full"
        self.held = False  # a user's transaction has the writer

    @property
    def folder(self) -> str | None:
        """Where derived files are; None for a database in memory."""
        return None if self.memory else self.path + ".d"

    # Opening ------------------------------------------------------------------------------------

    def open(self, *, write: bool = False) -> Handle:
        """A new connection to the file, the caller's to close."""
        flags = apsw.SQLITE_OPEN_URI if self.memory else 0
        if self.read_only:
            flags |= apsw.SQLITE_OPEN_READONLY
        else:
            flags |= apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        try:
            handle = Handle(self.path, flags=flags, statementcachesize=256)
            handle.set_busy_timeout(int(self.timeout * 1000))
            handle.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
            handle.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 0)
            handle.execute(f"PRAGMA cache_size = -{2 * CACHE_KB if write else CACHE_KB}")
            handle.execute("PRAGMA case_sensitive_like = ON")
            if write:
                handle.execute(f"PRAGMA synchronous = {self.synchronous}")
                handle.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}").fetchall()
                handle.execute("PRAGMA foreign_keys = ON").fetchall()
            elif not self.read_only and not self.memory:
                handle.execute("PRAGMA query_only = ON")
        except apsw.Error as error:
            raise translate(error) from None
        return handle

    def writer(self) -> Handle:
        """The writer's connection; only for whoever holds the writer."""
        if self._writer is None:
            self.check_open()
            if self.read_only:
                raise OperationalError(
                    "the connection is read-only", sqlstate="25006",
                    hint="Connect without read_only=True to write.",
                )  # fmt: skip
            self._writer = self.open(write=True)
            self._writer.set_busy_handler(self._busy)
        return self._writer

    # Reading ------------------------------------------------------------------------------------

    def checkout(self, *, within: bool = False) -> Handle:
        """A reader from the pool, a new one, or one that another thread gives back.

        `within` a statement that may hold one already it never waits: two would wait for each
        other.
        """
        try:
            return self.pool.pop()
        except IndexError:
            pass
        with self._returned:
            self.check_open()
            if within or self._readers < READERS_MAX:
                self._readers += 1
            else:
                end = time.monotonic() + self.timeout
                while True:
                    try:
                        return self.pool.pop()
                    except IndexError:
                        self._returned.wait(0.01)
                        if time.monotonic() > end:
                            raise BusyError(
                                f"all {READERS_MAX} readers are in use",
                                hint="Fetch or close the cursors that are still open.",
                            ) from None
        try:
            return self.open()
        except BaseException:
            with self._returned:
                self._readers -= 1
            raise

    def give_back(self, handle: Handle) -> None:
        """Return a reader to the pool, which keeps so many as may be in use."""
        handle.owner = None
        if self.closed or self._readers > READERS_MAX:
            with self._returned:
                self._readers -= 1
            handle.close()
        else:
            self.pool.append(handle)

    @contextmanager
    def read(self) -> Iterator[Handle]:
        """A pooled reader, not in a transaction."""
        handle = self.checkout(within=True)
        try:
            yield handle
        finally:
            if handle.in_transaction:
                handle.execute("ROLLBACK")
            self.give_back(handle)

    @contextmanager
    def snapshot(self) -> Iterator[Handle]:
        """A reader in a read transaction: all its statements see the same commit.

        A database in memory has one lock for all, so there a transaction reads with its own handle.
        """
        if self.memory and self.held and self._writer is not None:
            yield self._writer
            return
        with self.read() as handle:
            handle.execute("BEGIN")
            yield handle

    # Writing ------------------------------------------------------------------------------------

    def write(self, work: Callable[[Handle], Any], timeout: float | None = None) -> Any:
        """Run `work(connection)` in a durable transaction, alone or with others; its result.

        An error in it undoes what it did and is raised here; the others of its batch are not
        touched.
        """
        ticket = Ticket(work, self.timeout if timeout is None else timeout)
        self._queue.append(ticket)
        deadline = time.monotonic() + ticket.timeout
        while not ticket.finished:
            if self._writing.acquire(blocking=False):
                try:
                    if not ticket.finished:
                        self._lead()
                finally:
                    self._writing.release()
                    self._wake_next()
                continue
            try:
                woken = ticket.done.acquire(timeout=max(0.0, deadline - time.monotonic()))
            except BaseException:  # Ctrl-C: what no leader has taken yet is not run
                self._withdraw(ticket)
                raise
            if not woken:
                if not self._withdraw(ticket):
                    ticket.done.acquire()  # a leader has it: its outcome is near
                    continue
                raise BusyError(
                    f"the writer was busy for {self.timeout:g} s",
                    hint="Another connection of this process holds a transaction open.",
                )
        if ticket.error is not None:
            raise ticket.error
        return ticket.result

    def _withdraw(self, ticket: Ticket) -> bool:
        try:
            self._queue.remove(ticket)
        except ValueError:
            return False
        return True

    def _wake_next(self) -> None:
        """Wake the first that waits: it leads next, unless somebody was faster."""
        try:
            self._queue[0].done.release()
        except (IndexError, RuntimeError):  # nobody waits, or it is awake already
            pass

    def _lead(self) -> None:
        """Run what waits as one transaction."""
        batch: list[Ticket] = []
        try:
            while len(batch) < BATCH_MAX:
                batch.append(self._queue.popleft())
        except IndexError:
            pass
        if not batch:
            return
        failure: BaseException | None = None
        ran: list[Ticket] = []
        try:
            writer = self.writer()
            self._busy.timeout = max(ticket.timeout for ticket in batch)
            writer.execute("BEGIN IMMEDIATE")
            alone = len(batch) == 1
            for ticket in batch:
                if not alone:
                    writer.execute("SAVEPOINT one")
                try:
                    ticket.result = ticket.work(writer)
                    ran.append(ticket)
                except BaseException as error:
                    ticket.error = error
                    ran.append(ticket)
                    if alone:
                        raise
                    if not writer.in_transaction:  # an interrupt, a full disk: all is undone
                        batch = self._put_back(batch, ran)
                        raise
                    writer.execute("ROLLBACK TO one")
                if not alone:
                    writer.execute("RELEASE one")
            writer.execute("COMMIT")
        except BaseException as error:
            failure = error
            if self._writer is not None and self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        for ticket in batch:
            if failure is not None and ticket.error is None:
                ticket.result, ticket.error = None, self._lost(failure)
            elif ticket.error is not None:
                ticket.error = translate(ticket.error)
            ticket.finished = True
            try:
                ticket.done.release()
            except RuntimeError:  # the leader's own, or woken already
                pass

    def _put_back(self, batch: list[Ticket], ran: list[Ticket]) -> list[Ticket]:
        """What had not run yet waits on; what had is lost, and says so. Returns the latter."""
        self._queue.extendleft(t for t in reversed(batch) if t not in ran)
        for ticket in ran:
            if ticket.error is None:
                ticket.error = OperationalError(
                    "the write was undone: another that shared its commit was stopped",
                    hint="Run it again.", sqlstate="40001",
                )  # fmt: skip
        return ran

    @staticmethod
    def _lost(failure: BaseException) -> BaseException:
        error = translate(failure)
        if isinstance(error, Error):  # each waiter raises its own
            return type(error)(
                error.message, detail=error.detail, hint=error.hint, sqlstate=error.sqlstate
            )
        return error

    def hold(self, timeout: float | None = None) -> Handle:
        """Take the writer for a transaction of several statements, and begin it."""
        if not self._writing.acquire(timeout=self.timeout if timeout is None else timeout):
            raise BusyError(
                f"the writer was busy for {self.timeout:g} s",
                hint="Another connection of this process holds a transaction open.",
            )
        try:
            writer = self.writer()
            self._busy.timeout = self.timeout if timeout is None else timeout
            writer.execute("BEGIN IMMEDIATE")
            self.held = True
            return writer
        except BaseException as error:
            self._writing.release()
            self._wake_next()
            raise translate(error) from None

    def hold_bare(self) -> Handle:
        """Take the writer without beginning a transaction; `let_go` gives it back."""
        if not self._writing.acquire(timeout=self.timeout):
            raise BusyError(f"the writer was busy for {self.timeout:g} s")
        try:
            return self.writer()
        except BaseException:
            self.let_go()
            raise

    def let_go(self) -> None:
        """Give the writer back after COMMIT or ROLLBACK."""
        self.held = False
        self._writing.release()
        self._wake_next()

    # Ending -------------------------------------------------------------------------------------

    def check_open(self) -> None:
        """Raise InterfaceError where the database is closed, or is the parent's."""
        if self.forked:
            raise InterfaceError(
                "the connection was opened before a fork",
                hint="Open one in each process: SQLite's locks do not go over a fork.",
            )
        if self.closed:
            raise InterfaceError("the connection is closed")

    def disown(self) -> None:
        """In a child process: the parent's connections are not used here, and never closed."""
        _inherited.append((self.pool, self._writer, self.services))
        self.pool, self._writer, self.services = deque(), None, {}
        self.lock, self._writing = threading.RLock(), threading.Lock()
        self._returned = threading.Condition()
        self.closed = self.forked = True

    def close(self) -> None:
        """Close every connection to the file; the last one of the process folds the WAL in."""
        if self.forked:
            return
        with self._returned:
            self.closed = True
        for service in list(self.services.values()):
            service.close()
        self.services.clear()
        while self.pool:
            self.pool.pop().close()
        with self._writing:
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    # Guarding -----------------------------------------------------------------------------------

    def protected(self, path: str) -> str | None:
        """The live SQLite file of this process that a path or glob would open, or None.

        A second SQLite library, or any descriptor of ours that is closed, drops POSIX locks.
        """
        return protected(path)


class BusyWait:
    """A busy handler that waits in short, growing, uneven steps until the timeout."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.since = 0.0

    def __call__(self, tries: int) -> bool:
        now = time.monotonic()
        if tries == 0:
            self.since = now
        if now - self.since > self.timeout:
            return False
        step = min(0.02, 0.0002 * 2 ** min(tries, 7))
        time.sleep(step * (0.5 + (hash((now, tries)) & 1023) / 1024))
        return True


def protected(path: str) -> str | None:
    """See `Database.protected`; for every file that this process has open."""
    text = path[7:] if path.startswith("file://") else path.removeprefix("file:")
    text = os.path.expanduser(text.split("?")[0]) if path.startswith("file:") else path
    import glob

    names = [text]
    if glob.has_magic(text):
        names += glob.glob(text, recursive=True)
    for name in names:
        try:
            seen = os.stat(name)
        except (OSError, ValueError):
            continue
        for database in list(_live.values()):
            for suffix in ("", "-wal", "-shm"):
                try:
                    own = os.stat(database.path + suffix)
                except OSError:
                    continue
                if (own.st_dev, own.st_ino) == (seen.st_dev, seen.st_ino):
                    return database.path
    return None


def attach(path: str, *, read_only: bool, timeout: float) -> Database:
    """The process's Database for a file, made at the first use; `release` undoes it."""
    if path == ":memory:":
        database = Database(path, timeout=timeout)
        database.users = 1
        return database
    real = os.path.realpath(path)
    key = f"{real}{'?ro' if read_only else ''}"
    with _live_lock:
        found = _live.get(key)
        if found is None:
            found = Database(real, read_only=read_only, timeout=timeout)
            _live[key] = found
        found.users += 1
        return found


def release(database: Database) -> None:
    """A connection is done with the file; the last one closes it."""
    with _live_lock:
        database.users -= 1
        if database.users > 0:
            return
        for key, value in list(_live.items()):
            if value is database:
                del _live[key]
    database.close()


def _forked() -> None:
    """In a child process: nothing that the parent has open is the child's."""
    global _live_lock
    _live_lock = threading.Lock()
    for database in _live.values():
        database.disown()
    _live.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
