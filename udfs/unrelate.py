"""unrelate: a relation taken back."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True)
def unrelate(ctx: Context, subject: str, predicate: str, object: str) -> int:
    """Takes a relation back, whoever stated it. The entities stay, save those that extract_graph
    made and that have no other relation.

    Arguments:
      subject, predicate, object: as they were stated.

    Returns: 1, or 0 where there is no such relation. NULL where one of them is NULL.

    Examples:
      SELECT unrelate('Ada', 'works_at', 'Delta');
    """
    from sqlagent.graph.relate import unrelate as remove

    return remove(ctx.writer, subject, predicate, object)
