"""Locks among processes and threads: of files of their own in the derived folder, never of the live
file, whose locks SQLite would lose."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlagent.errors import BusyError

STEP_S = 0.002


@contextmanager
def locked(folder: str, name: str, kind: int, timeout_s: float, *, create: bool) -> Iterator[None]:
    """Hold the lock `name`.lock of a folder, shared or alone (fcntl.LOCK_SH or LOCK_EX).

    Raises BusyError after the timeout, and OSError where the file is not there and cannot be made.
    """
    end = time.monotonic() + timeout_s
    file = taken(folder, name, kind, create)
    while file is None:
        if time.monotonic() > end:
            raise BusyError(
                f"a Lance dataset was busy for {timeout_s:g} s",
                hint="Another process writes it; SET vector_engine = 'auto' searches without it.",
            )
        time.sleep(STEP_S)
        file = taken(folder, name, kind, create)
    try:
        yield
    finally:
        os.close(file)


def taken(folder: str, name: str, kind: int, create: bool) -> int | None:
    """A descriptor that holds the lock; None where somebody else does."""
    flags = os.O_RDONLY
    if create:
        os.makedirs(folder, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT
    path = os.path.join(folder, name + ".lock")
    file = os.open(path, flags, 0o666)
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
        # The folder may have been deleted since: a lock on what is no more locks nobody out.
        if os.path.samestat(os.fstat(file), os.stat(path)):
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(file)
        raise
    os.close(file)
    return None
