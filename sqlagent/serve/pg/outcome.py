"""What running a statement gives: a tag, and rows where it has some."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from sqlagent.serve.pg.messages import Column
from sqlagent.serve.pg.types import modifier, pg_type

FIRST_ROWS = 2048  # a multiple of what the engine reads ahead: after them Arrow may take over
CHUNK_ROWS = 8192
BATCH_ROWS = 32_768


class Outcome:
    """`columns` is None where there are no rows; `count` is what the tag says without them.

    `rows` gives the rows; `batches(n)`, where there is one, after the first FIRST_ROWS of them the
    rest as Arrow. `close` ends it early.
    """

    def __init__(
        self,
        tag: str,
        columns: tuple[Column, ...] | None = None,
        rows: Iterator[tuple[Any, ...]] | None = None,
        *,
        count: int = -1,
        batches: Callable[[int], Any] | None = None,
        close: Callable[[], None] | None = None,
        exact: str | None = None,
    ) -> None:
        self.tag = tag
        self.columns = columns
        self.rows = rows
        self.count = count
        self.batches = batches
        self.binary = False  # of a cursor that was declared so
        self.exact = exact  # the whole tag, where it is not made of `tag` and a count
        self._close = close
        self.sent = 0

    def chunks(self) -> Iterator[Any]:
        """The rows in lists, and as Arrow tables where the engine has these."""
        if self.rows is None:
            return
        size = FIRST_ROWS
        while chunk := list(islice(self.rows, size)):
            yield chunk
            if len(chunk) < size:
                return
            if size == FIRST_ROWS and self.batches is not None:
                yield from self.batches(BATCH_ROWS)
                return
            size = CHUNK_ROWS

    def close(self) -> None:
        """Give back what it holds."""
        close, self._close = self._close, None
        if close is not None:
            close()


def table(tag: str, columns: Sequence[tuple[str, str]], rows: Sequence[tuple[Any, ...]]) -> Outcome:
    """An outcome of rows that are there."""
    return Outcome(tag, described(columns), iter(rows))


def described(columns: Sequence[tuple[str, str | None]]) -> tuple[Column, ...]:
    """Columns by name and logical type."""
    return tuple(Column(n, kind, pg_type(kind), modifier(kind)) for n, kind in columns)
