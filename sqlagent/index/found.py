"""What a question finds: the bm25 of each row, and the cosine of its vector blended with its
neighbours'."""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from .bm25 import bm25
from .feedback import extended
from .links import smoothed, smoothed_at
from .near import Fetch, top
from .rows import Doubles, Floats, Mask, Query, Slots, vector_of
from .sought import Sought, coverage, sought
from .vectors import unit
from .windows import windows

if TYPE_CHECKING:
    from .scope import ScopeIndex

# Cosines lie close together, the shares of bm25 do not: so much of the vector's weight the words
# take over where there is no vector. All of it would drown the other parts (R@5 .727 on LoCoMo
# without vectors, instead of .747).
_TAKEN: Final = 0.2
_SHARES: Final = ("coverage", "document", "feedback", "window")
_READ: Final = 50  # so many of the best rows are looked through for the words standing together


class Found(NamedTuple):
    """What a query made of each slot. `lexical` and `cosine` are None when they do not count.

    `words` and `vector` are what they are multiplied with, to be the values of their parts.
    """

    lexical: Floats | None
    dots: Floats | None
    cosine: Floats | None
    words: float
    vector: float
    coverage: Floats | None = None
    document: Floats | None = None
    feedback: Floats | None = None
    window: Floats | None = None

    @classmethod
    def of(cls, index: "ScopeIndex", query: Query, mask: Mask) -> "Found":
        """bm25 and similarity of each slot; a side that is absent lends its weight to the other."""
        weights = query.weights
        has_vector = index.store.columns.has_vector[: index.used]
        asked = bool(query.text and query.text.strip()) and weights.words > 0.0
        pair = _similar(index, query) if weights.vector > 0.0 else None
        if pair is not None and not (mask & has_vector).any():
            pair = None
        lexical = share = None
        terms: list[Sought] = []
        if asked and query.text is not None:
            terms = sought(index, query.text)
            lexical = bm25(index, terms, weights.context, weights.exact, weights.floor)
            share = coverage(index, terms) if weights.coverage else None
            if lexical is not None:
                lexical *= mask
                peak = float(lexical.max(initial=0.0))
                lexical = lexical / np.float32(peak) if peak > 0.0 else None
        if pair is None:
            taken = weights.vector if weights.relative else _TAKEN * weights.vector
            words = 1.0 + taken / weights.words if asked else 1.0
            found = cls(lexical, None, None, words, 0.0, share)
            return found._read(index, query, mask, terms)
        vector = 1.0 if asked else 1.0 + weights.words / weights.vector
        if weights.relative > 0.0:
            vector /= float(pair[1].max(initial=0.0, where=mask & has_vector)) or 1.0
        whole = _documents(index, pair[0], mask & has_vector) if weights.document else None
        found = cls(lexical, pair[0], pair[1], 1.0, vector, share, whole)
        if weights.feedback_documents:
            found = found._again(index, query, mask)
        return found._read(index, query, mask, terms)

    def _read(self, index: "ScopeIndex", query: Query, mask: Mask, terms: list[Sought]) -> "Found":
        """With how near the terms stand together in the best rows: see `windows`."""
        if not terms or not query.weights.window:
            return self
        base = self.base(index, query, mask)
        slots = top(base, _READ, mask & (base > 0.0))
        ids = index.store.columns.ids
        slots = slots[np.lexsort((ids[slots], -base[slots]))][:_READ]
        window = np.zeros(index.used, np.float32)
        window[slots] = windows(index, terms, slots)
        return self._replace(window=window)

    def _again(self, index: "ScopeIndex", query: Query, mask: Mask) -> "Found":
        """With what the best documents say: see `feedback`."""
        counted = mask & index.store.columns.has_vector[: index.used]
        dots = extended(index, query, self.base(index, query, mask), counted)
        if dots is None:
            return self
        whole = _documents(index, dots, counted) if query.weights.document else None
        similar = dots if index.links is None else smoothed(index.links, dots)
        peak = float(similar.max(initial=0.0, where=counted))
        if not query.weights.feedback or peak <= 0.0:
            return self._replace(document=whole)
        said: Floats = np.maximum(similar, np.float32(0.0))
        said /= np.float32(peak)
        return self._replace(document=whole, feedback=said)

    def candidates(self, index: "ScopeIndex", mask: Mask) -> Mask | None:
        """The rows that the query says something about; None where there is nothing to go by.

        By its words that is a turn beside one that holds them too, but only a chunk that does.
        """
        said = None if self.lexical is None else self.lexical > 0.0
        if said is not None and self.coverage is not None:
            said &= self.coverage > 0.0
        if self.cosine is not None:
            about = index.store.columns.has_vector[: index.used] & mask
            return about if said is None else about | said
        return said

    def base(self, index: "ScopeIndex", query: Query, mask: Mask) -> Floats:
        """Words and vector, weighed: 0 for a row that is not allowed."""
        base = np.zeros(index.used, np.float32)
        if self.lexical is not None:
            base += self.lexical * np.float32(self.words * query.weights.words)
        if self.cosine is not None:
            part = np.maximum(self.cosine, np.float32(0.0))
            part *= np.float32(self.vector * query.weights.vector)
            base += part
        for name in _SHARES:
            share = getattr(self, name)
            if share is not None:
                base += np.float32(getattr(query.weights, name)) * share
        base *= mask
        return base

    def values(self, slots: Slots) -> dict[str, Doubles]:
        """The values of both parts for these slots."""
        words = vector = np.zeros(len(slots))
        if self.cosine is not None:
            vector = self.vector * np.maximum(self.cosine[slots].astype(np.float64), 0.0)
        if self.lexical is not None:
            words = self.words * self.lexical[slots].astype(np.float64)
        values = {"vector": vector, "words": words}
        for name in _SHARES:
            share = getattr(self, name)
            if share is not None:
                values[name] = share[slots].astype(np.float64)
        return values

    def exact(
        self, index: "ScopeIndex", query: Query, slots: Slots, fetch: Fetch | None, score: Floats
    ) -> Slots:
        """The best k of these slots, compared by floats, as are those of their neighbours that are
        among them; `score` is that by codes. Changes this query's own arrays."""
        vectors, columns = index.store.vectors, index.store.columns
        if vectors is None or self.dots is None or self.cosine is None or query.vector is None:
            return slots
        vector = unit(vector_of(query.vector, vectors.dimensions)[None])[0]
        has = slots[columns.has_vector[slots]]
        if vectors.has_floats:
            rows = vectors.rows(has)
        elif fetch is not None:
            rows = unit(fetch(columns.ids[has]))
        else:
            return slots
        coded = np.maximum(self.cosine[slots], np.float32(0.0))
        self.dots[has] = rows @ vector
        if index.links is not None and query.weights.context > 0.0:
            self.cosine[slots] = smoothed_at(index.links, self.dots, slots)
        gained = np.maximum(self.cosine[slots], np.float32(0.0)) - coded
        share = np.float32(self.vector * query.weights.vector)
        better: Floats = (score[slots] + share * gained).astype(np.float32, copy=False)
        return slots[top(better, query.k, np.ones(len(slots), np.bool_))]


def _documents(index: "ScopeIndex", dots: Floats, counted: Mask) -> Floats | None:
    """The mean similarity of the rows of each row's session, over the best one; None without
    sessions. It is that of the mean of their vectors, which stands for the whole document."""
    if index.links is None:
        return None
    session = index.store.columns.session[: index.used]
    size = len(index.store.sessions.of)
    total = np.bincount(session, dots * counted, minlength=size)
    mean = total / np.maximum(np.bincount(session, counted, minlength=size), 1.0)
    mean[0] = 0.0
    np.maximum(mean, 0.0, out=mean)
    peak = float(mean.max(initial=0.0))
    return (mean / peak).astype(np.float32).take(session) if peak > 0.0 else None


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
