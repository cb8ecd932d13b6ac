"""PLAN: what a function would do to memories: it runs, its rows are read, all is rolled back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent.plan.plans import Rehearsal

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor

COLUMNS = [
    ("operation", "VARCHAR"), ("action", "VARCHAR"), ("memory_id", "BIGINT"),
    ("content", "VARCHAR"), ("reason", "VARCHAR"), ("before", "JSON"), ("after", "JSON"),
]  # fmt: skip
NEWEST = "SELECT ifnull(max(operation_id), 0) FROM sqlagent_operations"
ROWS = """
SELECT o.operation, r.action, r.memory_id, m.content, r.reason, r.before, r.after
FROM sqlagent_operations o JOIN sqlagent_operation_rows r ON r.operation_id = o.operation_id
LEFT JOIN memories m ON m.memory_id = r.memory_id
WHERE o.operation_id > ? ORDER BY o.operation_id, r.memory_id
"""
MARK = "sqlagent_rehearsal"


class RunRehearsal:
    """`PLAN SELECT forget('ada')`: the rows of its operation, of which nothing stays."""

    def __init__(self, plan: Rehearsal, text: str) -> None:
        self.plan = plan
        self.text = text

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        from sqlagent.cursor import Cursor as Own

        own = connection.txn is None
        if own:
            connection.begin()
        connection.execute(f"SAVEPOINT {MARK}")
        try:
            assert connection.txn is not None  # it was begun above
            ((newest,),) = connection.txn.execute(NEWEST).fetchall()
            connection._run(Own(connection), self.plan.sql, parameters)
            rows = connection.txn.execute(ROWS, (newest,)).fetchall()
        finally:
            if own:
                connection.rollback()
            elif connection.txn is not None:
                connection.execute(f"ROLLBACK TO {MARK}")
                connection.execute(f"RELEASE {MARK}")
        cursor._columns = COLUMNS
        cursor._iter = iter(rows)
