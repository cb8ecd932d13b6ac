"""A transaction that Ctrl-C and errors undo whole, also inside one that the user opened."""

from collections.abc import Iterator
from contextlib import contextmanager

from .session import Session

_SAVEPOINT = "sqlagent_import"


@contextmanager
def transaction(session: Session) -> Iterator[None]:
    """BEGIN … COMMIT around the block, or a savepoint when a transaction is open."""
    inside = bool(session.connection.in_transaction)
    _execute(session, f"SAVEPOINT {_SAVEPOINT}" if inside else "BEGIN")
    try:
        yield
        _execute(session, f"RELEASE {_SAVEPOINT}" if inside else "COMMIT")
    except BaseException:
        # Not under `cancel`: what Ctrl-C asked for must not be interrupted by it.
        if inside:
            session.connection.execute(f"ROLLBACK TO {_SAVEPOINT}")
            session.connection.execute(f"RELEASE {_SAVEPOINT}")
        elif session.connection.in_transaction:
            session.connection.execute("ROLLBACK")
        raise


def _execute(session: Session, sql: str) -> None:
    with session.cancel:
        session.connection.execute(sql)
