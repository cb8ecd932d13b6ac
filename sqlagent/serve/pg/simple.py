"""The simple query protocol: a text of statements, run one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlagent.serve.pg import messages
from sqlagent.serve.pg.commands import commands
from sqlagent.serve.pg.encode import Rows
from sqlagent.serve.pg.execute import execute
from sqlagent.serve.pg.outcome import Outcome
from sqlagent.serve.pg.sending import finish, send

if TYPE_CHECKING:
    from sqlagent.serve.pg.session import Session


def query(session: Session, body: bytes) -> None:
    """A Query message. Several statements are one transaction, unless they say otherwise."""
    offset = 0
    transactions = session.transactions
    old = session.portals.pop("", None)
    if old is not None:
        old.close()
    try:
        reader = messages.Reader(body)
        text = reader.cstring(session.codec)
        reader.end()
        found = commands(text)
        if not found:
            session.wire.put(messages.EMPTY_QUERY)
        for command in found:
            offset = command.start
            transactions.check(command.verb)
            if len(found) > 1:
                transactions.start_implicit()
            outcome = execute(session, command, ())
            try:
                answer(session, outcome)
            finally:
                outcome.close()
        if transactions.implicit:
            offset = 0
            transactions.end(True)
    except Exception as error:
        session.refuse(error, offset)
    session.skipping = False
    session.ready()


def answer(session: Session, outcome: Outcome) -> None:
    """The rows of a statement, all of them in the text format, and its tag."""
    columns = outcome.columns
    if columns is not None:
        binary = [int(outcome.binary)] * len(columns)
        session.wire.put(messages.row_description(columns, binary, session.codec))
        encoder = Rows(session.said(columns), binary, session.codec, session.zone)
        send(session, outcome, encoder)
    finish(session, outcome)
