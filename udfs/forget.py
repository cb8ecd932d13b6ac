"""forget: archive what is old and weak."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True)
def forget(
    ctx: Context,
    agent_id: str,
    retention_days: float = 30.0,
    min_strength: float = 0.1,
    dry_run: bool = False,
    kind: str | None = None,
    user_id: str | None = None,
) -> int:
    """Archives an agent's memories that are both old and weak: they are no longer recalled.

    They stay in `memories` with archived_at, and unforget() brings all of them back. Never
    forgotten is what is pinned; what a live memory was made from (memory_sources), at any remove;
    what a session that has not ended works with; and what was superseded or has had its time,
    since that is the record of what was true.

    Arguments:
      agent_id: whose memories; an unknown agent has none.
      retention_days: only what is older, in days; from 0.
      min_strength: only what is weaker, 0..1 (see memory_strength).
      dry_run: true says how many there are, and changes nothing.
      kind: only 'episodic', 'semantic', 'procedural' or 'working' memories.
      user_id: only memories about this user.

    Returns: how many memories were archived. NULL where agent_id is NULL.

    Errors: "retention_days is a number from 0, not -1"; "min_strength is from 0 to 1, not 2";
    "kind is one of episodic, …".

    Cost: one transaction; about 1 s for 100,000 memories that go.

    Examples:
      SELECT forget('ada', dry_run => true);
      SELECT forget('ada', retention_days => 365, min_strength => 0.05, kind => 'episodic');
    """
    from sqlagent.memory.forget import forget as archive

    return archive(
        ctx.writer, agent_id, retention_days, min_strength,
        kind=kind, user_id=user_id, dry_run=dry_run,
    )  # fmt: skip
