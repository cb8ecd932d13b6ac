"""Which tables and functions exist, and the logical types of their columns.

Pure data, filled from `sqlite_master` and `PRAGMA table_xinfo` by the engine; the rewriter and the
planner read it and never see an engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sqlagent.sources import Source

SMALL_ROWS = 20_000  # a table of the file with fewer is quickly made into columns


class Column(NamedTuple):
    """A column: `type` is its logical type (see `sqlagent.types`), None where nothing is
    declared; `declared` is how the file declares it; `default` the text of its DEFAULT."""

    name: str
    type: str | None
    not_null: bool = False
    declared: str | None = None
    default: str | None = None


class Table(NamedTuple):
    """A table or view of the file. `kind` is 'table', 'view' or 'virtual' ('feed': rows of a
    source, for one statement; 'returned': rows of a part of a WITH that writes, and 'before': those
    of a table as it was), or for what SQLite itself does not have 'query' (a view),
    'materialized' (a view) or 'columns' (a table); `sql` is its definition, as CREATE has it.

    `key` is the INTEGER PRIMARY KEY that is the rowid ('rowid' where there is none, None for
    WITHOUT ROWID tables). `collated`: its definition names a collation.
    """

    name: str
    kind: str
    columns: tuple[Column, ...]
    key: str | None = "rowid"
    sql: str | None = None
    collated: bool = False

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
    and under '' the file itself. `scanned(path)` is the alias of a SQLite file that a statement
    names by its path ('' for the file itself), which it makes known; None: it is no such file.

    `temporary` are the connection's own tables, by lower-case name, with their names in the file.
    `graphs` are the users', by lower-case name. `sequences` fill columns: by lower-case table and
    column.
    """

    version: int
    tables: dict[str, Table]
    definitions: Mapping[str, tuple[Definition, ...]] = {}
    sources: Mapping[str, Source] = {}
    scanned: Callable[[str], str | None] | None = None
    temporary: Mapping[str, str] = {}
    graphs: Mapping[str, Definition] = {}
    sequences: Mapping[tuple[str, str], str] = {}

    def table(self, name: str) -> Table | None:
        """The table, view, or table function of ours that needs no arguments, of that name."""
        found = self.tables.get(name.lower())
        return found if found is not None else _function(name.lower())

    def attached(self, schema: str) -> Source | None:
        """The attached database of that name."""
        return self.sources.get(schema.lower()) if schema else None

    def find(self, name: str, schema: str = "", database: str = "") -> Table | None:
        """The table that `database.schema.name` names: of the file, or of an attached database."""
        source = self.attached(database or schema)
        if source is None:
            return self.table(name)
        own = schema if database and schema.lower() not in ("main", "public") else ""
        return source.table(f"{own}.{name}" if own else name)

    def is_large(self, name: str) -> bool:
        """Whether columns of a table of the file take long to make, so that the few rows which an
        index finds are better read without them; a view may be over such a table."""
        own, table = self.sources.get(""), self.tables.get(name.lower())
        if own is None or table is None or table.kind != "table":
            return table is not None and table.kind == "view"
        known = own.statistics(table.name)
        return bool(known.indexed) and (known.rows or 0) >= SMALL_ROWS


def _function(name: str) -> Table | None:
    if not name.startswith("sqlagent_"):
        return None
    from sqlagent.functions import functions

    function = functions().get(name)
    if function is None or function.kind != "table":
        return None
    return Table(name, "virtual", tuple(Column(n, t) for n, t in function.columns), None)
