"""unpin: a pinned memory may be forgotten again."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True)
def unpin(ctx: Context, memory_id: int) -> int:
    """Lets go of a pinned memory, as `pin(memory_id, pinned => false)` does.

    Arguments:
      memory_id: which memory.

    Returns: the memory_id. NULL where memory_id is NULL.

    Errors: "there is no memory 7".

    Cost: one row; it is an operation, so undo() takes it back.

    Examples:
      SELECT unpin(memory_id) FROM memories WHERE agent_id = 'ada' AND pinned;
    """
    from sqlagent.memory.strength import set_one

    set_one(ctx.writer, memory_id, "unpin", "pinned", 0)
    return memory_id
