"""Forms of a query that DuckDB alone has, where the tree of SQLite's would look the same."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.rewrite.context import Context
from sqlagent.rewrite.spellings import ROWIDS

_FORMS = (exp.Column, exp.Select, exp.SetOperation, exp.Ordered)


def only_duckdb(tree: exp.Expr, context: Context) -> list[str]:
    """Why SQLite has no such form: empty where it has."""
    found: list[str] = []
    for node in tree.find_all(*_FORMS):
        reason = None
        if isinstance(node, exp.Column):
            reason = _column(node, context)
        elif isinstance(node, exp.Select):
            reason = _aliases(node, context)
        elif isinstance(node, exp.SetOperation):
            reason = _set(node)
        elif isinstance(node, exp.Ordered):
            what = node.this
            plain = isinstance(what, exp.Var) or (isinstance(what, exp.Column) and not what.table)
            if plain and what.name.upper() == "ALL" and not getattr(what.this, "quoted", False):
                reason = "ORDER BY ALL is DuckDB's"
        if reason is not None:
            found.append(reason)
    return found


def _set(node: exp.SetOperation) -> str | None:
    """INTERSECT ALL, EXCEPT ALL, BY NAME."""
    if node.args.get("by_name"):
        return "BY NAME is DuckDB's"
    if not isinstance(node, exp.Union) and node.args.get("distinct") is False:
        return f"{node.key.upper()} ALL is DuckDB's"
    return None


def _column(node: exp.Column, context: Context) -> str | None:
    """`t.field.part` of a struct, `column.field`, and a table's name for its whole row."""
    names = context.names
    source, name = node.table.lower(), node.name.lower()
    if source:
        known = source in names.by_alias or source in ("excluded", "main")
        return None if known or not names.by_alias else f"{node.table} is no source: a field of it"
    if isinstance(node.parent, exp.Match):
        return None  # a full text table stands for all its columns
    if name in names.by_alias and name not in ROWIDS and not node.args.get("db"):
        every = [columns for alias in names.by_alias for columns in names.columns(alias)]
        if None not in every and name not in {c.name.lower() for cs in every for c in cs or ()}:
            return "a row as a value is DuckDB's"
    return None


def _aliases(node: exp.Select, context: Context) -> str | None:
    """An output that names an earlier one: `SELECT a + 1 AS b, b * 2`."""
    given = {e.alias.lower() for e in node.expressions if isinstance(e, exp.Alias)}
    if not given:
        return None
    names = context.names
    sources = [columns for alias in names.by_alias for columns in names.columns(alias)]
    if None in sources:
        return None
    known = {c.name.lower() for columns in sources for c in columns or ()}
    for output in node.expressions:
        for column in output.find_all(exp.Column):
            name = column.name.lower()
            if not column.table and name in given and name not in known | ROWIDS:
                return "an output that names another is DuckDB's"
    return None
