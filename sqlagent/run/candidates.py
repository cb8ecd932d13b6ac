"""Which indexes a statement could use: by the columns that it compares, joins and orders by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from sqlagent.catalog import Catalog, Table
from sqlagent.parse.lexer import quote_name

COLUMNS_MAX = 3
RANGES = (exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between)


class Candidate(NamedTuple):
    """An index that may help."""

    table: str
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name, with what is not a letter or digit as `_`."""
        words = "_".join((self.table, "by", *self.columns))
        return "".join(c if c.isalnum() and c.isascii() else "_" for c in words.lower())[:60]

    def create(self, name: str) -> str:
        """The statement that makes it."""
        columns = ", ".join(map(quote_name, self.columns))
        return f"CREATE INDEX {quote_name(name)} ON {quote_name(self.table)} ({columns})"


def candidates(sql: str, catalog: Catalog) -> list[Candidate]:
    """The indexes that a statement in SQLite's words could use; none where it cannot be read."""
    try:
        tree = parse_one(sql, dialect="sqlite")
    except (SqlglotError, RecursionError):
        return []
    found: dict[Candidate, None] = {}
    for select in tree.find_all(exp.Select, exp.Update, exp.Delete):
        for table, equal, ranged, ordered in uses(select, catalog):
            for columns in forms(equal, ranged, ordered):
                plain = tuple(dict.fromkeys(columns))[:COLUMNS_MAX]
                if plain:
                    found[Candidate(table.name, plain)] = None
    return list(found)


def forms(equal: list[str], ranged: list[str], ordered: list[str]) -> Iterator[tuple[str, ...]]:
    """Column lists for what is compared by `=`, by range, and ordered by."""
    for column in equal:
        yield (column,)
    if len(equal) > 1:
        yield tuple(equal)
    for column in ranged:
        yield (*equal[: COLUMNS_MAX - 1], column)
    if ordered:
        yield (*equal[:1], *ordered)


def uses(
    select: exp.Expr, catalog: Catalog
) -> Iterator[tuple[Table, list[str], list[str], list[str]]]:
    """Of each table of one SELECT: its columns in equalities, in ranges, and in the order."""
    sources: dict[str, Table] = {}
    for node in select.find_all(exp.Table):
        if node.find_ancestor(exp.Select, exp.Update, exp.Delete) is not select:
            continue
        table = catalog.tables.get(node.name.lower())
        if table is not None and table.kind == "table":
            sources[node.alias_or_name.lower()] = table

    def owner(column: exp.Expr | None) -> tuple[str, str] | None:
        if not isinstance(column, exp.Column):
            return None
        name, source = column.name.lower(), column.table.lower()
        for alias, table in sources.items():
            if (not source or source == alias) and table.column(name) is not None:
                return None if name == (table.key or "").lower() else (alias, name)
        return None

    equal: dict[str, list[str]] = {a: [] for a in sources}
    ranged: dict[str, list[str]] = {a: [] for a in sources}
    ordered: dict[str, list[str]] = {a: [] for a in sources}
    for test in select.find_all(exp.EQ, exp.In, *RANGES):
        into = ranged if isinstance(test, RANGES) else equal
        alone = isinstance(test, (exp.In, exp.Between))
        for side in [test.this] if alone else [test.this, test.expression]:
            place = owner(side)
            if place is not None:
                into[place[0]].append(place[1])
    for key in ("order", "group"):
        clause = select.args.get(key)
        for item in clause.expressions if clause is not None else ():
            place = owner(item.this if isinstance(item, exp.Ordered) else item)
            if place is not None and place[1] not in ordered[place[0]]:
                ordered[place[0]].append(place[1])
    for alias, table in sources.items():
        if equal[alias] or ranged[alias] or ordered[alias]:
            yield table, equal[alias], ranged[alias], ordered[alias]
