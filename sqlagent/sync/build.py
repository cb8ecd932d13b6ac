"""Making the copy of a whole table: as Arrow, or, where it is large, by way of a file of its own.

DuckDB's sqlite scanner reads several times as fast as rows cross Python, but it is a second SQLite
library in the process: on the live file it would drop SQLite's locks. So the table is copied,
inside the read transaction, to a temporary file that nobody else has open, and the scanner reads
that.
(duckdb is imported with this module.)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from sqlagent.sync.columns import NotColumnar, Shape, literal, quoted, to_arrow

if TYPE_CHECKING:
    import apsw

BATCH_ROWS = 20_000
# Below these, loading the scanner (0.2 s, once) and the file's round trip cost more than they save.
ROWS_WITH_SCANNER = 20_000
ROWS_WITHOUT_SCANNER = 100_000
SCHEMA = "columns"


def is_large(connection: apsw.Connection, shape: Shape, scanner_loaded: bool) -> bool:
    """Whether a table should go by way of a file; a guess from its rowids, which costs nothing."""
    if shape.key is None or any(f.stored == "VECTOR" for f in shape.fields):
        return False
    low, high = connection.execute(
        f"SELECT (SELECT min({shape.key}) FROM {quoted(shape.name)}),"
        f" (SELECT max({shape.key}) FROM {quoted(shape.name)})"
    ).fetchone() or (None, None)
    limit = ROWS_WITH_SCANNER if scanner_loaded else ROWS_WITHOUT_SCANNER
    return low is not None and high - low >= limit


def create(
    cursor: duckdb.DuckDBPyConnection, shape: Shape, physical: str, *, temp: bool = False
) -> None:
    """The empty copy of a table; `physical` is its quoted name."""
    columns = ", ".join(f"{quoted(n)} {t}" for n, t in shape.columns())
    cursor.execute(f"CREATE {'TEMP ' if temp else ''}TABLE {physical} ({columns})")


def insert(cursor: duckdb.DuckDBPyConnection, shape: Shape, physical: str, source: str) -> None:
    """Append `source`, which has the columns `k, c0, …`, cast. Raises NotColumnar."""
    try:
        cursor.execute(f"INSERT INTO {physical} SELECT {', '.join(shape.casts())} FROM {source}")
    except (duckdb.DataError, duckdb.InvalidInputException, duckdb.TypeMismatchException) as error:
        raise NotColumnar(shape.name, reason(error)) from None
    except UnicodeDecodeError:  # DuckDB's message quotes the bytes that it could not read
        raise NotColumnar(shape.name, "a value is not of its declared type") from None


def reason(error: Exception) -> str:
    """The first line of DuckDB's message, in our manner."""
    text = str(error).split("\n")[0].partition("Error: ")[2] or str(error)
    return text[:1].lower() + text[1:200]


def from_rows(
    cursor: duckdb.DuckDBPyConnection,
    shape: Shape,
    physical: str,
    rows: Iterable[tuple[Any, ...]],
) -> None:
    """Append rows of `shape.select`, a batch at a time. Raises NotColumnar."""
    source = iter(rows)
    try:
        while batch := list(itertools.islice(source, BATCH_ROWS)):
            cursor.register("sqlagent_batch", to_arrow(shape, batch))
            try:
                insert(cursor, shape, physical, "sqlagent_batch")
            finally:
                cursor.unregister("sqlagent_batch")
    except UnicodeDecodeError:
        raise NotColumnar(shape.name, "a text is not UTF-8") from None


def copy_out(connection: apsw.Connection, shape: Shape, target: str) -> None:
    """Copy a table to `target`, attached, with the types that the scanner checks."""
    blobs = [f.name for f in shape.fields if f.stored == "BLOB"]
    if blobs:  # the scanner would take anything for a BLOB
        odd = " OR ".join(f"typeof({quoted(b)}) NOT IN ('blob', 'null')" for b in blobs)
        if connection.execute(f"SELECT 1 FROM {quoted(shape.name)} WHERE {odd} LIMIT 1").fetchone():
            raise NotColumnar(shape.name, f"a value in {', '.join(blobs)} is no BLOB")
    columns = ", ".join(f"c{i} {f.stored}" for i, f in enumerate(shape.fields))
    connection.execute(f"CREATE TABLE {target} (k INTEGER, {columns})")
    connection.execute(f"INSERT INTO {target} {shape.select}")


def from_file(
    cursor: duckdb.DuckDBPyConnection, shape: Shape, physical: str, path: Path, table: str
) -> None:
    """Append what `copy_out` wrote. Raises NotColumnar."""
    insert(cursor, shape, physical, f"sqlite_scan({literal(str(path))}, {literal(table)})")
