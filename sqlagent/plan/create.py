"""CREATE TABLE … AS: a table that is made from a SELECT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlagent.errors import NotSupportedError
from sqlagent.parse.lexer import quote_name
from sqlagent.plan.plans import ColumnsWrite, Define, Duck, Fill, Lite
from sqlagent.plan.refusals import WRITES, refused
from sqlagent.plan.view import view
from sqlagent.rewrite.context import Context

if TYPE_CHECKING:
    from sqlagent.plan.route import Router


def created(
    router: Router, tree: exp.Create, context: Context
) -> Lite | Fill | Define | ColumnsWrite:
    """CREATE … AS: a table is filled, a view kept as text."""
    kind = str(tree.args.get("kind") or "").upper()
    query = tree.expression
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    replace = bool(tree.args.get("replace"))
    if kind == "TABLE" and router.columnar:
        from sqlagent.plan.columns import created_columns

        return created_columns(router, tree, context)
    if kind == "VIEW":
        return view(router, tree, context)
    if kind != "TABLE" or query is None:
        raise NotSupportedError(
            f"CREATE {kind} is not here", sql=router.sql, position=router.tokens[0].start
        )
    inner = router.context()
    inner.changed = True
    inner.functions = set(context.functions)
    read = _typed(router, query, inner)
    name = target.name
    exists = router.catalog.table(name) is not None
    if tree.args.get("exists") and exists:
        return Lite("SELECT 1 WHERE false", why=f'the table "{name}" exists')
    columns = [c.name for c in tree.this.expressions] if isinstance(tree.this, exp.Schema) else []
    names = f" ({', '.join(quote_name(c) for c in columns)})" if columns else ""
    if isinstance(read, Lite):
        if replace and exists:
            raise refused(router, "CREATE OR REPLACE TABLE from what only SQLite reads")
        text = f"CREATE TABLE {quote_name(name)}{names} AS {read.sql}"
        return read._replace(sql=text, writes=True, ddl=True, types=None, why=WRITES)
    create = f"CREATE TABLE {quote_name(name)}{names}"
    return Fill(read, f"INSERT INTO {quote_name(name)}", create, replace, name)


def _typed(router: Router, query: exp.Expr, context: Context) -> Lite | Duck:
    """The read that fills a new table: DuckDB's where it can be, since SQLite loses the types."""
    wanted = router.wanted
    if wanted != "auto" or router.dialect == "sqlite":
        return router.read(query.copy(), context)
    router.wanted = "duckdb"
    try:
        found = router.read(query.copy(), context)
        return found._replace(why="a new table takes the types of the SELECT's columns")
    except NotSupportedError:
        router.wanted = wanted
        return router.read(query.copy(), context)
    finally:
        router.wanted = wanted
