"""SQLite's aggregate functions in DuckDB's words."""

from __future__ import annotations

from collections.abc import Callable

from sqlagent.parse.lite import nodes as n
from sqlagent.parse.words import names
from sqlagent.rewrite.lite import values as v
from sqlagent.rewrite.lite.values import INTEGER, NULL, REAL, TEXT, Unsaid, Value

AGGREGATES = names("COUNT SUM TOTAL AVG MIN MAX GROUP_CONCAT STRING_AGG")
WINDOWS = names(
    "ROW_NUMBER RANK DENSE_RANK PERCENT_RANK CUME_DIST NTILE LAG LEAD FIRST_VALUE LAST_VALUE "
    "NTH_VALUE"
)
OVERFLOW = "integer overflow in sum()"


def is_aggregate(call: n.Call) -> bool:
    """Whether a call is of an aggregate function: min(a, b) is none."""
    name = call.name.upper()
    return name in AGGREGATES and (name not in ("MIN", "MAX") or len(call.arguments) == 1)


def aggregate(call: n.Call, values: list[Value], tail: str, order: str) -> Value:
    """A call of an aggregate over `values`; `tail` is its FILTER and OVER, `order` its ORDER BY."""
    name = call.name
    if name == "count" and (call.star or not values):
        return Value(f"count(*){tail}", INTEGER)
    distinct = "DISTINCT " if call.distinct else ""
    values = [v.plain(x) for x in values]
    value = values[0]

    def over(function: str, of: str) -> str:
        return f"{function}({distinct}{of}){tail}"

    if name == "count":
        return Value(over("count", value.sql), INTEGER)
    if name in ("min", "max"):
        if value.kind == NULL:
            return v.constant(None)
        return Value(over(name, value.sql), value.kind)
    if name in ("group_concat", "string_agg"):
        return _joined(values, distinct, tail, order)
    if value.kind == NULL:
        return v.constant(0.0 if name == "total" else None)
    if value.kind == TEXT and name == "sum":
        raise Unsaid("sum() of TEXT, which a row makes an INTEGER or a REAL")
    if value.kind == TEXT and distinct:
        raise Unsaid(f"{name}(DISTINCT …) of TEXT")
    if value.kind == INTEGER:
        total = over("sum", value.sql)
        if name == "sum":
            return Value(_bounded(value.sql, total, over), INTEGER)
        total = v.cast(total, REAL)
    else:
        total = _real_sum(over, v.real(value))
    if name == "avg":
        return Value(f"({total} / {over('count', value.sql)})", REAL)
    return Value(v.call("coalesce", total, "0e0") if name == "total" else total, REAL)


def _bounded(of: str, total: str, over: Callable[[str, str], str]) -> str:
    """A sum of integers; SQLite fails where one on the way is too large, so that is refused."""
    said = v.cast(total, INTEGER)
    largest = v.call("greatest", f"-CAST({over('min', of)} AS HUGEINT)", over("max", of))
    fits = f"CAST({over('count', of)} AS HUGEINT) * {largest} <= {v.INTEGER_MAX}"
    return f"(CASE WHEN {fits} IS NOT false THEN {said} ELSE error('{OVERFLOW}') END)"


def _real_sum(over: Callable[[str, str], str], of: str) -> str:
    """A compensated sum, as SQLite's is; it has no NaN, which an infinity would make of it."""
    exact, simple = over("fsum", of), over("sum", of)
    nan = "CAST('nan' AS DOUBLE)"
    return f"(CASE WHEN isnan({exact}) THEN nullif({simple}, {nan}) ELSE {exact} END)"


def _joined(values: list[Value], distinct: str, tail: str, order: str) -> Value:
    if not order:
        raise Unsaid("group_concat() without ORDER BY, whose order is that of SQLite's scan")
    if values[0].kind == NULL:
        return v.constant(None)
    separator = v.text(values[1]) if len(values) > 1 else "','"
    if len(values) > 1 and not values[1].known:
        raise Unsaid("a separator that is no constant")
    return Value(f"string_agg({distinct}{v.text(values[0])}, {separator}{order}){tail}", TEXT)


def window(call: n.Call, values: list[Value], tail: str) -> Value:
    """A call of a window function that is no aggregate."""
    name = call.name
    if name in ("row_number", "rank", "dense_rank", "ntile"):
        arguments = [v.integer(x) for x in values]
        return Value(f"{v.call(name, *arguments)}{tail}", INTEGER)
    if name in ("percent_rank", "cume_dist"):
        return Value(f"{name}(){tail}", REAL)
    values = [v.plain(x) for x in values]
    if values[0].kind == NULL:
        return v.constant(None)
    arguments = [values[0].sql] + [v.integer(x) for x in values[1:2]]
    kind = values[0].kind
    if len(values) > 2:
        kind = v.common([values[0], values[2]])
        arguments.append(v.typed(values[2], kind))
    return Value(f"{v.call(name, *arguments)}{tail}", kind)
