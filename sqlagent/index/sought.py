"""What a question looks for: its terms, and the rows that hold each."""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .rows import Floats
from .words import query_forms

if TYPE_CHECKING:
    from .scope import ScopeIndex

_MANY: Final = 16  # of each so many rows, one at least holds a term that is not rare


class Held(NamedTuple):
    """The living slots that hold a word, in ascending order, and how often."""

    slots: NDArray[np.int32]
    counts: Floats


class Sought(NamedTuple):
    """A term of the question that rows hold. `forms` are those of the term's forms that the
    question has itself, None where no row holds the term in any other."""

    codes: list[int]
    held: Held
    forms: list[Held] | None


def sought(index: "ScopeIndex", text: str) -> list[Sought]:
    """The terms of a question that rows hold, each once."""
    vocabulary = index.store.vocabulary
    found: list[tuple[list[str], dict[int, Held]]] = []
    for term, asked in query_forms(text).items():
        held = {code: _held(index, code) for code in list(vocabulary.stems.get(term, ()))}
        held = {code: each for code, each in held.items() if len(each.slots)}
        if held:
            found.append((asked, held))
    whole = _merged([list(held.values()) for _, held in found], index.used)
    out = []
    for (asked, held), each in zip(found, whole, strict=True):
        own = [held[code] for code in map(vocabulary.of.get, asked) if code in held]
        alone = len(held) == 1 and len(own) == 1
        out.append(Sought(list(held), each, None if alone else own))
    return out


def rarity(rows: int, holding: "NDArray[np.int64]") -> Floats:
    """The inverse frequency of terms as FTS5 has it: the floor is for terms that more than half of
    the rows hold."""
    idf = np.log((rows - holding + 0.5) / (holding + 0.5))
    return np.where(idf <= 0.0, 1e-6, idf).astype(np.float32)


def coverage(index: "ScopeIndex", terms: list[Sought]) -> Floats | None:
    """The share of the question's terms that each slot holds itself, each counted by how rare it
    is; None when no term is known."""
    if not terms:
        return None
    sizes = np.array([len(term.held.slots) for term in terms])
    idf = rarity(len(index), sizes)
    slots = np.concatenate([term.held.slots for term in terms])
    total = np.bincount(slots, np.repeat(idf, sizes), minlength=index.used)
    return (total / float(idf.sum())).astype(np.float32)


def _held(index: "ScopeIndex", code: int) -> Held:
    slots, counts = index.store.postings(code, index.used)
    if index.used - 1 > len(index):
        living = index.alive.take(slots)
        slots, counts = slots[living], counts[living]
    return Held(slots, counts)


def _merged(terms: list[list[Held]], used: int) -> list[Held]:
    """For each term the slots that hold any of its forms, with the counts of all. Terms that many
    rows hold one by one; rare ones at once, as most of the cost is in the calls."""
    merged = [forms[0] for forms in terms]
    rare: list[int] = []
    sizes: list[int] = []
    for n, forms in enumerate(terms):
        size = sum(len(held.slots) for held in forms)
        if len(forms) > 1 and size * _MANY > used:
            total = np.zeros(used, np.float32)
            for held in forms:
                total[held.slots] += held.counts
            slots = np.flatnonzero(total).astype(np.int32)
            merged[n] = Held(slots, total.take(slots))
        elif len(forms) > 1:
            rare.append(n)
            sizes.append(size)
    if not rare:
        return merged
    keys = np.concatenate([held.slots for n in rare for held in terms[n]]).astype(np.int64)
    keys += np.repeat(np.arange(len(rare)) * used, sizes)
    counts = np.concatenate([held.counts for n in rare for held in terms[n]])
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.ones(len(keys), np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    keys, counts = keys[starts], np.add.reduceat(counts[order], starts)
    cuts = np.searchsorted(keys, np.arange(len(rare) + 1) * used).tolist()
    for place, n in enumerate(rare):
        part = slice(cuts[place], cuts[place + 1])
        merged[n] = Held((keys[part] - place * used).astype(np.int32), counts[part])
    return merged
