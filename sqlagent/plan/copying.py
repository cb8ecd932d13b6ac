"""COPY: rows of a SELECT into a file, and of a file into a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlagent.errors import NotSupportedError
from sqlagent.parse.lexer import lex, quote_name
from sqlagent.plan.plans import ColumnsWrite, Duck, Fill
from sqlagent.plan.refusals import refused
from sqlagent.plan.sources import Sources
from sqlagent.rewrite import COMMON

if TYPE_CHECKING:
    from sqlagent.plan.route import Router


def copy_to(router: Router, tree: exp.Copy) -> Duck | Fill | ColumnsWrite:
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
    for common in COMMON:
        query = common(query, context)
    sources = Sources(query, context, router.protected)
    sources.guard.refuse(path)
    context.names.read(query)
    if sources.not_duckdb:
        raise router.impossible([], sources.not_duckdb)
    duck = router.duck(query, context, sources, None)
    if duck is None:
        raise router.impossible([], router.unsaid)
    start = next(
        i for i in range(len(router.tokens) - 1, 0, -1)
        if router.tokens[i].kind == "string" and router.tokens[i - 1].upper == "TO"
    )  # fmt: skip
    rest = router.sql[router.tokens[start].start :].rstrip().rstrip(";")
    text = f"COPY ({duck.sql}) TO {rest}"
    return duck._replace(sql=text, why="DuckDB writes files")


def _copy_from(router: Router, tree: exp.Copy, path: str) -> Fill | ColumnsWrite:
    """COPY … FROM is an INSERT of the rows of a file."""
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
    from sqlagent.plan.route import Router  # which imports this module

    settings = {"dialect": "duckdb", "route": "auto"}
    found = Router(text, lex(text), router.catalog, settings, router.protected).plan()
    if not isinstance(found, Fill | ColumnsWrite):
        raise refused(router, "COPY … FROM")
    return found
