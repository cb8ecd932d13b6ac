"""One client: its connection to the file, its calls, and the rows that it has not fetched yet."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from sqlagent import errors
from sqlagent.errors import Error, OperationalError, ProgrammingError
from sqlagent.serve.local import wire
from sqlagent.serve.local.surface import ASK, numeric, statement
from sqlagent.values import stored

if TYPE_CHECKING:
    from sqlagent.connection import Connection

FIRST_ROWS: Final = 100  # in the answer to a call; the rest where it is asked for
NEXT_ROWS: Final = 1000
FRAME_BYTES: Final = 1 << 18  # a frame of rows ends with the row that goes beyond
OPEN_MAX: Final = 500  # calls whose rows are not all fetched
Rows = Iterator[tuple[Any, ...]]

# SQLite's code for what went wrong, by the class of the error.
_ERROR, _BUSY, _INTERRUPT, _CONSTRAINT = 1, 5, 9, 19
_CODES: tuple[tuple[type[Error], int], ...] = (
    (errors.InterruptedError, _INTERRUPT), (errors.BusyError, _BUSY),
    (errors.IntegrityError, _CONSTRAINT),
)  # fmt: skip


class Session:
    """Answers the frames of one client, one after the other."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.open: dict[int, Rows] = {}
        self.busy = False
        self.key = 0  # names it to who interrupts it
        self.kinds: dict[int, Callable[[wire.Reader], bytes | None]] = {
            ord("C"): self.call, ord("N"): self.next, ord("K"): self.forget,
        }  # fmt: skip

    def answer(self, frame: bytes) -> bytes | None:
        """What goes back for a frame; None for nothing. Raises ProtocolError for what is none."""
        reader = wire.Reader(frame)
        kind = self.kinds.get(reader.number(1))
        if kind is None:
            raise wire.ProtocolError(f"a frame's type is C, N or K, not {frame[:1]!r}")
        self.busy = True
        try:
            return kind(reader)
        except wire.ProtocolError:
            raise
        except Error as error:
            return failure(error)
        except (MemoryError, RecursionError) as error:
            return failure(OperationalError(f"the engine ran out: {error or type(error).__name__}"))
        finally:
            self.busy = False

    def call(self, reader: wire.Reader) -> bytes:
        """The first rows of a call."""
        number, name = reader.number(4), reader.text()
        places, values = [], []
        for _ in range(reader.number(2)):
            place, value = reader.number(2), reader.value()
            places.append(place)
            values.append(numeric(name, place, value) if type(value) is str else value)
        reader.end()
        if name == ASK:
            return self.batch(number, iter([(self.ask(values),)]), FIRST_ROWS)
        rows = iter(self.connection.execute(statement(name, tuple(places)), values))
        return self.batch(number, rows, FIRST_ROWS)

    def ask(self, values: list[Any]) -> str:
        """Any statement: its rows as a JSON list of objects, or {"changes": …}."""
        if not values or values[0] is None:
            return "null"
        if not isinstance(values[0], str):
            raise ProgrammingError(f"{ASK} takes a statement as text, not {values[0]!r:.60}")
        cursor = self.connection.execute(values[0], values[1:])
        columns = cursor.description
        if columns is None:
            return json.dumps({"changes": max(0, cursor.rowcount)})
        names = [column[0] for column in columns]
        rows = [dict(zip(names, map(_plain, row), strict=True)) for row in cursor]
        return json.dumps(rows, ensure_ascii=False)

    def next(self, reader: wire.Reader) -> bytes:
        """More rows of a call."""
        number = reader.number(4)
        reader.end()
        rows = self.open.pop(number, None)
        if rows is None:
            raise OperationalError("the rows of this call are gone: the engine was started anew")
        return self.batch(number, rows, NEXT_ROWS)

    def forget(self, reader: wire.Reader) -> None:
        """The rest of a call's rows is not wanted."""
        rows = self.open.pop(reader.number(4), None)
        reader.end()
        _end(rows)

    def batch(self, number: int, rows: Rows, most: int) -> bytes:
        """A frame of at most so many rows, which says whether there are more."""
        out: list[bytes] = [b""]
        count = used = 0
        for row in islice(rows, most):
            for one in row:
                used += wire.value(one, out)
            count += 1
            if used > FRAME_BYTES:
                break
        more = False
        if count == most or used > FRAME_BYTES:
            ahead = next(rows, None)
            if ahead is not None:
                if len(self.open) >= OPEN_MAX:
                    _end(rows)
                    raise OperationalError(
                        f"{OPEN_MAX} calls have rows that are not fetched", sqlstate="54000"
                    )
                self.open[number] = _chained(ahead, rows)
                more = True
        out[0] = b"R" + struct.pack("<IBI", number, more, count)
        return b"".join(out)

    def close(self) -> None:
        """End what is open; a transaction is rolled back."""
        for rows in self.open.values():
            _end(rows)
        self.open.clear()
        self.connection.close()


def _chained(first: tuple[Any, ...], rest: Rows) -> Rows:
    yield first
    yield from rest


def _end(rows: Rows | None) -> None:
    """Close a generator, so that what it reads with is given back."""
    close = getattr(rows, "close", None)
    if close is not None:
        close()


def _plain(value: Any) -> Any:
    """A value as JSON has it: a BLOB in hexadecimal digits."""
    found = stored(value)
    if isinstance(found, bytes):
        return found.hex()
    return None if found != found else found


def code_of(error: Error) -> int:
    """SQLite's result code for an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), _ERROR)


def failure(error: Error) -> bytes:
    """The frame that says what went wrong, whole: message, detail and hint.

    Without the place in the text: that is ours, the client wrote another.
    """
    lines = [error.message or type(error).__name__]
    if error.detail:
        lines.append(f"detail: {error.detail}")
    if error.hint:
        lines.append(f"hint: {error.hint}")
    return b"X" + bytes([code_of(error)]) + wire.text("\n".join(lines))
