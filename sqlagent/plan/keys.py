"""Keys: of a join, the small side's, which choose the rows of the large side that are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlglot import exp

from sqlagent.catalog import Catalog, Table
from sqlagent.plan.plans import Keys
from sqlagent.plan.say import say
from sqlagent.plan.scope import Condition, Scope
from sqlagent.sources import Statistics

if TYPE_CHECKING:
    from sqlagent.plan.route import Router

FILE_ROWS = 10_000  # a guess: a file is not looked into while planning
KEYS_MAX = 1_000_000
KEYS_MIN = 1_000
ROWS_UNKNOWN = 100_000
FILTERS_LEAVE = 10  # one row in so many, where a condition is pushed down
INDEX_LEAVES = 1_000
SQL_KINDS = ("file", "sqlite", "agent")


class Side(NamedTuple):
    """The other side of an equality: about how many rows `select`, of its keys, reads."""

    unindexed: bool
    size: int
    column: str
    select: exp.Select
    after: set[str]


class Draft:
    """A table on its way to be a feed."""

    def __init__(self, name: str, source: str, table: Table, node: exp.Table) -> None:
        self.name = name
        self.source = source
        self.table = table
        self.node = node
        self.statistics = Statistics()
        self.kind = ""
        self.scope: Scope | None = None
        self.conditions: list[exp.Expr] = []
        self.indexed = False  # an index serves one of the conditions
        self.keys: Keys | None = None
        self.limit: int | None = None
        self.filter: tuple[str, tuple[int | str, ...] | None, tuple[str, ...]] | None = None

    @property
    def alias(self) -> str:
        return self.node.alias_or_name.lower()

    @property
    def rows(self) -> int:
        """How many rows it is likely to give, without keys."""
        found = self.statistics.rows
        rows = ROWS_UNKNOWN if found is None else found
        if self.indexed:
            return max(1, rows // INDEX_LEAVES)
        return max(1, rows // FILTERS_LEAVE) if self.conditions else rows


class Keying:
    """What `plan.feeds` knows of one statement, and the finding of keys for its feeds."""

    router: Router
    catalog: Catalog
    ctes: set[str]
    drafts: list[Draft]

    def _all_keys(self) -> None:
        """Give feeds their keys, the smallest first: what it leaves may be the keys of another."""
        waiting = [d for d in self.drafts if d.keys is None]
        while waiting:
            sides = [(side, d) for d in waiting if (side := self._best(d)) is not None]
            if not sides:
                return
            side, draft = min(sides, key=lambda s: s[0][:2])
            draft.keys = self._said(draft, side)
            waiting.remove(draft)

    def _best(self, draft: Draft) -> Side | None:
        """The smallest other side of an equality, whose keys the table's rows must have."""
        scope = draft.scope
        if scope is None or not scope.plain or draft.kind not in (*SQL_KINDS, "lance"):
            return None
        found: list[Side] = []
        for condition in scope.conditions():
            pair = self._sides(scope, condition, draft)
            column = draft.table.column(pair[0]) if pair is not None else None
            if pair is None or column is None or column.type not in ("BIGINT", "VARCHAR"):
                continue
            after = {t.name for t in pair[1].find_all(exp.Table) if t.name in self._names()}
            unindexed = column.name.lower() not in draft.statistics.indexed
            if self._depends(draft, after) or (draft.kind == "file" and unindexed):
                continue
            found.append(Side(unindexed, self._size(pair[1]), column.name, pair[1], after))
        best = min(found, key=lambda f: f[:2], default=None)
        return best if best is not None and best.size < draft.rows else None

    def _said(self, draft: Draft, side: Side) -> Keys | None:
        """The SELECT of the keys as DuckDB's."""
        context = self.router.context()
        context.names.read(side.select)
        mine, said = self.router.passed(side.select, context, "duckdb")
        if mine.doubts:
            return None
        tables = tuple(dict.fromkeys(
            t.name.lower() for t in said.find_all(exp.Table) if self._is_own(t)
        ))  # fmt: skip
        text, slots = say(said, "duckdb", self.router.numbering)
        most = min(KEYS_MAX, max(KEYS_MIN, (draft.statistics.rows or ROWS_UNKNOWN) // 4))
        return Keys(side.column, text, slots, tables, tuple(sorted(side.after)), most)

    def _names(self) -> set[str]:
        return {d.name for d in self.drafts}

    def _is_own(self, node: exp.Table) -> bool:
        if node.db or not isinstance(node.this, exp.Identifier) or node.name.lower() in self.ctes:
            return False
        table = self.catalog.tables.get(node.name.lower())
        return table is not None and table.kind == "table"

    def _depends(self, draft: Draft, names: set[str]) -> bool:
        """Whether any of the feeds `names` waits for `draft`, or is it."""
        if draft.name in names:
            return True
        return any(
            d.keys is not None and self._depends(draft, set(d.keys.after))
            for d in self.drafts if d.name in names
        )  # fmt: skip

    def _sides(
        self, scope: Scope, condition: Condition, draft: Draft
    ) -> tuple[str, exp.Select] | None:
        """Of an equality with another source: the draft's column, and a SELECT of the keys."""
        node = condition.node
        if isinstance(node, exp.In):
            return self._within(scope, condition, draft)
        if not isinstance(node, exp.EQ):
            return None
        for mine, other in ((node.this, node.expression), (node.expression, node.this)):
            if not isinstance(mine, exp.Column) or not isinstance(other, exp.Column):
                continue
            alias = scope.resolve(other)
            if (
                scope.resolve(mine) != draft.alias or alias in (None, draft.alias)
                or not scope.may_reduce(condition, draft.alias)
            ):  # fmt: skip
                continue
            return mine.name, self._others(scope, alias or "", other)
        return None

    def _within(
        self, scope: Scope, condition: Condition, draft: Draft
    ) -> tuple[str, exp.Select] | None:
        """`column IN (SELECT …)`: the subquery's rows are the keys."""
        node = condition.node
        query = node.args.get("query")
        inner = query.this if isinstance(query, exp.Subquery) else query
        if not isinstance(node.this, exp.Column) or not isinstance(inner, exp.Select):
            return None
        if scope.resolve(node.this) != draft.alias or not scope.may_reduce(condition, draft.alias):
            return None
        if len(inner.expressions) != 1 or inner.is_star or inner.args.get("limit"):
            return None
        keys = exp.select("*").from_(exp.Subquery(this=inner.copy(), alias=_alias("keys")))
        return node.this.name, self._with(keys.distinct(), scope)

    def _others(self, scope: Scope, alias: str, column: exp.Column) -> exp.Select:
        """SELECT DISTINCT of a source's column, less the rows that its own conditions leave out."""
        origin = scope.origins[scope.place[alias]]
        select = exp.select(column.copy()).from_(origin.node.copy()).distinct()
        for condition in scope.conditions():
            if scope.alone(condition.node) == alias and scope.may_filter(condition, alias):
                select = select.where(condition.node.copy(), copy=False)
        return self._with(select, scope)

    def _with(self, select: exp.Select, scope: Scope) -> exp.Select:
        """Give a SELECT those CTEs around its scope that it names, by way of each other too."""
        clauses: list[exp.With] = []
        node: exp.Expr | None = scope.select
        while node is not None:
            clause = node.args.get("with_")
            clauses += [clause] if clause is not None else []
            node = node.parent
        # The outermost first, since the inner ones may name them; an inner one of the same name
        # hides the outer.
        known = {c.alias.lower(): c for clause in reversed(clauses) for c in clause.expressions}
        wanted: dict[str, exp.CTE] = {}
        trees: list[exp.Expr] = [select]
        while trees:
            for table in trees.pop().find_all(exp.Table):
                name = table.name.lower()
                if not table.db and name in known and name not in wanted:
                    wanted[name] = known[name]
                    trees.append(known[name])
        if wanted:
            ctes = [c.copy() for n, c in known.items() if n in wanted]
            recursive = any(clause.recursive for clause in clauses)
            select.set("with_", exp.With(expressions=ctes, recursive=recursive))
        return select

    def _size(self, select: exp.Select) -> int:
        """About how many rows are read for the keys."""
        drafts = {d.name: d for d in self.drafts}
        total = 0
        for node in select.find_all(exp.Table):
            name = node.name.lower()
            if name in self.ctes and not node.db:
                continue
            if name in drafts:
                draft = drafts[name]
                keyed = draft.keys is not None or draft.indexed
                total += max(1, draft.rows // INDEX_LEAVES) if keyed else draft.rows
            elif self._is_own(node):
                own = self.catalog.sources.get("")
                rows = own.statistics(name).rows if own is not None else None
                rows = ROWS_UNKNOWN if rows is None else rows
                total += rows // FILTERS_LEAVE if select.args.get("where") else rows
            else:
                total += FILE_ROWS
        return total


def _alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(name))
