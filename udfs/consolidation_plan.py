"""consolidation_plan: what consolidate() would do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import table


@table(
    "step BIGINT",
    "action VARCHAR",
    "memory_id BIGINT",
    "into_id BIGINT",
    "content VARCHAR",
    "similarity DOUBLE",
    "reason VARCHAR",
)
def consolidation_plan(
    ctx: Context, agent_id: str, similarity: float = 0.9, kind: str | None = None
) -> Iterator[tuple[Any, ...]]:
    """What consolidate() would do to an agent's memories; nothing is written.

    One row for each memory that would be archived as a near-duplicate (action 'merge') or become a
    source of a semantic memory (action 'distil'); the rows of one step belong together.

    Arguments:
      agent_id: whose memories.
      similarity: as for consolidate.
      kind: as for consolidate.

    Returns: the step's number from 1; the action; the memory; the memory that it goes into, NULL
      where a new one would be made; the content of that one (a model, where one is set, may phrase
      a new one in other words); how alike they are, 0..1; and why. No rows for an unknown agent.

    Errors: "similarity is a number from 0.5 to 1, not 2", "kind is one of …".

    Cost: that of consolidate, less the writing: about 0.8 s of CPU for 10,000 memories.

    Examples:
      SELECT action, memory_id, into_id, content, reason FROM consolidation_plan('ada');
    """
    from sqlagent.memory.consolidate.steps import plan

    with ctx.reading() as handle:
        steps = plan(handle, agent_id, similarity, kind)
    for number, step in enumerate(steps, 1):
        into = None if step.into is None else step.into.memory_id
        for part in step.parts:
            yield (
                number, step.action, part.memory.memory_id, into, step.content, part.similarity,
                part.reason,
            )  # fmt: skip
