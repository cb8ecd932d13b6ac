"""subgraph: the relations around an entity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import Stamp, table


@table(
    "relation_id BIGINT", "subject VARCHAR", "predicate VARCHAR", "object VARCHAR", "weight DOUBLE",
    "distance BIGINT", "valid_from TIMESTAMP", "valid_to TIMESTAMP", "source VARCHAR",
    "memory_id BIGINT", "chunk_id BIGINT",
)  # fmt: skip
def subgraph(
    ctx: Context,
    entity: str,
    depth: int = 2,
    predicate: str | None = None,
    direction: str = "both",
    as_of: Stamp | None = None,
) -> Iterator[tuple[Any, ...]]:
    """The relations around an entity: those both of whose ends lie within so many hops of it.

    Arguments:
      entity: its name.
      depth: how many relations away an end may lie, from 0.
      predicate: over relations of this predicate alone.
      direction: 'out', 'in' or 'both': how the hops are taken.
      as_of: relations that were true at that time; now by default.

    Returns: the relations with the names of their ends, the nearest first, then the heaviest;
    distance is that of their nearer end. No rows where entity is NULL.

    Errors: 'unknown entity "x"' with the nearest name; "depth is a whole number from 0, not -1".

    Examples:
      SELECT relate('Ada', 'knows', 'Bob'), relate('Bob', 'likes', 'figs');
      SELECT subject, predicate, object FROM subgraph('Ada', depth => 2);
    """
    from sqlagent.graph import walk
    from sqlagent.graph.edges import chosen, whole
    from sqlagent.graph.entities import find, reading

    choice = chosen(ctx, predicate, direction, as_of)
    whole(depth, "depth")
    with reading(ctx) as handle:
        yield from walk.subgraph(handle, find(handle, entity), depth, choice)
