"""The rows of tables as they were before a statement of several writes began.

While it runs, the first change of each row is noted, with what the row was: a later part of the
statement reads the rows of the table that nobody has touched, and those that were noted. It costs
what is changed, not what the table holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent.parse.lexer import quote_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlagent.catalog import Table
    from sqlagent.engines.writer import Handle

_HOOK = "sqlagent before"


class Before:
    """Notes of what is changed of some tables, while it is `watching`; by lower-case name."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self.tables = tables
        # By rowid: the row as it was, None for one that was not there.
        self.rows: dict[str, dict[int, tuple[Any, ...] | None]] = {name: {} for name in tables}

    def start(self, handle: Handle) -> None:
        """Note what changes from now on."""
        handle.preupdate_hook(self._changed, id=_HOOK)

    def stop(self, handle: Handle) -> None:
        """Note no more."""
        handle.preupdate_hook(None, id=_HOOK)

    def _changed(self, update: Any) -> None:
        rows = self.rows.get(update.table_name.lower()) if update.database_name == "main" else None
        if rows is None:
            return
        if update.op != "INSERT":
            rows.setdefault(update.rowid, update.old)
        if update.op != "DELETE":
            rows.setdefault(update.rowid_new if update.op == "UPDATE" else update.rowid, None)

    def changed(self) -> frozenset[str]:
        """The tables of which a row has changed."""
        return frozenset(name for name, rows in self.rows.items() if rows)

    def touched(self, name: str) -> Iterable[tuple[int]]:
        """The rowids that are not any more what they were."""
        return ((rowid,) for rowid in self.rows[name])

    def old(self, name: str) -> Iterable[tuple[Any, ...]]:
        """The rows that were changed or are gone, as they were."""
        return (row for row in self.rows[name].values() if row is not None)


def watchable(handle: Handle, table: Table) -> bool:
    """Whether the changes of a table can be noted by rowid, with all of its columns."""
    if table.kind != "table" or table.key is None:
        return False
    text = f"PRAGMA table_xinfo({quote_name(table.name)})"
    return all(row[6] == 0 for row in handle.execute(text))
