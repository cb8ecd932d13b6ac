"""The extended query protocol: Parse, Bind, Describe, Execute, Close, Sync."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Any

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.serve.pg import messages, values_binary, values_text
from sqlagent.serve.pg.commands import commands
from sqlagent.serve.pg.describe import Description
from sqlagent.serve.pg.encode import Rows
from sqlagent.serve.pg.execute import describe, execute
from sqlagent.serve.pg.fast import learn
from sqlagent.serve.pg.messages import ProtocolError, Reader, each_format
from sqlagent.serve.pg.portals import Portal, Statement
from sqlagent.serve.pg.sending import finish, send, send_some
from sqlagent.serve.pg.types import BY_OID, TEXT

if TYPE_CHECKING:
    from sqlagent.serve.pg.session import Session

NOTHING = Description((), None, False)


def parse(session: Session, reader: Reader) -> None:
    """Parse: a statement gets a name, its parameters types, and is planned."""
    name, text = reader.cstring(session.codec), reader.cstring(session.codec)
    declared = tuple(reader.oids(reader.int2()))
    reader.end()
    if name and name in session.statements:
        raise ProgrammingError(f'prepared statement "{name}" already exists', sqlstate="42P05")
    if not name:
        session.statements.pop("", None)
    found = commands(text)
    if len(found) > 1:
        raise ProgrammingError("cannot insert multiple commands into a prepared statement")
    if not found:
        session.statements[name] = Statement(None, NOTHING)
    else:
        session.transactions.check(found[0].verb)
        session.statements[name] = Statement(found[0], describe(session, found[0], declared))
    session.wire.put(messages.PARSE_COMPLETE)


def bind(session: Session, reader: Reader) -> None:
    """Bind: values make a statement a portal."""
    name, of = reader.cstring(session.codec), reader.cstring(session.codec)
    statement = statement_of(session, of)
    if statement.command is not None:
        session.transactions.check(statement.command.verb)
    codes = reader.formats()
    count = reader.int2()
    oids = statement.description.oids
    if count != len(oids):
        raise ProtocolError(
            f"bind message supplies {count} parameters, but prepared statement "
            f'"{of}" requires {len(oids)}'
        )
    forms = each_format(codes, count, "parameter")
    values = tuple(_value(session, reader, statement, i, forms[i]) for i in range(count))
    formats = reader.formats()
    reader.end()
    if statement.description.columns is not None:
        formats = each_format(formats, len(statement.description.columns), "result")
    elif len(formats) > 1:
        formats = formats[:1]
    if name and name in session.portals:
        raise ProgrammingError(f'cursor "{name}" already exists', sqlstate="42P03")
    old = session.portals.pop(name, None)
    if old is not None:
        old.close()
    session.portals[name] = Portal(name, statement, values, formats)
    session.wire.put(messages.BIND_COMPLETE)


def _value(session: Session, reader: Reader, statement: Statement, place: int, form: int) -> Any:
    """One parameter's value."""
    size = reader.int4()
    if size == -1:
        return None
    data = reader.take(size)
    read = statement.readers.get((form, place, session.zone))
    if read is None:
        found = BY_OID.get(statement.description.oids[place], TEXT)
        if form:
            read = values_binary.reader(found, session.codec)
        else:
            said = values_text.reader(found, session.zone)
            codec = session.codec

            def read(raw: bytes) -> Any:
                return said(values_binary.decoded(raw, codec))

        statement.readers[form, place, session.zone] = read
    return read(data)


def statement_of(session: Session, name: str) -> Statement:
    """The prepared statement of a name."""
    found = session.statements.get(name)
    if found is None:
        said = f'prepared statement "{name}" does not exist' if name else (
            "unnamed prepared statement does not exist"
        )  # fmt: skip
        raise ProgrammingError(said, sqlstate="26000")
    return found


def describe_message(session: Session, reader: Reader) -> None:
    """Describe: what a statement takes and gives, or what a portal gives."""
    kind, name = reader.take(1), reader.cstring(session.codec)
    reader.end()
    if kind == b"S":
        statement = statement_of(session, name)
        session.wire.put(messages.parameter_description(statement.description.oids))
        columns = statement.description.columns
        formats = [0] * len(columns or ())
    elif kind == b"P":
        portal = session.portal(name)
        columns = portal.columns
        formats = _formats(portal)
    else:
        raise ProtocolError(f"invalid DESCRIBE message subtype {kind[0]}")
    if columns is None:
        session.wire.put(messages.NO_DATA)
    else:
        session.wire.put(messages.row_description(columns, formats, session.codec))


def _formats(portal: Portal) -> list[int]:
    columns = portal.columns or ()
    if portal.cursor:
        return [int(portal.binary)] * len(columns)
    return each_format(portal.formats, len(columns), "result")


def execute_message(session: Session, reader: Reader) -> None:
    """Execute: run a portal, or go on with it."""
    name, limit = reader.cstring(session.codec), reader.int4()
    reader.end()
    portal = session.portal(name)
    command = portal.statement.command
    if command is None:
        session.wire.put(messages.EMPTY_QUERY)
        return
    session.transactions.check(command.verb)
    if portal.cursor:
        raise NotSupportedError(f'"{name}" is a cursor: FETCH reads it')
    begun = None
    described = portal.statement.description
    if portal.outcome is not None and portal.finished and portal.outcome.columns is None:
        raise ProgrammingError(f'portal "{name}" cannot be run', sqlstate="55000")
    if portal.outcome is None:
        if session.wire.peek() != ord("S"):  # more is sent together with it
            session.transactions.start_implicit()
        begun = time.thread_time()  # others may have had the processor meanwhile
        portal.outcome = execute(session, command, portal.values, described)
        outcome = portal.outcome
        if outcome.columns is not None:
            if len(outcome.columns) != len(described.columns or ()):
                raise NotSupportedError("cached plan must not change result type")
            form = _formats(portal)
            portal.encoder = Rows(session.said(outcome.columns), form, session.codec, session.zone)
    outcome = portal.outcome
    outcome.sent = 0
    if portal.encoder is not None and not portal.finished:
        if limit > 0:
            if send_some(session, outcome, portal.encoder, limit):
                session.wire.put(messages.PORTAL_SUSPENDED)
                _learn(portal, begun, outcome.sent)
                return
        else:
            send(session, outcome, portal.encoder)
    portal.finished = True
    finish(session, outcome)
    _learn(portal, begun, outcome.sent)


def _learn(portal: Portal, begun: float | None, rows: int) -> None:
    """Whether the loop may run the statement from now on, after a run that began here."""
    command = portal.statement.command
    reads = not portal.statement.description.writes
    if begun is not None and command is not None and command.verb == "engine" and reads:
        learn(portal.statement, 1000 * (time.thread_time() - begun), rows)


def close(session: Session, reader: Reader) -> None:
    """Close: forget a statement or a portal; none is no error."""
    kind, name = reader.take(1), reader.cstring(session.codec)
    reader.end()
    if kind == b"S":
        session.statements.pop(name, None)
    elif kind == b"P":
        portal = session.portals.pop(name, None)
        if portal is not None:
            portal.close()
    else:
        raise ProtocolError(f"invalid CLOSE message subtype {struct.unpack('!B', kind)[0]}")
    session.wire.put(messages.CLOSE_COMPLETE)


def sync(session: Session) -> None:
    """Sync: the end of what was sent together."""
    transactions = session.transactions
    if transactions.implicit:
        try:
            transactions.end(not session.skipping)
        except Exception as error:
            session.refuse(error)
    elif not transactions.block:
        session.close_portals(held=True)
    session.skipping = False
    session.ready()


ACTIONS = {
    ord("P"): parse, ord("B"): bind, ord("D"): describe_message, ord("E"): execute_message,
    ord("C"): close,
}  # fmt: skip
