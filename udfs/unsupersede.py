"""unsupersede: a fact that was superseded holds again."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True)
def unsupersede(ctx: Context, memory_id: int) -> int:
    """Undoes a supersession whole: the older fact is as it was, the newer one was never true.

    The newer one is archived, so it is neither recalled nor true at any time; asked as known before
    the undoing, memories_as_of still gives it. Other links of a chain stay. A newer one that was
    there by itself (supersede_by, a plain client's superseded_by) stays true.

    Arguments:
      memory_id: the older one, that supersede was given.

    Returns: the memory_id of the newer one. NULL where memory_id is NULL.

    Errors: "there is no memory 7"; "memory 7 is not superseded"; "memory 7 was superseded by
    operation 3 (consolidate)", which is undone by undo(3).

    Examples:
      SELECT unsupersede(memory_id) FROM memories
      WHERE agent_id = 'ada' AND superseded_by IS NOT NULL;
    """
    from sqlagent.memory import truth

    return truth.unsupersede(ctx.writer, memory_id)
