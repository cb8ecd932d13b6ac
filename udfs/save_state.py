"""save_state: a new version of an agent's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent.context import Context
from sqlagent.errors import IntegrityError
from sqlagent.functions import Json, scalar
from sqlagent.migrate import sha256

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

# Two statements rather than an upsert, which would check the JSON twice.
NEXT = """
UPDATE states SET data = ?4, metadata = ?5, checksum = ?6,
  created_at = strftime('%Y-%m-%d %H:%M:%f', 'now'), version = version + 1
WHERE agent_id = ?1 AND state_type = ?2 AND ifnull(session_id, '') = ifnull(?3, '')
RETURNING version
"""
FIRST = """
INSERT INTO states (agent_id, state_type, session_id, data, metadata, checksum)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
"""
NEWEST = """
SELECT version FROM states
WHERE agent_id = ?1 AND state_type = ?2 AND ifnull(session_id, '') = ifnull(?3, '')
"""


@scalar("BIGINT", writes=True)
def save_state(
    ctx: Context,
    agent_id: str,
    data: Json,
    state_type: str = "context",
    session_id: str | None = None,
    metadata: Json | None = None,
    if_version: int | None = None,
) -> int:
    """Saves a state of an agent durably, as a new version each time, and returns that version.

    Arguments:
      agent_id: whose state it is.
      data: the state, as JSON.
      state_type: 'working_memory', 'long_term_memory', 'context' (the default), 'task_state',
        'relationship' or 'embedding'.
      session_id: the session that it belongs to; NULL for none. Each session has states of its own.
      metadata: JSON about it.
      if_version: save only if the newest version is still this one (0: only if there is none), so
        that two writers do not overwrite each other.

    Returns: the new version, from 1. NULL where agent_id or data is NULL.

    Errors: "the newest version is 3, not 2" where if_version does not hold.

    Cost: two rows in one transaction; clients that save at once share the wait for the disk.

    Examples:
      SELECT save_state('ada', '{"step": 1}', state_type => 'task_state');
    """
    handle = ctx.writer
    if if_version is not None:
        row = handle.execute(NEWEST, (agent_id, state_type, session_id)).fetchone()
        newest = row[0] if row else 0
        if newest != if_version:
            raise IntegrityError(
                f"the newest version is {newest}, not {if_version}",
                detail=f"state {state_type} of agent {agent_id}",
                hint="Read the newest state, and save again with its version.",
                sqlstate="40001",
            )
    return save(handle, (agent_id, state_type, session_id, data, metadata, sha256(data.encode())))


def save(handle: Handle, values: tuple[Any, ...]) -> int:
    """The next version of a state: agent, type, session, data, metadata, checksum."""
    saved = handle.execute(NEXT, values).fetchall()
    if not saved:  # the trigger numbers it, after any that were deleted
        handle.execute(FIRST, values)
        saved = handle.execute(NEWEST, values[:3]).fetchall()
    return int(saved[0][0])
