"""state_at: an agent's states as they were at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import Stamp, table

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
NAMES = ", ".join("v." + c.split(" ")[0] for c in STATE_COLUMNS)
AT = f"""
SELECT {NAMES} FROM state_versions v
WHERE v.agent_id = ?1 AND (?3 IS NULL OR v.state_type = ?3) AND v.created_at <= ?2
  AND v.version = (SELECT max(w.version) FROM state_versions w
    WHERE w.agent_id = v.agent_id AND w.state_type = v.state_type
      AND ifnull(w.session_id, '') = ifnull(v.session_id, '') AND w.created_at <= ?2)
ORDER BY v.state_type, v.session_id
"""


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

    Examples:
      SELECT data FROM state_at('ada', '2030-01-01', state_type => 'context');
    """
    with ctx.reading() as handle:
        yield from handle.execute(AT, (agent_id, at, state_type)).fetchall()
