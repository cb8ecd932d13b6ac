"""Databases that DuckDB itself has attached: .duckdb files and PostgreSQL servers.

One instance serves every connection on a file, so each database has a name of its own there, which
no statement can spell, and is counted: the last connection that lets go of it detaches it.
(duckdb is imported with this module.)
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import duckdb

from sqlagent.engines import extensions
from sqlagent.engines.duck_errors import translate
from sqlagent.errors import BusyError, OperationalError, hidden
from sqlagent.parse.lexer import quote, quote_name


class Natives:
    """The databases attached to one DuckDB instance. `cursor` makes a cursor on it."""

    def __init__(self, cursor: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._cursor = cursor
        self._lock = threading.Lock()
        self._known: dict[Any, list[Any]] = {}  # key: [name, users]
        self._number = 0

    def attach(self, alias: str, path: str, kind: str, options: dict[str, Any]) -> str:
        """Attach `path`, or count one more user of it; the name that DuckDB has it under."""
        key = (kind, path, tuple(sorted(options.items())))
        with self._lock:
            found = self._known.get(key)
            if found is None or path == ":memory:":
                self._number += 1
                found = [f"{alias} {self._number}", 0]
                self._attach(found[0], path, kind, options)
                self._known[key if path != ":memory:" else found[0]] = found
            found[1] += 1
            return str(found[0])

    def _attach(self, name: str, path: str, kind: str, options: dict[str, Any]) -> None:
        cursor = self._cursor()
        given = ["TYPE postgres"] if kind == "postgres" else []
        given += [f"{word.upper()} {_option(value)}" for word, value in options.items()]
        more = f" ({', '.join(given)})" if given else ""
        try:
            if kind == "postgres":
                extensions.load(cursor, "postgres_scanner")
            cursor.execute(f"ATTACH {quote(path)} AS {quote_name(name)}{more}")
        except duckdb.Error as error:
            raise _refused(error, path, kind) from None
        finally:
            cursor.close()

    def detach(self, name: str) -> None:
        """Let go of a database; what is still streaming from it keeps what it began with."""
        with self._lock:
            for key, found in list(self._known.items()):
                if found[0] == name:
                    found[1] -= 1
                    if found[1] > 0:
                        return
                    del self._known[key]
                    try:
                        cursor = self._cursor()
                        cursor.execute(f"DETACH DATABASE IF EXISTS {quote_name(name)}")
                        cursor.close()
                    except duckdb.Error as error:
                        raise translate(error) from None


def _option(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else quote(str(value))


def _refused(error: duckdb.Error, path: str, kind: str) -> BaseException:
    """DuckDB's reason why a database cannot be attached, without what it says of passwords."""
    text = str(error)
    if "Could not set lock" in text:
        holder = re.search(r"held in .*?\(PID (\d+)\)", text)
        by = f" (process {holder[1]})" if holder else ""
        return BusyError(
            f'"{path}" is open in another process{by}, which locks it',
            hint="DuckDB lets one process write a file: close it there, or open it READ_ONLY in "
            "each process.",
        )
    if "Unique file handle conflict" in text:
        return BusyError(
            f'"{path}" is attached already, by another connection of this process',
            hint="One DuckDB instance holds a .duckdb file: DETACH it there first.",
        )
    found = translate(error)
    if kind == "postgres":
        message = hidden(getattr(found, "message", text)).split("\n")[0]
        return OperationalError(message, sqlstate="08001", hint="Is the server running?")
    return found


__all__ = ["Natives"]
