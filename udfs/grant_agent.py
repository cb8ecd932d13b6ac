"""grant_agent: whose rows a user sees."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True)
def grant_agent(ctx: Context, user_name: str, agent: str) -> int:
    """Grants the rows of an agent; GRANT USE ON AGENT … TO says the same. Admins alone may.

    The first grant narrows: from then on every table with a column agent_id, of yours too, has for
    the user the rows of the granted agents alone, in reads and writes, and recall() and the other
    functions answer for these agents alone. Documents, vectors and the graph belong to no agent.

    Arguments:
      user_name: to whom.
      agent: an agent_id, which need not be there yet; '*' is every agent, as before the first
        grant.

    Returns: 1, or 0 where it was granted already.

    Errors: 'there is no user "ann"'.

    Cost: a few rows.

    Examples:
      SELECT create_user('sam', role => 'writer');
      SELECT grant_agent('sam', 'ada');
      GRANT USE ON AGENT 'bob' TO sam;
    """
    from sqlagent.serve import accounts

    return accounts.grant_agent(ctx.writer, user_name, agent)
