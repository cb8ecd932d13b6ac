"""related: the memories that belong to a memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import table


@table("memory_id BIGINT", "relation VARCHAR", "weight DOUBLE", "content VARCHAR")
def related(ctx: Context, memory_id: int, k: int = 10) -> Iterator[tuple[Any, ...]]:
    """The memories that belong to one: what is linked to it, then what is near it or like it.

    Arguments:
      memory_id: the memory.
      k: at most so many rows; 0 gives none.

    Returns: first what is said, the highest weight first: relation is 'superseded_by',
    'supersedes', 'made_from' or 'made_into' (weight 1), or that of a link ('contradicts',
    'compatible', your own), with its weight. Then, by weight, 'same_session' (the two turns before
    and after; 1/2 for the nearest, 1/3 for the next) and 'similar' (live memories; the weight is
    the cosine, or without vectors the share of the best BM25). A memory may be in several
    relations; a similar one is in none of the others. No rows where memory_id is NULL.

    Errors: "there is no memory 7"; "k is a whole number from 0, not -1".

    Cost: that of recall.

    Examples:
      SELECT memory_id, relation, weight, content FROM related(1, k => 5);
    """
    from sqlagent.memory import links

    yield from links.related(ctx, memory_id, k)
