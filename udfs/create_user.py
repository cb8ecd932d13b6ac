"""create_user: a user of the server."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("VARCHAR", writes=True)
def create_user(
    ctx: Context, user_name: str, password: str | None = None, role: str = "reader"
) -> str:
    """Adds a user who may log in to `sqlagent serve`; CREATE USER says the same. Admins alone may.

    The file keeps no password: only a SCRAM-SHA-256 verifier, in PostgreSQL's form. A user has
    every table and every agent, within the role, until the first grant narrows that.

    Arguments:
      user_name: 1 to 63 characters, no colon.
      password: the password, or a verifier made elsewhere; NULL (the default): cannot log in yet.
      role: 'reader' (the default) reads; 'writer' also writes rows; 'admin' also changes the schema
        and the users.

    Returns: the user_name.

    Errors: 'the user "ada" exists'; "a role is one of reader, writer, admin, not 'owner'".

    Cost: one row, and 4096 rounds of SHA-256: a few milliseconds.

    Examples:
      SELECT create_user('eve', password => 'correct horse', role => 'writer');
      CREATE USER ann WITH PASSWORD 'battery staple' ROLE reader;
      SELECT name, role, can_log_in FROM sqlagent_users ORDER BY name;
    """
    from sqlagent.serve import accounts

    accounts.create(ctx.writer, user_name, password, role)
    return user_name
