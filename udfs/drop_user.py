"""drop_user: a user of the server is gone."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("VARCHAR", writes=True)
def drop_user(ctx: Context, user_name: str) -> str:
    """Removes a user and every grant to it; DROP USER says the same. Admins alone may.

    Sessions of the user end within a second. Another of the same name inherits nothing.

    Arguments:
      user_name: whom.

    Returns: the user_name.

    Errors: 'there is no user "ann"'.

    Cost: a few rows.

    Examples:
      SELECT create_user('tim');
      SELECT drop_user('tim');
    """
    from sqlagent.serve import accounts

    accounts.drop(ctx.writer, user_name)
    return user_name
