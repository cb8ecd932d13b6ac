"""The catalog of a file, read from SQLite."""

from __future__ import annotations

import re
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING

import apsw

from sqlagent.catalog import Catalog, Column, Table
from sqlagent.engines import definitions, sequences
from sqlagent.types import logical

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database, Handle

QUERY = """
SELECT t.name, t.type, t.wr, c.name, c.type, c."notnull", c.pk, c.hidden,
  (SELECT m.sql FROM sqlite_master m WHERE m.type = 'view' AND m.name = t.name),
  c.dflt_value
FROM pragma_table_list AS t, pragma_table_xinfo(t.name) AS c
WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' {chosen}
ORDER BY t.name, c.cid
"""
COLLATED = "SELECT name FROM sqlite_master WHERE type = 'table' AND instr(upper(sql), 'COLLATE')"
NAMES = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
SCHEMA = "SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'view')"
SCHEMAS_MAX = 16  # schemas, 60 KB each, whose tables are kept
_FTS5 = re.compile(r"(?i)CREATE VIRTUAL TABLE\s+(?:\"[^\"]*\"|'[^']*'|\w+)\s+USING\s+fts5\b")
_read: OrderedDict[tuple[tuple[str, str], ...], dict[str, Table]] = OrderedDict()
# What the file keeps as text or bytes, and we know to be more.
VECTORS = {"vectors", "memory_vectors", "chunk_vectors"}
# A column of a view that is an expression declares nothing.
EXPRESSIONS = {
    ("state_versions", "data"): "JSON TEXT",
    ("langgraph_states", "value"): "JSON TEXT",
    ("langgraph_state_versions", "value"): "JSON TEXT",
}


def version(handle: Handle) -> int:
    """SQLite's schema cookie."""
    return int(handle.execute("PRAGMA schema_version").fetchall()[0][0])


def read_catalog(handle: Handle) -> Catalog:
    """The tables and views of the file, as the connection's snapshot has them."""
    number = version(handle)
    defined = definitions.read(handle)
    graphs = definitions.graphs(handle)
    tables = _tables(handle) | definitions.relations(defined)
    return Catalog(number, tables, defined, graphs=graphs, sequences=sequences.columns(handle))


def _tables(handle: Handle) -> dict[str, Table]:
    """The tables and views of the file, by lower-case name.

    The texts of a schema say all of it, but for a virtual table whose module reads its columns
    elsewhere. So a schema seen before, in whichever file, is not asked of SQLite again: that takes
    10 ms, for each statement that is planned in a transaction, too.

    A view over a table that is gone has no columns that could be read: it is left out, so that the
    rest, and a DROP VIEW of it, go on.
    """
    schema = tuple(handle.execute(SCHEMA).fetchall())
    kept = _read.get(schema)
    if kept is not None:
        with suppress(KeyError):  # another thread has just dropped it
            _read.move_to_end(schema)
        return kept
    whole = not any(_is_elsewhere(str(sql)) for _, sql in schema)
    try:
        rows = handle.execute(QUERY.format(chosen="")).fetchall()
    except apsw.SQLError:
        rows, whole = [], False
        for (name,) in handle.execute(NAMES).fetchall():
            try:
                rows += handle.execute(QUERY.format(chosen="AND t.name = ?"), (name,)).fetchall()
            except apsw.SQLError:
                continue
    found: dict[str, list[tuple[object, ...]]] = {}
    for row in rows:
        found.setdefault(str(row[0]), []).append(row)
    collated = {str(name) for (name,) in handle.execute(COLLATED).fetchall()}
    tables = {name.lower(): _table(name, rows, name in collated) for name, rows in found.items()}
    if whole:
        _read[schema] = tables
        while len(_read) > SCHEMAS_MAX:
            _read.popitem(last=False)
    return tables


def _is_elsewhere(sql: str) -> bool:
    """Whether a definition is a virtual table's, of a module that may read its columns anywhere."""
    return sql[:14].upper() == "CREATE VIRTUAL" and _FTS5.match(sql) is None


def _table(name: str, rows: list[tuple[object, ...]], collated: bool) -> Table:
    kind, without_rowid = str(rows[0][1]), bool(rows[0][2])
    columns = tuple(
        Column(
            str(r[3]), column_type(name, str(r[3]), r[4]), bool(r[5]) or bool(r[6]),
            EXPRESSIONS.get((name, str(r[3])), str(r[4] or "")),
            None if r[9] is None else str(r[9]),
        )
        for r in rows
        if r[7] != 1
    )  # fmt: skip
    keys = [r for r in rows if r[6]]
    key: str | None = "rowid"
    if kind == "view" or without_rowid:
        key = None
    elif len(keys) == 1 and str(keys[0][4]).upper() == "INTEGER":
        key = str(keys[0][3])
    sql = str(rows[0][8]) if kind == "view" and rows[0][8] else None
    return Table(name, "virtual" if kind == "shadow" else kind, columns, key, sql, collated)


def column_type(table: str | None, column: str | None, declared: object) -> str | None:
    """The logical type of a table's column, by what it declares; None for an expression's."""
    declared = EXPRESSIONS.get((table or "", column or ""), declared)
    kind = logical(str(declared) if declared else None)
    return "FLOAT[]" if kind == "BLOB" and column == "vector" and table in VECTORS else kind


def catalog(database: Database) -> Catalog:
    """The catalog of the file now; kept until the schema changes."""
    with database.read() as handle:
        kept: Catalog | None = database.known_catalog
        if kept is None or kept.version != version(handle):
            if kept is not None:  # plans that were made by it must not outlive it
                database.schema_changed()
            kept = database.known_catalog = read_catalog(handle)
        return kept


def seen_by(database: Database, handle: Handle, redefined: bool) -> Catalog:
    """The catalog as an open transaction has it, which may have changed it (`redefined`)."""
    known: Catalog | None = database.known_catalog
    if known is not None and not redefined and known.version == version(handle):
        return known
    return read_catalog(handle)
