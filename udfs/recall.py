"""recall: an agent's memories about something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import Stamp, Vector, table


@table(
    "memory_id BIGINT",
    "kind VARCHAR",
    "content VARCHAR",
    "score DOUBLE",
    "similarity DOUBLE",
    "lexical DOUBLE",
    "strength DOUBLE",
    "created_at TIMESTAMP",
)
def recall(
    ctx: Context,
    agent_id: str,
    query: str,
    k: int = 10,
    kind: str | None = None,
    user_id: str | None = None,
    session_id: str | None = None,
    as_of: Stamp | None = None,
    token_budget: int | None = None,
    embedding: Vector | None = None,
    tier: str | None = None,
    speaker: str | None = None,
    from_at: Stamp | None = None,
    to_at: Stamp | None = None,
    filter: str | None = None,
    known_at: Stamp | None = None,
) -> Iterator[tuple[Any, ...]]:
    """An agent's memories about something, best first: words and meaning, fused.

    The score is a sum of parts, each a value times its weight: the cosine of the memory's vector
    (blended with its neighbours' in the same session), BM25 over words (its own, and at half weight
    its neighbours'), and smaller ones for the speaker, the dates and the times that the question
    asks for, the session, the length; decay, activation and retention break near ties. The weights
    are the settings recall_…_weight, or what was learnt from recall_feedback; recall_parts() gives
    the values, explain_recall() the reasons. Archived, superseded, expired and not yet valid
    memories are left out.

    Arguments:
      agent_id: whose memories; an unknown agent has none.
      query: a question or some words, in any language.
      k: at most so many rows; 0 gives none.
      kind, user_id, session_id: only the memories that have this value, exactly; every filter is
        applied before the ranking.
      as_of: what was valid at that time, rather than now.
      token_budget: the best set that fits into so many tokens together (see token_count), of at
        most k memories: best first, a smaller one further down may use the rest, near-duplicates
        are left out. The rows then come in the order of created_at and memory_id, so that a prompt
        made of them keeps its beginning as the set grows.
      embedding: the vector of the query, where the memories have vectors of your own.
      tier, speaker: only the memories that have this value, exactly.
      from_at, to_at: only what was created from from_at on, and before to_at.
      filter: an SQL condition over the columns of memories, such as metadata->>'$.topic' = 'tea'.
      known_at: with as_of, as it was known at that later or earlier time; now by default.

    Returns: score (higher is better, comparable within one call), similarity (cosine of the memory
    and the query, NULL without vectors), lexical (BM25 over the best BM25, 0..1), strength (0..1).
    No rows where agent_id or query is NULL.

    Errors: "k is a whole number from 0, not -1"; "kind is one of episodic, …, not 'vague'"; "tier
    is one of working, …, not 'old'"; "to_at is not before from_at, which is …"; "filter is one
    condition".

    Cost: in memory, by the agent's own memories: a fraction of a millisecond for 1,000, some
    milliseconds for 100,000, and about 3 ms to embed the query.

    Source: weights measured on the LoCoMo conversations.

    Examples:
      SELECT content, score FROM recall('ada', 'where is the parcel?', k => 3);
      SELECT content FROM recall('ada', 'the parcel', kind => 'episodic', from_at => '2025-01-01');
      SELECT content FROM recall('ada', 'tea', filter => 'importance > 0.3', token_budget => 200);
    """
    from sqlagent.memory.guards import returned
    from sqlagent.search.recalling import Asking, answer, picked

    asking = Asking(
        agent_id, query, k, kind, tier, user_id, session_id, speaker, from_at, to_at, filter, as_of,
        known_at, token_budget, embedding,
    ).checked()  # fmt: skip
    found = answer(ctx, asking)
    if found is None:
        return
    hits = found.hits
    ids, rows, _ = picked(ctx, asking, found)
    returned(ctx.database, agent_id, ids)  # so that it does not come back as a new memory
    numbers = (hits.score.tolist(), hits.similarity.tolist(), hits.lexical.tolist())
    places = {memory_id: place for place, memory_id in enumerate(hits.ids.tolist())}
    if token_budget is not None:
        ids = sorted(ids, key=lambda memory_id: (rows[memory_id][4], memory_id))
    for memory_id in ids:
        _, own_kind, content, strength, created_at = rows[memory_id]
        score, similarity, lexical = (column[places[memory_id]] for column in numbers)
        own = similarity if similarity == similarity else None
        yield memory_id, own_kind, content, score, own, lexical, strength, created_at
