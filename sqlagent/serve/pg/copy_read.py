"""Rows of COPY … FROM STDIN, in the formats text, csv and binary, as values for the engine.

An error says the line, and the column where one is at fault, as PostgreSQL's CONTEXT does.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Any

from sqlagent.errors import DataError
from sqlagent.serve.pg import values_binary, values_text
from sqlagent.serve.pg.catalog.types import of_column
from sqlagent.serve.pg.copy_options import Copy
from sqlagent.serve.pg.types import pg_type

if TYPE_CHECKING:
    from sqlagent.catalog import Column

SIGNATURE = b"PGCOPY\n\xff\r\n\0"
CHUNK = 1 << 18
_OCTAL = "01234567"
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def rows(
    copy: Copy, columns: list[Column], spool: IO[bytes], codec: str
) -> Iterator[tuple[Any, ...]]:
    """The rows that a client has sent. Raises DataError with the line."""
    if copy.form == "binary":
        yield from _binary(copy, columns, spool, codec)
        return
    readers = [values_text.reader(pg_type(of_column(c)[0])) for c in columns]
    split = _csv(copy, spool, codec) if copy.form == "csv" else _text(copy, spool, codec)
    for number, (fields, said) in enumerate(split, 1):
        if number == 1 and copy.header:
            if copy.header == "match" and fields != [c.name for c in columns]:
                raise _at(copy, 1, DataError("the header is not the columns' names"), said)
            continue
        if fields == ["\\."] and copy.form == "text":
            return
        if len(fields) != len(columns):
            if len(fields) > len(columns):
                error = DataError("extra data after last expected column", sqlstate="22P04")
            else:
                missing = columns[len(fields)].name
                error = DataError(f'missing data for column "{missing}"', sqlstate="22P04")
            raise _at(copy, number, error, said)
        values = []
        for value, read, column in zip(fields, readers, columns, strict=True):
            try:
                values.append(None if value is None else read(value))
            except DataError as error:
                raise _at(copy, number, error, value, column.name) from None
        yield tuple(values)


def _at(
    copy: Copy, line: int, error: DataError, said: str | None, column: str | None = None
) -> DataError:
    """An error with where it is."""
    place = f"COPY {copy.table}, line {line}"
    place += f", column {column}" if column else ""
    error.where = f'{place}: "{said}"' if said is not None else place  # type: ignore[attr-defined]
    if error.sqlstate == "22000":
        error.sqlstate = "22P04"
    return error


def _lines(spool: IO[bytes], codec: str, keep: bool = False) -> Iterator[str]:
    """Lines without their ends, \\n, \\r\\n or \\r; `keep` leaves each \\r where it is."""
    rest = b""
    while chunk := spool.read(CHUNK):
        whole, end, rest = (rest + chunk).rpartition(b"\n")
        if end:
            for line in whole.split(b"\n"):
                yield _decoded(line if keep else line.removesuffix(b"\r"), codec)
    if rest:
        for line in [rest] if keep else rest.removesuffix(b"\r").split(b"\r"):
            yield _decoded(line, codec)


def _decoded(line: bytes, codec: str) -> str:
    return values_binary.decoded(line, codec)


Split = Iterator[tuple[list[str | None], str]]


def _text(copy: Copy, spool: IO[bytes], codec: str) -> Split:
    """The text format: fields between delimiters, backslashes before what is special.

    A line's end that a backslash precedes is part of a value.
    """
    delimiter, null = copy.delimiter, copy.null
    held = ""
    for line in _lines(spool, codec):
        line = held + line
        if (len(line) - len(line.rstrip("\\"))) % 2:
            held = line + "\n"
            continue
        held = ""
        if line == "\\.":
            return
        parts = line.split(delimiter)
        if "\\" not in line:
            yield [None if p == null else p for p in parts], line
            continue
        fields: list[str] = []
        for part in parts:
            if fields and (len(fields[-1]) - len(fields[-1].rstrip("\\"))) % 2:
                fields[-1] += delimiter + part
            else:
                fields.append(part)
        yield [None if f == null else _unescaped(f) for f in fields], line
    if held:
        raise DataError("literal newline at the end of the data", sqlstate="22P04")


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    parts: list[str] = []
    raw = bytearray()  # \\x and octal escapes are bytes, which together are a text
    at = 0

    def settle() -> None:
        if raw:
            parts.append(raw.decode("utf-8", "replace"))
            raw.clear()

    while at < len(text):
        char = text[at]
        if char != "\\" or at + 1 >= len(text):
            settle()
            parts.append(char)
            at += 1
            continue
        after = text[at + 1]
        at += 2
        if after in _OCTAL:
            digits = after
            while at < len(text) and len(digits) < 3 and text[at] in _OCTAL:
                digits += text[at]
                at += 1
            raw.append(int(digits, 8) & 255)
        elif after == "x" and at < len(text) and text[at] in "0123456789abcdefABCDEF":
            digits = text[at]
            at += 1
            if at < len(text) and text[at] in "0123456789abcdefABCDEF":
                digits += text[at]
                at += 1
            raw.append(int(digits, 16))
        else:
            settle()
            parts.append(_LETTERS.get(after, after))
    settle()
    return "".join(parts)


def _csv(copy: Copy, spool: IO[bytes], codec: str) -> Split:
    """The csv format: a quoted value may hold delimiters and the ends of lines."""
    held = ""
    for line in _lines(spool, codec, keep=True):
        line = held + line
        if line in ("\\.", "\\.\r"):
            return
        fields = _cut(copy, line)
        if fields is None:
            held = line + "\n"
            continue
        held = ""
        if line.endswith("\r"):
            line = line[:-1]
            fields = _cut(copy, line) or []
        yield fields, line
    if held:
        raise DataError("unterminated CSV quoted field", sqlstate="22P04")


def _cut(copy: Copy, line: str) -> list[str | None] | None:
    """The fields of a line; None where it ends within quotes."""
    delimiter, quote, escape, null = copy.delimiter, copy.quote, copy.escape, copy.null
    if quote not in line:
        return [None if p == null else p for p in line.split(delimiter)]
    fields: list[str | None] = []
    parts: list[str] = []
    inside = was = False
    at, size = 0, len(line)
    while at < size:
        char = line[at]
        if inside:
            if char == escape and at + 1 < size and line[at + 1] in (quote, escape):
                parts.append(line[at + 1])
                at += 1
            elif char == quote:
                inside = False
            else:
                parts.append(char)
        elif char == quote:
            inside = was = True
        elif char == delimiter:
            fields.append(_field("".join(parts), was, null))
            parts, was = [], False
        else:
            parts.append(char)
        at += 1
    if inside:
        return None
    fields.append(_field("".join(parts), was, null))
    return fields


def _field(text: str, quoted: bool, null: str) -> str | None:
    return None if text == null and not quoted else text


def _binary(
    copy: Copy, columns: list[Column], spool: IO[bytes], codec: str
) -> Iterator[tuple[Any, ...]]:
    """The binary format. Types are those of the columns: whole numbers may be of any size."""
    head = spool.read(19)
    if head[:11] != SIGNATURE or len(head) < 19:
        raise DataError("COPY file signature not recognized", sqlstate="22P04")
    flags, extension = struct.unpack("!II", head[11:])
    if flags & 0xFFFF0000:
        raise DataError("unrecognized critical flags in COPY file header", sqlstate="22P04")
    spool.read(extension)
    readers = [_reader(of_column(c)[0], codec) for c in columns]
    number = 0
    while True:
        raw = spool.read(2)
        number += 1
        if len(raw) < 2:
            if raw:
                raise _at(copy, number, DataError("unexpected EOF in COPY data"), None)
            return
        (count,) = struct.unpack("!h", raw)
        if count == -1:
            return
        if count != len(columns):
            wrong = DataError(
                f"row field count is {count}, expected {len(columns)}", sqlstate="22P04"
            )
            raise _at(copy, number, wrong, None)
        values: list[Any] = []
        for read, column in zip(readers, columns, strict=True):
            raw = spool.read(4)
            size = struct.unpack("!i", raw)[0] if len(raw) == 4 else 0
            if size == -1:
                values.append(None)
                continue
            data = spool.read(size) if 0 <= size <= 1 << 30 and len(raw) == 4 else b""
            if len(data) != size or len(raw) < 4:
                short = DataError("unexpected EOF in COPY data", sqlstate="22P04")
                raise _at(copy, number, short, None, column.name)
            try:
                values.append(read(data))
            except DataError as error:
                raise _at(copy, number, error, None, column.name) from None
        yield tuple(values)


def _reader(kind: str, codec: str) -> Callable[[bytes], Any]:
    found = pg_type(kind)
    if found.codec == "int8":
        return _whole
    if found.codec == "float8":
        return _float
    return values_binary.reader(found, codec)


def _whole(data: bytes) -> int:
    """A whole number of 2, 4 or 8 bytes."""
    if len(data) not in (2, 4, 8):
        raise values_binary.malformed("bigint")
    return int.from_bytes(data, "big", signed=True)


def _float(data: bytes) -> float:
    """A number of 4 or 8 bytes."""
    if len(data) not in (4, 8):
        raise values_binary.malformed("double precision")
    return float(struct.unpack("!f" if len(data) == 4 else "!d", data)[0])
