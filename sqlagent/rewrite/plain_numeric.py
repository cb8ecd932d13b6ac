"""PostgreSQL's `numeric` without a size keeps every digit; DuckDB's keeps three after the point.

The nearest that DuckDB has is 28 digits before the point and ten after it.
"""

from __future__ import annotations

from sqlglot import exp

from sqlagent.rewrite.context import Context

DIGITS, SCALE = 38, 10


def plain_numeric(tree: exp.Expr, context: Context) -> exp.Expr:
    """A cast to a bare `numeric` names its size, in PostgreSQL's dialect."""
    if context.dialect != "postgres":
        return tree
    for node in tree.find_all(exp.Cast):
        for kind in node.to.find_all(exp.DataType):
            if kind.is_type("decimal") and not kind.expressions:
                kind.set("expressions", [
                    exp.DataTypeParam(this=exp.Literal.number(n)) for n in (DIGITS, SCALE)
                ])  # fmt: skip
                context.changed = True
    return tree
