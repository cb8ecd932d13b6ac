"""PostgreSQL's catalogs, pg_catalog and information_schema, over the engine's own.

`install(connection)` makes them part of what the connection answers: a statement that names them,
or a function of theirs, is rewritten and run over rows that are made from the file's own schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlagent.connection import Connection, Runner


def install(connection: Connection) -> None:
    """Let a connection answer for the catalogs."""
    connection.foreign = runner


def runner(connection: Connection, sql: str) -> Runner | None:
    """What runs a statement over the catalogs; None where it is not about them."""
    from sqlagent.serve.pg.catalog.asked import asks

    if not asks(sql, connection):
        return None
    from sqlagent.serve.pg.catalog.answer import Answer

    return Answer(connection, sql)
