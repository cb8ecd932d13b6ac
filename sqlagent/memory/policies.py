"""Policies: what happens to memories by rules in SQL that a user can read and change.

`memory_policies` holds them, and for each memory the policy of the highest priority whose condition
holds decides (of two equal ones the older). A policy that holds where nothing is left to do decides
too. Whatever a policy says, what is pinned and what a live memory rests on is not archived, what
was superseded or has had its time is not touched, and content never changes: each run is an
operation, which `undo` takes back.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.errors import Error, ProgrammingError
from sqlagent.memory import operations
from sqlagent.memory.forget import AT_WORK, CURRENT, RESTED_ON

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Handle

POLICIES = """
SELECT name, action, to_tier, user_id, kind, condition FROM memory_policies
WHERE event = ? AND enabled AND (agent_id IS NULL OR agent_id = ?)
ORDER BY priority DESC, policy_id
"""
# What a condition may speak of: the columns of memories, and these of memory_strength.
MEASURES = ("age_days", "idle_days", "uses", "decayed_importance", "activation", "retention",
            "strength")  # fmt: skip
# Days since an operation last changed it, all its age where none has: one step at a time.
SETTLED = """ifnull((SELECT julianday('now') - max(julianday(o.created_at))
  FROM sqlagent_operation_rows r JOIN sqlagent_operations o ON o.operation_id = r.operation_id
  WHERE r.memory_id = m.memory_id), s.age_days) AS settled_days"""
ROWS = f"""SELECT m.*, {", ".join(f"s.{name}" for name in MEASURES)}, {SETTLED}
FROM memories m JOIN memory_strength s ON s.memory_id = m.memory_id
WHERE m.agent_id = ? AND {CURRENT.replace(":now", "?")}"""
MAINTAINED = f" AND NOT ({AT_WORK})"
IN_SESSION = " AND m.tier = 'working' AND m.session_id IS ?"
RANK = "CASE {} WHEN 'working' THEN 0 WHEN 'short_term' THEN 1 ELSE 2 END"
SAID = """printf('%s: strength %.3f, %d days old, used %g times', :policy,
  s.strength, s.age_days, round(s.uses, 1))"""
GIVEN = """FROM json_each(:ids) g JOIN memories m ON m.memory_id = g.value
JOIN memory_strength s ON s.memory_id = m.memory_id"""
MOVED = f"SELECT m.memory_id, {SAID} AS reason {GIVEN} WHERE {{}}"
KEPT = f"""
WITH RECURSIVE gone (memory_id) AS MATERIALIZED (
  SELECT m.memory_id FROM json_each(:ids) g JOIN memories m ON m.memory_id = g.value
  WHERE NOT m.pinned
),{RESTED_ON}
SELECT m.memory_id FROM json_each(:ids) g JOIN memories m ON m.memory_id = g.value
WHERE m.pinned OR m.memory_id IN (SELECT memory_id FROM rested_on)
"""


class Policy(NamedTuple):
    """A row of memory_policies, as far as it acts."""

    name: str
    action: str
    to_tier: str | None
    user_id: str | None
    kind: str | None
    condition: str


class Run:
    """One operation of policies over an agent's memories; each memory is decided on once."""

    def __init__(self, context: Context, agent_id: str, operation: str, **detail: Any) -> None:
        self.context = context
        self.handle: Handle = context.writer
        self.agent_id = agent_id
        self.now = context.now()
        self.decided: set[int] = set()
        self.count = 0
        self.handle.execute("SAVEPOINT policies")
        self.operation_id = operations.begin(self.handle, agent_id, operation, **detail)

    def end(self, *, keep: bool = True) -> int:
        """How many memories were changed; a run that changed none, or is not kept, leaves no
        trace."""
        if not self.count or not keep:
            self.handle.execute("ROLLBACK TO policies")
        self.handle.execute("RELEASE policies")
        return self.count

    def maintain(self) -> None:
        """Apply the policies of 'maintenance' to what no open session works with."""
        self._apply("maintenance", MAINTAINED, ())

    def session_ends(self, session_id: str | None, only: Collection[int] | None = None) -> None:
        """Apply those of 'session_end' to a session's working memories, or to these of them."""
        self._apply("session_end", IN_SESSION, (session_id,), only)

    def _apply(
        self, event: str, where: str, values: tuple[Any, ...], only: Collection[int] | None = None
    ) -> None:
        for row in self.handle.execute(POLICIES, (event, self.agent_id)).fetchall():
            policy = Policy(*row)
            ids = self._holding(policy, where, values) - self.decided
            if only is not None:
                ids &= set(only)
            if not ids:
                continue
            self.decided |= ids
            if policy.action in ("promote", "demote"):
                self._move(policy, sorted(ids))
            elif policy.action == "archive":
                self._archive(policy, sorted(ids), event)
            elif policy.action != "keep":
                raise ProgrammingError(
                    f'policy "{policy.name}": the action of a policy of {event} is promote, '
                    f"demote, archive or keep, not {policy.action}",
                    hint="UPDATE memory_policies SET enabled = false switches it off",
                )

    def _holding(self, policy: Policy, where: str, values: tuple[Any, ...]) -> set[int]:
        from sqlagent.search.filters import allowed

        source, bound = ROWS + where, [self.agent_id, self.now, self.now, *values]
        for column in ("user_id", "kind"):
            if (value := getattr(policy, column)) is not None:
                source, bound = f"{source} AND m.{column} = ?", [*bound, value]
        what = f'the condition of policy "{policy.name}"'
        try:
            held = allowed(self.context, source, "memory_id", policy.condition, tuple(bound), what)
        except Error as error:
            said = error.message if what in error.message else f"{what}: {error.message}"
            raise type(error)(
                said, sql=policy.condition, position=0, sqlstate=error.sqlstate,
                hint=f"It is SQL over the columns of memories, {', '.join(MEASURES)}, settled_days",
            ) from None  # fmt: skip
        return set(held)

    def _move(self, policy: Policy, ids: list[int], reason: str | None = None) -> None:
        up = policy.action == "promote"
        below = f"{RANK.format('m.tier')} {'<' if up else '>'} {RANK.format(':tier')}"
        action, columns = f"{policy.action} to {policy.to_tier}", {"tier": policy.to_tier}
        said = reason or policy.name
        self._change(action, columns, MOVED.format(below), ids, said, tier=policy.to_tier)

    def _archive(self, policy: Policy, ids: list[int], event: str) -> None:
        listed = {"ids": json.dumps(ids), "now": self.now}
        kept = {row[0] for row in self.handle.execute(KEPT, listed)}
        going = [i for i in ids if i not in kept]
        self._change("archive", {"archived_at": self.now}, MOVED.format("true"), going, policy.name)
        if kept and event == "session_end":  # its session is over, so it goes on in the next tier
            stays = policy._replace(action="promote", to_tier="short_term")
            self._move(stays, sorted(kept), "pinned, or a live memory rests on it")

    def _change(
        self, action: str, columns: dict[str, Any], chosen: str, ids: list[int], policy: str,
        **more: Any,
    ) -> None:  # fmt: skip
        values = {"ids": json.dumps(ids), "policy": policy, **more}
        self.count += operations.change_all(
            self.handle, self.operation_id, action, columns, chosen, values
        )
