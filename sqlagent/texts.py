"""Texts of PostgreSQL's types, read: what each type's input function takes.

A text that is no value of its type is a DataError in PostgreSQL's words, with its SQLSTATE.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlagent.clock import exact
from sqlagent.errors import DataError

UTC = datetime.UTC


def wrong(name: str, text: str) -> DataError:
    """The error for a text that is no value of a type."""
    return DataError(f'invalid input syntax for type {name}: "{text}"', sqlstate="22P02")


def read_bool(text: str) -> bool:
    """A boolean in any of PostgreSQL's spellings."""
    said = text.strip().lower()
    for value, words in ((True, ("true", "yes", "on", "1")), (False, ("false", "no", "off", "0"))):
        if said and any(w.startswith(said) for w in words) and said not in ("o",):
            return value
    raise wrong("boolean", text)


def read_int(text: str, bits: int = 64, name: str = "bigint") -> int:
    """A whole number within so many bits."""
    try:
        number = int(text)
    except ValueError:
        raise wrong(name, text) from None
    if not -(1 << bits - 1) <= number < 1 << bits - 1:
        raise DataError(f'value "{text}" is out of range for type {name}', sqlstate="22003")
    return number


def read_float(text: str) -> float:
    """A number, `Infinity` or `NaN`."""
    try:
        return float(text)
    except ValueError:
        raise wrong("double precision", text) from None


def read_numeric(text: str) -> Decimal:
    """An exact number."""
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        raise wrong("numeric", text) from None


def read_bytea(text: str) -> bytes:
    """Hexadecimal digits after `\\x`, or the older form with escapes."""
    if text.startswith("\\x"):
        try:
            return bytes.fromhex(text[2:])
        except ValueError:
            raise wrong("bytea", text) from None
    raw = text.encode()
    return re.sub(rb"\\(\\|[0-7]{3})", _unescaped, raw)


def _unescaped(match: re.Match[bytes]) -> bytes:
    return b"\\" if match[1] == b"\\" else bytes([int(match[1], 8) & 255])


_ZONE = re.compile(r"(?P<rest>.*\d)\s*(?P<zone>Z|UTC|GMT|[+-]\d\d?(?::?\d\d(?::?\d\d)?)?)$", re.I)


def read_timestamp(text: str, zone: datetime.tzinfo | None = None) -> datetime.datetime:
    """A time as a naive one in UTC; `zone` is that of a text that names none."""
    value, said = _moment(text, "timestamp with time zone")
    offset = said or zone
    if offset is None:
        return exact(value)
    try:
        return exact(value.replace(tzinfo=offset).astimezone(UTC).replace(tzinfo=None))
    except OverflowError:
        raise DataError(f'timestamp out of range: "{text}"', sqlstate="22008") from None


def read_local(text: str) -> datetime.datetime:
    """A time without a zone: as PostgreSQL does, one that the text names is passed over.

    >>> str(read_local("2024-05-06T07:08:09.5+08:00")), str(read_local("2024-5-6 7:08"))
    ('2024-05-06 07:08:09.500000', '2024-05-06 07:08:00')
    """
    return exact(_moment(text, "timestamp")[0])


# The fields need not have leading zeros; of the time, only hours and minutes must be there.
_MOMENT = re.compile(
    r"(?P<y>\d{4,})-(?P<m>\d{1,2})-(?P<d>\d{1,2})"
    r"(?:[T\s]\s*(?P<h>\d{1,2}):(?P<i>\d{2})(?::(?P<s>\d{2})(?:\.(?P<f>\d*))?)?)?",
    re.I,
)


def _moment(text: str, name: str) -> tuple[datetime.datetime, datetime.tzinfo | None]:
    """What a text says without its zone, and the zone."""
    said = text.strip()
    if said.lower() in ("now", "today", "epoch"):
        now = datetime.datetime.now(UTC).replace(tzinfo=None)
        if said.lower() == "epoch":
            return datetime.datetime(1970, 1, 1), UTC
        return now if said.lower() == "now" else datetime.datetime.combine(
            now, datetime.time()
        ), UTC  # fmt: skip
    offset: datetime.tzinfo | None = None
    found = _ZONE.match(said)
    if found is not None and ":" in found["rest"]:
        said = found["rest"]
        offset = _offset(found["zone"].upper())
    return _dated(said, text, name), offset


def _offset(mark: str) -> datetime.tzinfo:
    """The zone of `Z`, `+8`, `+08:00` or `-0330`."""
    if mark in ("Z", "UTC", "GMT"):
        return UTC
    digits = mark[1:].replace(":", "").ljust(2, "0") if len(mark) > 2 else "0" + mark[1:]
    seconds = int(digits[:2]) * 3600 + int(digits[2:4] or 0) * 60 + int(digits[4:6] or 0)
    return datetime.timezone(datetime.timedelta(seconds=-seconds if mark[0] == "-" else seconds))


def _dated(said: str, text: str, name: str) -> datetime.datetime:
    """A date, or a date and a time of day, in ISO form."""
    found = _MOMENT.fullmatch(said)
    if found is None:
        try:
            return datetime.datetime.fromisoformat(said)
        except ValueError:
            raise DataError(
                f'invalid input syntax for type {name}: "{text}"', sqlstate="22007"
            ) from None
    whole = [int(found[k] or 0) for k in "ymdhis"]
    micros = round(float(f"0.{found['f'] or 0}") * 1e6)
    day_after = whole[3] == 24 and not any((*whole[4:], micros))  # 24:00 is the next day's 0:00
    try:
        year, month, day, hour, minute, second = whole
        value = datetime.datetime(year, month, day, 0 if day_after else hour, minute, second)
        return value + datetime.timedelta(days=day_after, microseconds=micros)
    except (ValueError, OverflowError):
        raise DataError(f'date/time field value out of range: "{text}"', sqlstate="22008") from None


def read_date(text: str) -> datetime.date:
    """A date in ISO form; of a time, its day."""
    return _moment(text, "date")[0].date()


def read_time(text: str) -> datetime.time:
    """A time of day."""
    try:
        return datetime.time.fromisoformat(text.strip().rjust(5, "0")).replace(tzinfo=None)
    except ValueError:
        raise DataError(f'invalid input syntax for type time: "{text}"', sqlstate="22007") from None


def read_json(text: str) -> str:
    """A text that is JSON."""
    try:
        json.loads(text)
    except ValueError:
        raise wrong("json", text) from None
    return text


def read_uuid(text: str) -> str:
    """A UUID in its usual form."""
    import uuid

    try:
        return str(uuid.UUID(text.strip()))
    except ValueError:
        raise wrong("uuid", text) from None


def read_array(text: str, one: Callable[[str], Any]) -> list[Any]:
    """An array as PostgreSQL prints it: `{1,NULL,"a b",{…}}`."""
    said = text.strip()
    if said.startswith("[") and "={" in said:  # bounds
        said = said[said.index("={") + 1 :]
    elif said.startswith("["):  # JSON, as vectors are often written
        try:
            found = json.loads(said)
        except ValueError:
            raise wrong("array", text) from None
        if isinstance(found, list):
            return found
    value, end = _items(said, 0, one, text)
    if said[end:].strip():
        raise wrong("array", text)
    return value


def _items(said: str, at: int, one: Callable[[str], Any], whole_text: str) -> tuple[list[Any], int]:
    """The items from `{` at a place, and the place after its `}`."""
    if at >= len(said) or said[at] != "{":
        raise wrong("array", whole_text)
    at += 1
    found: list[Any] = []
    while True:
        while at < len(said) and said[at].isspace():
            at += 1
        if at >= len(said):
            raise wrong("array", whole_text)
        if said[at] == "}" and not found:
            return found, at + 1
        if said[at] == "{":
            inner, at = _items(said, at, one, whole_text)
            found.append(inner)
        elif said[at] == '"':
            part, at = _quoted(said, at + 1, whole_text)
            found.append(one(part))
        else:
            end = at
            while end < len(said) and said[end] not in ",}":
                end += 2 if said[end] == "\\" else 1
            part = re.sub(r"\\(.)", r"\1", said[at:end].strip())
            if not part:
                raise wrong("array", whole_text)
            found.append(None if part.upper() == "NULL" else one(part))
            at = end
        while at < len(said) and said[at].isspace():
            at += 1
        if at >= len(said) or said[at] not in ",}":
            raise wrong("array", whole_text)
        if said[at] == "}":
            return found, at + 1
        at += 1


def _quoted(said: str, at: int, whole_text: str) -> tuple[str, int]:
    """A quoted item, and the place after its quote."""
    parts: list[str] = []
    while at < len(said) and said[at] != '"':
        if said[at] == "\\":
            at += 1
        parts.append(said[at : at + 1])
        at += 1
    if at >= len(said):
        raise wrong("array", whole_text)
    return "".join(parts), at + 1
