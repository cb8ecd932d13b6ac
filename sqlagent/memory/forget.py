"""Forgetting: what is old and weak is archived; what is pinned, or rested on, stays.

Only what recall could return is looked at (and what expired): a fact that was superseded, or whose
time is over, is part of what was true and is not touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent import clock
from sqlagent.errors import DataError
from sqlagent.memory import operations

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

KINDS = ("episodic", "semantic", "procedural", "working")
# A memory that stands for itself now. Expired ones are among them: they may go.
CURRENT = """m.archived_at IS NULL AND m.superseded_by IS NULL
  AND (m.valid_to IS NULL OR m.valid_to > :now)
  AND (m.valid_from IS NULL OR m.valid_from <= :now)"""
# What a session that goes on works with is its own affair.
AT_WORK = """m.tier = 'working' AND EXISTS (
  SELECT 1 FROM sessions x WHERE x.session_id = m.session_id AND x.ended_at IS NULL)"""
# Of `gone (memory_id)`, what something live that stays was made from, at any remove.
RESTED_ON = """
up (memory_id, dependent) AS (
  SELECT r.source_memory_id, r.memory_id
  FROM gone g JOIN memory_sources r ON r.source_memory_id = g.memory_id
  UNION
  SELECT up.memory_id, r.memory_id
  FROM up JOIN memory_sources r ON r.source_memory_id = up.dependent
),
rested_on (memory_id) AS (
  SELECT DISTINCT up.memory_id FROM up JOIN memories m ON m.memory_id = up.dependent
  WHERE m.archived_at IS NULL AND m.superseded_by IS NULL
    AND (m.valid_to IS NULL OR m.valid_to > :now) AND (m.expires_at IS NULL OR m.expires_at > :now)
    AND m.memory_id NOT IN (SELECT memory_id FROM gone)
)"""
CHOSEN = f"""
WITH RECURSIVE gone (memory_id, strength, age_days) AS MATERIALIZED (
  SELECT m.memory_id, s.strength, s.age_days
  FROM memories m JOIN memory_strength s ON s.memory_id = m.memory_id
  WHERE m.agent_id = :agent AND NOT m.pinned AND {CURRENT} AND NOT ({AT_WORK})
    AND (:kind IS NULL OR m.kind = :kind) AND (:user IS NULL OR m.user_id = :user)
    AND s.age_days > :days AND s.strength < :least
),{RESTED_ON}
SELECT memory_id,
  printf('strength %.3f < %g, %d days old', strength, :least, age_days) AS reason
FROM gone WHERE memory_id NOT IN (SELECT memory_id FROM rested_on)
"""


def forget(
    handle: Handle,
    agent_id: str,
    retention_days: float,
    min_strength: float,
    *,
    kind: str | None = None,
    user_id: str | None = None,
    dry_run: bool = False,
) -> int:
    """Archive an agent's memories that are older and weaker than that; how many.

    Raises DataError for what cannot be. `dry_run` does the same and takes it back.
    """
    if retention_days < 0:
        raise DataError(f"retention_days is a number from 0, not {retention_days:g}")
    if not 0 <= min_strength <= 1:
        raise DataError(f"min_strength is from 0 to 1, not {min_strength:g}")
    if kind is not None and kind not in KINDS:
        raise DataError(f"kind is one of {', '.join(KINDS)}, not {kind!r}")
    now = clock.now()
    asked: dict[str, Any] = {"retention_days": retention_days, "min_strength": min_strength}
    asked |= {n: v for n, v in (("kind", kind), ("user_id", user_id)) if v is not None}
    values = {"agent": agent_id, "now": now, "kind": kind, "user": user_id,
              "days": retention_days, "least": min_strength}  # fmt: skip
    handle.execute("SAVEPOINT forget")
    operation_id = operations.begin(handle, agent_id, "forget", **asked)
    columns = {"archived_at": now}
    count = operations.change_all(handle, operation_id, "archive", columns, CHOSEN, values)
    if dry_run or not count:  # an operation that did nothing leaves no trace
        handle.execute("ROLLBACK TO forget")
    handle.execute("RELEASE forget")
    return count
