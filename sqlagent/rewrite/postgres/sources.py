"""`FROM (VALUES (1, 'a')) AS v (id, name)` in a write: SQLite names columns in WITH alone."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.rewrite.context import Context


def named_sources(tree: exp.Expr, context: Context) -> exp.Expr:
    """Each source of a write whose alias names columns, with the names in a WITH of its own."""
    if not isinstance(tree, exp.Insert | exp.Update | exp.Delete):
        return tree
    for node in list(tree.find_all(exp.Values, exp.Subquery)):
        alias = node.args.get("alias")
        if not isinstance(alias, exp.TableAlias) or not alias.columns or alias.this is None:
            continue
        inner = node.copy() if isinstance(node, exp.Values) else node.this.copy()
        inner.set("alias", None)
        named = exp.CTE(this=inner, alias=alias.copy())
        query = exp.select("*").from_(alias.this.copy())
        query.set("with_", exp.With(expressions=[named]))
        node.replace(exp.Subquery(this=query, alias=exp.TableAlias(this=alias.this.copy())))
        context.changed = True
    return tree
