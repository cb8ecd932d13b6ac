"""The rows of RETURNING, of a write that is repeated for each row that DuckDB found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent.engines.sqlite import Database, Handle
from sqlagent.plan.plans import Lite
from sqlagent.run.lite import Runnable

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor


class Returning(Runnable):
    """A write of one row, with RETURNING."""

    def __init__(self, database: Database, plan: Lite) -> None:
        super().__init__(database, plan, plan.sql)

    def write(
        self, connection: Connection, handle: Handle, rows: Iterable[tuple[Any, ...]], width: int
    ) -> tuple[list[tuple[Any, ...]], int]:
        """Write rows of `width` values in their order; what they return, and how many changed."""
        self.prepare(connection, handle)
        self.learn(handle, width)
        found: list[tuple[Any, ...]] = []
        changed = 0
        for row in rows:
            found += handle.execute(self.sql, row)
            changed += handle.changes()
        return found, changed

    def learn(self, handle: Handle, width: int) -> None:
        """The columns, which must be known also where no row comes; nothing is written."""

        def see(traced: Any, _sql: str, _bindings: Any) -> bool:
            self.columns = self.described(traced)
            return False

        cursor = handle.cursor()
        cursor.exec_trace = see
        try:
            cursor.execute(self.sql, (None,) * width, can_cache=False)
        except apsw.ExecTraceAbort:
            pass
        finally:
            cursor.close(True)

    def give(self, connection: Connection, cursor: Cursor, rows: list[tuple[Any, ...]]) -> None:
        """The rows as the statement's result."""
        cursor._columns = self.columns_of(connection, rows)
        cursor._iter = map(self.convert, rows) if self.convert else iter(rows)
