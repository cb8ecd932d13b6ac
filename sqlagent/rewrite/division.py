"""`/` as the dialect means it: 5/2 is 2.5 in DuckDB, 2 in SQLite and PostgreSQL.

sqlglot marks every division with its dialect's meaning (`typed`: integers divide to an integer).
By zero, DuckDB gives an infinity of the dividend's sign, and NaN for 0/0, PostgreSQL an error;
SQLite has NULL.
"""

from __future__ import annotations

from sqlglot import exp

from sqlagent.rewrite.context import Context
from sqlagent.rewrite.infer import INTEGERS, is_decimal, kind

_REAL = ("DOUBLE", "FLOAT", "REAL")


def division(tree: exp.Expr, context: Context) -> exp.Expr:
    """Every `/` and `//` as the dialect means it, said for the engine."""
    # The innermost first: what stands around them takes copies.
    for node in reversed(list(tree.find_all(exp.Div, exp.IntDiv))):
        said = _to_sqlite if context.engine == "sqlite" else _to_duckdb
        new = said(node, context)
        if new is not None:
            context.changed = True
            if node is tree:
                tree = new
            else:
                node.replace(new)
    if context.engine == "duckdb" and context.dialect == "postgres":
        for node in list(tree.find_all(exp.Mod)):
            if not _not_zero(node.expression):
                node.set("expression", _refuse_zero(node.expression.copy()))
                context.changed = True
    return tree


def _to_sqlite(node: exp.Expr, context: Context) -> exp.Expr | None:
    """Divide as reals, or as integers where the dialect does."""
    left, right = node.this.copy(), node.expression.copy()
    if isinstance(node, exp.IntDiv):
        if not {kind(left, context), kind(right, context)} <= INTEGERS:
            context.doubts.append("// of what may not be integers")
        return _plain(left, right)
    if node.args.get("typed") and not (
        is_decimal(kind(left, context)) or is_decimal(kind(right, context))
    ):
        return None  # SQLite's own `/` is of integers where both values are
    # What comes of a divisor that is zero is seen to by the pass `checked`.
    return _plain(left if kind(left, context) in _REAL else exp.cast(left, "DOUBLE"), right)


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
    if context.dialect == "postgres" and not _not_zero(right):
        right = _refuse_zero(right)
    if kinds <= INTEGERS:
        return exp.Paren(this=exp.IntDiv(this=left, expression=right))
    if not kinds & {*_REAL} and not any(k and k.startswith("DECIMAL") for k in kinds):
        context.doubts.append("a division that may be of integers or of reals")
        return None
    if node.args.get("safe"):
        right = exp.Nullif(this=right, expression=exp.Literal.number(0))
    return exp.Paren(this=exp.Div(this=left, expression=right, typed=False, safe=False))


def _not_zero(node: exp.Expr) -> bool:
    """Whether a divisor is a constant other than zero."""
    return isinstance(node, exp.Literal) and not node.is_string and float(node.name) != 0


def _refuse_zero(divisor: exp.Expr) -> exp.Expr:
    """The divisor, but PostgreSQL's error where it is zero."""
    error = exp.Anonymous(this="error", expressions=[exp.Literal.string("division by zero")])
    test = exp.EQ(this=exp.Paren(this=divisor.copy()), expression=exp.Literal.number(0))
    case = exp.Case(ifs=[exp.If(this=test, true=error)], default=divisor)
    return exp.Paren(this=case)
