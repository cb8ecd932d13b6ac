"""bm25 as SQLite's FTS5 reckons it, over a row's own words and those of its neighbours."""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from .links import Links
from .rows import Floats
from .words import query_terms

if TYPE_CHECKING:
    from .scope import ScopeIndex

K1: Final = 1.2
B: Final = 0.75
_CELLS: Final = 4_000_000  # terms times slots that are scored at once: 16 MB


def bm25(index: "ScopeIndex", text: str, weight: float) -> Floats | None:
    """FTS5's bm25 (k1 1.2, b .75, positive) of each slot; None when no term is known.

    With neighbours and a weight, as `bm25(f, 1, weight)` over the columns text and context: both
    count for length and for how rare a term is.
    """
    found = _postings(index, text)
    if not found:
        return None
    links = index.links if weight > 0.0 else None
    norm = index.norms(links is not None)
    if links is None:
        return _own(found, norm, len(index), index.used)
    total = np.zeros(index.used, np.float32)
    step = max(1, _CELLS // index.used)
    for start in range(0, len(found), step):
        total += _joined(found[start : start + step], links, norm, len(index), np.float32(weight))
    return total


def coverage(index: "ScopeIndex", text: str) -> Floats | None:
    """The share of the question's terms that each slot holds itself, each counted by how rare it
    is; None when no term is known."""
    found = _postings(index, text)
    if not found:
        return None
    sizes = np.array([len(slots) for slots, _ in found])
    idf = _idf(len(index), sizes)
    slots = np.concatenate([slots for slots, _ in found])
    total = np.bincount(slots, np.repeat(idf, sizes), minlength=index.used)
    return (total / float(idf.sum())).astype(np.float32)


def _postings(index: "ScopeIndex", text: str) -> "list[tuple[NDArray[np.int32], Floats]]":
    """The living slots that hold each term of a question, and how often; only terms with any."""
    store = index.store
    codes = map(store.vocabulary.of.get, query_terms(text))
    found = [store.postings(code, index.used) for code in codes if code is not None]
    if index.used - 1 > len(index):
        kept = [index.alive.take(slots) for slots, _ in found]
        found = [(s[m], c[m]) for (s, c), m in zip(found, kept, strict=True)]
    return [(slots, counts) for slots, counts in found if len(slots)]


def _idf(rows: int, holding: "NDArray[np.int64]") -> Floats:
    """As FTS5: the floor is for terms that more than half of the rows hold."""
    idf = np.log((rows - holding + 0.5) / (holding + 0.5))
    return np.where(idf <= 0.0, 1e-6, idf).astype(np.float32)


def _own(
    found: "list[tuple[NDArray[np.int32], Floats]]", norm: Floats, rows: int, used: int
) -> Floats:
    sizes = np.array([len(slots) for slots, _ in found])
    slots = np.concatenate([slots for slots, _ in found])
    counts = np.concatenate([counts for _, counts in found])
    impact = norm.take(slots)
    impact += counts
    np.divide(counts, impact, out=impact)
    impact *= np.repeat(_idf(rows, sizes) * np.float32(K1 + 1.0), sizes)
    total = np.zeros(used, np.float32)
    np.add.at(total, slots, impact)
    return total


def _joined(
    found: "list[tuple[NDArray[np.int32], Floats]]",
    links: Links,
    norm: Floats,
    rows: int,
    weight: np.float32,
) -> Floats:
    used = len(norm)
    offset = np.repeat(np.arange(len(found)) * used, [len(slots) for slots, _ in found])
    slots = np.concatenate([slots for slots, _ in found])
    counts = np.concatenate([counts for _, counts in found])
    cells = np.zeros(len(found) * used, np.float32)
    cells[offset + slots] = counts
    counts = counts * weight
    # No two slots share a neighbour on one side, save slot 0, whose cells are cleared.
    following = links.after.take(slots)
    for target in (following, links.after.take(following), links.before.take(slots)):
        cells[offset + target] += counts
    table = cells.reshape(len(found), used)
    table[:, 0] = 0.0
    idf = _idf(rows, np.count_nonzero(table, axis=1)) * np.float32(K1 + 1.0)
    np.divide(table, table + norm, out=table)
    total: Floats = (idf @ table).astype(np.float32, copy=False)
    return total
