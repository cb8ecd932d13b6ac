"""Quack's messages as bytes: DuckDB's binary serialization, version 1 of the protocol.

A message is a header object and a body object. An object is fields, each a 16-bit little-endian
number before its value, ended by 0xFFFF; a field that has its default value is left out. Numbers
are LEB128, texts and blobs their length and bytes. Source: `quack_message.json` of
github.com/duckdb/duckdb-quack, and DuckDB's `BinarySerializer`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlagent.errors import DataError

VERSION = 1  # of the protocol
NONE = (1 << 64) - 1  # DuckDB's optional index without a value
CONNECT, CONNECTED, PREPARE, PREPARED, FETCH, FETCHED, APPEND, SUCCESS, DISCONNECT, ERROR = (
    1, 2, 3, 4, 7, 8, 9, 10, 11, 100,
)  # fmt: skip
END = b"\xff\xff"
TEXT_MAX = 1 << 31


@dataclass
class Message:
    """A message from a client: its type, the session it is for, and its body's fields by number."""

    type: int
    session: str = ""
    fields: dict[int, Any] = field(default_factory=dict)


# Writing ----------------------------------------------------------------------------------------


def unsigned(value: int) -> bytes:
    """A number from 0 as LEB128.

    >>> unsigned(300)
    b'\\xac\\x02'
    """
    if value < 0x80:
        return value.to_bytes(1, "little")
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def signed(value: int) -> bytes:
    """A number as signed LEB128."""
    found = bytearray()
    while True:
        low = value & 0x7F
        value >>= 7
        if (value == 0 and not low & 0x40) or (value == -1 and low & 0x40):
            found.append(low)
            return bytes(found)
        found.append(low | 0x80)


def blob(data: bytes) -> bytes:
    """Bytes after their length."""
    return unsigned(len(data)) + data


def text(value: str) -> bytes:
    """A text in UTF-8 after its length; what is no Unicode, such as half a pair, as U+FFFD."""
    return blob(value.encode("utf-8", "replace"))


def put(number: int, value: bytes) -> bytes:
    """A field."""
    return struct.pack("<H", number) + value


def listed(items: Iterable[bytes]) -> bytes:
    """A list of values."""
    found = list(items)
    return unsigned(len(found)) + b"".join(found)


def hugeint(value: int) -> bytes:
    """A 128-bit number from 0 to 2^127: its upper half signed, its lower half unsigned."""
    return signed(value >> 64) + unsigned(value & NONE)


def header(kind: int, session: str = "") -> bytes:
    """The header of an answer."""
    own = put(2, text(session)) if session else b""
    return put(1, unsigned(kind)) + own + put(3, unsigned(NONE)) + END


def connected(session: str, version: str, platform: str) -> bytes:
    """The answer to a client that may come in."""
    body = put(1, text(version)) + put(2, text(platform)) + put(3, unsigned(VERSION))
    return header(CONNECTED, session) + body + END


def prepared(
    kinds: list[bytes], names: list[str], chunks: list[bytes], more: bool, result: int
) -> bytes:
    """The columns of a result, its first rows, and whether there may be more to fetch."""
    body = put(1, listed(kinds)) + put(2, listed(map(text, names)))
    if more:
        body += put(3, b"\x01")
    if chunks:
        body += put(4, listed(b"\x01" + c for c in chunks))
    return header(PREPARED) + body + put(5, hugeint(result)) + END


def fetched(chunks: list[bytes], batch: int | None) -> bytes:
    """More rows of a result; none is its end."""
    body = put(1, listed(b"\x01" + c for c in chunks)) if chunks else b""
    return header(FETCHED) + body + put(2, unsigned(NONE if batch is None else batch)) + END


def success() -> bytes:
    """Done."""
    return header(SUCCESS) + END


def failed(message: str) -> bytes:
    """It could not be done."""
    return header(ERROR) + put(1, text(message)) + END


# Reading ----------------------------------------------------------------------------------------


class Malformed(DataError):
    """Bytes that are no message."""

    sqlstate = "08P01"


class Reader:
    """Reads values one after another; raises Malformed where there are none."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        """So many bytes."""
        found = self.data[self.at : self.at + count]
        if len(found) != count:
            raise Malformed(f"the message ends at byte {len(self.data)}, within a value")
        self.at += count
        return found

    def field(self) -> int | None:
        """The number of the next field; None at the end of the object."""
        number = int.from_bytes(self.take(2), "little")
        return None if number == 0xFFFF else number

    def unsigned(self) -> int:
        """A LEB128 number of up to 64 bits."""
        found = 0
        for shift in range(0, 70, 7):
            (byte,) = self.take(1)
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                if found > NONE:
                    break
                return found
        raise Malformed("a number has more than 64 bits")

    def signed(self) -> int:
        """A signed LEB128 number of up to 64 bits."""
        found = 0
        for shift in range(0, 70, 7):
            (byte,) = self.take(1)
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return found - (1 << shift + 7) if byte & 0x40 else found
        raise Malformed("a number has more than 64 bits")

    def text(self) -> str:
        """A text."""
        try:
            return self.take(min(self.unsigned(), TEXT_MAX)).decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("a text is not UTF-8") from None

    def hugeint(self) -> int:
        """A 128-bit number."""
        upper = self.signed()
        return (upper << 64) | self.unsigned()


_HEADER: dict[int, Callable[[Reader], Any]] = {
    1: Reader.unsigned, 2: Reader.text, 3: Reader.unsigned,
}  # fmt: skip
_BODIES: dict[int, dict[int, Callable[[Reader], Any]]] = {
    CONNECT: {
        1: Reader.text, 2: Reader.text, 3: Reader.text, 4: Reader.unsigned, 5: Reader.unsigned,
    },
    PREPARE: {1: Reader.text},
    FETCH: {1: Reader.hugeint},
    APPEND: {1: Reader.text, 2: Reader.text},  # and the rows, which nobody reads
    DISCONNECT: {},
}  # fmt: skip
ROWS = 3  # the field of an APPEND that holds them


def read(data: bytes) -> Message:
    """A client's message. Raises Malformed."""
    reader = Reader(data)
    found = _head(reader)
    if found.type not in _BODIES:
        raise Malformed(f"a message of type {found.type} is not for a server of version {VERSION}")
    last = ROWS if found.type == APPEND else None
    return Message(found.type, found.session, _fields(reader, _BODIES[found.type], last))


def head(data: bytes) -> Message:
    """What the beginning of a message says of it. Raises Malformed."""
    return _head(Reader(data))


def _head(reader: Reader) -> Message:
    found = _fields(reader, _HEADER)
    return Message(found.get(1, 0), found.get(2, ""))


def _fields(
    reader: Reader, known: dict[int, Callable[[Reader], Any]], last: int | None = None
) -> dict[int, Any]:
    found: dict[int, Any] = {}
    while (number := reader.field()) is not None:
        if number == last:
            break
        if number not in known:
            raise Malformed(f"an object has no field {number}")
        found[number] = known[number](reader)
    return found
