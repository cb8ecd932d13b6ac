"""Our functions on an APSW connection: scalars as SQLite functions, tables as virtual tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlagent.context import Context
from sqlagent.errors import ProgrammingError
from sqlagent.functions import Function, complete, functions, invoke

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database, Handle


def ensure(handle: Handle, database: Database) -> None:
    """Give a connection all functions of ours, once."""
    if handle.functions_ready:
        return
    from sqlagent.vtables import table_function

    def context() -> Context:
        owner = handle.owner
        settings = owner.settings if owner is not None else {}
        return Context(database, settings, handle)

    for function in functions().values():
        if function.kind == "table" and not function.apart:
            table_function.register(handle, function, context)
        elif function.kind != "macro":
            body = refused(function) if function.apart else called(function, context)
            if function.within_writes:
                body = written(function, context, body)
            handle.create_scalar_function(
                function.name, body, deterministic=function.deterministic and not function.apart
            )
    handle.functions_ready = True


def called(function: Function, context: Callable[[], Context]) -> Callable[..., Any]:
    """The body as SQLite calls it."""

    def call(*values: Any) -> Any:
        return invoke(function, context(), complete(function, values))

    return call


def written(
    function: Function, context: Callable[[], Context], refuse: Callable[..., Any]
) -> Callable[..., Any]:
    """The body within a statement of the writer's, a refusal elsewhere."""
    call = called(function, context)

    def choose(*values: Any) -> Any:
        made = context()
        within = made.handle is not None and made.handle is made.database._writer
        return call(*values) if within else refuse(*values)

    return choose


def refused(function: Function) -> Callable[..., Any]:
    """A function that writes cannot run inside a reader's statement: it would meet a stale
    snapshot."""

    def refuse(*_: Any) -> Any:
        raise ProgrammingError(
            f"{function.name} writes, and stands where only reading is possible",
            hint=f"SELECT {function.name}(…) or SELECT {function.name}(…) FROM table",
        )

    return refuse
