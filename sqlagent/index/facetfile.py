"""The file of facets: a header of JSON in a line, then arrays, one after the other.

    "sqlfacet" | length of the header | its CRC-32 | header | ids | of each column: codes | numbers

The header carries a token of the caller's, the CRC-32 of the arrays, and each column's path, types,
kinds of values, and the values that its codes number. Each array begins at a multiple of 8.
"""

import json
import mmap
import os
import struct
import tempfile
import zlib
from pathlib import Path as FilePath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .facets import Column, Facets, Path, width

MAGIC: Final = b"sqlfacet"
VERSION: Final = 1
_FRONT: Final = struct.Struct("<8sII")
_BLOCK: Final = 1 << 20
_TYPES: Final = ("uint8", "uint16", "uint32")


def _padded(size: int) -> int:
    return (size + 7) // 8 * 8


def save(facets: Facets, path: FilePath, token: str) -> None:
    """Write the living rows beside `path` and rename, so that a reader sees all or nothing."""
    at = None if facets.alive is None else np.flatnonzero(facets.alive)

    def kept(array: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(array if at is None else array[at])

    arrays, columns = [kept(facets.ids)], []
    for name, column in facets.columns.items():
        codes, values = used(kept(column.codes), column.values)
        arrays.append(codes)
        told = {"path": name, "type": codes.dtype.name, "values": values,
                "kinds": column.kinds, "numbers": column.numbers is not None}  # fmt: skip
        columns.append(told)
        if column.numbers is not None:
            arrays.append(kept(column.numbers))
    handle, name_ = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
    try:
        with os.fdopen(handle, "wb") as file:
            checksum = 0
            data = [array.tobytes() for array in arrays]
            data = [part + bytes(_padded(len(part)) - len(part)) for part in data]
            for part in data:
                checksum = zlib.crc32(part, checksum)
            head = {"version": VERSION, "token": token, "rows": len(arrays[0]),
                    "checksum": checksum, "columns": columns}  # fmt: skip
            text = json.dumps(head).encode()
            text += b" " * (_padded(len(text) + _FRONT.size) - len(text) - _FRONT.size)
            file.write(_FRONT.pack(MAGIC, len(text), zlib.crc32(text)) + text)
            file.writelines(data)
        os.replace(name_, path)
    except BaseException:
        FilePath(name_).unlink(missing_ok=True)
        raise


def used(
    codes: NDArray[Any], values: list[str | None] | None
) -> tuple[NDArray[Any], list[str | None] | None]:
    """Codes of the values that rows still have: what was erased is not to be in a file."""
    if values is None:
        return codes, None
    there = np.bincount(codes, minlength=len(values)) > 0
    if there.all():
        return codes, values
    left = [value for value, kept in zip(values, there, strict=True) if kept]
    number = (np.cumsum(there) - 1).astype(width(len(left)))
    return number.take(codes), left


def load(path: FilePath, token: str) -> Facets:
    """What `save` wrote, mapped. Raises ValueError for whatever is not right, OSError."""
    with path.open("rb") as file:
        front = file.read(_FRONT.size)
        if len(front) < _FRONT.size:
            raise ValueError(f"expected a file of facets, found {len(front)} bytes")
        magic, length, checksum = _FRONT.unpack(front)
        text = file.read(length)
        if magic != MAGIC or zlib.crc32(text) != checksum:
            raise ValueError("facets are damaged: the header does not match its checksum")
        found = 0
        while block := file.read(_BLOCK):  # mapped pages would count as resident
            found = zlib.crc32(block, found)
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    head = json.loads(text)
    if head["version"] != VERSION or head["token"] != token:
        raise ValueError(f"expected facets of {token!r}, not of {head['token']!r}")
    body = whole[_FRONT.size + length :]
    if found != head["checksum"]:
        raise ValueError("facets are damaged: the content does not match its checksum")
    rows, start = head["rows"], 0

    def array(kind: str) -> NDArray[Any]:
        nonlocal start
        size = rows * np.dtype(kind).itemsize
        out: NDArray[Any] = np.frombuffer(body[start : start + size], kind)
        start += _padded(size)
        return out

    ids = array("int64")
    columns: dict[Path, Column] = {}
    for told in head["columns"]:
        if told["type"] not in _TYPES:
            raise ValueError("facets are damaged: a column of another type")
        codes = array(told["type"])
        numbers = array("float64") if told["numbers"] else None
        columns[tuple(told["path"])] = Column(codes, told["values"], numbers, told["kinds"])
    return Facets(ids, None, columns)
