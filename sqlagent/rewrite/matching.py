"""LIKE and ILIKE: on our connections LIKE is case-sensitive on either engine, as in DuckDB."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.rewrite.context import Context


def matching(tree: exp.Expr, context: Context) -> exp.Expr:
    """ILIKE on SQLite is lower() LIKE lower(); in SQLite's dialect LIKE itself ignores case.

    SQLite's lower() knows ASCII alone, so any other pattern is left to DuckDB.
    """
    for node in list(tree.find_all(exp.ILike, exp.Like)):
        folds = isinstance(node, exp.ILike) or context.dialect == "sqlite"
        if context.engine == context.dialect == "sqlite" and isinstance(node, exp.Like):
            continue  # the connection speaks as SQLite does by itself
        if not folds or (context.engine == "duckdb" and isinstance(node, exp.ILike)):
            continue
        if context.engine == "duckdb":
            new: exp.Expr = exp.ILike(this=node.this.copy(), expression=node.expression.copy())
        else:
            pattern = node.expression
            if context.dialect != "sqlite" and not (
                isinstance(pattern, exp.Literal) and pattern.name.isascii()
            ):
                context.doubts.append("ILIKE with a pattern that may hold more than ASCII")
            new = exp.Like(this=_lower(node.this), expression=_lower(pattern))
        node.replace(new)
        context.changed = True
    return tree


def _lower(node: exp.Expr) -> exp.Expr:
    """The expression in lower case."""
    return exp.Anonymous(this="lower", expressions=[node.copy()])
