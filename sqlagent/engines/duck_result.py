"""The rows of a DuckDB statement, streamed. (duckdb is imported with this module.)"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import duckdb

from sqlagent import errors
from sqlagent.engines.duck_errors import translate

if TYPE_CHECKING:
    import pyarrow

BATCH_ROWS = 2048  # DuckDB's own vector size
ZONED = "TIMESTAMP WITH TIME ZONE"


class DuckResult:
    """The result of one statement on its own cursor, which it closes.

    `columns` are (name, logical type). Read it by `rows()` or by `arrow()`, once, and close it.
    """

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        sql: str,
        values: Sequence[Any],
        done: Callable[[], None],
        timeout_s: float | None = None,
    ) -> None:
        self._cursor = cursor
        self._sql = sql
        self._done: Callable[[], None] | None = done
        self._timer: threading.Timer | None = None
        self._timed_out = False
        self.feeds: Sequence[Any] = ()  # what was read for it beforehand
        self._timeout_s = timeout_s
        if timeout_s is not None:
            self._timer = threading.Timer(timeout_s, self._expire)
            self._timer.daemon = True
            self._timer.start()
        try:
            self._execute(sql, values)
            self.columns = self._describe()
            if any(ZONED in kind for _, kind in self.columns):
                # Python's values of this type need pytz, and ours are naive UTC.
                self._execute(_naive(sql, self.columns), values)
                self.columns = self._describe()
        except BaseException as error:
            self.close()
            raise self._translated(error) from None
        self._lists = [i for i, (_, k) in enumerate(self.columns) if re.search(r"\[\d+\]$", k)]

    def _execute(self, sql: str, values: Sequence[Any]) -> None:
        if values:
            self._cursor.execute(sql, list(values))
        else:
            self._cursor.execute(sql)

    def _describe(self) -> list[tuple[str, str]]:
        return [(d[0], str(d[1])) for d in self._cursor.description or ()]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows as tuples: naive UTC datetimes, JSON as str, lists as list."""
        return chain.from_iterable(self.batches())

    def batches(self) -> Iterator[list[tuple[Any, ...]]]:
        """The rows in lists: what is between here and the user then costs a list, not a row."""
        try:
            while batch := self._cursor.fetchmany(BATCH_ROWS):
                yield list(map(self._listed, batch)) if self._lists else batch
        except duckdb.Error as error:
            raise self._translated(error) from None
        finally:
            self.close()

    def _listed(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """DuckDB gives a FLOAT[n] as a tuple."""
        values = list(row)
        for i in self._lists:
            if values[i] is not None:
                values[i] = list(values[i])
        return tuple(values)

    def record_batches(self, rows: int) -> Iterator[pyarrow.RecordBatch]:
        """The rows as Arrow's batches of about so many."""
        try:
            yield from self._cursor.to_arrow_reader(rows)
        except duckdb.Error as error:
            raise self._translated(error) from None
        except OSError as error:  # pyarrow's, around one of DuckDB's
            kind = duckdb.InterruptException if "INTERRUPT" in str(error) else duckdb.Error
            raise self._translated(kind(str(error))) from None
        finally:
            self.close()

    def arrow(self) -> pyarrow.Table:
        """The rows as an Arrow table."""
        try:
            return self._cursor.to_arrow_table()
        except duckdb.Error as error:
            raise self._translated(error) from None
        finally:
            self.close()

    def close(self) -> None:
        """End the statement and free its cursor; more than once does no harm."""
        done, self._done = self._done, None
        if done is not None:
            if self._timer is not None:
                self._timer.cancel()
            done()
            self._cursor.close()

    def _expire(self) -> None:
        self._timed_out = True
        if self._done is not None:
            self._cursor.interrupt()

    def _translated(self, error: BaseException) -> BaseException:
        found = translate(error, self._sql)
        if isinstance(found, errors.InterruptedError):
            if self._timed_out:
                return errors.InterruptedError(
                    f"the statement ran into its limit of {self._timeout_s:g} s"
                )
            return errors.InterruptedError("the statement was interrupted")
        return found


def _naive(sql: str, columns: list[tuple[str, str]]) -> str:
    """The statement with its instants cast to naive times, columns named as before, in order."""
    picked = []
    for i, (name, kind) in enumerate(columns):
        value = f"c{i}"
        if ZONED in kind:
            value = f"CAST(c{i} AS {kind.replace(ZONED, 'TIMESTAMP')})"
        picked.append(f'{value} AS "{name.replace(chr(34), chr(34) * 2)}"')
    aliases = ", ".join(f"c{i}" for i in range(len(columns)))
    return f"SELECT {', '.join(picked)} FROM (\n{sql.rstrip().rstrip(';')}\n) AS t({aliases})"
