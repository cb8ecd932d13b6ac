"""Running a MERGE: find out what is to be done, check it, do it, all in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent.engines.sqlite import Database, Handle
from sqlagent.errors import IntegrityError
from sqlagent.parse.lexer import quote_name
from sqlagent.plan.plans import Merge
from sqlagent.run.writing import outdated, writing
from sqlagent.values import pick, stored_all

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor

_TABLES = ("sqlagent pairs", "sqlagent come", "sqlagent rest")


class RunMerge:
    """The runner of a MERGE."""

    def __init__(self, database: Database, plan: Merge, text: str) -> None:
        self.database = database
        self.plan = plan
        self.text = text

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        if outdated(connection):
            connection._run(cursor, self.text, parameters)
            return
        plan = self.plan

        def work(handle: Handle) -> int:
            from sqlagent.engines.sqlite_functions import ensure

            handle.owner = connection
            ensure(handle, self.database)
            try:
                for sql, slots in plan.stage:
                    handle.execute(sql, stored_all(pick(slots, parameters)))
                if plan.checked is not None and handle.execute(plan.checked).fetchone():
                    raise IntegrityError(
                        f'two source rows match one row of "{plan.table}"',
                        hint="Make the source have one row for each, as with GROUP BY.",
                        sqlstate="21000",
                    )
                count = 0
                for sql in plan.apply:
                    handle.execute(sql)
                    count += handle.changes()
                return count
            finally:
                if handle.in_transaction:
                    for name in _TABLES:
                        handle.execute(f"DROP TABLE IF EXISTS temp.{quote_name(name)}")

        cursor.rowcount = writing(connection, work, self.text, several=True)
