"""save_state: a new version of an agent's state."""

from __future__ import annotations

from typing import Any

from sqlagent.context import Context
from sqlagent.errors import IntegrityError
from sqlagent.functions import Json, scalar
from sqlagent.states import store
from sqlagent.states.read import Key


def _statement(
    agent_id: str, data: str, state_type: str, session_id: str | None, metadata: str | None,
    if_version: int | None,
) -> tuple[str, tuple[Any, ...]] | None:  # fmt: skip
    """The save as one statement; with `if_version` it is a look and a save."""
    if if_version is not None:
        return None
    return store.one(agent_id, state_type, session_id, data, metadata)


@scalar("BIGINT", writes=True, statement=_statement)
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

    Cost: two rows in one transaction; clients that save at once share the wait for the disk. Of a
    state of over 4 KB a version keeps only what differs from the one before it, and about 1 KB.

    Examples:
      SELECT save_state('ada', '{"step": 1}', state_type => 'task_state');
    """
    handle = ctx.writer
    key = Key(agent_id, state_type, session_id)
    if if_version is not None:
        row = handle.execute(store.NUMBER, key).fetchone()
        newest = row[0] if row else 0
        if newest != if_version:
            raise IntegrityError(
                f"the newest version is {newest}, not {if_version}",
                detail=f"state {state_type} of agent {agent_id}",
                hint="Read the newest state, and save again with its version.",
                sqlstate="40001",
            )
    return store.save(handle, key, data, metadata)
