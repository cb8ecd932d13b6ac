"""Leaving no byte of what was erased: in the file, its write-ahead log, or anything derived.

An erasure deletes rows, and writes down in `sqlagent_erasures` what has still to be done to the
files. The steps are done here, in their order, after that commit; each is written down as done, so
that whoever opens the file after a crash goes on with what is left. All of them are of the whole
file: one run finishes every erasure that was there when it began.

  text   the full text is made anew: FTS5 keeps the words of a deleted row until a merge
  file   VACUUM: no page, free page or slack of a page holds a deleted or an overwritten row
  log    the write-ahead log is moved into the file and cut to nothing
  folder what is derived on disk goes: it is made anew when it is wanted
  spill  what DuckDB spilled goes, where its process has ended
  copies the copies that were made before upgrades go, where that was asked for
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent import clock
from sqlagent.engines.sqlite_errors import translate
from sqlagent.errors import BusyError, Error
from sqlagent.sync import leftovers

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database, Handle

    Around = Callable[[Handle], AbstractContextManager[None]]

STEPS = ("text", "file", "log", "folder", "spill", "copies")
# VACUUM leaves no page of the full text that was, and the log none of the file that was.
AFTER = {"file": ("text",), "log": ("text", "file")}
OPEN = """
SELECT erasure_id, pending FROM sqlagent_erasures WHERE finished_at IS NULL ORDER BY erasure_id
"""
FULL_TEXT = ("memories_fts", "chunks_fts")
WAIT_S = 0.01
ATTEMPT_S = 0.05
ALONE = fcntl.LOCK_EX


def _as_it_is(_: Handle) -> AbstractContextManager[None]:
    return nullcontext()


class Left(Exception):
    """A step that cannot be finished now, and why."""


class Scrub:
    """One run over what is pending. `files` are those that it rewrote or removed."""

    def __init__(
        self,
        database: Database,
        timeout_s: float,
        around: Around = _as_it_is,
    ) -> None:
        self.database = database
        self.timeout_s = timeout_s  # how long a step waits for others
        self.around = around  # makes long work of a handle reachable by interrupt()
        self.end = time.monotonic() + timeout_s
        self.files: list[str] = []
        self.left: dict[str, str] = {}

    def run(self) -> None:
        """Do all that is pending, as far as can be. Raises nothing for what the disk does."""
        try:
            with self.alone():
                with self.database.read() as handle:
                    rows = handle.execute(OPEN).fetchall()
                wanted = {step for _, pending in rows for step in json.loads(pending)}
                for step in STEPS:
                    if step in wanted and (before := self.left.keys() & set(AFTER.get(step, ()))):
                        self.left[step] = f"it comes after {', '.join(sorted(before))}"
                    elif step in wanted:
                        self.step(step, rows[-1][0])
                if rows:
                    self.database.write(lambda handle: finished(handle, rows[-1][0]), self.rest())
        except (Left, apsw.Error, Error, OSError) as error:
            self.left.setdefault("rest", str(translate(error)))

    def step(self, step: str, newest: int) -> None:
        """One step, written down as done; where it cannot be done, `left` says why."""
        work: dict[str, Callable[[], None]] = {
            "text": self.text, "file": self.file, "log": self.log, "folder": self.folder,
            "spill": self.spill, "copies": self.copies,
        }  # fmt: skip
        self.end = time.monotonic() + self.timeout_s
        try:
            work[step]()
            self.database.write(lambda handle: done(handle, step, newest), self.rest())
        except (Left, apsw.Error, Error, OSError) as error:
            self.left[step] = str(translate(error))

    def rest(self) -> float:
        """How many seconds the step may still wait."""
        return max(0.0, self.end - time.monotonic())

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock of those who scrub the file; Left where another does."""
        from sqlagent.engines.lance_lock import taken

        folder, lock = self.database.folder, None
        while folder is not None:
            try:
                lock = taken(folder, "erase", ALONE, True)
            except OSError:  # no folder can be made: two that scrub do no harm, but for the time
                break
            if lock is not None:
                break
            if not self.rest():
                raise Left("another process is at it")
            time.sleep(WAIT_S)
        try:
            yield
        finally:
            if lock is not None:
                os.close(lock)

    # The file -----------------------------------------------------------------------------------

    def text(self) -> None:
        """Make the full text anew from the texts that it keeps."""

        def work(handle: Handle) -> None:
            with self.around(handle):
                for table in FULL_TEXT:
                    handle.execute(f"INSERT INTO {table} ({table}) VALUES ('rebuild')")

        self.database.write(work, self.rest())

    def file(self) -> None:
        """VACUUM; it may give new rowids to rows of tables that have no INTEGER PRIMARY KEY."""
        with self.writer() as handle:
            handle.execute("VACUUM").fetchall()
        self.database.schema_changed()
        if not self.database.memory:
            self.files.append(os.path.basename(self.database.path))

    def log(self) -> None:
        """Move the write-ahead log into the file, and cut it to no length."""
        if self.database.memory:
            return
        while not self.cut():
            if not self.rest():
                raise Left("another connection still reads an older state, or writes")
            time.sleep(WAIT_S)
        self.files.append(os.path.basename(self.database.path) + "-wal")

    def cut(self) -> bool:
        """Try it for a moment: nobody can write while SQLite waits for those who read."""
        try:
            with self.writer(ATTEMPT_S) as handle:
                if handle.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                    raise Left("another client took the file out of its journal mode, WAL")
                handle.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            return True
        except (apsw.BusyError, apsw.LockedError, BusyError):
            return False

    @contextmanager
    def writer(self, most_s: float = float("inf")) -> Iterator[Handle]:
        """The writer without a transaction; it waits no longer than the step may."""
        handle = self.database.hold_bare(min(most_s, self.rest()))
        try:
            with self.around(handle):
                yield handle
        finally:
            self.database.let_go()

    # Beside the file ----------------------------------------------------------------------------

    def folder(self) -> None:
        """Remove what is derived on disk, of this process and of others, live or dead."""
        leftovers.derived(self.database, self.remove)

    def spill(self) -> None:
        """Remove what dead processes have spilled; Left where a live one still has some."""
        live = leftovers.spilled(self.database, self.remove)
        if live:
            raise Left(f"DuckDB has spilled to disk in process {', '.join(live)}, which still runs")

    def copies(self) -> None:
        """Remove the copies that were made before the file was upgraded."""
        for path in leftovers.copies(self.database):
            self.remove(path)

    def remove(self, path: str) -> None:
        """Remove a file, and note its name as seen from the folder of the file itself."""
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISREG(os.lstat(path).st_mode):
                os.unlink(path)
                top = os.path.dirname(self.database.path)
                self.files.append(os.path.relpath(path, top))


def done(handle: Handle, step: str, newest: int) -> None:
    """A step is done for all erasures up to the newest that was there when it began."""
    handle.execute(
        "UPDATE sqlagent_erasures SET pending = (SELECT json_group_array(value) "
        "FROM json_each(pending) WHERE value <> ?) WHERE finished_at IS NULL AND erasure_id <= ?",
        (step, newest),
    )


def finished(handle: Handle, newest: int) -> None:
    """Erasures of which nothing is pending are over."""
    handle.execute(
        "UPDATE sqlagent_erasures SET finished_at = ? "
        "WHERE finished_at IS NULL AND erasure_id <= ? AND json_array_length(pending) = 0",
        (clock.now(), newest),
    )


def pending(handle: Handle) -> bool:
    """Whether an erasure is not over."""
    return handle.execute(OPEN).fetchone() is not None


def scrub(
    database: Database,
    timeout_s: float,
    around: Around = _as_it_is,
) -> Scrub:
    """Finish what is pending; what could not be is in `left` of the result."""
    run = Scrub(database, timeout_s, around)
    run.run()
    return run


def erased_since(handle: Any, seq: int) -> bool:
    """Whether rows were erased after a place in the change log: what was derived then may hold
    them. Never in a file that is not ours."""
    ours = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'sqlagent_erasures'"
    later = "SELECT 1 FROM sqlagent_erasures WHERE log_seq > ?"
    return bool(handle.execute(ours).fetchone() and handle.execute(later, (seq,)).fetchone())
