"""Faults at every point of an operation: a disk that fails or is full, a statement that raises, a
kill in the middle of a write.

An operation is a list of statements. `survey` runs it on a fresh copy of a prepared file, with a
fault at its first point, then at its second, until it passes without meeting one; after each, the
file must be whole, and its rows must be those from before the operation or those from after it.

  io         a write, sync, truncation or removal of a file fails, once
  full       so does each from there on: the disk is full
  statement  a statement of the writer raises before it runs
  kill       the process is killed at a write, of which half has reached the file

Points are counted from when the file is open. The first three happen in this process, through a VFS
of SQLite that stands before its own; kills in children of a server that has nothing open.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw

KINDS = ("io", "full", "statement", "kill")
BASE = "unix"
NEVER = 1 << 60
# What tells when and how often things were looked at, or what was derived, is not compared.
UNCOMPARED = {"sqlagent_change_log", "sqlagent_erasures", "sqlagent_query_log", "sqlagent_sync"}
# Times, and what fades with time.
TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?|(?<=strength )\d\.\d+")
FULL_TEXT = ("memories_fts", "chunks_fts")


class Fault(Exception):
    """The statement that was to fail."""


class Plan:
    """At which point what happens; `met` says that it was reached."""

    def __init__(self, kind: str, at: int) -> None:
        self.kind, self.at = kind, at
        self.armed = False
        self.count = 0

    @property
    def met(self) -> bool:
        return self.count >= self.at

    def point(self, here: str, half: Callable[[], None] | None = None) -> None:
        """Something is about to happen on the disk, or a statement to run."""
        if not self.armed or (here == "statement") != (self.kind == "statement"):
            return
        self.count += 1
        if self.count < self.at or (self.count > self.at and self.kind != "full"):
            return
        if self.kind == "kill":
            if half is not None:
                half()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == "statement":
            raise Fault(f"statement {self.at}")
        if self.kind == "full":
            raise apsw.FullError("the disk is full")
        error = apsw.IOError("the disk failed")
        codes = {"sync": apsw.SQLITE_IOERR_FSYNC, "truncate": apsw.SQLITE_IOERR_TRUNCATE,
                 "delete": apsw.SQLITE_IOERR_DELETE}  # fmt: skip
        error.extendedresult = codes.get(here, apsw.SQLITE_IOERR_WRITE)
        raise error


class File(apsw.VFSFile):
    """A file that asks the plan before it changes."""

    def __init__(self, plan: Plan, name: Any, flags: list[int]) -> None:
        self.plan = plan
        super().__init__(BASE, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        write = super().xWrite
        self.plan.point("write", lambda: write(bytes(data[: len(data) // 2]), offset))
        write(data, offset)

    def xSync(self, flags: int) -> None:
        """A process that is killed loses nothing of what it wrote: no need to wait for the disk."""
        self.plan.point("sync")

    def xTruncate(self, size: int) -> None:
        self.plan.point("truncate")
        super().xTruncate(size)

    def excepthook(self, *_: Any) -> None:
        """SQLite is told; nobody else needs to be."""


class Disk(apsw.VFS):
    """SQLite's own VFS, with a plan before it; the default one while it is registered."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        super().__init__("faulty", BASE, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> File:
        return File(self.plan, name, flags)

    def xDelete(self, name: str, sync: bool) -> None:
        self.plan.point("delete")
        super().xDelete(name, sync)

    def excepthook(self, *_: Any) -> None:
        """SQLite is told; nobody else needs to be."""


@contextlib.contextmanager
def disk(plan: Plan) -> Iterator[None]:
    """Within, what is opened goes through the plan. Close it within, too."""
    vfs = Disk(plan)
    try:
        yield
    finally:
        vfs.unregister()


def operate(path: Path, statements: Sequence[str], plan: Plan, timeout: float) -> Exception | None:
    """Open the file, run the statements with the plan armed, and close it; the first error."""
    import sqlagent

    connection = sqlagent.connect(path, embedding_model="none", timeout=timeout)
    try:
        writer = connection.database.writer()
        writer.exec_trace = lambda *_: plan.point("statement") or True
        for statement in statements:
            plan.armed = True
            try:
                connection.execute(statement)
            finally:
                plan.armed = False
    except (sqlagent.Error, Fault) as error:
        return error
    finally:
        writer.exec_trace = None
        connection.close()
    return None


class Server:
    """A process that forks, for each job, a child that runs it; nothing of ours is open in it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=os.environ.copy(),
        )  # fmt: skip

    def run(self, path: Path, statements: Sequence[str], at: int) -> bool:
        """Whether the child was killed at its point `at`, rather than done before it."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps([str(path), list(statements), at]) + "\n")
        self.process.stdin.flush()
        told = self.process.stdout.readline().strip()
        assert told in ("killed", "done"), told
        return told == "killed"

    def close(self) -> None:
        """End the server."""
        self.process.kill()
        self.process.communicate()


def serve() -> None:
    """The server's loop: a job a line."""
    import sqlagent  # before the fork, so that a child need not
    from sqlagent.functions import functions

    functions()
    for line in sys.stdin:
        path, statements, at = json.loads(line)
        child = os.fork()
        if child == 0:
            plan = Plan("kill", at)
            with disk(plan):
                error = operate(Path(path), statements, plan, 5.0)
            os.write(2, f"{error}\n".encode() if error else b"")
            os._exit(1 if error else 0)
        _, status = os.waitpid(child, 0)
        signalled = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print("killed" if signalled else "done" if status == 0 else f"ended with {status}")
    del sqlagent


# What is there --------------------------------------------------------------------------------


def contents(path: Path) -> dict[str, list[str]]:
    """All rows of all tables but the derived ones: table → rows as text, in order, without times.

    Fails where the file, or its full text, is not whole.
    """
    handle = apsw.Connection(str(path))
    handle.set_busy_timeout(1000)
    try:
        assert handle.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert handle.execute("PRAGMA foreign_key_check").fetchall() == []
        for table in FULL_TEXT:
            handle.execute(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')")
        found = {}
        for (name,) in handle.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' "
            "AND name NOT LIKE 'sqlite_%'"
        ).fetchall():
            if name not in UNCOMPARED:
                rows = handle.execute(f'SELECT * FROM "{name}"').fetchall()
                found[name] = sorted(TIME.sub("time", repr(row)) for row in rows)
        return found
    finally:
        handle.close()


def copied(prepared: Path, target: Path) -> Path:
    """A fresh copy of a file that nobody has open; what is beside the last one goes."""
    for end in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{target}{end}")
    shutil.rmtree(f"{target}.d", ignore_errors=True)
    shutil.copyfile(prepared, target)
    return target


def after_all(prepared: Path, statements: Sequence[str], target: Path) -> dict[str, list[str]]:
    """The contents after the operation without a fault."""
    copied(prepared, target)
    error = operate(target, statements, Plan("io", NEVER), 30.0)
    assert error is None, error
    return contents(target)


def survey(
    prepared: Path,
    statements: Sequence[str],
    folder: Path,
    *,
    kinds: Sequence[str] = KINDS,
    step: int = 1,
    check: Callable[[Path, bool], None] | None = None,
    also: Sequence[dict[str, list[str]]] = (),
) -> int:
    """Run an operation with a fault at every `step`-th of its points; how many points.

    `check(path, done)` is the caller's own, after ours; `done` says that the rows are those from
    after the operation. `also` are contents that may be there besides those from before and after,
    of an operation of several transactions.
    """
    before, after = contents(prepared), after_all(prepared, statements, folder / "after.db")
    assert before != after, f"{statements} change nothing"
    server = Server() if "kill" in kinds else None
    target = folder / "faulty.db"
    points = 0
    try:
        for kind in kinds:
            at = 1
            while True:
                copied(prepared, target)
                error: Exception | None = None
                if kind == "kill":
                    assert server is not None
                    met = server.run(target, statements, at)
                else:
                    plan = Plan(kind, at)
                    with disk(plan):
                        error = operate(target, statements, plan, 0.0)
                    met = plan.met
                with disk(Plan("io", NEVER)):
                    found = contents(target)
                    place = f"{kind} at point {at} of {statements}"
                    assert found in (before, after, *also), f"{place}: {differences(found, after)}"
                    if not met:
                        assert error is None and found == after, f"{place}: {error}"
                        break
                    told = "is said to be done" if error is None else f"failed: {error}"
                    assert error is not None or kind == "kill" or found == after, f"{place} {told}"
                    if check is not None:
                        check(target, found == after)
                points += 1
                at += step
    finally:
        if server is not None:
            server.close()
    return points


def differences(found: dict[str, list[str]], wanted: dict[str, list[str]]) -> list[str]:
    """Which rows of which tables are not as wanted, for a message."""
    told = []
    for table in sorted(found.keys() | wanted.keys()):
        here, there = set(found.get(table, ())), set(wanted.get(table, ()))
        told += [f"{table} has {row:.200}" for row in sorted(here - there)]
        told += [f"{table} lacks {row:.200}" for row in sorted(there - here)]
    return told[:10]


if __name__ == "__main__":
    serve()
