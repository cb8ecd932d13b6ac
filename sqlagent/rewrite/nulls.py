"""Where NULLs go in an order: not said where there are none, so that SQLite can use an index."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.rewrite.context import Context


def nulls(tree: exp.Expr, context: Context) -> exp.Expr:
    """SQLite puts NULLs first when ascending, last when descending: no matter for NOT NULL."""
    outer = any(j.side for j in tree.find_all(exp.Join))
    for node in tree.find_all(exp.Ordered):
        column = node.this
        if isinstance(column, exp.Column) and not outer:
            found = context.names.column(column)
            if found is not None and found.not_null:
                node.set("nulls_first", not node.args.get("desc"))
    return tree
