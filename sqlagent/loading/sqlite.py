"""Our functions on an APSW connection of somebody else's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlagent.engines.sqlite_functions import called
from sqlagent.functions import REQUIRED, Function, functions
from sqlagent.loading import asked, contexts
from sqlagent.values import stored
from sqlagent.vtables import table_function

if TYPE_CHECKING:
    from sqlagent.connection import Connection


def register(con: Any, own: Connection) -> None:
    """Give the connection every function: scalars, and tables as eponymous virtual tables."""
    context = contexts(own)
    for function in functions().values():
        if function.kind == "table":
            known = function._replace(call=rows(function, own)) if function.apart else function
            table_function.register(con, known, context)
        elif function.apart or function.kind == "macro":
            con.create_scalar_function(function.name, value(function, own), deterministic=False)
        else:
            con.create_scalar_function(
                function.name, called(function, context), deterministic=function.deterministic
            )


def value(function: Function, own: Connection) -> Any:
    """A scalar that writes, or is an SQL expression: a statement of our own connection."""

    def call(*values: Any) -> Any:
        return stored(asked(own, function.name, list(values)))

    return call


def rows(function: Function, own: Connection) -> Any:
    """The body of a table function that writes or waits: the same."""

    def call(_: Any, *values: Any) -> Iterator[tuple[Any, ...]]:
        given = [None if v is REQUIRED else v for v in values]
        for row in asked(own, function.name, given, table=True):
            yield tuple(map(stored, row))

    return call
