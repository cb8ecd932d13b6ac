"""Which memories of an agent pass a recall's condition, and which held at a time.

Both are kept in memory: for a condition over a memory's own columns the ids that pass, for the
times of all memories their columns, so that any time is answered without the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sqlagent.index.rows import Ids, Mask
from sqlagent.memory.truth import true_ids
from sqlagent.plan.steady import unsteady
from sqlagent.search import filters
from sqlagent.search.followed import followed
from sqlagent.search.kinds import listed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Handle

OWN = "SELECT * FROM memories WHERE agent_id = ?"
# An index gives the rows in the order of the agents, a page of the file for each; where they are a
# good part of the table, a scan of it is several times as fast.
SCANNED = "SELECT * FROM memories WHERE coalesce(agent_id, '') = ?"
SHARE = 8  # of each so many rows of the table, one at least is the agent's
NEWEST = "SELECT max(memory_id) FROM memories"
MANY = "SELECT 1 FROM memories WHERE agent_id = ? LIMIT 1 OFFSET ?"
# The planner does not know that they are few: no index of the agent's is to be used.
SOME = "SELECT * FROM memories WHERE coalesce(agent_id, '') = ? AND memory_id IN ({})"
SOME_MAX = 64  # changed memories from which all are asked
TIMES = """
SELECT memory_id, created_at, coalesce(valid_from, created_at), valid_to, expires_at, archived_at,
  superseded_by
FROM memories WHERE {where}
"""
# Memories whose columns were others before something that became known later.
TURNED = """
SELECT r.memory_id FROM sqlagent_operations o
JOIN sqlagent_operation_rows r ON r.operation_id = o.operation_id
WHERE o.agent_id = ?1 AND o.created_at > ?2
UNION
SELECT r.memory_id FROM sqlagent_operations o
JOIN sqlagent_operation_rows r ON r.operation_id = o.operation_id
WHERE o.agent_id = ?1 AND o.undone_at > ?2
"""
NEVER = b"\xff"  # after every text: the end of what has none
WIDTH = len("2030-01-01 00:00:00.000")


def passing(context: Context, agent_id: str, condition: str) -> Ids:
    """The sorted ids of the agent's memories for which a condition holds."""
    from sqlagent.engines import schema

    def make(handle: Handle) -> Ids:
        newest = int(handle.execute(NEWEST).fetchone()[0] or 0)
        many = handle.execute(MANY, (agent_id, newest // SHARE)).fetchone() is not None
        source = SCANNED if many else OWN
        return _ids(filters.passing(context, source, "memory_id", condition, (agent_id,)))

    def renew(handle: Handle, ids: Ids, dirty: list[int]) -> Ids:
        whole = len(dirty) > SOME_MAX
        now: Any = ()

        def elsewhere() -> list[Any]:
            nonlocal whole  # DuckDB reads whole columns anyway
            whole = True
            return []

        if not whole:
            # As many marks as the next power of two, so that few texts are planned.
            same = dirty + dirty[-1:] * ((1 << (len(dirty) - 1).bit_length()) - len(dirty))
            some = SOME.format(", ".join("?" * len(same)))
            values = agent_id, *same
            now = filters.passing(
                context, some, "memory_id", condition, values, on_duckdb=elsewhere
            )
        if whole:
            return make(handle)
        return _with(ids[_others(ids, dirty)], _ids(now))

    if unsteady(f"SELECT {condition}") is not None:
        with context.reading() as handle:
            return make(handle)
    with context.reading() as handle:
        key = condition, schema.version(handle), repr(context.settings)
    ids: Ids = followed(context).get(context, agent_id, key, make, renew, lambda ids: ids.nbytes)
    return ids


class Times(NamedTuple):
    """When each memory of an agent holds, as text in UTF-8, by ascending ids. The times of `odd`
    ones are not what counts: another has taken their place, or a foreign client wrote no text."""

    ids: Ids
    created: NDArray[np.bytes_]
    start: NDArray[np.bytes_]
    end: NDArray[np.bytes_]
    expires: NDArray[np.bytes_]
    archived: NDArray[np.bytes_]
    odd: Mask

    @classmethod
    def of(cls, rows: list[Any]) -> Times:
        """The rows of TIMES."""
        rows.sort()
        odd = [row[6] is not None or not all(map(_plain, row[1:6])) for row in rows]
        blank = [
            (row[0], *(None,) * 5) if skip else row for row, skip in zip(rows, odd, strict=True)
        ]
        created, start, end, expires, archived = (
            _texts([row[place] for row in blank]) for place in range(1, 6)
        )
        ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        return cls(ids, created, start, end, expires, archived, np.array(odd, np.bool_))

    def renewed(self, dirty: list[int], rows: list[Any]) -> Times:
        """With the rows, as they are now, of those that are dirty and still there."""
        kept, now = _others(self.ids, dirty), Times.of(rows)
        both = [np.concatenate((old[kept], new)) for old, new in zip(self, now, strict=True)]
        if len(now.ids) and not (both[0][:-1] < both[0][1:]).all():
            order = np.argsort(both[0], kind="stable")
            both = [column[order] for column in both]
        return Times._make(both)

    def at(self, valid_at: str, known_at: str) -> Mask:
        """Those that held at a time as it was known at another; of odd ones none."""
        valid, known = np.bytes_(valid_at.encode()), np.bytes_(known_at.encode())
        held: Mask = (self.created <= known) & (self.start <= valid) & (self.end > valid)
        held &= (self.expires > valid) & (self.archived > known) & ~self.odd
        return held

    @property
    def nbytes(self) -> int:
        return sum(column.nbytes for column in self)


def holding(context: Context, agent_id: str, valid_at: str, known_at: str) -> Ids:
    """The sorted ids of what `truth.true_ids` gives; only what took another's place, or was changed
    by what became known later, is asked of the file."""

    def make(handle: Handle) -> Times:
        return Times.of(handle.execute(TIMES.format(where="agent_id = ?"), (agent_id,)).fetchall())

    def renew(handle: Handle, times: Times, dirty: list[int]) -> Times:
        where = "+agent_id = ? AND memory_id IN (SELECT value FROM json_each(?))"
        rows = handle.execute(TIMES.format(where=where), (agent_id, listed(dirty))).fetchall()
        return times.renewed(dirty, rows)

    times = followed(context).get(context, agent_id, "times", make, renew, lambda t: t.nbytes)
    held = times.at(valid_at, known_at)
    with context.reading() as handle:
        turned = [row[0] for row in handle.execute(TURNED, (agent_id, known_at))]
        if turned:
            held &= ~np.isin(times.ids, np.array(turned))
        asked = {*times.ids[times.odd].tolist(), *turned}
        if not asked:
            found: Ids = times.ids[held]
            return found
        if 2 * len(asked) > len(times.ids):
            return _sorted(true_ids(handle, agent_id, valid_at, known_at))
        others = true_ids(handle, agent_id, valid_at, known_at, asked)
    return _with(times.ids[held], _sorted(others))


def _texts(times: list[str | None]) -> NDArray[np.bytes_]:
    """Times as bytes. All of one width, as numpy makes a copy of the narrower of two."""
    texts = [NEVER if time is None else time.encode() for time in times]
    width = max(WIDTH, max(map(len, texts), default=0))
    return np.array(texts, f"S{width}")


def _plain(value: object) -> bool:
    """Whether a time is text that compares by its bytes."""
    return value is None or (isinstance(value, str) and value.isascii() and "\0" not in value)


def _others(ids: Ids, dirty: list[int]) -> Mask:
    """The places of sorted ids that are not among some."""
    gone = np.array(dirty)
    at = np.searchsorted(ids, gone)
    at = at[at < len(ids)]
    kept = np.ones(len(ids), np.bool_)
    kept[at[np.isin(ids[at], gone)]] = False
    return kept


def _with(ids: Ids, more: Ids) -> Ids:
    """Sorted ids with some others, which are few."""
    return np.insert(ids, np.searchsorted(ids, more), more)


def _ids(rows: Any) -> Ids:
    """Rows of one id, sorted."""
    ids = np.array(rows, np.int64).reshape(-1)
    ids.sort()
    return ids


def _sorted(ids: frozenset[int]) -> Ids:
    return np.sort(np.fromiter(ids, np.int64, len(ids)))
