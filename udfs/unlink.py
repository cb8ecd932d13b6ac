"""unlink: two memories no longer belong together."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True)
def unlink(ctx: Context, memory_id: int, related_id: int, relation: str | None = None) -> int:
    """Takes links between two memories away, whichever of the two was named first.

    Arguments:
      memory_id, related_id: two memories.
      relation: only links of this relation.

    Returns: how many links there were. NULL where memory_id or related_id is NULL.

    Examples:
      SELECT unlink(memory_id, related_id) FROM memory_links WHERE relation = 'causes';
    """
    from sqlagent.memory import links

    return links.remove(ctx.writer, memory_id, related_id, relation)
