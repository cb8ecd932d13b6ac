"""Nearest neighbours by vectors alone: exact distances, and which rows a filter lets through."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from .rows import Doubles, Floats, Ids, Mask, Slots, vector_of
from .vectors import unit

if TYPE_CHECKING:
    from .scope import ScopeIndex

RERANK: Final = 200  # how many rows found by codes are compared again by their floats

Fetch = Callable[[Ids], Floats]


def mask_of(index: "ScopeIndex", allowed: "frozenset[int] | NDArray[Any] | None") -> Mask:
    """The living slots whose ids are allowed."""
    if allowed is None:
        return index.alive.copy()
    if isinstance(allowed, np.ndarray):
        wanted = allowed.astype(np.int64, copy=False)
    else:
        wanted = np.fromiter(allowed, np.int64, len(allowed))
    if len(wanted) * 16 < index.used:
        mask = np.zeros(index.used, np.bool_)
        if len(wanted):
            mask[index.store.find(wanted, index.alive)] = True
        return mask
    return index.alive & among(index.store.columns.ids[: index.used], wanted)


def among(ids: Ids, wanted: Ids) -> Mask:
    """Which of many ids are wanted: by a table of bits where the ids lie close together."""
    low, high = (int(ids.min()), int(ids.max())) if len(ids) else (0, 0)
    if high - low > 32 * len(ids):
        return np.isin(ids, wanted)
    table = np.zeros(high - low + 1, np.bool_)
    table[wanted[(wanted >= low) & (wanted <= high)] - low] = True
    return table.take(ids - low)


def top(score: Floats, k: int, candidates: Mask) -> Slots:
    """The candidates with the k best scores, and all that equal the last of them, in no order."""
    at = np.flatnonzero(candidates)
    values = score.take(at)
    k = min(k, len(at))
    if k == 0:
        return at[:0]
    least = np.partition(values, len(at) - k)[len(at) - k]
    # Sums of doubles may order what differs by a rounding otherwise.
    kept: Slots = at[values >= least - np.float32(1e-6) * max(1.0, abs(least))]
    return kept


def nearest(
    index: "ScopeIndex",
    blob: bytes,
    k: int,
    allowed: "frozenset[int] | NDArray[Any] | None",
    fetch: Fetch | None,
) -> tuple[Ids, Doubles]:
    """See `ScopeIndex.nearest`. The distances of the rows that are returned are exact."""
    if k < 0:
        raise ValueError(f"expected k of at least 0, not {k}")
    near = _nearness(index, blob, allowed)
    if near is None or k == 0:
        return np.zeros(0, np.int64), np.zeros(0)
    coded = index.store.vectors is not None and index.store.vectors.coded
    # Differences of float32 sums order the nearest ones only roughly, codes more so.
    slots = top(near, max(RERANK, 2 * k) if coded else k + 16, near > -np.inf)
    ids, distance = _distances(index, blob, slots, fetch)
    return ids[:k], distance[:k]


def within(
    index: "ScopeIndex",
    blob: bytes,
    radius: float,
    allowed: "frozenset[int] | NDArray[Any] | None",
    fetch: Fetch | None,
) -> tuple[Ids, Doubles]:
    """See `ScopeIndex.within`. Whatever could be near enough is measured exactly."""
    near = _nearness(index, blob, allowed, exact=True)
    store = index.store
    if near is None or store.vectors is None or store.dimensions is None:
        return np.zeros(0, np.int64), np.zeros(0)
    vector = vector_of(blob, store.dimensions)
    if store.metric == "l2":
        square = float(vector @ vector)
        slack = 1e-5 * (square + float(store.vectors.square[: index.used].max(initial=0.0)))
        least = square - radius * radius - slack if radius >= 0.0 else np.inf
    elif store.metric == "cosine":
        least = 1.0 - radius - (1e-5 if store.vectors.has_floats else 0.02)
    else:
        rows = store.vectors.matrix[: index.used]
        longest = float(np.sqrt(np.einsum("ij,ij->i", rows, rows).max(initial=0.0)))
        least = -radius - 1e-5 * longest * float(np.linalg.norm(vector))
    slots = np.flatnonzero(near >= max(least, float(np.finfo(np.float32).min)))
    ids, distance = _distances(index, blob, slots, fetch)
    kept = distance <= radius
    return ids[kept], distance[kept]


def _nearness(
    index: "ScopeIndex",
    blob: bytes,
    allowed: "frozenset[int] | NDArray[Any] | None",
    *,
    exact: bool = False,
) -> Floats | None:
    """Higher is nearer: the inner product, under l2 twice that less the row's square.

    -infinity for a row that is not allowed or has no vector. `exact` prefers floats to codes.
    """
    store = index.store
    if store.vectors is None or store.dimensions is None:
        return None
    vector = vector_of(blob, store.dimensions)
    if store.metric == "cosine":
        vector = unit(vector[None])[0]
    near = store.vectors.dots(vector, index.used, exact)
    if store.metric == "l2":
        near = 2.0 * near - store.vectors.square[: index.used]
    mask = mask_of(index, allowed) & store.columns.has_vector[: index.used]
    return np.where(mask, near, -np.inf).astype(np.float32)


def _distances(
    index: "ScopeIndex", blob: bytes, slots: Slots, fetch: Fetch | None
) -> tuple[Ids, Doubles]:
    store = index.store
    ids = store.columns.ids[slots]
    if store.vectors is None or store.dimensions is None or not len(slots):
        return ids, np.zeros(len(slots))
    known = store.vectors.has_floats or fetch is None
    rows = store.vectors.rows(slots) if known or fetch is None else fetch(ids)
    distance = distances(rows, vector_of(blob, store.dimensions), store.metric)
    order = np.lexsort((ids, distance))
    return ids[order], distance[order]


def distances(rows: Floats, vector: Floats, metric: str) -> Doubles:
    """Distances in doubles: 1 - cosine (1 to a vector of zeros), Euclidean, minus inner product."""
    wide, query = rows.astype(np.float64), vector.astype(np.float64)
    if metric == "l2":
        out: Doubles = np.linalg.norm(wide - query, axis=1)
        return out
    dots: Doubles = wide @ query
    if metric == "ip":
        return -dots
    length = np.linalg.norm(wide, axis=1) * np.linalg.norm(query)
    length[length == 0.0] = 1.0
    out = 1.0 - np.clip(dots / length, -1.0, 1.0)
    return out
