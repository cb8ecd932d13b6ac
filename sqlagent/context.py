"""What a function's body may use: its database, a connection to read or write with, the
settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlagent import clock

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.engines.sqlite import Database, Handle


class Context:
    """Handed to every function body as its first argument.

    `handle` is the APSW connection whose snapshot the statement sees (the writer's, in a statement
    that writes); None on DuckDB, where `reading()` takes one from the pool. `connection` is there
    for a function that waits, to be ended with it. `prepared` is what the function's `prepare`
    gave, before the writer was taken; None where it was not run.
    """

    __slots__ = ("connection", "database", "handle", "prepared", "settings")

    def __init__(
        self,
        database: Database,
        settings: Mapping[str, Any],
        handle: Handle | None,
        connection: Connection | None = None,
    ) -> None:
        self.database = database
        self.settings = settings
        self.handle = handle
        self.connection = connection
        self.prepared: Any = None

    def now(self) -> str:
        """The time now, as the file keeps it."""
        return clock.now()

    @contextmanager
    def reading(self) -> Iterator[Handle]:
        """The connection to read with."""
        if self.handle is not None:
            yield self.handle
        else:
            with self.database.read() as handle:
                yield handle

    @property
    def writer(self) -> Handle:
        """The writer's connection, inside its transaction."""
        assert self.handle is not None  # the planner sends what writes to the writer
        return self.handle
