"""sqlagent: the database that an AI agent lives in, reached with nothing but SQL.

>>> import sqlagent
>>> con = sqlagent.connect(":memory:")
>>> con.execute("SELECT remember('ada', 'The parcel is in locker 17')").fetchone()
(1,)

PEP 249 (DB-API 2.0) with `.arrow()`, `.df()` and `.pl()` beside `.fetchall()`. Importing it
imports no engine but SQLite's; DuckDB, numpy, Arrow and the rest come with the first statement
that needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent.connection import Connection, connect
from sqlagent.cursor import (
    Binary,
    Cursor,
    Date,
    DateFromTicks,
    Time,
    TimeFromTicks,
    Timestamp,
    TimestampFromTicks,
)
from sqlagent.errors import (
    BusyError,
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    InterruptedError,
    MigrationError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,
)
from sqlagent.types import BINARY, DATETIME, NUMBER, ROWID, STRING

__version__ = "0.4.0"

apilevel = "2.0"
threadsafety = 2  # threads may share the module and connections
paramstyle = "qmark"  # `:name` and `$name` are taken as well

if TYPE_CHECKING:
    import os


def load(con: Any, path: str | os.PathLike[str], **settings: Any) -> Connection:
    """Give a connection of APSW's or DuckDB's our functions over the file `path`: see
    `sqlagent.loading`."""
    from sqlagent.loading import load

    return load(con, path, **settings)


__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "BusyError",
    "Connection",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "InterruptedError",
    "MigrationError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Warning",
    "apilevel",
    "connect",
    "load",
    "paramstyle",
    "threadsafety",
]
