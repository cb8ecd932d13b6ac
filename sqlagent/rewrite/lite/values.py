"""A value in DuckDB's words, with what SQLite would know of it, and its conversions."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

from sqlagent.parse.lexer import quote, quote_name

INTEGER, REAL, TEXT, BLOB, NULL, TRUTH = "INTEGER", "REAL", "TEXT", "BLOB", "NULL", "TRUTH"
TYPES = {INTEGER: "BIGINT", REAL: "DOUBLE", TEXT: "VARCHAR", BLOB: "BLOB", NULL: "VARCHAR"}
NUMERIC = ("INTEGER", "REAL", "NUMERIC")  # affinities
INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1
EXACT = 2**53  # every integer below has a float64 of its own
UPPER, LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
_UNKNOWN: Any = object()


class Unsaid(Exception):
    """What DuckDB cannot say exactly as SQLite does; the reason."""


class Value(NamedTuple):
    """`sql` in DuckDB's words gives values of the storage class `kind`, or NULL.

    TRUTH is a BOOLEAN that stands for SQLite's 1 and 0. `affinity` is that of a column or a CAST,
    None for any other expression; `constant` the value itself where it is one.
    """

    sql: str
    kind: str
    affinity: str | None = None
    constant: Any = _UNKNOWN

    @property
    def known(self) -> bool:
        """Whether it is a constant."""
        return self.constant is not _UNKNOWN


def constant(value: Any, affinity: str | None = None) -> Value:
    """A constant: an int, float, str, bytes, or None."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Value("NULL", NULL, affinity, None)
    if isinstance(value, bool):
        value = int(value)
    if isinstance(value, int):
        text = f"{value}::BIGINT" if value >= 0 else f"({value})::BIGINT"
        if value == INTEGER_MIN:
            text = f"CAST({quote(str(value))} AS BIGINT)"
        return Value(text, INTEGER, affinity, value)
    if isinstance(value, float):
        text = repr(value)
        if math.isinf(value):
            text = f"CAST({quote(text)} AS DOUBLE)"
        elif "e" not in text:
            text += "e0"  # a DOUBLE, where 2.5 would be a DECIMAL
        return Value(f"({text})" if value < 0 else text, REAL, affinity, value)
    if isinstance(value, bytes):
        hexed = "".join(f"\\x{byte:02X}" for byte in value)
        return Value(f"{quote(hexed)}::BLOB", BLOB, affinity, value)
    return Value(quote(value), TEXT, affinity, value)


def call(function: str, *arguments: str) -> str:
    """A call in DuckDB's words."""
    return f"{function}({', '.join(arguments)})"


def cast(sql: str, kind: str) -> str:
    """A cast to the type of a storage class."""
    return f"CAST({sql} AS {TYPES[kind]})"


def column(source: str, name: str) -> str:
    """A column of a source."""
    return f"{quote_name(source)}.{quote_name(name)}"


def plain(value: Value) -> Value:
    """The value with its truth said as 1 and 0."""
    if value.kind == TRUTH:
        return Value(cast(value.sql, INTEGER), INTEGER, value.affinity)
    return value


def truth(value: Value) -> str:
    """The value as a BOOLEAN, as WHERE takes it."""
    if value.known:
        number_ = number(value.constant)
        return "CAST(NULL AS BOOLEAN)" if number_ is None else "true" if number_ else "false"
    if value.kind == TRUTH:
        return value.sql
    if value.kind == TEXT:
        return f"({call('lite_real', value.sql)} <> 0)"
    if value.kind in (INTEGER, REAL):
        return f"({value.sql} <> 0)"
    raise Unsaid("the truth of a BLOB")


def real(value: Value) -> str:
    """A number as a DOUBLE; a text by the number that it begins with."""
    value = plain(value)
    if value.known:
        found = number(value.constant)
        return constant(None if found is None else float(found)).sql
    if value.kind == INTEGER:
        return cast(value.sql, REAL)
    if value.kind == TEXT:
        return call("lite_real", value.sql)
    if value.kind == REAL:
        return value.sql
    raise Unsaid("a BLOB as a number")


def integer(value: Value) -> str:
    """The value cut to an INTEGER, as CAST does."""
    value = plain(value)
    if value.known:
        return constant(to_integer(value.constant)).sql
    if value.kind == INTEGER:
        return value.sql
    if value.kind == TEXT:
        return call("lite_integer", value.sql)
    if value.kind == REAL:
        low, high = constant(INTEGER_MIN).sql, constant(INTEGER_MAX).sql
        return (
            f"CASE WHEN {value.sql} >= 9.223372036854775807e18 THEN {high}"
            f" WHEN {value.sql} <= -9.223372036854775808e18 THEN {low}"
            f" ELSE {cast(call('trunc', value.sql), INTEGER)} END"
        )
    raise Unsaid("a BLOB as an integer")


def text(value: Value) -> str:
    """The value as TEXT; a REAL in the digits that SQLite gives it."""
    value = plain(value)
    if value.known and isinstance(value.constant, int):
        return quote(str(value.constant))
    if value.kind == INTEGER:
        return cast(value.sql, TEXT)
    if value.kind == REAL:
        return call("lite_text", value.sql)
    if value.kind == NULL:
        return cast(value.sql, TEXT)
    if value.kind == TEXT:
        return value.sql
    raise Unsaid("a BLOB as text")


# Constants ----------------------------------------------------------------------------------------

_SPACE = " \t\n\v\f\r"
_PREFIX = re.compile(r"[ \t\n\v\f\r]*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
_WHOLE = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)")


def number(value: Any) -> int | float | None:
    """A constant as a number: a text by the number that it begins with, or 0."""
    if isinstance(value, bytes):
        raise Unsaid("a BLOB as a number")
    if not isinstance(value, str):
        found: int | float | None = value
        return found
    match = _PREFIX.match(value)
    if match is None:
        return 0
    return _of_digits(match[1])


def _of_digits(digits: str) -> int | float:
    if digits.lstrip("+-").isdigit():
        whole = int(digits)
        return whole if INTEGER_MIN <= whole <= INTEGER_MAX else float(whole)
    return float(digits)


def numeric(value: Any) -> Any:
    """A constant with numeric affinity: a text that is a number whole becomes it."""
    if isinstance(value, str):
        match = _PREFIX.fullmatch(value.rstrip(_SPACE))
        if match is None:
            return value
        found = _of_digits(match[1])
        if isinstance(found, float) and found.is_integer() and abs(found) < EXACT:
            return int(found)
        return found
    return value


def to_integer(value: Any) -> int | None:
    """A constant as CAST AS INTEGER gives it."""
    if value is None:
        return None
    if isinstance(value, str):
        match = _WHOLE.match(value)
        return max(INTEGER_MIN, min(INTEGER_MAX, int(match[1]))) if match else 0
    if isinstance(value, bytes):
        raise Unsaid("a BLOB as an integer")
    if isinstance(value, float) and math.isinf(value):
        return INTEGER_MAX if value > 0 else INTEGER_MIN
    return max(INTEGER_MIN, min(INTEGER_MAX, int(value)))


def common(values: list[Value]) -> str:
    """The one kind of several values, NULLs aside; raises Unsaid where a row decides it."""
    kinds = {INTEGER if v.kind == TRUTH else v.kind for v in values} - {NULL}
    if len(kinds) > 1:
        names = " and ".join(sorted(kinds))
        raise Unsaid(f"a column that holds {names} values")
    return kinds.pop() if kinds else NULL


def typed(value: Value, kind: str) -> str:
    """The value's text where a column of `kind` is made: a NULL gets the type."""
    value = plain(value)
    return cast("NULL", kind) if value.kind == NULL else value.sql
