"""Sources: what a statement may read beside the file's own columns, and how its rows get to DuckDB.

A source is either native (DuckDB itself has it attached) or fed: `read` gives its rows as Arrow.
Importing this imports no engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import pyarrow

    from sqlagent.catalog import Table
    from sqlagent.connection import Connection
    from sqlagent.plan.plans import Feed


class Statistics(NamedTuple):
    """What is known of a table without reading it: about how many rows (None: not known), and
    the lower-case names of the columns that an index, or the rowid, finds rows by."""

    rows: int | None = None
    indexed: frozenset[str] = frozenset()


class Rows(NamedTuple):
    """What a feed holds. `casts` are DuckDB's expressions that make its columns from those of
    `table`, in the feed's order; None: `table` has the feed's columns, with their final types."""

    table: pyarrow.Table
    casts: tuple[str, ...] | None = None


class Source(Protocol):
    """An attached database, or the file itself (`name` is '' and `kind` 'file').

    `kind` is 'file', 'sqlite', 'agent', 'duckdb', 'lance', 'postgres', 'parquet', 'csv' or 'json'.
    `native` is the name under which DuckDB has it attached; None: its rows are fed.
    """

    name: str
    kind: str
    native: str | None

    def table(self, name: str) -> Table | None:
        """A table or view of the source by its name, whatever its case."""
        ...

    def tables(self) -> list[str]:
        """The names of its tables."""
        ...

    def statistics(self, table: str) -> Statistics:
        """What is known of a table; asked while planning, so it must be cheap."""
        ...

    def snapshot(self, connection: Connection) -> AbstractContextManager[Any]:
        """What `read` reads with, so that all feeds of one statement see one commit. Used by one
        thread at a time, not always by the one that entered it."""
        ...

    def read(
        self,
        feed: Feed,
        values: Sequence[Any],
        keys: list[Any] | None,
        *,
        connection: Connection,
        snapshot: Any,
    ) -> Rows:
        """The rows of a feed. `values` are bound to its `filter`, in order; `keys`, where given,
        are those of `feed.keys.column` that are wanted."""
        ...

    def token(self) -> Any:
        """Changes with every commit; None: not known."""
        ...

    def close(self) -> None:
        """Free what it holds; reads that still run end first or fail clearly."""
        ...


__all__ = ["Rows", "Source", "Statistics"]
