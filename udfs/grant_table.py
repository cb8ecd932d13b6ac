"""grant_table: what a user may do with a table."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True)
def grant_table(ctx: Context, user_name: str, table_name: str, privileges: str = "select") -> int:
    """Grants privileges on a table or view; GRANT … ON … TO says the same. Admins alone may.

    The first grant narrows: from then on there are for the user the granted tables alone, in the
    catalog too. A function of ours needs what it reads: recall() "memories", search() "documents"
    and "chunks", knn() "vectors" and "collections", neighbors() "entities" and "relations". The
    role still bounds it: a reader who is granted insert cannot insert.

    Arguments:
      user_name: to whom.
      table_name: a table or view; '*' is every one, as before the first grant.
      privileges: a list of 'select', 'insert', 'update', 'delete', or 'all'.

    Returns: how many privileges are new.

    Errors: 'there is no user "ann"'; 'unknown table "orders"'; "a privilege is one of select,
      insert, update, delete or all, not 'drop'".

    Cost: a few rows.

    Examples:
      SELECT create_user('kim', role => 'writer');
      SELECT grant_table('kim', 'memories', 'select, insert');
      GRANT SELECT ON documents, chunks TO kim;
      SELECT object, privilege FROM sqlagent_grants WHERE user_name = 'kim' ORDER BY object;
    """
    from sqlagent.serve import accounts

    return accounts.grant_table(ctx.writer, user_name, table_name, privileges)
