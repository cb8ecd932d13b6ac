"""INSERT, UPDATE and DELETE: writes run on SQLite, over rows that DuckDB reads where it must."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlagent.errors import NotSupportedError
from sqlagent.functions import functions
from sqlagent.parse.lexer import quote_name
from sqlagent.plan import alike
from sqlagent.plan.changes import by_key, using
from sqlagent.plan.create import created
from sqlagent.plan.plans import ColumnsWrite, Define, Duck, Fill, Lite, Merge
from sqlagent.plan.refusals import WRITES, refused
from sqlagent.plan.returning import returned, unqualified
from sqlagent.plan.say import say
from sqlagent.plan.sources import Sources
from sqlagent.plan.storing import stores
from sqlagent.rewrite.context import Context

if TYPE_CHECKING:
    from sqlagent.plan.route import Router


def written(
    router: Router, tree: exp.Expr, context: Context
) -> Lite | Fill | Define | ColumnsWrite | Merge:
    """INSERT, UPDATE, DELETE and CREATE … AS."""
    if isinstance(tree, exp.Create):
        return created(router, tree, context)
    if isinstance(tree, exp.Alter):
        from sqlagent.plan.columns import altered

        return altered(router, tree)
    if not isinstance(tree, (exp.Insert, exp.Update, exp.Delete, exp.Merge)):
        word = router.tokens[0].upper
        raise NotSupportedError(
            f"{word} is not here",
            sql=router.sql, position=router.tokens[0].start,
        )  # fmt: skip
    if isinstance(tree, exp.Delete):
        using(tree)
    goal = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    unqualified(tree, goal)
    table = router.catalog.table(goal.name)
    if table is not None and table.kind == "columns":
        from sqlagent.plan.columns import written_columns

        return written_columns(router, tree, context)
    if isinstance(tree, exp.Merge):
        from sqlagent.plan.merge import merged

        return merged(router, tree, context)
    sources = Sources(tree, context, router.protected)
    context.names.read(tree)
    query = tree.args.get("expression")
    if isinstance(tree, exp.Insert) and isinstance(query, exp.Query):
        found = _insert_select(router, tree, query, context, sources)
        if found is not None:
            return found
    into = stores(router, tree)
    doubts = sources.not_sqlite + (
        [] if router.dialect == "sqlite" else alike.doubts(tree, context, True)
    )
    if isinstance(tree, exp.Insert) and tree.args.get("by_name"):
        doubts.append("INSERT … BY NAME of values")
    sources.check_columns()
    if doubts:
        return _changed(router, tree, doubts)
    mine, _ = router.passed(tree, context, "sqlite", writes=True)
    if mine.doubts and router.dialect != "sqlite":
        return _changed(router, tree, mine.doubts)
    return _lite(router, tree, context, sources)._replace(stores=into)


def _changed(router: Router, tree: exp.Expr, doubts: list[str]) -> Fill:
    """An UPDATE or DELETE over rows that DuckDB finds."""
    found: Fill | Lite | None = None
    values = tree.args.get("expression")
    try:
        if router.wanted == "sqlite":
            found = None
        elif isinstance(tree, exp.Insert) and isinstance(values, exp.Values):
            query = exp.select("*").from_(exp.alias_(values.copy(), "given", table=True))
            context = router.context()
            sources = Sources(tree, context, router.protected)
            found = _insert_select(router, tree, query, context, sources)
        elif isinstance(tree, (exp.Update, exp.Delete)):
            found = by_key(router, tree)
    except NotSupportedError:
        found = None
    if not isinstance(found, Fill):
        raise refused(router, doubts[0])
    return found


def _lite(
    router: Router, tree: exp.Expr, context: Context, sources: Sources, ddl: bool = False
) -> Lite:
    """A write as SQLite's text."""
    for node in tree.find_all(exp.OnConflict):
        for key in node.args.get("conflict_keys") or []:
            if isinstance(key, exp.Ordered):
                key.replace(key.this)  # sqlglot would say ON CONFLICT (a NULLS LAST)
    mine, said = router.passed(tree, context, "sqlite", writes=True)
    if mine.doubts and router.dialect != "sqlite":
        raise refused(router, mine.doubts[0])
    if router.dialect == "sqlite" and not mine.changed:
        text, slots = router.verbatim("?")
    else:
        text, slots = say(said, "sqlite", router.numbering)
    return Lite(
        text, slots, writes=True, functions=bool(mine.functions), tables=tuple(sources.tables),
        ddl=ddl, why=WRITES, native=router.dialect == "sqlite", defined=bool(context.expanded),
    )  # fmt: skip


def _drawn(router: Router, query: exp.Expr) -> list[str]:
    """The calls of sequences at the end of a SELECT's outputs, as SQLite says them: what they give
    is put in where the rows are written."""
    found: list[str] = []
    if not router.within_writes or not isinstance(query, exp.Select):
        return found
    known = functions()
    for output in reversed(query.expressions):
        call = output.this if isinstance(output, exp.Alias) else output
        function = known.get(call.name.lower()) if isinstance(call, exp.Anonymous) else None
        constant = all(isinstance(e, exp.Literal) for e in getattr(call, "expressions", ()))
        if function is None or not function.within_writes or not constant:
            break
        found.insert(0, call.sql("sqlite"))
    return found if len(found) < len(query.expressions) else []


def _insert_select(
    router: Router, tree: exp.Insert, query: exp.Expr, context: Context, sources: Sources
) -> Fill | None:
    """INSERT … SELECT whose rows DuckDB has to read; None where SQLite does it all."""
    query = query.copy()
    moved = tree.args.get("with_")
    if moved is not None:
        query.set("with_", moved.copy())
    inner = router.context()
    inner.functions = set(context.functions)
    inner.changed = True
    drawn = _drawn(router, query)
    try:
        read = router.read(query, inner)
    except NotSupportedError:
        if not drawn:
            raise
        router.wanted = router.asked  # the rows without their numbers
        query.set("expressions", query.expressions[: -len(drawn)])
        read = router.read(query, inner)
    else:
        drawn = []
    by_name = bool(tree.args.get("by_name"))
    if by_name and not isinstance(read, Duck):
        given = [e.alias_or_name for e in query.expressions]
        if isinstance(tree.this, exp.Table) and "" not in given and "*" not in given:
            named = [exp.to_identifier(n, quoted=True) for n in given]
            tree.set("this", exp.Schema(this=tree.this.copy(), expressions=named))
            tree.set("by_name", False)
            context.changed = True
            return None
    if isinstance(read, Lite) and not by_name:
        return None
    if isinstance(read, Duck) and read.lite is not None and not read.files and not by_name:
        return None
    if not isinstance(read, Duck):
        raise refused(router, "INSERT … BY NAME of what SQLite reads")
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    columns = [c.name for c in tree.this.expressions] if isinstance(tree.this, exp.Schema) else None
    if by_name:
        columns = [e.alias_or_name for e in query.expressions]
        if "" in columns or "*" in columns:
            raise refused(router, "INSERT … BY NAME of unnamed columns")
    table = router.catalog.table(target.name)
    if columns is None:
        columns = [c.name for c in table.columns] if table is not None else []
    alternative = tree.args.get("alternative")
    verb = f"INSERT OR {alternative.upper()}" if alternative else "INSERT"
    names = ", ".join(quote_name(c) for c in columns)
    marks = ", ".join(["?"] * (len(columns) - len(drawn)) + drawn)
    text = f"{verb} INTO {quote_name(target.name)} ({names}) VALUES ({marks})"
    conflict = tree.args.get("conflict")
    if conflict is not None:
        for key in conflict.args.get("conflict_keys") or []:
            if isinstance(key, exp.Ordered):
                key.replace(key.this)
        if conflict.find(exp.Placeholder) is not None:
            raise refused(router, "ON CONFLICT with parameters over rows that DuckDB reads")
        text += " " + conflict.sql("sqlite")
    returning = returned(router, tree, target, text)
    if returning is not None and drawn:
        returning = returning._replace(functions=True)
    return Fill(read, text, table=target.name, returning=returning, functions=bool(drawn))
