"""recall: an agent's memories about something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.errors import DataError
from sqlagent.functions import Stamp, Vector, table

ROWS = """
SELECT m.memory_id, m.kind, m.content, s.strength, m.created_at
FROM memories m JOIN memory_strength s ON s.memory_id = m.memory_id
WHERE m.memory_id IN (SELECT value FROM json_each(?1)) AND +m.agent_id = ?2
"""
ALLOWED = """
SELECT memory_id FROM memories
WHERE agent_id = :agent AND (:kind IS NULL OR kind = :kind)
  AND (:user IS NULL OR user_id = :user) AND (:session IS NULL OR session_id = :session)
  AND (:at IS NULL OR (coalesce(valid_from, created_at) <= :at AND created_at <= :at
    AND (valid_to IS NULL OR valid_to > :at) AND (expires_at IS NULL OR expires_at > :at)
    AND archived_at IS NULL))
"""
KINDS = ("episodic", "semantic", "procedural", "working")


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
) -> Iterator[tuple[Any, ...]]:
    """An agent's memories about something, best first: words and meaning, fused.

    The score adds up the weighted cosine of the memory's vector (blended with its neighbours' in
    the same session), its BM25 over words (its own, and at half weight its neighbours'), and small
    terms for the speaker named in the query, the session and the length; strength moves it by a
    few per cent at most. Archived, superseded, expired and not yet valid memories are left out.

    Arguments:
      agent_id: whose memories; an unknown agent has none.
      query: a question or some words, in any language.
      k: at most so many rows; 0 gives none.
      kind, user_id, session_id: only these; applied before the ranking.
      as_of: what was valid at that time, rather than now.
      token_budget: the best that fit into so many tokens together (see token_count).
      embedding: the vector of the query, where the memories have vectors of your own.

    Returns: score (higher is better, comparable within one call), similarity (cosine of the memory
    and the query, NULL without vectors), lexical (BM25 over the best BM25, 0..1), strength (0..1).
    No rows where agent_id or query is NULL.

    Errors: "k is a whole number from 0, not -1"; "kind is one of episodic, …".

    Cost: in memory, by the agent's own memories: a fraction of a millisecond for 1,000, some
    milliseconds for 100,000, and about 3 ms to embed the query.

    Source: weights measured on the LoCoMo conversations.

    Examples:
      SELECT content, score FROM recall('ada', 'where is the parcel?', k => 3);
    """
    from sqlagent.search.ask import ask, limit, search, vectors_of, weights_for

    if kind is not None and kind not in KINDS:
        raise DataError(f"kind is one of {', '.join(KINDS)}, not {kind!r}")
    if token_budget is not None and token_budget < 0:
        raise DataError(f"token_budget is a whole number from 0, not {token_budget}")
    k = limit(k)
    if k == 0:
        return
    which = "memories" if as_of is None else "all memories"
    asked = ask(ctx, which, agent_id, query, embedding=embedding)
    if not len(asked.scope):
        return
    allowed = None
    if kind or user_id or session_id or as_of:
        named = {"agent": agent_id, "kind": kind, "user": user_id, "session": session_id}
        with ctx.reading() as handle:
            rows = handle.execute(ALLOWED, {**named, "at": as_of})
            allowed = frozenset(r[0] for r in rows)
    fetch = vectors_of(ctx, "memory_vectors", "memory_id", asked.key.dimensions)
    hits = search(asked, query, k, weights_for(ctx, agent_id), allowed, fetch)
    ids = hits.ids.tolist()
    with ctx.reading() as handle:
        found = {
            r[0]: r for r in handle.execute(ROWS, ("[" + ",".join(map(str, ids)) + "]", agent_id))
        }
    left = token_budget
    seen: set[str] = set()
    numbers = (hits.score.tolist(), hits.similarity.tolist(), hits.lexical.tolist())
    for memory_id, score, similarity, lexical in zip(ids, *numbers, strict=True):
        row = found.get(memory_id)
        if row is None:  # deleted since
            continue
        if left is not None:
            from sqlagent.embedding import count_tokens

            tokens = count_tokens(row[2])
            if tokens > left or row[2] in seen:
                continue
            left -= tokens
            seen.add(row[2])
        yield (
            memory_id, row[1], row[2], score, similarity if similarity == similarity else None,
            lexical, row[3], row[4],
        )  # fmt: skip
