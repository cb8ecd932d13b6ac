"""CREATE TABLE … AS and CREATE VIEW: definitions that are made from a SELECT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.parse.lexer import quote_name
from sqlagent.plan import alike
from sqlagent.plan.plans import Duck, Fill, Lite
from sqlagent.plan.refusals import WRITES, refused
from sqlagent.plan.say import say
from sqlagent.plan.sources import Sources
from sqlagent.rewrite.context import Context

if TYPE_CHECKING:
    from sqlagent.plan.route import Router


def created(router: Router, tree: exp.Create, context: Context) -> Lite | Fill:
    """CREATE … AS: a table is filled, a view kept as text."""
    kind = str(tree.args.get("kind") or "").upper()
    query = tree.expression
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    replace = bool(tree.args.get("replace"))
    if kind == "TABLE" and query is None and replace:
        raise NotSupportedError(
            "CREATE OR REPLACE TABLE needs AS SELECT",
            hint="DROP TABLE IF EXISTS, then CREATE TABLE",
            sql=router.sql, position=router.tokens[0].start,
        )  # fmt: skip
    if kind == "VIEW":
        return _view(router, tree, context)
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
    words = "TEMP TABLE" if _temporary(tree) else "TABLE"
    if isinstance(read, Lite):
        if replace and exists:
            raise refused(router, "CREATE OR REPLACE TABLE from what only SQLite reads")
        text = f"CREATE {words} {quote_name(name)}{names} AS {read.sql}"
        return read._replace(sql=text, writes=True, ddl=True, types=None, why=WRITES)
    create = f"CREATE {words} {quote_name(name)}{names}"
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


def _temporary(tree: exp.Create) -> bool:
    """Whether it is of this connection alone."""
    properties = tree.args.get("properties")
    return properties is not None and properties.find(exp.TemporaryProperty) is not None


def _view(router: Router, tree: exp.Create, context: Context) -> Lite:
    """A view is kept in the file, for every client: SQLite must be able to say its SELECT."""
    query = tree.expression
    if query is None:
        raise ProgrammingError(
            "expected AS SELECT", sql=router.sql, position=router.tokens[0].start
        )
    sources = Sources(query, context, router.protected)
    context.names.read(query)
    doubts = list(sources.not_sqlite)
    if router.dialect != "sqlite":
        doubts += alike.doubts(query, context, True)
    if context.functions:
        doubts.append(f"{sorted(context.functions)[0]}() is not known to other clients of the file")
    if tree.find(exp.Placeholder) is not None:
        doubts.append("a parameter in a definition")
    if doubts:
        raise NotSupportedError(
            f"a view is kept in the file, so SQLite must be able to say it: {doubts[0]}",
            sql=router.sql, position=router.tokens[0].start,
        )  # fmt: skip
    mine, said = router.passed(query, context, "sqlite", writes=True)
    if mine.doubts:
        raise refused(router, mine.doubts[0])
    text, _ = say(said, "sqlite", router.numbering)
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    columns = [c.name for c in tree.this.expressions] if isinstance(tree.this, exp.Schema) else []
    names = f" ({', '.join(quote_name(c) for c in columns)})" if columns else ""
    words = "TEMP VIEW" if _temporary(tree) else "VIEW"
    exists = "IF NOT EXISTS " if tree.args.get("exists") else ""
    if tree.args.get("replace") and router.catalog.table(target.name) is not None:
        raise NotSupportedError(
            f'the view "{target.name}" exists', hint=f"DROP VIEW {target.name}, then CREATE VIEW",
            sql=router.sql, position=router.tokens[0].start,
        )  # fmt: skip
    return Lite(
        f"CREATE {words} {exists}{quote_name(target.name)}{names} AS {text}",
        writes=True, tables=tuple(sources.tables), ddl=True, why=WRITES,
        native=router.dialect == "sqlite",
    )  # fmt: skip
