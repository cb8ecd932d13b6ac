"""Rows of SQLite as Arrow, in their logical types. Imported on first use: pyarrow costs 100 ms."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from sqlagent.types import fields, is_list, is_struct

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
    if logical.startswith("FLOAT["):
        size = logical[6:-1]
        return pa.list_(pa.float32(), int(size)) if size else pa.list_(pa.float32())
    if is_list(logical):
        inner = arrow_type(logical[: logical.rindex("[")])
        return None if inner is None else pa.list_(inner)
    if is_struct(logical):
        parts = [(name, arrow_type(part)) for name, part in fields(logical)]
        return None if any(t is None for _, t in parts) else pa.struct(parts)
    return TYPES.get(logical)


def column_of(values: list[Any], logical: str | None) -> pa.Array:
    """A column; a value that does not fit its declared type makes the column text."""
    kind = arrow_type(logical)
    if logical is not None and logical.startswith("DECIMAL("):
        values = [None if v is None else Decimal(str(v)) for v in values]
    if logical is not None and "UUID" in logical:
        values = [_without_uuids(v) for v in values]
    try:
        return pa.array(values, type=kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        try:
            return pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            return pa.array([None if v is None else str(v) for v in values])


def _without_uuids(value: Any) -> Any:
    """A value in which UUIDs are texts, since Arrow's older readers know no others."""
    if isinstance(value, list):
        return [_without_uuids(v) for v in value]
    if isinstance(value, dict):
        return {k: _without_uuids(v) for k, v in value.items()}
    return str(value) if type(value).__name__ == "UUID" else value


def alike(table: pa.Table, columns: Sequence[tuple[str, str]]) -> pa.Table:
    """An Arrow table of DuckDB's with the names and types that the rows of SQLite have."""
    arrays = []
    for array, (_, kind) in zip(table.columns, columns, strict=True):
        wanted = arrow_type(kind)
        if wanted is not None and array.type != wanted:
            with contextlib.suppress(pa.ArrowNotImplementedError):
                array = array.cast(wanted)
        arrays.append(array)
    return pa.Table.from_arrays(arrays, names=[name for name, _ in columns])


def table_of(columns: Sequence[tuple[str, str | None]], rows: list[tuple[Any, ...]]) -> pa.Table:
    """A table of rows; columns of the same name are kept apart by position."""
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    arrays = [column_of(list(v), kind) for v, (_, kind) in zip(values, columns, strict=True)]
    return pa.Table.from_arrays(arrays, names=[name for name, _ in columns])
