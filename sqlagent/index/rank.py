"""Scores: words and their context, cosines of smoothed vectors, and what is added to them.

Everything here works on whole arrays by slot; no row is looked at one by one.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .bm25 import bm25
from .links import smoothed, smoothed_at
from .near import RERANK, Fetch, mask_of, top
from .rows import Doubles, Floats, Hits, Mask, Query, Slots, Weights, vector_of
from .vectors import unit
from .words import names_in

if TYPE_CHECKING:
    from .scope import ScopeIndex


class Found(NamedTuple):
    """What a query made of each slot. `lexical` and `cosine` are None when they do not count."""

    lexical: Floats | None
    dots: Floats | None
    cosine: Floats | None
    words: float
    vector: float
    best: float  # what the vector's part is divided by


def _similar(index: "ScopeIndex", query: Query) -> "tuple[Floats, Floats] | None":
    """The similarity of each slot's own vector, and of its smoothed one."""
    store = index.store
    if query.vector is None or store.vectors is None or store.dimensions is None:
        return None
    vector = vector_of(query.vector, store.dimensions)
    if store.metric == "cosine":
        vector = unit(vector[None])[0]
    dots = store.vectors.dots(vector, index.used)
    if store.metric == "l2":
        square = store.vectors.square[: index.used] - 2.0 * dots + float(vector @ vector)
        near = (1.0 / (1.0 + np.sqrt(np.maximum(square, 0.0)))).astype(np.float32)
        near[~store.columns.has_vector[: index.used]] = 0.0
        return near, near
    if index.links is None or query.weights.context <= 0.0:
        return dots, dots
    return dots, smoothed(index.links, dots)


def _found(index: "ScopeIndex", query: Query, mask: Mask) -> Found:
    """bm25 and similarity of each slot; a side that is absent gives its weight to the other."""
    weights = query.weights
    has_vector = index.store.columns.has_vector[: index.used]
    asked = bool(query.text and query.text.strip()) and weights.words > 0.0
    pair = _similar(index, query) if weights.vector > 0.0 else None
    if pair is not None and not (mask & has_vector).any():
        pair = None
    lexical = None
    if asked and query.text is not None:
        lexical = bm25(index, query.text, weights.context)
        if lexical is not None:
            lexical *= mask
            peak = float(lexical.max(initial=0.0))
            lexical = lexical / np.float32(peak) if peak > 0.0 else None
    both = weights.vector + weights.words
    words = weights.words if pair is not None else both
    vector = weights.vector if asked else both
    if pair is None:
        return Found(lexical, None, None, words, 0.0, 1.0)
    best = 1.0
    if weights.relative > 0.0:
        best = float(pair[1].max(initial=0.0, where=mask & has_vector)) or 1.0
    return Found(lexical, pair[0], pair[1], words, vector, best)


def _factor(index: "ScopeIndex", query: Query) -> "tuple[Slots | None, float]":
    """The slots of the one speaker whom the question names, and their factor."""
    factor = query.weights.speaker
    if factor == 1.0 or not query.text or not index.speakers:
        return None, 1.0
    named = names_in(query.text, index.speakers)
    if len(named) != 1:
        return None, 1.0
    code = index.store.speakers.of[named.pop()]
    return np.flatnonzero(index.store.columns.speaker[: index.used] == code), factor


def _sessions(index: "ScopeIndex", base: Floats) -> Floats | None:
    """A third of the sum of each session's three best scores, by session; None without any."""
    store = index.store
    session = store.columns.session[: index.used]
    if index.links is None:
        return None
    starts, sizes, names = store.segments
    late = session[store.base :]
    left = base.copy()
    total = np.zeros(len(store.sessions.of), np.float32)
    top = np.zeros(len(total), np.float32)
    for _ in range(3):
        top.fill(0.0)
        top[names] = np.maximum.reduceat(left[: store.base], starts)
        if len(late):
            np.maximum.at(top, late, left[store.base :])
        top[0] = 0.0
        total += top
        top[top == 0.0] = -1.0
        at = np.flatnonzero(left[: store.base] == np.repeat(top[names], sizes))
        if len(late):
            at = np.append(at, np.flatnonzero(left[store.base :] == top[late]) + store.base)
            at = at[np.unique(session[at], return_index=True)[1]]
        elif len(at):
            at = at[np.diff(session[at], prepend=-1) != 0]
        left[at] = 0.0
    return total / np.float32(3.0)


def _alone(index: "ScopeIndex") -> Mask:
    """The rows with no neighbour: in a session of one row, as without one, there is no context."""
    links = index.links
    if links is None:
        return np.ones(index.used, np.bool_)
    alone: Mask = (links.before | links.after) == 0
    return alone


def _strength(index: "ScopeIndex", weights: Weights) -> Floats:
    """The factor of each slot's strength, around 1."""
    share = np.float32(weights.strength)
    prior = index.store.columns.prior[: index.used]
    return index.kept(("strength", weights.strength), lambda: 1 + share * (2 * prior - 1))


def _recent(index: "ScopeIndex", weights: Weights, slots: Slots) -> Doubles:
    """1 for the newest row of the scope, halved with each half-life before it."""
    created = index.store.columns.created[: index.used]
    newest = float(created.max(initial=-np.inf, where=index.alive))
    age = np.maximum(newest - created[slots], 0.0)
    out: Doubles = 0.5 ** (age / weights.recency_half_life_s)
    return out


def search(index: "ScopeIndex", query: Query, fetch: Fetch | None = None) -> Hits:
    """The k best of the rows that are allowed and that the query says something about.

    Such a row holds a term of the question (or stands beside one that does), or has a vector when
    the query has one. What is rare and how long rows are on average comes from the whole scope;
    the best bm25 and the sessions' scores from the rows that are allowed. Equal scores come in the
    order of ids. `fetch` returns the float32 vectors of ids in their order: with it, a scope that
    keeps codes compares its best rows exactly.
    Raises ValueError for a negative k, or a vector of other dimensions or not finite.
    """
    if query.k < 0:
        raise ValueError(f"expected k of at least 0, not {query.k}")
    mask = mask_of(index, query.allowed)
    found = _found(index, query, mask)
    candidates = _candidates(index, found, mask)
    if query.k == 0 or candidates is None:
        return _nothing()
    columns, weights, used = index.store.columns, query.weights, index.used
    base = np.zeros(used, np.float32)
    if found.lexical is not None:
        base += found.lexical * np.float32(found.words)
    if found.cosine is not None:
        part = np.maximum(found.cosine, np.float32(0.0))
        part *= np.float32(found.vector / found.best)
        base += part
    spoken, factor = _factor(index, query)
    if spoken is not None:
        base[spoken] *= np.float32(factor)
    if weights.strength:
        base *= _strength(index, weights)
    base *= mask
    sessions = _sessions(index, base) if weights.session else None
    score = base
    if sessions is not None:
        gain = (sessions * np.float32(weights.session)).take(columns.session[:used])
        gain[_alone(index)] = 0.0
        score = score + gain
    if weights.length:
        score = score + columns.length[:used] * np.float32(weights.length)
    if weights.recency:
        recent = _recent(index, weights, np.arange(used)).astype(np.float32)
        score = score + np.float32(weights.recency) * recent
    vectors = index.store.vectors
    rerank = found.cosine is not None and vectors is not None and vectors.coded
    slots = top(score, max(query.k, RERANK) if rerank else query.k, candidates)
    if rerank:
        found = _exact(index, query, found, slots, fetch)
    return _hits(index, query, found, slots, spoken, factor, sessions)


def _candidates(index: "ScopeIndex", found: Found, mask: Mask) -> Mask | None:
    if found.cosine is not None:
        about = index.store.columns.has_vector[: index.used] & mask
        return about | (found.lexical > 0.0) if found.lexical is not None else about
    return None if found.lexical is None else found.lexical > 0.0


def _exact(
    index: "ScopeIndex", query: Query, found: Found, slots: Slots, fetch: Fetch | None
) -> Found:
    """The candidates, and those of their neighbours that are candidates, compared by floats."""
    vectors, columns = index.store.vectors, index.store.columns
    if vectors is None or found.dots is None or found.cosine is None or query.vector is None:
        return found
    vector = unit(vector_of(query.vector, vectors.dimensions)[None])[0]
    has = slots[columns.has_vector[slots]]
    if vectors.has_floats:
        rows = vectors.rows(has)
    elif fetch is not None:
        rows = unit(fetch(columns.ids[has]))
    else:
        return found
    dots = found.dots  # this query's own arrays
    dots[has] = rows @ vector
    if index.links is not None and query.weights.context > 0.0:
        found.cosine[slots] = smoothed_at(index.links, dots, slots)
    return found


def _hits(
    index: "ScopeIndex",
    query: Query,
    found: Found,
    slots: Slots,
    spoken: Slots | None,
    factor: float,
    sessions: Floats | None,
) -> Hits:
    """The candidates with their parts in doubles, sorted and cut to k."""
    columns, weights = index.store.columns, query.weights
    zero = np.zeros(len(slots))
    parts: dict[str, Doubles] = {}
    lexical = zero if found.lexical is None else found.lexical[slots].astype(np.float64)
    similarity = np.full(len(slots), np.nan)
    parts["vector"] = zero
    if found.cosine is not None and found.dots is not None:
        has = columns.has_vector[slots]
        similarity[has] = found.dots[slots[has]]
        if index.store.metric == "cosine":
            np.clip(similarity, -1.0, 1.0, out=similarity)
        cosine = np.maximum(found.cosine[slots].astype(np.float64), 0.0)
        parts["vector"] = cosine * (found.vector / found.best)
    parts["words"] = lexical * found.words
    base = parts["vector"] + parts["words"]
    if spoken is not None:
        parts["speaker"] = np.where(np.isin(slots, spoken), base * (factor - 1.0), 0.0)
        base = base + parts["speaker"]
    if weights.strength:
        share = weights.strength * (2.0 * columns.prior[slots].astype(np.float64) - 1.0)
        parts["strength"] = base * share
    if sessions is not None:
        wide = sessions[columns.session[slots]].astype(np.float64)
        parts["session"] = np.where(_alone(index)[slots], 0.0, weights.session * wide)
    if weights.length:
        parts["length"] = weights.length * columns.length[slots].astype(np.float64)
    if weights.recency:
        parts["recency"] = weights.recency * _recent(index, weights, slots)
    score = np.sum(list(parts.values()), axis=0)
    ids = columns.ids[slots]
    order = np.lexsort((ids, -score))[: query.k]
    return Hits(
        ids[order],
        score[order],
        similarity[order],
        lexical[order],
        {name: values[order] for name, values in parts.items()},
    )


def _nothing() -> Hits:
    none = np.zeros(0)
    return Hits(np.zeros(0, np.int64), none, none, none, {"vector": none, "words": none})
