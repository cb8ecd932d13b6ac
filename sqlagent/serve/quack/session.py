"""A client's session: its statements on a connection of its own, one after another.

(numpy and pyarrow are imported with this module.)
"""

from __future__ import annotations

import itertools
import re
import secrets
import threading
import time
from collections.abc import Generator
from typing import TYPE_CHECKING

import pyarrow as pa

from sqlagent.errors import Error, NotSupportedError, ProgrammingError
from sqlagent.parse.lexer import lex, statements
from sqlagent.serve.quack import rows, vectors, wire
from sqlagent.serve.quack.kinds import BIGINT, BOOLEAN, Kind
from sqlagent.serve.quack.shadow import Shadow, wants
from sqlagent.sync.log import quoted

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor

# What a client sends for a scan of an attached table: its columns by their places.
SCAN = re.compile(r"SELECT (#\d+(?:, #\d+)*) FROM ((?:(?:\w+|\"(?:[^\"]|\"\")+\")\.){0,2})(\w+|\"(?:[^\"]|\"\")+\")")  # fmt: skip # noqa: E501 one pattern
CONTROL = re.compile(r"\s*(BEGIN|START|COMMIT|END|ROLLBACK|ABORT)\b", re.IGNORECASE)


Batches = Generator[tuple[pa.RecordBatch, bool], None, None]


class Result:
    """What is left of a result: its columns, and its rows in batches, the last one known as such
    where that is known."""

    def __init__(self, names: list[str], kinds: list[Kind], batches: Batches) -> None:
        self.names = names
        self.kinds = kinds
        self.encoded = [k.encoded() for k in kinds]
        self.id = secrets.randbits(126)
        self.numbers = itertools.count(1)
        self.done = False
        self._batches = batches

    def next(self) -> list[bytes]:
        """The chunks of the next answer, as full as DuckDB's own server makes it; none at the
        end."""
        found: list[bytes] = []
        count, size_b = 0, 0
        while not self.done and count < rows.BATCH_ROWS and size_b < rows.BATCH_B:
            batch, self.done = next(self._batches, (None, True))
            if batch is not None and batch.num_rows:
                found += vectors.chunks(batch, self.kinds, self.encoded)
                count += batch.num_rows
                size_b += batch.nbytes
        return found

    def close(self) -> None:
        """Give back what it holds."""
        self._batches.close()


class Session:
    """What a client has open, under an `id` that only it knows."""

    def __init__(self, connection: Connection, shadow: Shadow) -> None:
        self.id = secrets.token_hex(16).upper()
        self.connection = connection
        self.used = time.monotonic()
        self._shadow = shadow
        self._lock = threading.Lock()
        self._result: Result | None = None

    def answer(self, message: wire.Message) -> bytes:
        """The answer to a message."""
        with self._lock:
            self.used = time.monotonic()
            try:
                if message.type == wire.PREPARE:
                    return self._prepare(message.fields.get(1, ""))
                if message.type == wire.FETCH:
                    return self._fetch(message.fields.get(1, 0))
                raise self._append(message)
            except BaseException as error:
                self._let_go()
                if not isinstance(error, Error):
                    raise
                return wire.failed(str(error))
            finally:
                self.used = time.monotonic()

    @property
    def busy(self) -> bool:
        """Whether a message is being answered."""
        return self._lock.locked()

    @property
    def idle_s(self) -> float:
        """Seconds since its last message; 0 while one is being answered."""
        return 0.0 if self.busy else time.monotonic() - self.used

    def close(self) -> None:
        """End what it runs, roll back its transaction."""
        self.connection.interrupt()
        with self._lock:
            self._let_go()
            self.connection.close()

    def interrupt(self) -> None:
        """End what it runs."""
        self.connection.interrupt()

    def _let_go(self) -> None:
        """Forget the result of the statement before."""
        result, self._result = self._result, None
        if result is not None:
            result.close()

    # Messages -----------------------------------------------------------------------------------

    def _prepare(self, text: str) -> bytes:
        self._let_go()
        scan = SCAN.fullmatch(text)
        if wants(text):
            self._result = _of_table(*self._shadow.run(self.connection, text))
        elif scan is not None:
            names, kinds, sql = self._scan(scan)
            self._result = result_of(self.connection.execute(sql), sql, names, kinds)
        else:
            *before, last = _parts(text)
            for part in before:  # as DuckDB does: the rows are those of the last
                self.connection.execute(part).close()
            self._result = result_of(self.connection.execute(last), last)
        result = self._result
        chunks = result.next()
        return wire.prepared(result.encoded, result.names, chunks, not result.done, result.id)

    def _scan(self, scan: re.Match[str]) -> tuple[list[str], list[Kind], str]:
        """A scan of a table by the columns that the client was told of."""
        name = scan[3][1:-1].replace('""', '"') if scan[3].startswith('"') else scan[3]
        columns = self._shadow.columns(self.connection, name)
        places = [int(p[1:]) - 1 for p in scan[1].split(", ")]
        if columns is None or not all(0 <= p < len(columns) for p in places):
            raise ProgrammingError(
                f'the table "{name}" is not what it was when it was attached', sqlstate="42P01",
                hint="CALL quack_clear_cache() on the client reads the catalog again.",
            )  # fmt: skip
        chosen = [columns[p] for p in places]
        listed = ", ".join(quoted(n) for n, _ in chosen)
        return (
            [n for n, _ in chosen],
            [k for _, k in chosen],
            f"SELECT {listed} FROM {quoted(name)}",
        )

    def _fetch(self, result: int) -> bytes:
        own = self._result
        if own is None or own.id != result:
            return wire.failed("Result has been closed")
        chunks = own.next()
        return wire.fetched(chunks, next(own.numbers) if chunks else None)

    def _append(self, message: wire.Message) -> Error:
        """An INSERT into an attached table. A client sends it in no transaction, whatever it has
        begun: rows would stay that it rolls back."""
        name = message.fields.get(2, "")
        return NotSupportedError(
            f'rows cannot be inserted into the attached table "{name}"',
            detail="A client sends them outside of its transaction, so that ROLLBACK would not "
            "take them back.",
            hint="Send the statement: FROM r.query('INSERT INTO …'), in BEGIN and COMMIT sent "
            "likewise where it is one of several.",
        )


def _parts(text: str) -> list[str]:
    """The statements of a text."""
    if ";" not in text.rstrip().rstrip(";"):
        return [text]
    found = [p for p in statements(lex(text)) if p]
    return [text[p[0].start : p[-1].start + len(p[-1].text)] for p in found] or [text]


def result_of(
    cursor: Cursor, text: str, names: list[str] | None = None, kinds: list[Kind] | None = None
) -> Result:
    """The rows of a cursor, or what DuckDB answers to a statement that has none.

    `names` and `kinds` are what the client takes the columns for; else they are as the statement
    declares, or, where the values are of another type, as those of the first batch are.
    """
    columns = cursor._described()
    if cursor._iter is None or not columns:
        return _without_rows(cursor, text)
    own = [n for n, _ in columns] if names is None else names
    tables = rows.tables(cursor, columns)
    first = next(tables)
    wire_kinds = kinds or [
        rows.kind_of_column(array, declared)
        for array, (_, declared) in zip(first[0].columns, columns, strict=True)
    ]

    def batches() -> Batches:
        try:
            for table, last in itertools.chain([first], tables):
                yield rows.batch(table, wire_kinds, own), last
        finally:
            cursor.close()

    return Result(own, wire_kinds, batches())


def _without_rows(cursor: Cursor, text: str) -> Result:
    """What DuckDB answers to a statement without rows: a count where there is one."""
    count = cursor.rowcount
    cursor.close()
    if CONTROL.match(text):
        return Result(["Success"], [BOOLEAN], _whole(None))
    counted = None if count < 0 else pa.record_batch([pa.array([count], pa.int64())], ["0"])
    return Result(["Count"], [BIGINT], _whole(counted))


def _whole(batch: pa.RecordBatch | None) -> Batches:
    """Rows that are there."""
    for start in range(0, batch.num_rows if batch is not None else 0, rows.BATCH_ROWS):
        assert batch is not None
        yield batch.slice(start, rows.BATCH_ROWS), start + rows.BATCH_ROWS >= batch.num_rows


def _of_table(names: list[str], kinds: list[Kind], table: pa.Table) -> Result:
    """A result that is there whole."""
    return Result(names, kinds, _whole(rows.batch(table, kinds, names)))
