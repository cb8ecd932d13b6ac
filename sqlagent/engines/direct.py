"""A read's text over the copies themselves instead of the views that bear the tables' names.

DuckDB runs what a statement and its subquery have in common once (its common subplans), but takes
two reads of a view for different ones once each needs other columns of it. So where a statement
reads a table twice, each name gives way to the copy, with the name as its alias, unless the rowid
that the copy holds and the view hides could come to light. (sqlglot is imported on first use.)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlglot import exp

    from sqlagent.plan.plans import Duck
    from sqlagent.sync.delta import Replica

KEPT = 256  # texts
LENGTH_MAX = 20_000  # characters
FIRST = 2  # runs of a text before it is parsed again: what runs once is not worth it
# What may name columns without saying so, or reads a table in a way of its own.
ODD = ("Columns", "Describe", "Pivot", "Show", "Summarize", "TableSample")
Pieces = tuple[str, ...]  # text, table, text, …, text


class Direct:
    """The texts of one instance. Safe for threads: two may only do the same work twice."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, int | Pieces | None] = OrderedDict()  # int: runs so far

    def text(self, plan: Duck, replicas: Mapping[str, Replica]) -> str | None:
        """The plan's statement over copies; None where it should run as it is."""
        if plan.functions or plan.views or plan.files or len(plan.sql) > LENGTH_MAX:
            return None
        known = self._texts.get(plan.sql, 0)
        if isinstance(known, int):
            known = known + 1 if known + 1 < FIRST else pieces(plan.sql, plan.tables)
            self._texts[plan.sql] = known
            while len(self._texts) > KEPT:
                self._texts.popitem(last=False)
        if known is None or isinstance(known, int):
            return None
        found = [known[0]]
        for table, after in zip(known[1::2], known[2::2], strict=True):
            replica = replicas.get(table)
            if replica is None:  # a table that is kept as columns, or a copy that was dropped
                return None
            found += [replica.physical, after]
        return "".join(found)


def pieces(sql: str, tables: tuple[str, ...]) -> Pieces | None:
    """The text around each name of a table that is read more than once; None: leave it as it is."""
    names = {t.lower() for t in tables}
    text = sql.lower()
    if all(text.count(name) < 2 for name in names):
        return None
    import sqlglot
    from sqlglot import errors, exp

    try:
        tree: Any = sqlglot.parse_one(sql, dialect="duckdb")
    except errors.SqlglotError:
        return None
    if not isinstance(tree, exp.Query) or not plain(tree, names):
        return None
    reads: dict[str, list[exp.Table]] = {}
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and table.name.lower() in names:
            if table.args.get("db") is not None:
                return None
            reads.setdefault(table.name.lower(), []).append(table)
    places = []
    for name, found in reads.items():
        for table in found if len(found) > 1 else ():
            start, end = table.this.meta.get("start"), table.this.meta.get("end")
            if start is None or end is None or sql[start : end + 1].strip('"').lower() != name:
                return None
            alias = "" if table.args.get("alias") else f" AS {sql[start : end + 1]}"
            places.append((start, end + 1, name, alias))
    if not places:
        return None
    places.sort()
    result = [sql[: places[0][0]]]
    for (_, end, name, alias), (after, *_) in pairwise([*places, (len(sql), 0, "", "")]):
        result += [name, alias + sql[end:after]]
    return tuple(result)


def plain(tree: exp.Expr, tables: set[str]) -> bool:
    """Whether every column that a statement reads of `tables` is named in it."""
    from sqlglot import exp

    odd = tuple(kind for name in ODD if (kind := getattr(exp, name, None)) is not None)
    aliases = tables | {a.name.lower() for a in tree.find_all(exp.TableAlias)}
    for node in tree.walk():
        if isinstance(node, odd):
            return False
        if isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count):
            return False
        if isinstance(node, exp.Join) and (
            node.args.get("method") or node.args.get("using")
        ):  # NATURAL, ASOF; columns that are merged
            return False
        if isinstance(node, exp.Identifier) and node.name.lower() in ("rowid", "sqlagent rowid"):
            return False
        if isinstance(node, exp.Column) and node.name.lower() in aliases:  # a row as a value
            return False
        if isinstance(node, exp.CTE) and node.alias.lower() in tables:
            return False
        if isinstance(node, exp.Table) and node.alias_column_names:  # t(a, b)
            return False
        if isinstance(node, exp.Select) and not node.expressions:  # FROM t
            return False
    return True
