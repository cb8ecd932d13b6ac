"""One SELECT's sources and conditions, and what a condition may do to a source before the join.

Leaving out rows of a source before the statement runs is right only where it cannot change the
answer: outer, ANTI, ASOF and positional joins each forbid some of it. The rules stand here, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import NamedTuple

from sqlglot import exp

from sqlagent.catalog import Catalog, Column

_STRICT = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In, exp.Like)


class Origin(NamedTuple):
    """A source of a SELECT: `columns` is None where they are not known."""

    alias: str
    node: exp.Expr
    columns: tuple[Column, ...] | None


class Condition(NamedTuple):
    """A conjunct and where it stands: in the `join` of that number, or (None) in WHERE."""

    node: exp.Expr
    join: int | None


class Scope:
    """The sources of one SELECT in order; `joins[i]` joins `origins[i + 1]`."""

    def __init__(self, select: exp.Select, catalog: Catalog, hidden: set[str]) -> None:
        """`hidden` are names of CTEs: what they name is no table."""
        self.select = select
        start = select.args.get("from_")
        self.joins: list[exp.Join] = list(select.args.get("joins") or [])
        nodes = ([start.this] if start else []) + [j.this for j in self.joins]
        self.origins = [self._origin(n, catalog, hidden) for n in nodes]
        odd = select.args.get("laterals") or select.args.get("sample")
        self.plain = bool(start) and not odd and not any(
            n.args.get("joins") or n.args.get("laterals") or n.args.get("pivots")
            or n.args.get("sample") or isinstance(n, exp.Lateral) for n in nodes
        ) and not any(j.method in ("POSITIONAL", "NATURAL") for j in self.joins)  # fmt: skip
        self.place = {o.alias: i for i, o in enumerate(self.origins)}
        if len(self.place) < len(self.origins):
            self.plain = False
        self.nullable = self._nullable()

    @staticmethod
    def _origin(node: exp.Expr, catalog: Catalog, hidden: set[str]) -> Origin:
        alias, columns = node.alias_or_name.lower(), None
        if isinstance(node, exp.Table):
            if isinstance(node.this, exp.Identifier) and (
                node.db or node.name.lower() not in hidden
            ):
                table = catalog.find(node.name, node.db, node.catalog)
                columns = table.columns if table is not None else None
            if not node.alias and columns is None and isinstance(node.this, exp.Identifier):
                alias = PurePath(alias).name.split(".")[0]  # as DuckDB names a file
            renamed = node.args.get("alias")
            if renamed is not None and renamed.columns:
                columns = None
        return Origin(alias, node, columns)

    def _nullable(self) -> list[set[str]]:
        """After the first i joins: the aliases whose rows may be missing."""
        found: list[set[str]] = [set()]
        for i, join in enumerate(self.joins):
            now = set(found[-1])
            before = {o.alias for o in self.origins[: i + 1]}
            if join.side in ("RIGHT", "FULL"):
                now |= before
            if join.side in ("LEFT", "FULL"):
                now.add(self.origins[i + 1].alias)
            found.append(now)
        return found

    def conditions(self) -> Iterator[Condition]:
        """Every conjunct of WHERE and of each ON, USING spelled out where it is clear."""
        where = self.select.args.get("where")
        if where is not None:
            for node in conjuncts(where.this):
                yield Condition(node, None)
        for i, join in enumerate(self.joins):
            on = join.args.get("on")
            if on is not None:
                for node in conjuncts(on):
                    yield Condition(node, i)
            for name in join.args.get("using") or []:
                left = self._before(i, name.name)
                if left is not None:
                    right = self.origins[i + 1].alias
                    yield Condition(
                        exp.EQ(this=_named(left, name), expression=_named(right, name)), i
                    )

    def _before(self, join: int, name: str) -> str | None:
        """The one source before a join that USING can mean."""
        earlier = self.origins[: join + 1]
        if len(earlier) == 1:
            return earlier[0].alias
        if any(o.columns is None for o in earlier):
            return None
        found = [o.alias for o in earlier if _has(o, name)]
        return found[0] if len(found) == 1 else None

    def resolve(self, column: exp.Column) -> str | None:
        """The alias that a column belongs to; None where that is not sure."""
        if column.args.get("db"):
            return None
        if column.table:
            alias = column.table.lower()
            return alias if alias in self.place else None
        found = [o for o in self.origins if o.columns is not None and _has(o, column.name)]
        if not found:
            found = [o for o in self.origins if o.columns is None]
        return found[0].alias if len(found) == 1 else None

    def alone(self, condition: exp.Expr) -> str | None:
        """The alias of the only source that a condition is about."""
        if condition.find(exp.Query, exp.AggFunc, exp.Window, exp.Star) is not None:
            return None
        found = {self.resolve(c) for c in condition.find_all(exp.Column)}
        return found.pop() if len(found) == 1 else None

    def may_filter(self, condition: Condition, alias: str) -> bool:
        """Whether rows of `alias` that fail a condition of its own can be left out beforehand."""
        return self._may(condition, alias, strict(condition.node))

    def may_reduce(self, condition: Condition, alias: str) -> bool:
        """Whether rows of `alias` without a partner in an equality can be left out beforehand."""
        return self._may(condition, alias, True, pairs=True)

    def _may(self, condition: Condition, alias: str, strict: bool, pairs: bool = False) -> bool:
        if not self.plain or self._nearest(alias):
            return False
        if condition.join is None:
            return strict or alias not in self.nullable[-1]
        join = self.joins[condition.join]
        joined = self.place[alias] == condition.join + 1
        if join.method:  # ASOF: its own side was looked at above
            return False
        if join.side == "FULL" or (join.kind == "ANTI" and not joined):
            return False
        if join.side == "LEFT" and join.kind not in ("SEMI", "ANTI"):
            return joined
        if join.side == "RIGHT" and joined:
            return False
        return joined or strict or alias not in self.nullable[condition.join]

    def _nearest(self, alias: str) -> bool:
        """Whether the source is the side of an ASOF join that is searched."""
        place = self.place[alias]
        return place > 0 and bool(self.joins[place - 1].method)


def conjuncts(node: exp.Expr) -> Iterator[exp.Expr]:
    """The parts of a condition that AND joins."""
    if isinstance(node, exp.Paren):
        yield from conjuncts(node.this)
    elif isinstance(node, exp.And):
        yield from conjuncts(node.this)
        yield from conjuncts(node.expression)
    else:
        yield node


def strict(node: exp.Expr) -> bool:
    """Whether a condition fails for sure where its column is NULL."""
    if isinstance(node, exp.Not) and isinstance(node.this, exp.Is):
        return isinstance(node.this.this, exp.Column) and isinstance(node.this.expression, exp.Null)
    if not isinstance(node, _STRICT):
        return False
    sides = (node.this, node.args.get("expression"))
    return any(isinstance(side, exp.Column) for side in sides)


def _has(origin: Origin, name: str) -> bool:
    return any(c.name.lower() == name.lower() for c in origin.columns or ())


def _named(alias: str, name: exp.Identifier) -> exp.Column:
    return exp.Column(this=name.copy(), table=exp.to_identifier(alias, quoted=True))
