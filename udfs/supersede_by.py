"""supersede_by: a memory that is there takes the place of another."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import Stamp, scalar


@scalar("BIGINT", writes=True)
def supersede_by(
    ctx: Context, memory_id: int, new_memory_id: int, valid_from: Stamp | None = None
) -> int:
    """A memory that is there already takes the place of another, such as of contradictions.

    Like supersede, with a newer fact that was remembered by itself. unsupersede gives the older one
    back; the newer one stays then.

    Arguments:
      memory_id: the older fact.
      new_memory_id: the newer one, of the same agent.
      valid_from: until before which the older one is true; where the newer one begins, by default.

    Returns: new_memory_id. NULL where either is NULL.

    Errors: "there is no memory 7"; "memory 7 cannot supersede itself"; "a memory is superseded by
    one of the same agent, 'ada', not 'bob'"; and those of supersede.

    Examples:
      SELECT supersede_by(memory_id, other_id) FROM contradictions('ada') WHERE status = 'asked';
    """
    from sqlagent.memory import truth

    return truth.supersede_by(ctx.writer, memory_id, new_memory_id, valid_from)
