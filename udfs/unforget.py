"""unforget: bring back what forget() archived."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True)
def unforget(ctx: Context, agent_id: str) -> int:
    """Brings back all that forget() archived of an agent's memories, as it was.

    What was brought back before, or archived again in another way since then, stays as it is.

    Arguments:
      agent_id: whose memories; an unknown agent has none.

    Returns: how many memories came back. NULL where agent_id is NULL.

    Errors: none of its own.

    Cost: one transaction; by the number of memories.

    Examples:
      SELECT unforget('ada');
    """
    from sqlagent.memory import operations

    return operations.undo_all(ctx.writer, agent_id, "forget")
