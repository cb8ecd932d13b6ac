"""state_at: an agent's states as they were at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import Stamp, table
from sqlagent.states import read

STATE_COLUMNS = (
    "version_id BIGINT",
    "agent_id VARCHAR",
    "session_id VARCHAR",
    "state_type VARCHAR",
    "version BIGINT",
    "parent_version BIGINT",
    "snapshot_name VARCHAR",
    "checksum VARCHAR",
    "created_at TIMESTAMP",
    "metadata JSON",
    "data JSON",
)


@table(*STATE_COLUMNS)
def state_at(
    ctx: Context, agent_id: str, at: Stamp, state_type: str | None = None
) -> Iterator[tuple[Any, ...]]:
    """The states of an agent as they were at a time: one row for each state type and session.

    Arguments:
      agent_id: whose states.
      at: the time, in UTC.
      state_type: only this type.

    Returns: the columns of state_versions. No rows where there was none yet, for an unknown agent,
    and where agent_id or at is NULL.

    Errors: "version 3 of the state context of agent ada is damaged" where its data are not those
      that were saved, by their checksum.

    Cost: a search among the versions of each state, and its parts: 2 ms for a state of 1 MB.

    Examples:
      SELECT data FROM state_at('ada', '2030-01-01', state_type => 'context');
    """
    with ctx.reading() as handle:
        for key in list(read.keys(handle, agent_id, state_type)):
            version = read.at(handle, key, at)
            if version is not None:
                yield (*version[:-1], read.text(handle, version))
