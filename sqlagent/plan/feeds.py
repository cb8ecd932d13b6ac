"""Feeds: which tables of a statement are read by their own engine, and what is pushed down to it.

A table of an attached SQLite file has no columns in DuckDB, so its rows are fed: only the columns
that the statement names, only the rows that its own conditions leave, and, where the other side of
a join is small, only those with its keys. A large table of the file itself is fed too, where an
index finds the few rows that a statement wants: making columns of all of them would cost more.
Every condition stays in DuckDB's statement as well: what is pushed down need only leave out rows
that cannot count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlglot import exp

from sqlagent import catalog
from sqlagent.catalog import Table
from sqlagent.plan.plans import Feed, Keys
from sqlagent.plan.pushed import pushed, simple
from sqlagent.plan.say import say
from sqlagent.plan.scope import Condition, Scope
from sqlagent.rewrite.spellings import ROWIDS
from sqlagent.rewrite.views import views
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


class Split(NamedTuple):
    """`tree` with its fed tables under the feeds' names, which the router's catalog then has.

    `searched` are the aliases of tables that SQLite must find by an index, were it to run the whole
    by itself; None: it would be slower at it, since it would scan a large table of the file.
    """

    tree: exp.Expr
    feeds: tuple[Feed, ...]
    natives: tuple[str, ...]
    searched: tuple[str, ...] | None


class _Side(NamedTuple):
    """The other side of an equality: about how many rows `select`, of its keys, reads."""

    unindexed: bool
    size: int
    column: str
    select: exp.Select
    after: set[str]


class _Draft:
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


def split(router: Router, tree: exp.Expr) -> Split:
    """`tree`, as the user wrote it, with feeds in the place of tables that DuckDB does not have."""
    return _Splitter(router, tree.copy()).split()


class _Splitter:
    """The work of `split` on one statement."""

    def __init__(self, router: Router, tree: exp.Expr) -> None:
        self.router = router
        self.catalog = router.catalog
        context = router.context()
        context.names.read(tree)
        self.tree = views(tree, context)
        self.ctes = {c.alias_or_name.lower() for c in self.tree.find_all(exp.CTE)}
        self.natives: list[str] = []
        self.drafts: list[_Draft] = []

    def split(self) -> Split:
        for node in list(self.tree.find_all(exp.Table)):
            self._draft(node)
        added = {d.name: d.table._replace(name=d.name, kind="feed", sql=None) for d in self.drafts}
        known = self.catalog
        self.router.catalog = self.catalog = known._replace(tables=known.tables | added)
        for draft in self.drafts:
            self._rename(draft)
        self._scopes()
        for draft in self.drafts:
            self._filter(draft)
        self._all_keys()
        self._undo()
        feeds = tuple(self._feed(d) for d in self.drafts)
        return Split(self.tree, feeds, tuple(dict.fromkeys(self.natives)), self._searched())

    # Which tables -------------------------------------------------------------------------------

    def _draft(self, node: exp.Table) -> None:
        """Take a table as a feed, where it may be one."""
        if not isinstance(node.this, exp.Identifier):
            return
        alias = node.catalog or node.db
        source = self.catalog.attached(alias)
        if source is None:
            if (alias and alias != "main") or node.name.lower() in self.ctes:
                return
            own = self.catalog.sources.get("")
            table = self.catalog.tables.get(node.name.lower())
            if own is None or table is None or table.kind != "table":
                return
            if any(c.type is None for c in table.columns):
                return  # the type that columns would have is known by reading them all
            if not self.catalog.is_large(table.name):
                return
            statistics = own.statistics(table.name)
            source, name = own, table.name
        else:
            table = self.catalog.find(node.name, node.db, node.catalog)
            if source.native is not None or table is None:
                self._native(node, alias.lower(), source.native or "")
                return
            name = node.name if not node.catalog or node.db.lower() in ("main", "public") else (
                f"{node.db}.{node.name}"
            )  # fmt: skip
            name = table.name or name
            statistics = source.statistics(name)
        draft = _Draft(self._name(), "" if source.kind == "file" else alias.lower(), table, node)
        draft.statistics, draft.kind = statistics, source.kind
        self.drafts.append(draft)

    def _name(self) -> str:
        number = len(self.drafts) + 1
        while f"feed {number}" in self.catalog.tables:
            number += len(self.drafts) + 1
        return f"feed {number}"

    def _native(self, node: exp.Table, alias: str, native: str) -> None:
        """A table of a database that DuckDB has attached, under the name that it has there."""
        self.natives.append(alias)
        if not node.alias:
            node.set("alias", exp.TableAlias(this=exp.to_identifier(node.name, quoted=True)))
        place = "catalog" if node.catalog else "db"
        self._unqualify(alias)
        node.set(place, exp.to_identifier(native, quoted=True))

    def _rename(self, draft: _Draft) -> None:
        """Let the feed's name stand in the tree; the table's own becomes its alias."""
        node = draft.node
        if not node.alias:
            node.set("alias", exp.TableAlias(this=exp.to_identifier(node.name, quoted=True)))
        node.set("this", exp.to_identifier(draft.name, quoted=True))
        node.set("db", None)
        node.set("catalog", None)
        if draft.source:
            self._unqualify(draft.source)

    def _unqualify(self, alias: str) -> None:
        """`shop.orders.id` is `orders.id`, once `orders` is an alias."""
        for column in self.tree.find_all(exp.Column):
            qualifier = column.args.get("catalog") or column.args.get("db")
            if qualifier is not None and qualifier.name.lower() == alias:
                column.set("db", None)
                column.set("catalog", None)

    # What is pushed down ------------------------------------------------------------------------

    def _scopes(self) -> None:
        """Give each draft the SELECT that it stands in, and its own conditions there."""
        by_node = {id(d.node): d for d in self.drafts}
        for select in self.tree.find_all(exp.Select):
            scope = Scope(select, self.catalog, self.ctes)
            mine = {o.alias: by_node[id(o.node)] for o in scope.origins if id(o.node) in by_node}
            for draft in mine.values():
                draft.scope = scope
            if not scope.plain:
                continue
            for condition in scope.conditions():
                alias = scope.alone(condition.node)
                found = mine.get(alias or "")
                if found is not None and scope.may_filter(condition, found.alias):
                    found.conditions.append(condition.node)

    def _filter(self, draft: _Draft) -> None:
        """Say the conditions in the words of the source, those that it says exactly alike."""
        wanted = len(draft.conditions)
        if draft.kind in SQL_KINDS:
            said = [(n, pushed(self.router, draft.name, n)) for n in draft.conditions]
        elif draft.kind == "lance":
            said = [(n, simple(n)) for n in draft.conditions]
        else:
            said = []
        kept = [(n, s) for n, s in said if s is not None]
        draft.conditions = [n for n, _ in kept]
        if kept:
            whole = exp.and_(*(s.node for _, s in kept), copy=True)
            text, slots = say(whole, "sqlite", self.router.numbering)
            places = {slot: e for _, s in kept for slot, e in s.expects.items()}
            numbers = self.router.numbering.slots
            expects = tuple(places[numbers.index(s) + 1] for s in slots or ())
            draft.filter = text, slots, expects
            draft.indexed = any(self._by_index(draft, n) for n in draft.conditions)
        draft.limit = self._limit(draft, wanted == len(kept))

    def _by_index(self, draft: _Draft, node: exp.Expr) -> bool:
        """Whether an index finds the rows of a condition."""
        if not isinstance(node, (exp.EQ, exp.In, exp.Between, exp.GT, exp.GTE, exp.LT, exp.LTE)):
            return False
        sides = [node.this, node.args.get("expression")]
        return any(
            isinstance(s, exp.Column) and s.name.lower() in draft.statistics.indexed for s in sides
        )

    def _limit(self, draft: _Draft, all_said: bool) -> int | None:
        """How many rows of any are enough: a LIMIT with nothing between it and the table."""
        scope = draft.scope
        if scope is None or not scope.plain or len(scope.origins) > 1:
            return None
        select = scope.select
        over = ("order", "group", "having", "qualify", "distinct", "windows", "sample")
        where = select.args.get("where")
        if any(select.args.get(word) for word in over) or (where is not None and not all_said):
            return None
        if any(e.find(exp.AggFunc, exp.Window, exp.Anonymous, exp.Unnest, exp.Explode)
               for e in select.expressions):  # fmt: skip
            return None
        total = 0
        for word in ("limit", "offset"):
            clause = select.args.get(word)
            number = clause.expression if clause is not None else None
            if clause is None:
                if word == "limit":
                    return None
                continue
            if not isinstance(number, exp.Literal) or not number.name.isdigit():
                return None
            if clause.args.get("limit_options"):
                return None
            total += int(number.name)
        return total

    # Keys ---------------------------------------------------------------------------------------

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

    def _best(self, draft: _Draft) -> _Side | None:
        """The smallest other side of an equality, whose keys the table's rows must have."""
        scope = draft.scope
        if scope is None or not scope.plain or draft.kind not in (*SQL_KINDS, "lance"):
            return None
        found: list[_Side] = []
        for condition in scope.conditions():
            pair = self._sides(scope, condition, draft)
            column = draft.table.column(pair[0]) if pair is not None else None
            if pair is None or column is None or column.type not in ("BIGINT", "VARCHAR"):
                continue
            after = {t.name for t in pair[1].find_all(exp.Table) if t.name in self._names()}
            unindexed = column.name.lower() not in draft.statistics.indexed
            if self._depends(draft, after) or (draft.kind == "file" and unindexed):
                continue
            found.append(_Side(unindexed, self._size(pair[1]), column.name, pair[1], after))
        best = min(found, key=lambda f: f[:2], default=None)
        return best if best is not None and best.size < draft.rows else None

    def _said(self, draft: _Draft, side: _Side) -> Keys | None:
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

    def _depends(self, draft: _Draft, names: set[str]) -> bool:
        """Whether any of the feeds `names` waits for `draft`, or is it."""
        if draft.name in names:
            return True
        return any(
            d.keys is not None and self._depends(draft, set(d.keys.after))
            for d in self.drafts if d.name in names
        )  # fmt: skip

    def _sides(
        self, scope: Scope, condition: Condition, draft: _Draft
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
        self, scope: Scope, condition: Condition, draft: _Draft
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

    # The end ------------------------------------------------------------------------------------

    def _undo(self) -> None:
        """Of the file's own tables only those stay feeds that an index serves."""
        for draft in [d for d in self.drafts if d.source == "" and not d.keys and not d.indexed]:
            self.drafts.remove(draft)
            draft.node.set("this", exp.to_identifier(draft.table.name, quoted=True))
            for other in self.drafts:
                if other.keys is not None and draft.name in other.keys.after:
                    other.keys = None  # they are of a table that has columns after all
        self._all_keys()
        kept = self._names()
        tables = {
            n: t for n, t in self.catalog.tables.items() if t.kind != "feed" or n in kept
        }  # fmt: skip
        self.router.catalog = self.catalog = self.catalog._replace(tables=tables)

    def _searched(self) -> tuple[str, ...] | None:
        """See `Split`."""
        own = self.catalog.sources.get("")
        for node in self.tree.find_all(exp.Table):
            if self._is_own(node) and own is not None:
                rows = own.statistics(node.name).rows
                if (rows or 0) >= catalog.SMALL_ROWS:
                    return None
        return tuple(d.alias for d in self.drafts if d.keys is not None or d.indexed)

    def _feed(self, draft: _Draft) -> Feed:
        text, slots, expects = draft.filter or (None, None, ())
        return Feed(
            draft.name, draft.source, draft.table.name, self._needed(draft), text, slots,
            draft.limit, draft.keys, draft.statistics.rows, expects, draft.table,
        )  # fmt: skip

    def _needed(self, draft: _Draft) -> tuple[str, ...]:
        """The columns that the statement may name, in the table's order; one at the least."""
        names = {i.name.lower() for i in self.tree.find_all(exp.Identifier)}
        if names & ROWIDS and draft.table.key:
            names.add(draft.table.key.lower())
        whole = any(not isinstance(s.parent, exp.Count) for s in self.tree.find_all(exp.Star))
        whole = whole or draft.alias in {
            c.name.lower() for c in self.tree.find_all(exp.Column) if not c.table
        }
        whole = whole or any(j.method == "NATURAL" for j in self.tree.find_all(exp.Join))
        if whole or self.tree.find(exp.Pivot, exp.Columns) is not None:
            return tuple(c.name for c in draft.table.columns)
        found = [c.name for c in draft.table.columns if c.name.lower() in names]
        if not found:
            key = draft.table.key
            found = [c.name for c in draft.table.columns if c.name == key][:1]
        return tuple(found or [draft.table.columns[0].name])


def _alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(name))
