"""A SQLite file that statements name by its path: `sqlite_scan('shop.db', 'orders')`."""

from __future__ import annotations

import os

from sqlagent.errors import OperationalError
from sqlagent.sources import files
from sqlagent.sources.sqlite import SqliteSource


class ScanSource(SqliteSource):
    """It is read as it is when a statement runs: another file may have taken its place."""

    def __init__(self, name: str, path: str, timeout: float) -> None:
        super().__init__(name, path, read_only=True, timeout=timeout)

    def check(self) -> None:
        try:
            self.watch.check()
        except OperationalError:
            if not os.path.isfile(self.path):
                raise files.missing(self.path) from None
            timeout = self.database.timeout
            self.close()
            SqliteSource.__init__(self, self.name, self.path, read_only=True, timeout=timeout)
