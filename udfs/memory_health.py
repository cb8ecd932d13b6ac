"""memory_health: what is in an agent's memory that should not be, and how much of it is live."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import table


@table(
    "measure VARCHAR",
    "count BIGINT",
    "share DOUBLE",
    "detail VARCHAR",
    "examples JSON",
)
def memory_health(ctx: Context, agent_id: str) -> Iterator[tuple[Any, ...]]:
    """Counts what an agent's memory is made of, and what should perhaps not be in it.

    The measures: `memories`, of them `live`, `archived`, `superseded`, `expired`, `not_valid`; of
    the live ones `duplicates` (of an earlier one, but for case, punctuation and spacing),
    `near_duplicates` (nearly, with the same numbers, times, negations and names), `never_recalled`
    (no use was noted), `without_vectors`; `contradictions`; and of all `secrets` and `injections`
    (what looks like them), `without_full_text`, `oversized`. `repeats` and `recall_loops` count
    what remember() met: the same said again, and text of recall() that came back.

    Arguments:
      agent_id: whose memory.

    Returns: one row a measure; share is of all memories or of the live ones (0..1, NULL of none),
    examples up to five memory_ids. Never anything of a content. An agent without memories has
    zeros. No rows where agent_id is NULL.

    Cost: reads every memory of the agent: about 0.1 ms of CPU each.

    Examples:
      SELECT measure, count, detail, examples FROM memory_health('ada') WHERE count > 0;
    """
    from sqlagent.memory.health import EXAMPLES, Measure, as_row, health

    with ctx.reading() as handle:
        measures = list(health(handle, agent_id, ctx.now()))
    yield from map(as_row, measures)
    pairs = contradictions(ctx, agent_id)
    ids = list(dict.fromkeys(memory_id for pair in pairs for memory_id in pair))
    yield as_row(
        Measure("contradictions", len(pairs), None, "pairs that cannot both hold", ids[:EXAMPLES])
    )


def contradictions(ctx: Context, agent_id: str) -> list[tuple[int, int]]:
    """The pairs of contradictions(agent_id), as memory_ids."""
    from sqlagent.functions import complete, functions, invoke

    known = functions().get("contradictions")
    if known is None:
        return []
    names = [name for name, _ in known.columns]
    at = names.index("memory_id"), names.index("other_id")
    rows = invoke(known, ctx, complete(known, (agent_id,))) or ()
    return [(row[at[0]], row[at[1]]) for row in rows]
