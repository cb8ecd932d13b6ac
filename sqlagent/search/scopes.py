"""The search indexes of a file: built when first asked for, kept up by the change log, bounded.

Freshness: every call reads the change log on a new snapshot, so it sees all that was committed
before it. One lock orders these reads, so an index never goes back. Inside a transaction that has
written, its own uncommitted rows are laid over a private copy, which costs what changed, since
indexes are immutable.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from sqlagent.index import CHUNKS, TURNS, ScopeIndex
from sqlagent.search import kinds
from sqlagent.search.kinds import Key

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Database, Handle

REBUILD_S = 6 * 3600.0  # strengths fade meanwhile: an index of a long-lived process starts anew
# Two look-ups: min and max in one SELECT would scan the log.
LOG_ENDS = """
SELECT (SELECT min(seq) FROM sqlagent_change_entries),
  (SELECT max(seq) FROM sqlagent_change_entries)
"""
LOG_MAX = 200_000  # more changes than this at once: the indexes are built anew


CONTEXTS = {"memories": TURNS, "chunks": CHUNKS}


class Entry:
    """An index with what is known to have changed since."""

    __slots__ = ("built", "dirty", "index", "next_change", "seen")

    def __init__(self, index: ScopeIndex, now: str, next_change: str | None) -> None:
        self.index = index
        self.dirty: set[int] = set()
        self.seen = now  # until when changes by the clock are in it
        self.next_change = next_change
        self.built = time.monotonic()


class Scopes:
    """The indexes of one file in this process; see `sqlagent.search.scopes`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.lock = threading.RLock()
        self.entries: dict[Key, Entry] = {}  # in order of use, the oldest first
        self.by_scope: dict[tuple[str, str | None], list[Key]] = {}
        self.seq = -1
        self.private: dict[Key, tuple[int, ScopeIndex]] = {}

    def index(self, context: Context, key: Key) -> ScopeIndex:
        """The index of a scope as the statement sees it."""
        with self.lock:
            with self.database.snapshot() as handle:
                self.follow(handle)
                entry = self.fresh(handle, key, context.now())
            self.evict(int(context.settings.get("search_cache_mb", 512)) << 20, key)
            index = entry.index
            own = context.handle
            if own is not None and own is self.database._writer and own.in_transaction:
                return self.overlaid(own, key, index, context.now())
            return index

    def follow(self, handle: Handle) -> None:
        """Read the change log, and note what it says about the indexes here."""
        low, high = handle.execute(LOG_ENDS).fetchone() or (None, None)
        high = high or 0
        if high == self.seq:
            return
        if self.seq < 0 or not self.entries:
            self.seq = high
            return
        if high < self.seq or (low or 0) > self.seq + 1 or high - self.seq > LOG_MAX:
            self.forget()  # what was trimmed cannot be followed
            self.seq = high
            return
        for tbl, pk, scope in handle.execute(
            "SELECT tbl, pk, scope FROM sqlagent_change_entries WHERE seq > ? AND seq <= ?",
            (self.seq, high),
        ):
            if pk is None:
                continue  # "read the whole table again": its rows were told one by one as well
            for key in self.concerned(tbl, scope):
                self.entries[key].dirty.add(pk)
        self.seq = high

    def concerned(self, tbl: str, scope: str | None) -> list[Key]:
        """The indexes that hold rows of a scope; all of the table where the log does not say which:
        the name of what was erased goes from it."""
        if scope is None:
            return [k for (name, _), keys in self.by_scope.items() if name == tbl for k in keys]
        return [*self.by_scope.get((tbl, scope), ()), *self.by_scope.get((tbl, None), ())]

    def fresh(self, handle: Handle, key: Key, now: str) -> Entry:
        """The entry of a key, built or brought up to the handle's snapshot."""
        entry = self.entries.pop(key, None)
        if entry is not None and time.monotonic() - entry.built > REBUILD_S:
            entry = None
        if entry is None:
            entry = Entry(self.build(handle, key, now), now, self.next_change(handle, key, now))
            keys = self.by_scope.setdefault((key.table, key.scope), [])
            if key not in keys:
                keys.append(key)
        self.entries[key] = entry  # the newest in use
        if entry.next_change is not None and now >= entry.next_change:
            named = {"scope": key.scope, "since": entry.seen, "now": now}
            entry.dirty.update(r[0] for r in handle.execute(kinds.CHANGED_BY_TIME, named))
            entry.seen, entry.next_change = now, self.next_change(handle, key, now)
        if entry.dirty:
            entry.index = applied(handle, key, entry.index, entry.dirty, now)
            soon = self.next_change(handle, key, now, entry.dirty)
            if soon is not None and (entry.next_change is None or soon < entry.next_change):
                entry.next_change = soon
            entry.dirty = set()
        return entry

    def build(self, handle: Handle, key: Key, now: str) -> ScopeIndex:
        metric = kinds.space_in(key).measure if key.kind == "vectors" else "cosine"
        return ScopeIndex.build(
            kinds.rows(handle, key, now),
            dimensions=key.dimensions,
            metric=metric,
            context=CONTEXTS.get(key.table, False),
            words=key.kind != "vectors",
        )

    @staticmethod
    def next_change(handle: Handle, key: Key, now: str, ids: set[int] | None = None) -> str | None:
        """When a memory of the agent, or of these, next comes to count or ceases to."""
        if key.kind != "memories":
            return None
        named = {"scope": key.scope, "now": now}
        where = "agent_id = :scope"
        if ids is not None:
            named, where = {"ids": kinds.listed(ids), "now": now}, f"memory_id {kinds.CHOSEN}"
        row = handle.execute(kinds.NEXT_CHANGE.format(where=where), named).fetchone()
        return min((moment for moment in row or () if moment is not None), default=None)

    def overlaid(self, own: Handle, key: Key, index: ScopeIndex, now: str) -> ScopeIndex:
        """The index with the uncommitted rows of the writer's own transaction."""
        high = own.execute("SELECT max(seq) FROM sqlagent_change_entries").fetchone()[0] or 0
        if high == self.seq:
            return index
        known = self.private.get(key)
        if known is not None and known[0] == high:
            return known[1]
        where = "tbl = ? AND seq > ?" + ("" if key.scope is None else " AND scope = ?")
        values = (key.table, self.seq) if key.scope is None else (key.table, self.seq, key.scope)
        sql = f"SELECT pk FROM sqlagent_change_entries WHERE {where}"
        ids = {row[0] for row in own.execute(sql, values)}
        overlaid = applied(own, key, index, ids, now) if ids else index
        self.private[key] = (high, overlaid)
        return overlaid

    def replace(self, key: Key, index: ScopeIndex, base: ScopeIndex) -> None:
        """Keep a better index of a scope (with vectors just made), unless it has moved on."""
        with self.lock:
            entry = self.entries.get(key)
            if entry is not None and entry.index is base:
                entry.index = index

    def transaction_ended(self) -> None:
        """What was laid over for a transaction is void."""
        with self.lock:
            self.private.clear()

    def evict(self, budget: int, keep: Key) -> None:
        """Drop the indexes that were not used for longest, until the rest fit."""
        total = sum(e.index.nbytes for e in self.entries.values()) if len(self.entries) > 1 else 0
        while total > budget and len(self.entries) > 1:
            key = next(iter(self.entries))
            if key == keep:
                break
            total -= self.entries[key].index.nbytes
            self.drop(key)

    def drop(self, key: Key) -> None:
        """Forget one index."""
        del self.entries[key]
        self.by_scope[(key.table, key.scope)].remove(key)

    def forget(self) -> None:
        """Drop all indexes."""
        with self.lock:
            self.entries.clear()
            self.by_scope.clear()
            self.private.clear()

    close = forget


def applied(handle: Handle, key: Key, index: ScopeIndex, ids: set[int], now: str) -> ScopeIndex:
    """The index with these rows as the handle's snapshot has them."""
    upserts = list(kinds.rows(handle, key, now, ids))
    return index.apply(upserts, ids - {row.id for row in upserts})


def scopes(database: Database) -> Scopes:
    """The file's indexes, made on first use."""
    found: Any = database.services.get("scopes")
    if found is None:
        with database.lock:
            found = database.services.setdefault("scopes", Scopes(database))
    return found  # type: ignore[no-any-return]
