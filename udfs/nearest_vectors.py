"""nearest_vectors: what ORDER BY … LIMIT over vectors is answered by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import Stored, table


@table("vector_id BIGINT")
def nearest_vectors(
    ctx: Context,
    collection: str,
    vector: Stored,
    k: int,
    metric: str,
    filter: str | None = None,
    value0: object = None,
    value1: object = None,
) -> Iterator[tuple[Any, ...]]:
    """The rows of a collection that can be among the k nearest, in no order.

    A SELECT of vectors of one collection, ORDER BY cosine_similarity(vector, …) DESC LIMIT k (or
    l2_distance, or inner_product … DESC) reads these rows in place of all: EXPLAIN shows it.

    Arguments:
      collection: as put_vector() named it.
      vector: what is looked for.
      k: how many.
      metric: 'cosine', 'l2' or 'ip', as the function that orders measures; where the collection's
        is another, its rows are all named.
      filter: a condition as knn() has it, in which {0} and {1} stand for the values.
      value0, value1: values of the filter.

    Returns: a superset of the k nearest: some more, or all rows where ties, zeros or a filter that
    knn() does not know could make the difference.

    Examples:
      SELECT id FROM vectors WHERE collection = 'points'
      ORDER BY cosine_similarity(vector, [0.9, 0.1, 0.0]) DESC LIMIT 2;
      SELECT vector_id FROM nearest_vectors('points', [0.9, 0.1, 0.0], 2, 'cosine');
    """
    from sqlagent.search.ordered import ordered

    return ordered(ctx, collection, vector, k, metric, filter, (value0, value1))
