"""pagerank: how central each entity is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import Stamp, table


@table("entity VARCHAR", "score DOUBLE")
def pagerank(
    ctx: Context,
    damping: float = 0.85,
    predicate: str | None = None,
    direction: str = "out",
    as_of: Stamp | None = None,
) -> Iterator[tuple[Any, ...]]:
    """How central each entity is: PageRank over the relations, by their weights.

    Arguments:
      damping: 0 to below 1: how often a walk goes on rather than begin anew anywhere.
      predicate: over relations of this predicate alone.
      direction: 'out' gives a subject's rank to its objects, 'in' the other way round, 'both'
        either way.
      as_of: over relations that were true at that time; now by default.

    Returns: the entities that have such a relation, the highest score first; all scores add up
    to 1. Relations whose weight is 0 or less do not count.

    Errors: "damping is a number from 0 to below 1, not 1".

    Cost: about 2 s of CPU for a million relations; they are read once.

    Source: L. Page, S. Brin, R. Motwani, T. Winograd, The PageRank citation ranking, 1999.

    Examples:
      SELECT relate('Ada', 'cites', 'Bob'), relate('Chen', 'cites', 'Bob');
      SELECT entity, round(score, 3) FROM pagerank() LIMIT 3;
    """
    from sqlagent.graph.edges import chosen
    from sqlagent.graph.entities import reading
    from sqlagent.graph.pagerank import pagerank as rank

    choice = chosen(ctx, predicate, direction, as_of)
    with reading(ctx) as handle:
        yield from rank(handle, choice, damping)
