"""pg_sleep(): a wait that a cancel, or the statement's time limit, ends."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sqlagent.errors import OperationalError

if TYPE_CHECKING:
    from sqlagent.connection import Connection


class _Sleep:
    """What `Connection.interrupt` reaches."""

    def __init__(self) -> None:
        self.woken = threading.Event()

    def interrupt(self) -> None:
        self.woken.set()


def sleep(connection: Connection, seconds: float) -> None:
    """Wait; raises OperationalError (57014) where it is cancelled or takes too long."""
    waiting = _Sleep()
    limit = connection.settings["statement_timeout_ms"] / 1000 or None
    connection.running[id(waiting)] = waiting
    try:
        long = limit is not None and limit < seconds
        if waiting.woken.wait(limit if long else max(seconds, 0.0)):
            raise OperationalError("canceling statement due to user request", sqlstate="57014")
        if long:
            raise OperationalError("canceling statement due to statement timeout", sqlstate="57014")
    finally:
        connection.running.pop(id(waiting), None)
