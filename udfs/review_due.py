"""review_due: what is worth going over again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.errors import DataError
from sqlagent.functions import Stamp, table

# Retention falls to :least after `wait` days: the curve of FSRS-4.5, turned around.
DUE = """
SELECT memory_id, content, 1 / sqrt(1 + 19.0 / 81 * idle / stability_days) AS retention,
  strftime('%Y-%m-%d %H:%M:%f', used + wait) AS due_at, idle - wait AS overdue_days, strength
FROM (
  SELECT m.memory_id, m.content, m.stability_days, m.importance, s.strength,
    julianday(ifnull(m.last_access_at, m.created_at)) AS used,
    julianday(:at) - julianday(ifnull(m.last_access_at, m.created_at)) AS idle,
    m.stability_days * (1 / (:least * :least) - 1) * 81 / 19 AS wait
  FROM memories m JOIN memory_strength s ON s.memory_id = m.memory_id
  WHERE m.agent_id = :agent AND m.tier <> 'working' AND m.created_at <= :at
    AND m.archived_at IS NULL AND m.superseded_by IS NULL
    AND (m.valid_to IS NULL OR m.valid_to > :at) AND (m.valid_from IS NULL OR m.valid_from <= :at)
    AND (m.expires_at IS NULL OR m.expires_at > :at))
WHERE idle >= wait
ORDER BY retention, importance DESC, memory_id LIMIT :k
"""


@table(
    "memory_id BIGINT",
    "content VARCHAR",
    "retention DOUBLE",
    "due_at TIMESTAMP",
    "overdue_days DOUBLE",
    "strength DOUBLE",
)
def review_due(
    ctx: Context,
    agent_id: str,
    k: int = 10,
    min_retention: float = 0.9,
    at: Stamp | None = None,
) -> Iterator[tuple[Any, ...]]:
    """What an agent should go over again: the memories that have begun to fade, spaced as FSRS
    spaces reviews.

    A memory is due when its retention has fallen to min_retention, which for 0.9 is one stability
    after its last use. reinforce() then makes the next wait longer. What is overdue by most, as
    measured by its stability, comes first; of equals the more important one. Working memories, and
    what recall would not return, are left out.

    Arguments:
      agent_id: whose memories; an unknown agent has none.
      k: at most so many rows; 0 gives none.
      min_retention: how far retention may fall, above 0 and at most 1.
      at: what is due at that time; now by default.

    Returns: retention (0..1, at that time), due_at, overdue_days (from 0), strength (0..1, now; see
    memory_strength). No rows where agent_id is NULL.

    Errors: "k is a whole number from 0, not -1"; "min_retention is above 0 and at most 1, not 2".

    Cost: reads the agent's memories once.

    Source: Ye et al., FSRS, https://github.com/open-spaced-repetition/fsrs4anki/wiki

    Examples:
      SELECT content, retention, due_at FROM review_due('ada', k => 3);
    """
    if k < 0:
        raise DataError(f"k is a whole number from 0, not {k}")
    if not 0 < min_retention <= 1:
        raise DataError(f"min_retention is above 0 and at most 1, not {min_retention:g}")
    values = {"agent": agent_id, "at": at or ctx.now(), "least": min_retention,
              "k": min(k, 1 << 30)}  # fmt: skip
    with ctx.reading() as handle:
        yield from handle.execute(DUE, values).fetchall()
