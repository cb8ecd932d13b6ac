"""Bringing the portal up to the last commit.

A copy of the portal that is there is brought up to date, table by table, from one read transaction,
and takes its place with one rename: a client has the old one or the new one, never half of either.
(duckdb is imported when there is something to do.)
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
import stat
import time
from typing import TYPE_CHECKING, Any

from sqlagent.errors import OperationalError
from sqlagent.portal import path_of
from sqlagent.sync.scrub import erased_since

if TYPE_CHECKING:
    import duckdb

    from sqlagent.connection import Connection

MEMORY_MB = 1024
WASTE_MIN = 64  # free blocks of 256 KB, from which on more than are used have it made anew
SLACK_S = 0.02  # the clock that stamps files is coarse


def refresh(connection: Connection, *, wait: bool = True) -> bool:
    """Bring the portal of a connection's file up to the last commit; whether it was written.

    Nothing is done for a database in memory or opened read-only. With `wait=False` it is left to
    another process that is at it. Raises OperationalError where the disk fails.
    """
    database = connection.database
    folder = database.folder
    if folder is None or database.read_only:
        return False
    try:
        with _alone(folder, wait) as mine:
            return mine and _Refresh(connection, folder).run()
    except OSError as error:
        raise OperationalError(f"the portal cannot be written: {error}") from None


def remove(folder: str) -> None:
    """Remove the portal; it is made anew by the next refresh."""
    for path in (path_of(folder), *glob.glob(glob.escape(folder) + "/portal-*.tmp*")):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


@contextlib.contextmanager
def _alone(folder: str, wait: bool) -> Any:
    """Hold the lock of who writes the portal."""
    os.makedirs(folder, exist_ok=True)
    lock = os.open(os.path.join(folder, "portal.lock"), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(lock)


def _wasted(root: duckdb.DuckDBPyConnection) -> bool:
    """Whether most of the file is room that nothing uses."""
    row = root.execute("SELECT used_blocks, free_blocks FROM pragma_database_size()").fetchone()
    return row is not None and row[1] > max(WASTE_MIN, row[0])


class _Refresh:
    """One refresh, by whoever has the lock."""

    def __init__(self, connection: Connection, folder: str) -> None:
        self.connection = connection
        self.database = connection.database
        self.folder = folder
        self.target = path_of(folder)
        self.work = os.path.join(folder, f"portal-{os.getpid()}.tmp")
        self.began = 0.0
        self.seq = 0
        self.texts: dict[str, str] = {}  # tables whose values do not fit their types, and why

    def run(self) -> bool:
        from sqlagent.sync.columns import NotColumnar
        from sqlagent.sync.delta import Unsound

        self._tidy()
        try:
            fresh = True
            for _ in range(100):
                try:
                    return self._attempt(copy=fresh)
                except NotColumnar as error:
                    self.texts[error.table.lower()] = error.reason
                except Unsound:
                    fresh = False  # from nothing
            raise OperationalError("the tables keep changing what they are")
        finally:
            self._tidy()

    def _attempt(self, copy: bool) -> bool:
        import duckdb

        from sqlagent.portal.update import Update

        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.work)
        self.began = time.time() - SLACK_S
        if copy and os.path.exists(self.target):
            shutil.copyfile(self.target, self.work)
        try:
            root = self._open()
        except duckdb.Error:  # damaged, or of a newer DuckDB: it is derived
            os.unlink(self.work)
            root = self._open()
        try:
            update = Update(self.connection, root, self.texts)
            written = update.run()
            self.seq = update.seq
            if written:
                root.execute("CHECKPOINT")
            wasted = written and copy and _wasted(root)
        finally:
            root.close()
        if wasted:
            return self._attempt(copy=False)
        if written:
            self._place()
        if os.path.exists(self.target):  # as new as what it was made from, see `keeper`
            os.utime(self.target, (self.began, self.began))
        return written

    def _open(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        from sqlagent.portal.tables import SCHEMA

        spill = os.path.join(self.folder, "spill", str(os.getpid()))
        root = duckdb.connect(
            self.work,
            config={
                "threads": 1, "memory_limit": f"{MEMORY_MB}MB", "temp_directory": spill,
                "autoinstall_known_extensions": False, "autoload_known_extensions": False,
            },
        )  # fmt: skip
        try:
            root.execute(SCHEMA)
        except BaseException:
            root.close()
            raise
        return root

    def _place(self) -> None:
        """Let the new one take the old one's place; nobody writes it, and who may read the file
        may read it."""
        mode = stat.S_IMODE(os.stat(self.database.path).st_mode) & 0o444
        os.chmod(self.work, mode)
        os.replace(self.work, self.target)
        with self.database.read() as reader:
            if erased_since(reader, self.seq):  # meanwhile: the folder may be clean already
                os.unlink(self.target)

    def _tidy(self) -> None:
        for path in glob.glob(glob.escape(self.folder) + "/portal-*.tmp*"):
            with contextlib.suppress(OSError):
                os.unlink(path)
