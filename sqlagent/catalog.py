"""Which tables and functions exist, and the logical types of their columns.

Pure data, filled from `sqlite_master` and `PRAGMA table_xinfo` by the engine; the rewriter and the
planner read it and never see an engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sqlagent.sources import Source


class Column(NamedTuple):
    """A column: `type` is its logical type (see `sqlagent.types`), None where nothing is
    declared."""

    name: str
    type: str | None
    not_null: bool = False


class Table(NamedTuple):
    """A table or view of the file. `kind` is 'table', 'view' or 'virtual', or for what SQLite
    itself does not have 'query' (a view), 'materialized' (a view) or 'columns' (a table); `sql` is
    its definition, as CREATE has it.

    `key` is the INTEGER PRIMARY KEY that is the rowid ('rowid' where there is none, None for
    WITHOUT ROWID tables).
    """

    name: str
    kind: str
    columns: tuple[Column, ...]
    key: str | None = "rowid"
    sql: str | None = None

    def column(self, name: str) -> Column | None:
        lowered = name.lower()
        return next((c for c in self.columns if c.name.lower() == lowered), None)


class Definition(NamedTuple):
    """What a user defined and SQLite has no place for, see `sqlagent_definitions`.

    `kind` is 'macro', 'table macro', 'view', 'materialized view' or 'columns'; `sql` the CREATE
    statement in `dialect`; `parameters` how many a macro has; `columns` what a relation shows.
    """

    name: str
    kind: str
    sql: str
    dialect: str = "duckdb"
    parameters: int = 0
    columns: tuple[Column, ...] = ()


class Catalog(NamedTuple):
    """The tables by lower-case name, as of `version` (SQLite's schema_version).

    `definitions` are the users' macros, views and tables, by lower-case name; those that are read
    by name are among `tables` too.
    `sources` are what a statement may name beside them: attached databases by lower-case alias,
    and under '' the file itself.
    """

    version: int
    tables: dict[str, Table]
    definitions: dict[str, tuple[Definition, ...]] = {}  # noqa: RUF012  # read, never changed
    sources: Mapping[str, Source] = {}

    def table(self, name: str) -> Table | None:
        """The table, view, or table function of ours that needs no arguments, of that name."""
        found = self.tables.get(name.lower())
        return found if found is not None else _function(name.lower())

    def attached(self, schema: str) -> Source | None:
        """The attached database of that name."""
        return self.sources.get(schema.lower()) if schema else None


def _function(name: str) -> Table | None:
    if not name.startswith("sqlagent_"):
        return None
    from sqlagent.functions import functions

    function = functions().get(name)
    if function is None or function.kind != "table":
        return None
    return Table(name, "virtual", tuple(Column(n, t) for n, t in function.columns), None)
