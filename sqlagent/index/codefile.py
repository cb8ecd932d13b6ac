"""The file of binary codes: a header of JSON in 4,096 bytes, then arrays, one after the other.

    "sqlagent" | length of the header | its CRC-32 | header | mean | ids | lengths | words

The header carries the version, the dimensions, the count, the metric, a token of the caller's (such
as the sequence number of the last change inside), how many candidates the codes need, among how
many rows that was measured, how many words choose the rows that are read whole, and the CRC-32 of
all that follows it.
"""

import json
import mmap
import os
import struct
import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .rows import Floats, Ids

MAGIC: Final = b"sqlagent"
VERSION: Final = 3
_FRONT: Final = struct.Struct("<8sII")
_HEADER: Final = 4096
_BLOCK: Final = 1 << 20


class Head(NamedTuple):
    dimensions: int
    rows: int
    metric: str
    token: str
    rerank: int
    measured: int
    first: int

    def sizes(self, width: int) -> list[int]:
        """Bytes of mean, ids, lengths and words; each begins at a multiple of 8."""
        lengths = 0 if self.metric == "cosine" else 4 * self.rows
        return [4 * self.dimensions, 8 * self.rows, lengths, 8 * self.rows * width]


def _padded(size: int) -> int:
    return (size + 7) // 8 * 8


def write(path: Path, head: Head, arrays: Iterable[NDArray[Any]]) -> None:
    """Writes beside `path` and renames, so that a reader sees the old file or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(bytes(_HEADER))
            checksum = 0
            for number, array in enumerate(arrays):
                data: Any = np.ascontiguousarray(array).view(np.uint8).reshape(-1).data
                if number < 3:
                    data = bytes(data) + bytes(_padded(len(data)) - len(data))
                checksum = zlib.crc32(data, checksum)
                file.write(data)
            known = {"version": VERSION, "checksum": checksum, **head._asdict()}
            text = json.dumps(known).encode()
            if len(text) > _HEADER - _FRONT.size:
                raise ValueError("expected a token of less than 3,000 characters")
            file.seek(0)
            file.write(_FRONT.pack(MAGIC, len(text), zlib.crc32(text)) + text)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read(path: Path, token: str | None) -> tuple[Head, memoryview]:
    """The header, and the rest of the file mapped. Raises ValueError for whatever is not right."""
    try:
        with path.open("rb") as file:
            front = file.read(_HEADER)
            if len(front) < _HEADER:
                raise ValueError(f"expected a file of vector codes, found {len(front)} bytes")
            found = 0
            while block := file.read(_BLOCK):  # mapped pages would count as resident
                found = zlib.crc32(block, found)
            whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise ValueError(f"vector codes cannot be read: {error}") from error
    magic, length, checksum = _FRONT.unpack(front[: _FRONT.size])
    text = front[_FRONT.size : _FRONT.size + length]
    if magic != MAGIC or zlib.crc32(text) != checksum:
        raise ValueError("vector codes are damaged: the header does not match its checksum")
    known = json.loads(text)
    if known.pop("version") != VERSION:
        raise ValueError(f"expected vector codes of version {VERSION}")
    expected = known.pop("checksum")
    head = Head(**known)
    if token is not None and head.token != token:
        raise ValueError(f"expected vector codes of {token!r}, not of {head.token!r}")
    if len(whole) != _HEADER + sum(map(_padded, head.sizes((head.dimensions + 63) // 64))):
        raise ValueError("vector codes are damaged: the file is too short or too long")
    body = whole[_HEADER:]
    if found != expected:
        raise ValueError("vector codes are damaged: the content does not match its checksum")
    return head, body


def split(head: Head, body: memoryview, width: int) -> tuple[Floats, Ids, Floats, NDArray[Any]]:
    """Mean, ids, lengths and words, all of them mapped."""
    cuts = [0]
    for size in head.sizes(width):
        cuts.append(cuts[-1] + _padded(size))
    mean, ids, lengths, words = (
        body[start : start + size] for start, size in zip(cuts, head.sizes(width), strict=False)
    )
    return (
        np.frombuffer(mean, np.float32),
        np.frombuffer(ids, np.int64),
        np.frombuffer(lengths, np.float32),
        np.frombuffer(words, np.uint64).reshape(width, head.rows),
    )
