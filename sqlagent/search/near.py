"""Nearest vectors of a collection: which index, which filter, which rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlagent.elements import Space, asked, space_of
from sqlagent.errors import ProgrammingError, nearest
from sqlagent.search.indexes import defined
from sqlagent.search.kinds import CHOSEN, Key, key_of, listed
from sqlagent.search.scopes import scopes

if TYPE_CHECKING:
    from sqlagent.context import Context

LARGE = "SELECT 1 FROM vectors WHERE collection = ? LIMIT 1 OFFSET ?"
CODES_K_MAX = 20_000  # more rows than that are not looked for by codes,
CODES_SHARE = 12  # nor more than one in so many
ROWS = """
SELECT vector_id, id, metadata FROM vectors
WHERE vector_id IN (SELECT value FROM json_each(?))
"""


def near(
    context: Context,
    collection: str,
    vector: bytes,
    condition: str | None,
    *,
    k: int = 0,
    radius: float | None = None,
) -> Iterator[tuple[Any, ...]]:
    """(id, distance, similarity, metadata), nearest first: the k nearest, or all within a
    radius."""
    space = space_named(context, collection)
    ids, distances = nearest_ids(context, collection, space, vector, condition, k=k, radius=radius)
    text = "[" + ",".join(map(str, ids)) + "]"
    with context.reading() as handle:
        rows = {r[0]: r for r in handle.execute(ROWS, (text,))}
    for vector_id, distance in zip(ids, distances, strict=True):
        own = rows.get(vector_id)
        if own is not None:
            yield own[1], distance, similarity(distance, space.metric), own[2]


def space_named(context: Context, collection: str) -> Space:
    """The space of a collection. Raises ProgrammingError for one that is not there."""
    with context.reading() as handle:
        space = space_of(handle, collection)
        if space is None:
            names = [r[0] for r in handle.execute("SELECT collection FROM collections")]
            raise ProgrammingError(
                f'unknown collection "{collection}"',
                hint=nearest(collection, names) or "put_vector(collection, id, vector) makes one.",
                sqlstate="42704",
            )
    return space


def nearest_ids(
    context: Context,
    collection: str,
    space: Space,
    vector: bytes,
    condition: str | None,
    *,
    k: int = 0,
    radius: float | None = None,
) -> tuple[list[int], list[float]]:
    """(vector_ids, distances), nearest first: the k nearest, or all within a radius."""
    vector = asked(space, vector)
    allowed = None
    if condition is not None:
        from sqlagent.search.passing import passing

        allowed = passing(context, collection, condition)
    key = key_of(collection, space)
    fetch = fetcher(context, space)
    reach = radius
    if radius is not None and radius > 0 and space.metric == "hamming":
        reach = math.sqrt(math.floor(radius) + 0.5)  # of whole numbers, and roots are rounded
    ids, distances = found(context, key, vector, space.measure, allowed, fetch, k, reach)
    if space.metric == "hamming":
        distances = [float(round(d * d)) for d in distances]
    return ids, distances


def fetcher(context: Context, space: Space) -> Any:
    """A function that fetches the vectors of ids as floats, in their order, for an exact
    comparison; a row that has gone meanwhile is of zeros."""

    def fetch(ids: Any) -> Any:
        from sqlagent.elements import decoded

        wanted = [int(i) for i in ids]
        none = bytes(space.size)
        sql = f"SELECT vector_id, vector FROM vectors WHERE vector_id {CHOSEN}"
        with context.reading() as handle:
            found = dict(handle.execute(sql, {"ids": listed(wanted)}))
        blobs = [found.get(i, none) for i in wanted]
        return decoded(space, [b if len(b) == len(none) else none for b in blobs])

    return fetch


def found(
    context: Context,
    key: Key,
    vector: bytes,
    metric: str,
    allowed: Any,
    fetch: Any,
    k: int,
    radius: float | None,
    said: dict[str, Any] | None = None,
) -> tuple[list[int], list[float]]:
    """Ids and distances by the way that suits the collection; `said` is told which."""
    from sqlagent.search.codes import coded

    said = {} if said is None else said
    own = context.handle
    private = own is not None and own is context.database._writer and own.in_transaction
    if radius is None and not private and not context.database.memory:
        with context.reading() as handle:
            index = defined(handle, key.scope or "")
        kind = index.kind if index is not None else "auto"
        trained = kind in ("ivf_pq", "hnsw_sq")
        if kind == "exact":
            said["way"] = "exact"
            return exact(context, key, vector, k, allowed, fetch)
        if trained or (kind == "auto" and context.settings.get("vector_engine") == "lance"):
            from sqlagent.engines.lance import lance
            from sqlagent.engines.lance_data import Index

            wanted = Index(kind, **index.options) if index is not None and trained else None
            few = None if allowed is None else frozenset(allowed.tolist())
            answer = None
            if wanted is not None:
                from sqlagent.search.probing import probed

                wanted = probed(context, key, wanted, fetch)
            if wanted is not None or not trained:
                answer = lance(context.database).nearest(
                    context, key, vector, metric, k, few, fetch, wanted
                )
            if answer is not None:
                said["way"] = kind if trained else "lance"
                return answer
        from sqlagent.search.measured import scanned

        codes = coded(context, key, metric)
        if codes is not None and k > min(CODES_K_MAX, len(codes) // CODES_SHARE):
            said["way"] = "exact"  # to fetch so many rows one by one costs more than to read all
            return scanned(context, key, vector, k, allowed)
        if codes is not None:
            from sqlagent.search.measured import candidates_for

            rerank = candidates_for(context, key, codes, fetch)
            if rerank is None:
                said["way"] = "exact"
                return scanned(context, key, vector, k, allowed)
            import numpy as np

            query = np.frombuffer(vector, "<f4")
            ids, far = codes.search(query, k, fetch=fetch, rerank=rerank, allowed=allowed)
            said["way"] = "codes"
            return ids.tolist(), far.tolist()
    said["way"] = "memory"
    return in_memory(context, key, vector, allowed, fetch, k, radius)


def exact(
    context: Context, key: Key, vector: bytes, k: int, allowed: Any, fetch: Any
) -> tuple[list[int], list[float]]:
    """By comparing all rows: those in memory while they are few, else those of the file."""
    from sqlagent.search.codes import CODES_FROM
    from sqlagent.search.measured import scanned

    with context.reading() as handle:
        large = handle.execute(LARGE, (key.scope, CODES_FROM)).fetchone() is not None
    if large:
        return scanned(context, key, vector, k, allowed)
    return in_memory(context, key, vector, allowed, fetch, k, None)


def in_memory(
    context: Context,
    key: Key,
    vector: bytes,
    allowed: Any,
    fetch: Any,
    k: int,
    radius: float | None,
) -> tuple[list[int], list[float]]:
    """By the index that holds all vectors of a collection."""
    index = scopes(context.database).index(context, key)
    if not len(index):
        return [], []
    pair = (
        index.nearest(vector, k, allowed, fetch)
        if radius is None
        else index.within(vector, radius, allowed, fetch)
    )
    return pair[0].tolist(), pair[1].tolist()


def similarity(distance: float, metric: str) -> float:
    """Higher is nearer, for every metric: cosine, 1 / (1 + l2 or hamming), inner
    product."""
    if metric == "cosine":
        return 1.0 - distance
    return -distance if metric == "ip" else 1.0 / (1.0 + distance)
