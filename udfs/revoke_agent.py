"""revoke_agent: whose rows a user no longer sees."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True)
def revoke_agent(ctx: Context, user_name: str, agent: str) -> int:
    """Takes the rows of an agent away; REVOKE USE ON AGENT … FROM says the same. Admins alone may.

    The last one taken away leaves no agent: only grant_agent(user_name, '*') widens again.

    Arguments:
      user_name: from whom.
      agent: an agent_id; '*' is every agent.

    Returns: 1, or 0 where it was not granted.

    Errors: 'there is no user "ann"'; '"ann" is granted every agent: one cannot be taken away'.

    Cost: a few rows.

    Examples:
      SELECT create_user('joe');
      SELECT grant_agent('joe', 'ada');
      SELECT revoke_agent('joe', 'ada');
    """
    from sqlagent.serve import accounts

    return accounts.revoke_agent(ctx.writer, user_name, agent)
