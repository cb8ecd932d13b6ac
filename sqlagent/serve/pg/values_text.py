"""Values as PostgreSQL's text format has them, and back: what each type's output function prints.

Dates and times are ISO, in UTC unless a zone is given; floats the shortest that reads back the same
(extra_float_digits from 1).
"""

from __future__ import annotations

import datetime
import json
import math
import re
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlagent.errors import DataError
from sqlagent.intervals import (
    interval_parts,
    parse_interval,
    spoken,
    spoken_iso,
    spoken_standard,
    spoken_verbose,
)
from sqlagent.serve.pg.types import PgType
from sqlagent.texts import (
    read_array,
    read_bool,
    read_bytea,
    read_date,
    read_float,
    read_int,
    read_json,
    read_local,
    read_numeric,
    read_time,
    read_timestamp,
    read_uuid,
    wrong,
)

UTC = datetime.UTC
_NEEDS_QUOTES = re.compile(r'[{}",\\\s]|^$|^null$', re.I)


def boolean(value: Any) -> str:
    """`t` or `f`."""
    if isinstance(value, str):
        return "t" if read_bool(value) else "f"
    return "t" if value else "f"


def whole(value: Any) -> str:
    """A whole number; a boolean of SQLite's is one."""
    if type(value) is int:
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(int(value)) if isinstance(value, bool | Decimal) else str(value)


def float8(value: Any) -> str:
    """A float64 as PostgreSQL prints it.

    >>> float8(1.0), float8(1e15), float8(0.00001), float8(float("inf"))
    ('1', '1e+15', '1e-05', 'Infinity')
    """
    if not isinstance(value, float):
        if not isinstance(value, int | Decimal):
            return str(value)
        value = float(value)
    if not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    text = repr(value)
    if text.endswith(".0"):
        text = text[:-2]
        if len(text) > 15 and "e" not in text and abs(value) >= 1e15:
            digits = text.lstrip("-")
            mantissa = digits.rstrip("0")
            point = mantissa[0] + ("." + mantissa[1:] if len(mantissa) > 1 else "")
            text = f"{'-' if value < 0 else ''}{point}e+{len(digits) - 1:02}"
    return text


def float4(value: Any) -> str:
    """A float32 by its shortest digits.

    >>> float4(0.1), float4(16777216.0), float4(1e6)
    ('0.1', '1.6777216e+07', '1e+06')
    """
    if not isinstance(value, float | int) or not math.isfinite(value):
        return float8(value)
    try:
        kept = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return "Infinity" if value > 0 else "-Infinity"
    text = f"{kept:.9g}"
    for digits in range(6, 9):
        shorter = f"{kept:.{digits}g}"
        if struct.unpack("f", struct.pack("f", float(shorter)))[0] == kept:
            text = shorter
            break
    if "e" not in text and abs(kept) >= 1e6:
        number, digits = text.lstrip("-"), len(text.lstrip("-").partition(".")[0])
        mantissa = number.replace(".", "").rstrip("0")
        point = mantissa[0] + ("." + mantissa[1:] if len(mantissa) > 1 else "")
        text = f"{'-' if kept < 0 else ''}{point}e+{digits - 1:02}"
    return text


def numeric(value: Any) -> str:
    """An exact number without an exponent."""
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else "NaN"
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f") if math.isfinite(value) else float8(value)
    return str(int(value)) if isinstance(value, bool) else str(value)


def numeric_plain(value: Any) -> str:
    """The same of a number whose digits are its own: `1.50` is 1.5."""
    said = numeric(value)
    return said.rstrip("0").rstrip(".") if "." in said else said


def bytea(value: Any) -> str:
    """`\\x` and hexadecimal digits."""
    if isinstance(value, str):
        value = value.encode()
    return "\\x" + bytes(value).hex() if isinstance(value, bytes | bytearray) else str(value)


def timestamp(value: Any) -> str:
    """`YYYY-MM-DD HH:MM:SS[.ffffff]`, without zeros at the end."""
    if type(value) is datetime.datetime:
        if value.tzinfo is not None:
            value = value.astimezone(UTC).replace(tzinfo=None)
        text: str = value.isoformat(" ")
        return text.rstrip("0") if value.microsecond else text
    if isinstance(value, datetime.date):
        return f"{value.isoformat()} 00:00:00"
    return str(value)


def timestamptz(value: Any, zone: datetime.tzinfo = UTC) -> str:
    """An instant in a zone, with its offset."""
    if not isinstance(value, datetime.datetime):
        return str(value)
    moment = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    local = moment.astimezone(zone)
    text = local.replace(tzinfo=None).isoformat(" ")
    if local.microsecond:
        text = text.rstrip("0")
    offset = int((local.utcoffset() or datetime.timedelta()).total_seconds())
    sign, offset = "-" if offset < 0 else "+", abs(offset)
    text += f"{sign}{offset // 3600:02}"
    if offset % 3600:
        text += f":{offset // 60 % 60:02}"
    return text + (f":{offset % 60:02}" if offset % 60 else "")


def date(value: Any) -> str:
    """`YYYY-MM-DD`."""
    if isinstance(value, datetime.datetime):
        value = value.date()
    return value.isoformat() if isinstance(value, datetime.date) else str(value)


def time(value: Any) -> str:
    """`HH:MM:SS[.ffffff]`."""
    if not isinstance(value, datetime.time):
        return str(value)
    text = value.isoformat()
    return text.rstrip("0") if value.microsecond else text


def bytea_escaped(value: Any) -> str:
    """Bytes as bytea_output 'escape' has them: those that are no printable ASCII in octal.

    >>> bytea_escaped(bytes([97, 92, 255])) == "a" + 2 * chr(92) + chr(92) + "377"
    True
    """
    raw = value.encode() if isinstance(value, str) else bytes(value)
    return "".join("\\\\" if b == 92 else chr(b) if 32 <= b < 127 else f"\\{b:03o}" for b in raw)


def styled(say: Callable[[int, int, int], str]) -> Callable[[Any], str]:
    """What prints intervals in another IntervalStyle."""

    def write(value: Any) -> str:
        return say(*interval_parts(value))

    return write


def interval(value: Any) -> str:
    """IntervalStyle postgres: `1 day 02:00:00`."""
    return spoken(*interval_parts(value)) if not isinstance(value, str) else value


def json_text(value: Any) -> str:
    """JSON; a text is JSON already."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    """What JSON has no form for."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return bytea(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


def text(value: Any) -> str:
    """Any value as a text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float8(value)
    if isinstance(value, bytes):
        return bytea(value)
    if isinstance(value, datetime.datetime):
        return timestamp(value)
    if isinstance(value, datetime.timedelta):
        return interval(value)
    if isinstance(value, list | dict):
        return json_text(value)
    return str(value)


def vector(value: Any) -> str:
    """int2vector and oidvector: numbers between spaces."""
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def array(element: PgType, zone: datetime.tzinfo = UTC) -> Callable[[Any], str]:
    """What prints arrays of a type."""
    one = WRITERS[element.codec]
    if element.codec == "timestamptz":

        def one(value: Any) -> str:
            return timestamptz(value, zone)

    def write(value: Any) -> str:
        if isinstance(value, str):
            return value
        parts = []
        for item in value:
            if item is None:
                parts.append("NULL")
                continue
            said = write(item) if isinstance(item, list | tuple) else one(item)
            if not isinstance(item, list | tuple) and _NEEDS_QUOTES.search(said):
                said = '"' + said.replace("\\", "\\\\").replace('"', '\\"') + '"'
            parts.append(said)
        return "{" + ",".join(parts) + "}"

    return write


def tid_parts(value: Any) -> tuple[int, int]:
    """The block and the offset by which a row's number goes over the wire."""
    block, offset = divmod(value, 1 << 16)
    if not 0 <= block < 1 << 32:
        raise DataError(f"row {value} has no ctid: its number takes more than 48 bits",
                        sqlstate="22003")  # fmt: skip
    return block, offset


def tid(value: Any) -> str:
    """A row's number as PostgreSQL says where a row is."""
    return "({},{})".format(*tid_parts(value))


def read_tid(text: str) -> int:
    """`(block,offset)` as a row's number."""
    found = re.fullmatch(r"[^(]*\(\s*(\d{1,10})\s*,\s*(\d{1,5})\s*\).*", text, re.S)
    if found is None or int(found[1]) >= 1 << 32 or int(found[2]) >= 1 << 16:
        raise wrong("tid", text)
    return int(found[1]) << 16 | int(found[2])


WRITERS: dict[str, Callable[[Any], str]] = {
    "bool": boolean, "int2": whole, "int4": whole, "int8": whole, "oid": whole, "float4": float4,
    "float8": float8, "numeric": numeric,
    "numeric_plain": numeric_plain, "bytea": bytea, "timestamp": timestamp,
    "timestamptz": timestamptz, "date": date, "time": time, "timetz": time, "interval": interval,
    "json": json_text, "jsonb": json_text, "uuid": str, "text": text, "char": text,
    "vector": vector, "tid": tid, "escape": bytea_escaped, "iso_8601": styled(spoken_iso),
    "postgres_verbose": styled(spoken_verbose), "sql_standard": styled(spoken_standard),
}  # fmt: skip


def writer(found: PgType, zone: datetime.tzinfo = UTC) -> Callable[[Any], str]:
    """What prints values of a type; instants in `zone`."""
    if found.codec == "array":
        assert found.element is not None  # an array has one
        return array(found.element, zone)
    if found.codec == "timestamptz" and zone is not UTC:
        return lambda value: timestamptz(value, zone)
    return WRITERS[found.codec]


# Reading ----------------------------------------------------------------------------------------

READERS: dict[str, Callable[[str], Any]] = {
    "bool": read_bool, "int8": read_int, "float8": read_float, "float4": read_float,
    "int4": lambda t: read_int(t, 32, "integer"), "int2": lambda t: read_int(t, 16, "smallint"),
    "oid": lambda t: read_int(t, 33, "oid"), "numeric": read_numeric,
    "numeric_plain": read_numeric, "bytea": read_bytea,
    "timestamp": read_local, "date": read_date, "time": read_time, "timetz": read_time,
    "interval": parse_interval, "json": read_json, "jsonb": read_json, "uuid": read_uuid,
    "text": str, "char": str, "timestamptz": read_timestamp,
    "tid": read_tid,
}  # fmt: skip


def reader(found: PgType, zone: datetime.tzinfo = UTC) -> Callable[[str], Any]:
    """What reads a text as a value of a type; an instant without an offset is in `zone`."""
    if found.element is not None and found.codec == "array":
        inner = reader(found.element, zone)
        return lambda text: read_array(text, inner)
    if found.codec == "vector":
        return lambda text: [int(part) for part in text.split()]
    if found.codec == "timestamptz":
        return lambda text: read_timestamp(text, zone)
    return READERS[found.codec]
