"""Results that are kept for the next time: of one commit of the file, within a bound of memory.

All entries are of the commit that was the newest when the last one was looked for: once a commit is
seen, by whichever connection or process, they all go.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent.engines.sqlite import translate

if TYPE_CHECKING:
    import pyarrow

    from sqlagent.engines.sqlite import Database, Handle

SHARE = 8  # a result larger than this part of the bound is not kept
LEAST_MS = 1.0  # a statement that takes less is run again as fast as it is looked up
FIXED = 40  # bytes of a number or a time in a row, with the place that refers to it
TUPLE = 56
# Kinds whose Python values have no parts and are about as large each.
FLAT = (
    "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT", "UBIGINT", "UINTEGER", "DOUBLE", "FLOAT",
    "BOOLEAN", "DATE", "TIMESTAMP", "TIME", "UUID",
)  # fmt: skip


class Entry:
    """A result: its columns, and its rows as tuples, as an Arrow table, or as both."""

    __slots__ = ("bytes", "columns", "rows", "table")

    def __init__(self, columns: Any) -> None:
        self.columns = columns
        self.rows: list[tuple[Any, ...]] | None = None
        self.table: pyarrow.Table | None = None
        self.bytes = 0


class Results:
    """The kept results of one file, for all its connections. Safe for threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reader: Handle | None = None
        self._lock = threading.Lock()
        self._entries: OrderedDict[Any, Entry] = OrderedDict()
        self._commit: int | None = None
        self.bytes = 0
        self.hits = 0
        self._closed = False

    def commit(self) -> int:
        """A number that changes with every commit by anybody; entries of an older one go."""
        with self._lock:
            return self._now()

    def _now(self) -> int:
        """`data_version` of a reader that never writes counts the commits of all others."""
        self._database.check_open()
        try:
            if self._reader is None:
                self._reader = self._database.open()
            for (number,) in self._reader.execute("PRAGMA data_version"):
                now = int(number)
        except apsw.Error as error:
            raise translate(error) from None
        if now != self._commit:
            self._clear()
            self._commit = now
        return now

    def find(self, key: Any) -> tuple[int, Entry | None]:
        """The commit now, and what is kept of `key` as of it."""
        with self._lock:
            now = self._now()
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
                self.hits += 1
            return now, found

    def has(self, key: Any) -> bool:
        """Whether `find` would find it; counts as no use."""
        with self._lock:
            self._now()
            return key in self._entries

    def keep(self, key: Any, commit: int, entry: Entry, limit: int) -> None:
        """Keep a result that began after `commit` was read; `limit` is the bound in bytes.

        One that began before a later commit is dropped: it may hold either.
        """
        with self._lock:
            if commit != self._commit or self._closed or entry.bytes > limit // SHARE:
                return
            old = self._entries.pop(key, None)
            if old is not None:
                self.bytes -= old.bytes
            self._entries[key] = entry
            self.bytes += entry.bytes
            self._shrink(limit)

    def shrink(self, limit: int) -> None:
        """Forget the least recently used beyond `limit` bytes."""
        with self._lock:
            self._shrink(limit)

    def _shrink(self, limit: int) -> None:
        while self._entries and self.bytes > limit:
            _, old = self._entries.popitem(last=False)
            self.bytes -= old.bytes

    def _clear(self) -> None:
        self._entries.clear()
        self.bytes = 0

    def close(self) -> None:
        """Give the memory back, and close the reader."""
        with self._lock:
            self._closed = True
            self._clear()
            self._commit = None
            if self._reader is not None:
                self._reader.close()
                self._reader = None


def results(database: Database) -> Results:
    """The file's kept results, made at the first use."""
    found: Any = database.services.get("results")
    if found is None:
        with database.lock:
            found = database.services.setdefault("results", Results(database))
    return found  # type: ignore[no-any-return]


def weight(columns: Any, rows: list[tuple[Any, ...]]) -> int:
    """About how many bytes some rows take."""
    kinds = [str(kind or "") for _, kind in columns or ()]
    total = len(rows) * (TUPLE + FIXED * len(kinds))
    for at, kind in enumerate(kinds):
        if not kind.startswith(FLAT) or kind.endswith("]"):
            total += sum(_bytes(row[at]) for row in rows)
    return total


def _bytes(value: Any) -> int:
    """The bytes of a value and of its parts."""
    total = sys.getsizeof(value)
    if isinstance(value, list | tuple):
        total += sum(map(_bytes, value))
    elif isinstance(value, dict):
        total += sum(_bytes(k) + _bytes(v) for k, v in value.items())
    return total
