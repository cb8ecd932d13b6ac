"""CREATE VIEW: SQLite's own where SQLite says it exactly, so that any client reads it; else a
definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlagent.catalog import Column, Definition
from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.parse.lexer import quote_name
from sqlagent.plan import alike
from sqlagent.plan.checks import cycle, writes
from sqlagent.plan.plans import Define, Duck, Lite
from sqlagent.plan.refusals import WRITES
from sqlagent.plan.say import say
from sqlagent.plan.sources import Sources
from sqlagent.rewrite.context import Context

if TYPE_CHECKING:
    from sqlagent.plan.route import Router


def view(router: Router, tree: exp.Create, context: Context) -> Lite | Define:
    """The plan of CREATE [OR REPLACE] [TEMP] VIEW."""
    query = tree.expression
    start = router.tokens[0].start
    if query is None:
        raise ProgrammingError("expected AS SELECT", sql=router.sql, position=start)
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    name = target.name
    columns = [c.name for c in tree.this.expressions] if isinstance(tree.this, exp.Schema) else []
    properties = tree.args.get("properties")
    temporary = properties is not None and properties.find(exp.TemporaryProperty) is not None
    table = router.catalog.tables.get(name.lower())
    replace = bool(tree.args.get("replace"))
    if table is not None and not temporary:
        if table.kind not in ("view", "query"):
            raise _exists(router, name, "table", None)
        if tree.args.get("exists"):
            return Lite("SELECT 1 WHERE false", why=f'the view "{name}" exists')
        if not replace:
            hint = f"CREATE OR REPLACE VIEW {name} replaces it"
            raise _exists(router, name, "view", hint)
    _check(router, query, name, context)
    doubts = _doubts(router, query, context)
    native = None
    if not doubts and not temporary and not context.expanded:
        native = _native(router, query, name, columns, context)
    if native is not None and table is None:
        return native
    drop = ((name, ("view",)),) if table is not None and table.kind == "query" else ()
    run = [f"DROP VIEW {quote_name(table.name)}"] if table and table.kind == "view" else []
    if temporary:
        drop, run = (), []
    if native is not None:
        return Define((), drop, (*run, native.sql), why=WRITES)
    sources = Sources(query, router.context(), router.protected)
    probe = _probe(router, query, sources)
    definition = Definition(
        name, "view", router.sql.strip().rstrip(";"), router.dialect, 0,
        tuple(Column(c, None) for c in columns),
    )  # fmt: skip
    return Define((definition,), drop, tuple(run), probe, temporary, replace)


def _exists(router: Router, name: str, what: str, hint: str | None) -> ProgrammingError:
    at = next((t.start for t in router.tokens if t.name.lower() == name.lower()), 0)
    return ProgrammingError(
        f'the {what} "{name}" exists', hint=hint, sql=router.sql, position=at, sqlstate="42P07"
    )


def _check(router: Router, query: exp.Expr, name: str, context: Context) -> None:
    """Raise for what no view can be: a write, a parameter, a circle."""
    start = router.tokens[0].start
    written = writes(query)
    if written is not None:
        raise NotSupportedError(
            f"{written}() writes, and a view only reads",
            sql=router.sql, position=context.position(written),
        )  # fmt: skip
    if query.find(exp.Placeholder) is not None:
        raise ProgrammingError(
            "a view is kept in the file: it cannot have a parameter of the statement",
            sql=router.sql, position=start, sqlstate="42P02",
        )  # fmt: skip
    if name.lower() in context.expanded:
        raise ProgrammingError(
            f'"{name}" would be defined by itself', sql=router.sql,
            position=context.position(name), sqlstate="42P19",
        )  # fmt: skip
    ctes = {c.alias_or_name.lower() for c in query.find_all(exp.CTE)}
    named = query.copy()
    for node in list(named.find_all(exp.Table)):
        if node.name.lower() in ctes and not node.db:
            node.set("this", exp.to_identifier("cte"))
    cycle(router.sql, name.lower(), named, router.catalog, start)


def _doubts(router: Router, query: exp.Expr, context: Context) -> list[str]:
    """Why SQLite cannot keep it, or another client of the file could not read it."""
    sources = Sources(query, context, router.protected)
    context.names.read(query)
    doubts = list(sources.not_sqlite)
    if router.dialect != "sqlite":
        doubts += alike.doubts(query, context, True)
    if context.functions:
        doubts.append(f"{sorted(context.functions)[0]}() is not known to other clients of the file")
    kinds = [t.kind for n in sources.tables if (t := router.catalog.table(n)) is not None]
    if "columns" in kinds or "materialized" in kinds:
        doubts.append("a table that is kept as columns")
    return doubts


def _native(
    router: Router, query: exp.Expr, name: str, columns: list[str], context: Context
) -> Lite | None:
    """SQLite's CREATE VIEW; None where a pass found what it cannot say."""
    mine, said = router.passed(query, context, "sqlite", writes=True)
    if mine.doubts:
        return None
    text, _ = say(said, "sqlite", router.numbering)
    names = f" ({', '.join(quote_name(c) for c in columns)})" if columns else ""
    sources = Sources(query, router.context(), router.protected)
    return Lite(
        f"CREATE VIEW {quote_name(name)}{names} AS {text}",
        writes=True, tables=tuple(sources.tables), ddl=True, why=WRITES,
    )  # fmt: skip


def _probe(router: Router, query: exp.Expr, sources: Sources) -> Lite | Duck:
    """The view without its rows: it must run, on one engine at least."""
    for node in query.find_all(exp.Table):
        if node.db and node.db.lower() not in ("main", "public", "information_schema"):
            raise NotSupportedError(
                f"a view is kept in the file, which {node.db}.{node.name} is not in",
                hint="CREATE TEMP VIEW is of this connection alone",
                sql=router.sql, position=router.tokens[0].start,
            )  # fmt: skip
    inner = exp.Subquery(this=query.copy(), alias=exp.TableAlias(this=exp.to_identifier("probe")))
    outer = exp.select("*").from_(inner).limit(0)
    wanted, own, router.wanted, router.own = router.wanted, router.own, "auto", False
    try:
        context = router.context()
        context.changed = True
        return router.read(outer, context)
    finally:
        router.wanted, router.own = wanted, own
