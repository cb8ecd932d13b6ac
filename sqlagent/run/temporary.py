"""Temporary tables of a connection: tables of the file that end with it.

Their names in the file begin with `plan.postgres.tables.TEMPORARY` and the number of the process:
what a process left that was killed is found, and dropped, by the next that makes one.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from sqlagent.engines import schema
from sqlagent.errors import Error
from sqlagent.parse.lexer import quote_name
from sqlagent.plan.postgres.tables import TEMPORARY

if TYPE_CHECKING:
    from sqlagent.connection import Connection


def drop_own(connection: Connection) -> None:
    """Drop the connection's own; what cannot be dropped now is left over, see `drop_left`."""
    connection.autocommit = True  # each is a transaction: one left open would keep the writer
    for real in connection.temporary_tables.values():
        _drop(connection, real)
    connection.temporary_tables.clear()


def drop_left(connection: Connection) -> None:
    """Drop the temporary tables of processes that are no more."""
    if connection.txn is not None or connection.database.read_only:
        return
    for table in list(schema.catalog(connection.database).tables.values()):
        if not table.name.startswith(TEMPORARY):
            continue
        number = table.name[len(TEMPORARY) :].partition("_")[0]
        if number.isdigit() and not _alive(int(number)):
            _drop(connection, table.name)


def _drop(connection: Connection, real: str) -> None:
    from sqlagent.cursor import Cursor
    from sqlagent.run import make, plan_of

    with contextlib.suppress(Error):
        planned = plan_of(connection, f"DROP TABLE IF EXISTS {quote_name(real)}", spelled=True)
        make(connection.database, planned)(connection, Cursor(connection), ())


def _alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
