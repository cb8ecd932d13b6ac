"""`||` binds tighter than `+` in SQLite and looser in DuckDB: parentheses say which was meant."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.rewrite.context import Context


def joined(tree: exp.Expr, context: Context) -> exp.Expr:
    """Parentheses around what SQLite would take apart beside `||`."""
    for node in list(tree.find_all(exp.DPipe)):
        for side in (node.this, node.expression):
            if isinstance(side, (exp.Binary, exp.Unary)) and not isinstance(
                side, (exp.DPipe, exp.Paren)
            ):
                side.replace(exp.Paren(this=side.copy()))
    return tree
