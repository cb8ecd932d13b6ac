"""What was reckoned from an agent's memories, kept up by the change log.

Each memory's part of it is its own, so after a change only the memories that the log names are
looked at again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.search.scopes import LOG_ENDS

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Handle

# The name of an agent that was erased goes from the log: what has none may be anyone's.
DIRTY = """
SELECT DISTINCT pk FROM sqlagent_change_entries
WHERE seq > ? AND tbl = 'memories' AND (scope = ? OR scope IS NULL)
"""
DIRTY_MAX = 2_000  # changed memories from which all are looked at again
KEPT_BYTES = 16 << 20


class Kept(NamedTuple):
    """A value as of a place in the log, and its size in bytes."""

    value: Any
    seq: int
    size: int


class Followed:
    """The values that are kept of a file's agents: a service of the database."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known: OrderedDict[Any, Kept] = OrderedDict()

    def get(
        self,
        context: Context,
        agent_id: str,
        key: Any,
        make: Callable[[Handle], Any],
        renew: Callable[[Handle, Any, list[int]], Any],
        size: Callable[[Any], int],
    ) -> Any:
        """The value of a key: made of all memories, or renewed for those that have changed.

        In a transaction that wrote it is made of the transaction's own rows, and not kept.
        """
        own = context.handle
        if own is not None and own is context.database._writer and own.in_transaction:
            return make(own)
        key = agent_id, key
        with context.reading() as handle:
            low, high = handle.execute(LOG_ENDS).fetchone()
            low, high = low or 0, high or 0
            with self.lock:
                kept = self.known.get(key)
            dirty: list[Any] | None = None
            if kept is not None and kept.seq <= high and low <= kept.seq + 1:
                changed = kept.seq != high
                rows = handle.execute(DIRTY, (kept.seq, agent_id)) if changed else ()
                dirty = [row[0] for row in rows]
            if kept is None or dirty is None or len(dirty) > DIRTY_MAX or None in dirty:
                value = make(handle)
            elif dirty:
                value = renew(handle, kept.value, dirty)
            else:
                value = kept.value
        self.keep(key, Kept(value, high, size(value)))
        return value

    def keep(self, key: Any, kept: Kept) -> None:
        with self.lock:
            before = self.known.get(key)
            if before is not None and before.seq > kept.seq:
                return
            self.known[key] = kept
            self.known.move_to_end(key)
            total = sum(each.size for each in self.known.values())
            while total > KEPT_BYTES and len(self.known) > 1:
                total -= self.known.popitem(last=False)[1].size

    def close(self) -> None:
        with self.lock:
            self.known.clear()


def followed(context: Context) -> Followed:
    """What is kept of the agents of the context's file."""
    database = context.database
    found: Followed | None = database.services.get("followed")
    if found is None:
        with database.lock:
            found = database.services.setdefault("followed", Followed())
    return found
