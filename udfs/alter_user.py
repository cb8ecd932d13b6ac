"""alter_user: another password, role or limit of a user."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("VARCHAR", writes=True)
def alter_user(
    ctx: Context,
    user_name: str,
    password: str | None = None,
    role: str | None = None,
    can_log_in: bool | None = None,
    connections_max: int | None = None,
    statement_timeout_ms: int | None = None,
    rows_max: int | None = None,
) -> str:
    """Changes a user; ALTER USER says the same. Admins alone may, but for a password of one's own.

    Sessions that are open follow within a second: a user who may no longer log in is sent away.

    Arguments:
      user_name: whom.
      password: a new one, or a verifier made elsewhere.
      role: 'reader', 'writer' or 'admin'.
      can_log_in: false locks the user out.
      connections_max: how many at once; 0: no limit but the server's.
      statement_timeout_ms: how long a statement may run, in ms; 0: no limit but the server's.
      rows_max: how many rows a result may have; 0: no limit but the server's.
        What is left out, or NULL, stays.

    Returns: the user_name.

    Errors: 'there is no user "ann"'; "rows_max is a whole number from 0, not -1".

    Cost: one row.

    Examples:
      SELECT create_user('max', role => 'reader');
      SELECT alter_user('max', password => 'tr0ub4dor', rows_max => 10000);
      ALTER USER max ROLE writer;
    """
    from sqlagent.serve import accounts

    accounts.alter(
        ctx.writer, user_name,
        {
            "password": password, "role": role, "can_log_in": can_log_in,
            "connections_max": connections_max, "statement_timeout_ms": statement_timeout_ms,
            "rows_max": rows_max,
        },
    )  # fmt: skip
    return user_name
