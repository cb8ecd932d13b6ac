"""SQLite through APSW: a file, its pool of readers, and its writer.

One `Database` for each file and process (`engines.live`), shared by every connection on it. Readers
are checked out for the length of one statement; see `engines.writer` for the other half.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apsw

from sqlagent.engines.sqlite_errors import translate
from sqlagent.engines.writer import Handle, Writer
from sqlagent.errors import BusyError, InterfaceError, OperationalError

READERS_MAX = 16
CACHE_KB = 2048  # of a reader: holds the inner pages of a table of a million vectors
__all__ = ["Database", "Handle", "translate"]
_numbers = iter(range(1, 1 << 62))
_inherited: list[Any] = []


class Database(Writer):
    """A file, open in this process."""

    def __init__(self, path: str, *, read_only: bool = False, timeout: float = 30.0) -> None:
        self.memory = path == ":memory:"
        self.path = (
            f"file:/sqlagent-{os.getpid()}-{next(_numbers)}?vfs=memdb"
            if self.memory
            else os.path.abspath(path)
        )
        self.read_only = read_only
        super().__init__(timeout)
        self.users = 0
        self.closed = False
        self.forked = False  # the parent's, in a child process
        self.services: dict[str, Any] = {}  # what hangs on the file: columns, search indexes
        self.known_catalog: Any = None
        self.connections: weakref.WeakSet[Any] = weakref.WeakSet()
        self.generation = 0  # rises whenever plans that were made before no longer hold
        self.duck_settings: dict[str, Any] = {}  # what functions on DuckDB see
        self.lock = threading.RLock()
        self.pool: deque[Handle] = deque()
        self.native_pool: deque[Handle] = deque()  # readers for dialect 'sqlite'
        self._readers = 0
        self.readers_max = READERS_MAX
        self._returned = threading.Condition()
        self.synchronous = "full"
        self.waiting: set[Any] = set()  # told of every commit of this process

    @property
    def folder(self) -> str | None:
        """Where derived files are; None for a database in memory."""
        return None if self.memory else self.path + ".d"

    # Opening ------------------------------------------------------------------------------------

    def open(self, *, write: bool = False, uri: bool = False, native: bool = False) -> Handle:
        """A new connection to the file, the caller's to close.

        `uri`: it may ATTACH by URI. `native`: as `Handle.speak` says.
        """
        flags = apsw.SQLITE_OPEN_URI if self.memory or uri else 0
        if self.read_only:
            flags |= apsw.SQLITE_OPEN_READONLY
        else:
            flags |= apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        try:
            handle = Handle(self.path, flags=flags, statementcachesize=256)
            handle.set_busy_timeout(int(self.timeout * 1000))
            handle.speak(native)
            handle.execute(f"PRAGMA cache_size = -{2 * CACHE_KB if write else CACHE_KB}")
            if write:
                handle.execute(f"PRAGMA synchronous = {self.synchronous}")
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

    def checkout(self, *, within: bool = False, native: bool = False) -> Handle:
        """A reader from the pool, a new one, or one that another thread gives back.

        `within` a statement that may hold one already it never waits: two would wait for each
        other.
        """
        pool, other = self.pool, self.native_pool
        if native:
            pool, other = other, pool
        try:
            return pool.pop()
        except IndexError:
            pass
        with self._returned:
            self.check_open()
            if within or self._readers < self.readers_max:
                self._readers += 1
            else:
                end = time.monotonic() + self.timeout
                while True:
                    try:
                        return pool.pop()
                    except IndexError:
                        pass
                    try:  # idle in the other dialect: it learns this one
                        handle = other.pop()
                        handle.speak(native)
                        return handle
                    except IndexError:
                        self._returned.wait(0.01)
                        if time.monotonic() > end:
                            raise BusyError(
                                f"all {self.readers_max} readers are in use",
                                hint="Fetch or close the cursors that are still open.",
                            ) from None
        try:
            return self.open(native=native)
        except BaseException:
            with self._returned:
                self._readers -= 1
            raise

    def give_back(self, handle: Handle) -> None:
        """Return a reader to the pool, which keeps so many as may be in use."""
        handle.owner = None
        if self.closed or self._readers > self.readers_max:
            with self._returned:
                self._readers -= 1
            handle.close()
        else:
            (self.native_pool if handle.native else self.pool).append(handle)

    @contextmanager
    def read(self, *, native: bool = False) -> Iterator[Handle]:
        """A pooled reader, not in a transaction."""
        handle = self.checkout(within=True, native=native)
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

    def schema_changed(self) -> None:
        """Every connection of the process plans anew: the file's schema is another."""
        self.generation += 1
        self.known_catalog = None
        for connection in list(self.connections):
            connection.plans.clear()

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
        _inherited.append((self.pool, self.native_pool, self._writer, self.services))
        self.pool, self.native_pool, self._writer, self.services = deque(), deque(), None, {}
        self.lock, self._writing = threading.RLock(), threading.Lock()
        self._returned = threading.Condition()
        self.closed = self.forked = True

    def close(self) -> None:
        """Close every connection to the file; the last one of the process folds the WAL in."""
        if self.forked:
            return
        with self._returned:
            self.closed = True
        self.tell()
        for service in list(self.services.values()):
            service.close()
        self.services.clear()
        for pool in (self.pool, self.native_pool):
            while pool:
                pool.pop().close()
        with self._writing:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        self._wake_next()  # who began to wait just now is to hear that it is closed

    # Guarding -----------------------------------------------------------------------------------

    def protected(self, path: str) -> str | None:
        """The live SQLite file of this process that a path or glob would open, or None.

        A second SQLite library, or any descriptor of ours that is closed, drops POSIX locks.
        """
        from sqlagent.engines.live import protected

        return protected(path)
