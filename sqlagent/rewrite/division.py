"""`/` as the dialect means it: 5/2 is 2.5 in DuckDB, 2 in SQLite and PostgreSQL.

sqlglot marks every division with its dialect's meaning (`typed`: integers divide to an integer).
By zero, DuckDB gives an infinity of the dividend's sign, and NaN for 0/0; SQLite has NULL there.
"""

from __future__ import annotations

from sqlglot import exp

from sqlagent.rewrite.context import Context
from sqlagent.rewrite.infer import kind

_REAL = ("DOUBLE", "FLOAT", "REAL")


def division(tree: exp.Expr, context: Context) -> exp.Expr:
    """Every `/` and `//` as the dialect means it, said for the engine."""
    for node in list(tree.find_all(exp.Div, exp.IntDiv)):
        said = _to_sqlite if context.engine == "sqlite" else _to_duckdb
        new = said(node, context)
        if new is not None:
            context.changed = True
            if node is tree:
                tree = new
            else:
                node.replace(new)
    return tree


def _to_sqlite(node: exp.Expr, context: Context) -> exp.Expr | None:
    """Divide as reals, and by zero as DuckDB does."""
    left, right = node.this.copy(), node.expression.copy()
    if isinstance(node, exp.IntDiv):
        if {kind(left, context), kind(right, context)} != {"BIGINT"}:
            context.doubts.append("// of what may not be integers")
        return _plain(left, right)
    if node.args.get("typed"):
        return None
    real = left if kind(left, context) in _REAL else exp.cast(left, "DOUBLE")
    if isinstance(right, exp.Literal) and float(right.name or 0) != 0:
        return _plain(real, right)
    if isinstance(right, exp.Nullif) and right.expression.name == "0":
        return _plain(real, right)
    # x * 9e999 is the infinity of x's sign, and NULL for 0/0, where DuckDB has NaN.
    by_zero: exp.Expr = exp.Mul(
        this=exp.Paren(this=left.copy()), expression=exp.Literal.number("9e999")
    )
    if context.forced and not context.writes:
        by_zero = _refused_for_zero(left, right, by_zero)
    elif not context.writes:
        context.doubts.append("a division whose divisor may be zero: 0/0 is NaN, SQLite has none")
    test = exp.EQ(this=exp.Paren(this=right.copy()), expression=exp.Literal.number(0))
    return exp.Case(
        ifs=[exp.If(this=test, true=by_zero)], default=_plain(real, exp.Paren(this=right))
    )


def _refused_for_zero(left: exp.Expr, right: exp.Expr, infinity: exp.Expr) -> exp.Expr:
    """The infinity, but an error for 0/0: a JSON path that is none is said in SQLite's error.

    It ends with the divisor, so that SQLite does not take it for a constant and fails at once.
    """
    text = exp.Literal.string("0/0 is NaN, which SQLite does not have: ")
    path = exp.DPipe(this=text, expression=exp.Paren(this=right.copy()))
    fails = exp.Anonymous(this="json_extract", expressions=[exp.Literal.string("0"), path])
    test = exp.EQ(this=exp.Paren(this=left.copy()), expression=exp.Literal.number(0))
    return exp.Case(ifs=[exp.If(this=test, true=fails)], default=infinity)


def _plain(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """SQLite's own `/`, parenthesised, since what stands around it was parsed around another."""
    if isinstance(left, exp.Binary):
        left = exp.Paren(this=left)
    if isinstance(right, exp.Binary):
        right = exp.Paren(this=right)
    return exp.Paren(this=exp.Div(this=left, expression=right, typed=True, safe=True))


def _to_duckdb(node: exp.Expr, context: Context) -> exp.Expr | None:
    """SQLite's and PostgreSQL's division of integers, said with `//`."""
    if isinstance(node, exp.IntDiv) or not node.args.get("typed"):
        return None
    left, right = node.this.copy(), node.expression.copy()
    kinds = {kind(left, context), kind(right, context)}
    if kinds == {"BIGINT"}:
        return exp.Paren(this=exp.IntDiv(this=left, expression=right))
    if not kinds & {*_REAL} and not any(k and k.startswith("DECIMAL") for k in kinds):
        context.doubts.append("a division that may be of integers or of reals")
        return None
    if node.args.get("safe"):
        right = exp.Nullif(this=right, expression=exp.Literal.number(0))
    return exp.Paren(this=exp.Div(this=left, expression=right, typed=False, safe=False))
