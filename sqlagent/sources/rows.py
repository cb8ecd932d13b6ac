"""Files of rows under a name: Parquet, CSV or JSON, by a path or a glob.

The planner puts DuckDB's reader of the files in the place of the name, so that they are read as
they are at each statement, and checked like any other path in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlagent.catalog import Table
from sqlagent.sources import Statistics
from sqlagent.sources.never_fed import NeverFed

if TYPE_CHECKING:
    pass

READERS = {"parquet": "read_parquet", "csv": "read_csv", "json": "read_json"}


class RowsSource(NeverFed):
    """One table, called as the source is, in files of one kind."""

    native: str | None = None

    def __init__(self, name: str, path: str, kind: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self.kind = kind
        self.path = path
        self.options = {k: v for k, v in options.items() if k != "read_only"}

    @property
    def reader(self) -> str:
        """DuckDB's function that reads the files."""
        return READERS[self.kind]

    def check(self) -> None:
        """DuckDB says what is missing when it reads."""

    def table(self, name: str) -> Table | None:
        """The one table; its columns are known when the files are read."""
        return Table(self.name, "rows", (), None) if name.lower() == self.name.lower() else None

    def tables(self) -> list[str]:
        return [self.name]

    def statistics(self, table: str) -> Statistics:
        return Statistics()

    def close(self) -> None:
        """Nothing is held."""
