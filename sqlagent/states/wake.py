"""What a wait sleeps on: told by this process, and woken by writes of others where that can be.

On Linux the kernel says when the write-ahead log is written (inotify); elsewhere, and for a
database in memory, one looks at short intervals.
"""

from __future__ import annotations

import os
import sys
import threading

LOOK_S = 0.015  # between two looks where nothing tells of other processes
REST_S = 0.25  # where something does: only in case that it did not
ALERT_S = 0.25  # after a write, how long the commit that it belongs to is looked for closely
STEPS_S = (0.001, 0.001, 0.002, 0.002, 0.004, 0.004, 0.008, 0.01)
_IN_MODIFY, _IN_NONBLOCK, _IN_CLOEXEC = 0x2, 0o4000, 0o2000000


class Told:
    """Set by this process alone."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Wake the waiter."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Sleep until it is set, at the most so long; whether it was."""
        found = self._event.wait(max(0.0, min(seconds, LOOK_S)))
        self._event.clear()
        return found

    def close(self) -> None:
        """Nothing is held."""


class Written:
    """Set by this process, and woken by every write of a file; raises OSError where that is not to
    be had."""

    def __init__(self, path: str) -> None:
        import ctypes
        import select

        libc = ctypes.CDLL(None, use_errno=True)
        self._lock = threading.Lock()  # a descriptor that is closed may be another's at once
        self._closed = False
        self._files = libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
        if self._files < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        if libc.inotify_add_watch(self._files, os.fsencode(path), _IN_MODIFY) < 0:
            number = ctypes.get_errno()
            os.close(self._files)
            raise OSError(number, "inotify_add_watch")
        self._own = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._files, select.POLLIN)
        self._poll.register(self._own, select.POLLIN)
        self._step = len(STEPS_S)
        self._alert_s = 0.0

    def set(self) -> None:
        """Wake the waiter."""
        with self._lock:
            if not self._closed:
                os.eventfd_write(self._own, 1)

    def wait(self, seconds: float) -> bool:
        """Sleep until it is set or the file is written, at the most so long; whether it was set.

        A write comes before its commit: for a while after one the sleeps are short.
        """
        alert = self._alert_s > 0
        step = STEPS_S[min(self._step, len(STEPS_S) - 1)] if alert else REST_S
        step = max(0.0, min(step, seconds))
        found = {fd for fd, _ in self._poll.poll(1000 * step)}
        self._step, self._alert_s = self._step + 1, self._alert_s - step
        if self._files in found:
            os.read(self._files, 65536)
            self._alert_s = ALERT_S
            if not alert:
                self._step = 0
        if self._own in found:
            os.eventfd_read(self._own)
        return self._own in found

    def close(self) -> None:
        """Give the descriptors back."""
        with self._lock:
            self._closed = True
            os.close(self._own)
            os.close(self._files)


def waker(path: str | None) -> Told | Written:
    """What to sleep on for the commits to a file; None for a database in memory."""
    if path is not None and sys.platform == "linux":
        try:
            return Written(path + "-wal")
        except (OSError, AttributeError):  # no more watches, another libc
            pass
    return Told()
