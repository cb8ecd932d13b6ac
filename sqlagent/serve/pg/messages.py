"""The messages of protocol 3.0: making those of the server, and the errors in reading a client's.

https://www.postgresql.org/docs/15/protocol-message-formats.html has each of them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlagent.errors import Error
from sqlagent.serve.pg.types import PgType

PARSE_COMPLETE = b"1\0\0\0\4"
BIND_COMPLETE = b"2\0\0\0\4"
CLOSE_COMPLETE = b"3\0\0\0\4"
NO_DATA = b"n\0\0\0\4"
EMPTY_QUERY = b"I\0\0\0\4"
PORTAL_SUSPENDED = b"s\0\0\0\4"
COPY_DONE = b"c\0\0\0\4"
AUTHENTICATED = b"R\0\0\0\x08\0\0\0\0"
READY = {status: b"Z\0\0\0\5" + status.encode() for status in "ITE"}
NULL = b"\xff\xff\xff\xff"
_HEAD = struct.Struct("!cI")
_FIELD = struct.Struct("!IhIhih")


class ProtocolError(Error):
    """The client broke the protocol: it is told so, and its connection ends where no message
    boundary is known any more."""

    sqlstate = "08P01"


class Column(NamedTuple):
    """A column of a result: `kind` is its logical type; `table` and `number` say which column of a
    table it is, 0 where it is none."""

    name: str
    kind: str | None
    type: PgType
    modifier: int = -1
    table: int = 0
    number: int = 0


def message(kind: bytes, *parts: bytes) -> bytes:
    """A message: its kind, its length, its body."""
    body = b"".join(parts)
    return _HEAD.pack(kind, len(body) + 4) + body


def row_description(columns: Iterable[Column], formats: list[int], codec: str = "utf-8") -> bytes:
    """RowDescription; `formats` has one a column (0 text, 1 binary)."""
    columns = list(columns)
    parts = [struct.pack("!H", len(columns))]
    for column, form in zip(columns, formats, strict=True):
        parts.append(column.name.replace("\0", "").encode(codec, "replace") + b"\0")
        found = column.type
        parts.append(
            _FIELD.pack(column.table, column.number, found.oid, found.size, column.modifier, form)
        )
    return message(b"T", *parts)


def parameter_description(oids: Iterable[int]) -> bytes:
    """ParameterDescription."""
    oids = list(oids)
    return message(b"t", struct.pack(f"!H{len(oids)}I", len(oids), *oids))


def command_complete(tag: str) -> bytes:
    """CommandComplete."""
    return message(b"C", tag.encode() + b"\0")


def parameter_status(name: str, value: str) -> bytes:
    """ParameterStatus."""
    return message(b"S", name.encode() + b"\0" + value.encode() + b"\0")


def fields(kind: bytes, values: Mapping[str, str | int | None], codec: str = "utf-8") -> bytes:
    """ErrorResponse or NoticeResponse."""
    parts = [
        code.encode() + str(value).replace("\0", "\\0").encode(codec, "replace") + b"\0"
        for code, value in values.items()
        if value not in (None, "")
    ]
    return message(kind, *parts, b"\0")


def notification(pid: int, channel: str, payload: str, codec: str = "utf-8") -> bytes:
    """NotificationResponse."""
    said = channel.encode(codec, "replace") + b"\0" + payload.encode(codec, "replace") + b"\0"
    return message(b"A", struct.pack("!I", pid), said)


def copy_response(kind: bytes, binary: bool, columns: int) -> bytes:
    """CopyInResponse (G) or CopyOutResponse (H)."""
    form = int(binary)
    return message(kind, struct.pack(f"!BH{columns}H", form, columns, *[form] * columns))


class Reader:
    """The fields of one message of a client, one after the other. Raises ProtocolError."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        """So many bytes."""
        end = self.at + size
        if size < 0 or end > len(self.data):
            raise ProtocolError("insufficient data left in message")
        found = self.data[self.at : end]
        self.at = end
        return found

    def cstring(self, codec: str = "utf-8") -> str:
        """A text that ends with a zero."""
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise ProtocolError("invalid string in message")
        raw = self.data[self.at : end]
        self.at = end + 1
        try:
            return raw.decode(codec)
        except UnicodeDecodeError as error:
            raise ProtocolError(
                f'invalid byte sequence for encoding "{codec.upper().replace("-", "")}": '
                f"0x{raw[error.start : error.start + 1].hex()}",
                sqlstate="22021",
            ) from None

    def int2(self) -> int:
        """An unsigned number of two bytes."""
        return int.from_bytes(self.take(2), "big")

    def int4(self) -> int:
        """A signed number of four bytes."""
        return int.from_bytes(self.take(4), "big", signed=True)

    def oids(self, count: int) -> list[int]:
        """Unsigned numbers of four bytes."""
        return list(struct.unpack(f"!{count}I", self.take(4 * count)))

    def formats(self) -> list[int]:
        """Format codes."""
        count = self.int2()
        found = list(struct.unpack(f"!{count}H", self.take(2 * count)))
        for code in found:
            if code not in (0, 1):
                raise ProtocolError(f"unsupported format code: {code}", sqlstate="22023")
        return found

    def end(self) -> None:
        """Raise where there is more."""
        if self.at != len(self.data):
            raise ProtocolError("invalid message format")


def each_format(codes: list[int], count: int, what: str) -> list[int]:
    """A format for each of `count` values: none given is text, one is for all."""
    if not codes:
        return [0] * count
    if len(codes) == 1:
        return codes * count
    if len(codes) != count:
        raise ProtocolError(f"bind message has {len(codes)} {what} formats but there are {count}")
    return codes
