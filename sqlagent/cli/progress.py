"""How far a long command is: a bar where a person watches, a line now and then in a log."""

import sys
from types import TracebackType
from typing import Any

LOG_EVERY = 500


class Progress:
    """A context; `step` says that one of `total` things is done. All of it goes to stderr."""

    def __init__(self, total: int, what: str) -> None:
        self.done = 0
        self._total = total
        self._what = what
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            from rich import progress
            from rich.console import Console

            self._bar = progress.Progress(
                progress.SpinnerColumn(),
                progress.BarColumn(),
                progress.MofNCompleteColumn(),
                progress.TimeElapsedColumn(),
                progress.TextColumn("{task.description}", markup=False),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(self._what, total=self._total)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, name: str) -> None:
        """Names the thing that is worked on now."""
        if self._bar is not None:
            self._bar.update(self._task, description=name)

    def step(self) -> None:
        """One thing more is done."""
        self.done += 1
        if self._bar is not None:
            self._bar.advance(self._task)
        elif self.done % LOG_EVERY == 0:
            print(f"{self.done:,} of {self._total:,} {self._what}", file=sys.stderr, flush=True)
