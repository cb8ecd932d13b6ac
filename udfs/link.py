"""link: two memories belong together."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True)
def link(
    ctx: Context, memory_id: int, related_id: int, relation: str = "related", weight: float = 1.0
) -> int:
    """Says that two memories belong together; related gives the one for the other.

    Arguments:
      memory_id, related_id: two memories of one agent.
      relation: a word of your own, such as 'causes'; said again, it gets the new weight.
      weight: any number; higher comes first.

    Returns: the link_id in memory_links. NULL where memory_id or related_id is NULL.

    Errors: "there is no memory 7"; "memory 7 cannot be linked to itself"; "a memory is linked to
    one of the same agent, 'ada', not 'bob'"; "relation is a word of your own, not 'similar'".

    Examples:
      SELECT link(a.memory_id, b.memory_id) FROM memories a JOIN memories b USING (session_id)
      WHERE a.memory_id < b.memory_id;
    """
    from sqlagent.memory import links

    return links.add(ctx.writer, memory_id, related_id, relation, weight)
