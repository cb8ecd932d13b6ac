"""communities: which entities belong together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import Stamp, table


@table("entity VARCHAR", "community BIGINT", "size BIGINT")
def communities(
    ctx: Context,
    resolution: float = 1.0,
    predicate: str | None = None,
    as_of: Stamp | None = None,
) -> Iterator[tuple[Any, ...]]:
    """Which entities belong together: groups with many relations within and few between them.

    Louvain's method over the relations by their weights, whichever way they point. The same graph
    always gives the same communities.

    Arguments:
      resolution: above 0; more gives smaller communities.
      predicate: over relations of this predicate alone.
      as_of: over relations that were true at that time; now by default.

    Returns: each entity that has such a relation, with its community and how many are in it;
    community 0 is the largest. Relations whose weight is 0 or less do not count.

    Errors: "resolution is a number above 0, not 0".

    Cost: about 2.5 s of CPU for 100,000 relations with no order in them.

    Source: V. Blondel and others, Fast unfolding of communities in large networks, 2008.

    Examples:
      SELECT relate('Ada', 'knows', 'Bob'), relate('Chen', 'knows', 'Dai');
      SELECT entity, community FROM communities();
    """
    from sqlagent.graph.communities import communities as found
    from sqlagent.graph.edges import chosen
    from sqlagent.graph.entities import reading

    choice = chosen(ctx, predicate, "both", as_of)
    with reading(ctx) as handle:
        yield from found(handle, choice, resolution)
