"""restore: an agent's states as a snapshot holds them."""

from __future__ import annotations

from sqlagent.udfs.save_state import save

from sqlagent.context import Context
from sqlagent.errors import ProgrammingError
from sqlagent.functions import scalar

HELD = """
SELECT v.agent_id, v.state_type, v.session_id, v.data, v.metadata, v.checksum
FROM snapshots s JOIN snapshot_versions h ON h.snapshot_id = s.snapshot_id
  JOIN state_versions v ON v.version_id = h.version_id
WHERE s.agent_id = ? AND s.name = ?
"""


@scalar("BIGINT", writes=True)
def restore(ctx: Context, agent_id: str, name: str) -> int:
    """Brings back the states of a snapshot, as new versions: what was in between stays in the
    history.

    Arguments:
      agent_id: whose states.
      name: the snapshot's name.

    Returns: how many states were restored. States that came after the snapshot stay as they are.

    Errors: "agent ada has no snapshot "good"".

    Examples:
      SELECT restore('ada', 'before the trip');
    """
    handle = ctx.writer
    rows = handle.execute(HELD, (agent_id, name)).fetchall()
    if not rows:
        known = handle.execute(
            "SELECT group_concat(name, ', ') FROM snapshots WHERE agent_id = ?", (agent_id,)
        ).fetchone()[0]
        raise ProgrammingError(
            f'agent {agent_id} has no snapshot "{name}"',
            hint=f"It has {known}" if known else "SELECT snapshot(agent_id, name) makes one.",
            sqlstate="42704",
        )
    for row in rows:
        save(handle, row)
    return len(rows)
