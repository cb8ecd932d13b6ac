"""What a figure is given, and what it reports."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, NamedTuple


class WrongAnswer(AssertionError):
    """What was measured did not do its work: its figure counts for nothing."""


class Line(NamedTuple):
    """One measured value. `reach` is what it should be, `peer` what stands beside it, same unit."""

    figure: str
    what: str
    measured: float
    unit: str = ""
    reach: float | None = None
    at_least: bool = False  # higher is better
    beside: str = ""
    peer: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether it is within its reach; None where it has none."""
        if self.reach is None:
            return None
        return self.measured >= self.reach if self.at_least else self.measured <= self.reach

    @property
    def times(self) -> float | None:
        """The measured value as a multiple of the peer's."""
        return self.measured / self.peer if self.peer else None


class Bench:
    """A run of one figure: its size, its folder, its lines.

    `folder` is this figure's own; `shared` holds what several figures of a run load once; `options`
    are those of the command line that single figures take.
    """

    def __init__(
        self, figure: str, folder: Path, shared: Path, quick: bool, **options: str | None
    ) -> None:
        self.figure = figure
        self.folder = folder
        self.shared = shared
        self.quick = quick
        self.options = options
        self.lines: list[Line] = []
        self.notes: list[str] = []
        self.checked = 0

    def size(self, full: int, quick: int) -> int:
        """How many of something: at full size, or under --quick."""
        return quick if self.quick else full

    def check(self, what: str, holds: bool, seen: Any = None) -> None:
        """An answer is right, or the run ends with WrongAnswer."""
        if not holds:
            raise WrongAnswer(f"{self.figure}: {what}" + ("" if seen is None else f": {seen!r}"))
        self.checked += 1

    def report(self, what: str, measured: float, unit: str = "", **more: Any) -> None:
        """A measured value; `more` are the other fields of Line."""
        self.lines.append(Line(self.figure, what, measured, unit, **more))

    def note(self, text: str) -> None:
        """What a reader of the table should know."""
        self.notes.append(f"{self.figure}: {text}")

    def peer(self, module: str, package: str) -> Any:
        """A peer's module; None, and a line that says how to get it, where it is not installed."""
        try:
            return importlib.import_module(module)
        except ImportError:
            self.note(f"{package} is not installed: pip install {package}")
            return None
