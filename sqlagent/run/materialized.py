"""CREATE, DROP and REFRESH MATERIALIZED VIEW.

The definition is kept in the file; the rows are DuckDB's, and derived.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sqlagent.catalog import Column
from sqlagent.engines import definitions
from sqlagent.engines.sqlite import Database, Handle
from sqlagent.errors import OperationalError, ProgrammingError
from sqlagent.plan.plans import Duck, Materialize, Materialized
from sqlagent.run.writing import writing

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor

KINDS = ("materialized view",)
DONE = [("name", "VARCHAR"), ("kept", "VARCHAR"), ("rows", "BIGINT"), ("milliseconds", "DOUBLE")]
KEPT = {
    "rows": "row by row, from the change log",
    "groups": "group by group, from the change log",
    "whole": "computed again when what it reads has changed",
}


class RunMaterialize:
    """The runner of a statement on a materialised view."""

    def __init__(self, database: Database, plan: Materialize, text: str) -> None:
        self.database = database
        self.plan = plan
        self.text = text

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        plan = self.plan
        if connection.txn is not None:
            raise ProgrammingError(
                f"{plan.verb.upper()} MATERIALIZED VIEW cannot run in a transaction",
                sql=self.text, position=0, sqlstate="25001",
            )  # fmt: skip
        if plan.verb == "create" and plan.view is not None:
            self.create(connection, plan.view)
        elif plan.verb == "drop" and plan.definition is not None:
            self.drop(connection)
        elif plan.verb == "refresh" and plan.view is not None:
            self.refresh(connection, cursor, plan.view)

    def create(self, connection: Connection, view: Materialized) -> None:
        """Keep the definition, once its SELECT has run, and fill it."""
        plan = self.plan
        if plan.definition is None:
            return
        if self.database.read_only:
            raise OperationalError(
                "the connection is read-only", sqlstate="25006",
                hint="Connect without read_only=True to write.",
            )  # fmt: skip
        columns = self.columns(connection, view)
        definition = plan.definition._replace(columns=columns)

        def work(handle: Handle) -> None:
            definitions.define(handle, definition, replace=plan.replace)

        writing(connection, work, self.text)
        self.forget(connection)
        from sqlagent.parse.lexer import quote_name

        # Reading it fills it.
        connection.execute(f"SELECT count(*) FROM {quote_name(plan.name)}").fetchone()

    def columns(self, connection: Connection, view: Materialized) -> tuple[Column, ...]:
        """The columns of its SELECT, by running it for no rows."""
        from sqlagent.run.duck import RunDuck

        sql = f"SELECT * FROM (\n{view.sql}\n) LIMIT 0"
        plan = Duck(sql, tables=view.tables, views=view.views)
        result = RunDuck(self.database, plan, self.text).start(connection, ())
        try:
            found = result.columns
        finally:
            result.close()
        names = [name for name, _ in view.columns] or [name for name, _ in found]
        if len(names) != len(found):
            raise ProgrammingError(
                f'the view "{view.name}" has {len(names)} names for {len(found)} columns',
                sql=self.text, sqlstate="42611",
            )  # fmt: skip
        twice = next(
            (n for i, n in enumerate(names) if n.lower() in map(str.lower, names[:i])), None
        )
        if twice is not None:
            raise ProgrammingError(
                f'the view "{view.name}" has the column "{twice}" twice',
                hint="Give one of them another name with AS.", sql=self.text, sqlstate="42701",
            )  # fmt: skip
        kinds = ["INTEGER" if kind == '"NULL"' else kind for _, kind in found]
        return tuple(map(Column, names, kinds))

    def drop(self, connection: Connection) -> None:
        """Forget the definition and the rows."""

        def work(handle: Handle) -> int:
            return definitions.undefine(handle, self.plan.name, KINDS)

        writing(connection, work, self.text)
        self.forget(connection)
        if "columns" in self.database.services:
            self.database.services["columns"].replicas.let_go(self.plan.name)

    def refresh(self, connection: Connection, cursor: Cursor, view: Materialized) -> None:
        """Compute the rows anew; a view is never stale, so this only proves it."""
        from sqlagent.run.duck import engine

        start = time.perf_counter()
        replicas = engine(self.database, connection.settings["memory_limit_mb"]).replicas
        replicas.let_go(view.name)
        replicas.fresh(view.tables, (view,))
        if replicas.schema != view.version:  # triggers were made
            self.forget(connection)
            connection._run(cursor, self.text, ())
            return
        spent = round(1000 * (time.perf_counter() - start), 3)
        cursor._columns = DONE
        cursor._iter = iter(
            [(n, KEPT[how], rows, spent) for n, how, rows in replicas.views() if n == view.name]
        )

    def forget(self, connection: Connection) -> None:
        """Plans of the view as it was are none any more."""
        self.database.schema_changed()
