"""Why recall() returned what it did, and why not another memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from sqlagent.index import Hits
from sqlagent.memory.truth import true_ids
from sqlagent.search.held import passing
from sqlagent.search.kinds import LIVE, listed
from sqlagent.search.linking import Linking
from sqlagent.search.recalling import Answer, Asking, answer, picked
from sqlagent.search.sentences import Turn, sentence
from sqlagent.search.shares import shares

if TYPE_CHECKING:
    from sqlagent.context import Context

Row = tuple[int, str, float | None, float | None, float, str]
TURNS = """
SELECT m.memory_id, m.content, m.created_at, m.speaker, s.*
FROM memories m JOIN memory_strength s ON s.memory_id = m.memory_id
WHERE m.memory_id IN (SELECT value FROM json_each(?))
"""
LIVING = f"SELECT 1 FROM memories m WHERE m.memory_id = :id AND {LIVE}"
NAMED = """
SELECT m.agent_id, m.kind, m.tier, m.user_id, m.session_id, m.speaker, m.created_at, m.valid_from,
  m.valid_to, m.expires_at, m.archived_at, m.superseded_by, n.created_at AS superseded_at
FROM memories m LEFT JOIN memories n ON n.memory_id = m.superseded_by WHERE m.memory_id = ?
"""


def explain(context: Context, asking: Asking, memory_id: int | None) -> Iterator[Row]:
    """One row a part: of the memories that recall returns, best first, or of the one named."""
    if memory_id is not None:
        reasons = excluded(context, asking, memory_id)
        if reasons:
            for part, reason in reasons:
                yield memory_id, part, None, None, 0.0, reason
            return
    found = answer(context, asking)
    if memory_id is not None:
        yield from placed(context, asking, found, memory_id)
    elif found is not None:
        ids = picked(context, asking, found).ids
        yield from told(context, asking, found.hits, ids, found.linked)


def told(
    context: Context, asking: Asking, hits: Hits, ids: list[int], linked: Linking | None
) -> Iterator[Row]:
    """The parts of these hits, each with its sentence."""
    ways = {} if linked is None else linked.said(ids)
    with context.reading() as handle:
        cursor = handle.execute(TURNS, (listed(ids),))
        turns = {row[0]: Turn.of(cursor.description, row) for row in cursor} if ids else {}
    places = {memory_id: place for place, memory_id in enumerate(hits.ids.tolist())}
    for memory_id in ids:
        turn = turns.get(memory_id)
        if turn is None:  # deleted since
            continue
        place = places[memory_id]
        for share in shares(hits, place):
            if share.part == "graph":
                said = ways.get(memory_id, "nothing ties it to the best memories")
            else:
                said = sentence(share, turn, asking.query, float(hits.similarity[place]))
            yield memory_id, share.part, share.value, share.weight, share.contribution, said


def placed(context: Context, asking: Asking, found: Answer | None, memory_id: int) -> Iterator[Row]:
    """A memory that passes the filters: where it ranks, whether it was returned, its parts."""
    if found is None:
        reason = "k => 0 returns nothing" if asking.k == 0 else "the agent has no memories"
        yield memory_id, "rank", None, None, 0.0, f"not returned: {reason}"
        return
    chosen = picked(context, asking, found)
    ids = found.hits.ids.tolist()
    hits = found.hits if memory_id in ids else found.all(asking)
    all_ids = hits.ids.tolist()
    if memory_id not in all_ids:
        reason = "not returned: it and the turns around it have no word and no meaning in common "
        yield memory_id, "match", None, None, 0.0, reason + "with the question"
        return
    rank = all_ids.index(memory_id) + 1
    score = float(hits.score[rank - 1])
    if memory_id in chosen.ids:
        reason = f"returned: ranks {ordinal(rank)}, with a score of {score:.4g}"
    elif memory_id in chosen.left_out:
        reason = f"not returned: ranks {ordinal(rank)}, but {chosen.left_out[memory_id]}"
    else:
        last = min(asking.k, len(all_ids))
        least = float(hits.score[last - 1])
        reason = (
            f"not returned: ranks {ordinal(rank)}, below the first {asking.k} (k => {asking.k}); "
            f"its score of {score:.4g} is {least - score:.4g} lower than the {ordinal(last)}'s"
        )
    yield memory_id, "rank", float(rank), None, 0.0, reason
    yield from told(context, asking, hits, [memory_id], found.linked)


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 4th …"""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th") if n % 100 not in (11, 12, 13) else "th"
    return f"{n}{ending}"


class Named(NamedTuple):
    """The memory that is asked about, as far as it decides whether it may be returned."""

    agent_id: str
    kind: str
    tier: str
    user_id: str | None
    session_id: str | None
    speaker: str | None
    created_at: str
    valid_from: str | None
    valid_to: str | None
    expires_at: str | None
    archived_at: str | None
    superseded_by: int | None
    superseded_at: str | None


def excluded(context: Context, asking: Asking, memory_id: int) -> list[tuple[str, str]]:
    """(part, reason) for each thing that keeps a memory out before it is ranked."""
    with context.reading() as handle:
        row = handle.execute(NAMED, (memory_id,)).fetchone()
    if row is None:
        return [("memory", f"not returned: there is no memory {memory_id}")]
    memory = Named(*row)
    if memory.agent_id != asking.agent_id:
        return [("agent", "not returned: it is a memory of another agent")]
    found = list(filtered(asking, memory))
    valid_at, known_at = asking.times(context)
    if not holds(context, asking, memory_id, valid_at, known_at):
        when = f"at {valid_at}" if asking.timed else "now"
        reasons = list(untrue(asking, memory, valid_at, known_at, when))
        found = (reasons or [("truth", f"not true {when}, as it was known at {known_at}")]) + found
    if asking.filter is not None:
        passed = passing(context, asking.agent_id, asking.filter)
        if memory_id not in passed:
            found.append(("filter", f"excluded by filter => {asking.filter!r}"))
    return [(part, f"not returned: {reason}") for part, reason in found]


def holds(context: Context, asking: Asking, memory_id: int, valid_at: str, known_at: str) -> bool:
    """Whether recall() takes a memory for true."""
    with context.reading() as handle:
        if asking.timed:
            return memory_id in true_ids(handle, asking.agent_id, valid_at, known_at, [memory_id])
        found = handle.execute(LIVING, {"id": memory_id, "now": valid_at}).fetchone()
        return found is not None


def untrue(
    asking: Asking, memory: Named, valid_at: str, known_at: str, when: str
) -> Iterator[tuple[str, str]]:
    """What keeps a memory from being true, or known, at the time that is asked for."""
    ended = memory.valid_to is not None and memory.valid_to <= valid_at
    if memory.superseded_by is not None and (ended or not asking.timed):
        since = memory.valid_to or memory.superseded_at
        yield "superseded", f"superseded by {memory.superseded_by} at {since}"
    elif ended:
        yield "valid_to", f"no longer valid {when}: it was until {memory.valid_to}"
    starts = memory.valid_from or (memory.created_at if asking.timed else None)
    if starts is not None and starts > valid_at:
        yield "valid_from", f"not yet valid {when}: it is from {starts} on"
    if asking.timed and memory.created_at > known_at:
        yield "created_at", f"not yet known at {known_at}: it was written at {memory.created_at}"
    if memory.expires_at is not None and memory.expires_at <= valid_at:
        yield "expires_at", f"expired at {memory.expires_at}"
    if memory.archived_at is not None and memory.archived_at <= known_at:
        yield "archived_at", f"forgotten: archived at {memory.archived_at}"


def filtered(asking: Asking, memory: Named) -> Iterator[tuple[str, str]]:
    """The plain filters that a memory does not pass."""
    for name, wanted in asking.filters().items():
        if name == "from_at":
            passes, own = memory.created_at >= wanted, memory.created_at
        elif name == "to_at":
            passes, own = memory.created_at < wanted, memory.created_at
        else:
            own = getattr(memory, name)
            passes = own == wanted
        if not passes:
            column = "created_at" if name in ("from_at", "to_at") else name
            has = "NULL" if own is None else repr(own)
            yield name, f"excluded by {name} => {wanted!r}: its {column} is {has}"
