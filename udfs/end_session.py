"""end_session: a conversation is over."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True)
def end_session(ctx: Context, session_id: str) -> int:
    """Ends a session: its working memories go on to the next tier, or are archived.

    The policies of 'session_end' in `memory_policies` decide: by default what is pinned, used or of
    an importance of 0.6 goes on to short_term, and the rest is archived. `UPDATE sessions SET
    ended_at = …` by any client does the same at the next apply_policies() or CALL sync().

    Arguments:
      session_id: which session; one that only memories speak of is one too.

    Returns: how many memories went on or were archived; 0 for a session that has ended. NULL where
    session_id is NULL.

    Errors: 'unknown session "x"'.

    Cost: one transaction; by the session's working memories.

    Examples:
      SELECT end_session(session_id) FROM sessions WHERE ended_at IS NULL;
    """
    from sqlagent.memory.tiers import end_session as end

    return end(ctx, session_id)
