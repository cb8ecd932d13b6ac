"""Rows as quack sends them: chunks of up to 2,048 rows, each column a flat vector of DuckDB's.

(numpy and pyarrow are imported with this module.)
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sqlagent.arrow import arrow_type
from sqlagent.errors import DataError
from sqlagent.serve.quack.kinds import (
    ARRAY,
    DECIMAL,
    LIST,
    MAP,
    STRUCT,
    Kind,
    kind_of,
)
from sqlagent.serve.quack.wire import END, blob, listed, put, unsigned

CHUNK_ROWS = 2048  # DuckDB's STANDARD_VECTOR_SIZE: a client has no room for more
BYTES16 = pa.binary(16)
SHORT = 128  # a length below it is one byte of LEB128
_TARGETS = {
    "TINYINT": pa.int8(), "SMALLINT": pa.int16(), "INTEGER": pa.int32(), "FLOAT": pa.float32(),
    "UTINYINT": pa.uint8(), "USMALLINT": pa.uint16(), "UINTEGER": pa.uint32(),
    "UBIGINT": pa.uint64(), "TIMESTAMP_S": pa.timestamp("s"), "TIMESTAMP_MS": pa.timestamp("ms"),
    "TIMESTAMP_NS": pa.timestamp("ns"), "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
}  # fmt: skip


def fitted(array: pa.Array, kind: Kind, name: str) -> pa.Array:
    """A column as Arrow's type for `kind`. Raises DataError where a value is none of it."""
    target = target_of(kind)
    if array.type in (target, BYTES16):
        return array
    try:
        if kind.name in ("VARCHAR", "JSON") and pa.types.is_nested(array.type):
            return pa.array([None if v is None else str(v) for v in array.to_pylist()], pa.string())
        return array.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        if kind.name in ("VARCHAR", "JSON"):
            return pa.array([None if v is None else str(v) for v in array.to_pylist()], pa.string())
        raise DataError(f'column "{name}" is {kind.name} and has another value: {error}') from None


def target_of(kind: Kind) -> pa.DataType:
    """Arrow's type of a kind."""
    if kind.id == STRUCT:
        return pa.struct([(n, target_of(k)) for n, k in kind.parts])
    if kind.id == MAP:
        entry = kind.parts[0][1].parts
        return pa.map_(target_of(entry[0][1]), target_of(entry[1][1]))
    if kind.id == LIST:
        return pa.list_(target_of(kind.parts[0][1]))
    if kind.id == ARRAY:
        return pa.list_(target_of(kind.parts[0][1]), kind.size)
    return _TARGETS.get(kind.name) or arrow_type(kind.name) or pa.string()


def kind_of_arrow(kind: pa.DataType) -> Kind:
    """The type of a column that nothing but its values declares."""
    for name, target in (*_TARGETS.items(), *_NAMED.items()):
        if kind == target:
            return kind_of(name)
    if pa.types.is_decimal128(kind):
        return kind_of(f"DECIMAL({kind.precision},{kind.scale})")
    if pa.types.is_fixed_size_list(kind):
        inner = kind_of_arrow(kind.value_type)
        return Kind(ARRAY, f"{inner.name}[{kind.list_size}]", "", (("", inner),), kind.list_size)
    if pa.types.is_list(kind):
        inner = kind_of_arrow(kind.value_type)
        return Kind(LIST, f"{inner.name}[]", "", (("", inner),))
    if pa.types.is_struct(kind):
        parts = tuple((f.name, kind_of_arrow(f.type)) for f in kind)
        return Kind(STRUCT, f"STRUCT({', '.join(f'{n} {k.name}' for n, k in parts)})", "", parts)
    return kind_of("VARCHAR")


_NAMED = {
    "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "BLOB": pa.binary(), "BOOLEAN": pa.bool_(),
    "TIMESTAMP": pa.timestamp("us"), "DATE": pa.date32(), "TIME": pa.time64("us"),
}  # fmt: skip


def chunks(batch: pa.RecordBatch, kinds: list[Kind], encoded: list[bytes]) -> list[bytes]:
    """A batch's rows as chunks; its columns are `fitted`, `encoded` are its types."""
    found = []
    for start in range(0, batch.num_rows, CHUNK_ROWS):
        part = batch.slice(start, CHUNK_ROWS)
        columns = listed(vector(c, k) for c, k in zip(part.columns, kinds, strict=True))
        body = put(100, unsigned(part.num_rows)) + put(101, listed(encoded)) + put(102, columns)
        found.append(put(300, body + END) + END)
    return found


def vector(array: pa.Array, kind: Kind) -> bytes:
    """A column of a chunk."""
    if array.null_count:
        valid = np.packbits(array.is_valid().to_numpy(zero_copy_only=False), bitorder="little")
        words = -(-len(array) // 64)
        out = put(100, b"\x01") + put(101, blob(valid.tobytes().ljust(8 * words, b"\xff")))
    else:
        out = put(100, b"\x00")
    if kind.id == STRUCT:
        parts = zip(array.flatten(), kind.parts, strict=True)
        return out + put(103, listed(vector(a, k) for a, (_, k) in parts)) + END
    if kind.id in (LIST, MAP):
        return out + _list(array, kind) + END
    if kind.id == ARRAY:
        values = array.values.slice(array.offset * kind.size, len(array) * kind.size)
        return (
            out + put(103, unsigned(kind.size)) + put(104, vector(values, kind.parts[0][1])) + END
        )
    if kind.stored:
        return out + put(102, blob(_fixed(array, kind))) + END
    return out + put(102, _texts(array)) + END


def _list(array: Any, kind: Kind) -> bytes:
    """Where each list begins in the vector of all their values, and that vector."""
    offsets = array.offsets.to_numpy()
    first, last = int(offsets[0]), int(offsets[-1])
    entries = (
        put(100, unsigned(int(a) - first)) + put(101, unsigned(int(b) - int(a))) + END
        for a, b in itertools.pairwise(offsets)
    )
    if kind.id == MAP:
        values = pa.StructArray.from_arrays(
            [array.keys.slice(first, last - first), array.items.slice(first, last - first)],
            ["key", "value"],
        )
    else:
        values = array.values.slice(first, last - first)
    inner = vector(values, kind.parts[0][1])
    return put(104, unsigned(last - first)) + put(105, listed(entries)) + put(106, inner)


def _texts(array: pa.Array) -> bytes:
    """Texts or blobs, each after its length; a NULL is an empty one."""
    plain = array.cast(pa.binary()) if array.type != pa.binary() else array
    if plain.null_count:
        plain = pc.fill_null(plain, b"")
    count = len(plain)
    offsets = np.frombuffer(plain.buffers()[1], "<i4")[plain.offset : plain.offset + count + 1]
    lengths = np.diff(offsets)
    if count and int(lengths.max()) < SHORT:  # a length is one byte: all of them at once
        data = plain.buffers()[2]
        first, last = int(offsets[0]), int(offsets[-1])
        out = np.empty(count + last - first, np.uint8)
        starts = offsets[:-1] - first + np.arange(count)
        is_text = np.ones(len(out), bool)
        is_text[starts] = False
        out[starts] = lengths
        if last > first:
            out[is_text] = np.frombuffer(data, np.uint8)[first:last]
        return unsigned(count) + bytes(out.tobytes())
    parts = [unsigned(count)]
    for value in plain.to_pylist():
        parts += [unsigned(len(value)), value]
    return b"".join(parts)


def _fixed(array: pa.Array, kind: Kind) -> bytes:
    """The values of a type of a fixed size, as they are in memory."""
    if kind.name == "BOOLEAN":
        return bytes(pc.fill_null(array, False).to_numpy(zero_copy_only=False).tobytes())
    if kind.name == "UUID":
        return _uuids(array)
    start, count = array.offset, len(array)
    data = array.buffers()[1]
    if data is None:
        return bytes(count * np.dtype(kind.stored).itemsize)
    if kind.name == "INTERVAL":
        parts = np.frombuffer(data, [("m", "<i4"), ("d", "<i4"), ("n", "<i8")], start + count)
        parts = parts[start:].copy()
        parts["n"] //= 1000
        return bytes(parts.tobytes())
    if kind.id == DECIMAL and kind.stored != "V16":  # Arrow has 128 bits, DuckDB what it needs
        low = np.frombuffer(data, "<i8", 2 * (start + count))[2 * start :: 2]
        return bytes(low.astype(kind.stored).tobytes())
    return bytes(np.frombuffer(data, kind.stored, start + count)[start:].tobytes())


def _uuids(array: pa.Array) -> bytes:
    """UUIDs as 128-bit numbers whose first bit is turned, so that they sort."""
    out = []
    for value in array.to_pylist():
        try:
            number = 0 if value is None else int(str(value).replace("-", ""), 16) ^ (1 << 127)
            out.append(number.to_bytes(16, "little"))
        except (ValueError, OverflowError):
            raise DataError(f'"{value}" is no UUID') from None
    return b"".join(out)
