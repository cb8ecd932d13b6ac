"""Files under a name: attached Parquet, CSV and JSON as DuckDB's reader of them, in every place.

`sqlite_scan('shop.db', 'orders')` becomes a table of that file, which SQLite itself opens: DuckDB's
scanner is another SQLite library, and the file may be open in this process at any moment.
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from sqlagent.errors import NotSupportedError
from sqlagent.functions import functions
from sqlagent.rewrite.context import Context

READERS = {"parquet": "read_parquet", "csv": "read_csv", "json": "read_json"}


def files(tree: exp.Expr, context: Context) -> exp.Expr:
    """Every attached file of rows as the call that reads it; every scan as a table."""
    catalog = context.catalog
    attached = {k: s for k, s in catalog.sources.items() if s.kind in READERS}
    ctes = {c.alias_or_name.lower() for c in tree.find_all(exp.CTE)}
    for node in list(tree.find_all(exp.Table)):
        if isinstance(node.this, exp.Func):
            if catalog.attached(node.db) is not None:
                _call(node, context)
            elif node.this.name.lower() == "sqlite_scan":
                _scan(node, context)
            continue
        name, schema = node.name.lower(), (node.catalog or node.db).lower()
        source: Any = attached.get(schema or name)
        if source is None or name != source.name.lower():
            continue
        if not schema and (name in ctes or name in catalog.tables):
            continue
        if not node.alias:
            node.set("alias", exp.TableAlias(this=exp.to_identifier(source.name, quoted=True)))
        options = [
            exp.EQ(this=exp.column(key), expression=exp.convert(value))
            for key, value in source.options.items()
        ]
        path = exp.Literal.string(source.path)
        node.set("this", exp.Anonymous(this=source.reader, expressions=[path, *options]))
        node.set("db", None)
        node.set("catalog", None)
        _unqualify(tree, schema)
        context.changed = True
    for dot in tree.find_all(exp.Dot):
        if isinstance(dot.expression, exp.Func) and catalog.attached(dot.this.name) is not None:
            raise _refused(dot.this.name, dot.expression.name, context)
    return tree


def _call(node: exp.Table, context: Context) -> None:
    """A call on another agent's file as a table of it, whose name is the call."""
    source: Any = context.catalog.attached(node.db)
    call, name = node.this, node.this.name
    function = functions().get(name.lower())
    if source.kind != "agent" or function is None or function.kind != "table":
        raise _refused(node.db, name, context)
    if call.find(exp.Column, exp.Placeholder, exp.Query) is not None:
        raise NotSupportedError(
            f"{source.name}.{name}() beside other databases takes constants alone",
            hint="Alone in its statement it takes parameters too.",
            sql=context.sql, position=context.position(name),
        )  # fmt: skip
    if not node.alias:
        node.set("alias", exp.TableAlias(this=exp.to_identifier(name)))
    text = call.sql("duckdb", normalize_functions=False)
    node.set("this", exp.to_identifier(text, quoted=True))
    context.changed = True


def _refused(alias: str, name: str, context: Context) -> NotSupportedError:
    return NotSupportedError(
        f"{alias}.{name}() cannot be called here",
        detail="a function of another agent's file runs in a statement that names that file alone, "
        "a table function with constants in any",
        sql=context.sql, position=context.position(name),
    )  # fmt: skip


def _unqualify(tree: exp.Expr, schema: str) -> None:
    """`sales.sales.id` is `sales.id`."""
    for column in tree.find_all(exp.Column):
        if schema and column.db.lower() == schema:
            column.set("db", None)


def _scan(node: exp.Table, context: Context) -> None:
    """A scan as a table of the file, under the name that the connection has for it."""
    given = node.this.expressions
    scanned = context.catalog.scanned
    if (
        scanned is None
        or len(given) != 2
        or not all(isinstance(g, exp.Literal) and g.is_string for g in given)
    ):
        return
    alias = scanned(given[0].name)
    if alias is None:
        return
    node.set("this", exp.to_identifier(given[1].name, quoted=True))
    node.set("db", exp.to_identifier(alias, quoted=True) if alias else None)
    context.changed = True
