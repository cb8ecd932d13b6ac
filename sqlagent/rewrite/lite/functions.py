"""SQLite's scalar functions in DuckDB's words; some are asked of SQLite itself (`lite_…`)."""

from __future__ import annotations

from collections.abc import Callable

from sqlagent.parse.lexer import quote
from sqlagent.rewrite.lite import compare, operators
from sqlagent.rewrite.lite import values as v
from sqlagent.rewrite.lite.values import BLOB, INTEGER, NULL, REAL, TEXT, Unsaid, Value

Said = Callable[..., Value]


def _abs(value: Value) -> Value:
    value = v.plain(value)
    if value.kind not in (INTEGER, REAL):
        raise Unsaid("abs() of TEXT")
    if value.known and value.constant != v.INTEGER_MIN:
        return v.constant(abs(value.constant))
    return Value(v.call("abs", value.sql), value.kind)


def coalesce(*values: Value) -> Value:
    """The first that is not NULL."""
    rest = [x for x in values if x.kind != NULL]
    if not rest:
        return v.constant(None)
    if rest[0].known:
        return v.constant(rest[0].constant)
    upto = next((i for i, x in enumerate(rest) if x.known), len(rest) - 1)
    rest = rest[: upto + 1]  # what follows a constant never counts
    kind = v.common(rest)
    return Value(v.call("coalesce", *(v.plain(x).sql for x in rest)), kind)


def _nullif(value: Value, other: Value) -> Value:
    value = v.plain(value)
    test = compare.same_class("=", value, other)
    if test.known:
        return v.constant(None) if test.constant else value._replace(affinity=None)
    if value.kind == NULL:
        return v.constant(None)
    return Value(f"(CASE WHEN {test.sql} THEN NULL ELSE {value.sql} END)", value.kind)


def _extreme(name: str) -> Said:
    def said(*values: Value) -> Value:
        if any(x.kind == NULL for x in values):
            return v.constant(None)
        kind = v.common(list(values))
        plain = [v.plain(x) for x in values]
        nulls = " OR ".join(f"{x.sql} IS NULL" for x in plain if not x.known)
        found = v.call("greatest" if name == "max" else "least", *(x.sql for x in plain))
        return Value(f"(CASE WHEN {nulls} THEN NULL ELSE {found} END)" if nulls else found, kind)

    return said


def _length(value: Value) -> Value:
    value = v.plain(value)
    if value.kind == BLOB:
        return Value(v.call("octet_length", value.sql), INTEGER)
    return Value(v.call("length", v.text(value)), INTEGER)


def _lower(value: Value) -> Value:
    return Value(operators.lower(v.text(value)), TEXT)


def _upper(value: Value) -> Value:
    return Value(v.call("translate", v.text(value), quote(v.LOWER), quote(v.UPPER)), TEXT)


def _typeof(value: Value) -> Value:
    value = v.plain(value)
    if value.kind == NULL:
        return v.constant("null")
    name = quote(value.kind.lower())
    if value.known:
        return v.constant(value.kind.lower())
    return Value(f"(CASE WHEN {value.sql} IS NULL THEN 'null' ELSE {name} END)", TEXT)


def _round(value: Value, digits: Value | None = None) -> Value:
    places = v.integer(digits) if digits is not None else v.constant(0).sql
    return Value(v.call("lite_round", v.real(value), places), REAL)


def _substr(value: Value, start: Value, count: Value | None = None) -> Value:
    value = v.plain(value)
    if value.kind == BLOB:
        raise Unsaid("substr() of a BLOB")
    rest = [v.integer(start)] + ([v.integer(count)] if count is not None else [])
    first = start.constant if start.known else None
    long = count.constant if count is not None and count.known else None
    simple = isinstance(first, int) and first > 0 and (count is None or isinstance(long, int))
    if simple and (long is None or long >= 0):
        return Value(v.call("substring", v.text(value), *rest), TEXT)
    name = "lite_substr" if count is None else "lite_substr_of"
    return Value(v.call(name, v.text(value), *rest), TEXT)


def _asked(name: str, kind: str) -> Said:
    """A function over texts that SQLite itself is asked for."""

    def said(*values: Value) -> Value:
        return Value(v.call(name, *(v.text(x) for x in values)), kind)

    return said


def _trim(side: str) -> Said:
    def said(value: Value, characters: Value | None = None) -> Value:
        if characters is not None:
            return Value(v.call(f"lite_{side}trim", v.text(value), v.text(characters)), TEXT)
        return Value(v.call(f"{side}trim", v.text(value), "' '"), TEXT)

    return said


def _iif(*values: Value) -> Value:
    pairs = [(values[i], values[i + 1]) for i in range(0, len(values) - 1, 2)]
    return case(pairs, values[-1] if len(values) % 2 else v.constant(None))


def case(pairs: list[tuple[Value, Value]], default: Value) -> Value:
    """CASE WHEN test THEN value … ELSE default END."""
    kept = []
    for test, value in pairs:
        if test.known:
            if v.truth(test) == "true":
                default = value
                break
            continue
        kept.append((test, value))
    if not kept:
        return v.plain(default)._replace(affinity=None)
    kind = v.common([value for _, value in kept] + [default])
    whens = " ".join(f"WHEN {v.truth(t)} THEN {v.typed(x, kind)}" for t, x in kept)
    return Value(f"(CASE {whens} ELSE {v.typed(default, kind)} END)", kind)


def _itself(value: Value) -> Value:
    return value


# name: (body, fewest arguments, most, whether NULL in any is NULL out)
SCALARS: dict[str, tuple[Said, int, int, bool]] = {
    "abs": (_abs, 1, 1, True),
    "coalesce": (coalesce, 2, 127, False),
    "ifnull": (coalesce, 2, 2, False),
    "nullif": (_nullif, 2, 2, False),
    "iif": (_iif, 2, 127, False),
    "if": (_iif, 2, 127, False),
    "min": (_extreme("min"), 2, 127, False),
    "max": (_extreme("max"), 2, 127, False),
    "length": (_length, 1, 1, True),
    "lower": (_lower, 1, 1, True),
    "upper": (_upper, 1, 1, True),
    "typeof": (_typeof, 1, 1, False),
    "round": (_round, 1, 2, True),
    "substr": (_substr, 2, 3, True),
    "substring": (_substr, 2, 3, True),
    "trim": (_trim(""), 1, 2, True),
    "ltrim": (_trim("l"), 1, 2, True),
    "rtrim": (_trim("r"), 1, 2, True),
    "replace": (_asked("lite_replace", TEXT), 3, 3, True),
    "instr": (_asked("lite_instr", INTEGER), 2, 2, True),
    "hex": (_asked("lite_hex", TEXT), 1, 1, False),
    "unicode": (_asked("lite_unicode", INTEGER), 1, 1, True),
    "likely": (_itself, 1, 1, False),
    "unlikely": (_itself, 1, 1, False),
}


def scalar(name: str, values: list[Value]) -> Value:
    """A call of a scalar function. Raises Unsaid for what is not known here."""
    known = SCALARS.get(name)
    if known is None:
        raise Unsaid(f"{name}()")
    body, fewest, most, strict = known
    if not fewest <= len(values) <= most:
        raise Unsaid(f"{name}() with {len(values)} arguments")
    if strict and any(x.kind == NULL for x in values):
        return v.constant(None)
    return body(*values)._replace(affinity=None)
