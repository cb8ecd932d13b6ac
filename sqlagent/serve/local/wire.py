"""Frames and values as `extension/wire.c` writes and reads them.

A frame is its length in 4 bytes, a type in 1, and a payload; numbers are little-endian. A value is
a tag (0 NULL, 1 integer, 2 real, 3 text, 4 blob), then 8 bytes, or a length in 4 and so many bytes.
"""

from __future__ import annotations

import struct
from typing import Any, Final, Protocol

from sqlagent.errors import DataError, OperationalError

PROTOCOL: Final = 1
FRAME_MAX: Final = 0x7FFFFFFF
FIRST_FRAME_MAX: Final = 1 << 16  # before a client has said who it is
CHUNK: Final = 1 << 20  # memory grows with what has come, not with what is promised
INTEGER_MIN, INTEGER_MAX = -(1 << 63), (1 << 63) - 1

_U32 = struct.Struct("<I")
_INTEGER = struct.Struct("<Bq")
_REAL = struct.Struct("<Bd")
_BYTES = struct.Struct("<BI")


class Socket(Protocol):
    """What is needed of a socket."""

    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...


class ProtocolError(OperationalError):
    """What came is no frame, or not one that may come now."""

    sqlstate = "08P01"


def receive(sock: Socket, most: int = FRAME_MAX) -> bytes | None:
    """The next frame without its length; None where the other end has closed.

    Raises ProtocolError for one that is too long, or ends in its middle.
    """
    head = _exactly(sock, 4, start=True)
    if head is None:
        return None
    (length,) = _U32.unpack(head)
    if not 1 <= length <= most:
        raise ProtocolError(f"a frame has 1 to {most} bytes, not {length}")
    return _exactly(sock, length)


def _exactly(sock: Socket, length: int, start: bool = False) -> bytes | None:
    """So many bytes; None where there are none at all at the `start` of a frame."""
    data = sock.recv(min(length, CHUNK))
    if len(data) == length:
        return data
    parts, got = [data], len(data)
    while got < length:
        if not data:
            if start and not got:
                return None
            raise ProtocolError("the connection was closed in the middle of a frame")
        data = sock.recv(min(length - got, CHUNK))
        parts.append(data)
        got += len(data)
    return b"".join(parts)


def framed(payload: bytes) -> bytes:
    """A type and payload with their length."""
    if len(payload) > FRAME_MAX:
        raise DataError(f"an answer has at most {FRAME_MAX} bytes, not {len(payload)}")
    return _U32.pack(len(payload)) + payload


def text(value: str) -> bytes:
    """A text with its length; what is not Unicode is written as a question mark."""
    data = value.encode("utf-8", "replace")
    return _U32.pack(len(data)) + data


def value(one: Any, out: list[bytes]) -> int:
    """Append a value as SQLite stores it; how many bytes it takes."""
    if one is None:
        out.append(b"\0")
        return 1
    if isinstance(one, int):
        if not INTEGER_MIN <= one <= INTEGER_MAX:
            return value(str(one), out)
        out.append(_INTEGER.pack(1, one))
        return 9
    if isinstance(one, float):
        out.append(_REAL.pack(2, one))
        return 9
    if isinstance(one, str):
        data, tag = one.encode("utf-8", "replace"), 3
    elif isinstance(one, bytes):
        data, tag = one, 4
    else:
        from sqlagent.values import stored

        return value(stored(one), out)
    if len(data) > FRAME_MAX - 64:
        raise DataError(f"a value has at most {FRAME_MAX - 64} bytes, not {len(data)}")
    out += (_BYTES.pack(tag, len(data)), data)
    return 5 + len(data)


class Reader:
    """Reads a payload from its first byte on; raises ProtocolError past its end."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, length: int) -> bytes:
        end = self.at + length
        if end > len(self.data):
            raise ProtocolError("a frame ends before what it says it holds")
        found = self.data[self.at : end]
        self.at = end
        return found

    def number(self, length: int) -> int:
        """An unsigned number of so many bytes."""
        return int.from_bytes(self.take(length), "little")

    def text(self) -> str:
        data = self.take(self.number(4))
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"a text is not UTF-8: {error}", sqlstate="22021") from None

    def value(self) -> Any:
        tag = self.number(1)
        if tag == 0:
            return None
        if tag == 1:
            return int.from_bytes(self.take(8), "little", signed=True)
        if tag == 2:
            return struct.unpack("<d", self.take(8))[0]
        if tag == 3:
            return self.text()
        if tag == 4:
            return self.take(self.number(4))
        raise ProtocolError(f"a value's tag is 0 to 4, not {tag}")

    def end(self) -> None:
        """Raise ProtocolError where something is left."""
        if self.at != len(self.data):
            raise ProtocolError(f"{len(self.data) - self.at} bytes are left over in a frame")
