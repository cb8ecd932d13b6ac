"""`max(seq)` of the change log, a view of two tables, is a look at the end of each."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.rewrite.context import Context

LOG = "sqlagent_change_log"
# An engine finds the largest key of a table at once, and that of a view by reading all of it.
ENDS = """
SELECT max(seq) AS seq FROM sqlagent_change_entries
UNION ALL SELECT max(version_id) FROM sqlagent_state_versions WHERE NOT state_id IS NULL
"""
PLAIN = {"expressions", "from_", "kind", "hint", "operation_modifiers"}


def newest(tree: exp.Expr, context: Context) -> exp.Expr:
    """Each SELECT of nothing but max(seq) over all of the log, over the two last entries."""
    from sqlglot import parse_one

    known = context.catalog.table(LOG)
    if known is None or known.kind != "view":
        return tree
    if any(c.alias_or_name.lower() == LOG for c in tree.find_all(exp.CTE)):
        return tree
    for select in list(tree.find_all(exp.Select)):
        source = select.args.get("from_")
        table = None if source is None else source.this
        if not isinstance(table, exp.Table) or table.name.lower() != LOG or table.args.get("joins"):
            continue
        if any(value for key, value in select.args.items() if key not in PLAIN):
            continue
        columns = [c for e in select.expressions for c in e.find_all(exp.Column)]
        if not columns or not all(map(_largest, columns)):
            continue
        more = (exp.AggFunc, exp.Star, exp.Window)
        others = [f for e in select.expressions for f in e.find_all(*more)]
        if any(type(f) is not exp.Max for f in others):
            continue
        alias = exp.TableAlias(this=exp.to_identifier(table.alias_or_name))
        table.replace(exp.Subquery(this=parse_one(ENDS, dialect="duckdb"), alias=alias))
        context.changed = True
        context.names.read(tree)
    return tree


def _largest(column: exp.Column) -> bool:
    """Whether a column is asked for as max(seq)."""
    call = column.parent
    return column.name.lower() == "seq" and type(call) is exp.Max and not call.expressions
