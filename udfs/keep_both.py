"""keep_both: two memories that seem to contradict each other both hold."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True)
def keep_both(ctx: Context, memory_id: int, other_id: int) -> int:
    """Decides that two memories both hold: contradictions gives the pair as 'kept' from then on.

    It links them by the relation 'compatible', in place of 'contradicts' where a policy asked;
    unlink(memory_id, other_id, 'compatible') takes it back.

    Arguments:
      memory_id, other_id: two memories of one agent.

    Returns: 1. NULL where either is NULL.

    Errors: "there is no memory 7"; "memory 7 cannot be linked to itself"; "a memory is linked to
    one of the same agent, 'ada', not 'bob'".

    Examples:
      SELECT keep_both(memory_id, other_id) FROM contradictions('ada') WHERE status = 'asked';
    """
    from sqlagent.memory import judging

    return judging.keep_both(ctx.writer, memory_id, other_id)
