"""The file itself as a source: a few rows of a large table, found by an index, need no columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import apsw

from sqlagent.catalog import Table
from sqlagent.engines import schema
from sqlagent.engines.sqlite import Database, Handle, translate
from sqlagent.run.writing import limited, open_handle
from sqlagent.sources import Rows, Statistics

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.plan.plans import Feed
    from sqlagent.sources.lite import Access

# By file: its schema's version, and how rows of each table asked about are found.
_access: WeakKeyDictionary[Database, tuple[int, dict[str, Access]]] = WeakKeyDictionary()


class FileSource:
    """The tables of the connection's own file, in its transaction where one is open."""

    name: str = ""
    kind: str = "file"
    native: str | None = None

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.database: Database = connection.database

    def table(self, name: str) -> Table | None:
        """A table by its name."""
        return schema.catalog(self.database).tables.get(name.lower())

    def tables(self) -> list[str]:
        """The names of the tables."""
        return [t.name for t in schema.catalog(self.database).tables.values()]

    def statistics(self, table: str) -> Statistics:
        """What SQLite knows of a table."""
        try:
            if self.connection.txn is not None:
                with self.connection.txn_lock:
                    return self._statistics(self.connection.txn, table)
            with self.database.read() as handle:
                return self._statistics(handle, table)
        except apsw.Error:
            return Statistics()

    def _statistics(self, handle: Handle, table: str) -> Statistics:
        from sqlagent.sources import lite  # imported here: most statements need none of it

        version = schema.version(handle)
        kept = _access.get(self.database)
        if kept is None or kept[0] != version:
            kept = _access[self.database] = version, {}
        found = kept[1].get(table)
        if found is None:
            found = kept[1][table] = lite.access(handle, table)
        return Statistics(lite.rows_of(handle, table, found), found.indexed)

    @contextmanager
    def snapshot(self, connection: Connection) -> Iterator[Handle]:
        """A reader in a read transaction, or the transaction's own connection."""
        if connection.txn is not None:
            with connection.txn_lock:
                yield open_handle(connection)
            return
        with self.database.snapshot() as handle:
            handle.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()  # it begins here
            yield handle

    def read(
        self,
        feed: Feed,
        values: Sequence[Any],
        keys: list[Any] | None,
        *,
        connection: Connection,
        snapshot: Handle,
        rows_max: int | None = None,
    ) -> Rows:
        """The rows of a feed; raises lite.TooMany past `rows_max`."""
        from sqlagent.sources import lite

        try:
            with limited(connection, snapshot):
                return lite.read(snapshot, feed, values, keys, rows_max=rows_max)
        except apsw.Error as error:
            raise translate(error) from None

    def token(self) -> Any:
        """Not known: the columns' own mark is."""
        return None

    def close(self) -> None:
        """Nothing is held."""
