"""An open database and how its results are shown: what every command runs statements through."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from sqlagent.formats.cells import columns_of
from sqlagent.formats.writers import FORMATS, write_csv, write_json, write_lines, write_markdown

from .cancel import Cancel
from .options import UsageError
from .output import Output, refuse_database

BATCH_ROWS = 512
TERMINAL_ROWS_MAX = 1_000
EXPLAINED = ("select", "with", "from", "values", "insert", "update", "delete", "replace", "merge")

Parameters = dict[str, Any] | list[Any] | tuple[()]


class Session:
    """One connection with the settings of the shell: format, output, timer, headers.

    `interactive` says more: what a statement changed, and a table cut to the terminal.
    Errors: what `sqlagent.connect` and the statements raise.
    """

    def __init__(self, path: str, *, read_only: bool = False, **settings: Any) -> None:
        self.path = path
        self.read_only = read_only
        self.settings = settings
        self.output = Output()
        self.mode = "table"
        self.headers = True
        self.timer = False
        self.explain = False
        self.interactive = False
        self.rows_max = TERMINAL_ROWS_MAX
        self.reading = 0  # scripts that .read is inside of
        self.statements = 0  # run so far; what the completer knows is as old as that
        self.connection, self.cancel = self._connect(path)

    def reopen(self, path: str) -> None:
        """Opens another file in place of this one; on an error this one stays."""
        connection, cancel = self._connect(path)
        self.connection.close()
        self.cancel.close()
        self.path, self.connection, self.cancel = path, connection, cancel

    def close(self) -> None:
        """Closes the connection, which rolls back what is open, and the output."""
        try:
            self.output.close()
        finally:
            self.cancel.close()
            self.connection.close()

    def run(self, sql: str, parameters: Parameters = ()) -> None:
        """Runs one statement and writes its rows, if it gives any.

        Errors: sqlagent.Error; KeyboardInterrupt when Ctrl-C ended it.
        """
        self.statements += 1
        if self.explain and sql.split(None, 1)[0].lower() in EXPLAINED:
            self._show("EXPLAIN " + sql, parameters)
        started = time.perf_counter()
        rows = self._show(sql, parameters)
        if self.timer:
            spent_ms = (time.perf_counter() - started) * 1000
            counted = "" if rows is None else f", {rows:,} row{'' if rows == 1 else 's'}"
            self.say(f"time: {spent_ms:,.1f} ms{counted}")

    def rows(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """All rows of a statement, as tuples, not shown; none for a write."""
        with self.cancel:
            cursor = self.connection.execute(sql, parameters)
            return [] if cursor.description is None else cursor.fetchall()

    def show(self, description: Any, rows: Iterable[Any]) -> None:
        """Writes rows that are at hand, under the names of a cursor's description."""
        self._write(description, rows, breaks=False)

    def set_mode(self, mode: str) -> None:
        """Writes results in this format from now on. Errors: UsageError for an unknown one."""
        if mode not in FORMATS:
            raise UsageError(f'unknown format "{mode}"', f"Use one of {', '.join(FORMATS)}.")
        self.mode = mode

    def set_output(self, path: str | None) -> None:
        """Sends results to a file from now on, or (None) to the standard output."""
        if path is not None:
            refuse_database(path, self.path)
        self.output.close()
        self.output = Output(path)

    def say(self, message: str) -> None:
        """Writes a line that is no result to the standard error, after what was written before."""
        if self.output.path is None:
            sys.stdout.flush()
        print(message, file=sys.stderr, flush=True)

    def error(self, error: BaseException | str, place: str = "") -> None:
        """Reports an error; `place` is the script and line, as `load.sql:12: `."""
        self.say(f"{place}error: {error}")

    def _connect(self, path: str) -> tuple[Any, Cancel]:
        import sqlagent

        connection = sqlagent.connect(path, read_only=self.read_only, **self.settings)
        for notice in connection.messages:
            self.say(notice)
        return connection, Cancel(connection.interrupt)

    def _show(self, sql: str, parameters: Parameters) -> int | None:
        """Runs and writes; returns the number of rows, None when the statement gives none."""
        if self.mode == "arrow":
            self.output.refuse_terminal()
        with self.cancel:
            cursor = self.connection.execute(sql, parameters)
            try:
                count = self._result(cursor, sql)
            finally:
                cursor.close()  # a table cut at its first rows leaves the rest unread
        if self.output.path is None:
            sys.stdout.flush()
        return count

    def _result(self, cursor: Any, sql: str) -> int | None:
        if cursor.description is None:
            self._tell_changes(sql, cursor.rowcount)
            return None
        if self.mode == "arrow":
            return self._write_arrow(cursor)
        breaks = sql.lstrip()[:7].lower() == "explain"
        return self._write(cursor.description, self._fetch(cursor), breaks)

    def _write(self, description: Any, rows: Iterable[Any], breaks: bool) -> int:
        columns, out = columns_of(description), self.output.text
        if self.mode == "csv":
            return write_csv(columns, rows, out, self.headers)
        if self.mode == "json":
            return write_json(columns, rows, out)
        if self.mode == "markdown":
            return write_markdown(columns, rows, out, self.headers)
        if self.mode == "line":
            return write_lines(columns, rows, out)
        import shutil

        from .table import Look, write_table

        terminal = self.output.is_terminal
        look = Look(
            headers=self.headers,
            width=shutil.get_terminal_size().columns if terminal else None,
            rows_max=(self.rows_max or None) if terminal else None,
            color=terminal and "NO_COLOR" not in os.environ,
            lines=breaks,
            ascii=self.output.is_ascii,
        )
        return write_table(columns, rows, out, look)

    def _write_arrow(self, cursor: Any) -> int:
        import pyarrow

        table = cursor.arrow()
        with pyarrow.ipc.new_stream(self.output.binary, table.schema) as stream:
            stream.write_table(table)
        self.output.binary.flush()
        return int(table.num_rows)

    def _fetch(self, cursor: Any) -> Iterator[tuple[Any, ...]]:
        while rows := cursor.fetchmany(BATCH_ROWS):
            self.cancel.check()
            yield from rows

    def _tell_changes(self, sql: str, rowcount: int) -> None:
        if self.interactive and sql.split(None, 1)[0].lower() in EXPLAINED:
            self.say(f"{max(rowcount, 0):,} row{'' if rowcount == 1 else 's'} changed")
