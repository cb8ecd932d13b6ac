"""Our functions on a DuckDB connection of somebody else's: each a function written in Python behind
a macro, which has the names and the defaults of its arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sqlagent.engines import duck_functions as duck
from sqlagent.errors import Error
from sqlagent.functions import Function, functions, invoke
from sqlagent.loading import asked, contexts
from sqlagent.sync.log import quoted

if TYPE_CHECKING:
    from sqlagent.connection import Connection


def register(con: Any, own: Connection) -> None:
    """Make every function known to the instance of the connection."""
    for function in functions().values():
        if function.kind == "macro":
            _macro(con, function)
        else:
            _called(con, function, own)


def _macro(con: Any, function: Function) -> None:
    given = ", ".join(
        quoted(p.name) if p.required else f"{quoted(p.name)} := {p.default}"
        for p in function.parameters
    )
    con.execute(f"CREATE OR REPLACE TEMP MACRO {function.name}({given}) AS {function.body_sql}")


def _called(con: Any, function: Function, own: Connection) -> None:
    table = function.kind == "table"
    kind = {"ANY": "VARCHAR"}.get(function.returns, function.returns)
    if table:
        columns = ", ".join(f"{quoted(n)} {k}" for n, k in function.columns)
        kind = f"STRUCT({columns})[]"
    one = _rows(function, own) if table else _value(function, own, kind)
    inner = f"sqlagent_{function.name}"
    _create(con, inner, kind, one, bare=not function.parameters)
    names = [quoted(p.name) for p in function.parameters]
    given = ", ".join(
        name if p.required else f"{name} := NULL"
        for name, p in zip(names, function.parameters, strict=True)
    )
    call = f"{quoted(inner)}({', '.join(names) or '0'})"
    body = f"TABLE SELECT unnest({call}, recursive := true)" if table else call
    con.execute(f"CREATE OR REPLACE TEMP MACRO {quoted(function.name)}({given}) AS {body}")


def _create(con: Any, name: str, kind: str, one: Any, bare: bool) -> None:
    """A function of any arguments; without one Arrow would not say how many rows there are.

    It has side effects for DuckDB: the file may be another at the next call.
    """

    def body(*columns: Any) -> Any:
        try:
            rows = zip(*(duck._values(column) for column in columns), strict=True)
            return pa.array([one(() if bare else row) for row in rows], arrow_type)
        except Error as error:  # DuckDB shows the text alone
            raise type(error)(str(error)) from None

    arrow_type = duck.pa_type(con, kind)
    con.create_function(name, body, None, kind, type="arrow", null_handling="special",
                        side_effects=True)  # fmt: skip


def _result(function: Function, own: Connection, values: tuple[Any, ...], table: bool) -> Any:
    if any(v is None for v, p in zip(values, function.parameters, strict=False) if p.required):
        return None
    if function.apart:
        return asked(own, function.name, list(values), table=table)
    return invoke(function, contexts(own)(), values[: len(function.parameters)])


def _value(function: Function, own: Connection, kind: str) -> Any:
    vector = kind.startswith("FLOAT[")

    def one(values: tuple[Any, ...]) -> Any:
        result = _result(function, own, values, False)
        if vector and isinstance(result, bytes):
            return memoryview(result).cast("f").tolist()
        return duck._returned(result, kind)

    return one


def _rows(function: Function, own: Connection) -> Any:
    names = [n for n, _ in function.columns]
    kinds = [k for _, k in function.columns]

    def one(values: tuple[Any, ...]) -> Any:
        rows = _result(function, own, values, True)
        return [
            {n: duck._returned(v, k) for n, k, v in zip(names, kinds, row, strict=True)}
            for row in rows or ()
        ]

    return one
