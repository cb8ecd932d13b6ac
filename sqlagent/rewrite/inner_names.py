"""Names for the unnamed outputs of derived tables that a `*` shows: engines would each make one."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.rewrite.context import Context


def inner_names(tree: exp.Expr, context: Context) -> exp.Expr:
    """`SELECT * FROM (SELECT count(*) …)`: the inner output is called as it is written."""
    stars = [s for s in tree.find_all(exp.Star) if not isinstance(s.parent, exp.Count)]
    if not stars:
        return tree
    for select in list(tree.find_all(exp.Select)):
        if select is tree or not isinstance(select.parent, (exp.Subquery, exp.CTE)):
            continue
        for output in list(select.expressions):
            if output.is_star or isinstance(
                output, (exp.Alias, exp.Aliases, exp.Column, exp.Explode)
            ):
                continue
            name = output.sql("duckdb", normalize_functions="lower")
            output.replace(exp.alias_(output.copy(), name, quoted=True))
            context.changed = True
    return tree
