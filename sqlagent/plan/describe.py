"""DESCRIBE, SHOW and SUMMARIZE: of a table, a query, a function's rows, or of all tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlagent.errors import NotSupportedError, ProgrammingError, nearest
from sqlagent.functions import functions
from sqlagent.parse.lexer import quote
from sqlagent.plan.plans import Duck, Lite
from sqlagent.plan.sources import Sources
from sqlagent.rewrite import COMMON

if TYPE_CHECKING:
    from sqlagent.catalog import Table
    from sqlagent.plan.route import Router

_NAMES = ("column_name", "column_type", "null", "key", "default", "extra")
_OWN = "the file's own schema"


def described(router: Router, tree: exp.Expr) -> Lite | Duck:
    """`DESCRIBE t` from the catalog; of a query by DuckDB; SUMMARIZE is an analysis."""
    target = tree.this
    if isinstance(tree, exp.Show):
        raise NotSupportedError("SHOW of this is not here", sql=router.sql, position=0)
    if isinstance(tree, exp.Describe) and isinstance(target, exp.Table):
        if isinstance(target.this, exp.Anonymous):
            return _function(router, target.this.name)
        return table(router, target.name)
    query = target
    if isinstance(target, exp.Table):
        query = exp.select("*").from_(target.copy())
    elif isinstance(target, exp.Subquery) and not target.alias:
        query = target.this
    context = router.context()
    context.changed = True
    if isinstance(target, exp.Literal):
        Sources(tree, context, router.protected).guard.check(target.name)
        query = exp.select("*").from_(exp.table_(exp.to_identifier(target.name, quoted=True)))
    for common in COMMON:
        query = common(query, context)
    sources = Sources(query, context, router.protected)
    context.names.read(query)
    sources.check_columns()
    if sources.not_duckdb:
        raise router.impossible([], sources.not_duckdb)
    duck = router.duck(query, context, sources, None)
    if duck is None:
        raise router.impossible([], router.unsaid)
    word = "SUMMARIZE" if isinstance(tree, exp.Summarize) else "DESCRIBE"
    return duck._replace(sql=f"{word} {duck.sql}", why="an analysis")


def table(router: Router, name: str) -> Lite:
    """The columns of a table or view of the file, or of a table function of ours."""
    found = router.catalog.table(name)
    if found is None:
        return _function(router, name)
    if found.kind == "virtual":
        return _columns([(c.name, c.type) for c in found.columns])
    if found.kind not in ("table", "view"):
        return _defined(found)
    return Lite(_declared(found), tables=(found.name.lower(),), why=_OWN)


def _function(router: Router, name: str) -> Lite:
    """The columns of a table function of ours."""
    function = functions().get(name.lower())
    if function is None or function.kind != "table":
        known = [*router.catalog.tables, *(f.name for f in functions().values())]
        raise ProgrammingError(
            f'unknown table "{name}"', hint=nearest(name, known), sql=router.sql,
            position=next((t.start for t in router.tokens if t.name == name), None),
            sqlstate="42P01",
        )  # fmt: skip
    return _columns(function.columns)


def _columns(columns: object) -> Lite:
    """Names and types as rows."""
    rows = " UNION ALL ".join(
        f"SELECT {quote(name)} AS column_name, {quote(kind or 'ANY')} AS column_type, "
        '\'YES\' AS "null", NULL AS "key", NULL AS "default", NULL AS extra'
        for name, kind in columns  # type: ignore[attr-defined]  # pairs of texts
    )
    return Lite(rows, types=("VARCHAR",) * 6, why=_OWN)


def _declared(found: Table) -> str:
    """SQLite's own schema of a table, with the logical types that every route returns."""
    cases = " ".join(
        f"WHEN {quote(c.name)} THEN {quote(c.type)}" for c in found.columns if c.type is not None
    )
    kind = f"CASE name {cases} ELSE type END" if cases else "type"
    return (
        f"SELECT name AS column_name, {kind} AS column_type, "
        "CASE WHEN \"notnull\" OR pk THEN 'NO' ELSE 'YES' END AS \"null\", "
        'CASE WHEN pk THEN \'PRI\' END AS "key", dflt_value AS "default", NULL AS extra '
        f"FROM pragma_table_xinfo({quote(found.name)}) ORDER BY cid"
    )


def all_tables(router: Router) -> Lite:
    """`DESCRIBE` and `SHOW ALL TABLES`: each table with its columns and their types, as lists."""
    from json import dumps

    rows = " UNION ALL ".join(
        f"SELECT 'agent' AS database, 'main' AS schema, {quote(t.name)} AS name, "
        f"{quote(dumps([c.name for c in t.columns], ensure_ascii=False))} AS column_names, "
        f"{quote(dumps([c.type or 'ANY' for c in t.columns]))} AS column_types"
        for t in sorted(router.catalog.tables.values(), key=lambda t: t.name)
    )
    return Lite(rows, types=("VARCHAR",) * 3 + ("JSON",) * 2, why=_OWN)


def _defined(found: Table) -> Lite:
    """What SQLite does not have: its columns are in the catalog."""
    rows = " UNION ALL ".join(
        f"SELECT {quote(c.name)} AS column_name, {quote(c.type or 'ANY')} AS column_type, "
        f'{quote("NO" if c.not_null else "YES")} AS "null", NULL AS "key", '
        'NULL AS "default", NULL AS extra'
        for c in found.columns
    )
    return Lite(rows, types=("VARCHAR",) * 6, why="its definition")
