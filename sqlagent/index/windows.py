"""Whether a question's terms stand together in a row: the best passage of a few words.

A row that holds the words of a question in one sentence answers it sooner than one that holds them
far apart. Of the ways to say so (ordered and unordered windows of pairs, Metzler and Croft 2005;
squared distances of pairs, Rasolofo and Savoy 2003; the best passage, Callan 1994) the best passage
was the one that lost nowhere, on eight sets of questions.
"""

from typing import TYPE_CHECKING, Final

import numpy as np

from .rows import Floats, Slots
from .sought import Sought, rarity

if TYPE_CHECKING:
    from .scope import ScopeIndex

LENGTH: Final = 10  # words; of CJK text five characters, with the pairs that they begin
_TERMS: Final = 64  # of a longer question the rarest ones are looked for


def windows(index: "ScopeIndex", terms: list[Sought], slots: Slots) -> Floats:
    """For each of these slots the greatest share of the question's terms, counted by how rare they
    are, that stands within `LENGTH` words of its text."""
    out = np.zeros(len(slots), np.float32)
    if not terms or not len(slots):
        return out
    terms = sorted(terms, key=lambda term: len(term.held.slots))[:_TERMS]
    idf = rarity(len(index), np.array([len(term.held.slots) for term in terms]))
    pairs = sorted((code, n) for n, term in enumerate(terms) for code in term.codes)
    codes, number = np.array(pairs, np.int32).T.copy()
    words, sizes = index.store.sequences.of(slots)
    near = np.minimum(np.searchsorted(codes, words), len(codes) - 1)
    places = np.flatnonzero(codes.take(near) == words)
    if not len(places):
        return out
    row = np.repeat(np.arange(len(slots)), sizes)[places]
    at = places + row * LENGTH  # a gap behind each row, so that no window holds words of two
    seen = np.zeros((len(places) + 1, len(terms)), np.int32)
    seen[np.arange(1, len(places) + 1), number[near[places]]] = 1
    np.cumsum(seen, axis=0, out=seen)
    inside = seen[np.searchsorted(at, at + LENGTH)] > seen[:-1]
    np.maximum.at(out, row, inside @ idf)
    out /= np.float32(idf.sum())
    return out
