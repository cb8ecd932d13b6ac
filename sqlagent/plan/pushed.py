"""A condition on one table in the words of the engine that has the table, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlglot import exp

from sqlagent.catalog import Table
from sqlagent.plan import alike
from sqlagent.rewrite.times import COMPARISONS, operands

if TYPE_CHECKING:
    from sqlagent.plan.route import Router

# What its value depends on changes between the two readings of a statement.
_VOLATILE = (exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.Rand)
_VALUES = {"BIGINT": "number", "DOUBLE": "number", "VARCHAR": "text"}
_SIMPLE = (
    exp.Column, exp.Identifier, exp.Literal, exp.Paren, exp.And, exp.Or, exp.Not, exp.Is, exp.Null,
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between, exp.Neg,
)  # fmt: skip


class Pushed(NamedTuple):
    """`node` says it; `expects` has, for the place of each parameter, what its value must be."""

    node: exp.Expr
    expects: dict[int, str]


def pushed(router: Router, table: str, condition: exp.Expr) -> Pushed | None:
    """A condition on `table`, a feed, as SQLite says it exactly alike; None where it does not."""
    known = router.catalog.tables[table]
    expects = _expected(condition, known)
    if expects is None or condition.find(exp.Anonymous, *_VOLATILE) is not None:
        return None
    select = exp.select("1").from_(exp.Table(this=exp.to_identifier(table, quoted=True)))
    select = select.where(_bare(condition))
    context = router.context()
    context.names.read(select)
    if any(_type(c, known) is None for c in select.find_all(exp.Column)):
        return None
    if alike.doubts(select, context, False):
        return None
    mine, said = router.passed(select, context, "sqlite")
    where = said.args.get("where")
    if mine.doubts or mine.checked or mine.functions or where is None:
        return None
    return Pushed(_binary(where.this, known), expects)


def simple(condition: exp.Expr) -> Pushed | None:
    """A condition of plain comparisons with literals, which any engine says alike."""
    if any(not isinstance(node, _SIMPLE) for node in condition.walk()):
        return None
    return Pushed(_bare(condition), {})


def _bare(condition: exp.Expr) -> exp.Expr:
    """A copy whose columns have no table's name before them."""
    copied = condition.copy()
    for column in copied.find_all(exp.Column):
        column.set("table", None)
    return copied


def _type(column: exp.Column, table: Table) -> str | None:
    found = table.column(column.name)
    return found.type if found is not None else None


def _expected(condition: exp.Expr, table: Table) -> dict[int, str] | None:
    """What each parameter must be for both engines to compare alike; None where none is sure."""
    found: dict[int, str] = {}
    for node in condition.find_all(exp.Placeholder):
        parent = node.parent
        if not isinstance(parent, (*COMPARISONS, exp.Between, exp.In)):
            return None
        columns = [s for s in operands(parent) if isinstance(s, exp.Column)]
        kinds = {_VALUES.get(_type(c, table) or "") for c in columns}
        kind = kinds.pop() if len(kinds) == 1 else None
        if kind is None or found.setdefault(int(node.name[1:]), kind) != kind:
            return None
    return found


def _binary(condition: exp.Expr, table: Table) -> exp.Expr:
    """Compare texts by their bytes, as DuckDB does, whatever collation the column declares.

    A wider equality at the top leaves in more rows, which does no harm, and its index serves it.
    """
    top = isinstance(condition, (exp.EQ, exp.In))
    for column in list(condition.find_all(exp.Column)):
        parent = column.parent
        if _type(column, table) != "VARCHAR" or (top and parent is condition):
            continue
        if isinstance(parent, (*COMPARISONS, exp.Between, exp.In)):
            column.replace(exp.Collate(this=column.copy(), expression=exp.var("BINARY")))
    return condition
