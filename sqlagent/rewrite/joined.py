"""Parentheses where SQLite's operators bind otherwise than DuckDB's.

`||` binds tighter than `+` in SQLite and looser in DuckDB; comparisons of comparisons, BETWEEN and
IS differ too. Parentheses say which was meant.
"""

from __future__ import annotations

from sqlglot import exp

from sqlagent.rewrite.context import Context

_PREDICATES = (
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is,
    exp.In, exp.Between, exp.Like, exp.ILike, exp.Escape, exp.Glob, exp.Match,
)  # fmt: skip


def joined(tree: exp.Expr, context: Context) -> exp.Expr:
    """Parentheses around what SQLite would take apart."""
    for node in list(tree.find_all(exp.DPipe)):
        for side in (node.this, node.expression):
            if isinstance(side, (exp.Binary, exp.Unary)) and not isinstance(
                side, (exp.DPipe, exp.Paren)
            ):
                side.replace(exp.Paren(this=side.copy()))
    for test in list(tree.find_all(*_PREDICATES)):
        sides = [test.this, *(test.args.get(k) for k in ("expression", "low", "high"))]
        for side in sides:
            if isinstance(side, (*_PREDICATES, exp.And, exp.Or, exp.Not)) and not (
                isinstance(side, (exp.Like, exp.ILike, exp.Glob)) and isinstance(test, exp.Escape)
            ):
                side.replace(exp.Paren(this=side.copy()))
    return tree
