"""unconsolidate: take the last consolidation of an agent back."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True)
def unconsolidate(ctx: Context, agent_id: str) -> int:
    """Undoes the last consolidate() of an agent that is not undone, all of it.

    What was merged is live again, what stayed has its own importance and uses again (unless they
    were changed since), and what was distilled is archived. `SELECT undo(operation_id)` undoes one
    batch of CALL consolidate().

    Arguments:
      agent_id: whose memories.

    Returns: how many memories were put back or archived; 0 where nothing is to be undone.

    Examples:
      SELECT unconsolidate('ada');
    """
    from sqlagent.memory.consolidate.apply import undo_run

    return undo_run(ctx.writer, agent_id)
