"""Functions on DuckDB that SQLite itself computes: what DuckDB has no exact words for.

How a REAL is written as text, or which number a text begins with, is decided by SQLite's own code,
over a database in memory. (duckdb and pyarrow are imported with this module.)
"""

from __future__ import annotations

import threading
from typing import Any

import apsw
import duckdb
import pyarrow as pa

from sqlagent.engines.duck_errors import remember

# name: SQLite's expression over ?1, ?2, …, and the type that it gives.
ASKED: dict[str, tuple[str, str]] = {
    "lite_text": ("CAST(?1 AS TEXT)", "VARCHAR"),
    "lite_integer": ("CAST(?1 AS INTEGER)", "BIGINT"),
    "lite_real": ("CAST(?1 AS REAL)", "DOUBLE"),
    "lite_round": ("round(?1, ?2)", "DOUBLE"),
    "lite_substr": ("substr(?1, ?2)", "VARCHAR"),
    "lite_substr_of": ("substr(?1, ?2, ?3)", "VARCHAR"),
    "lite_trim": ("trim(?1, ?2)", "VARCHAR"),
    "lite_ltrim": ("ltrim(?1, ?2)", "VARCHAR"),
    "lite_rtrim": ("rtrim(?1, ?2)", "VARCHAR"),
    "lite_replace": ("replace(?1, ?2, ?3)", "VARCHAR"),
    "lite_instr": ("instr(?1, ?2)", "BIGINT"),
    "lite_hex": ("hex(?1)", "VARCHAR"),
    "lite_unicode": ("unicode(?1)", "BIGINT"),
    "lite_left": ("?1 << ?2", "BIGINT"),
    "lite_right": ("?1 >> ?2", "BIGINT"),
    "lite_glob": ("glob(?1, ?2)", "BIGINT"),
    "lite_like": ("like(?1, ?2, ?3)", "BIGINT"),
}
_ARROW = {"BIGINT": pa.int64(), "DOUBLE": pa.float64(), "VARCHAR": pa.string()}


class _Asked(threading.local):
    """A connection in memory a thread: DuckDB calls from several."""

    def __init__(self) -> None:
        self.connection = apsw.Connection(":memory:")


_asked = _Asked()


def register(cursor: duckdb.DuckDBPyConnection) -> None:
    """Make the functions known to the instance of `cursor`."""
    for name, (expression, returned) in ASKED.items():
        cursor.create_function(  # type: ignore[call-overload]  # it takes the enum's names as text
            name, _body(f"SELECT {expression}", _ARROW[returned]), None, returned,
            type="arrow", null_handling="special",
        )  # fmt: skip


def _body(sql: str, kind: pa.DataType) -> Any:
    """What SQLite gives for each row of Arrow columns."""

    def body(*columns: Any) -> Any:
        try:
            rows = zip(*(c.to_pylist() for c in columns), strict=True)
            found = [row[0] for row in _asked.connection.executemany(sql, rows)]
            return pa.array(found, kind)
        except BaseException as error:
            raise remember(error) from None

    return body
