"""A view of the file, on DuckDB, is its SELECT in its place: the columns are of tables alone."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.errors import SqlglotError

from sqlagent.errors import ProgrammingError
from sqlagent.parse.lexer import lex
from sqlagent.rewrite.context import Context


def views(tree: exp.Expr, context: Context) -> exp.Expr:
    """Every view as a subquery; its text is SQLite's, and may name other views."""
    ctes = {c.alias_or_name.lower() for c in tree.find_all(exp.CTE)}
    for _ in range(16):
        found = [
            n for n in tree.find_all(exp.Table)
            if isinstance(n.this, exp.Identifier) and n.name.lower() not in ctes
            and (t := context.catalog.table(n.name)) is not None and t.kind == "view"
        ]  # fmt: skip
        if not found:
            break
        for node in found:
            inner = _select(node.name, context)
            if inner is None:
                return tree
            alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier(node.name))
            alias = alias.copy()
            if not alias.columns:
                # The names that the file's catalog has: engines name expressions differently.
                names = context.catalog.tables[node.name.lower()].columns
                alias.set("columns", [exp.to_identifier(c.name, quoted=True) for c in names])
            new = exp.Subquery(this=inner, alias=alias)
            new.set("joins", node.args.get("joins"))
            node.replace(new)
            context.changed = True
        context.names.read(tree)
    return tree


def _select(name: str, context: Context) -> exp.Expr | None:
    """A view's SELECT as a tree; None, with a doubt, where only SQLite can read it."""
    from sqlagent.parse.tree import parse_definition

    table = context.catalog.table(name)
    sql = (table.sql if table else None) or ""
    tokens = lex(sql)
    if tokens and tokens[0].upper not in ("SELECT", "WITH", "VALUES"):
        start = next((i for i, t in enumerate(tokens) if t.upper == "AS"), 0)
        tokens = tokens[start + 1 :]
    try:
        return parse_definition(sql, tokens)
    except (SqlglotError, ProgrammingError, IndexError):
        context.doubts.append(f'the view "{name}", which only SQLite can read')
        return None
