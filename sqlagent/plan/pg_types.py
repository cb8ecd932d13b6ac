"""What PostgreSQL calls the types of a result where the engine's are wider: `'1'::int` is an int4,
`now()` a timestamptz, a column what it declares.

The module as a whole is imported lazily: it imports sqlglot.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from sqlagent.catalog import Catalog, Column
from sqlagent.errors import Error
from sqlagent.parse.lexer import lex, statements
from sqlagent.parse.parameters import Numbering
from sqlagent.parse.tree import parse
from sqlagent.plan.view_types import typed
from sqlagent.rewrite.context import Context
from sqlagent.rewrite.expand import own_names
from sqlagent.types import is_zoned

Found = str | Column | None
_CASTS = {
    "INT": "int4", "INTEGER": "int4", "SMALLINT": "int2", "TINYINT": "int2", "BIGINT": "int8",
    "REAL": "float4", "FLOAT": "float8", "DOUBLE": "float8", "TIMESTAMPTZ": "timestamptz",
    "JSONB": "jsonb", "VARCHAR": "varchar", "CHAR": "bpchar", "BPCHAR": "bpchar", "NAME": "name",
    "OID": "oid", "TID": "tid",
}  # fmt: skip
_NOW = (exp.CurrentTimestamp,)
_SAME = (exp.Paren, exp.Alias, exp.Min, exp.Max, exp.Nullif, exp.FirstValue, exp.LastValue,
         exp.Lag, exp.Lead, exp.Neg, exp.Window, exp.Filter)  # fmt: skip
_SUMS = (exp.Add, exp.Sub, exp.Mul, exp.Mod, exp.Div, exp.IntDiv)


def output_types(sql: str, catalog: Catalog, settings: Mapping[str, Any]) -> list[Found] | None:
    """Of each output of a SELECT or of RETURNING: pg_type's name, a column of a table, or None
    where the engine's type is PostgreSQL's too. None as a whole where a `*` hides them."""
    tokens = statements(lex(sql))[0]
    try:
        numbering = Numbering(sql, tokens)
        dialect = str(settings.get("dialect", "postgres"))
        tree, _ = parse(sql, tokens, numbering, dialect, own_names(catalog.definitions))
        context = Context(_with_views(tree, catalog), dialect, sql, tokens)
        context.names.read(tree)
        returning = tree.args.get("returning")
        if returning is not None:
            return _of(returning.expressions, tree, context)
        while isinstance(tree, exp.Subquery):
            tree = tree.this
        while isinstance(tree, exp.SetOperation):
            tree = tree.left
        if not isinstance(tree, exp.Select):
            return None
        return _of(tree.expressions, tree, context)
    except Error:
        return None


def _with_views(tree: exp.Expr, catalog: Catalog) -> Catalog:
    """The catalog with the types of the views that the statement reads."""
    tables = dict(catalog.tables)
    for node in tree.find_all(exp.Table):
        found = tables.get(node.name.lower())
        if found is not None and found.kind in ("view", "query"):
            tables[node.name.lower()] = typed(found, catalog)
    return catalog._replace(tables=tables)


def _of(outputs: list[exp.Expr], tree: exp.Expr, context: Context) -> list[Found] | None:
    found: list[Found] = []
    for output in outputs:
        if isinstance(output, exp.Star) or (isinstance(output, exp.Column) and output.is_star):
            columns = _star(tree, output, context)
            if columns is None:
                return None
            found += columns
        else:
            found.append(type_of(output, context))
    return found


def _star(tree: exp.Expr, output: exp.Expr, context: Context) -> list[Found] | None:
    """The columns of `*`, where every source is a table and no USING merges columns."""
    if any((output if isinstance(output, exp.Star) else output.this).args.values()):
        return None
    wanted = output.table.lower() if isinstance(output, exp.Column) else ""
    joins = tree.args.get("joins") or []
    if not wanted and any(j.args.get("using") or j.method == "NATURAL" for j in joins):
        return None
    start = tree.args.get("from_")
    nodes = [start.this] if start is not None and isinstance(tree, exp.Select) else [tree.this]
    nodes += [j.this for j in joins]
    found: list[Found] = []
    for node in nodes:
        node = node.this if isinstance(node, exp.Schema) else node
        alias = node.alias_or_name.lower()
        if wanted and alias != wanted:
            continue
        columns = context.names.source(alias)
        if columns is None:
            return None
        found += (c if c.type is not None else None for c in columns)
    return found


def type_of(node: exp.Expr | None, context: Context) -> Found:
    """PostgreSQL's type of an expression; None where it is as the engine has it."""
    if isinstance(node, exp.Column):
        column = context.names.column(node)
        if node.name.lower() == "ctid" and (column is None or column.declared is None):
            return "tid"
        # A view's may have no type: the engine says it then.
        return column if column is not None and column.type is not None else None
    if isinstance(node, exp.Cast):
        return cast_type(node.to)
    if isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit():
        return "int4" if int(node.name) < 1 << 31 else None
    if isinstance(node, _NOW) or (
        isinstance(node, exp.Anonymous) and node.name.lower() in (
            "now", "transaction_timestamp", "statement_timestamp", "clock_timestamp",
            "get_current_timestamp",
        )
    ):  # fmt: skip
        return "timestamptz"
    if isinstance(node, _SAME):
        inner = node.this
        if isinstance(node, exp.Lag | exp.Lead | exp.Window | exp.Filter | exp.Alias | exp.Paren):
            return type_of(inner, context)
        found = type_of(inner, context)
        return found
    if isinstance(node, exp.Coalesce):
        both = {_name(type_of(n, context)) for n in (node.this, *node.expressions)}
        return both.pop() if len(both) == 1 else None
    if isinstance(node, _SUMS):
        both = {_name(type_of(n, context)) for n in (node.this, node.args.get("expression"))}
        if both == {"int4"}:
            return "int4"
        if "timestamptz" in both and isinstance(node, exp.Add | exp.Sub) and len(both) > 1:
            return "timestamptz"
    return None


def _name(found: Found) -> str | None:
    """The name of a type; of a column as far as it matters here."""
    if isinstance(found, Column):
        zoned = found.type == "TIMESTAMP" and is_zoned(found.declared)
        return "timestamptz" if zoned else found.type
    return found


def cast_type(kind: exp.Expr) -> str | None:
    """The type that a cast names."""
    text = kind.sql("postgres").upper()
    array = text.endswith("]")
    inner = re.sub(r"\[\d*\]$", "", text)
    base, bracket, rest = inner.partition("(")
    base = base.strip()
    found = _CASTS.get(base)
    if base in ("DOUBLE PRECISION",):
        found = "float8"
    elif base == "TIMESTAMP WITH TIME ZONE":
        found = "timestamptz"
    elif base in ("CHARACTER VARYING",):
        found = "varchar"
    if found is None:
        return None
    if array:
        return f"{found}[]" if found not in ("float8",) or "[]" in text else None
    sized = bracket and rest.rstrip(") ").isdigit() and found in ("varchar", "bpchar")
    return f"{found}({rest.rstrip(') ')})" if sized else found
