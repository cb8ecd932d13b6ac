"""The slots that all snapshots of one index share: written once, never changed, only added to.

Slot 0 stands for "no row", so that a missing neighbour needs no branch. The slots up to `base` are
in the order of their sessions; later ones form a tail, until the index is compacted. A snapshot
knows which slots are its own, so two branches of one index (a transaction that was rolled back,
and what came after) can add to the same store.
"""

import threading
from array import array
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .columns import Batch, Codes, Postings, reranked
from .rows import Floats, Ids, Slots
from .sequences import Sequence, Sequences
from .vectors import CAN_CODE, Vectors
from .vocabulary import Vocabulary

TAIL_MIN: Final = 1024
CODE_ROWS: Final = 2_000  # Beyond this many rows of cosine vectors, int8 codes are scanned.
FLOAT_ROWS: Final = 20_000  # Beyond this many, codes alone are kept.


class Segments(NamedTuple):
    """The runs of slots of one session each, from slot 0 up to the base."""

    starts: Slots
    sizes: Slots
    sessions: NDArray[np.int64]

    @classmethod
    def of(cls, session: NDArray[np.int64]) -> "Segments":
        starts = np.flatnonzero(np.diff(session, prepend=-1))
        return cls(starts, np.diff(np.append(starts, len(session))), session[starts])


class Store:
    """Columns, vectors and postings by slot. Appending needs `lock`; reading needs nothing."""

    def __init__(
        self,
        batch: Batch,
        vectors: "tuple[Vectors, Slots] | None",
        *,
        dimensions: int | None,
        metric: str,
        float_rows: int,
        vocabulary: Vocabulary,
        sessions: Codes,
        speakers: Codes,
    ) -> None:
        """`vectors` are kept ones and the slot of each row; the batch's matrix holds the others."""
        self.lock = threading.Lock()
        self.dimensions, self.metric, self.float_rows = dimensions, metric, float_rows
        self.sessions, self.speakers = sessions, speakers
        columns = batch.columns
        n = len(columns.ids)
        self.base = self.used = n + 1
        self.capacity = n + 1 + max(TAIL_MIN, n // 8)
        order = np.lexsort((columns.ids, columns.created, columns.session))
        place = reranked(order, 1)
        self.columns = columns.each(lambda column: _spread(column, place, self.capacity))
        self.segments = Segments.of(self.columns.session[: self.base])
        by_id = np.argsort(columns.ids)
        self.sorted_ids: Ids = columns.ids[by_id]
        self.sorted_slots: Slots = place[by_id]
        self.vectors = self._place(batch, vectors, place)
        self._post(batch.postings, batch.words.taken(order), place, vocabulary)
        self.tail: dict[int, tuple[array[int], array[float]]] = {}

    def _place(
        self, batch: Batch, kept: "tuple[Vectors, Slots] | None", place: Slots
    ) -> Vectors | None:
        if self.dimensions is None:
            return None
        n = len(place)
        codes = CAN_CODE and self.metric == "cosine" and n > min(CODE_ROWS, self.float_rows)
        floats = n <= self.float_rows
        vectors = Vectors(self.capacity, self.dimensions, self.metric, floats, codes)
        has = np.flatnonzero(batch.columns.has_vector)
        fresh = has
        if kept is not None:
            old, slots = kept
            from_old = has[slots[has] > 0]
            fresh = has[slots[has] == 0]
            vectors.copy_from(old, slots[from_old], place[from_old])
        if batch.matrix is not None:
            for start in range(0, len(fresh), 8192):
                rows = fresh[start : start + 8192]
                vectors.put(place[rows], batch.matrix[start : start + 8192])
        return vectors

    def _post(
        self, postings: Postings, words: Sequence, place: Slots, vocabulary: Vocabulary
    ) -> None:
        """Words that no row holds any more are forgotten, in the vocabulary too."""
        names = list(vocabulary.of)
        present = np.zeros(len(names), np.bool_)
        present[postings.term] = True
        if present.all():
            self.vocabulary = vocabulary
            term = postings.term
        else:
            self.vocabulary = Vocabulary(names[i] for i in np.flatnonzero(present))
            renamed = np.cumsum(present) - 1
            term = renamed[postings.term]
            words = words._replace(codes=renamed[words.codes].astype(np.int32))
        self.sequences = Sequences(words)
        slot = place[postings.row] if len(postings.row) else postings.row
        order = np.argsort(term * self.base + slot)
        self.slots = slot[order].astype(np.int32)
        self.counts: Floats = postings.times[order]
        sizes = np.bincount(term, minlength=len(self.vocabulary.of))
        self.starts: NDArray[np.int64] = np.concatenate(([0], np.cumsum(sizes)))

    def append(self, batch: Batch) -> None:
        """Puts rows behind the last slot. The caller holds the lock and has checked the room."""
        start, n = self.used, len(batch.columns.ids)
        for whole, part in zip(self.columns.arrays(), batch.columns.arrays(), strict=True):
            whole[start : start + n] = part
        if batch.matrix is not None and self.vectors is not None:
            self.vectors.put(start + np.flatnonzero(batch.columns.has_vector), batch.matrix)
        term, row, count = batch.postings
        in_row_order = np.argsort(row, kind="stable")
        for t, r, c in zip(
            term[in_row_order].tolist(),
            row[in_row_order].tolist(),
            count[in_row_order].tolist(),
            strict=True,
        ):
            held = self.tail.get(t)
            if held is None:
                held = self.tail[t] = (array("i"), array("f"))
            # The count goes first: a reader cuts both by the number of slots that it saw.
            held[1].append(c)
            held[0].append(start + r)
        self.sequences.append(batch.words)
        self.used = start + n

    def postings(self, term: int, used: int) -> tuple[NDArray[np.int32], Floats]:
        """The slots below `used` that hold a form, and how often."""
        if term < len(self.starts) - 1:
            lo, hi = self.starts[term], self.starts[term + 1]
            slots, counts = self.slots[lo:hi], self.counts[lo:hi]
        else:
            slots, counts = self.slots[:0], self.counts[:0]
        held = self.tail.get(term)
        if held is None:
            return slots, counts
        # A copy made under the GIL: an array that numpy looks into could not grow.
        late = np.frombuffer(held[0].tobytes(), np.int32)
        late = late[: np.searchsorted(late, used)]
        late_counts = np.frombuffer(held[1].tobytes(), np.float32)[: len(late)]
        return np.concatenate((slots, late)), np.concatenate((counts, late_counts))

    def all_postings(self, used: int, row_of: NDArray[np.int64]) -> Postings:
        """Every posting of the slots whose row is not negative, renumbered by `row_of`."""
        terms = [np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))]
        rows, counts = [row_of[self.slots]], [self.counts]
        for term, (slots, late_counts) in list(self.tail.items()):
            late = np.frombuffer(slots.tobytes(), np.int32)
            late = late[: np.searchsorted(late, used)]
            terms.append(np.full(len(late), term))
            rows.append(row_of[late])
            counts.append(np.frombuffer(late_counts.tobytes(), np.float32)[: len(late)])
        row = np.concatenate(rows)
        kept = row >= 0
        return Postings(np.concatenate(terms)[kept], row[kept], np.concatenate(counts)[kept])

    def find(self, ids: Iterable[int], alive: NDArray[np.bool_]) -> list[int]:
        """The slots, among the living, of those of these ids that there are."""
        wanted = np.unique(np.fromiter(ids, np.int64))
        found: list[int] = []
        if len(self.sorted_ids):
            at = np.minimum(np.searchsorted(self.sorted_ids, wanted), len(self.sorted_ids) - 1)
            slots = self.sorted_slots[at[self.sorted_ids[at] == wanted]]
            found += slots[alive[slots]].tolist()
        late = np.flatnonzero(alive[self.base :]) + self.base
        if len(late):
            late_ids = self.columns.ids[late]
            match = late_ids == wanted[0] if len(wanted) == 1 else np.isin(late_ids, wanted)
            found += late[match].tolist()
        return found

    @property
    def nbytes(self) -> int:
        """Approximate: what the rows in use take, not the room kept for more."""
        each = self.columns.nbytes // self.capacity
        vectors = 0 if self.vectors is None else self.vectors.row_bytes()
        tail = sum(len(slots) for slots, _ in list(self.tail.values()))
        words = self.slots.nbytes + self.counts.nbytes + self.starts.nbytes
        words += self.sequences.nbytes
        vocabulary = 150 * len(self.vocabulary.of)  # a short str and its dict entry
        ids = self.sorted_ids.nbytes + self.sorted_slots.nbytes
        return self.used * (each + vectors) + words + vocabulary + ids + 8 * tail


def _spread(column: NDArray[Any], place: Slots, capacity: int) -> NDArray[Any]:
    out: NDArray[Any] = np.zeros(capacity, column.dtype)
    out[place] = column
    return out
