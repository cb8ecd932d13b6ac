"""SQLite's own scalars for DuckDB, as `sqlite_NAME`: what DuckDB lacks, or says otherwise.

Each is the SQLite function itself, run by a connection to no file, so it gives the same on either
engine for any argument: 2 µs a row. (duckdb and pyarrow are imported with this module.)
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import apsw
import duckdb
import pyarrow as pa

from sqlagent.engines.duck_errors import remember

# By the type that each returns.
SCALARS = {
    "VARCHAR": "date time datetime strftime timediff printf char quote soundex unistr unistr_quote "
    "sqlite_version sqlite_source_id json_array_insert json_insert json_patch json_remove "
    "json_replace json_set",
    "DOUBLE": "julianday unixepoch",
    "BIGINT": "json_error_position",
    "BOOLEAN": "glob",
    "BLOB": "randomblob zeroblob",
}
_ARROW = {
    "VARCHAR": pa.string(), "DOUBLE": pa.float64(), "BIGINT": pa.int64(), "BOOLEAN": pa.bool_(),
    "BLOB": pa.binary(),
}  # fmt: skip
_connections = threading.local()


def register(
    cursor: duckdb.DuckDBPyConnection, values: Callable[[pa.ChunkedArray], list[Any]]
) -> list[str]:
    """Make them known to the instance of `cursor`; `values` reads an Arrow column as SQLite's.

    Returns the macros that make those of no argument, to run.
    """
    for kind, found in SCALARS.items():
        for name in found.split():
            _create(cursor, name, kind, values)
    return [
        f"CREATE OR REPLACE MACRO sqlite_{name}() AS sqlite_{name}_of('')"
        for name in ("sqlite_version", "sqlite_source_id")
    ]


def _create(
    cursor: duckdb.DuckDBPyConnection,
    name: str,
    kind: str,
    values: Callable[[pa.ChunkedArray], list[Any]],
) -> None:
    constant = name.startswith("sqlite_")

    def body(*columns: pa.ChunkedArray) -> pa.Array:
        try:
            marks = "" if constant else ", ".join("?" * len(columns))
            sql = f"SELECT {name}({marks})"
            execute = _connection().execute
            rows = zip(*(values(c) for c in columns), strict=True)
            found = [next(execute(sql, () if constant else row))[0] for row in rows]
            if kind == "BOOLEAN":
                found = [None if v is None else bool(v) for v in found]
            elif kind == "DOUBLE":
                found = [None if v is None else float(v) for v in found]
            return pa.array(found, _ARROW[kind])
        except BaseException as error:
            raise remember(error) from None

    cursor.create_function(  # type: ignore[call-overload]  # it takes the enum's names as text
        f"sqlite_{name}_of" if constant else f"sqlite_{name}", body, None, kind, type="arrow",
        null_handling="special", side_effects=name == "randomblob",
    )  # fmt: skip


def _connection() -> apsw.Connection:
    """A connection of this thread's to no file."""
    found: apsw.Connection | None = getattr(_connections, "lite", None)
    if found is None:
        found = _connections.lite = apsw.Connection(":memory:")
    return found
