"""The rows of measure_recall()."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlagent.search.kinds import key_of
from sqlagent.search.measured import Way, recall, truth, ways
from sqlagent.search.near import fetcher, found, space_named

if TYPE_CHECKING:
    from sqlagent.context import Context


def rows(context: Context, collection: str, k: int, queries: int) -> Iterator[tuple[Any, ...]]:
    """(way, recall, milliseconds, queries, used) of each way of searching a collection."""
    space = space_named(context, collection)
    key, fetch = key_of(collection, space), fetcher(context, space)
    with context.reading() as handle:
        told = truth(handle, key, k, queries)
    count = len(told.queries)
    said: dict[str, Any] = {}

    def by_knn(vector: bytes, want: int) -> tuple[list[int], list[float]]:
        return found(context, key, vector, space.measure, None, fetch, want, None, said)

    share, took = recall(told, Way("knn", by_knn), k)
    used = said.get("way", "memory")
    yield "exact", 1.0, round(told.milliseconds, 3), count, used == "exact"
    for way in ways(context, key, fetch):
        if way.name == used:
            yield used, round(share, 4), round(took, 3), count, True
        else:
            other = recall(told, way, k)
            yield way.name, round(other[0], 4), round(other[1], 3), count, False
    if used in ("lance", "ivf_pq", "hnsw_sq"):
        yield used, round(share, 4), round(took, 3), count, True
