"""Scores: words and their context, cosines of smoothed vectors, and what is added to them.

Everything here works on whole arrays by slot; no row is looked at one by one.
"""

from typing import TYPE_CHECKING

import numpy as np

from .found import Found
from .near import RERANK, Fetch, mask_of, top
from .parts import Parts
from .rows import Hits, Query, Slots

if TYPE_CHECKING:
    from .scope import ScopeIndex


def search(index: "ScopeIndex", query: Query, fetch: Fetch | None = None) -> Hits:
    """The k best of the rows that are allowed and that the query says something about.

    Such a row holds a term of the question (or stands beside one that does), or has a vector when
    the query has one. What is rare and how long rows are on average comes from the whole scope;
    the best bm25, the sessions' scores and those of questions from the rows that are allowed.
    Equal scores come in the order of ids. `fetch` returns the float32 vectors of ids in their
    order: with it, a scope that keeps codes compares its best rows exactly.
    Raises ValueError for a negative k, or a vector of other dimensions or not finite.
    """
    if query.k < 0:
        raise ValueError(f"expected k of at least 0, not {query.k}")
    mask = mask_of(index, query.allowed)
    found = Found.of(index, query, mask)
    candidates = found.candidates(index, mask)
    if query.k == 0 or candidates is None:
        return _nothing()
    parts = Parts(index, query, found.base(index, query, mask), mask)
    vectors = index.store.vectors
    rerank = found.cosine is not None and vectors is not None and vectors.coded
    score = parts.score()
    if query.linked is not None:
        candidates = parts.link(query.linked, score, candidates, mask)
    slots = top(score, max(query.k, RERANK) if rerank else query.k, candidates)
    if rerank:
        slots = found.exact(index, query, slots, fetch, score)
    return _hits(index, query, found, parts, slots)


def _hits(index: "ScopeIndex", query: Query, found: Found, parts: Parts, slots: Slots) -> Hits:
    """The candidates with their parts in doubles, sorted and cut to k."""
    columns = index.store.columns
    similarity = np.full(len(slots), np.nan)
    if found.dots is not None:
        has = columns.has_vector[slots]
        similarity[has] = found.dots[slots[has]]
        if index.store.metric == "cosine":
            np.clip(similarity, -1.0, 1.0, out=similarity)
    lexical = np.zeros(len(slots))
    if found.lexical is not None:
        lexical = found.lexical[slots].astype(np.float64)
    values = found.values(slots) | parts.values(slots)
    weights = {name: float(getattr(query.weights, name)) for name in values}
    added = {name: weights[name] * value for name, value in values.items()}
    score = np.sum(list(added.values()), axis=0)
    ids = columns.ids[slots]
    order = np.lexsort((ids, -score))[: query.k]
    return Hits(
        ids[order],
        score[order],
        similarity[order],
        lexical[order],
        {name: part[order] for name, part in added.items()},
        {name: value[order] for name, value in values.items()},
        weights,
    )


def _nothing() -> Hits:
    none = np.zeros(0)
    both = {"vector": none, "words": none}
    return Hits(np.zeros(0, np.int64), none, none, none, both, both, dict.fromkeys(both, 0.0))
