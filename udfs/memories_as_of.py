"""memories_as_of: what was true at a time, as it was known at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import Stamp, table

COLUMNS = (
    "memory_id BIGINT",
    "kind VARCHAR",
    "tier VARCHAR",
    "content VARCHAR",
    "importance DOUBLE",
    "valid_from TIMESTAMP",
    "valid_to TIMESTAMP",
    "created_at TIMESTAMP",
    "expires_at TIMESTAMP",
    "superseded_by BIGINT",
    "speaker VARCHAR",
    "source VARCHAR",
    "user_id VARCHAR",
    "session_id VARCHAR",
    "metadata JSON",
)
NAMES = ", ".join(c.split(" ")[0] for c in COLUMNS)


@table(*COLUMNS)
def memories_as_of(
    ctx: Context, agent_id: str, valid_at: Stamp, known_at: Stamp | None = None
) -> Iterator[tuple[Any, ...]]:
    """What was true at a time, as it was known at a time (bitemporal).

    A memory is true from valid_from (created_at where that is NULL) until before valid_to, and not
    from expires_at on. It is known from created_at on. What became known after known_at (that it
    was superseded, forgotten, or that such was undone) is left out of account: valid_to, expires_at
    and superseded_by are as they were known then. What is
    archived, as what an undone supersede made is, is not given once that is known.

    What a plain client changed by UPDATE has no history, so its value counts as known ever since;
    a superseded_by that it wrote, from when the newer memory is known, and ends the older one where
    the newer one begins.

    Arguments:
      agent_id: whose memories; an unknown agent has none.
      valid_at: the time at which they were true.
      known_at: the time of the knowledge; now by default.

    Returns: columns of memories, the oldest first. No rows where agent_id or valid_at is NULL.

    Errors: "valid_at is a time, not 'once'".

    Cost: by the agent's memories, some milliseconds for 10,000.

    Examples:
      SELECT content FROM memories_as_of('ada', '2024-06-01', known_at => '2024-12-31');
    """
    from sqlagent.memory.truth import TRUE

    named = {"agent": agent_id, "valid": valid_at, "known": known_at or ctx.now()}
    with ctx.reading() as handle:
        yield from handle.execute(
            f"SELECT {NAMES} FROM ({TRUE}) ORDER BY created_at, memory_id", named
        ).fetchall()
