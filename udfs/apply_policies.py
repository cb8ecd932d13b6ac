"""apply_policies: move and archive memories by the rules in memory_policies."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True)
def apply_policies(ctx: Context, agent_id: str, dry_run: bool = False) -> int:
    """Sees to an agent's memories as the rows of `memory_policies` say.

    First the working memories of sessions that have ended (by end_session(), or by an UPDATE of
    sessions.ended_at), and those beyond the setting working_memory_limit; then the policies of
    'maintenance' over all but what open sessions work with. For each memory, of the policies whose
    condition holds, the one of the highest priority decides; one that holds where nothing is left
    to do decides too. A condition is SQL over the columns of memories and of memory_strength.
    Pinned memories, and what live ones were made from, are never archived.

    Arguments:
      agent_id: whose memories; an unknown agent has none.
      dry_run: true says how many would change, and changes nothing.

    Returns: how many memories were promoted, demoted or archived. NULL where agent_id is NULL.

    Errors: 'the condition of policy "x": …', where it is not one condition over these columns;
    nothing is changed then.

    Cost: one transaction; each policy reads the agent's memories once.

    Examples:
      SELECT apply_policies('ada', dry_run => true);
      SELECT agent_id, apply_policies(agent_id) FROM agents;
    """
    from sqlagent.memory.tiers import apply_policies as apply

    return apply(ctx, agent_id, dry_run=dry_run)
