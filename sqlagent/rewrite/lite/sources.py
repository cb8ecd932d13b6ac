"""What stands after FROM: tables, views, subqueries, and how they are joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlagent.catalog import Column as Declared
from sqlagent.catalog import Table
from sqlagent.errors import ProgrammingError, nearest
from sqlagent.parse.lexer import lex, quote_name
from sqlagent.parse.lite import nodes as n
from sqlagent.parse.lite import parse_select
from sqlagent.rewrite.lite import compare, functions
from sqlagent.rewrite.lite import values as v
from sqlagent.rewrite.lite.scope import Column, Scope, Source
from sqlagent.rewrite.lite.values import Unsaid
from sqlagent.types import affinity

if TYPE_CHECKING:
    from sqlagent.rewrite.lite.queries import Queries

_VIEWS_MAX = 32  # views within views
_BY_TYPE = {
    ("BIGINT", "INTEGER"): (v.INTEGER, None), ("DOUBLE", "REAL"): (v.REAL, None),
    ("VARCHAR", "TEXT"): (v.TEXT, None), ("BLOB", "BLOB"): (v.BLOB, None),
    ("BOOLEAN", "NUMERIC"): (v.INTEGER, "CAST({} AS BIGINT)"),
    ("DATE", "NUMERIC"): (v.TEXT, "CAST({} AS VARCHAR)"),
}  # fmt: skip


class Output(NamedTuple):
    """A result column: its name in SQLite, its storage class and affinity."""

    name: str
    kind: str
    affinity: str | None


class Sources:
    """Reads the sources of one SELECT into its scope."""

    def __init__(self, queries: Queries, scope: Scope) -> None:
        self.q = queries
        self.e = queries.e
        self.scope = scope

    def joins(self, joins: tuple[n.Join, ...]) -> str:
        """FROM and its joins."""
        if not joins:
            return ""
        return f" FROM {self.joined(joins)}"

    def joined(self, joins: tuple[n.Join, ...]) -> str:
        """Sources joined from left to right."""
        said = ""
        for join in joins:
            start = len(self.scope.sources)
            source = self.source(join.source)
            if not said:
                said = source
                continue
            test = self.test(join, start)
            if test:
                said = f"{said} {join.kind} JOIN {source} ON {test}"
            elif join.kind == "INNER":
                said = f"{said} CROSS JOIN {source}"
            else:
                said = f"{said} {join.kind} JOIN {source} ON true"
        return said

    def test(self, join: n.Join, start: int) -> str:
        """The condition of a join: ON, or the columns that USING and NATURAL compare."""
        if join.on is not None:
            return v.truth(self.e.value(join.on))
        left, right = self.scope.sources[:start], self.scope.sources[start:]
        names = list(join.using)
        if join.natural:
            theirs = {
                c.name.lower() for s in left for c in s.columns if c.name.lower() not in s.hidden
            }
            names = [c.name for s in right for c in s.columns if c.name.lower() in theirs]
        tests = []
        for name in names:
            lowered = name.lower()
            a = next((s for s in left if lowered not in s.hidden and s.find(lowered)), None)
            b = next((s for s in right if s.find(lowered)), None)
            if a is None or b is None:
                raise self.q.wrong(f'both sides of USING need a column "{name}"', join.source.at)
            one, other = (s.value(c) for s in (a, b) if (c := s.find(lowered)) is not None)
            one = self.scope.merged.get(lowered, one)
            tests.append(v.truth(compare.compare("=", one, other)))
            b.hidden.add(lowered)
            if join.kind in ("RIGHT", "FULL"):
                merged = functions.coalesce(one, other)
                self.scope.merged[lowered] = merged._replace(affinity=one.affinity)
        return " AND ".join(tests)

    def source(self, node: n.Source) -> str:
        """One source, taken into the scope."""
        if node.inner:
            if node.alias is not None:
                raise Unsaid("joins in parentheses with an alias")
            return f"({self.joined(node.inner)})"
        if node.query is not None:
            query = self.q.query(node.query, self.scope.parent)
            return self.derived(query.sql, query.columns, node.alias or "")
        lowered = node.name.lower()
        for known in reversed(self.q.with_):
            if lowered in known:
                name, columns = known[lowered]
                return self.derived(f"FROM {name}", columns, node.alias or node.name)
        table = self.q.catalog.table(node.name)
        if table is None:
            hint = nearest(node.name, self.q.catalog.tables)
            raise ProgrammingError(
                f'unknown table "{node.name}"', sql=self.q.sql, position=node.at, hint=hint,
                sqlstate="42P01",
            )  # fmt: skip
        if table.kind == "view":
            return self.view(table, node)
        if table.kind != "table":
            raise Unsaid(f'"{node.name}", a virtual table of SQLite')
        self.q.tables.append(lowered)
        name = self.q.name()
        fields = [_column(c, table) for c in table.columns]
        key = table.key if table.key != "rowid" else None
        self.scope.sources.append(Source(node.alias or node.name, name, fields, key))
        return f"main.{quote_name(table.name)} AS {name}"

    def derived(self, sql: str, columns: tuple[Output, ...], alias: str) -> str:
        """A subquery, whose columns are c0, c1, …"""
        name = self.q.name()
        # DuckDB is told c0, c1, …; the user's names are those of the scope.
        found = [
            Column(c.name, c.kind, c.affinity, sql=v.column(name, f"c{i}"))
            for i, c in enumerate(columns)
        ]
        self.scope.sources.append(Source(alias, name, found, None))
        return f"({sql}) AS {name}"

    def view(self, table: Table, node: n.Source) -> str:
        """A view: its SELECT in its place, with the names that the catalog has."""
        queries = self.q
        queries.views += 1
        if queries.views > _VIEWS_MAX:
            raise Unsaid("views within views without end")
        sql = table.sql or ""
        tokens = lex(sql)
        start = next((i for i, t in enumerate(tokens) if t.upper == "AS"), 0)
        kept, queries.with_ = queries.with_, [{}]
        try:
            query = queries.query(parse_select(sql, tokens[start + 1 :]), None)
        finally:
            queries.with_ = kept
            queries.views -= 1
        names = tuple(
            c._replace(name=d.name) for c, d in zip(query.columns, table.columns, strict=True)
        )
        return self.derived(query.sql, names, node.alias or node.name)


def _column(declared: Declared, table: Table) -> Column:
    """A column of a table; its kind is known where its type and its affinity agree."""
    kind, said = _BY_TYPE.get((declared.type or "", affinity(declared.declared)), (None, None))
    reason = f'the column "{declared.name}", declared {declared.declared or "without a type"}'
    if table.collated and kind == v.TEXT:
        kind, reason = None, f'TEXT of "{table.name}", which declares a collation'
    return Column(declared.name, kind, affinity(declared.declared), reason, said)
