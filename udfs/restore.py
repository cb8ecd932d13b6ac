"""restore: an agent's states as a snapshot holds them."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.errors import ProgrammingError
from sqlagent.functions import scalar
from sqlagent.states import read, store

HELD = """
SELECT h.version_id FROM snapshots s JOIN snapshot_versions h ON h.snapshot_id = s.snapshot_id
WHERE s.agent_id = ? AND s.name = ? ORDER BY h.version_id
"""


@scalar("BIGINT", writes=True)
def restore(ctx: Context, agent_id: str, name: str) -> int:
    """Brings back the states of a snapshot, as new versions: what was in between stays in the
    history.

    Arguments:
      agent_id: whose states.
      name: the snapshot's name.

    Returns: how many states were restored. States that came after the snapshot stay as they are.

    Errors: "agent ada has no snapshot "good"", "version 3 of the state context of agent ada is
      damaged" (nothing is restored then).

    Cost: that of reading each version, and of a row of states; of the history nothing is copied.

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
    for (version_id,) in rows:
        version = read.one(handle, read.KNOWN, (version_id,))
        assert version is not None  # a foreign key holds it
        store.save(
            handle, version.key, read.text(handle, version), version.metadata, version.blocks
        )
    return len(rows)
