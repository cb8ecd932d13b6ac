"""COPY … TO: rows of a SELECT into a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlagent.errors import NotSupportedError
from sqlagent.plan.plans import Duck
from sqlagent.plan.refusals import refused
from sqlagent.plan.sources import Sources
from sqlagent.rewrite import COMMON

if TYPE_CHECKING:
    from sqlagent.plan.route import Router


def copy_to(router: Router, tree: exp.Copy) -> Duck:
    """`COPY (SELECT …) TO 'file'` is DuckDB's."""
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
        raise refused(router, "COPY into what is no table of the file")
    if isinstance(inner, exp.Schema):  # COPY t (a, b) TO
        inner = exp.Subquery(this=exp.select(*inner.expressions).from_(inner.this.copy()))
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
