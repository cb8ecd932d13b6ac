"""shortest_path: the nearest way from one entity to another by weight."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import Stamp, table


@table("entities JSON", "predicates JSON", "length BIGINT", "weight DOUBLE", "cost DOUBLE")
def shortest_path(
    ctx: Context,
    from_entity: str,
    to_entity: str,
    direction: str = "both",
    predicate: str | None = None,
    as_of: Stamp | None = None,
) -> Iterator[tuple[Any, ...]]:
    """The nearest way from one entity to another, where strong relations are short.

    A relation costs 1 / weight, so one of weight 2 is half as long as one of weight 1; one of
    weight 0 or less is no way. Of ways that cost the same, one with the fewest relations.

    Arguments:
      from_entity, to_entity: their names.
      direction: 'out', 'in' or 'both'.
      predicate: over relations of this predicate alone.
      as_of: over relations that were true at that time; now by default.

    Returns: one row, as paths() has it, with the cost; none where no way leads there, where both
    are the same, or where one is NULL.

    Errors: 'unknown entity "x"' with the nearest name.

    Source: E. W. Dijkstra, A note on two problems in connexion with graphs, 1959.

    Examples:
      SELECT relate('Ada', 'knows', 'Bob', weight => 4);
      SELECT relate('Bob', 'knows', 'Chen', weight => 4), relate('Ada', 'met', 'Chen');
      SELECT entities, cost FROM shortest_path('Ada', 'Chen');
    """
    from sqlagent.graph.edges import chosen
    from sqlagent.graph.entities import find, reading
    from sqlagent.graph.shortest import shortest_path as search

    choice = chosen(ctx, predicate, direction, as_of)
    with reading(ctx) as handle:
        ends = find(handle, from_entity), find(handle, to_entity)
        yield from search(handle, *ends, choice)
