"""Links between memories: what a user or a policy says belongs together, and what follows by
itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sqlagent.errors import DataError
from sqlagent.memory.truth import missing

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Handle

# These follow from the memories themselves, so nobody can say them.
OWN = ("superseded_by", "supersedes", "made_from", "made_into", "same_session", "similar")
UPSERT = """
INSERT INTO memory_links (memory_id, related_id, relation, weight) VALUES (?, ?, ?, ?)
ON CONFLICT (memory_id, related_id, relation) DO UPDATE SET weight = excluded.weight
RETURNING link_id
"""
# Either way round: a link is shown from both of its ends.
REMOVE = """
DELETE FROM memory_links WHERE (?3 IS NULL OR relation = ?3)
  AND (memory_id = ?1 AND related_id = ?2 OR memory_id = ?2 AND related_id = ?1)
"""
QUERY_CHARACTERS = 1000  # of a memory are asked for when what is like it is looked for
NEIGHBOURS = 2  # turns before and after in the same session
# The weight of what lies next in the session is 1 / (turns away + 1); a chain counts in full.
RELATED = """
WITH me AS (SELECT * FROM memories WHERE memory_id = :id),
found (memory_id, relation, weight) AS (
  SELECT superseded_by, 'superseded_by', 1.0 FROM me WHERE superseded_by IS NOT NULL
  UNION ALL
  SELECT m.memory_id, 'supersedes', 1.0 FROM memories m WHERE m.superseded_by = :id
  UNION ALL
  SELECT source_memory_id, 'made_from', 1.0 FROM memory_sources
  WHERE memory_id = :id AND source_memory_id IS NOT NULL
  UNION ALL
  SELECT memory_id, 'made_into', 1.0 FROM memory_sources WHERE source_memory_id = :id
  UNION ALL
  SELECT related_id, relation, weight FROM memory_links WHERE memory_id = :id
  UNION ALL
  SELECT memory_id, relation, weight FROM memory_links WHERE related_id = :id
  UNION ALL
  SELECT * FROM (
    SELECT m.memory_id, 'same_session', 1.0 / (1 + row_number() OVER (
      ORDER BY m.created_at DESC, m.memory_id DESC))
    FROM memories m, me WHERE m.agent_id = me.agent_id AND m.session_id = me.session_id
      AND (m.created_at, m.memory_id) < (me.created_at, me.memory_id)
    ORDER BY m.created_at DESC, m.memory_id DESC LIMIT :near)
  UNION ALL
  SELECT * FROM (
    SELECT m.memory_id, 'same_session', 1.0 / (1 + row_number() OVER (
      ORDER BY m.created_at, m.memory_id))
    FROM memories m, me WHERE m.agent_id = me.agent_id AND m.session_id = me.session_id
      AND (m.created_at, m.memory_id) > (me.created_at, me.memory_id)
    ORDER BY m.created_at, m.memory_id LIMIT :near)
)
SELECT DISTINCT f.memory_id, f.relation, f.weight, m.content
FROM found f JOIN memories m ON m.memory_id = f.memory_id, me
WHERE m.agent_id = me.agent_id
"""


def add(
    handle: Handle, memory_id: int, related_id: int, relation: str = "related", weight: float = 1.0
) -> int:
    """Link two memories of one agent, or give a link that there is another weight; the link_id."""
    if memory_id == related_id:
        raise DataError(f"memory {memory_id} cannot be linked to itself")
    if not relation or relation in OWN:
        raise DataError(
            f"relation is a word of your own, not {relation!r}",
            hint=f"{', '.join(OWN)} follow from the memories themselves",
        )
    if not math.isfinite(weight):
        raise DataError(f"weight is a finite number, not {weight}")
    agents = {}
    for one in (memory_id, related_id):
        row = handle.execute("SELECT agent_id FROM memories WHERE memory_id = ?", (one,)).fetchone()
        if row is None:
            raise missing(one)
        agents[one] = row[0]
    if agents[memory_id] != agents[related_id]:
        raise DataError(
            f"a memory is linked to one of the same agent, {agents[memory_id]!r}, "
            f"not {agents[related_id]!r}"
        )
    values = (memory_id, related_id, relation, weight)
    return int(handle.execute(UPSERT, values).fetchone()[0])


def remove(handle: Handle, memory_id: int, related_id: int, relation: str | None = None) -> int:
    """Take links between two memories away, of one relation or all; how many there were."""
    handle.execute(REMOVE, (memory_id, related_id, relation))
    return int(handle.changes())


def stated(handle: Handle, memory_id: int) -> list[tuple[Any, ...]]:
    """What a memory is related to but for likeness: (memory_id, relation, weight, content)."""
    return list(handle.execute(RELATED, {"id": memory_id, "near": NEIGHBOURS}))


def related(context: Context, memory_id: int, k: int) -> list[tuple[Any, ...]]:
    """The rows of related(): what is said first, then what is near or alike, k in all."""
    from sqlagent.search.ask import limit

    k = limit(k)
    with context.reading() as handle:
        row = handle.execute(
            "SELECT agent_id, content FROM memories WHERE memory_id = ?", (memory_id,)
        ).fetchone()
        if row is None:
            raise missing(memory_id)
        rows = stated(handle, memory_id)
    rows.sort(key=lambda r: (r[1] == "same_session", -r[2], r[0], r[1]))
    said = [r for r in rows if r[1] != "same_session"][:k]
    near = [r for r in rows if r[1] == "same_session"]
    if len(said) < k:
        known = {memory_id, *(r[0] for r in rows)}
        near += similar(context, row[0], row[1], k - len(said), known)
        near.sort(key=lambda r: (-r[2], r[0]))
    return said + near[: k - len(said)]


def similar(
    context: Context, agent_id: str, content: str, k: int, known: set[int]
) -> list[tuple[Any, ...]]:
    """The k live memories that are most like a text, but for those that are known."""
    from sqlagent.search.recalling import Asking, answer, picked
    from sqlagent.search.shares import matched

    asking = Asking(agent_id, content[:QUERY_CHARACTERS], k + len(known)).checked()
    found = answer(context, asking)
    if found is None:
        return []
    _, by_id, _ = picked(context, asking, found)
    hits = found.hits
    rows = []
    for one, cosine, lexical in zip(
        hits.ids.tolist(), hits.similarity.tolist(), hits.lexical.tolist(), strict=True
    ):
        if one in known or one not in by_id:
            continue
        text = by_id[one][2]
        # A turn's words count for those around it in recall: here only its own do.
        weight = cosine if cosine == cosine else lexical * bool(matched(content, text))
        if weight > 0:
            rows.append((one, "similar", weight, text))
    return rows[:k]
