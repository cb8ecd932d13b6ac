"""snapshot: a name for an agent's states as they are now."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.errors import IntegrityError, ProgrammingError
from sqlagent.functions import scalar

TAKE = """
INSERT INTO snapshot_versions (snapshot_id, version_id)
SELECT ?1, v.version_id FROM states s JOIN sqlagent_state_versions v
  ON v.agent_id = s.agent_id AND v.state_type = s.state_type
  AND ifnull(v.session_id, '') = ifnull(s.session_id, '') AND v.version = s.version
WHERE s.agent_id = ?2
"""
MARK = """
UPDATE sqlagent_state_versions SET snapshot_name = ?2
WHERE version_id IN (SELECT version_id FROM snapshot_versions WHERE snapshot_id = ?1)
"""


@scalar("BIGINT", writes=True)
def snapshot(ctx: Context, agent_id: str, name: str) -> int:
    """Names all states of an agent as they are now, so that restore() can bring them back.

    Arguments:
      agent_id: whose states.
      name: a name that the agent has no snapshot of yet.

    Returns: how many states it holds.

    Errors: "agent ada has no states", "agent ada has a snapshot "good" already".

    Cost: nothing is copied; a snapshot points at versions that are kept anyway.

    Examples:
      SELECT snapshot('ada', 'before the trip');
    """
    handle = ctx.writer
    if handle.execute("SELECT 1 FROM states WHERE agent_id = ?", (agent_id,)).fetchone() is None:
        raise ProgrammingError(f"agent {agent_id} has no states", sqlstate="02000")
    found = handle.execute(
        "SELECT 1 FROM snapshots WHERE agent_id = ? AND name = ?", (agent_id, name)
    ).fetchone()
    if found is not None:
        raise IntegrityError(
            f'agent {agent_id} has a snapshot "{name}" already',
            hint="Choose another name.",
            sqlstate="23505",
        )
    handle.execute("INSERT INTO snapshots (agent_id, name) VALUES (?, ?)", (agent_id, name))
    snapshot_id = handle.last_insert_rowid()
    handle.execute(TAKE, (snapshot_id, agent_id))
    count = handle.changes()
    handle.execute(MARK, (snapshot_id, name))
    return int(count)
