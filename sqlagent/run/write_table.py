"""Table functions that write: the function first, with the writer; then the read over its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlagent.engines.sqlite import Database, Handle
from sqlagent.functions import Function, functions, invoke, sql_literal
from sqlagent.plan.plans import Argument, WriteTable
from sqlagent.run.calls import context_of, value_of
from sqlagent.run.writing import writing
from sqlagent.sync.log import quoted

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor


class RunWriteTable:
    """`SELECT … FROM merge_states(…) …`."""

    def __init__(self, database: Database, plan: WriteTable, text: str) -> None:
        self.database = database
        self.plan = plan
        self.text = text
        self.body = functions()[plan.call.function or ""]

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        values = [value_of(a, (), parameters) for a in self.plan.call.arguments]
        picked = [value_of(Argument(slot=s), (), parameters) for s in self.plan.slots]
        self.read(connection, [], picked)  # where it cannot be read, nothing is written

        def work(handle: Handle) -> list[tuple[Any, ...]]:
            found = invoke(self.body, context_of(self.database, connection, handle), values)
            return [] if found is None else list(found)

        own = connection.txn is None
        if own:
            connection.begin()
        try:
            rows = writing(connection, work, self.text, several=True)
            shown = self.read(connection, rows, picked)
            cursor._columns, cursor._iter = shown._columns, iter(shown.fetchall())
        except BaseException:
            if own:
                connection.rollback()
            raise
        if own and connection.autocommit:
            connection.commit()

    def read(
        self, connection: Connection, rows: Sequence[tuple[Any, ...]], parameters: list[Any]
    ) -> Cursor:
        """The SELECT over these rows; a route is for tables of the file, and these are of none."""
        from sqlagent.cursor import Cursor
        from sqlagent.run import make, plan_of

        lite = connection.settings["dialect"] == "sqlite"
        text = self.plan.before + relation(self.body, rows, lite) + self.plan.after
        shown = Cursor(connection)
        make(self.database, plan_of(connection, text, route="auto"))(connection, shown, parameters)
        return shown


def relation(function: Function, rows: Sequence[tuple[Any, ...]], lite: bool = False) -> str:
    """Rows of a function as a relation in SQL, under its names and, but in SQLite's own dialect
    (`lite`), in its types."""
    columns = function.columns
    some = rows or [(None,) * len(columns)]
    values = ", ".join(f"({', '.join(map(literal, row))})" for row in some)
    never = "" if rows else " WHERE false"
    if lite:
        names = [f"column{n} AS {quoted(name)}" for n, (name, _) in enumerate(columns, 1)]
        return f"(SELECT {', '.join(names)} FROM (VALUES {values}){never})"
    names = [f"CAST(c{n} AS {kind}) AS {quoted(name)}" for n, (name, kind) in enumerate(columns)]
    places = ", ".join(f"c{n}" for n in range(len(columns)))
    return f"(SELECT {', '.join(names)} FROM (VALUES {values}) AS v ({places}){never})"


def literal(value: Any) -> str:
    """A value of a row as SQL text."""
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, bool | int | float | str | type(None)):
        return sql_literal(value)
    return sql_literal(str(value))
