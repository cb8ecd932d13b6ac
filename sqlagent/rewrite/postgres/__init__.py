"""PostgreSQL's functions and operators in DuckDB's words; a pass for dialect 'postgres' alone."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.errors import NotSupportedError
from sqlagent.rewrite.context import Context
from sqlagent.rewrite.postgres.calls import CALLS, KEPT, call
from sqlagent.rewrite.postgres.classes import CLASSES
from sqlagent.rewrite.postgres.ctid import ctids
from sqlagent.rewrite.postgres.rows import rows
from sqlagent.rewrite.postgres.sources import named_sources

__all__ = ["postgres"]


def postgres(tree: exp.Expr, context: Context) -> exp.Expr:
    """Say what only PostgreSQL says otherwise. The tree is changed in place."""
    if context.dialect != "postgres":
        return tree
    tree = named_sources(rows(ctids(tree, context), context), context)
    for node in reversed(
        list(tree.find_all(exp.Anonymous, exp.Table, exp.TimestampTrunc, exp.DateTrunc, *CLASSES))
    ):
        new = _new(node)
        if new is None or new is node:
            continue
        context.changed = True
        if node is tree:
            tree = new
        else:
            node.replace(new)
    for cte in tree.find_all(exp.CTE):
        if isinstance(cte.this, exp.Insert | exp.Update | exp.Delete):
            raise NotSupportedError(
                "a WITH that writes stands at the top of a statement, and is not explained",
            )
    return tree


def _new(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node, exp.Anonymous):
        name = node.name.lower()
        made = CALLS.get(name)
        if made is None:
            plain = KEPT.get(name)
            return call(plain, *node.expressions) if plain else None
        return made(node)
    if isinstance(node, exp.Table):
        return _rows(node)
    if isinstance(node, exp.TimestampTrunc | exp.DateTrunc) and (
        isinstance(node.args.get("unit"), exp.Placeholder)
    ):  # sqlglot would write the mark of the parameter as the unit's name
        return exp.Anonymous(this="date_trunc", expressions=[node.args["unit"], node.this])
    for kind, made_ in CLASSES.items():
        if isinstance(node, kind):
            return made_(node)
    return None


def _rows(node: exp.Table) -> exp.Expr | None:
    """`FROM generate_series(1, 3) AS g`: g is the name of the one column too."""
    inner, alias = node.this, node.args.get("alias")
    rows = isinstance(inner, exp.GenerateSeries | exp.ExplodingGenerateSeries) or (
        isinstance(inner, exp.Anonymous)
        and inner.name.lower() in ("sq_generate_series", "generate_series")
    )
    if rows and isinstance(alias, exp.TableAlias) and alias.this and not alias.args.get("columns"):
        new = node.copy()
        new.args["alias"].set("columns", [alias.this.copy()])
        return new
    return None
