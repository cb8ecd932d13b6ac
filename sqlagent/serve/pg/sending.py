"""Sending the rows of an outcome, in pieces, so that neither memory nor anybody waits for them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlagent.errors import OperationalError
from sqlagent.serve.pg import messages
from sqlagent.serve.pg.encode import Rows
from sqlagent.serve.pg.outcome import CHUNK_ROWS, Outcome
from sqlagent.serve.pg.tags import complete

if TYPE_CHECKING:
    from sqlagent.serve.pg.session import Session


def send(session: Session, outcome: Outcome, encoder: Rows) -> None:
    """All rows that are left."""
    for chunk in outcome.chunks():
        session.check_cancelled()
        put(session, outcome, encoder, chunk)


def send_some(session: Session, outcome: Outcome, encoder: Rows, limit: int) -> bool:
    """At most `limit` rows; whether there may be more."""
    left = limit
    while left:
        session.check_cancelled()
        assert outcome.rows is not None  # who asks for rows knows that there are some
        chunk = list(islice(outcome.rows, min(left, CHUNK_ROWS)))
        if not chunk:
            return False
        put(session, outcome, encoder, chunk)
        left -= len(chunk)
    return True


def put(session: Session, outcome: Outcome, encoder: Rows, chunk: Any) -> None:
    """A list of rows, or a table of Arrow."""
    count = len(chunk) if isinstance(chunk, list) else chunk.num_rows
    outcome.sent += count
    if session.rows_max and outcome.sent > session.rows_max:
        raise OperationalError(
            f"the result has more rows than the limit of {session.rows_max}", sqlstate="54000"
        )
    if isinstance(chunk, list):
        session.wire.put(encoder.many(chunk))
        return
    for batch in chunk.to_batches():
        session.wire.put(encoder.batch(batch))


def finish(session: Session, outcome: Outcome) -> None:
    """CommandComplete."""
    said = outcome.exact
    if said is None:
        count = outcome.count if outcome.count >= 0 else outcome.sent
        said = complete(outcome.tag, count)
    session.wire.put(messages.command_complete(said))
