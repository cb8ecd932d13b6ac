"""Files of rows under a name: Parquet, CSV or JSON, by a path or a glob.

The planner puts DuckDB's reader of the files in the place of the name, so that they are read as
they are at each statement, and checked like any other path in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from sqlagent.catalog import Table
from sqlagent.errors import InternalError
from sqlagent.sources import Rows, Statistics

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.plan.plans import Feed

READERS = {"parquet": "read_parquet", "csv": "read_csv", "json": "read_json"}


class RowsSource:
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

    def snapshot(self, connection: Connection) -> AbstractContextManager[Any]:
        return nullcontext()

    def read(
        self,
        feed: Feed,
        values: Sequence[Any],
        keys: list[Any] | None,
        *,
        connection: Connection,
        snapshot: Any,
    ) -> Rows:
        raise InternalError(f'"{self.name}" is read by DuckDB: it is never fed')

    def token(self) -> Any:
        return None

    def close(self) -> None:
        """Nothing is held."""
