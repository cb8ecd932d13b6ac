"""Rows as DataRow messages: value by value for few, column by column (`columnar`) for many.

A row on the wire is its count of values and each with its length before it, -1 for NULL; a row of
COPY in the binary format is the same under another letter.
"""

from __future__ import annotations

import datetime
import struct
from collections.abc import Callable, Sequence
from typing import Any

from sqlagent.errors import DataError
from sqlagent.serve.pg import values_binary, values_text
from sqlagent.serve.pg.messages import NULL, Column
from sqlagent.serve.pg.types import PgType

_LENGTH = struct.Struct("!i")
_HEAD = struct.Struct("!cIH")
_INT8 = struct.Struct("!iq")
_FLOAT8 = struct.Struct("!id")
Field = Callable[[Any], bytes]


def field(
    column: Column, form: int, codec: str = "utf-8", zone: datetime.tzinfo = datetime.UTC
) -> Field:
    """What makes a value's bytes with their length before them; `form` 0 is text, 1 binary."""
    found = column.type
    if form and found.codec in ("int8", "float8"):
        return _sized_binary(found, column)
    if form:
        return _with_length(_named(values_binary.writer(found, codec), column))
    if found.codec in ("text", "json") and codec == "utf-8":
        return _text
    say = values_text.writer(found, zone)

    def write(value: Any) -> bytes:
        data = say(value).encode(codec)
        return _LENGTH.pack(len(data)) + data

    return write


def _text(value: Any) -> bytes:
    data = value.encode() if type(value) is str else values_text.text(value).encode()
    return _LENGTH.pack(len(data)) + data


def _sized_binary(found: PgType, column: Column) -> Field:
    """Numbers of eight bytes, length and all in one step."""
    pack, kind = (_INT8.pack, int) if found.codec == "int8" else (_FLOAT8.pack, float)
    slow = _with_length(_named(values_binary.writer(found), column))

    def write(value: Any) -> bytes:
        if type(value) is kind:
            try:
                return pack(8, value)
            except struct.error:
                pass
        return slow(value)

    return write


def _with_length(make: Callable[[Any], bytes]) -> Field:
    def write(value: Any) -> bytes:
        data = make(value)
        return _LENGTH.pack(len(data)) + data

    return write


def _named(make: Callable[[Any], bytes], column: Column) -> Callable[[Any], bytes]:
    """Errors of a value that is not of its column's type name the column: SQLite holds anything."""

    def write(value: Any) -> bytes:
        try:
            return make(value)
        except DataError as error:
            raise _unfit(column, value, error.sqlstate) from None
        except (AttributeError, TypeError, ValueError, ArithmeticError):
            raise _unfit(column, value, "22P02") from None

    return write


def _unfit(column: Column, value: Any, state: str) -> DataError:
    return DataError(
        f'column "{column.name}" is {column.type.name}, and holds {value!r:.60}', sqlstate=state,
        hint="Ask for it as text: the file may hold any value in any column.",
    )  # fmt: skip


def _rounds(column: Column) -> bool:
    """Whether a column's times are declared with fewer than six digits of a second."""
    return column.type.codec in ("timestamp", "timestamptz") and 0 <= column.modifier < 6


def _slow(column: Column) -> Column:
    """A column that is encoded value by value, where its times are rounded."""
    if not _rounds(column):
        return column
    return column._replace(type=column.type._replace(codec="rounded"))


def _rounded(write: Field, digits: int) -> Field:
    """Times as timestamp(digits) has them: the file may hold more."""
    unit = 10 ** (6 - digits)

    def rounded(value: Any) -> bytes:
        if isinstance(value, datetime.datetime):
            over = value.microsecond % unit
            more = unit - over if 2 * over >= unit else -over
            value += datetime.timedelta(microseconds=more)
        return write(value)

    return rounded


class Rows:
    """Makes DataRow messages of the rows of one result; `letter` is d for COPY."""

    def __init__(
        self,
        columns: Sequence[Column],
        formats: Sequence[int],
        codec: str = "utf-8",
        zone: datetime.tzinfo = datetime.UTC,
        letter: bytes = b"D",
    ) -> None:
        self.columns = [_slow(c) for c in columns]
        self.formats = formats
        self.codec = codec
        self.zone = zone
        self.letter = letter
        made = [field(c, f, codec, zone) for c, f in zip(columns, formats, strict=True)]
        self.fields = [
            _rounded(make, c.modifier) if _rounds(c) else make
            for c, make in zip(columns, made, strict=True)
        ]
        self._columnar: Any = None

    def one(self, row: Sequence[Any]) -> bytes:
        """The message of a row."""
        parts = [
            NULL if value is None else make(value)
            for value, make in zip(row, self.fields, strict=True)
        ]
        body = b"".join(parts)
        return _HEAD.pack(self.letter, len(body) + 6, len(parts)) + body

    def some(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """The messages of a few rows."""
        return b"".join([self.one(row) for row in rows])

    def many(self, rows: list[tuple[Any, ...]]) -> bytes:
        """The messages of rows, by columns where that is faster."""
        if len(rows) < 64 or not self.columns:
            return self.some(rows)
        return self.columnar.of_rows(rows)  # type: ignore[no-any-return]

    def batch(self, batch: Any) -> bytes:
        """The messages of a pyarrow.RecordBatch."""
        return self.columnar.of_batch(batch)  # type: ignore[no-any-return]

    @property
    def columnar(self) -> Any:
        """The encoder by columns; it imports numpy."""
        if self._columnar is None:
            from sqlagent.serve.pg.columnar import Columnar

            self._columnar = Columnar(self)
        return self._columnar
