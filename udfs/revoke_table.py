"""revoke_table: what a user may no longer do with a table."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True)
def revoke_table(ctx: Context, user_name: str, table_name: str, privileges: str = "all") -> int:
    """Takes privileges on a table away; REVOKE … ON … FROM says the same. Admins alone may.

    The last one taken away leaves nothing: only grant_table(user_name, '*') widens again.

    Arguments:
      user_name: from whom.
      table_name: a table or view; '*' is every one.
      privileges: a list of 'select', 'insert', 'update', 'delete', or 'all' (the default).

    Returns: how many privileges there were.

    Errors: 'there is no user "ann"'; '"ann" is granted every table: one cannot be taken away'.

    Cost: a few rows.

    Examples:
      SELECT create_user('lee', role => 'writer');
      SELECT grant_table('lee', 'memories', 'all');
      SELECT revoke_table('lee', 'memories', 'delete');
      REVOKE UPDATE ON memories FROM lee;
    """
    from sqlagent.serve import accounts

    return accounts.revoke_table(ctx.writer, user_name, table_name, privileges)
