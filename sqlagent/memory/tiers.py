"""Tiers: the working memory of a session, and what becomes of it; the upkeep of all tiers.

A session's working memories are bounded by the setting `working_memory_limit`: beyond it the least
active are treated as if the session were over. When it ends, or `sessions.ended_at` is found to
be set by anybody, the policies of 'session_end' decide which go on to the next tier.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlagent.context import Context
from sqlagent.errors import ProgrammingError
from sqlagent.memory.policies import Run

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database, Handle

WORKING = """
SELECT DISTINCT m.agent_id FROM memories m
WHERE m.tier = 'working' AND m.session_id = ? AND m.archived_at IS NULL ORDER BY 1
"""
# Sessions that ended while working memories were left, and that no end_session() has been through
# since: one that was undone is not done again by itself.
ENDED = """
SELECT DISTINCT m.agent_id, m.session_id
FROM memories m JOIN sessions x ON x.session_id = m.session_id
WHERE m.tier = 'working' AND x.ended_at IS NOT NULL AND m.archived_at IS NULL
  AND (:agent IS NULL OR m.agent_id = :agent)
  AND NOT EXISTS (SELECT 1 FROM sqlagent_operations o
    WHERE o.agent_id = m.agent_id AND o.operation = 'end_session'
      AND json_extract(o.detail, '$.session_id') = m.session_id AND o.created_at >= x.ended_at)
ORDER BY 1, 2
"""
CROWDED = """
SELECT m.session_id FROM memories m
WHERE m.tier = 'working' AND m.agent_id = :agent AND m.archived_at IS NULL
GROUP BY m.session_id HAVING count(*) > :limit
"""
# The least active: neither used lately nor often. What matters of them is kept by the policies.
BEYOND = """
SELECT m.memory_id FROM memories m JOIN memory_strength s ON s.memory_id = m.memory_id
WHERE m.tier = 'working' AND m.agent_id = ? AND m.session_id IS ? AND m.archived_at IS NULL
ORDER BY m.pinned DESC, s.activation DESC, ifnull(m.last_access_at, m.created_at) DESC,
  s.strength DESC, m.memory_id DESC LIMIT -1 OFFSET ?
"""
START = "INSERT INTO sessions (session_id, agent_id) SELECT ?1, ?2"


def end_session(context: Context, session_id: str) -> int:
    """End a session and see to its working memories; how many were promoted or archived.

    Raises ProgrammingError where neither `sessions` nor a memory knows it.
    """
    handle = context.writer
    row = handle.execute(
        "SELECT agent_id, ended_at FROM sessions WHERE session_id = ?", (session_id,)
    ).fetchone()
    agents = [a for (a,) in handle.execute(WORKING, (session_id,)).fetchall()]
    if row is None:
        owner = agents[0] if agents else handle.execute(
            "SELECT min(agent_id) FROM memories WHERE session_id = ?", (session_id,)
        ).fetchone()[0]  # fmt: skip
        if owner is None:
            raise ProgrammingError(
                f'unknown session "{session_id}"', sqlstate="02000",
                hint="SELECT session_id FROM sessions lists them",
            )  # fmt: skip
        handle.execute(START, (session_id, owner))
    if row is None or row[1] is None:
        handle.execute(
            "UPDATE sessions SET ended_at = ? WHERE session_id = ?", (context.now(), session_id)
        )
    return sum(_ended(context, agent, session_id) for agent in agents)


def apply_policies(context: Context, agent_id: str, *, dry_run: bool = False) -> int:
    """Ended sessions, overfull working tiers, then the policies of 'maintenance'; how many changed.

    `dry_run` does the same and takes it back.
    """
    handle = context.writer
    handle.execute("SAVEPOINT upkeep")
    count = 0
    for agent, session_id in handle.execute(ENDED, {"agent": agent_id}).fetchall():
        count += _ended(context, agent, session_id)
    count += bound(context, agent_id)
    run = Run(context, agent_id, "policies")
    run.maintain()
    count += run.end()
    if dry_run:
        handle.execute("ROLLBACK TO upkeep")
    handle.execute("RELEASE upkeep")
    return count


def bound(context: Context, agent_id: str, *session: str | None) -> int:
    """See to what is beyond `working_memory_limit` in every session, or the one given; how many."""
    limit = context.settings.get("working_memory_limit", 50)
    if not limit:
        return 0
    handle = context.writer
    crowded = list(session)
    if not session:
        asked = {"agent": agent_id, "limit": limit}
        crowded = [s for (s,) in handle.execute(CROWDED, asked).fetchall()]
    beyond = {s: handle.execute(BEYOND, (agent_id, s, limit)).fetchall() for s in crowded}
    if not any(beyond.values()):
        return 0
    run = Run(context, agent_id, "working_memory", limit=limit)
    for session_id, found in beyond.items():
        run.session_ends(session_id, [memory_id for (memory_id,) in found])
    return run.end()


def due(database: Database, settings: Any) -> list[tuple[str, Callable[[], int]]]:
    """What CALL sync() has to do to memories: its name, and the work, which says how many.

    Sessions that ended are always seen to; the policies of 'maintenance' where the setting
    `maintenance` is on, each agent in a transaction of its own.
    """
    with database.read() as handle:
        ended = handle.execute(ENDED, {"agent": None}).fetchone()

    def sessions() -> int:
        def work(handle: Handle) -> int:
            context = Context(database, settings, handle)
            found = handle.execute(ENDED, {"agent": None}).fetchall()
            return sum(_ended(context, agent, session_id) for agent, session_id in found)

        return int(database.write(work))

    def maintenance() -> int:
        with database.read() as handle:
            agents = handle.execute("SELECT agent_id FROM agents ORDER BY agent_id").fetchall()
        count = 0
        for (agent_id,) in agents:

            def work(handle: Handle, agent_id: str = agent_id) -> int:
                return apply_policies(Context(database, settings, handle), agent_id)

            count += database.write(work)
        return count

    works: list[tuple[str, Callable[[], int]]] = [("sessions", sessions)] if ended else []
    return works + ([("maintenance", maintenance)] if settings.get("maintenance") else [])


def _ended(context: Context, agent_id: str, session_id: str) -> int:
    run = Run(context, agent_id, "end_session", session_id=session_id)
    run.session_ends(session_id)
    return run.end()
