"""Running a command: the session's own, or by the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent.errors import Error, NotSupportedError
from sqlagent.plan.plans import Plan
from sqlagent.run.lite import Runnable
from sqlagent.serve.pg import copying, cursors, prepared, verbs
from sqlagent.serve.pg import describe as describing
from sqlagent.serve.pg.catalog.asked import asks
from sqlagent.serve.pg.commands import Command
from sqlagent.serve.pg.describe import Description
from sqlagent.serve.pg.outcome import Outcome, described

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.serve.pg.session import Session

HANDLERS = {
    **verbs.HANDLERS, **cursors.HANDLERS, **prepared.HANDLERS, **copying.HANDLERS,
}  # fmt: skip


def execute(
    session: Session,
    command: Command,
    values: tuple[Any, ...],
    description: Description | None = None,
) -> Outcome:
    """Run a command with its parameters; `description` where it was described before."""
    if command.verb == "engine":
        return engine(session, command, values, description)
    return HANDLERS[command.verb](session, command)


def engine(
    session: Session, command: Command, values: tuple[Any, ...], description: Description | None
) -> Outcome:
    """Run a statement by the engine."""
    connection = session.connection
    writes = True
    if session.settings["transaction_read_only"] == "on" or (
        session.settings["default_transaction_read_only"] == "on"
    ):
        known = description or describe(session, command, ())
        writes = known.writes
    session.transactions.statement(writes, command.tag)
    cursor = connection.execute(command.sql, values)
    if command.tag == "INSERT" and cursor.lastrowid is not None and cursor.rowcount != 0:
        _numbered(connection, command, cursor.lastrowid)
    found = cursor._described()
    if found is None or cursor._iter is None:
        return Outcome(command.tag, count=cursor.rowcount)
    columns = described(found)
    if description is not None and description.columns is not None:
        if len(description.columns) != len(columns):
            raise NotSupportedError("cached plan must not change result type")
        columns = description.columns
    elif connection.settings["dialect"] == "postgres" and command.tokens[0].upper in _QUERIES:
        columns = _refined(session, command, columns)
    outcome = Outcome(
        command.tag, columns, cursor._iter, count=-1, batches=cursor._batches, close=cursor.close
    )
    if command.tag in ("INSERT", "UPDATE", "DELETE", "MERGE") and cursor.rowcount >= 0:
        outcome.count = cursor.rowcount
    return outcome


def _numbered(connection: Connection, command: Command, row: int) -> None:
    """An INSERT that let a key number its rows: currval() and lastval() give the last number."""
    tokens = command.tokens
    catalog = connection.database.known_catalog
    if catalog is None or tokens[0].upper != "INSERT" or len(tokens) < 4:
        return
    place = 4 if tokens[3].text == "." else 2
    table = catalog.table(tokens[place].name) if place < len(tokens) else None
    if table is None or table.key in (None, "rowid"):
        return
    end = place + 1
    while tokens[place + 1 : place + 2] and tokens[place + 1].text == "(" and (
        end < len(tokens) and tokens[end].text != ")"
    ):  # fmt: skip
        if tokens[end].name.lower() == str(table.key).lower():
            return  # the statement says the number itself
        end += 1
    connection.sequences[f"{table.name}_{table.key}_seq".lower()] = row
    connection.sequences[""] = row


_QUERIES = frozenset(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "("))


def _refined(session: Session, command: Command, columns: Any) -> Any:
    """The columns of a text that was not described, with PostgreSQL's types."""
    connection = session.connection
    key = ("refined", command.sql, connection.database.generation, tuple(c.kind for c in columns))
    known = session.shared.descriptions
    found = known.get(key)
    if found is None or found[0] != [c.name for c in columns]:
        known_as = _described_by_sqlite(connection, command.sql)
        if connection.foreign is not None and asks(command.sql, connection):
            known_as = columns  # the catalogs say of theirs what they are
        elif known_as is None or len(known_as) != len(columns):
            known_as = describing.refined(connection, command.sql, columns)
        found = [c.name for c in columns], known_as
        if not connection.redefined:
            known[key] = found
    return found[1]


def _described_by_sqlite(connection: Any, sql: str) -> Any:
    """The columns of what SQLite runs, with the tables that they are of; None elsewhere."""
    runner = connection.plans.get(sql)
    runner = getattr(runner, "lite", None) or runner
    if not isinstance(runner, Runnable):
        return None
    columns = describing.lite_columns(connection, Plan(sql, runner.plan), runner.plan)
    return None if columns is None else describing.refined(connection, sql, columns)


def describe(session: Session, command: Command, declared: tuple[int, ...]) -> Description:
    """What a command takes and gives; nothing is run."""
    if command.verb != "engine":
        return Description((), _columns(session, command), False)
    connection = session.connection
    known = session.shared.descriptions
    plain = connection.txn is None or not connection.redefined
    key: Any = None
    if plain:
        settings = connection.settings
        key = (
            command.sql, declared, connection.principal, connection.database.generation,
            settings["dialect"], settings["route"], len(connection.temporary),
        )  # fmt: skip
        found: Description | None = known.get(key)
        if found is not None:
            return found
    try:
        made = describing.describe(connection, command.sql, declared)
    except Error as error:
        connection._place(error, command.sql)
        raise
    if key is not None and not connection.temporary and not connection.sources:
        if len(known) >= 5000:
            known.clear()
        known[key] = made
    return made


def _columns(session: Session, command: Command) -> Any:
    """The columns of what the session answers itself."""
    if command.verb == "show":
        return verbs.show_columns(session, command)
    if command.verb == "fetch":
        return session.portal(command.said[2]).columns
    if command.verb == "execute":
        return prepared.statement(session, command).description.columns
    return None
