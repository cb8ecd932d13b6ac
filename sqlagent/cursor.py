"""The PEP 249 cursor: the rows of one statement, as tuples, Arrow, pandas or polars."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlagent.errors import InterfaceError, ProgrammingError
from sqlagent.types import TypeCode

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from sqlagent.connection import Connection

Row = tuple[Any, ...]
Columns = Sequence[tuple[str, str | None]]

Date = datetime.date
Time = datetime.time
Timestamp = datetime.datetime


def DateFromTicks(ticks: float) -> datetime.date:
    """A date from seconds since the epoch (PEP 249), in local time."""
    return datetime.date(*time.localtime(ticks)[:3])


def TimeFromTicks(ticks: float) -> datetime.time:
    """A time from seconds since the epoch (PEP 249), in local time."""
    return datetime.time(*time.localtime(ticks)[3:6])


def TimestampFromTicks(ticks: float) -> datetime.datetime:
    """A timestamp from seconds since the epoch (PEP 249), in local time."""
    return datetime.datetime(*time.localtime(ticks)[:6])


def Binary(value: bytes | bytearray | memoryview) -> bytes:
    """A value for a BLOB column (PEP 249)."""
    return bytes(value)


class Cursor:
    """Runs statements on its connection and hands out their rows.

    `description` is None for a statement without rows, else a 7-tuple a column: the name and the
    type code (its logical type, such as 'BIGINT', equal to the PEP 249 group `sqlagent.NUMBER`);
    the rest is None. `rowcount` is the number of rows that a write changed, -1 where that is not
    known.
    """

    # Defaults stand on the class, so that a cursor of a point read costs one assignment, not eight.
    _iter: Iterator[Row] | None = None
    _columns: Any = None  # columns, or what knows them once asked
    _table: Any = None  # gives a pyarrow.Table, where the engine has one
    _batches: Any = None  # after the first DUCK_ROWS rows, the rest as Arrow's batches
    _close: Any = None
    _feeds: Any = ()  # of each feed that was read, a FeedStep
    rowcount = -1
    arraysize = 1
    lastrowid: int | None = None

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection

    # Running --------------------------------------------------------------------------------------

    @property
    def connection(self) -> Connection:
        """The connection that made it; raises InterfaceError once the cursor is closed."""
        if self._connection is None:
            raise InterfaceError("the cursor is closed")
        return self._connection

    def execute(self, sql: str, parameters: Any = ()) -> Cursor:
        """Run one statement; returns the cursor itself."""
        self.connection._run(self, sql, parameters)
        return self

    def executemany(self, sql: str, parameters: Any) -> Cursor:
        """Run one writing statement for each set of parameters, all in one transaction."""
        self.connection._run_many(self, sql, parameters)
        return self

    def setinputsizes(self, sizes: Any) -> None:
        """Does nothing, as PEP 249 allows."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Does nothing, as PEP 249 allows."""

    def close(self) -> None:
        """End the cursor; closing it twice is no error."""
        self._reset()
        self._connection = None

    def _reset(self) -> None:
        close, self._close = self._close, None
        if close is not None:
            close()
        self._iter = self._columns = self._table = self._batches = None
        self.rowcount = -1

    # Rows -----------------------------------------------------------------------------------------

    @property
    def description(self) -> list[tuple[Any, ...]] | None:
        """The columns of the rows, or None where the last statement has none."""
        columns = self._described()
        if columns is None:
            return None
        return [
            (name, TypeCode(kind or "VARCHAR"), None, None, None, None, None)
            for name, kind in columns
        ]

    def _described(self) -> Columns | None:
        columns = self._columns
        return columns() if callable(columns) else columns  # type: ignore[no-any-return]

    def fetchone(self) -> Row | None:
        """The next row, or None after the last."""
        try:
            return next(self._iter, None)  # type: ignore[arg-type]  # None is caught below
        except TypeError:
            raise self._without_rows() from None

    def fetchmany(self, size: int | None = None) -> list[Row]:
        """The next `size` rows (default `arraysize`), fewer at the end."""
        if self._iter is None:
            raise self._without_rows()
        return list(islice(self._iter, self.arraysize if size is None else size))

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        if self._iter is None:
            raise self._without_rows()
        return list(self._iter)

    def __iter__(self) -> Iterator[Row]:
        if self._iter is None:
            raise self._without_rows()
        return self._iter

    def __next__(self) -> Row:
        if self._iter is None:
            raise self._without_rows()
        return next(self._iter)

    def _without_rows(self) -> InterfaceError | ProgrammingError:
        if self._connection is None:
            return InterfaceError("the cursor is closed")
        return ProgrammingError(
            "there are no rows to fetch",
            hint="The last statement returned none, or none was run on this cursor.",
            sqlstate="24000",
        )

    def arrow(self) -> pyarrow.Table:
        """All rows that are left, as a pyarrow.Table."""
        if self._iter is None:
            raise self._without_rows()
        if self._table is not None:
            table = self._table()
            self._iter = iter(())
            return table
        from sqlagent.arrow import table_of

        return table_of(self._described() or (), list(self._iter))

    def df(self) -> pandas.DataFrame:
        """All rows that are left, as a pandas.DataFrame (pandas must be installed)."""
        return self.arrow().to_pandas()

    def pl(self) -> polars.DataFrame:
        """All rows that are left, as a polars.DataFrame (polars must be installed)."""
        import polars

        return polars.DataFrame(self.arrow())

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
