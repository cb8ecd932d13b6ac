"""A SQLite file that statements name by its path: `sqlite_scan('shop.db', 'orders')`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlagent.errors import OperationalError
from sqlagent.sources import files
from sqlagent.sources.sqlite import SqliteSource

if TYPE_CHECKING:
    from sqlagent.connection import Connection


class ScanSource(SqliteSource):
    """It is read as it is when a statement runs: another file may have taken its place."""

    def __init__(self, connection: Connection, name: str, path: str) -> None:
        super().__init__(connection, name, path, read_only=True)

    def check(self) -> None:
        try:
            self.watch.check()
        except OperationalError:
            connection = self._connection()
            if connection is None or not os.path.isfile(self.path):
                raise files.missing(self.path) from None
            self.close()
            SqliteSource.__init__(self, connection, self.name, self.path, read_only=True)
