"""state_history: every version of an agent's states."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import Later, Stamp, table
from sqlagent.states import read
from sqlagent.udfs.state_at import STATE_COLUMNS

HISTORY = f"""
SELECT {read.FIELDS} FROM sqlagent_state_versions
WHERE agent_id = ?1 AND (?2 IS NULL OR created_at >= ?2) AND (?3 IS NULL OR created_at < ?3)
ORDER BY version_id
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

    Errors: "version 3 of the state context of agent ada is damaged" where the data of a version are
      read, and are not those that were saved, by their checksum.

    Cost: a row each; data that the statement does not read are not put together.

    Examples:
      SELECT version, created_at FROM state_history('ada');
    """
    with ctx.reading() as handle:
        rows = handle.execute(HISTORY, (agent_id, from_at, to_at)).fetchall()

    def data(version: read.Version) -> str:
        with ctx.reading() as handle:
            return read.text(handle, version)

    for row in rows:
        version = read.Version(*row)
        yield (*row[:-1], Later(lambda version=version: data(version)))  # type: ignore[misc]  # bound at once
