"""Many rows as DataRow messages at once: numpy puts whole columns where they belong.

Each column is lengths (-1 for NULL) and the bytes of all its values in one piece. Where each value
begins in the output follows from the lengths; the bytes are then moved there a column at a time.
The module as a whole is imported lazily: it imports numpy, and pyarrow for Arrow's batches.
"""

from __future__ import annotations

import datetime
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sqlagent.serve.pg.messages import NULL

if TYPE_CHECKING:
    import pyarrow as pa

    from sqlagent.serve.pg.encode import Rows

EPOCH_US = 946_684_800_000_000  # 2000-01-01 since 1970, in microseconds
EPOCH_DAYS = 10_957
_WIDTH = {"int8": 8, "int4": 4, "int2": 2, "float8": 8, "float4": 4, "bool": 1, "date": 4,
          "timestamp": 8, "timestamptz": 8, "time": 8}  # fmt: skip
_DTYPE = {"int8": ">i8", "int4": ">i4", "int2": ">i2", "float8": ">f8", "float4": ">f4"}
_Array = Any  # numpy's, of one dimension


class Block(NamedTuple):
    """A column: `lengths` of its values (-1 is NULL), and their bytes one after the other; `width`
    where all have the same."""

    lengths: _Array
    data: _Array
    width: int = 0


class Columnar:
    """Encodes for one result, as `rows` says."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def of_rows(self, rows: list[tuple[Any, ...]]) -> bytes:
        """The messages of tuples."""
        return assembled(self.blocks(rows), len(rows), self.rows.letter)

    def of_batch(self, batch: pa.RecordBatch) -> bytes:
        """The messages of a batch of Arrow."""
        if not batch.num_rows:
            return b""
        return assembled(self.blocks(batch), batch.num_rows, self.rows.letter)

    def blocks(self, chunk: Any) -> list[Block]:
        """The columns of tuples, or of a table of Arrow in one batch."""
        if isinstance(chunk, list):
            columns = zip(*chunk, strict=True)
            return [self._of_values(list(v), place) for place, v in enumerate(columns)]
        return [self._of_array(array, place) for place, array in enumerate(chunk.columns)]

    # Columns of Python values -----------------------------------------------------------------

    def _of_values(self, values: list[Any], place: int) -> Block:
        codec = self.rows.columns[place].type.codec
        kinds = set(map(type, values))
        some = kinds - {type(None)}
        null = None
        if len(some) < len(kinds) and len(some) == 1:
            null = np.fromiter((v is None for v in values), dtype=bool, count=len(values))
        if self.rows.formats[place]:
            if (codec, some) in (("int8", {int}), ("float8", {float})):
                plain = values if null is None else [0 if v is None else v for v in values]
                try:
                    return fixed(np.array(plain, dtype=_DTYPE[codec]), null)
                except OverflowError:
                    return self._each(values, place)
            if codec == "timestamp" and some == {datetime.datetime}:
                if any(v is not None and v.tzinfo is not None for v in values):
                    return self._each(values, place)
                micros = np.array(values, dtype="M8[us]").view("i8") - EPOCH_US
                return fixed(micros.astype(">i8"), null)
        elif null is None:
            if codec in ("int8", "int4", "int2", "numeric") and kinds == {int}:
                return texts(list(map(str, values)))
            if codec == "float8" and kinds == {float}:
                said = floats(values)
                if said is not None:
                    return said
        if codec in ("text", "json") and kinds == {str} and self.rows.codec == "utf-8":
            return texts(values)
        return self._each(values, place)

    def _each(self, values: list[Any], place: int) -> Block:
        """Any column, value by value."""
        make = self.rows.fields[place]
        parts = [NULL if v is None else make(v) for v in values]
        lengths = np.array([len(p) - 4 for p in parts], dtype=np.int64)
        if None in values:
            lengths[np.array([v is None for v in values])] = -1
        return Block(lengths, np.frombuffer(b"".join([p[4:] for p in parts]), dtype=np.uint8))

    # Columns of Arrow -------------------------------------------------------------------------

    def _of_array(self, array: pa.Array, place: int) -> Block:
        import pyarrow as pa

        codec = self.rows.columns[place].type.codec
        kind = array.type
        if pa.types.is_dictionary(kind):
            array = array.dictionary_decode()
            kind = array.type
        binary = bool(self.rows.formats[place])
        found = None
        if binary and codec in _WIDTH:
            found = _numbers(array, codec)
        elif not binary:
            found = self._said(array, codec)
        if found is None and codec in ("text", "json", "bytea") and _is_plain(kind):
            raw = codec != "bytea" or (binary and pa.types.is_binary(kind))
            if raw and (self.rows.codec == "utf-8" or codec == "bytea"):
                found = _strings(array)
        return found if found is not None else self._each(_python(array), place)

    def _said(self, array: pa.Array, codec: str) -> Block | None:
        """Numbers and times in the text format, where Arrow prints them as PostgreSQL does."""
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = array.type
        if codec in ("int8", "int4", "int2", "numeric") and pa.types.is_integer(kind):
            return _strings(array.cast(pa.string()))
        if codec == "numeric" and pa.types.is_decimal(kind) and kind.scale <= 6:
            return _strings(array.cast(pa.string()))
        if codec == "bool" and pa.types.is_boolean(kind):
            return _strings(pc.if_else(array, "t", "f"))
        if codec == "float8" and pa.types.is_float64(kind) and not array.null_count:
            return floats(array.to_numpy().tolist())
        if codec == "date" and pa.types.is_date(kind):
            return _strings(array.cast(pa.string()))
        if codec == "timestamp" and pa.types.is_timestamp(kind) and kind.tz is None:
            said = array.cast(pa.timestamp("us")).cast(pa.string())
            return _strings(pc.utf8_rtrim(pc.utf8_rtrim(said, "0"), "."))
        return None


def _is_plain(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )  # fmt: skip


def _python(array: pa.Array) -> list[Any]:
    """The values of a column as the engine's rows have them."""
    import pyarrow as pa

    if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
        array = array.cast(pa.timestamp("us"), safe=False)
    return array.to_pylist()  # type: ignore[no-any-return]


def _strings(array: pa.Array) -> Block:
    """A column of texts or bytes, whose bytes Arrow has in one piece."""
    import pyarrow as pa

    wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    _, offsets_buffer, data_buffer = array.buffers()
    size = 8 if wide else 4
    offsets = np.frombuffer(offsets_buffer, dtype=f"i{size}", count=len(array) + 1,
                            offset=array.offset * size).astype(np.int64)  # fmt: skip
    data = (
        np.frombuffer(data_buffer, dtype=np.uint8)[offsets[0] : offsets[-1]]
        if data_buffer is not None
        else np.zeros(0, np.uint8)
    )
    lengths = np.diff(offsets)
    if array.null_count:
        null = np.asarray(array.is_null())
        if lengths[null].any():  # bytes that nobody sees
            keep = np.repeat(~null, lengths)
            data = data[keep]
        lengths = np.where(null, -1, lengths)
    return Block(lengths, data)


def _numbers(array: pa.Array, codec: str) -> Block | None:
    """A column of numbers or times in the binary format; None where its type is another."""
    import pyarrow as pa

    kind = array.type
    null = np.asarray(array.is_null()) if array.null_count else None
    if codec == "bool":
        if not pa.types.is_boolean(kind):
            return None
        plain = array.fill_null(False) if null is not None else array
        return fixed(np.asarray(plain).astype(np.uint8), null)
    if codec in ("int8", "int4", "int2"):
        if not pa.types.is_signed_integer(kind):
            return None
    elif codec in ("float8", "float4"):
        if not pa.types.is_floating(kind):
            return None
    elif codec == "date":
        if kind != pa.date32():
            return None
        array = array.cast(pa.int32())
    elif codec == "time":
        if not pa.types.is_time(kind):
            return None
        array = array.cast(pa.time64("us")).cast(pa.int64())
    elif not pa.types.is_timestamp(kind):
        return None
    else:
        array = array.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64())
    plain = np.asarray(array.fill_null(0) if null is not None else array)
    if codec == "date":
        return fixed((plain - EPOCH_DAYS).astype(">i4"), null)
    if codec in ("timestamp", "timestamptz"):
        return fixed((plain - EPOCH_US).astype(">i8"), null)
    if codec == "time":
        return fixed(plain.astype(">i8"), null)
    if codec in ("int4", "int2") and plain.dtype.itemsize > _WIDTH[codec]:
        bound = 1 << (8 * _WIDTH[codec] - 1)
        if len(plain) and not (-bound <= int(plain.min()) and int(plain.max()) < bound):
            return None  # value by value, it says which is too large
    return fixed(plain.astype(_DTYPE[codec]), null)


def fixed(values: _Array, null: _Array | None = None) -> Block:
    """A column whose values are all of one width."""
    width = values.dtype.itemsize
    if null is not None:
        values = values[~null]
        lengths = np.where(null, -1, width)
        return Block(lengths, np.ascontiguousarray(values).view(np.uint8))
    lengths = np.broadcast_to(np.int64(width), (len(values),))
    return Block(lengths, np.ascontiguousarray(values).view(np.uint8), width)


def floats(values: list[float]) -> Block | None:
    """A column of numbers as PostgreSQL prints them; None where Python does not print them so."""
    numbers = np.array(values)
    if not (np.isfinite(numbers).all() and (np.abs(numbers) < 1e15).all()):
        return None
    said = "\n".join(map(repr, values)) + "\n"
    return texts(said.replace(".0\n", "\n").split("\n")[:-1])


def texts(values: list[str]) -> Block:
    """A column of texts without NULL."""
    whole = "".join(values)
    data = whole.encode()
    if len(data) == len(whole):
        lengths = np.fromiter(map(len, values), dtype=np.int64, count=len(values))
        return Block(lengths, np.frombuffer(data, dtype=np.uint8))
    parts = [v.encode() for v in values]
    lengths = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))
    return Block(lengths, np.frombuffer(data, dtype=np.uint8))


def joined(blocks: list[Block], count: int, delimiter: bytes, null: bytes, letter: bytes) -> bytes:
    """A message with a line for each of `count` rows, the columns between delimiters."""
    sizes = np.full(count, 5 + len(blocks), dtype=np.int64)
    lengths = [np.where(b.lengths < 0, len(null), b.lengths) for b in blocks]
    for length in lengths:
        sizes += length
    ends = np.cumsum(sizes)
    at = ends - sizes
    out = np.empty(int(ends[-1]), dtype=np.uint8)
    head = np.empty((count, 5), dtype=np.uint8)
    head[:, 0] = letter[0]
    head[:, 1:5] = (sizes - 1).astype(">u4").view(np.uint8).reshape(count, 4)
    _put(out, at, head)
    at = at + 5
    for number, (block, length) in enumerate(zip(blocks, lengths, strict=True)):
        real = np.maximum(block.lengths, 0)
        if len(block.data):
            before = np.cumsum(real) - real
            places = np.repeat(at - before, real)
            places += np.arange(len(block.data))
            out[places] = block.data
        if null:
            missing = at[block.lengths < 0]
            for place, byte in enumerate(null):
                out[missing + place] = byte
        at = at + length
        out[at] = 10 if number == len(blocks) - 1 else delimiter[0]
        at = at + 1
    return out.tobytes()


def assembled(blocks: list[Block], count: int, letter: bytes) -> bytes:
    """The messages of `count` rows of these columns."""
    if all(block.width for block in blocks):
        return _struct(blocks, count, letter)
    sizes = np.full(count, 7 + 4 * len(blocks), dtype=np.int64)
    for block in blocks:
        sizes += np.maximum(block.lengths, 0)
    ends = np.cumsum(sizes)
    starts = ends - sizes
    out = np.empty(int(ends[-1]), dtype=np.uint8)
    head = np.empty((count, 7), dtype=np.uint8)
    head[:, 0] = letter[0]
    head[:, 1:5] = (sizes - 1).astype(">u4").view(np.uint8).reshape(count, 4)
    head[:, 5:7] = np.frombuffer(struct.pack("!H", len(blocks)), dtype=np.uint8)
    at = starts
    _put(out, at, head)
    at = at + 7
    for block in blocks:
        lengths = block.lengths
        if block.width:  # length and value are one piece
            piece = np.empty((count, 4 + block.width), dtype=np.uint8)
            piece[:, :4] = np.frombuffer(struct.pack("!i", block.width), dtype=np.uint8)
            piece[:, 4:] = block.data.reshape(count, block.width)
            _put(out, at, piece)
            at = at + (4 + block.width)
            continue
        _put(out, at, lengths.astype(">i4").view(np.uint8).reshape(count, 4))
        at = at + 4
        real = np.maximum(lengths, 0)
        if len(block.data):
            before = np.cumsum(real) - real
            places = np.repeat(at - before, real)
            places += np.arange(len(block.data))
            out[places] = block.data
        at = at + real
    return out.tobytes()


def _put(out: _Array, at: _Array, piece: _Array) -> None:
    """Write rows of bytes, each from its own place on."""
    for column in range(piece.shape[1]):
        out[at + column] = piece[:, column]


def _struct(blocks: list[Block], count: int, letter: bytes) -> bytes:
    """Rows that are all of one size."""
    size = 7 + sum(4 + block.width for block in blocks)
    out = np.empty((count, size), dtype=np.uint8)
    head = letter + struct.pack("!IH", size - 1, len(blocks))
    out[:, :7] = np.frombuffer(head, dtype=np.uint8)
    at = 7
    for block in blocks:
        out[:, at : at + 4] = np.frombuffer(struct.pack("!i", block.width), dtype=np.uint8)
        out[:, at + 4 : at + 4 + block.width] = block.data.reshape(count, block.width)
        at += 4 + block.width
    return out.tobytes()
