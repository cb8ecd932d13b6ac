"""DESCRIBE, SHOW and SUMMARIZE of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlagent.errors import NotSupportedError, ProgrammingError, nearest
from sqlagent.parse.lexer import quote
from sqlagent.plan.plans import Duck, Lite
from sqlagent.plan.sources import Sources
from sqlagent.rewrite.expand import expand

if TYPE_CHECKING:
    from sqlagent.catalog import Table
    from sqlagent.plan.route import Router


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
        if table.kind not in ("table", "view", "virtual"):
            return _defined(table)
        return Lite(
            "SELECT name AS column_name, type AS column_type, "
            "CASE WHEN \"notnull\" THEN 'NO' ELSE 'YES' END AS \"null\", "
            "CASE WHEN pk THEN 'PRI' END AS \"key\", dflt_value AS \"default\" "
            f"FROM pragma_table_xinfo({quote(table.name)}) ORDER BY cid",
            tables=(table.name.lower(),), why="the file's own schema",
        )  # fmt: skip
    context = router.context()
    context.changed = True
    before = len(context.expanded)
    tree = expand(tree, context)
    expanded = len(context.expanded) > before
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
    if expanded:
        context.names.read(tree)
        duck = router.duck(tree.this.this, context, sources, None)
        if duck is None:
            raise router.impossible([], router.unsaid)
        return duck._replace(sql=f"SUMMARIZE {duck.sql}", why="an analysis")
    if isinstance(tree, exp.Show):
        raise NotSupportedError("SHOW of this is not here", sql=router.sql, position=0)
    return Duck(text, slots, tuple(sources.tables), router.files(sources), why="an analysis")


def _defined(table: Table) -> Lite:
    """DESCRIBE of what SQLite does not have: its columns are in the catalog."""
    rows = " UNION ALL ".join(
        f"SELECT {quote(c.name)}, {quote(c.type or 'VARCHAR')}, "
        f"{quote('NO' if c.not_null else 'YES')}, NULL, NULL"
        for c in table.columns
    )
    names = 'column_name, column_type, "null", "key", "default"'
    return Lite(f"WITH shown ({names}) AS ({rows}) SELECT {names} FROM shown", why="its definition")
