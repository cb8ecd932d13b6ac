"""Statements and portals: what a client has prepared, and what it is reading."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlagent.errors import OperationalError, ProgrammingError
from sqlagent.serve.pg.commands import Command
from sqlagent.serve.pg.describe import Description
from sqlagent.serve.pg.encode import Rows
from sqlagent.serve.pg.messages import Column, each_format, row_description
from sqlagent.serve.pg.outcome import CHUNK_ROWS, Outcome

if TYPE_CHECKING:
    from sqlagent.serve.pg.session import Session


class Statement:
    """A prepared statement; `command` is None for an empty one. `readers` read its parameters, by
    format code and place, and are made when the first value comes."""

    def __init__(
        self, command: Command | None, description: Description, by_sql: bool = False
    ) -> None:
        self.command = command
        self.description = description
        self.by_sql = by_sql  # PREPARE made it
        self.made_at = 0.0
        self.readers: dict[tuple[int, int, Any], Any] = {}
        self.quick = False  # the loop may run it
        self._encoders: dict[Any, tuple[Rows, bytes]] = {}

    def encoder(self, session: Session, formats: list[int]) -> tuple[Rows, bytes]:
        """What makes its rows in these formats, and their RowDescription."""
        key = (tuple(formats), session.codec, session.zone, session.style, session.bytes_as)
        found = self._encoders.get(key)
        if found is None:
            columns = self.description.columns or ()
            forms = each_format(formats, len(columns), "result")
            found = (
                Rows(session.said(columns), forms, session.codec, session.zone),
                row_description(columns, forms, session.codec),
            )
            self._encoders[key] = found
        return found


class Portal:
    """A statement with its values, or a cursor that DECLARE made."""

    def __init__(
        self,
        name: str,
        statement: Statement,
        values: tuple[Any, ...] = (),
        formats: list[int] | None = None,
    ) -> None:
        self.name = name
        self.statement = statement
        self.values = values
        self.formats = formats or []
        self.outcome: Outcome | None = None
        self.encoder: Rows | None = None
        self.finished = False
        self.count = 0  # rows that were sent
        self.cursor = False
        self.hold = False
        self.binary = False
        self.scroll: bool | None = None
        self.kept: list[tuple[Any, ...]] | None = None  # of a cursor that may go back
        self.position = 0  # of a cursor: how many rows it is past

    @property
    def columns(self) -> tuple[Column, ...] | None:
        """The columns of its rows."""
        if self.outcome is not None:
            return self.outcome.columns
        return self.statement.description.columns

    def close(self) -> None:
        """End it."""
        if self.outcome is not None:
            self.outcome.close()
        self.finished = True

    # As a cursor ------------------------------------------------------------------------------

    def source(self) -> Iterator[tuple[Any, ...]]:
        """The rows that were not read from the engine yet."""
        assert self.outcome is not None  # DECLARE has run it
        return self.outcome.rows if self.outcome.rows is not None else iter(())

    def materialise(self, session: Session) -> None:
        """Read all that is left, for a cursor that outlives its transaction."""
        if self.kept is None:
            self.kept = []
            self._base = self.position
        if self.outcome is not None and not self.finished:
            limit = session.server.limits.result_mb << 20
            total = 0
            while chunk := list(islice(self.source(), CHUNK_ROWS)):
                self.kept += chunk
                total += sum(map(_weight, chunk))
                if limit and total > limit:
                    raise OperationalError(
                        f'the rows of cursor "{self.name}" take more than {limit >> 20} MB',
                        sqlstate="54000",
                    )
            self.finished = True
            self.outcome.close()

    _base = 0  # how many rows went by before `kept` began

    def move(self, how: str, count: int | None) -> list[tuple[Any, ...]]:
        """FETCH or MOVE; the rows passed, in the order passed."""
        if how == "forward" and (count is None or count > 0):
            return self.forward(count)
        if how == "forward" and count == 0:
            return self.at(self.position)
        if how == "absolute":
            assert count is not None  # only `forward` and `backward` have ALL
            if count < 0:
                self.forward(None)
                count = max(0, self.end() + 1 + count)
            return self.at(count)
        if how == "relative":
            assert count is not None
            return self.at(self.position + count)
        return self.back(None if how == "backward" else -(count or 0))

    def forward(self, count: int | None) -> list[tuple[Any, ...]]:
        """The next rows, all of them where count is None."""
        rows: list[tuple[Any, ...]] = []
        if self.past:
            return rows
        if self.kept is not None and self.position < self._base + len(self.kept):
            start = max(self.position - self._base, 0)
            rows = self.kept[start : None if count is None else start + count]
        left = None if count is None else count - len(rows)
        if not self.finished and (left is None or left > 0):
            more = list(islice(self.source(), left)) if left is not None else list(self.source())
            self.finished = left is None or len(more) < left
            if self.kept is not None:
                self.kept += more
            rows = rows + more
        self.position += len(rows)
        if count is None or len(rows) < count:
            self.position += 1
            self.past = True
        return rows

    past = False  # it stands after the last row

    def end(self) -> int:
        """How many rows there are, once all are read."""
        return self._base + len(self.kept or ())

    def at(self, place: int) -> list[tuple[Any, ...]]:
        """Stand on a row, counted from 1; the row where there is one."""
        if place > self.position:
            missing = place - self.position
            found = self.forward(missing)
            return found[-1:] if len(found) == missing else []
        self.backwards(place)
        self.position, self.past = max(place, 0), False
        return self.row(place)

    def row(self, place: int) -> list[tuple[Any, ...]]:
        """A row that is kept."""
        if self.kept is None or not self._base < place <= self._base + len(self.kept):
            return []
        return [self.kept[place - self._base - 1]]

    def back(self, count: int | None) -> list[tuple[Any, ...]]:
        """The rows before, nearest first."""
        stop = 0 if count is None else max(self.position - count, 0)
        self.backwards(stop)
        places = range(self.position - 1, stop - 1 if count is not None else 0, -1)
        found = [row for p in places for row in self.row(p)]
        self.position, self.past = stop, False
        return found

    def backwards(self, place: int) -> None:
        """Raise where a cursor cannot go back."""
        if place < self.position and (self.kept is None or self.scroll is False):
            raise ProgrammingError(
                "cursor can only scan forward", sqlstate="55000",
                hint="Declare it with SCROLL option to enable backward scan.",
            )  # fmt: skip


def _weight(row: tuple[Any, ...]) -> int:
    return 64 + sum(48 + (len(v) if isinstance(v, str | bytes) else 0) for v in row)
