"""`ScopeIndex`: one scope's rows in memory, searched by words and vectors.

A snapshot never changes. `apply` returns the next one, which shares the slots of the first and
has its own view of which of them live and who their neighbours are: a reader inside an open
transaction keeps its version, and any number of threads search at once.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import bm25, near, rank
from .columns import Batch, Codes, Postings, batch_of, concat
from .links import TURNS, Links, Shares, insert, link_all, refresh, unlink
from .rows import Doubles, Floats, Hits, Ids, Mask, Query, Row, Slots
from .store import FLOAT_ROWS, Store
from .vocabulary import Vocabulary

METRICS: Final = ("cosine", "l2", "ip")
# A batch beyond this share of the rows is cheaper to build in than to link row by row.
_BULK: Final = 256
_KEPT_MAX: Final = 32

Fetch = Callable[[Ids], Floats]


class Totals(NamedTuple):
    """Sums over the living rows."""

    rows: int
    tokens: float
    context: float
    speakers: dict[int, int]


class ScopeIndex:
    __slots__ = ("_context", "_kept", "_totals", "_words", "alive", "links", "store", "used")

    def __init__(
        self,
        store: Store,
        alive: Mask,
        links: Links | None,
        totals: Totals,
        *,
        context: Shares | None,
        words: bool,
    ) -> None:
        self.store, self.alive, self.links = store, alive, links
        self.used = len(alive)
        self._totals, self._context, self._words = totals, context, words
        self._kept: dict[object, NDArray[Any]] = {}

    @classmethod
    def build(
        cls,
        rows: Iterable[Row],
        *,
        dimensions: int | None,
        metric: str = "cosine",
        context: bool | Shares = True,
        words: bool = True,
        float_rows: int = FLOAT_ROWS,
    ) -> "ScopeIndex":
        """An index of these rows; of rows with one id the last counts.

        `context` joins the rows of a session, as turns (for memories) or with shares of one's own
        (for chunks); `words` indexes the texts at all.
        Raises ValueError for a vector of other dimensions, or with NaN or infinity in it.
        """
        if metric not in METRICS:
            raise ValueError(f"expected a metric in cosine, l2, ip, not {metric!r}")
        codes = Vocabulary(), Codes([""]), Codes([""])
        batch, dimensions = batch_of(rows, dimensions, metric, words, *codes)
        store = Store(
            batch,
            None,
            dimensions=dimensions,
            metric=metric,
            float_rows=float_rows,
            vocabulary=codes[0],
            sessions=codes[1],
            speakers=codes[2],
        )
        if isinstance(context, bool):
            return cls._of(store, context=TURNS if context else None, words=words)
        return cls._of(store, context=context, words=words)

    @classmethod
    def _of(cls, store: Store, *, context: Shares | None, words: bool) -> "ScopeIndex":
        """The snapshot of a whole store that has no tail."""
        alive = np.ones(store.used, np.bool_)
        alive[0] = False
        links = link_all(store, context) if context else None
        columns = store.columns
        speakers = np.bincount(columns.speaker[1 : store.used], minlength=1)
        totals = Totals(
            store.used - 1,
            float(columns.tokens[1 : store.used].sum(dtype=np.float64)),
            0.0 if links is None else float(links.context.sum(dtype=np.float64)),
            {code: int(n) for code, n in enumerate(speakers) if code and n},
        )
        return cls(store, alive, links, totals, context=context, words=words)

    def __len__(self) -> int:
        return self._totals.rows

    @property
    def ids(self) -> Ids:
        """The ids of all rows, in no order."""
        return self.store.columns.ids[: self.used][self.alive]

    @property
    def dimensions(self) -> int | None:
        """How many dimensions the vectors have; None while there was none."""
        return self.store.dimensions

    @property
    def speakers(self) -> list[str]:
        """The folded names of the speakers, roles such as `user` left out; see `strip_names`."""
        names = list(self.store.speakers.of)
        return [names[code] for code in self._totals.speakers]

    @property
    def nbytes(self) -> int:
        """Approximate memory in bytes, of this snapshot and the store that it shares."""
        links = 0 if self.links is None else self.links.nbytes
        return self.store.nbytes + self.alive.nbytes + links

    def missing_vectors(self) -> Ids:
        """The ids of the rows that have no vector yet."""
        columns = self.store.columns
        return columns.ids[: self.used][self.alive & ~columns.has_vector[: self.used]]

    @property
    def turns(self) -> bool:
        """Whether the rows are turns of conversations, as memories are; chunks are not."""
        return self._context is TURNS

    def kept(self, key: object, make: "Callable[[], NDArray[Any]]") -> NDArray[Any]:
        """An array that only this snapshot's rows decide, made at its first use."""
        array = self._kept.get(key)
        if array is None:
            if len(self._kept) >= _KEPT_MAX:  # weights that are tried out do not pile up
                self._kept.clear()
            array = self._kept[key] = make()
        return array

    def norms(self, context: bool) -> Floats:
        """bm25's share of the length of each slot: k1 (1 - b + b length / mean length)."""

        def make() -> Floats:
            tokens, total = self.store.columns.tokens[: self.used], self._totals.tokens
            if context and self.links is not None:
                tokens, total = tokens + self.links.context, total + self._totals.context
            mean = total / max(1, self._totals.rows) or 1.0
            return (tokens * (bm25.K1 * bm25.B / mean) + bm25.K1 * (1 - bm25.B)).astype(np.float32)

        return self.kept(("norms", context), make)

    def search(self, query: Query, fetch: Fetch | None = None) -> Hits:
        """The best rows for a question; see `rank.search`."""
        return rank.search(self, query, fetch)

    def nearest(
        self,
        vector: bytes,
        k: int,
        allowed: "frozenset[int] | NDArray[np.int64] | None" = None,
        fetch: Fetch | None = None,
    ) -> tuple[Ids, Doubles]:
        """The k nearest rows and their distances, nearest first.

        The distance is 1 - cosine, the Euclidean one, or minus the inner product.
        """
        return near.nearest(self, vector, k, allowed, fetch)

    def within(
        self,
        vector: bytes,
        radius: float,
        allowed: "frozenset[int] | NDArray[np.int64] | None" = None,
        fetch: Fetch | None = None,
    ) -> tuple[Ids, Doubles]:
        """All rows at most `radius` away and their distances, nearest first."""
        return near.within(self, vector, radius, allowed, fetch)

    def apply(self, upserts: Iterable[Row], deletes: Iterable[int] = ()) -> "ScopeIndex":
        """The next snapshot: `deletes` gone, then `upserts` put in (the same id is replaced).

        Costs what the changes cost, and a copy of a few bytes a row; now and then, so that it is
        paid by many changes, a compaction. Raises ValueError as `build` does, with nothing changed.
        """
        changed = list(upserts)
        gone = {row.id for row in changed}
        gone.update(deletes)
        if not gone:
            return self
        store = self.store
        with store.lock:
            batch, dimensions = batch_of(
                changed,
                store.dimensions,
                store.metric,
                self._words,
                store.vocabulary,
                store.sessions,
                store.speakers,
            )
            dead = store.find(gone, self.alive)
            n = len(batch.columns.ids)
            tail = store.used + n - store.base + len(dead) + self._dead()
            room = store.capacity - store.base
            bulk = n + len(dead) > _BULK or (batch.matrix is not None and store.vectors is None)
            if bulk or tail > room:
                return self._rebuilt(batch, dead, dimensions)
            first = store.used
            store.append(batch)
        return self._next(first, first + n, dead)

    def _dead(self) -> int:
        """How many slots of the base are no longer alive here."""
        base = self.store.base
        return base - 1 - int(np.count_nonzero(self.alive[1:base]))

    def _next(self, first: int, end: int, dead: list[int]) -> "ScopeIndex":
        alive = np.zeros(max(end, self.used), np.bool_)
        alive[: self.used] = self.alive
        alive[dead] = False
        columns, links, touched = self.store.columns, self.links, set[int]()
        sessions = columns.session[first:end]
        if self._context and (links is not None or (sessions > 0).any()):
            links = (
                Links.empty(len(alive), self._context) if links is None else links.grown(len(alive))
            )
            for slot in dead:
                unlink(links, slot, touched)
                touched.discard(slot)
            for slot in range(first, end):
                if columns.session[slot]:
                    insert(links, self.store, slot, alive, touched)
                else:
                    touched.add(slot)
                alive[slot] = True
        alive[first:end] = True
        context = self._totals.context
        if links is not None:
            context = self._relink(links, dead, touched, first)
        totals = self._sum(dead, range(first, end), context)
        return ScopeIndex(
            self.store, alive, links, totals, context=self._context, words=self._words
        )

    def _relink(self, links: Links, dead: list[int], touched: set[int], first: int) -> float:
        """Refreshes the touched slots; returns the tokens of all context fields."""
        touched.discard(0)
        touched.difference_update(dead)
        if self.links is None:  # Links begin here, and every row needs what follows from them.
            living = np.flatnonzero(self.alive)
            touched.update(set(living.tolist()) - set(dead))
        slots: Slots = np.fromiter(touched, np.intp, len(touched))
        total = self._totals.context
        total -= float(links.context[slots].sum(dtype=np.float64))
        total -= float(links.context[dead].sum(dtype=np.float64))
        links.context[dead] = 0.0
        links.shrink[dead] = 0.0
        refresh(links, self.store, slots)
        return total + float(links.context[slots].sum(dtype=np.float64))

    def _sum(self, dead: list[int], born: range, context: float) -> Totals:
        columns, totals = self.store.columns, self._totals
        speakers = dict(totals.speakers)
        tokens = totals.tokens
        for slots, sign in ((dead, -1), (born, 1)):
            for slot in slots:
                tokens += sign * float(columns.tokens[slot])
                code = int(columns.speaker[slot])
                if code:
                    speakers[code] = speakers.get(code, 0) + sign
        speakers = {code: n for code, n in speakers.items() if n}
        return Totals(totals.rows - len(dead) + len(born), tokens, context, speakers)

    def _rebuilt(self, batch: Batch, dead: list[int], dimensions: int | None) -> "ScopeIndex":
        """A new store of the living rows and the batch; nothing is tokenised or encoded again."""
        store = self.store
        alive = self.alive.copy()
        alive[dead] = False
        slots = np.flatnonzero(alive)
        row_of = np.full(self.used, -1)
        row_of[slots] = np.arange(len(slots))
        old = store.all_postings(self.used, row_of)
        new = batch.postings
        postings = Postings(
            np.concatenate((old.term, new.term)),
            np.concatenate((old.row, new.row + len(slots))),
            np.concatenate((old.times, new.times)),
        )
        kept = store.columns.take(slots)
        columns = concat(kept, batch.columns)
        vectors = None
        if store.vectors is not None:
            theirs = np.concatenate((slots, np.zeros(len(batch.columns.ids), np.intp)))
            vectors = store.vectors, theirs
        fresh = Store(
            Batch(columns, postings, batch.matrix, store.sequences.kept(slots).joined(batch.words)),
            vectors,
            dimensions=dimensions,
            metric=store.metric,
            float_rows=store.float_rows,
            vocabulary=Vocabulary(store.vocabulary.of),
            sessions=Codes(store.sessions.of),
            speakers=Codes(store.speakers.of),
        )
        return ScopeIndex._of(fresh, context=self._context, words=self._words)
