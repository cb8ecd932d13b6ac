"""Point reads that the loop answers itself: a prepared statement that is known to be quick.

A read is quick once a worker has run it in less than QUICK_MS with few rows. It is then run on a
reader of the loop's own, whose progress handler ends it after BOUND_S: whatever is not quick after
all, or goes wrong, is left to a worker, who runs it again from its start.
"""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlagent.run.lite import LiteRead, plain
from sqlagent.run.offer import Timed
from sqlagent.serve.pg import messages
from sqlagent.serve.pg.messages import Reader
from sqlagent.serve.pg.tags import complete

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database
    from sqlagent.serve.pg.portals import Statement
    from sqlagent.serve.pg.session import Session

QUICK_MS = 1.0
BOUND_S = 0.005
ROWS_MAX = 64
EXECUTE, SYNC = b"E\0\0\0\x09\0", b"S\0\0\0\4"
STEPS = 1000  # of SQLite's machine, between two looks at the clock


class Fast:
    """Answers for one listener; only its loop uses it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._handle: Any = None
        self._end = 0.0
        self.answered = 0

    def answer(self, session: Session) -> bool:
        """Whether all that a client has sent is answered, in what its wire is to send."""
        wire = session.wire
        buffer, at = wire.buffer, wire.at
        if not buffer or buffer[at] != 66 or session.skipping:  # Bind
            return False
        size = len(buffer)
        end = at + 1 + int.from_bytes(buffer[at + 1 : at + 5], "big")
        if end + 5 > size:
            return False
        body = end
        described = buffer[body] == 68  # Describe
        if described:
            if buffer[body + 5] != 80:  # a statement, not a portal
                return False
            body += 1 + int.from_bytes(buffer[body + 1 : body + 5], "big")
        # Execute of the unnamed portal, Sync, and nothing more.
        if size - body != 15 or buffer[body : body + 6] != EXECUTE or buffer[-5:] != SYNC:
            return False
        limit = int.from_bytes(buffer[body + 6 : body + 10], "big")
        if session.transactions.failed or session.connection.txn is not None:
            return False
        reader = Reader(bytes(buffer[at + 5 : end]))
        said = self._read(session, reader, described, limit)
        if said is None:
            return False
        buffer.clear()
        wire.at = 0
        wire.put(said)
        self.answered += 1
        return True

    def _read(self, session: Session, reader: Reader, described: bool, limit: int) -> bytes | None:
        """The answer to a Bind that is run at once; None where a worker is to give it."""
        from sqlagent.serve.pg.extended import _value

        if reader.cstring():
            return None
        statement = session.statements.get(reader.cstring(session.codec))
        if statement is None or not statement.quick or statement.command is None:
            return None
        connection = session.connection
        runner = connection.plans.get(statement.command.sql)
        if type(runner) is Timed:
            runner = runner.lite
        if type(runner) is not LiteRead or runner.functions or runner.native:
            return None
        if session.rows_max and session.rows_max < ROWS_MAX:
            return None
        forms = reader.formats()
        count = reader.int2()
        if count != len(statement.description.oids):
            return None
        if len(forms) != count:
            forms = forms * count if len(forms) == 1 else [0] * count
        values = tuple(_value(session, reader, statement, i, forms[i]) for i in range(count))
        formats = reader.formats()
        reader.end()
        encoder, description = statement.encoder(session, formats)
        rows = self._rows(runner, connection, values)
        if rows is None:
            return None
        parts = [messages.BIND_COMPLETE]
        if described:
            parts.append(description)
        if limit and len(rows) >= limit:
            if session.transactions.open:
                return None  # the client may go on with the portal
            parts += [encoder.one(row) for row in rows[:limit]]
            parts.append(messages.PORTAL_SUSPENDED)
        else:
            parts += [encoder.one(row) for row in rows]
            parts.append(messages.command_complete(complete(statement.command.tag, len(rows))))
        parts.append(messages.READY[session.transactions.status])
        return b"".join(parts)

    def _rows(self, read: LiteRead, connection: Any, values: Any) -> list[Any] | None:
        """The rows, where there are few and they come soon; None otherwise."""
        handle = self._handle
        if handle is None:
            handle = self._handle = self.database.open()
            handle.data_version()
            handle.set_progress_handler(lambda: time.monotonic() > self._end, STEPS)
            handle.seen = handle.data_version()
        self._end = time.monotonic() + BOUND_S
        if read.columns is None or read.untyped or not plain(values):
            return None
        found = read.start(handle, values)
        rows = list(islice(found, ROWS_MAX + 1))
        if len(rows) > ROWS_MAX:
            found.close(True)
            return None
        if handle.data_version() != handle.seen and read.stale(connection, handle):
            return None
        read.stat.calls += 1
        return rows if read.convert is None else [read.convert(row) for row in rows]

    def close(self) -> None:
        """Close the reader."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None


def learn(statement: Statement, took_ms: float, rows: int) -> None:
    """A worker has run a prepared read: was it a quick one?"""
    statement.quick = took_ms < QUICK_MS and rows <= ROWS_MAX
