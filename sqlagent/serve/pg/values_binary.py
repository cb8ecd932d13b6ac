"""Values in PostgreSQL's binary format, and back: what each type's send and receive functions do.

Numbers are big-endian; times count microseconds, dates days, from 2000-01-01.
"""

from __future__ import annotations

import datetime
import struct
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlagent import texts
from sqlagent.clock import exact
from sqlagent.errors import DataError
from sqlagent.intervals import interval_parts
from sqlagent.serve.pg import values_text
from sqlagent.serve.pg.types import BY_OID, PgType

EPOCH = datetime.datetime(2000, 1, 1)
EPOCH_DATE = datetime.date(2000, 1, 1)
UTC = datetime.UTC
_INT2, _INT4, _INT8 = struct.Struct("!h"), struct.Struct("!i"), struct.Struct("!q")
_UINT4 = struct.Struct("!I")
_TID = struct.Struct("!IH")  # block and offset
_FLOAT4, _FLOAT8 = struct.Struct("!f"), struct.Struct("!d")
_INTERVAL = struct.Struct("!qii")
_ARRAY, _BOUND = struct.Struct("!iiI"), struct.Struct("!ii")
_SECOND = datetime.timedelta(seconds=1)
_MICROSECOND = datetime.timedelta(microseconds=1)


def timestamp(value: Any) -> bytes:
    """Microseconds since 2000."""
    if isinstance(value, str):
        value = texts.read_timestamp(value)
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime.combine(value, datetime.time())
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return _INT8.pack((value - EPOCH) // _MICROSECOND)


def date(value: Any) -> bytes:
    """Days since 2000."""
    if isinstance(value, str):
        value = texts.read_date(value)
    if isinstance(value, datetime.datetime):
        value = value.date()
    return _INT4.pack((value - EPOCH_DATE).days)


def time(value: Any) -> bytes:
    """Microseconds of the day."""
    if isinstance(value, str):
        value = texts.read_time(value)
    seconds = value.hour * 3600 + value.minute * 60 + value.second
    return _INT8.pack(seconds * 1_000_000 + value.microsecond)


def interval(value: Any) -> bytes:
    """Microseconds, days, months."""
    months, days, micros = interval_parts(value)
    return _INTERVAL.pack(micros, days, months)


def numeric(value: Any) -> bytes:
    """Digits of base 10000, with the weight of the first and the decimal digits to show."""
    if isinstance(value, str | int | float):
        value = Decimal(str(value)) if not isinstance(value, bool) else Decimal(int(value))
    if not value.is_finite():
        return struct.pack("!hhHh", 0, 0, 0xC000, 0)
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # it is finite
    scale = max(0, -exponent)
    text = "".join(map(str, digits)) + "0" * max(0, exponent)
    whole, part = (text[:-scale], text[-scale:].rjust(scale, "0")) if scale else (text, "")
    whole = whole.lstrip("0")
    whole = whole.rjust(-(-len(whole) // 4) * 4, "0")
    part = part.ljust(-(-len(part) // 4) * 4, "0")
    joined = whole + part
    groups = [int(joined[i : i + 4]) for i in range(0, len(joined), 4)]
    weight = len(whole) // 4 - 1
    while groups and not groups[0]:
        groups.pop(0)
        weight -= 1
    while groups and not groups[-1]:
        groups.pop()
    if not groups:
        weight = sign = 0
    head = struct.pack("!hhHh", len(groups), weight, 0x4000 if sign else 0, scale)
    return head + struct.pack(f"!{len(groups)}h", *groups)


def numeric_plain(value: Any) -> bytes:
    """The same without zeros at its end."""
    return numeric(values_text.numeric_plain(value))


def integer(form: struct.Struct, name: str) -> Callable[[Any], bytes]:
    """What packs whole numbers of one size."""
    pack = form.pack

    def write(value: Any) -> bytes:
        try:
            return pack(value)
        except struct.error:
            pass
        try:
            return pack(int(value))
        except (struct.error, TypeError, ValueError):
            raise DataError(
                f"{value!r:.60} is no {name}", sqlstate="22003" if type(value) is int else "22P02"
            ) from None

    return write


def floating(form: struct.Struct) -> Callable[[Any], bytes]:
    """What packs floats of one size."""
    pack = form.pack

    def write(value: Any) -> bytes:
        try:
            return pack(value)
        except (struct.error, OverflowError):
            try:
                return pack(float(value))
            except (TypeError, ValueError):
                raise DataError(f"{value!r:.60} is no number", sqlstate="22P02") from None
            except OverflowError:
                return pack(float("inf") if value > 0 else float("-inf"))

    return write


def _bytea(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _uuid(value: Any) -> bytes:
    return value.bytes if isinstance(value, uuid.UUID) else uuid.UUID(str(value)).bytes


def _bool(value: Any) -> bytes:
    if isinstance(value, str):
        value = texts.read_bool(value)
    return b"\1" if value else b"\0"


def _char(value: Any) -> bytes:
    return str(value).encode()[:1] or b"\0"


WRITERS: dict[str, Callable[[Any], bytes]] = {
    "bool": _bool, "bytea": _bytea, "char": _char, "int2": integer(_INT2, "smallint"),
    "int4": integer(_INT4, "integer"), "int8": integer(_INT8, "bigint"),
    "oid": integer(_UINT4, "oid"), "float4": floating(_FLOAT4), "float8": floating(_FLOAT8),
    "numeric": numeric,
    "numeric_plain": numeric_plain, "timestamp": timestamp, "timestamptz": timestamp, "date": date,
    "time": time, "timetz": lambda v: time(v) + b"\0\0\0\0", "interval": interval, "uuid": _uuid,
    "tid": lambda value: _TID.pack(*values_text.tid_parts(value)),
    "escape": _bytea, "iso_8601": interval, "postgres_verbose": interval, "sql_standard": interval,
}  # fmt: skip


def writer(found: PgType, codec: str = "utf-8") -> Callable[[Any], bytes]:
    """What makes the bytes of values of a type; texts in `codec`."""
    made = WRITERS.get(found.codec)
    if made is not None:
        return made
    if found.element is not None:
        return array(found, codec)
    said = values_text.WRITERS[found.codec]
    if found.codec == "jsonb":
        return lambda value: b"\1" + said(value).encode(codec)
    return lambda value: said(value).encode(codec)


def array(found: PgType, codec: str) -> Callable[[Any], bytes]:
    """What makes the bytes of arrays, of int2vector and of oidvector (which start at 0)."""
    element = found.element
    assert element is not None  # an array has one
    one, oid = writer(element, codec), element.oid
    lower = 0 if found.codec == "vector" else 1

    def write(value: Any) -> bytes:
        if isinstance(value, str):
            value = values_text.reader(found)(value)
        shape: list[int] = []
        flat = list(value)
        if flat:
            shape.append(len(flat))
        while flat and isinstance(flat[0], list | tuple):
            width = len(flat[0])
            if any(not isinstance(v, list | tuple) or len(v) != width for v in flat):
                raise DataError("an array's rows have all the same length", sqlstate="2202E")
            shape.append(width)
            flat = [item for row in flat for item in row]
        parts = [_ARRAY.pack(len(shape), any(v is None for v in flat), oid)]
        parts += [_BOUND.pack(size, lower) for size in shape]
        for item in flat:
            if item is None:
                parts.append(b"\xff\xff\xff\xff")
            else:
                data = one(item)
                parts += (_INT4.pack(len(data)), data)
        return b"".join(parts)

    return write


# Reading ----------------------------------------------------------------------------------------


def _read(form: struct.Struct, name: str) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        if len(data) != form.size:
            raise malformed(name)
        return form.unpack(data)[0]

    return read


def malformed(name: str) -> DataError:
    """The error for bytes that are no value of a type."""
    return DataError(f"incorrect binary data format for type {name}", sqlstate="22P03")


def read_timestamp(data: bytes) -> datetime.datetime:
    """Microseconds since 2000 as a naive time in UTC."""
    micros = _read(_INT8, "timestamp")(data)
    try:
        return exact(EPOCH + datetime.timedelta(microseconds=micros))
    except OverflowError:
        raise DataError("timestamp out of range", sqlstate="22008") from None


def read_date(data: bytes) -> datetime.date:
    """Days since 2000."""
    days = _read(_INT4, "date")(data)
    try:
        return EPOCH_DATE + datetime.timedelta(days=days)
    except OverflowError:
        raise DataError("date out of range", sqlstate="22008") from None


def read_time(data: bytes) -> datetime.time:
    """Microseconds of the day; a zone after them is passed over."""
    micros = _read(_INT8, "time")(data[:8])
    if not 0 <= micros < 86_400_000_000:
        raise DataError("time out of range", sqlstate="22008")
    return (datetime.datetime.min + datetime.timedelta(microseconds=micros)).time()


def read_interval(data: bytes) -> datetime.timedelta:
    """Microseconds, days, months of 30 days."""
    if len(data) != 16:
        raise malformed("interval")
    micros, days, months = _INTERVAL.unpack(data)
    return datetime.timedelta(days=days + 30 * months, microseconds=micros)


def read_numeric(data: bytes) -> Decimal:
    """Digits of base 10000."""
    if len(data) < 8:
        raise malformed("numeric")
    count, weight, sign, scale = struct.unpack("!hhHh", data[:8])
    if sign in (0xC000, 0xD000, 0xF000):
        return Decimal({0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}[sign])
    if count < 0 or len(data) != 8 + 2 * count:
        raise malformed("numeric")
    number = 0
    for digit in struct.unpack(f"!{count}h", data[8:]):
        if not 0 <= digit < 10000:
            raise malformed("numeric")
        number = number * 10000 + digit
    shift = 4 * (weight - count + 1)
    if not -20_000 <= shift <= 200_000:
        raise DataError("numeric out of range", sqlstate="22003")
    digits = tuple(map(int, str(number)))
    value = Decimal((1 if sign == 0x4000 else 0, digits, shift))
    if -shift > scale or shift > 0:
        exponent = Decimal((0, (1,), -scale))
        with_scale = value.quantize(exponent, context=_wide(len(digits) + abs(shift) + scale + 2))
        return with_scale
    return value


def _wide(digits: int) -> Any:
    from decimal import Context

    return Context(prec=max(digits, 28))


def read_bool(data: bytes) -> bool:
    """One byte."""
    if len(data) != 1:
        raise malformed("boolean")
    return data != b"\0"


def read_uuid(data: bytes) -> str:
    """Sixteen bytes."""
    if len(data) != 16:
        raise malformed("uuid")
    return str(uuid.UUID(bytes=data))


def read_tid(data: bytes) -> int:
    """A block of four bytes and an offset of two."""
    if len(data) != _TID.size:
        raise malformed("tid")
    block, offset = _TID.unpack(data)
    return int(block) << 16 | int(offset)


READERS: dict[str, Callable[[bytes], Any]] = {
    "bool": read_bool, "bytea": bytes, "int2": _read(_INT2, "smallint"),
    "int4": _read(_INT4, "integer"), "int8": _read(_INT8, "bigint"), "oid": _read(_UINT4, "oid"),
    "float4": _read(_FLOAT4, "real"), "float8": _read(_FLOAT8, "double precision"),
    "numeric": read_numeric,
    "numeric_plain": read_numeric, "timestamp": read_timestamp, "timestamptz": read_timestamp,
    "date": read_date, "time": read_time, "timetz": read_time, "interval": read_interval,
    "uuid": read_uuid, "tid": read_tid,
}  # fmt: skip


def decoded(data: bytes, codec: str) -> str:
    """A text; DataError where the bytes are none."""
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        raise DataError(
            f'invalid byte sequence for encoding "{codec.upper().replace("-", "")}": '
            f"0x{data[error.start : error.start + 1].hex()}",
            sqlstate="22021",
        ) from None
    if "\0" in text:
        raise DataError('invalid byte sequence for encoding "UTF8": 0x00', sqlstate="22021")
    return text


def reader(found: PgType, codec: str = "utf-8") -> Callable[[bytes], Any]:
    """What reads the bytes of a value of a type; texts in `codec`."""
    made = READERS.get(found.codec)
    if made is not None:
        return made
    if found.element is not None:
        return lambda data: read_array(data, codec)
    said = values_text.READERS[found.codec]
    if found.codec == "jsonb":
        return lambda data: said(decoded(data[1:], codec))
    return lambda data: said(decoded(data, codec))


def read_array(data: bytes, codec: str) -> list[Any]:
    """An array of up to six dimensions as nested lists."""
    if len(data) < 12:
        raise malformed("array")
    dimensions, _, oid = _ARRAY.unpack(data[:12])
    element = BY_OID.get(oid)
    if element is None or not 0 <= dimensions <= 6 or len(data) < 12 + 8 * dimensions:
        raise malformed("array")
    sizes = [_BOUND.unpack_from(data, 12 + 8 * i)[0] for i in range(dimensions)]
    at = 12 + 8 * dimensions
    total = 1 if sizes else 0
    for size in sizes:
        if size < 0 or size * 4 > len(data):
            raise malformed("array")
        total *= size
    if total * 4 > len(data) - at:
        raise malformed("array")
    one = reader(element, codec)
    flat: list[Any] = []
    for _ in range(total):
        if at + 4 > len(data):
            raise malformed("array")
        (length,) = _INT4.unpack_from(data, at)
        at += 4
        if length < 0:
            flat.append(None)
            continue
        if at + length > len(data):
            raise malformed("array")
        flat.append(one(data[at : at + length]))
        at += length
    for size in reversed(sizes[1:]):
        flat = [flat[i : i + size] for i in range(0, len(flat), size)] if size else []
    return flat
