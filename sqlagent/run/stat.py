"""How often and how fast statements of one shape ran on one engine. Imports next to nothing."""

from __future__ import annotations

import time
from collections import deque

SAMPLES = 5  # the newest times, whose median counts
OFTEN = 64  # a statement that takes less than SLOW_MS is timed every 64th time
SLOW_MS = 1.0
POINT_MS = 0.4  # less than any statement takes on DuckDB
NEVER = 1 << 62


class Stat:
    """Runs of one shape on one engine. `due`: the count of calls at which the next is timed."""

    __slots__ = ("at", "best", "calls", "due", "flushed", "rows", "samples", "timed", "untimed")

    def __init__(self) -> None:
        self.calls = 0
        self.due = 1
        self.samples: deque[float] = deque(maxlen=SAMPLES)  # ms
        self.timed = 0
        self.rows = 0  # of the newest run that was timed
        self.best = float("inf")  # ms
        self.at = ""
        self.flushed = (0, 0)  # calls and timed as they were at the last flush
        self.untimed = 0.0  # ms of timed runs since the last flush

    @property
    def usual(self) -> float | None:
        """Milliseconds of a usual run; None before the first was timed.

        Of two it is the faster one: the first run on an engine is cold, and must not weigh more.
        """
        return sorted(self.samples)[(len(self.samples) - 1) // 2] if self.samples else None

    def took(self, milliseconds: float, rows: int) -> None:
        """A run was timed (its call is counted elsewhere)."""
        self.samples.append(milliseconds)
        self.timed += 1
        self.rows = rows
        self.best = min(self.best, milliseconds)
        self.untimed += milliseconds
        self.due = self.calls + (1 if milliseconds >= SLOW_MS else OFTEN)

    def forget(self) -> None:
        """Its times are no longer true."""
        self.samples.clear()


UNCOUNTED = Stat()  # of statements inside others
UNCOUNTED.due = NEVER


def quick(stat: Stat) -> bool:
    """Whether all its newest runs took less than any statement does on DuckDB."""
    return len(stat.samples) > 1 and max(stat.samples) < POINT_MS


def now_ms() -> float:
    """A clock for durations, in milliseconds."""
    return 1000 * time.perf_counter()
