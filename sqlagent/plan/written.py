"""Writes, definitions from a SELECT, COPY and DESCRIBE: what is not a read of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlagent.errors import NotSupportedError, ProgrammingError, nearest
from sqlagent.parse.lexer import quote, quote_name
from sqlagent.plan import alike
from sqlagent.plan.plans import Duck, Fill, Lite
from sqlagent.plan.say import say
from sqlagent.plan.sources import Sources
from sqlagent.rewrite.context import Context

if TYPE_CHECKING:
    from sqlagent.plan.route import Router

_INSTEAD = {"MERGE": "INSERT … ON CONFLICT … DO UPDATE does the same"}
_WRITES = "writes go to the file, by SQLite"


def written(router: Router, tree: exp.Expr, context: Context) -> Lite | Fill:
    """INSERT, UPDATE, DELETE and CREATE … AS."""
    if isinstance(tree, exp.Create):
        return _create(router, tree, context)
    if not isinstance(tree, (exp.Insert, exp.Update, exp.Delete)):
        word = router.tokens[0].upper
        raise NotSupportedError(
            f"{word} is not here", hint=_INSTEAD.get(word),
            sql=router.sql, position=router.tokens[0].start,
        )  # fmt: skip
    sources = Sources(tree, context, router.protected)
    context.names.read(tree)
    query = tree.args.get("expression")
    if isinstance(tree, exp.Insert) and isinstance(query, exp.Query):
        found = _insert_select(router, tree, query, context, sources)
        if found is not None:
            return found
    doubts = sources.not_sqlite + (
        [] if router.dialect == "sqlite" else alike.doubts(tree, context, True)
    )
    if isinstance(tree, exp.Delete) and tree.args.get("using"):
        doubts.append("DELETE … USING; say WHERE … IN (SELECT …)")
    if isinstance(tree, exp.Insert) and tree.args.get("by_name"):
        doubts.append("INSERT … BY NAME of values")
    if doubts:
        raise _refused(router, doubts[0])
    sources.check_columns()
    return _lite(router, tree, context, sources)


def _lite(
    router: Router, tree: exp.Expr, context: Context, sources: Sources, ddl: bool = False
) -> Lite:
    for node in tree.find_all(exp.OnConflict):
        for key in node.args.get("conflict_keys") or []:
            if isinstance(key, exp.Ordered):
                key.replace(key.this)  # sqlglot would say ON CONFLICT (a NULLS LAST)
    mine, said = router.passed(tree, context, "sqlite", writes=True)
    if mine.doubts and router.dialect != "sqlite":
        raise _refused(router, mine.doubts[0])
    if router.dialect == "sqlite" and not mine.changed:
        text, slots = router.verbatim("?")
    else:
        text, slots = say(said, "sqlite", router.numbering)
    return Lite(
        text, slots, writes=True, functions=bool(mine.functions), tables=tuple(sources.tables),
        ddl=ddl, why=_WRITES,
    )  # fmt: skip


def _refused(router: Router, reason: str) -> NotSupportedError:
    return NotSupportedError(
        f"a write runs on SQLite, which cannot say this: {reason}",
        hint="INSERT … SELECT reads with DuckDB and writes with SQLite",
        sql=router.sql, position=router.tokens[0].start,
    )  # fmt: skip


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
    read = router.read(query, inner)
    by_name = bool(tree.args.get("by_name"))
    if isinstance(read, Lite) and not by_name:
        return None
    if isinstance(read, Duck) and read.lite is not None and not read.files and not by_name:
        return None
    if tree.args.get("returning") is not None or not isinstance(read, Duck):
        raise _refused(router, "RETURNING of rows that DuckDB reads" if isinstance(read, Duck)
                       else "INSERT … BY NAME of what SQLite reads")  # fmt: skip
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    columns = [c.name for c in tree.this.expressions] if isinstance(tree.this, exp.Schema) else None
    if by_name:
        columns = [e.alias_or_name for e in query.expressions]
        if "" in columns or "*" in columns:
            raise _refused(router, "INSERT … BY NAME of unnamed columns")
    table = router.catalog.table(target.name)
    if columns is None:
        columns = [c.name for c in table.columns] if table is not None else []
    alternative = tree.args.get("alternative")
    verb = f"INSERT OR {alternative.upper()}" if alternative else "INSERT"
    names = ", ".join(quote_name(c) for c in columns)
    marks = ", ".join("?" for _ in columns)
    text = f"{verb} INTO {quote_name(target.name)} ({names}) VALUES ({marks})"
    conflict = tree.args.get("conflict")
    if conflict is not None:
        for key in conflict.args.get("conflict_keys") or []:
            if isinstance(key, exp.Ordered):
                key.replace(key.this)
        if conflict.find(exp.Placeholder) is not None:
            raise _refused(router, "ON CONFLICT with parameters over rows that DuckDB reads")
        text += " " + conflict.sql("sqlite")
    return Fill(read, text, table=target.name)


def _create(router: Router, tree: exp.Create, context: Context) -> Lite | Fill:
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
            raise _refused(router, "CREATE OR REPLACE TABLE from what only SQLite reads")
        text = f"CREATE {words} {quote_name(name)}{names} AS {read.sql}"
        return read._replace(sql=text, writes=True, ddl=True, types=None, why=_WRITES)
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
        raise _refused(router, mine.doubts[0])
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
        writes=True, tables=tuple(sources.tables), ddl=True, why=_WRITES,
    )  # fmt: skip


def described(router: Router, tree: exp.Expr) -> Lite | Duck:
    """`DESCRIBE t` and `SHOW t` from the catalog; SUMMARIZE is an analysis."""
    target = tree.this
    if isinstance(tree, exp.Describe) and isinstance(target, exp.Table):
        table = router.catalog.table(target.name)
        if table is None:
            raise ProgrammingError(
                f'unknown table "{target.name}"', hint=nearest(target.name, router.catalog.tables),
                sql=router.sql, position=router.tokens[-1].start, sqlstate="42P01",
            )  # fmt: skip
        return Lite(
            "SELECT name AS column_name, type AS column_type, "
            "CASE WHEN \"notnull\" THEN 'NO' ELSE 'YES' END AS \"null\", "
            "CASE WHEN pk THEN 'PRI' END AS \"key\", dflt_value AS \"default\" "
            f"FROM pragma_table_xinfo({quote(table.name)}) ORDER BY cid",
            tables=(table.name.lower(),), why="the file's own schema",
        )  # fmt: skip
    context = router.context()
    context.changed = True
    sources = Sources(tree, context, router.protected)
    if isinstance(target, exp.Literal):
        sources.guard.check(target.name)
    if sources.not_duckdb:
        raise router.impossible([], sources.not_duckdb)
    if any((t := router.catalog.table(n)) and t.kind == "view" for n in sources.tables):
        raise NotSupportedError(
            f"{router.tokens[0].upper} of a view is not here", hint="SUMMARIZE its tables",
            sql=router.sql, position=router.tokens[-1].start,
        )  # fmt: skip
    text, slots = router.verbatim()
    if isinstance(tree, exp.Show):
        raise NotSupportedError("SHOW of this is not here", sql=router.sql, position=0)
    return Duck(text, slots, tuple(sources.tables), router.files(sources), why="an analysis")


def copy_to(router: Router, tree: exp.Copy) -> Duck | Fill:
    """`COPY (SELECT …) TO 'file'` is DuckDB's; `COPY t FROM 'file'` fills a table of the file."""
    context = router.context()
    context.changed = True
    inner = tree.this
    files = tree.args.get("files") or []
    if len(files) != 1 or not isinstance(files[0], exp.Literal):
        raise NotSupportedError(
            "COPY needs a constant path", sql=router.sql, position=router.tokens[0].start
        )
    path = files[0].name
    if tree.args.get("kind"):
        return _copy_from(router, tree, path)
    if not isinstance(inner, exp.Subquery):
        inner = exp.Subquery(this=exp.select("*").from_(inner.copy()))
    query = inner.this
    from sqlagent.rewrite import COMMON

    for common in COMMON:
        query = common(query, context)
    sources = Sources(query, context, router.protected)
    sources.guard.refuse(path)
    context.names.read(query)
    if sources.not_duckdb:
        raise router.impossible([], sources.not_duckdb)
    duck = router.duck(query, context, sources, None)
    if duck is None:
        raise router.impossible([], ["it has what only SQLite says"])
    start = next(
        i for i in range(len(router.tokens) - 1, 0, -1)
        if router.tokens[i].kind == "string" and router.tokens[i - 1].upper == "TO"
    )  # fmt: skip
    rest = router.sql[router.tokens[start].start :].rstrip().rstrip(";")
    text = f"COPY ({duck.sql}) TO {rest}"
    return duck._replace(sql=text, why="DuckDB writes files")


def _copy_from(router: Router, tree: exp.Copy, path: str) -> Fill:
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    columns = [c.name for c in tree.this.expressions] if isinstance(tree.this, exp.Schema) else []
    if tree.args.get("params"):
        raise NotSupportedError(
            "COPY … FROM with options is not here",
            hint="INSERT INTO t SELECT * FROM read_csv('file', …)",
            sql=router.sql, position=router.tokens[0].start,
        )  # fmt: skip
    names = f" ({', '.join(quote_name(c) for c in columns)})" if columns else ""
    text = f"INSERT INTO {quote_name(target.name)}{names} SELECT * FROM {quote_name(path)}"
    from sqlagent.parse.lexer import lex
    from sqlagent.plan.route import Router

    settings = {"dialect": "duckdb", "route": "auto"}
    found = Router(text, lex(text), router.catalog, settings, router.protected).plan()
    if not isinstance(found, Fill):
        raise _refused(router, "COPY … FROM")
    return found
