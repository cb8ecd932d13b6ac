"""Sizes and row counts of tables, for questions that ask for them: counted in the file's pages.

SQLite's dbstat walks every page: 160 MB take 0.05 s of CPU. In a file past BYTES_MAX only the
number of rows is said, by the highest rowid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import apsw

from sqlagent.engines import sequences
from sqlagent.parse.lexer import quote_name
from sqlagent.run.writing import limited, open_handle

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlagent.connection import Connection
    from sqlagent.engines.writer import Handle

BYTES_MAX = 2 << 30
# A question with one of these words needs the values of now.
_WORDS = (
    "relation_size", "table_size", "indexes_size", "reltuples", "relpages", "n_live_tup",
    "pg_stat_user_tables", "pg_stat_all_tables",
)  # fmt: skip
_LAST = ("pg_sequences", "pg_sequence_last_value")
_PAGES = """SELECT s.name, coalesce(m.tbl_name, s.name), m.type, sum(s.pgsize),
  sum(CASE WHEN s.pagetype = 'leaf' OR m.type = 'index' OR t.wr THEN s.ncell ELSE 0 END), count(*)
FROM dbstat AS s LEFT JOIN sqlite_schema AS m ON m.name = s.name
LEFT JOIN pragma_table_list AS t ON t.schema = 'main' AND t.name = s.name GROUP BY s.name"""
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
Maps = dict[str, dict[int, int]]
EMPTY: Maps = {"sizes": {}, "totals": {}, "index_sizes": {}, "tuples": {}, "pages": {},
               "last_values": {}}  # fmt: skip


def asked(sql: str) -> frozenset[str]:
    """What of it a question asks for: 'sizes', 'last_values'."""
    text = sql.lower()
    found = {"sizes"} if any(word in text for word in _WORDS) else set()
    return frozenset(found | ({"last_values"} if any(word in text for word in _LAST) else set()))


def now(connection: Connection, wanted: frozenset[str], oids: dict[str, int]) -> Maps:
    """The values by oid, of the relations in `oids`, by lower-case name: those that are seen."""
    found: Maps = {}
    if "sizes" in wanted:
        found |= _read(connection, lambda handle: _sizes(handle, oids))
    if "last_values" in wanted:
        found["last_values"] = _read(connection, lambda handle: _last(handle, oids))
    return found


def _read(connection: Connection, work: Callable[[Handle], Any]) -> Any:
    if connection.txn is not None:
        with connection.txn_lock:
            handle = open_handle(connection, check=False)
            with limited(connection, handle):
                return work(handle)
    with connection.database.read() as handle, limited(connection, handle):
        return work(handle)


def _last(handle: Handle, oids: dict[str, int]) -> dict[int, int]:
    return {
        oids[s.name.lower()]: s.last_value
        for s in sequences.kept(handle)
        if s.is_called and s.name.lower() in oids
    }


def _sizes(handle: Handle, oids: dict[str, int]) -> Maps:
    made: Maps = {name: {} for name in EMPTY if name != "last_values"}
    pages, size = (
        int(handle.execute(f"PRAGMA {what}").fetchall()[0][0])
        for what in ("page_count", "page_size")
    )
    try:
        rows = handle.execute(_PAGES).fetchall() if pages * size <= BYTES_MAX else None
    except apsw.SQLError:
        rows = None  # an SQLite that was built without it
    if rows is None:
        return made | {"tuples": _counted(handle, oids)}
    for name, owner, kind, held, cells, count in rows:
        number, table = oids.get(str(name).lower()), oids.get(str(owner).lower())
        if number is not None:
            made["sizes"][number], made["pages"][number] = int(held), int(count)
            made["tuples"][number] = int(cells)
        if table is not None:
            made["totals"][table] = made["totals"].get(table, 0) + int(held)
            if kind != "table":
                made["index_sizes"][table] = made["index_sizes"].get(table, 0) + int(held)
    return made


def _counted(handle: Handle, oids: dict[str, int]) -> dict[int, int]:
    found = {}
    for (name,) in handle.execute(_TABLES).fetchall():
        number = oids.get(str(name).lower())
        if number is None:
            continue
        try:
            rows = handle.execute(f"SELECT max(rowid) FROM {quote_name(str(name))}").fetchall()
        except apsw.SQLError:
            continue  # WITHOUT ROWID, or a module that is not here
        found[number] = int(rows[0][0] or 0)
    return found
