"""What a question looks for: its terms, and the rows that hold each."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .rows import Floats
from .words import query_forms

if TYPE_CHECKING:
    from .scope import ScopeIndex


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
    found = []
    vocabulary = index.store.vocabulary
    for term, asked in query_forms(text).items():
        held = {code: _held(index, code) for code in list(vocabulary.stems.get(term, ()))}
        held = {code: each for code, each in held.items() if len(each.slots)}
        if not held:
            continue
        own = [code for code in map(vocabulary.of.get, asked) if code in held]
        forms = None if len(own) == len(held) == 1 else [held[code] for code in own if code in held]
        found.append(Sought(list(held), _merged(list(held.values())), forms))
    return found


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


def _merged(forms: list[Held]) -> Held:
    """The slots that hold any of some forms, with the counts of all."""
    if len(forms) == 1:
        return forms[0]
    slots = np.concatenate([held.slots for held in forms])
    counts = np.concatenate([held.counts for held in forms])
    order = np.argsort(slots, kind="stable")
    slots = slots[order]
    first = np.flatnonzero(np.diff(slots, prepend=-1))
    return Held(slots[first], np.add.reduceat(counts[order], first))
