"""LIST, STRUCT and INTERVAL columns: kept in the file as JSON and as text, checked on their way in.

`VARCHAR[]` is a JSON array, `STRUCT(a BIGINT, b VARCHAR)` a JSON object, an INTERVAL a text such as
`1 month 2 days 03:00:00`. A vector, FLOAT[n], is no list: it has bytes (see `sqlagent.values`).
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from sqlagent.errors import DataError
from sqlagent.types import fields, is_list, is_struct

_DAYS = {"year": 360, "month": 30, "week": 7, "day": 1}  # as DuckDB's Python values count them
_CLOCK = {"hour": 3600, "minute": 60, "second": 1, "min": 60, "sec": 1, "millisecond": 1e-3}
_PART = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*([a-z]+?)s?\b", re.I)
_TIME = re.compile(r"([+-]?)(\d+):(\d\d):(\d\d(?:\.\d+)?)\s*$")
_FITS: dict[str, tuple[type, ...]] = {
    "BIGINT": (int,), "HUGEINT": (int,), "DOUBLE": (int, float), "VARCHAR": (str,),
    "BOOLEAN": (bool,),
}  # fmt: skip


def interval(text: Any) -> Any:
    """A text as a timedelta, months of 30 days; anything else as it is.

    >>> interval("1 month 2 days 03:00:00")
    datetime.timedelta(days=32, seconds=10800)
    """
    if not isinstance(text, str):
        return text
    found = datetime.timedelta()
    clock = _TIME.search(text)
    if clock is not None:
        sign = -1 if clock[1] == "-" else 1
        found += sign * datetime.timedelta(
            hours=int(clock[2]), minutes=int(clock[3]), seconds=float(clock[4])
        )
        text = text[: clock.start()]
    for number, word in _PART.findall(text):
        unit = word.lower()
        if unit in _DAYS:
            found += datetime.timedelta(days=float(number) * _DAYS[unit])
        elif unit in _CLOCK:
            found += datetime.timedelta(seconds=float(number) * _CLOCK[unit])
        else:
            return text
    return found


def interval_text(value: datetime.timedelta) -> str:
    """A timedelta as the file keeps it.

    >>> interval_text(datetime.timedelta(days=1, hours=2))
    '1 days 02:00:00.000000'
    """
    total = value.seconds * 1_000_000 + value.microseconds
    seconds, micros = divmod(total, 1_000_000)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{micros:06}"
    return f"{value.days} days {clock}"


def fitting(value: Any, kind: str, column: str) -> Any:
    """A value for a column of a nested type as JSON can hold it.

    Raises DataError for one that does not fit, with the column's name.
    """
    if value is None:
        return None
    if is_list(kind):
        if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__iter__"):
            raise _wrong(value, kind, column)
        inner = kind[: kind.rindex("[")]
        return [fitting(v, inner, column) for v in value]
    if is_struct(kind):
        parts = dict(fields(kind))
        if not isinstance(value, Mapping) or not set(value) <= set(parts):
            raise _wrong(value, kind, column)
        return {name: fitting(value.get(name), part, column) for name, part in parts.items()}
    wanted = _FITS.get(kind)
    if wanted is None:
        if isinstance(value, list | tuple | Mapping):
            raise _wrong(value, kind, column)
        from sqlagent.values import stored

        return stored(value)
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "BOOLEAN"):
        raise _wrong(value, kind, column)
    return value


def kept(value: Any, kind: str, column: str) -> str | None:
    """A parameter for a nested column as the file's JSON text; a text must be such JSON."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise _wrong(value, kind, column) from None
    return json.dumps(fitting(value, kind, column), ensure_ascii=False)


def _wrong(value: Any, kind: str, column: str) -> DataError:
    return DataError(
        f'column "{column}" is {kind}, not {value!r:.60}', sqlstate="42804",
        hint="Give a list or a mapping of such values.",
    )  # fmt: skip


def reader(kind: str, inner: Callable[[str], Callable[[Any], Any] | None]) -> Callable[[Any], Any]:
    """What makes Python values of a nested column's JSON text; `inner` converts a part's value."""
    shape = _shape(kind, inner)

    def read(text: Any) -> Any:
        if not isinstance(text, str):
            return text
        try:
            return shape(json.loads(text))
        except (ValueError, TypeError, AttributeError):
            raise DataError(f"a value of a column of type {kind} is none: {text!r:.60}") from None

    return read


def _shape(kind: str, inner: Callable[[str], Callable[[Any], Any] | None]) -> Callable[[Any], Any]:
    if is_list(kind):
        item = _shape(kind[: kind.rindex("[")], inner)
        return lambda value: None if value is None else [item(v) for v in value]
    if is_struct(kind):
        parts = [(name, _shape(part, inner)) for name, part in fields(kind)]
        return lambda value: (
            None if value is None else {name: part(value.get(name)) for name, part in parts}
        )
    convert = inner(kind)
    if kind == "DOUBLE":
        return lambda value: None if value is None else float(value)
    if convert is None:
        return lambda value: value
    return lambda value: None if value is None else convert(value)
