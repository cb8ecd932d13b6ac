"""Threads that serve one client each for as long as it keeps them busy."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

LONG_S = 0.02
IDLE_S = 20.0  # a thread that has had nothing to do for so long ends


class Slots:
    """How many threads compute at once: more than a few only take the interpreter from each other.

    A thread that has computed for LONG_S (its statement is long, or it waits for the writer) counts
    no more, so that it holds up nobody.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._turn = threading.Condition()
        self._busy: dict[int, float] = {}  # thread: since when

    def enter(self) -> None:
        """Wait for a turn."""
        me = threading.get_ident()
        with self._turn:
            while True:
                now = time.monotonic()
                if len(self._busy) < self._most or self._most > sum(
                    now - since < LONG_S for since in self._busy.values()
                ):
                    self._busy[me] = now
                    return
                self._turn.wait(LONG_S)

    def leave(self) -> None:
        """It waits for its client now, or is done."""
        with self._turn:
            self._busy.pop(threading.get_ident(), None)
            self._turn.notify()


class Workers:
    """Runs `work(item)` in a thread that is free, or in a new one: nobody waits for another."""

    def __init__(self, work: Callable[[Any], None], name: str) -> None:
        self._work = work
        self._name = name
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._free = 0  # threads that wait, less the items that wait for them

    def submit(self, item: Any) -> None:
        """Have it worked on now."""
        with self._lock:
            new = self._free <= 0
            if not new:
                self._free -= 1
        if new:
            threading.Thread(target=self._run, args=(item,), name=self._name, daemon=True).start()
        else:
            self._queue.put(item)

    def _run(self, item: Any) -> None:
        while True:
            self._work(item)
            with self._lock:
                self._free += 1
            try:
                item = self._queue.get(timeout=IDLE_S)
            except queue.Empty:
                with self._lock:
                    if self._free > 0:
                        self._free -= 1
                        return
                item = self._queue.get()  # one was just promised to this thread
