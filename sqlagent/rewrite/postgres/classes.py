"""What sqlglot has a class for: the same, as DuckDB says it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sqlglot import exp

from sqlagent.errors import NotSupportedError
from sqlagent.rewrite.postgres.calls import call, path

Make = Callable[[Any], exp.Expr | None]


def elements(text: str) -> list[exp.Expr]:
    """The elements of an array's text, `{a,"b c",NULL}`."""
    found: list[exp.Expr] = []
    for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"|([^,{}"]+)', text):
        if bare and bare.strip().upper() == "NULL":
            found.append(exp.null())
        else:
            found.append(exp.Literal.string(re.sub(r"\\(.)", r"\1", quoted) or bare.strip()))
    return found


def _cast(node: exp.Cast) -> exp.Expr | None:
    """'{1,2}'::int[], and the words that PostgreSQL has for moments."""
    inner = node.this
    size = _size(node.to)
    if size is not None:
        return call("left", exp.cast(inner.copy(), "TEXT"), size.copy())
    if not (isinstance(inner, exp.Literal) and inner.is_string):
        return None
    if node.to.this is exp.DataType.Type.ARRAY and inner.name.strip().startswith("{"):
        new = node.copy()
        new.set("this", exp.Array(expressions=elements(inner.name)))
        return new
    if node.to.is_type("varbinary", "bytea") and re.fullmatch(r"\\x([0-9a-fA-F]{2})*", inner.name):
        return call("sq_blob", exp.Literal.string(inner.name[2:]))
    word = inner.name.strip().lower()
    if word in ("now", "today", "tomorrow", "yesterday") and node.to.is_type(
        *exp.DataType.TEMPORAL_TYPES
    ):
        base: exp.Expr = exp.CurrentTimestamp() if word == "now" else exp.CurrentDate()
        if word in ("tomorrow", "yesterday"):
            kind = exp.Add if word == "tomorrow" else exp.Sub
            base = exp.Paren(this=kind(this=base, expression=exp.Literal.number(1)))
        return exp.cast(base, node.to.copy())
    return None


def _size(kind: exp.DataType) -> exp.Expr | None:
    """The most characters of varchar(n) and char(n): a cast cuts what is longer."""
    name = kind.args.get("kind")
    own = isinstance(name, exp.Identifier) and name.name.lower() in ("sq_char", "bpchar")
    if not own and not kind.is_type("varchar", "char", "nchar", "bpchar", "nvarchar"):
        return None
    given = kind.expressions[0] if kind.expressions else None
    found = given.this if isinstance(given, exp.DataTypeParam) else None
    return found if isinstance(found, exp.Literal) and not found.is_string else None


def _overlay(node: exp.Overlay) -> exp.Expr | None:
    """overlay(a placing b from n for m)."""
    value, new, start = node.this, node.expression, node.args["from_"]
    count = node.args.get("for_") or call("length", new.copy())
    one = exp.Literal.number(1)
    left = call("left", value.copy(), exp.Sub(this=start.copy(), expression=one))
    rest = call("substr", value.copy(), exp.Add(this=start.copy(), expression=count.copy()))
    return exp.Paren(
        this=exp.DPipe(this=exp.DPipe(this=left, expression=new.copy()), expression=rest)
    )


def _array_agg(node: exp.JSONArrayAgg) -> exp.Expr | None:
    return call("to_json", exp.ArrayAgg(this=node.this.copy()))


def _extract(node: exp.JSONBExtract | exp.JSONBExtractScalar) -> exp.Expr | None:
    """a #> '{b,c}' and a #>> '{b,c}'."""
    keys = node.expression
    while isinstance(keys, exp.Cast | exp.Paren):
        keys = keys.this
    if isinstance(keys, exp.Literal):
        found = [e.name for e in elements(keys.name)]
    elif isinstance(keys, exp.Array):
        found = [e.name for e in keys.expressions]
    else:
        raise NotSupportedError("the path of #> is a constant here")
    return path(node.this, found, isinstance(node, exp.JSONBExtractScalar))


def _is_json(node: exp.Expr) -> bool:
    if isinstance(node, exp.Cast):
        return node.to.is_type("json", "jsonb")
    if isinstance(node, exp.Literal) and node.is_string:
        return (node.name.strip()[:1] in ("{", "[") and not re.fullmatch(
            r"\{[^:]*\}", node.name.strip()
        )) or node.name.strip() == "{}"  # fmt: skip
    return isinstance(node, exp.JSONExtract | exp.JSONBExtract)


def _contains(node: exp.ArrayContainsAll) -> exp.Expr | None:
    """JSON contains JSON; an array another."""
    if _is_json(node.expression) or _is_json(node.this):
        return call("json_contains", node.this.copy(), node.expression.copy())
    other = node.expression
    if isinstance(other, exp.Literal) and other.is_string:
        other = exp.Array(expressions=elements(other.name))
    return call("list_has_all", node.this.copy(), other.copy())


def _has_key(node: exp.Expr) -> exp.Expr | None:
    return call("list_contains", call("json_keys", node.this.copy()), node.expression.copy())


def _match(node: exp.MatchAgainst) -> exp.Expr | None:
    raise NotSupportedError(
        "@@ is not here: text is searched by words in other functions",
        hint="search(…), recall(…), or MATCH on a full-text table",
    )


def _overlaps(node: exp.Overlaps) -> exp.Expr | None:
    left, right = node.this, node.expression
    if not (isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple)):
        return None
    (a, b), (c, d) = left.expressions, right.expressions
    b, d = (
        exp.Add(this=x.copy(), expression=y.copy()) if isinstance(y, exp.Interval) else y
        for x, y in ((a, b), (c, d))
    )
    first, second = (
        exp.LT(
            this=call("least", x.copy(), y.copy()), expression=call("greatest", z.copy(), w.copy())
        )
        for x, y, z, w in ((a, b, c, d), (c, d, a, b))
    )
    return exp.Paren(this=exp.and_(first, second))


def _bucket(node: exp.WidthBucket) -> exp.Expr | None:
    """width_bucket(x, low, high, n): 0 below, n + 1 from high."""
    x, low, high, count = (
        node.this, node.args.get("min_value"), node.args.get("max_value"),
        node.args.get("num_buckets"),
    )  # fmt: skip
    if low is None or high is None or count is None:
        raise NotSupportedError("width_bucket() of an array of thresholds is not here")
    real = exp.Paren(this=exp.Div(
        this=exp.Paren(this=exp.Mul(
            this=exp.Paren(this=exp.Sub(this=exp.cast(x.copy(), "DOUBLE"), expression=low.copy())),
            expression=count.copy(),
        )),
        expression=exp.Paren(this=exp.Sub(this=high.copy(), expression=low.copy())), safe=True,
    ))  # fmt: skip
    inside = exp.Add(this=exp.cast(call("floor", real), "BIGINT"), expression=exp.Literal.number(1))
    return exp.Case(
        ifs=[
            exp.If(this=exp.LT(this=x.copy(), expression=low.copy()), true=exp.Literal.number(0)),
            exp.If(
                this=exp.GTE(this=x.copy(), expression=high.copy()),
                true=exp.Add(this=count.copy(), expression=exp.Literal.number(1)),
            ),
        ],
        default=inside,
    )


def _local(node: exp.Expr) -> exp.Expr | None:
    return exp.CurrentTimestamp()


def _any(node: exp.Any) -> exp.Expr | None:
    """`= ANY ('{1,2}')`."""
    inner = node.this
    while isinstance(inner, exp.Paren):
        inner = inner.this
    if isinstance(inner, exp.Literal) and inner.is_string:
        return exp.Any(this=exp.Paren(this=exp.Array(expressions=elements(inner.name))))
    return None


def _octets(node: exp.ByteLength) -> exp.Expr | None:
    return call("strlen", exp.cast(node.this.copy(), "TEXT"))


def _joined(node: exp.DPipe) -> exp.Expr | None:
    """A list and one element."""
    left, right = node.this, node.expression
    plain = (exp.Literal, exp.Neg)
    if isinstance(left, exp.Array) and isinstance(right, plain):
        return call("list_append", left.copy(), right.copy())
    if isinstance(right, exp.Array) and isinstance(left, plain):
        return call("list_prepend", left.copy(), right.copy())
    return None


def _hex(node: exp.Hex) -> exp.Expr | None:
    if isinstance(node.parent, exp.Lower):
        return None
    return exp.Lower(this=node.copy())


def _substring(node: exp.Substring) -> exp.Expr | None:
    """substring(a from 'pattern'): the part in parentheses, or the whole match; NULL without."""
    pattern = node.args.get("start")
    if not (isinstance(pattern, exp.Literal) and pattern.is_string):
        return None
    try:
        group = 1 if re.compile(pattern.name).groups else 0
    except re.error:
        group = 0
    found = call("regexp_extract", node.this.copy(), pattern.copy(), exp.Literal.number(group))
    there = call("regexp_matches", node.this.copy(), pattern.copy())
    return exp.Case(ifs=[exp.If(this=there, true=found)])


CLASSES: dict[type[exp.Expr], Make] = {
    exp.Cast: _cast, exp.Overlay: _overlay, exp.JSONArrayAgg: _array_agg,
    exp.JSONBExtractScalar: _extract, exp.JSONBExtract: _extract,
    exp.ArrayContainsAll: _contains, exp.JSONBContains: _has_key, exp.JSONBContainsTopKey: _has_key,
    exp.MatchAgainst: _match,
    exp.Overlaps: _overlaps, exp.WidthBucket: _bucket, exp.Localtimestamp: _local, exp.Any: _any,
    exp.ByteLength: _octets,
    exp.DPipe: _joined, exp.Hex: _hex, exp.Substring: _substring,
}  # fmt: skip
