"""recall_parts: the parts of the scores of an agent's memories, to rank them one's own way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import Stamp, Vector, table
from sqlagent.search.parts import PARTS


@table("memory_id BIGINT", "score DOUBLE", *(f"{part} DOUBLE" for part in PARTS))
def recall_parts(
    ctx: Context,
    agent_id: str,
    query: str,
    k: int = 100,
    kind: str | None = None,
    user_id: str | None = None,
    session_id: str | None = None,
    as_of: Stamp | None = None,
    embedding: Vector | None = None,
    tier: str | None = None,
    speaker: str | None = None,
    from_at: Stamp | None = None,
    to_at: Stamp | None = None,
    filter: str | None = None,
    known_at: Stamp | None = None,
) -> Iterator[tuple[Any, ...]]:
    """The parts of the scores of the k memories that recall() ranks best, one row a memory.

    recall()'s own score is the sum of each part times its weight (the settings recall_…_weight,
    or what was learnt from feedback), so a SELECT over the parts is a ranking of your own.

    Arguments:
      agent_id, query: as recall() takes them.
      k: at most so many candidates; 0 gives none.
      kind, user_id, session_id, as_of, embedding: as recall() takes them.
      tier, speaker, from_at, to_at, filter, known_at: as recall() takes them.

    Returns: score, recall()'s own; and one column a part, its value for a weight of 1. No rows
    where agent_id or query is NULL.

    Errors: those of recall().

    Cost: that of recall().

    Examples:
      SELECT memory_id, 0.8 * vector + 0.2 * words AS mine FROM recall_parts('ada', 'the parcel');
    """
    from sqlagent.search.recalling import Asking, answer
    from sqlagent.search.shares import values

    asking = Asking(
        agent_id, query, k, kind, tier, user_id, session_id, speaker, from_at, to_at, filter, as_of,
        known_at, None, embedding,
    ).checked()  # fmt: skip
    found = answer(ctx, asking, every=True)
    if found is not None:
        columns = values(found.hits, PARTS)
        ids, scores = found.hits.ids.tolist(), found.hits.score.tolist()
        yield from zip(ids, scores, *columns, strict=True)
