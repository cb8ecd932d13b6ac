"""pin: a memory that is never forgotten."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True)
def pin(ctx: Context, memory_id: int, pinned: bool = True) -> int:
    """Pins a memory: neither forget() nor a policy takes it away.

    Arguments:
      memory_id: which memory.
      pinned: true (the default), or false to let go of it again.

    Returns: the memory_id. NULL where memory_id is NULL.

    Errors: "there is no memory 7".

    Cost: one row; it is an operation, so undo() takes it back.

    Examples:
      SELECT pin(memory_id) FROM memories WHERE agent_id = 'ada' AND content LIKE '%locker%';
      SELECT pin(memory_id, pinned => false) FROM memories WHERE agent_id = 'ada';
    """
    from sqlagent.memory.strength import set_one

    set_one(ctx.writer, memory_id, "pin" if pinned else "unpin", "pinned", int(pinned))
    return memory_id
