"""RETURNING of a write whose rows DuckDB reads: what SQLite gives back of each row written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlagent.plan import alike
from sqlagent.plan.plans import Lite
from sqlagent.plan.refusals import WRITES, refused
from sqlagent.plan.say import say
from sqlagent.plan.sources import Sources

if TYPE_CHECKING:
    from sqlagent.plan.route import Router


def unqualified(tree: exp.Expr, target: exp.Expr) -> None:
    """RETURNING's columns without the alias of the written table, which SQLite does not know there;
    changed in place."""
    returning = tree.args.get("returning")
    if returning is None or not target.alias:
        return
    for column in returning.find_all(exp.Column):
        if column.table.lower() == target.alias.lower() and not column.args.get("db"):
            column.set("table", None)


def returned(router: Router, tree: exp.Expr, target: exp.Table, write: str) -> Lite | None:
    """`write`, a statement that writes one row of `target`, with the RETURNING of `tree`; None
    where it has none.

    The expressions are of the written row alone, as SQLite has it: what is said of another table
    is refused.
    """
    returning = tree.args.get("returning")
    if returning is None:
        return None
    own = {target.name.lower(), target.alias_or_name.lower()}
    given = [e.copy() for e in returning.expressions]
    for column in (c for e in given for c in e.find_all(exp.Column)):
        if column.table and column.table.lower() not in own:
            raise refused(router, "RETURNING of another table's columns, of rows that DuckDB reads")
        column.set("table", None)
    plain = exp.Table(this=target.this.copy())
    select = exp.select(*given).from_(plain)
    context = router.context()
    sources = Sources(select, context, router.protected)
    context.names.read(select)
    sources.check_columns()
    doubts = sources.not_sqlite + (
        [] if router.dialect == "sqlite" else alike.doubts(select, context, True)
    )
    mine, said = router.passed(select, context, "sqlite")
    doubts += mine.doubts
    if doubts:
        raise refused(router, doubts[0])
    said = exp.Tuple(expressions=[e.copy() for e in said.expressions])
    text, slots = say(said, "sqlite", router.numbering)
    if slots:
        raise refused(router, "parameters in RETURNING of rows that DuckDB reads")
    return Lite(
        f"{write} RETURNING {text[1:-1]}", None, writes=True, functions=bool(mine.functions),
        tables=(target.name,), why=WRITES,
    )  # fmt: skip
