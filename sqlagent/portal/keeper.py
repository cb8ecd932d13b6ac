"""Keeping the portal fresh while a file is open: a thread that looks, a process that writes.

The thread compares the times of files, nothing else, so it costs nothing. Where the file is newer
than the portal it starts `python -m sqlagent.portal FILE`, at a low priority: this process needs
neither DuckDB for it nor its own interpreter's time. However many processes have a file open, one
writes at a time, and none more often than the interval, nor for more than a fiftieth of the time.
With `portal = 'auto'` it follows a portal that is there, and makes none.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING

from sqlagent.portal import path_of

if TYPE_CHECKING:
    import subprocess

    from sqlagent.engines.sqlite import Database

END_S = 10.0  # how long a process that writes may take to end
SHARE = 50  # times as long as the last refresh took, until the next


def keep(database: Database) -> None:
    """Look after the portal of a file until it is closed."""
    if database.memory or database.read_only or "portal" in database.services:
        return
    with database.lock:
        if "portal" not in database.services:
            database.services["portal"] = Keeper(database)


class Keeper:
    """The thread of one open file."""

    def __init__(self, database: Database) -> None:
        self._database = weakref.ref(database)
        self._path = database.path
        self._closed = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._look, name="sqlagent-portal", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No more looks. A process that writes is ended: what it made so far is not in place, and
        whoever closes a file may want to remove its folder."""
        self._closed.set()
        process = self._process
        if process is not None:
            process.terminate()
            _wait(process.pid)

    def _look(self) -> None:
        pause_s = self._interval_s()
        while not self._closed.wait(pause_s or 1.0):
            pause_s = self._interval_s()
            if pause_s and stale(self._path):
                began = time.monotonic()
                if not self._write():
                    return  # no process can be started here
                pause_s = max(pause_s, SHARE * (time.monotonic() - began))

    def _interval_s(self) -> float:
        """The shortest interval that a connection sets; 0 where none wants a portal."""
        database = self._database()
        if database is None:
            return 0.0
        try:
            settings = [c.settings for c in list(database.connections)]
        except RuntimeError:  # one was opened or closed while they were listed
            return 1.0
        follow = ("on", "auto") if os.path.exists(path_of(self._path + ".d")) else ("on",)
        wanted = [s["portal_interval_ms"] / 1000 for s in settings if s["portal"] in follow]
        return min(filter(None, wanted), default=0.0)

    def _write(self) -> bool:
        """Have another process bring the portal up to date; whether it could be started."""
        self._process = _started(self._path)
        if self._process is None:
            return False
        if self._closed.is_set():
            self._process.terminate()
        self._process.wait()
        self._process = None
        return True


def stale(path: str) -> bool:
    """Whether a file was written after its portal was."""
    newest = 0.0
    for name in (path, path + "-wal"):
        with contextlib.suppress(OSError):
            newest = max(newest, os.stat(name).st_mtime)
    try:
        return os.stat(path_of(path + ".d")).st_mtime < newest
    except OSError:
        return newest > 0


def _started(path: str) -> subprocess.Popen[bytes] | None:
    """A process that brings the portal up to date; None where none can be started."""
    import subprocess  # not before it is needed: connect() is to be quick

    import sqlagent

    above = os.path.dirname(os.path.dirname(os.path.abspath(sqlagent.__file__)))
    places = [above, *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "sqlagent.portal", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(places)},
        )
    except (OSError, ValueError):
        return None


def _wait(pid: int) -> None:
    """Wait until a process of ours has ended, not by `Popen.wait`: the thread that waits so holds
    its lock, and at the end of the interpreter, where threads stand still, never gives it back."""
    end = time.monotonic() + END_S
    while time.monotonic() < end:
        try:
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
                return
        except ChildProcessError:  # the thread has seen it end
            return
        time.sleep(0.002)
