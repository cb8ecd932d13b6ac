"""explain_recall: why recall() returned what it did, and why not another memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import Stamp, Vector, table


@table(
    "memory_id BIGINT",
    "part VARCHAR",
    "value DOUBLE",
    "weight DOUBLE",
    "contribution DOUBLE",
    "reason VARCHAR",
)
def explain_recall(
    ctx: Context,
    agent_id: str,
    query: str,
    memory_id: int | None = None,
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
    """Why recall() returned what it did: the parts of each score; or why it did not return one.

    One row a part of a memory, the memories best first. Of a named memory only: where it ranks and
    its parts; or, where it is kept out before the ranking, one row for each reason.

    Arguments:
      agent_id, query: as recall() takes them.
      memory_id: only this memory, whether recall() returns it or not.
      k, kind, user_id, session_id, as_of, token_budget, embedding: as recall() takes them.
      tier, speaker, from_at, to_at, filter, known_at: as recall() takes them.

    Returns: part ('vector', 'words', 'session', …; 'rank' and the reasons why not of a named
    memory); value, weight and contribution, which is what the part adds to the score: those of a
    memory add up to the score that recall() gives it; reason, in words. value and weight are NULL
    in rows that add nothing because they are not parts. No rows where agent_id or query is NULL.

    Errors: those of recall().

    Cost: that of recall(); of a named memory that is not returned, a ranking of all of the agent's.

    Examples:
      SELECT part, contribution, reason FROM explain_recall('ada', 'where is the parcel?', k => 1);
      SELECT reason FROM explain_recall('ada', 'where is the parcel?', memory_id => 1);
    """
    from sqlagent.search.explain import explain
    from sqlagent.search.recalling import Asking

    asking = Asking(
        agent_id, query, k, kind, tier, user_id, session_id, speaker, from_at, to_at, filter, as_of,
        known_at, token_budget, embedding,
    ).checked()  # fmt: skip
    return explain(ctx, asking, memory_id)
