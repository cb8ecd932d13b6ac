"""within: the vectors of a collection within a distance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import Stored, table
from sqlagent.udfs.knn import COLUMNS


@table(*COLUMNS)
def within(
    ctx: Context, collection: str, vector: Stored, radius: float, filter: str | None = None
) -> Iterator[tuple[Any, ...]]:
    """All vectors of a collection within a distance, nearest first; always exact.

    Arguments:
      collection: as put_vector() named it.
      vector: of the collection's dimensions, as numbers or as the collection keeps it.
      radius: the greatest distance, in the collection's metric (see knn).
      filter: an SQL condition over id, metadata and created_at.

    Returns: as knn(). No rows where a required argument is NULL.

    Errors: 'unknown collection "x"'; "expected 3 dimensions, not 2".

    Examples:
      SELECT id, distance FROM within('points', [0.9, 0.1, 0.0], 0.5);
    """
    from sqlagent.search.near import near

    return near(ctx, collection, vector, filter, radius=radius)
