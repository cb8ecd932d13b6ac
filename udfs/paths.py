"""paths: the ways from one entity to another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import Stamp, table


@table("entities JSON", "predicates JSON", "length BIGINT", "weight DOUBLE")
def paths(
    ctx: Context,
    from_entity: str,
    to_entity: str,
    max_depth: int = 4,
    direction: str = "both",
    predicate: str | None = None,
    k: int = 100,
    as_of: Stamp | None = None,
) -> Iterator[tuple[Any, ...]]:
    """The simple paths from one entity to another: the shortest first, then the heaviest.

    A path passes no entity twice. Two relations of the same entities make two paths.

    Arguments:
      from_entity, to_entity: their names.
      max_depth: at most so many relations.
      direction: 'out' follows relations from subject to object, 'in' from object to subject, 'both'
        either way.
      predicate: over relations of this predicate alone.
      k: at most so many paths.
      as_of: over relations that were true at that time; now by default.

    Returns: entities, a JSON list of the names from one to the other; predicates, one fewer;
    length, the number of relations; weight, the sum of theirs. No rows where there is no path,
    where both are the same, or where one is NULL.

    Errors: 'unknown entity "x"' with the nearest name; "max_depth is a whole number from 0, not
    -1"; "no end of paths in sight after 300000 steps", where beginnings are endless and ends few.

    Cost: what lies within half the length of either end is read; a search ends with the k-th path.

    Examples:
      SELECT relate('Ada', 'knows', 'Bob'), relate('Bob', 'works_at', 'Delta');
      SELECT entities, predicates, length FROM paths('Ada', 'Delta', max_depth => 3);
    """
    from sqlagent.graph import paths as search
    from sqlagent.graph.edges import chosen, whole
    from sqlagent.graph.entities import find, reading

    choice = chosen(ctx, predicate, direction, as_of)
    whole(max_depth, "max_depth")
    whole(k, "k")
    with reading(ctx) as handle:
        ends = find(handle, from_entity), find(handle, to_entity)
        yield from search.paths(handle, *ends, max_depth, choice, k)
