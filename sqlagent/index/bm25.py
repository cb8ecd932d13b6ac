"""bm25 as SQLite's FTS5 reckons it, over a row's own words and those of its neighbours.

Two things can be added. A term in the very form that the question has counts for more: its form is
a term of its own, with a weight, so that stems find and forms decide (the two indexes side by side
of Hull, Stemming algorithms: a case study for detailed evaluation, 1996). And a floor: a term that
a long row holds adds at least so much, which bm25's division by length may take away (Lv and Zhai,
Lower-bounding term frequency normalization, 2011: BM25+).
"""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from .links import Links
from .rows import Floats
from .sought import Held, Sought, rarity

if TYPE_CHECKING:
    from .scope import ScopeIndex

K1: Final = 1.2
B: Final = 0.75
_BESIDE: Final = 0.5  # so much of the floor a row gets for a term that its neighbours alone hold
_CELLS: Final = 4_000_000  # terms times slots that are scored at once: 16 MB


class Counted(NamedTuple):
    """A word to be counted, and its weight."""

    held: Held
    weight: float


def bm25(
    index: "ScopeIndex",
    terms: list[Sought],
    context: float,
    exact: float = 0.0,
    floor: float = 0.0,
) -> Floats | None:
    """FTS5's bm25 (k1 1.2, b .75, positive) of each slot; None when no term is known.

    With neighbours and a weight `context`, as `bm25(f, 1, context)` over the columns text and
    context: both count for length and for how rare a term is. `exact` is the weight of the terms'
    own forms, `floor` what a term adds at least, as a share of its rarity.
    """
    found = list(_counted(terms, exact))
    if not found:
        return None
    links = index.links if context > 0.0 else None
    norm = index.norms(links is not None)
    if links is None:
        return _own(found, norm, len(index), floor)
    total = np.zeros(index.used, np.float32)
    step = max(1, _CELLS // index.used)
    for start in range(0, len(found), step):
        part = found[start : start + step]
        total += _joined(part, links, norm, len(index), np.float32(context), floor)
    return total


def _counted(terms: list[Sought], exact: float) -> "list[Counted]":
    """The terms, and their own forms where they count for more; together where both are one."""
    found = []
    for term in terms:
        found.append(Counted(term.held, 1.0 + exact if term.forms is None else 1.0))
        if exact and term.forms:
            found += [Counted(held, exact) for held in term.forms]
    return found


def _own(found: list[Counted], norm: Floats, rows: int, floor: float) -> Floats:
    sizes = np.array([len(each.held.slots) for each in found])
    slots = np.concatenate([each.held.slots for each in found])
    counts = np.concatenate([each.held.counts for each in found])
    impact = norm.take(slots)
    impact += counts
    np.divide(counts, impact, out=impact)
    if floor:
        impact += np.float32(floor / (K1 + 1.0))
    idf = _weights(found, rarity(rows, sizes)) * np.float32(K1 + 1.0)
    impact *= np.repeat(idf, sizes)
    total = np.zeros(len(norm), np.float32)
    np.add.at(total, slots, impact)
    return total


def _joined(
    found: list[Counted],
    links: Links,
    norm: Floats,
    rows: int,
    weight: np.float32,
    floor: float,
) -> Floats:
    used = len(norm)
    sizes = [len(each.held.slots) for each in found]
    offset = np.repeat(np.arange(len(found)) * used, sizes)
    slots = np.concatenate([each.held.slots for each in found])
    counts = np.concatenate([each.held.counts for each in found])
    cells = np.zeros(len(found) * used, np.float32)
    cells[offset + slots] = counts
    counts = counts * weight
    # No two slots share a neighbour on one side, save slot 0, whose cells are cleared.
    following = links.after.take(slots)
    for target in (following, links.after.take(following), links.before.take(slots)):
        cells[offset + target] += counts
    table = cells.reshape(len(found), used)
    table[:, 0] = 0.0
    idf = _weights(found, rarity(rows, np.count_nonzero(table, axis=1)))
    least = np.float32(floor / (K1 + 1.0))
    held = table > 0.0 if floor else None
    np.divide(table, table + norm, out=table)
    if held is not None:
        table += held * (least * np.float32(_BESIDE))
        cells[offset + slots] += least * np.float32(1.0 - _BESIDE)
    total: Floats = ((idf * np.float32(K1 + 1.0)) @ table).astype(np.float32, copy=False)
    return total


def _weights(found: list[Counted], idf: Floats) -> Floats:
    weights: Floats = idf * np.array([each.weight for each in found], np.float32)
    return weights
