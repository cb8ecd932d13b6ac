"""Statements that another agent's file runs by itself, on a connection of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent.errors import Error
from sqlagent.plan.plans import Remote
from sqlagent.run.attached import hold, source_of
from sqlagent.run.writing import fail, open_handle

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor

# What the user's settings mean there as they do here.
SHARED = ("dialect", "route", "statement_timeout_ms", "memory_limit_mb")


class HeldAgent:
    """Another agent's file that the open transaction writes."""

    def __init__(self, connection: Connection, source: Any) -> None:
        self.name = source.name.lower()
        self.inner: Connection = source.connection
        self.inner.begin()
        for name in connection.savepoints:
            self.inner.execute(f"SAVEPOINT {name}")

    @property
    def handle(self) -> Any:
        """The writer's connection, which sees what the transaction wrote."""
        return self.inner.txn

    def savepoint(self, text: str) -> None:
        """SAVEPOINT, RELEASE or ROLLBACK TO, beside the file's own."""
        self.inner.execute(text)

    def end(self, verb: str) -> None:
        """COMMIT or ROLLBACK."""
        self.inner._end(verb)


class RunRemote:
    """The statement, without its prefixes, on the other file's connection."""

    def __init__(self, plan: Remote, text: str) -> None:
        self.plan = plan
        self.text = text
        self.repeats = plan.writes  # by executemany

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        source = source_of(connection, self.plan.source)
        source.check()
        inner: Connection = source.connection
        adopt(inner, connection)
        try:
            if connection.txn is None and self.plan.writes and not connection.autocommit:
                connection.begin()
            if connection.txn is not None:
                with connection.txn_lock:
                    open_handle(connection)
                    if self.plan.writes:
                        hold(connection, source)
            connection.running[id(inner)] = inner
            try:
                found = inner.execute(self.plan.sql, parameters)
            finally:
                connection.running.pop(id(inner), None)
        except Error as error:
            fail(connection)
            if error.sql is not None:
                error.sql = self.text  # of the same length: its places hold
            raise
        for name in ("_iter", "_columns", "_table", "_close", "rowcount", "lastrowid"):
            setattr(cursor, name, getattr(found, name))


def adopt(inner: Connection, outer: Connection) -> None:
    """Let the settings that change what a statement means be those of the user's connection."""
    changed = {k: outer.settings[k] for k in SHARED if inner.settings[k] != outer.settings[k]}
    if changed:
        inner.settings.update(changed)
        inner.plans.clear()
        inner.slowly = inner.txn is not None or bool(inner.settings["statement_timeout_ms"])
