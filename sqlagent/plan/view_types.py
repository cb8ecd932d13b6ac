"""The types of a view's columns, told from its text: SQLite declares none for an expression."""

from __future__ import annotations

from itertools import pairwise

from sqlagent.catalog import Catalog, Table
from sqlagent.errors import Error
from sqlagent.parse.lexer import lex


def select_of(table: Table) -> str:
    """The SELECT of a view, without what ends it."""
    sql = (table.sql or "").strip()
    for token, after in pairwise(lex(sql)):
        if token.upper == "AS" and after.upper in ("SELECT", "WITH", "VALUES", "FROM", "("):
            return sql[after.start :].rstrip("; \n")
    return sql


def typed(table: Table, catalog: Catalog) -> Table:
    """A view whose columns have the types that its text gives them; anything else as it is."""
    if table.kind not in ("view", "query") or all(c.type is not None for c in table.columns):
        return table
    from sqlagent.plan.route import described

    try:
        found = described(select_of(table), catalog, {"dialect": "duckdb"})
    except Error:
        return table  # over what is gone, or what only SQLite says
    if found is None or len(found) != len(table.columns):
        return table
    pairs = zip(table.columns, found, strict=True)
    return table._replace(columns=tuple(c._replace(type=c.type or kind) for c, kind in pairs))
