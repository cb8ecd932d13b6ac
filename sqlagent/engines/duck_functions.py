"""Our functions on DuckDB: scalars as Arrow UDFs, tables as `unnest` of a STRUCT[] behind a macro.

A UDF takes any types, so that a body sees the value that it would see on SQLite, and refuses what
it would refuse there. (duckdb and pyarrow are imported with this module.)
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from sqlagent.engines import duck_sqlite
from sqlagent.engines.duck_errors import remember
from sqlagent.functions import Function, Later, complete, invoke
from sqlagent.sync.log import quoted
from sqlagent.values import stored

Contexts = Callable[[], Any]


def register(
    cursor: duckdb.DuckDBPyConnection, functions: Mapping[str, Function], context: Contexts
) -> None:
    """Make our functions known to the instance of `cursor`; macros are inlined elsewhere."""
    macros = duck_sqlite.register(cursor, _values)
    for function in functions.values():
        if function.apart or function.kind == "macro":
            continue
        if function.kind == "table":
            macros.append(_table(cursor, function, context))
        else:
            macros += _scalar(cursor, function, context)
    cursor.execute(";".join(macros))  # in one text: a third less than one by one


def _scalar(cursor: duckdb.DuckDBPyConnection, function: Function, context: Contexts) -> list[str]:
    """Make the UDF; the macros that it still needs."""
    kind = {"ANY": "VARCHAR"}.get(function.returns, function.returns)
    vector = kind.startswith("FLOAT[")

    def one(values: tuple[Any, ...]) -> Any:
        result = invoke(function, context(), complete(function, values))
        if vector and isinstance(result, bytes):
            return memoryview(result).cast("f").tolist()
        return _returned(result, kind)

    return _create(cursor, function, function.name, kind, one)


def _table(cursor: duckdb.DuckDBPyConnection, function: Function, context: Contexts) -> str:
    """Make the UDF; the macro that is the table function."""
    names = [n for n, _ in function.columns]
    kinds = [k for _, k in function.columns]
    kind = f"STRUCT({', '.join(f'{quoted(n)} {k}' for n, k in function.columns)})[]"

    def one(values: tuple[Any, ...]) -> Any:
        rows = invoke(function, context(), complete(function, values))
        return [
            {n: _returned(v, k) for n, k, v in zip(names, kinds, row, strict=True)}
            for row in rows or ()
        ]

    inner = f"sqlagent_{function.name}"
    _create(cursor, function, inner, kind, one)
    given = ", ".join(quoted(p.name) for p in function.parameters)
    call = f"{quoted(inner)}({given})" if given else f"{quoted(inner)}(0)"
    return (
        f"CREATE OR REPLACE MACRO {quoted(function.name)}({given}) AS TABLE"
        f" SELECT unnest({call}, recursive := true)"
    )


def _create(
    cursor: duckdb.DuckDBPyConnection,
    function: Function,
    name: str,
    kind: str,
    one: Callable[[tuple[Any, ...]], Any],
) -> list[str]:
    """Make an Arrow UDF that calls `one` for each row, with the exceptions kept; its macro, where
    it needs one."""
    arrow_type = pa_type(cursor, kind)
    bare = not function.parameters

    def body(*columns: Any) -> Any:
        try:
            rows = zip(*(_values(c) for c in columns), strict=True)
            return pa.array([one(() if bare else row) for row in rows], arrow_type)
        except BaseException as error:
            raise remember(error) from None

    # Without an argument Arrow would not say how many rows there are.
    wrapped = bare and function.kind == "scalar"
    label = f"sqlagent_{name}" if wrapped else name
    cursor.create_function(  # type: ignore[call-overload]  # it takes the enum's names as text
        label, body, None, kind, type="arrow", null_handling="special",
        side_effects=not function.deterministic,
    )  # fmt: skip
    return [f"CREATE OR REPLACE MACRO {quoted(name)}() AS {quoted(label)}(0)"] if wrapped else []


_types: dict[str, pa.DataType] = {}  # asked once in a process: half of what a start would cost


def pa_type(cursor: duckdb.DuckDBPyConnection, kind: str) -> pa.DataType:
    """The Arrow type that DuckDB takes for a type of its own."""
    found = _types.get(kind)
    if found is None:
        found = cursor.execute(f"SELECT NULL::{kind} AS v").to_arrow_table().schema.field(0).type
        _types[kind] = found
    return found


def _values(column: pa.ChunkedArray) -> list[Any]:
    """An Arrow column as SQLite's values: times as text, lists of numbers as float32 bytes."""
    kind = column.type
    plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_string(kind)
    values: list[Any] = column.to_pylist()
    return values if plain else [_given(v) for v in values]


def _given(value: Any) -> Any:
    if isinstance(value, Decimal):  # HUGEINT, or a literal such as 2.5
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, datetime.timedelta):
        return str(value)
    if isinstance(value, list):
        return stored([_given(v) if isinstance(v, Decimal) else v for v in value])
    return stored(value)


def _returned(value: Any, kind: str) -> Any:
    """A value of a body as Arrow takes it for a logical type."""
    if type(value) is Later:
        value = value.make()
    if value is None or not isinstance(value, str | bytes | int):
        return value
    if kind == "TIMESTAMP" and isinstance(value, str):
        found = datetime.datetime.fromisoformat(value)
        return found.astimezone(datetime.UTC).replace(tzinfo=None) if found.tzinfo else found
    if kind == "DATE" and isinstance(value, str):
        return datetime.date.fromisoformat(value[:10])
    if kind == "BOOLEAN":
        return bool(value)
    if kind.startswith("FLOAT[") and isinstance(value, bytes):
        return memoryview(value).cast("f").tolist()
    return value
