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
from sqlagent.plan.keys import SQL_KINDS, Draft, Keying
from sqlagent.plan.plans import Feed
from sqlagent.plan.pushed import pushed, simple
from sqlagent.plan.say import say
from sqlagent.plan.scope import Scope
from sqlagent.rewrite.spellings import ROWIDS
from sqlagent.rewrite.views import views

if TYPE_CHECKING:
    from sqlagent.plan.route import Router


class Split(NamedTuple):
    """`tree` with its fed tables under the feeds' names, which the router's catalog then has.

    `searched` are the aliases of tables that SQLite must find by an index, were it to run the whole
    by itself; None: it would be slower at it, since it would scan a large table of the file.
    """

    tree: exp.Expr
    feeds: tuple[Feed, ...]
    natives: tuple[str, ...]
    searched: tuple[str, ...] | None


def split(router: Router, tree: exp.Expr) -> Split:
    """`tree`, as the user wrote it, with feeds in the place of tables that DuckDB does not have."""
    return _Splitter(router, tree.copy()).split()


class _Splitter(Keying):
    """The work of `split` on one statement."""

    def __init__(self, router: Router, tree: exp.Expr) -> None:
        self.router = router
        self.catalog = router.catalog
        context = router.context()
        context.names.read(tree)
        self.tree = views(tree, context)
        self.ctes = {c.alias_or_name.lower() for c in self.tree.find_all(exp.CTE)}
        self.natives: list[str] = []
        self.drafts: list[Draft] = []

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
        draft = Draft(self._name(), "" if source.kind == "file" else alias.lower(), table, node)
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

    def _rename(self, draft: Draft) -> None:
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

    def _filter(self, draft: Draft) -> None:
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

    def _by_index(self, draft: Draft, node: exp.Expr) -> bool:
        """Whether an index finds the rows of a condition."""
        if not isinstance(node, (exp.EQ, exp.In, exp.Between, exp.GT, exp.GTE, exp.LT, exp.LTE)):
            return False
        sides = [node.this, node.args.get("expression")]
        return any(
            isinstance(s, exp.Column) and s.name.lower() in draft.statistics.indexed for s in sides
        )

    def _limit(self, draft: Draft, all_said: bool) -> int | None:
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

    def _feed(self, draft: Draft) -> Feed:
        text, slots, expects = draft.filter or (None, None, ())
        return Feed(
            draft.name, draft.source, draft.table.name, self._needed(draft), text, slots,
            draft.limit, draft.keys, draft.statistics.rows, expects, draft.table,
        )  # fmt: skip

    def _needed(self, draft: Draft) -> tuple[str, ...]:
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
