"""Arithmetic, bits, ||, logic, LIKE and GLOB, as SQLite computes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from sqlagent.rewrite.lite import values as v
from sqlagent.rewrite.lite.values import INTEGER, NULL, REAL, TEXT, TRUTH, Unsaid, Value

_NAN = "CAST('nan' AS DOUBLE)"


def arithmetic(operator: str, left: Value, right: Value) -> Value:
    """`+ - * / %`: of integers an integer (an overflow is refused when it comes), else a REAL."""
    left, right = operand(left), operand(right)
    if left.known and right.known:
        return v.constant(folded(operator, left.constant, right.constant))
    if NULL in (left.kind, right.kind):
        return v.constant(None)
    if operator == "%":
        sql = f"({v.integer(left)} % {v.integer(right)})"
        if left.kind == right.kind == INTEGER:
            return Value(sql, INTEGER)
        return Value(v.cast(sql, REAL), REAL)
    if left.kind == right.kind == INTEGER:
        return Value(f"({left.sql} {'//' if operator == '/' else operator} {right.sql})", INTEGER)
    a, b = v.real(left), v.real(right)
    if operator == "/":
        b = v.call("nullif", b, "0e0")
    sql = f"({a} {operator} {b})"
    # SQLite has no NaN: inf - inf and 0 * inf are NULL.
    return Value(sql if _finite(operator, left, right) else v.call("nullif", sql, _NAN), REAL)


def operand(value: Value) -> Value:
    """A value as the operand of arithmetic."""
    value = v.plain(value)
    if value.known:
        return v.constant(v.number(value.constant))
    if value.kind == TEXT:
        raise Unsaid("arithmetic over TEXT, which a row makes an INTEGER or a REAL")
    if value.kind not in (INTEGER, REAL):
        raise Unsaid("arithmetic over a BLOB")
    return value


def _finite(operator: str, left: Value, right: Value) -> bool:
    """Whether no infinity can meet another, or a zero: + - and / with a constant."""
    other = right if right.known else left if left.known else None
    return other is not None and operator in "+-" and math.isfinite(float(other.constant))


def folded(operator: str, a: Any, b: Any) -> int | float | None:
    """Arithmetic of two constants."""
    if a is None or b is None:
        return None
    if operator == "%":
        x, y = v.to_integer(a) or 0, v.to_integer(b) or 0
        if not y:
            return None
        rest = abs(x) % abs(y) * (1 if x >= 0 else -1)
        return rest if isinstance(a, int) and isinstance(b, int) else float(rest)
    if isinstance(a, int) and isinstance(b, int):
        if operator == "/":
            if not b:
                return None
            quotient = abs(a) // abs(b)
            exact = quotient if (a >= 0) == (b >= 0) else -quotient
        else:
            exact = {"+": a + b, "-": a - b, "*": a * b}[operator]
        if v.INTEGER_MIN <= exact <= v.INTEGER_MAX:
            return exact
    x_, y_ = float(a), float(b)
    if operator == "/":
        return x_ / y_ if y_ else None
    try:
        found: float = {"+": x_ + y_, "-": x_ - y_, "*": x_ * y_}[operator]
    except OverflowError:
        raise Unsaid("a constant that is infinite") from None
    return None if math.isnan(found) else found


def negative(value: Value) -> Value:
    """`- value`, which is 0 - value: there is no -0.0."""
    return arithmetic("-", v.constant(0), value)


def bits(operator: str, left: Value, right: Value) -> Value:
    """`& | << >>` of integers."""
    if left.known and right.known:
        a, b = v.to_integer(left.constant), v.to_integer(right.constant)
        return v.constant(None if a is None or b is None else _shifted(operator, a, b))
    if NULL in (left.kind, right.kind):
        return v.constant(None)
    a_, b_ = v.integer(left), v.integer(right)
    if operator in "&|":
        return Value(f"({a_} {operator} {b_})", INTEGER)
    return Value(v.call("lite_left" if operator == "<<" else "lite_right", a_, b_), INTEGER)


def _shifted(operator: str, a: int, b: int) -> int:
    """Bits of two constants, 64 of them; a negative shift is one the other way."""
    if operator in "&|":
        return a & b if operator == "&" else a | b
    if operator == "<<":
        b = -b
    if b >= 0:
        return a >> min(b, 63)
    found = (a << -b) & (2**64 - 1) if b > -64 else 0
    return found - 2**64 if found > v.INTEGER_MAX else found


def inverted(value: Value) -> Value:
    """`~ value`."""
    if value.known:
        found = v.to_integer(value.constant)
        return v.constant(None if found is None else ~found)
    return Value(f"(~{v.integer(value)})", INTEGER)


def joined(left: Value, right: Value) -> Value:
    """`left || right`."""
    if NULL in (left.kind, right.kind):
        return v.constant(None)
    if all(x.known and isinstance(x.constant, int | str) for x in (left, right)):
        return v.constant(f"{left.constant}{right.constant}")
    return Value(f"({v.text(left)} || {v.text(right)})", TEXT)


def negated(value: Value) -> Value:
    """NOT value."""
    if value.known:
        found = v.number(value.constant)
        return v.constant(None if found is None else int(not found))
    return Value(f"(NOT {v.truth(value)})", TRUTH)


def logic(operator: str, left: Value, right: Value) -> Value:
    """AND, OR; a constant that decides alone is the result."""
    for one, other in ((left, right), (right, left)):
        if one.known:
            found = v.number(one.constant)
            if found is not None and bool(found) is (operator == "OR"):
                return v.constant(int(operator == "OR"))
            if found is not None:
                return _one_or_zero(other)
    return Value(f"({v.truth(left)} {operator} {v.truth(right)})", TRUTH)


def _one_or_zero(value: Value) -> Value:
    if value.known:
        found = v.number(value.constant)
        return v.constant(None if found is None else int(bool(found)))
    return Value(v.truth(value), TRUTH)


def matches(operator: str, text: Value, pattern: Value, escape: Value | None) -> Value:
    """LIKE without regard to the case of ASCII, GLOB with it."""
    if NULL in (text.kind, pattern.kind) or (escape is not None and escape.kind == NULL):
        return v.constant(None)
    a, b = v.text(text), v.text(pattern)
    if operator == "GLOB":
        return Value(f"({v.call('lite_glob', b, a)} <> 0)", TRUTH)
    if escape is not None:
        return Value(f"({v.call('lite_like', b, a, v.text(escape))} <> 0)", TRUTH)
    return Value(f"({lower(a)} LIKE {_lowered(pattern, b)})", TRUTH)


def _lowered(pattern: Value, sql: str) -> str:
    if isinstance(pattern.constant, str):
        return v.constant(pattern.constant.translate(str.maketrans(v.UPPER, v.LOWER))).sql
    return lower(sql)


def lower(sql: str) -> str:
    """A text with the letters of ASCII in lower case, and no others."""
    return v.call("translate", sql, f"'{v.UPPER}'", f"'{v.LOWER}'")


BINARY: dict[str, Callable[[str, Value, Value], Value]] = {
    **dict.fromkeys("+-*/%", arithmetic),
    **dict.fromkeys(("&", "|", "<<", ">>"), bits),
    **dict.fromkeys(("AND", "OR"), logic),
    "||": lambda _, left, right: joined(left, right),
}
