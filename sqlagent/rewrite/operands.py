"""`(SELECT …) UNION (SELECT …)`: SQLite takes no parentheses around what a compound joins."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.rewrite.context import Context


def operands(tree: exp.Expr, context: Context) -> exp.Expr:
    """Each side in parentheses as a derived table of its own: SELECT * FROM (SELECT …)."""
    for compound in list(tree.find_all(exp.SetOperation)):
        for side in (compound.this, compound.expression):
            if isinstance(side, exp.Subquery) and not side.alias:
                side.replace(exp.select("*").from_(side.copy()))
                context.changed = True
    return tree
