"""What a name in a SELECT stands for, by SQLite's rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sqlagent.rewrite.lite import values as v
from sqlagent.rewrite.lite.values import Value

_ROWIDS = ("rowid", "oid", "_rowid_")


class Column(NamedTuple):
    """A column of a source; `kind` None where its values may be of several classes."""

    name: str
    kind: str | None
    affinity: str | None
    reason: str = ""
    sql: str | None = None  # where it is not the column itself


class Source:
    """A table or subquery in FROM: `alias` as the user says it, `name` as DuckDB is told."""

    def __init__(self, alias: str, name: str, columns: list[Column], key: str | None) -> None:
        self.alias = alias.lower()
        self.name = name
        self.columns = columns
        self.key = key  # the column that is the rowid
        self.hidden: set[str] = set()  # merged by USING: not in `*`, and not found without a table

    def find(self, name: str) -> Column | None:
        """The column of that name, in lower case."""
        found = next((c for c in self.columns if c.name.lower() == name), None)
        if found is None and name in _ROWIDS and self.key is not None:
            return self.find(self.key.lower())
        return found

    def value(self, column: Column) -> Value:
        """A column's value. Raises Unsaid where a row would decide its class."""
        if column.kind is None:
            raise v.Unsaid(column.reason)
        said = v.column(self.name, column.name)
        return Value((column.sql or "{}").replace("{}", said), column.kind, column.affinity)


class Found(NamedTuple):
    """A column that a name means, and whether it is of this SELECT or one around it."""

    value: Value
    scope: Scope
    source: Source


class Ambiguous(Exception):
    """A name that two sources have."""


class Scope:
    """The names of one SELECT; `parent` is that of the SELECT around it."""

    def __init__(self, parent: Scope | None) -> None:
        self.parent = parent
        self.sources: list[Source] = []
        self.merged: dict[str, Value] = {}  # columns of RIGHT and FULL joins with USING
        self.aliases: dict[str, Callable[[], Value]] = {}
        self.grouped = False  # only group keys and aggregates may stand outside an aggregate
        self.groups: dict[str, Value] = {}  # by their words
        self.aggregates = True  # whether aggregates may stand here
        self.within = False  # inside an aggregate's arguments
        self.used = False  # whether an inner SELECT's name was found here

    def find(self, table: str | None, name: str) -> Found | None:
        """What a column's name means here; None where no source has it. Raises Ambiguous."""
        lowered = name.lower()
        found = []
        for source in self.sources:
            if table is not None and source.alias != table.lower():
                continue
            if table is None and lowered in source.hidden:
                continue
            column = source.find(lowered)
            if column is not None:
                found.append((source, column))
        if not found:
            return None
        exact = [f for f in found if f[1].name.lower() == lowered]
        if len(found) > 1:
            if exact and len(exact) < len(found):
                found = exact
            if len(found) > 1:
                raise Ambiguous(name)
        source, column = found[0]
        value = source.value(column)
        if table is None and lowered in self.merged:
            value = self.merged[lowered]
        return Found(value, self, source)
