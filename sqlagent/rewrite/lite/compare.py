"""Comparisons: affinity is applied, then NULL < numbers < TEXT < BLOB, numbers by their value."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from sqlagent.rewrite.lite import values as v
from sqlagent.rewrite.lite.values import BLOB, INTEGER, NULL, REAL, TEXT, TRUTH, Unsaid, Value

_RANK = {INTEGER: 0, REAL: 0, TEXT: 1, BLOB: 2}
_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b, "<>": lambda a, b: a != b, "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def compare(operator: str, left: Value, right: Value) -> Value:
    """`left operator right`, with the affinities of both applied; also IS and IS NOT."""
    left, right = with_affinity(v.plain(left), v.plain(right))
    return same_class(operator, left, right)


def with_affinity(left: Value, right: Value) -> tuple[Value, Value]:
    """Both operands after what a comparison does to them."""
    a, b = left.affinity, right.affinity
    if a is not None and b is not None:
        wanted = "NUMERIC" if a in v.NUMERIC or b in v.NUMERIC else None
    else:
        wanted = a or b
    if wanted in v.NUMERIC:
        return as_number(left), as_number(right)
    if wanted == "TEXT":
        return as_text(left), as_text(right)
    return left, right


def as_number(value: Value) -> Value:
    """A value with numeric affinity applied; a TEXT that a numeric column holds is no number."""
    if value.kind != TEXT or value.affinity in v.NUMERIC:
        return value
    if value.known:
        return v.constant(v.numeric(value.constant))
    raise Unsaid("a TEXT compared with a number")


def as_text(value: Value) -> Value:
    """A value with text affinity applied."""
    if value.kind not in (INTEGER, REAL):
        return value
    if value.known and isinstance(value.constant, int):
        return v.constant(str(value.constant))
    return Value(v.text(value), TEXT)


def same_class(operator: str, left: Value, right: Value) -> Value:
    """A comparison without affinities."""
    left, right = v.plain(left), v.plain(right)
    if operator in ("IS", "IS NOT"):
        return _distinct(operator, left, right)
    if NULL in (left.kind, right.kind):
        return v.constant(None)
    if left.known and right.known:
        a, b = left.constant, right.constant
        if _RANK[left.kind] != _RANK[right.kind]:
            a, b = _RANK[left.kind], _RANK[right.kind]
        elif isinstance(a, str):
            a, b = a.encode(), b.encode()
        return v.constant(int(_TESTS[operator](a, b)))
    if _RANK[left.kind] != _RANK[right.kind]:
        answer = _TESTS[operator](_RANK[left.kind], _RANK[right.kind])
        return _unless_null(answer, left, right)
    if left.kind == right.kind:
        return Value(f"({left.sql} {operator} {right.sql})", TRUTH)
    if left.kind == REAL:
        return same_class(_TURNED.get(operator, operator), right, left)
    return _integer_with_real(operator, left, right)


def _unless_null(answer: bool, left: Value, right: Value) -> Value:
    """An answer that holds for all values of both, but NULL."""
    tests = " OR ".join(f"{x.sql} IS NULL" for x in (left, right) if not x.known)
    said = "true" if answer else "false"
    return Value(f"(CASE WHEN {tests} THEN CAST(NULL AS BOOLEAN) ELSE {said} END)", TRUTH)


def _integer_with_real(operator: str, left: Value, right: Value) -> Value:
    """An INTEGER with a REAL, by their exact values."""
    if right.known:
        return _with_constant(operator, left, right.constant)
    if left.known and abs(left.constant) <= v.EXACT:
        return Value(f"({v.real(left)} {operator} {right.sql})", TRUTH)
    # Rounded to a float64 the integer may equal the REAL without being it: then count exactly.
    a, b = v.cast(left.sql, REAL), right.sql
    exact = f"CAST({left.sql} AS HUGEINT) {operator} CAST({b} AS HUGEINT)"
    return Value(
        f"(CASE WHEN {a} = {b} AND abs({b}) >= {v.EXACT} THEN {exact} ELSE {a} {operator} {b} END)",
        TRUTH,
    )


def _with_constant(operator: str, left: Value, bound: float) -> Value:
    """An INTEGER with a constant REAL, said with integers."""
    if math.isinf(bound) or not v.INTEGER_MIN <= bound < 2.0**63:
        return _unless_null(_TESTS[operator](0, bound), left, left)
    if bound.is_integer():
        return same_class(operator, left, v.constant(int(bound)))
    if operator in ("=", "<>"):
        return _unless_null(operator == "<>", left, left)
    whole = math.ceil(bound) if operator in ("<", ">=") else math.floor(bound)
    return same_class(operator, left, v.constant(whole))


def _distinct(operator: str, left: Value, right: Value) -> Value:
    """IS and IS NOT."""
    if left.known and right.known:
        if left.constant is None or right.constant is None:
            same = left.constant is right.constant
        else:
            same = bool(same_class("=", left, right).constant)
        return v.constant(int(same is (operator == "IS")))
    for one, other in ((left, right), (right, left)):
        if one.kind == NULL:
            return Value(f"({other.sql} {operator} NULL)", TRUTH)
    both = f"({left.sql} IS NULL AND {right.sql} IS NULL)"
    if _RANK[left.kind] != _RANK[right.kind]:
        return Value(both if operator == "IS" else f"(NOT {both})", TRUTH)
    if left.kind == right.kind:
        words = "IS NOT DISTINCT FROM" if operator == "IS" else "IS DISTINCT FROM"
        return Value(f"({left.sql} {words} {right.sql})", TRUTH)
    equal = same_class("=", left, right)
    said = f"coalesce({equal.sql if not equal.known else v.truth(equal)}, {both})"
    return Value(said if operator == "IS" else f"(NOT {said})", TRUTH)


def member(value: Value, items: list[Value]) -> Value:
    """`value IN (items)`: the value's affinity is applied to them, theirs to nothing."""
    if not items:
        return v.constant(0)
    value = v.plain(value)
    items = [v.plain(i)._replace(affinity=None) for i in items]
    if value.affinity in v.NUMERIC:
        value, items = as_number(value), [as_number(i) for i in items]
    elif value.affinity == "TEXT":
        value, items = as_text(value), [as_text(i) for i in items]
    tests = [same_class("=", value, item) for item in items]
    plain = [t for t in tests if not t.known]
    if all(t.known for t in tests):
        found = [t.constant for t in tests]
        return v.constant(1 if 1 in found else None if None in found else 0)
    if 1 in [t.constant for t in tests if t.known]:
        return v.constant(1)
    same = [i for i in items if i.kind == value.kind and not i.known]
    listed = [i for i in items if i.known and i.kind == value.kind]
    if len(listed) == len(items) and not same:
        return Value(f"({value.sql} IN ({', '.join(i.sql for i in items)}))", TRUTH)
    parts = [t.sql for t in plain]
    if any(t.known and t.constant is None for t in tests):
        parts.append("CAST(NULL AS BOOLEAN)")
    return Value(f"({' OR '.join(parts)})", TRUTH)
