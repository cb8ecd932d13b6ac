"""fork: a new agent with the states of another."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import Stamp, scalar
from sqlagent.states import fork as forking


@scalar("BIGINT", writes=True)
def fork(ctx: Context, agent_id: str, new_agent_id: str, as_of: Stamp | None = None) -> int:
    """Gives a new agent the states of another, from where each goes its own way; merge_states()
    brings them together again. Memories, snapshots and the history before it stay with the
    original.

    Arguments:
      agent_id: whose states.
      new_agent_id: the new agent; nothing of it may be there yet.
      as_of: the states as they were at this time, in UTC; as they are now by default.

    Returns: how many states the new agent has; each is its version 1. NULL where agent_id or
    new_agent_id is NULL.

    Errors: "agent eve exists already", "agent ada has no states", "version 3 of the state context
      of agent ada is damaged".

    Cost: a row of states each, as long as the state: about 4 ms for one of 1 MB. Of the history
      nothing is copied, however long it is.

    Examples:
      SELECT fork('ada', 'eve');
      SELECT fork('ada', 'ada of june', as_of => '2030-06-01');
    """
    return forking.fork(ctx.writer, agent_id, new_agent_id, as_of)
