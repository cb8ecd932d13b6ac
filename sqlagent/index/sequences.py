"""The words of each row in their order, as numbers of the vocabulary: four bytes a word.

Postings tell that a row holds words; only their places tell whether they stand together.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .rows import Slots

_BLOCK = 8192  # rows that are gathered at once


class Sequence(NamedTuple):
    """The codes of rows one after the other, and how many each row has."""

    codes: NDArray[np.int32]
    sizes: NDArray[np.int64]

    def taken(self, rows: Slots) -> "Sequence":
        """Those of some rows, in their order."""
        ends = np.cumsum(self.sizes)
        parts = [np.zeros(0, np.int32)]
        for start in range(0, len(rows), _BLOCK):
            some = rows[start : start + _BLOCK]
            sizes = self.sizes[some]
            begins = ends[some] - sizes - (np.cumsum(sizes) - sizes)
            parts.append(self.codes[np.repeat(begins, sizes) + np.arange(int(sizes.sum()))])
        return Sequence(np.concatenate(parts), self.sizes[rows])

    def joined(self, other: "Sequence") -> "Sequence":
        return Sequence(
            np.concatenate((self.codes, other.codes)), np.concatenate((self.sizes, other.sizes))
        )


class Sequences:
    """Those of a store's slots: the base in one array, late ones apart. Written under its lock."""

    def __init__(self, base: Sequence) -> None:
        """`base` holds the slots from 1 on."""
        self.codes = base.codes
        self.ends = np.concatenate(([0], np.cumsum(base.sizes)))
        self.late: list[NDArray[np.int32]] = []

    def append(self, added: Sequence) -> None:
        self.late.extend(
            np.split(added.codes, np.cumsum(added.sizes)[:-1]) if len(added.sizes) else ()
        )

    def of(self, slots: Slots) -> Sequence:
        """The sequences of these slots (none of them 0), in their order."""
        base = len(self.ends)
        parts = [
            self.codes[self.ends[slot - 1] : self.ends[slot]]
            if slot < base
            else self.late[slot - base]
            for slot in slots.tolist()
        ]
        sizes = np.fromiter(map(len, parts), np.int64, len(parts))
        return Sequence(np.concatenate([np.zeros(0, np.int32), *parts]), sizes)

    def kept(self, slots: Slots) -> Sequence:
        """The same for slots in ascending order, many at once."""
        base = len(self.ends)
        early, late = slots[slots < base], slots[slots >= base]
        whole = Sequence(self.codes, np.diff(self.ends))
        return whole.taken(early - 1).joined(self.of(late))

    @property
    def nbytes(self) -> int:
        late = list(self.late)
        return self.codes.nbytes + self.ends.nbytes + sum(codes.nbytes for codes in late)
