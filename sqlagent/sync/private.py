"""Columns inside a transaction that has written: what its own connection sees, for one cursor.

A copy that is at a log entry which the transaction knows serves as it is, less the rows that the
log names since, plus those rows as the transaction sees them. Any other table is read whole.
(duckdb is imported with this module.)
"""

from __future__ import annotations

import apsw
import duckdb

from sqlagent.sync import build, delta, log
from sqlagent.sync.columns import describe, quoted, reads
from sqlagent.sync.delta import Replica

KEY = quoted("sqlagent key")  # a blank in it: nobody's column is called so


def make(
    cursor: duckdb.DuckDBPyConnection,
    connection: apsw.Connection,
    table: str,
    replica: Replica | None,
    schema: int,
) -> None:
    """A TEMP table or view of `table`, in the cursor's transaction. Raises NotColumnar.

    `replica` is its copy, of a file whose schema_version was `schema`.
    """
    if (
        replica is not None
        and _knows(connection, replica, schema)
        and _overlay(cursor, connection, replica)
    ):
        return
    shape = describe(connection, table)
    physical = quoted(shape.name if not shape.hidden else f"{shape.name} rows")
    build.create(cursor, shape, physical, temp=True)
    build.from_rows(cursor, shape, physical, connection.execute(shape.select))
    if shape.hidden:
        cursor.execute(f"CREATE TEMP VIEW {quoted(shape.name)} AS {reads(shape).format(physical)}")


def _knows(connection: apsw.Connection, replica: Replica, schema: int) -> bool:
    """Whether the transaction's state is the copy's and what the log has since.

    It holds the write lock, so nobody else commits: no copy can be ahead of what it sees. The same
    schema_version: the same columns and triggers, and no VACUUM.
    """
    if not replica.logged or connection.txn_state("main") != apsw.SQLITE_TXN_WRITE:
        return False
    version = connection.execute("PRAGMA schema_version").fetchone()
    span = log.span(connection)
    return (
        version is not None
        and version[0] == schema
        and span is not None
        and span.low <= replica.seq + 1
        and span.high >= replica.seq
    )


def _overlay(
    cursor: duckdb.DuckDBPyConnection, connection: apsw.Connection, replica: Replica
) -> bool:
    """The copy with the transaction's rows laid over it; False where reading all is better."""
    shape = replica.shape
    view = f"CREATE TEMP VIEW {quoted(shape.name)} AS {reads(shape).format(replica.physical)}"
    count, vague = log.entries(connection, replica.seq).get(replica.name, (0, False))
    if vague or replica.too_many(count):
        return False
    if not count:
        cursor.execute(view)
        return True
    if any(f.guessed for f in shape.fields):
        return False  # the transaction may have written values of another type
    changes = delta.read(connection, replica)
    extra = quoted(f"{shape.name} rows")
    build.create(cursor, shape, extra, temp=True)
    cursor.register("sqlagent_rows", changes.rows)
    build.insert(cursor, shape, extra, "sqlagent_rows")
    gone = quoted(f"{shape.name} keys")
    cursor.register("sqlagent_keys", changes.gone())
    cursor.execute(f"CREATE TEMP TABLE {gone} AS SELECT k AS {KEY} FROM sqlagent_keys")
    # An anti join: NOT IN would look for NULLs first, and cost eight times as much.
    kept = f"{view} ANTI JOIN {gone} ON {quoted(shape.key_name)} = {KEY}"
    cursor.execute(f"{kept} UNION ALL {reads(shape).format(extra)}")
    return True
