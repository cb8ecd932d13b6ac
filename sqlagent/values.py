"""Values on their way in and out: Python's to SQLite's storage forms, and back by logical type."""

from __future__ import annotations

import datetime
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlagent import clock
from sqlagent.errors import DataError, InterfaceError
from sqlagent.types import is_list, is_struct

Slots = tuple[int | str, ...] | None
Converter = Callable[[Any], Any]


def pick(slots: Slots, parameters: Any) -> Any:
    """The user's parameters in the engine's order."""
    if slots is None:
        return parameters
    if isinstance(parameters, Mapping):
        try:
            return tuple(parameters[slot] for slot in slots)
        except KeyError as error:
            raise InterfaceError(f"no value was given for parameter {error}") from None
    values = parameters if isinstance(parameters, list | tuple) else tuple(parameters)
    if any(isinstance(slot, str) for slot in slots):
        raise InterfaceError("named parameters need a mapping of values, not a sequence")
    wanted = max((slot for slot in slots if isinstance(slot, int)), default=-1) + 1
    if len(values) != wanted:
        raise InterfaceError(
            f"the statement has {wanted} parameters, {len(values)} values were given",
            sqlstate="07001",
        )
    return tuple(values[slot] for slot in slots if isinstance(slot, int))


def stored(value: Any) -> Any:
    """A Python value as SQLite keeps it: times as text, vectors as float32 bytes, dicts as JSON."""
    if value is None or isinstance(value, int | float | str | bytes):
        return float(value) if isinstance(value, float) else value
    if isinstance(value, datetime.datetime):
        return clock.text(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        from sqlagent.nested import interval_text

        return interval_text(value)
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, array):
        return vector_bytes(value)
    module, kind = type(value).__module__, type(value).__name__
    if kind == "Decimal":
        return float(value) if value == value.__class__(repr(float(value))) else str(value)
    if kind == "UUID":
        return str(value)
    if module == "numpy":
        if kind == "ndarray":
            return vector_bytes(value)
        return value.item()
    if isinstance(value, list | tuple):
        if value and (
            {int, float}.issuperset(map(type, value))
            or all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
        ):
            return vector_bytes(value)
        return json_text(value)
    if isinstance(value, Mapping):
        return json_text(dict(value))
    raise DataError(f"a {kind} cannot be a parameter", hint="Give it as text, a number or bytes.")


def stored_in(values: Any, columns: Sequence[tuple[int, str, str]]) -> Any:
    """Parameters in storage forms, those at `columns` (place, type, name) as their columns want."""
    from sqlagent.nested import kept

    found = [None if v is None else v for v in values]
    for place, kind, name in columns:
        if is_list(kind) or is_struct(kind):
            found[place] = kept(found[place], kind, name)
        elif type(found[place]).__name__ == "Decimal":
            found[place] = format(found[place], "f")  # exact: a column that keeps it as text
    return stored_all(found)


def json_text(value: Any) -> str:
    """A Python value as JSON text."""
    import json

    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(f"the value is not JSON: {error}") from None


def vector_bytes(value: Sequence[float]) -> bytes:
    """A sequence of numbers as float32 little-endian bytes."""
    if getattr(getattr(value, "dtype", None), "kind", "") in ("f", "i", "u"):
        if value.ndim != 1:  # type: ignore[attr-defined]  # an array of numpy's
            raise DataError(f"a vector is a list of numbers, not {value.ndim} dimensions of them")  # type: ignore[attr-defined]
        packed: bytes = value.astype("<f4").tobytes()  # type: ignore[attr-defined]
        return packed
    try:
        data = array("f", value)
    except (TypeError, OverflowError) as error:
        raise DataError(f"a vector is a list of numbers: {error}") from None
    if array("H", [1]).tobytes() != b"\x01\x00":
        data.byteswap()
    return data.tobytes()


def stored_all(parameters: Any) -> Any:
    """A set of parameters in storage forms."""
    if isinstance(parameters, Mapping):
        return {key: stored(value) for key, value in parameters.items()}
    return tuple(stored(value) for value in parameters)


def _timestamp(value: Any) -> Any:
    try:
        found = datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value  # a foreign client wrote something else: shown as it is
    return found.astimezone(datetime.UTC).replace(tzinfo=None) if found.tzinfo else found


def _date(value: Any) -> Any:
    try:
        return datetime.date.fromisoformat(value[:10])
    except (TypeError, ValueError):
        return value


def _time(value: Any) -> Any:
    try:
        return datetime.time.fromisoformat(value)
    except (TypeError, ValueError):
        return value


def _uuid(value: Any) -> Any:
    import uuid

    try:
        return uuid.UUID(value)
    except (TypeError, ValueError, AttributeError):
        return value


def _boolean(value: Any) -> Any:
    return bool(value) if value in (0, 1) else value


def _floats(value: Any) -> Any:
    if isinstance(value, bytes) and len(value) % 4 == 0:
        return memoryview(value).cast("f").tolist()
    return value


def _decimal(value: Any) -> Any:
    from decimal import Decimal, InvalidOperation

    try:
        return value if value is None else Decimal(str(value))
    except InvalidOperation:
        return value


def converter(logical: str | None) -> Converter | None:
    """What makes a Python value of a stored one; None where it is one already."""
    if logical is None:
        return None
    if logical == "TIMESTAMP":
        return _timestamp
    if logical == "DATE":
        return _date
    if logical == "BOOLEAN":
        return _boolean
    if logical.startswith("FLOAT["):
        return _floats
    if logical == "TIME":
        return _time
    if logical == "UUID":
        return _uuid
    if logical == "INTERVAL":
        from sqlagent.nested import interval

        return interval
    if is_list(logical) or is_struct(logical):
        from sqlagent.nested import reader

        return reader(logical, converter)
    if logical.startswith("DECIMAL("):
        places = int(logical[8:-1].split(",")[1]) if "," in logical else 0
        return lambda value: _scaled(_decimal(value), places)
    return None


def _scaled(value: Any, places: int) -> Any:
    quantize = getattr(value, "quantize", None)
    if quantize is None:
        return value
    from decimal import Context, Decimal

    return quantize(Decimal(1).scaleb(-places), context=Context(prec=60))


def row_converter(kinds: Sequence[str | None]) -> Callable[[tuple[Any, ...]], Any] | None:
    """Converts the rows of columns of these logical types; None where no column needs it."""
    pairs = [(at, c) for at, kind in enumerate(kinds) if (c := converter(kind)) is not None]
    if not pairs:
        return None

    def convert(row: tuple[Any, ...]) -> tuple[Any, ...]:
        values = list(row)
        for at, function in pairs:
            if values[at] is not None:
                values[at] = function(values[at])
        return tuple(values)

    return convert
