"""The memories of an agent that can be consolidated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

OPERATION = "consolidate"
SOURCE = "consolidation"  # memories.source of what was distilled
KINDS = ("episodic", "semantic", "procedural")
LENGTH_MAX = 20_000  # characters; a longer text is a document, and is left as it is

# What is true and recalled now. What belongs to a session's working memory is the session's.
# `rests`: a live memory was made from it, so it stays; `told`: the semantic one that consolidating
# made it a source of.
LIVE = f"""
m.archived_at IS NULL AND m.superseded_by IS NULL AND m.kind <> 'working' AND m.tier <> 'working'
  AND (m.valid_from IS NULL OR m.valid_from <= :now) AND (m.valid_to IS NULL OR m.valid_to > :now)
  AND (m.expires_at IS NULL OR m.expires_at > :now) AND length(m.content) <= {LENGTH_MAX}
"""
COLUMNS = f"""
m.memory_id, m.content, m.kind, m.user_id, m.speaker, m.session_id, m.created_at, m.valid_to,
m.expires_at, m.pinned, m.importance, m.emotion, m.stability_days, m.access_count,
m.massed, m.last_access_at, m.source,
EXISTS (SELECT 1 FROM memory_sources r JOIN memories d ON d.memory_id = r.memory_id
  WHERE r.source_memory_id = m.memory_id AND d.archived_at IS NULL AND d.superseded_by IS NULL),
(SELECT min(r.memory_id) FROM memory_sources r JOIN memories d ON d.memory_id = r.memory_id
  JOIN sqlagent_operations o ON o.operation_id = r.operation_id AND o.operation = '{OPERATION}'
  WHERE r.source_memory_id = m.memory_id AND d.kind = 'semantic'
    AND d.archived_at IS NULL AND d.superseded_by IS NULL)
"""
ALL = f"""
SELECT {COLUMNS} FROM memories m
WHERE m.agent_id = :agent AND (:kind IS NULL OR m.kind = :kind) AND {LIVE}
ORDER BY m.memory_id
"""
SOME = f"""
SELECT {COLUMNS} FROM memories m
WHERE m.memory_id IN (SELECT value FROM json_each(:ids)) AND +m.agent_id = :agent AND {LIVE}
"""


class Memory(NamedTuple):
    """A memory as consolidation sees it."""

    memory_id: int
    content: str
    kind: str
    user_id: str | None
    speaker: str | None
    session_id: str | None
    created_at: str
    valid_to: str | None
    expires_at: str | None
    pinned: bool
    importance: float
    emotion: float
    stability_days: float
    access_count: int
    massed: float
    last_access_at: str | None
    source: str | None
    rests: bool
    told: int | None

    @property
    def key(self) -> tuple[Any, ...]:
        """What two memories have in common before their texts are compared."""
        return (self.kind, self.user_id, self.speaker, self.valid_to, self.expires_at)

    @property
    def stays(self) -> bool:
        """Whether it may not be archived."""
        return bool(self.pinned or self.rests)


def read(handle: Handle, agent_id: str, kind: str | None, now: str) -> Iterator[Memory]:
    """The memories of an agent, of one kind or of all, by memory_id."""
    named = {"agent": agent_id, "kind": kind, "now": now}
    yield from map(Memory._make, handle.execute(ALL, named))


def again(handle: Handle, agent_id: str, ids: list[int], now: str) -> dict[int, Memory]:
    """Those of these memories that still count, as they are now."""
    named = {"agent": agent_id, "ids": "[" + ",".join(map(str, ids)) + "]", "now": now}
    return {row[0]: Memory._make(row) for row in handle.execute(SOME, named)}
