"""Contradictions: pairs of live memories of an agent that cannot both hold.

Memories are read once each (`claims`), and only those that share a key are compared, so the cost
grows with their number. Of more than GROUP_MAX that say values of one key, such as a log of
temperatures, each is compared with the next one only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.memory.claims import SCORES, Claim, cannot_both_hold, claims

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

GROUP_MAX = 20
COMPATIBLE = "compatible"  # the relation of a pair that was decided to be kept, both
CONTRADICTS = "contradicts"  # of one that is to be decided
LIVE = """
SELECT m.memory_id, m.content, m.speaker, m.user_id FROM memories m
WHERE m.agent_id = :agent AND m.archived_at IS NULL AND m.superseded_by IS NULL
  AND (m.valid_from IS NULL OR m.valid_from <= :now) AND (m.valid_to IS NULL OR m.valid_to > :now)
  AND (m.expires_at IS NULL OR m.expires_at > :now)
ORDER BY coalesce(m.valid_from, m.created_at), m.memory_id
"""
LINKED = """
SELECT l.memory_id, l.related_id, l.relation, a.content, b.content,
  coalesce(a.superseded_by, b.superseded_by), coalesce(a.archived_at, b.archived_at),
  (coalesce(a.valid_from, a.created_at), a.memory_id)
    > (coalesce(b.valid_from, b.created_at), b.memory_id)
FROM memory_links l JOIN memories a ON a.memory_id = l.memory_id
JOIN memories b ON b.memory_id = l.related_id
WHERE a.agent_id = ? AND l.relation IN ('contradicts', 'compatible')
"""


class Memory(NamedTuple):
    """A memory as its claims are read, of a list from the oldest to the newest."""

    memory_id: int
    content: str
    speaker: str | None
    user_id: str | None


class Pair(NamedTuple):
    """Two memories that cannot both hold, the older one first, and the rule that says so."""

    old: Memory
    new: Memory
    subject: str
    attribute: str | None
    reason: str
    score: float


def pairs(memories: Iterable[Memory]) -> list[Pair]:
    """The contradictions among memories that are given from the oldest to the newest."""
    groups: dict[tuple[str, ...], list[tuple[Memory, Claim]]] = {}
    for memory in memories:
        for claim in claims(memory.content, memory.speaker, memory.user_id):
            groups.setdefault(claim.key, []).append((memory, claim))
    found: dict[tuple[int, int], Pair] = {}
    for group in groups.values():
        if len(group) > 1:
            for old, new in _compared(group):
                pair = _pair(old, new)
                if pair is not None:
                    key = (pair.old.memory_id, pair.new.memory_id)
                    if key not in found or found[key].score < pair.score:
                        found[key] = pair
    return sorted(found.values(), key=lambda p: (-p.score, p.old.memory_id, p.new.memory_id))


def _compared(
    group: list[tuple[Memory, Claim]],
) -> Iterator[tuple[tuple[Memory, Claim], tuple[Memory, Claim]]]:
    if len(group) <= GROUP_MAX:
        for n, new in enumerate(group):
            for old in group[:n]:
                yield old, new
        return
    yield from itertools.pairwise(group)


def _pair(old: tuple[Memory, Claim], new: tuple[Memory, Claim]) -> Pair | None:
    (first, a), (second, b) = old, new
    if first.memory_id == second.memory_id or not cannot_both_hold(a, b):
        return None
    if a.holds and b.holds:
        what = f"{a.attribute}: " if a.attribute else ""
        said = f"{_as_said(a.value, first)} or {_as_said(b.value, second)}"
        why = f"{a.rule}: {what}{said}"
    else:
        why = f"{a.rule}: one says what the other denies"
    return Pair(first, second, _as_said(a.subject, first), a.attribute, why, SCORES[a.rule])


def _as_said(words: str, memory: Memory) -> str:
    """Words of a claim, which are in lower case, as the memory writes them where it does."""
    words = words.replace(" 's", "'s")
    place = memory.content.lower().find(words)
    return words if place < 0 else memory.content[place : place + len(words)]


def found(handle: Handle, agent_id: str, now: str) -> Iterator[tuple[Any, ...]]:
    """The rows of contradictions(): the pairs of the rules, and those that are linked."""
    rows = handle.execute(LIVE, {"agent": agent_id, "now": now}).fetchall()
    known: dict[tuple[int, int], tuple[Any, ...]] = {}
    for one, other, relation, text, other_text, superseded, archived, turned in handle.execute(
        LINKED, (agent_id,)
    ):
        key, texts = (one, other), (text, other_text)
        if turned:
            key, texts = (other, one), (other_text, text)
        status = "kept" if relation == COMPATIBLE else "asked"
        if superseded is not None:
            status = "superseded"
        elif archived is not None:
            continue
        if key not in known or status == "kept":
            known[key] = (*texts, status)
    for pair in pairs(Memory(*row) for row in rows):
        key = (pair.old.memory_id, pair.new.memory_id)
        status = known.pop(key, (None, None, "open"))[2]
        yield (*key, pair.old.content, pair.new.content, pair.subject, pair.attribute, pair.reason,
               pair.score, status)  # fmt: skip
    for (one, other), (text, other_text, status) in sorted(known.items()):
        yield (*_told(handle, one, other, text, other_text), status)


def _told(handle: Handle, one: int, other: int, text: str, other_text: str) -> tuple[Any, ...]:
    """A linked pair that is not live, or that no rule finds."""
    sql = "SELECT memory_id, content, speaker, user_id FROM memories WHERE memory_id IN (?, ?)"
    both = {row[0]: Memory(*row) for row in handle.execute(sql, (one, other))}
    pair = next(iter(pairs([both[one], both[other]])), None)
    if pair is None:
        return one, other, text, other_text, None, None, "linked", 1.0
    return one, other, text, other_text, pair.subject, pair.attribute, pair.reason, pair.score
