"""Rows of SQLite as Arrow, in their logical types. Imported on first use: pyarrow costs 100 ms."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

TYPES = {
    "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "VARCHAR": pa.string(), "JSON": pa.string(),
    "BLOB": pa.binary(), "BOOLEAN": pa.bool_(), "TIMESTAMP": pa.timestamp("us"),
    "DATE": pa.date32(), "TIME": pa.time64("us"), "UUID": pa.string(),
    "HUGEINT": pa.decimal128(38, 0), "INTERVAL": pa.month_day_nano_interval(),
}  # fmt: skip


def arrow_type(logical: str | None) -> pa.DataType | None:
    """The Arrow type of a logical type; None where the values decide."""
    if logical is None:
        return None
    if logical.startswith("DECIMAL("):
        precision, scale = logical[8:-1].split(",")
        return pa.decimal128(int(precision), int(scale))
    return TYPES.get(logical)


def column_of(values: list[Any], logical: str | None) -> pa.Array:
    """A column; a value that does not fit its declared type makes the column text."""
    kind = arrow_type(logical)
    if logical is not None and logical.startswith("DECIMAL("):
        values = [None if v is None else Decimal(str(v)) for v in values]
    try:
        return pa.array(values, type=kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        try:
            return pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            return pa.array([None if v is None else str(v) for v in values])


def alike(table: pa.Table, columns: Sequence[tuple[str, str]]) -> pa.Table:
    """An Arrow table of DuckDB's with the names and types that the rows of SQLite have."""
    arrays = []
    for array, (_, kind) in zip(table.columns, columns, strict=True):
        wanted = arrow_type(kind)
        arrays.append(array if wanted is None or array.type == wanted else array.cast(wanted))
    return pa.Table.from_arrays(arrays, names=[name for name, _ in columns])


def table_of(columns: Sequence[tuple[str, str | None]], rows: list[tuple[Any, ...]]) -> pa.Table:
    """A table of rows; columns of the same name are kept apart by position."""
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    arrays = [column_of(list(v), kind) for v, (_, kind) in zip(values, columns, strict=True)]
    return pa.Table.from_arrays(arrays, names=[name for name, _ in columns])
