"""Advisory locks: numbers that the sessions of this server take in turn, and nothing else of it.

One that ends with the transaction is the writer's: whoever holds it writes alone.
"""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from sqlagent.errors import OperationalError

if TYPE_CHECKING:
    from sqlagent.connection import Connection

Key = tuple[Any, ...]
_changed = threading.Condition()
_held: dict[Key, tuple[weakref.ref[Any], int]] = {}
LOOK_S = 0.25  # how often a lock is looked at whose holder may have gone without a word


class _Wait:
    """What `Connection.interrupt` reaches."""

    def __init__(self) -> None:
        self.ended = False

    def interrupt(self) -> None:
        self.ended = True
        with _changed:
            _changed.notify_all()


def take(connection: Connection, owner: Any, key: Key, wait: bool) -> bool:
    """Take a lock; without `wait` only if it is free. Raises OperationalError (57014) where it is
    cancelled, or the statement's time is over."""
    limit = connection.settings["statement_timeout_ms"] / 1000
    end = time.monotonic() + limit if limit else None
    waiting = _Wait()
    connection.running[id(waiting)] = waiting
    try:
        with _changed:
            while not _take(owner, key):
                if not wait:
                    return False
                if waiting.ended or (end is not None and time.monotonic() >= end):
                    raise OperationalError(
                        "canceling statement while it waits for a lock", sqlstate="57014"
                    )
                _changed.wait(LOOK_S)
        return True
    finally:
        connection.running.pop(id(waiting), None)


def _take(owner: Any, key: Key) -> bool:
    found = _held.get(key)
    holder = found[0]() if found is not None else None
    if holder is not None and holder is not owner:
        return False
    _held[key] = (weakref.ref(owner), found[1] + 1 if found is not None and holder else 1)
    return True


def give(owner: Any, key: Key) -> bool:
    """Give a lock back; whether it was held."""
    with _changed:
        found = _held.get(key)
        if found is None or found[0]() is not owner:
            return False
        if found[1] > 1:
            _held[key] = (found[0], found[1] - 1)
        else:
            del _held[key]
            _changed.notify_all()
    return True


def give_all(owner: Any) -> None:
    """Give back all that a session holds."""
    with _changed:
        for key in [k for k, (holder, _) in _held.items() if holder() in (owner, None)]:
            del _held[key]
        _changed.notify_all()
