"""set_importance: how much a memory matters."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.errors import DataError
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True)
def set_importance(ctx: Context, memory_id: int, importance: float) -> int:
    """Says how much a memory matters: its strength is in proportion.

    Arguments:
      memory_id: which memory.
      importance: 0..1.

    Returns: the memory_id. NULL where an argument is NULL.

    Errors: "there is no memory 7"; "importance is from 0 to 1, not 1.5".

    Cost: one row; it is an operation, so undo() takes it back.

    Examples:
      SELECT set_importance(memory_id, 0.9) FROM memories WHERE agent_id = 'ada';
    """
    from sqlagent.memory.strength import set_one

    if not 0 <= importance <= 1:
        raise DataError(f"importance is from 0 to 1, not {importance:g}")
    set_one(ctx.writer, memory_id, "set_importance", "importance", importance)
    return memory_id
