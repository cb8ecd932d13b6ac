"""merge_states: the states of two agents, one forked from the other, brought together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlagent.context import Context
from sqlagent.errors import DataError
from sqlagent.functions import table

RESOLVE = ("fail", "into", "from")


@table(
    "path VARCHAR", "base_value JSON", "into_value JSON", "from_value JSON", "state_type VARCHAR",
    "session_id VARCHAR", writes=True,
)  # fmt: skip
def merge_states(
    ctx: Context, into_agent_id: str, from_agent_id: str, resolve: str = "fail"
) -> Iterable[tuple[Any, ...]]:
    """Merges the states of an agent into those of another, three ways: from what both had when one
    was forked from the other, or when they were last merged.

    Of each state, objects are merged key by key at every depth; an array or a scalar is taken as a
    whole from the side that changed it. What both changed, each otherwise, is a conflict.

    Arguments:
      into_agent_id: whose states get new versions.
      from_agent_id: whose changes are taken in; its states stay as they are.
      resolve: 'fail' (the default): where there is a conflict, nothing at all is written; 'into' or
        'from': what that side has is taken at every conflict.

    Returns: a row for each conflict, also for one that `resolve` settles: path (a JSON pointer),
    base_value, into_value and from_value as JSON, NULL where there was nothing, and which state it
    is. No rows where all could be merged.

    Errors: "agents ada and bob have no state in common", "resolve is one of fail, into, from",
      "version 3 of the state context of agent ada is damaged" (nothing is written then).

    Cost: three versions of each state are read, and a new one is saved where something changed.

    Examples:
      SELECT path, into_value, from_value FROM merge_states('ada', 'eve');
      SELECT path FROM merge_states('ada', 'eve', resolve => 'from');
    """
    if resolve not in RESOLVE:
        raise DataError(f"resolve is one of {', '.join(RESOLVE)}, not {resolve!r:.60}")
    from sqlagent.states.merge import merge

    return merge(ctx.writer, into_agent_id, from_agent_id, resolve)
