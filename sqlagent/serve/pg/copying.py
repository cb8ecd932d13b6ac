"""COPY … FROM STDIN and TO STDOUT.

What comes in is kept (on disk past a few megabytes) until the client has sent all of it, and then
written in one transaction: a slow client holds up no other writer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from sqlagent.errors import DataError, Error, OperationalError, ProgrammingError
from sqlagent.parse.lexer import quote_name
from sqlagent.serve.pg import copy_read, copy_write, messages
from sqlagent.serve.pg.commands import Command, commands
from sqlagent.serve.pg.copy_options import Copy
from sqlagent.serve.pg.encode import Rows
from sqlagent.serve.pg.messages import ProtocolError
from sqlagent.serve.pg.outcome import Outcome
from sqlagent.serve.pg.sending import put

if TYPE_CHECKING:
    from sqlagent.catalog import Column
    from sqlagent.serve.pg.session import Session

SPOOL_BYTES = 8 << 20
BATCH = 5000
DATA, DONE, FAIL, FLUSH, SYNC = (ord(c) for c in "dcfHS")


def copy_out(session: Session, command: Command) -> Outcome:
    """COPY … TO STDOUT."""
    from sqlagent.serve.pg.execute import describe, execute

    copy: Copy = command.said
    inner = commands(copy.query)[0]
    try:
        description = describe(session, inner, ())
        outcome = execute(session, inner, (), description)
    except Error as error:
        if error.position is not None and copy.table is None:
            error.position += copy.query_start
        elif error.position is not None:
            error.position = None
        error.sql = command.sql
        raise
    try:
        columns = outcome.columns
        if columns is None:
            raise ProgrammingError("COPY query must have a RETURNING clause", sqlstate="0A000")
        binary = copy.form == "binary"
        session.wire.put(messages.copy_response(b"H", binary, len(columns)))
        codec = copy.encoding or session.codec
        encoder = Rows(
            session.said(columns), [int(binary)] * len(columns), codec, session.zone, b"d"
        )
        if binary:
            _binary(session, outcome, encoder)
        else:
            for part in copy_write.lines(copy, columns, outcome, session):
                session.wire.put(part)
        session.wire.put(messages.COPY_DONE)
        return Outcome("COPY", count=outcome.sent)
    finally:
        outcome.close()


def _binary(session: Session, outcome: Outcome, encoder: Rows) -> None:
    """The binary format: a row is a message, and the header is in that of the first row, where some
    readers of it look for both."""
    header = copy_read.SIGNATURE + b"\0\0\0\0\0\0\0\0"
    first = next(outcome.rows, None) if outcome.rows is not None else None
    trailer = messages.message(b"d", b"\xff\xff")
    if first is None:
        # In one message, as PostgreSQL sends it: connectorx does not read a header alone.
        session.wire.put(messages.message(b"d", header + b"\xff\xff"))
        return
    session.wire.put(messages.message(b"d", header, encoder.one(first)[5:]))
    outcome.sent = 1
    # The engine reads ahead in whole pieces: the first of them has one row less here.
    rest = list(islice(outcome.rows or iter(()), 2047))
    put(session, outcome, encoder, rest)
    if len(rest) == 2047:
        parts = outcome.batches(32_768) if outcome.batches is not None else outcome.chunks()
        for part in parts:
            session.check_cancelled()
            put(session, outcome, encoder, part)
    session.wire.put(trailer)


def copy_in(session: Session, command: Command) -> Outcome:
    """COPY … FROM STDIN."""
    copy: Copy = command.said
    columns = _targets(session, copy, command)
    session.transactions.statement(True, "COPY")
    names = ", ".join(quote_name(c.name) for c in columns)
    marks = ", ".join(f"${i}" for i in range(1, len(columns) + 1))
    sql = f"INSERT INTO {quote_name(str(copy.table))} ({names}) VALUES ({marks})"
    from sqlagent.run import plan_of

    plan_of(session.connection, sql)  # what may not be written is refused before it is sent
    session.wire.put(messages.copy_response(b"G", copy.form == "binary", len(columns)))
    session.wire.flush()
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as spool:
        _receive(session, spool)
        spool.seek(0)
        rows = copy_read.rows(copy, columns, spool, copy.encoding or session.codec)
        return Outcome("COPY", count=_insert(session, sql, rows))


def _receive(session: Session, spool: Any) -> None:
    """All that the client sends, until it says that this was all."""
    wire = session.wire
    limit = session.server.limits.result_mb << 24  # of the disk, 16 times that of memory
    total = 0
    while True:
        kind, body = wire.message()
        if kind == DATA:
            total += len(body)
            if limit and total > limit:
                raise OperationalError("COPY has sent more than the limit", sqlstate="54000")
            spool.write(body)
            session.check_cancelled()
        elif kind == DONE:
            return
        elif kind == FAIL:
            reason = messages.Reader(body).cstring(session.codec)
            raise DataError(f"COPY from stdin failed: {reason}", sqlstate="57014")
        elif kind not in (FLUSH, SYNC):
            raise ProtocolError(
                f"unexpected message type 0x{kind:02X} during COPY from stdin", sqlstate="08P01"
            )


def _insert(session: Session, sql: str, rows: Iterator[tuple[Any, ...]]) -> int:
    """Write the rows in one transaction; how many there were."""
    connection = session.connection
    first = list(islice(rows, BATCH))
    if not first:
        return 0
    own = not session.transactions.open
    if own:
        connection.autocommit = False
    count = 0
    try:
        if connection.txn is None:
            connection.begin()
        connection.txn.execute("SAVEPOINT copying")
        try:
            for batch in chain((first,), iter(lambda: list(islice(rows, BATCH)), [])):
                session.check_cancelled()
                connection.executemany(sql, batch)
                count += len(batch)
        except BaseException:
            if connection.txn is not None and connection.txn.in_transaction:
                connection.txn.execute("ROLLBACK TO copying")
                connection.txn.execute("RELEASE copying")
            raise
        connection.txn.execute("RELEASE copying")
        if own:
            connection.commit()
    except BaseException:
        if own:
            connection.rollback()
        raise
    finally:
        if own:
            connection.autocommit = True
    return count


def _targets(session: Session, copy: Copy, command: Command) -> list[Column]:
    """The columns that are written."""
    from sqlagent.serve.pg.describe import catalog_of

    own = session.connection.temporary_tables.get(str(copy.table).lower())
    seen = catalog_of(session.connection, own=own is not None)
    table = seen.table(own or str(copy.table))
    place = next((t.start for t in command.tokens if t.name == copy.table), None)
    if table is None:
        raise ProgrammingError(
            f'relation "{copy.table}" does not exist', sql=command.sql, position=place,
            sqlstate="42P01",
        )  # fmt: skip
    if not copy.columns:
        return list(table.columns)
    found = []
    for name in copy.columns:
        column = table.column(name)
        if column is None:
            raise ProgrammingError(
                f'column "{name}" of relation "{copy.table}" does not exist', sql=command.sql,
                position=next((t.start for t in command.tokens if t.name == name), None),
                sqlstate="42703",
            )  # fmt: skip
        found.append(column)
    return found


HANDLERS: dict[str, Callable[[Any, Command], Outcome]] = {
    "copy_in": copy_in, "copy_out": copy_out,
}  # fmt: skip
