"""What users defined, in the file: rows of `sqlagent_definitions`, read and written.

Plans and catalogs are kept by SQLite's schema version, so whoever changes a definition changes that
too, in the same transaction: every connection and process then plans anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw

from sqlagent.catalog import Column, Definition, Table

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

# How a relation that SQLite does not have is called in the catalog.
KINDS = {"view": "query", "materialized view": "materialized", "columns": "columns"}
RELATIONS = tuple(KINDS)
MACROS = ("macro", "table macro")
GRAPH = "property graph"  # kept in a table of its own


def bump(handle: Handle) -> None:
    """Change SQLite's schema version, in the transaction that is open."""
    handle.execute("CREATE TABLE sqlagent_bump (a)")
    handle.execute("DROP TABLE sqlagent_bump")


def define(handle: Handle, definition: Definition, *, replace: bool = False) -> None:
    """Keep a definition, in the caller's transaction.

    `replace` overwrites the one of the same name, kind and number of parameters; without,
    apsw.ConstraintError says that there is one.
    """
    import json

    if definition.kind == GRAPH:
        verb = "INSERT OR REPLACE" if replace else "INSERT"
        values = (definition.name, definition.sql)
        handle.execute(f"{verb} INTO sqlagent_graphs (name, sql) VALUES (?, ?)", values)
        bump(handle)
        return
    columns = None
    if definition.kind in KINDS:
        columns = json.dumps([[c.name, c.type, c.not_null] for c in definition.columns])
    handle.execute(
        f"INSERT {'OR REPLACE ' if replace else ''}INTO sqlagent_definitions"
        " (name, kind, parameters, sql, dialect, columns) VALUES (?, ?, ?, ?, ?, ?)",
        (
            definition.name, definition.kind, definition.parameters, definition.sql,
            definition.dialect, columns,
        ),
    )  # fmt: skip
    bump(handle)


def undefine(handle: Handle, name: str, kinds: tuple[str, ...]) -> int:
    """Forget every definition of a name among `kinds`; how many there were."""
    marks = ", ".join("?" * len(kinds))
    handle.execute(
        f"DELETE FROM sqlagent_definitions WHERE name = ? AND kind IN ({marks})", (name, *kinds)
    )
    gone = int(handle.changes())
    if GRAPH in kinds:
        handle.execute("DELETE FROM sqlagent_graphs WHERE name = ?", (name,))
        gone += int(handle.changes())
    if gone:
        bump(handle)
    return gone


def graphs(handle: Handle) -> dict[str, Definition]:
    """The graphs by lower-case name; none in a file of a version that had no such table."""
    try:
        rows = handle.execute("SELECT name, sql FROM sqlagent_graphs").fetchall()
    except apsw.SQLError:
        return {}
    return {name.lower(): Definition(name, GRAPH, sql) for name, sql in rows}


def read(handle: Handle) -> dict[str, tuple[Definition, ...]]:
    """The definitions by lower-case name; none in a file of a version that had no such table."""
    import json

    try:
        rows = handle.execute(
            "SELECT name, kind, sql, dialect, parameters, columns FROM sqlagent_definitions"
            " ORDER BY name, kind, parameters"
        ).fetchall()
    except apsw.SQLError:
        return {}
    found: dict[str, tuple[Definition, ...]] = {}
    for name, kind, sql, dialect, parameters, columns in rows:
        shown = tuple(Column(*column) for column in json.loads(columns)) if columns else ()
        made = Definition(name, kind, sql, dialect, parameters, shown)
        found[name.lower()] = (*found.get(name.lower(), ()), made)
    return found


def relations(definitions: dict[str, tuple[Definition, ...]]) -> dict[str, Table]:
    """Those of them that are read by name, as the catalog lists them."""
    return {
        name: Table(d.name, KINDS[d.kind], d.columns, None, d.sql)
        for name, several in definitions.items()
        for d in several
        if d.kind in KINDS
    }
