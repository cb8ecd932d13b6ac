"""PREPARE, EXECUTE and DEALLOCATE: prepared statements by SQL, one name space with Parse."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlagent.errors import ProgrammingError
from sqlagent.serve.pg.commands import Command, commands
from sqlagent.serve.pg.outcome import Outcome
from sqlagent.serve.pg.portals import Statement
from sqlagent.serve.pg.types import BY_OID, TEXT, pg_type
from sqlagent.types import logical

if TYPE_CHECKING:
    from sqlagent.serve.pg.session import Session


def prepare(session: Session, command: Command) -> Outcome:
    """PREPARE name (types) AS statement."""
    from sqlagent.serve.pg.execute import describe

    name, kinds, sql, start = command.said
    if name in session.statements:
        raise ProgrammingError(f'prepared statement "{name}" already exists', sqlstate="42P05")
    inner = commands(sql)[0]
    try:
        statement_ = Statement(inner, describe(session, inner, tuple(map(_oid, kinds))), True)
    except Exception as error:
        if getattr(error, "position", None) is not None:
            error.position += start  # type: ignore[attr-defined]  # one of ours
            error.sql = command.sql  # type: ignore[attr-defined]
        raise
    statement_.made_at = time.time()
    session.statements[name] = statement_
    return Outcome("PREPARE")


def _oid(kind: str) -> int:
    """The type that a name in PREPARE means; unknown is inferred."""
    if kind.lower() == "unknown":
        return 0
    kind = kind.strip().removeprefix("pg_catalog.")
    said = " ".join(kind.lower().replace('"', "").split())
    own = {t.name: t.oid for t in BY_OID.values()}.get(said)
    if own is not None:
        return own
    found = logical(kind)
    if found is None:
        raise ProgrammingError(f'type "{kind}" does not exist', sqlstate="42704")
    return pg_type(found).oid


def statement(session: Session, command: Command) -> Statement:
    """The statement that EXECUTE names."""
    found = session.statements.get(command.said[0])
    if found is None or found.command is None:
        raise ProgrammingError(
            f'prepared statement "{command.said[0]}" does not exist', sqlstate="26000"
        )
    return found


def execute_(session: Session, command: Command) -> Outcome:
    """EXECUTE name (expressions)."""
    from sqlagent.serve.pg.execute import execute

    found = statement(session, command)
    assert found.command is not None  # `statement` has looked
    oids = found.description.oids
    values: tuple[Any, ...] = ()
    if command.said[1]:
        kinds = commands(f"SELECT {command.said[1]}")
        if len(kinds) != 1:
            raise ProgrammingError("the values of EXECUTE are expressions")
        cursor = session.connection.execute(f"SELECT {command.said[1]}")
        row = cursor.fetchone()
        values = tuple(row or ())
    if len(values) != len(oids):
        raise ProgrammingError(
            f'wrong number of parameters for prepared statement "{command.said[0]}"',
            detail=f"Expected {len(oids)} parameters but got {len(values)}.",
        )
    read = tuple(_coerced(value, oid) for value, oid in zip(values, oids, strict=True))
    return execute(session, found.command, read, found.description)


def _coerced(value: Any, oid: int) -> Any:
    """A text becomes what the parameter is."""
    from sqlagent.serve.pg import values_text

    found = BY_OID.get(oid, TEXT)
    if isinstance(value, str) and found.codec != "text":
        return values_text.reader(found)(value)
    return value


def deallocate(session: Session, command: Command) -> Outcome:
    """DEALLOCATE a statement, or all."""
    if command.said is None:
        session.statements.clear()
    elif session.statements.pop(command.said, None) is None:
        raise ProgrammingError(
            f'prepared statement "{command.said}" does not exist', sqlstate="26000"
        )
    return Outcome(command.tag)


HANDLERS: dict[str, Callable[[Any, Command], Outcome]] = {
    "prepare": prepare, "execute": execute_, "deallocate": deallocate,
}  # fmt: skip
