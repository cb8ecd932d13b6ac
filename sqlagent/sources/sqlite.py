"""An attached SQLite file: opened by APSW alone, read as it is, its rows fed to DuckDB as Arrow.

Nothing of ours is written into it: no schema, no trigger, no other journal mode. (apsw is imported
with this module, pyarrow when rows are read.)
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw

from sqlagent.catalog import Catalog, Table
from sqlagent.engines import live, schema
from sqlagent.engines.sqlite import Handle, translate
from sqlagent.run.writing import limited
from sqlagent.sources import Rows, Statistics
from sqlagent.sources.files import Watch

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.plan.plans import Feed

CACHE_BYTES = 128 << 20  # of Arrow that a quiet file's tables may keep


class Snapshot(NamedTuple):
    """A read transaction; `token` is the commit that it sees where that is known."""

    handle: Handle
    token: Any


class SqliteSource:
    """An ordinary SQLite file under the name `name`."""

    kind = "sqlite"
    native: str | None = None

    def __init__(
        self, connection: Connection, name: str, path: str, *, read_only: bool = False
    ) -> None:
        self.name = name
        self.path = path
        self._connection = weakref.ref(connection)  # which holds it
        self.database = live.attach(path, read_only=read_only, timeout=connection.timeout)
        self.watch = Watch(name, self.database.path)
        self._kept: OrderedDict[tuple[Any, ...], tuple[Any, Rows]] = OrderedDict()
        self._ear: Handle | None = None
        try:
            schema.catalog(self.database)  # whether it is SQLite at all
        except BaseException as error:
            self.close()
            raise translate(error) from None

    # What it has ----------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise OperationalError where the file is no longer there."""
        if not self.database.memory:
            self.watch.check()

    def catalog(self) -> Catalog:
        """Its tables now, as the open transaction sees them where that writes it."""
        self.check()
        connection = self._connection()
        held = None if connection is None else connection.held(self.name)
        try:
            return schema.read_catalog(held) if held is not None else schema.catalog(self.database)
        except apsw.Error as error:
            raise translate(error) from None

    def table(self, name: str) -> Table | None:
        return self.catalog().tables.get(name.lower())

    def tables(self) -> list[str]:
        return [t.name for t in self.catalog().tables.values()]

    def statistics(self, table: str) -> Statistics:
        """Rows by sqlite_stat1 or the largest rowid; the first columns of its indexes."""
        from sqlagent.sources import lite

        found = self.table(table)
        if found is None or found.kind != "table":
            return Statistics()
        with self.database.read() as handle:
            return lite.statistics(handle, found.name)

    # Reading --------------------------------------------------------------------------------------

    @contextmanager
    def snapshot(self, connection: Connection) -> Iterator[Snapshot]:
        """One commit of the file; in a transaction that writes it, what that has written too."""
        self.check()
        held = connection.held(self.name)
        if held is not None:
            yield Snapshot(held, None)
            return
        before = self.token()
        with self.database.snapshot() as handle:
            handle.execute("SELECT 1 FROM sqlite_schema").fetchall()  # the snapshot begins here
            yield Snapshot(handle, before if before == self.token() else None)

    def read(
        self,
        feed: Feed,
        values: Sequence[Any],
        keys: list[Any] | None,
        *,
        connection: Connection,
        snapshot: Any,
    ) -> Rows:
        from sqlagent.sources import (
            lite,
        )  # imported here: a statement without feeds needs none of it

        handle, token = snapshot
        whole = feed.filter is None and feed.limit is None and keys is None
        place = (feed.table.lower(), feed.columns)
        if whole and token is not None:
            kept = self._kept.get(place)
            if kept is not None and kept[0] == token:
                self._kept.move_to_end(place)
                return kept[1]
        try:
            with limited(connection, handle):
                rows = lite.read(handle, feed, values, keys)
        except apsw.Error as error:
            raise translate(error) from None
        if whole and token is not None:
            self._keep(place, token, rows)
        return rows

    def hold(self, connection: Connection) -> Any:
        """Take its writer for the open transaction."""
        from sqlagent.run.attached import HeldFile

        return HeldFile(connection, self)

    def token(self) -> Any:
        """SQLite's data_version, as one connection that never writes sees it."""
        try:
            with self.database.lock:
                if self._ear is None:
                    self._ear = self.database.open()
                return self._ear.execute("PRAGMA data_version").fetchall()[0][0]
        except apsw.Error as error:
            raise translate(error) from None

    def _keep(self, place: tuple[Any, ...], token: Any, rows: Rows) -> None:
        """Keep a table's rows for as long as nobody commits, the oldest giving way."""
        size = rows.table.nbytes
        with self.database.lock:
            self._kept.pop(place, None)
            if size > CACHE_BYTES:
                return
            self._kept[place] = token, rows
            total = sum(r.table.nbytes for _, r in self._kept.values())
            while total > CACHE_BYTES:
                total -= self._kept.popitem(last=False)[1][1].table.nbytes

    def close(self) -> None:
        with self.database.lock:
            if self._ear is not None:
                self._ear.close()
                self._ear = None
        self._kept.clear()
        live.release(self.database)


__all__ = ["SqliteSource"]
