"""Feedback from the first pass: the question again, with what the best documents say.

Rocchio's query expansion (The SMART Retrieval System, 1971) on vectors, from the documents that
the question's own words and vector rank first, taken as if they had been judged relevant. Documents
rather than chunks are what is taken, and the new vector counts for the document's share of a score
most: so it says which documents are about the matter, and hardly which of their chunks answers.
"""

from typing import TYPE_CHECKING, Final

import numpy as np

from .rows import Floats, Mask, Query, Slots, vector_of
from .vectors import unit

if TYPE_CHECKING:
    from .scope import ScopeIndex

SHARE: Final = 1.0  # of what the documents say, beside the question's own vector
_LOOKED_AT: Final = 100  # so many of the best rows tell the best documents
_OF_EACH: Final = 64  # rows of a document whose mean stands for it, evenly spread


def extended(index: "ScopeIndex", query: Query, base: Floats, counted: Mask) -> Floats | None:
    """The similarity of each slot to the question with its best documents; None where nothing is
    similar to the question or the metric has no sums of vectors.

    `base` is the score of the first pass; only `counted` slots, which have vectors, are looked at.
    """
    store = index.store
    if store.vectors is None or store.metric != "cosine" or query.vector is None:
        return None
    means, scores = [], []
    for slots, score in _best(index, base, counted, query.weights.feedback_documents):
        rows = store.vectors.rows(slots)
        means.append(rows.mean(axis=0))
        scores.append(score)
    if not means:
        return None
    said = unit((np.array(scores, np.float32) @ np.stack(means))[None])[0]
    asked = unit(vector_of(query.vector, store.vectors.dimensions)[None])[0]
    vector = unit((asked + np.float32(SHARE) * said)[None])[0]
    return store.vectors.dots(vector, index.used)


def _best(
    index: "ScopeIndex", base: Floats, counted: Mask, most: int
) -> "list[tuple[Slots, float]]":
    """The slots of each of the best documents, with the score of its best row, best first; a row
    without a session is a document of its own."""
    at = np.flatnonzero(counted & (base > 0.0))
    if len(at) > _LOOKED_AT:
        at = at[np.argpartition(-base[at], _LOOKED_AT)[:_LOOKED_AT]]
    at = at[np.lexsort((index.store.columns.ids[at], -base[at]))]
    session = index.store.columns.session[: index.used]
    found: list[tuple[Slots, float]] = []
    seen: set[int] = set()
    for slot in at.tolist():
        if len(found) >= most:
            break
        code = int(session[slot])
        if code in seen:
            continue
        slots = np.array([slot])
        if code:
            seen.add(code)
            slots = np.flatnonzero((session == code) & counted)
            if len(slots) > _OF_EACH:
                slots = slots[np.linspace(0, len(slots) - 1, _OF_EACH).astype(np.intp)]
        found.append((slots, float(base[slot])))
    return found
