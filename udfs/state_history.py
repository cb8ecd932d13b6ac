"""state_history: every version of an agent's states."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.udfs.state_at import NAMES, STATE_COLUMNS

from sqlagent.context import Context
from sqlagent.functions import Stamp, table

HISTORY = f"""
SELECT {NAMES} FROM state_versions v
WHERE v.agent_id = ?1 AND (?2 IS NULL OR v.created_at >= ?2) AND (?3 IS NULL OR v.created_at < ?3)
ORDER BY v.version_id
"""


@table(*STATE_COLUMNS)
def state_history(
    ctx: Context, agent_id: str, from_at: Stamp | None = None, to_at: Stamp | None = None
) -> Iterator[tuple[Any, ...]]:
    """Every version of an agent's states, oldest first.

    Arguments:
      agent_id: whose states.
      from_at: from this time on.
      to_at: until before this time.

    Returns: the columns of state_versions. No rows for an unknown agent.

    Examples:
      SELECT version, created_at FROM state_history('ada');
    """
    with ctx.reading() as handle:
        yield from handle.execute(HISTORY, (agent_id, from_at, to_at)).fetchall()
