"""Ctrl-C while a statement runs: the statement ends, the program decides what comes next."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

REPEAT_S = 0.05


class Cancel:
    """A context in which Ctrl-C interrupts the engine instead of the Python code around it.

    Python runs a signal handler only between bytecodes, and the main thread may be inside the
    engine for minutes; so a thread waits on the signal's wake-up pipe and calls `interrupt`. It
    calls again until the statement is over, because one that has not begun yet cannot be
    interrupted. A second Ctrl-C raises KeyboardInterrupt wherever the program is.

    Leaving the context by an error after Ctrl-C raises KeyboardInterrupt from it.
    """

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self.pressed = False
        self._interrupt = interrupt
        self._pipe: tuple[int, int] | None = None
        self._inside = False
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._before: tuple[Any, int] | None = None

    def __enter__(self) -> "Cancel":
        self.pressed = False
        self._over.clear()
        # SIGINT is ignored in background jobs, and handlers belong to the main thread.
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is threading.main_thread() and before != signal.SIG_IGN:
            self._inside = True
            self._before = (before, self._watch())
            signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._inside = False
        self._over.set()
        if self._before:
            handler, wakeup = self._before
            signal.signal(signal.SIGINT, handler)
            if self._pipe:
                signal.set_wakeup_fd(wakeup)
            self._before = None
        if self.pressed and isinstance(error, Exception):
            raise KeyboardInterrupt from error

    def check(self) -> None:
        """Raises KeyboardInterrupt if Ctrl-C was pressed; call it between rows."""
        if self.pressed:
            raise KeyboardInterrupt

    def close(self) -> None:
        """Ends the thread that waits for signals."""
        if self._pipe:
            os.close(self._pipe[1])  # the thread reads the end of the pipe, and closes its side
            self._pipe = None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
        if not self._pipe:
            self._interrupt()

    def _watch(self) -> int:
        """Points the wake-up pipe at our thread; returns where it pointed before."""
        if self._pipe is None:
            if os.name == "nt":
                return -1  # a wake-up pipe must be a socket there: the handler interrupts
            self._pipe = os.pipe()
            os.set_blocking(self._pipe[1], False)
            threading.Thread(target=self._wait, args=(self._pipe[0],), daemon=True).start()
        return signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)

    def _wait(self, pipe: int) -> None:
        while number := os.read(pipe, 1):
            while number[0] == signal.SIGINT and self._interrupted():
                self._over.wait(REPEAT_S)
        os.close(pipe)

    def _interrupted(self) -> bool:
        """Interrupts the statement, unless it is over: the next one must not be hit."""
        with self._lock:
            if self._inside:
                # What it reaches may end at this moment, and say so; the thread has to go on.
                with suppress(Exception):
                    self._interrupt()
            return self._inside
