"""knn: the nearest vectors of a collection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import Stored, table

COLUMNS = ("id VARCHAR", "distance DOUBLE", "similarity DOUBLE", "metadata JSON")


@table(*COLUMNS)
def knn(
    ctx: Context, collection: str, vector: Stored, k: int = 10, filter: str | None = None
) -> Iterator[tuple[Any, ...]]:
    """The k nearest vectors of a collection, nearest first.

    Arguments:
      collection: as put_vector() named it.
      vector: of the collection's dimensions, as numbers or as the collection keeps it.
      k: at most so many rows; 0 gives none.
      filter: an SQL condition over id, metadata and created_at, applied before the search, so that
        k rows come back wherever k rows pass it.

    Returns: distance (lower is nearer: 1 - cosine, Euclidean, the negative inner product, or of
      bits how many differ) and
    similarity (higher is nearer). No rows where collection or vector is NULL.

    Errors: 'unknown collection "x"'; "expected 3 dimensions, not 2"; "k is a whole number from 0,
    not -1".

    Cost: exact below 50,000 vectors; beyond, one bit a dimension finds candidates, as many as a
    sample of the rows shows to be needed, and their vectors are compared exactly; where bits tell
    too little, all rows are compared. With SET vector_engine = 'lance', a scan of a Lance dataset.
    From 20,000 vectors a filter is asked of the distinct values of the metadata: the first about a
    path reads all metadata once, the others take milliseconds.

    Examples:
      SELECT id, distance FROM knn('points', [0.9, 0.1, 0.0], k => 3);
    """
    from sqlagent.search.ask import limit
    from sqlagent.search.near import near

    k = limit(k)
    return near(ctx, collection, vector, filter, k=k)
