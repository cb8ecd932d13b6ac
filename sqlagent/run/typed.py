"""A read on DuckDB under dialect 'sqlite' with parameters: lowered once their classes are known.

SQLite gives a parameter the class of its value, and an expression's class follows from it, so one
text has a plan for each set of classes that it is run with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent.engines import schema
from sqlagent.engines.sqlite import Database
from sqlagent.errors import DataError
from sqlagent.plan.plans import Typed
from sqlagent.run.duck import RunDuck
from sqlagent.values import pick, stored

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor

KINDS = {
    int: "INTEGER", bool: "INTEGER", float: "REAL", str: "TEXT", bytes: "BLOB", type(None): "NULL",
}  # fmt: skip
PLANS_MAX = 64


class RunTyped:
    """The runner of a text; it keeps one of a plan for each set of classes."""

    def __init__(self, database: Database, plan: Typed, text: str) -> None:
        self.database = database
        self.plan = plan
        self.text = text
        self.runners: dict[tuple[str, ...], tuple[RunDuck, tuple[Any, ...]]] = {}

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        values = [stored(value) for value in pick(self.plan.parameters, parameters)]
        if any(type(v) is int and not -(2**63) <= v < 2**63 for v in values):
            raise DataError("an integer parameter is larger than 64 bits", sqlstate="22003")
        values = [int(v) if isinstance(v, bool) else v for v in values]
        kinds = tuple(KINDS[type(value)] for value in values)
        found = self.runners.get(kinds)
        if found is None:
            found = self.made(connection, kinds)
        runner, places = found
        runner(connection, cursor, [values[place] for place in places])

    def made(
        self, connection: Connection, kinds: tuple[str, ...]
    ) -> tuple[RunDuck, tuple[Any, ...]]:
        """The runner for parameters of these classes, and the places of those that it takes."""
        from sqlagent.plan.native import lowered

        if connection.txn is not None:
            catalog = schema.read_catalog(connection.txn)
        else:
            catalog = schema.catalog(self.database)
        if len(self.runners) >= PLANS_MAX:
            self.runners.clear()
        plan = lowered(self.text, catalog, kinds)
        places = plan.parameters or ()
        plan = plan._replace(parameters=tuple(range(len(places))))
        self.runners[kinds] = RunDuck(self.database, plan, self.text), places
        return self.runners[kinds]
