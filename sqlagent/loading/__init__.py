"""`sqlagent.load(con, path)`: our functions in a connection that somebody else opened.

The functions read and write the file `path` through a connection of ours, whatever the other
connection has open. What writes commits by itself: it is no part of the other's transaction.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sqlagent.connection import Connection, connect
from sqlagent.errors import InterfaceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlagent.context import Context

WANTED = "an apsw.Connection or a duckdb.DuckDBPyConnection"


def load(con: Any, path: str | os.PathLike[str], **settings: Any) -> Connection:
    """Give a connection of APSW's or DuckDB's our functions, over the agent's file `path`.

    Returns our own connection to the file, which the functions use: `SET` on it sets for them, and
    closing it ends them. On APSW arguments go by position; on DuckDB also by name (`k := 5`). The
    file is never opened by DuckDB. `settings` are connect()'s.

    Raises InterfaceError for any other kind of connection.
    """
    module, kind = type(con).__module__.split(".")[0], type(con).__mro__
    names = {(k.__module__.split(".")[0], k.__name__) for k in kind}
    if ("apsw", "Connection") in names:
        from sqlagent.loading.sqlite import register
    elif names & {("_duckdb", "DuckDBPyConnection"), ("duckdb", "DuckDBPyConnection")}:
        from sqlagent.loading.duckdb import register
    else:
        raise InterfaceError(
            f"load() takes {WANTED}, not {module}.{type(con).__name__}",
            hint="sqlite3 takes no table functions: load the extension of `sqlagent extension`."
            if module == "sqlite3"
            else None,
        )
    own = connect(path, **settings)
    try:
        register(con, own)
    except BaseException:
        own.close()
        raise
    return own


def contexts(own: Connection) -> Callable[[], Context]:
    """What gives function bodies their context: a reader of the pool, each time it is needed."""
    from sqlagent.context import Context

    def context() -> Context:
        own._check()
        return Context(own.database, own.settings, None, own)

    return context


def asked(own: Connection, name: str, values: list[Any], *, table: bool = False) -> Any:
    """What a call of a function gives as a statement by itself: a value, or rows."""
    marks = ", ".join("?" * len(values))
    if table:
        return own.execute(f"SELECT * FROM {name}({marks})", values).fetchall()
    return own.execute(f"SELECT {name}({marks})", values).fetchall()[0][0]
