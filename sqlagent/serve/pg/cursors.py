"""SQL cursors: DECLARE, FETCH, MOVE, CLOSE."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlagent.errors import ProgrammingError
from sqlagent.serve.pg.commands import Command, commands
from sqlagent.serve.pg.outcome import Outcome
from sqlagent.serve.pg.portals import Portal, Statement

if TYPE_CHECKING:
    from sqlagent.serve.pg.session import Session


def declare(session: Session, command: Command) -> Outcome:
    """DECLARE: the query begins now, and its rows are read by FETCH."""
    from sqlagent.serve.pg.execute import describe, execute

    name, options, sql, start = command.said
    if not options["hold"] and not session.transactions.block:
        raise ProgrammingError(
            "DECLARE CURSOR can only be used in transaction blocks", sqlstate="25P01"
        )
    if name in session.portals:
        raise ProgrammingError(f'cursor "{name}" already exists', sqlstate="42P03")
    inner = commands(sql)[0]
    try:
        description = describe(session, inner, ())
        portal = Portal(name, Statement(inner, description))
        portal.outcome = execute(session, inner, (), description)
    except Exception as error:
        if getattr(error, "position", None) is not None:
            error.position += start  # type: ignore[attr-defined]  # one of ours
            error.sql = command.sql  # type: ignore[attr-defined]
        raise
    portal.cursor = True
    portal.hold, portal.binary = options["hold"], options["binary"]
    portal.scroll = options["scroll"]
    if portal.scroll:
        portal.kept = []
    session.portals[name] = portal
    if portal.hold and not session.transactions.open:
        portal.materialise(session)
    return Outcome("DECLARE CURSOR")


def fetch(session: Session, command: Command) -> Outcome:
    """FETCH and MOVE."""
    how, count, name = command.said
    portal = session.portal(name)
    if not portal.cursor:
        raise ProgrammingError(f'cursor "{name}" does not exist', sqlstate="34000")
    if command.verb == "fetch" and how == "forward" and count is None and portal.kept is None:
        return _rest(portal)
    rows = portal.move(how, count)
    if command.verb == "move":
        return Outcome("MOVE", count=len(rows))
    outcome = Outcome("FETCH", portal.columns, iter(rows))
    outcome.binary = portal.binary
    return outcome


def _rest(portal: Portal) -> Outcome:
    """FETCH ALL of a cursor that only goes forward: its rows are sent as they come."""
    rows = iter(()) if portal.finished or portal.past else portal.source()
    portal.finished = portal.past = True
    outcome = Outcome("FETCH", portal.columns, rows)
    outcome.binary = portal.binary
    return outcome


def close(session: Session, command: Command) -> Outcome:
    """CLOSE a cursor, or all."""
    names = [command.said]
    if command.said is None:
        names = [n for n, p in session.portals.items() if p.cursor]
    for name in names:
        session.portal(name).close()
        del session.portals[name]
    return Outcome(command.tag)


HANDLERS: dict[str, Callable[[Any, Command], Outcome]] = {
    "declare": declare, "fetch": fetch, "move": fetch, "close": close,
}  # fmt: skip
