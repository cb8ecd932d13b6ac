"""`BinaryCodes`: one bit a dimension, for collections of vectors too many to hold as floats.

A bit says on which side of the mean a vector lies. Vectors with few differing bits are near, so
the codes (48 MB for 1,000,000 vectors of 384 dimensions) choose some hundred candidates, and these
are compared by the floats that the caller fetches. Nothing is trained: what is appended is found
at once. The bits lie word by word, 64 of each row together, and the first words decide which rows
the others are read for.

1,000,000 x 384 by one core: 1.8 ms CPU, recall@10 1.0 with 200 candidates, on vectors in topics.
Without any topics recall falls, and candidates are what helps. So a sample of the rows is asked for
when the codes are built, and tells how many candidates they need, and how many first words.
"""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from . import codefile
from .bits import (
    Base,
    Gathered,
    Words,
    bits_of,
    encode,
    mean_of,
    ranked,
    wider,
    width_of,
)
from .near import among, distances
from .rows import Doubles, Floats, Ids, Mask, Slots
from .sample import RUNGS, Sample

Fetch = Callable[[Ids], Floats]

_BLOCK: Final = 32_768  # rows: what numpy works on stays in the processor's cache
_SAMPLE: Final = 31  # every so manieth row tells where the cut between near and far lies
_SURVIVORS: Final = 4_096  # rows whose other words are read
_WHOLE: Final = 50_000  # up to so many rows, every word of each is read
_WIDER: Final = 16  # times the candidates at most, among the rows that a filter leaves
_LEAST: Final = 2  # first words: of one alone the cut between near and far is too coarse
_LOST: Final = 0.002  # of the neighbours that more first words hold, for fewer bytes to read
_TIMES: Final = 3  # k vectors are compared, at least
_TIMES_OF: Final = 10  # the same, of what a filter leaves
_MASKS: Final = 4
_MEAN_ROWS: Final = 65_536


class Tail:
    """What was appended after the base: shared by snapshots, only added to, under the lock."""

    def __init__(self, words: int) -> None:
        self.lock = threading.Lock()
        self.used = 0
        self.ids: Ids = np.zeros(0, np.int64)
        self.words: Words = np.zeros((words, 0), np.uint64)
        self.lengths: Floats = np.zeros(0, np.float32)

    def add(self, ids: Ids, words: Words, lengths: Floats) -> int:
        start, end = self.used, self.used + len(ids)
        if end > len(self.ids):
            room = max(1024, 2 * end)
            # Readers keep the arrays that they hold; what they may see of them is the same.
            self.ids = wider(self.ids, room)
            self.words = wider(self.words, room)
            self.lengths = wider(self.lengths, room)
        self.ids[start:end] = ids
        self.words[:, start:end] = words
        self.lengths[start:end] = lengths
        self.used = end
        return start


class BinaryCodes:
    """A snapshot: `append` and `remove` return the next one and leave this one as it is."""

    __slots__ = (
        "alive", "base", "count", "first", "masks", "mean", "measured", "metric", "rerank", "tail"
    )  # fmt: skip

    def __init__(
        self,
        base: Base,
        tail: Tail,
        alive: Mask,
        mean: Floats,
        metric: str,
        rerank: int = RUNGS[0],
        measured: int = 0,
        first: int = 0,
    ) -> None:
        """`rerank` candidates hold the ten nearest, where `first` words choose the rows that are
        read whole (0: as many as serve anything), as was `measured` among so many rows."""
        self.base, self.tail, self.alive, self.mean, self.metric = base, tail, alive, mean, metric
        self.rerank, self.measured = rerank, measured
        self.first = first or _most(width_of(len(mean)))
        self.count = int(np.count_nonzero(alive))
        self.masks: list[tuple[Ids, Mask]] = []  # of the filters that were asked last

    @classmethod
    def build(
        cls,
        batches: Iterable[tuple[Ids, Floats]],
        dimensions: int,
        metric: str = "cosine",
        sample: Sample | None = None,
        typical: Floats | None = None,
        expected: int = 0,
    ) -> "BinaryCodes":
        """Codes of the batches (ids, float32 matrix); the mean is that of `typical` rows, or of the
        first 65,536, which wait for it in memory. `expected` rows save memory.

        A sample of the rows tells how many candidates the codes need; without one it is 200.
        Raises ValueError for another number of dimensions, NaN or infinity.
        """
        if metric not in ("cosine", "l2", "ip"):
            raise ValueError(f"expected a metric in cosine, l2, ip, not {metric!r}")
        gathered = Gathered(width_of(dimensions), expected)
        waiting: list[tuple[Ids, Floats]] = []
        mean: Floats | None = None
        if typical is not None and len(typical):
            rows = ranked(typical, dimensions, metric)
            mean = mean_of([(np.zeros(len(rows), np.int64), rows)], dimensions)
        for ids, matrix in batches:
            rows = ranked(matrix, dimensions, metric)
            if sample is not None:
                sample.see(np.asarray(ids, np.int64), rows)
            waiting.append((np.asarray(ids, np.int64), rows))
            if mean is None and sum(len(i) for i, _ in waiting) < _MEAN_ROWS:
                continue
            if mean is None:
                mean = mean_of(waiting, dimensions)
            for numbers, matrix in waiting:
                gathered.add(numbers, *encode(matrix, mean, metric))
            waiting.clear()
        if mean is None:
            mean = mean_of(waiting, dimensions)
        for numbers, matrix in waiting:
            gathered.add(numbers, *encode(matrix, mean, metric))
        base = gathered.base()
        alive = np.ones(len(base.ids), np.bool_)
        codes = cls(base, Tail(width_of(dimensions)), alive, mean, metric)
        if sample is not None:
            codes.rerank = sample.rerank(codes._candidates)
            codes.measured = len(codes)
            codes.first = codes._fewer(sample)
        return codes

    def _fewer(self, sample: Sample) -> int:
        """The least number of first words that hold as many neighbours of the sample as most do."""
        most = self.first
        if self.metric != "cosine" or len(self.alive) <= _WHOLE:
            return most
        least = sample.found(self._candidates, self.rerank)
        for self.first in range(_LEAST, most):
            if sample.found(self._candidates, self.rerank) >= least - _LOST:
                break
        else:
            self.first = most
        return self.first

    def _candidates(self, target: Floats, rerank: int) -> Ids:
        return self._all_ids()[self._chosen(target, self._want(rerank), 0, None)]

    def _chosen(self, target: Floats, want: int, least: int, ok: Mask | None) -> Slots:
        """Half of `want` positions (`least` at least): of twice as many that bits find, the best
        by the query's numbers. That costs less than to fetch one vector in twenty of them."""
        return self._finer(target, self._near(target, 2 * want, ok), max(want // 2, least))

    def _want(self, rerank: int) -> int:
        """Lengths that are not one blur what the bits tell."""
        return rerank * (1 if self.metric == "cosine" else 2)

    def _next(self, alive: Mask) -> "BinaryCodes":
        return BinaryCodes(
            self.base, self.tail, alive, self.mean, self.metric, self.rerank, self.measured,
            self.first,
        )  # fmt: skip

    def __len__(self) -> int:
        return self.count

    @property
    def dimensions(self) -> int:
        return len(self.mean)

    @property
    def ids(self) -> Ids:
        return self._all_ids()[self.alive]

    @property
    def nbytes(self) -> int:
        """Bytes held, those mapped from a file counted too."""
        tail = self.tail.ids.nbytes + self.tail.words.nbytes + self.tail.lengths.nbytes
        return sum(part.nbytes for part in self.base) + tail + self.alive.nbytes

    def append(self, ids: Ids, matrix: Floats) -> "BinaryCodes":
        """The next snapshot with these rows; an id that is there already gets the new vector."""
        ids = np.asarray(ids, np.int64)
        _, last = np.unique(ids[::-1], return_index=True)
        keep = np.sort(len(ids) - 1 - last)
        rows = ranked(matrix, self.dimensions, self.metric)[keep]
        words, lengths = encode(rows, self.mean, self.metric)
        old = self._positions(ids)
        if self.metric == "cosine":
            lengths = np.zeros(len(keep), np.float32)
        with self.tail.lock:
            start = len(self.base.ids) + self.tail.add(ids[keep], words, lengths)
        alive = np.zeros(start + len(keep), np.bool_)
        alive[: len(self.alive)] = self.alive
        alive[old] = False
        alive[start:] = True
        return self._next(alive)

    def remove(self, ids: Iterable[int]) -> "BinaryCodes":
        """The next snapshot without these ids; those that are not there do not matter."""
        alive = self.alive.copy()
        alive[self._positions(_as_ids(ids))] = False
        return self._next(alive)

    def search(
        self,
        query: Floats,
        k: int,
        *,
        fetch: Fetch,
        rerank: int | None = None,
        allowed: "frozenset[int] | Ids | None" = None,
    ) -> tuple[Ids, Doubles]:
        """The k nearest ids and their exact distances, nearest first.

        The best half of `rerank` candidates (as many as were measured to be needed, and at least
        3 k) is compared by the floats of `fetch(ids)`, a float32 matrix in the order of ids. A
        filter that lets no more rows through is answered exactly. The distance is 1 - cosine, the
        Euclidean one, or minus the inner product.
        """
        if k < 0:
            raise ValueError(f"expected k of at least 0, not {k}")
        query = np.asarray(query, np.float32)
        target = ranked(query[None], self.dimensions, self.metric)[0]
        want = self._want(max(self.rerank if rerank is None else rerank, 4 * k))
        if k == 0 or not self.count:
            return np.zeros(0, np.int64), np.zeros(0)
        if allowed is None:
            ok = self.alive if self.count < len(self.alive) else None
            at = self._chosen(target, want, _TIMES * k, ok)
        else:
            at = self._near_of(target, want, k, _as_ids(allowed))
        ids = self._all_ids()[at]
        found = distances(fetch(ids), query, self.metric)
        order = np.lexsort((ids, found))[:k]
        return ids[order], found[order]

    def save(self, path: str | Path, token: str = "") -> None:
        """Writes the living rows to a file that replaces another at once, whole or not at all."""
        at = np.flatnonzero(self.alive)
        ids = self._all_ids()[at]
        order = np.argsort(ids)
        at = at[order]
        lengths = self._gather_lengths(at)
        head = codefile.Head(
            self.dimensions, len(at), self.metric, token, self.rerank, self.measured, self.first
        )
        words = (self._gather(word, at) for word in range(width_of(self.dimensions)))
        codefile.write(Path(path), head, [self.mean, ids[order], lengths, *words])

    @classmethod
    def load(cls, path: str | Path, token: str | None = None) -> "BinaryCodes":
        """Maps a file that `save` wrote. Raises ValueError when it is missing, damaged, of
        another version, or written with another token than the one expected."""
        head, body = codefile.read(Path(path), token)
        width = width_of(head.dimensions)
        mean, ids, lengths, words = codefile.split(head, body, width)
        base = Base(ids, words, lengths)
        alive = np.ones(head.rows, np.bool_)
        return cls(
            base, Tail(width), alive, np.array(mean), head.metric, head.rerank, head.measured,
            head.first,
        )  # fmt: skip

    def _all_ids(self) -> Ids:
        late = len(self.alive) - len(self.base.ids)
        return np.concatenate((self.base.ids, self.tail.ids[:late])) if late else self.base.ids

    def _positions(self, ids: Ids) -> Slots:
        """Where these ids live."""
        wanted = np.sort(ids)
        wanted = wanted[np.append(wanted[1:] != wanted[:-1], True)[: len(wanted)]]
        n = len(self.base.ids)
        found = np.zeros(0, np.intp)
        if self._dense() and len(wanted):
            at = wanted - self.base.ids[0]
            found = at[(at >= 0) & (at < n)]
        elif n and len(wanted):
            at = np.minimum(np.searchsorted(self.base.ids, wanted), n - 1)
            found = at[self.base.ids[at] == wanted]
        late = self.tail.ids[: len(self.alive) - n]
        if len(late):
            found = np.concatenate((found, n + np.flatnonzero(np.isin(late, wanted))))
        return found[self.alive[found]]

    def _dense(self) -> bool:
        """Whether an id tells its place in the base: none is missing in between."""
        ids = self.base.ids
        return bool(len(ids)) and int(ids[-1]) - int(ids[0]) == len(ids) - 1

    def _parts(self) -> list[tuple[int, Words]]:
        n = len(self.base.ids)
        late = len(self.alive) - n
        parts = [(0, self.base.words)] if n else []
        return [*parts, (n, self.tail.words[:, :late])] if late else parts

    def _scan(self, code: Words, words: range) -> NDArray[Any]:
        """In how many bits of these words each row differs from a code."""
        out = np.empty(len(self.alive), np.uint8 if len(words) <= 3 else np.uint16)
        mixed = np.empty(_BLOCK, np.uint64)
        bits = np.empty(_BLOCK, np.uint8)
        for offset, matrix in self._parts():
            for start in range(0, matrix.shape[1], _BLOCK):
                end = min(start + _BLOCK, matrix.shape[1])
                target = out[offset + start : offset + end]
                x, c = mixed[: end - start], bits[: end - start]
                for number, word in enumerate(words):
                    np.bitwise_xor(matrix[word, start:end], code[word], out=x)
                    if number == 0:
                        np.bitwise_count(x, out=target)
                    else:
                        np.bitwise_count(x, out=c)
                        np.add(target, c, out=target)
        return out

    def _gather(self, word: int, at: Slots) -> Words:
        """One word of the rows at sorted or unsorted positions."""
        n = len(self.base.ids)
        late = at >= n
        out: Words = np.empty(len(at), np.uint64)
        if len(self.alive) == n:
            return np.take(self.base.words[word], at, out=out)
        out[~late] = self.base.words[word].take(at[~late])
        out[late] = self.tail.words[word].take(at[late] - n)
        return out

    def _gather_lengths(self, at: Slots) -> Floats:
        if self.metric == "cosine":
            return np.zeros(0, np.float32)
        late = len(self.alive) - len(self.base.ids)
        return np.concatenate((self.base.lengths, self.tail.lengths[:late]))[at]

    def _differ(self, code: Words, at: Slots, words: range) -> NDArray[Any]:
        total = np.zeros(len(at), np.uint16)
        for word in words:
            total += np.bitwise_count(self._gather(word, at) ^ code[word])
        return total

    def _near(self, target: Floats, want: int, ok: Mask | None) -> Slots:
        """Some more than `want` positions that seem nearest, of all (or of those that are ok)."""
        code = self._code(target)
        width = len(code)
        if self.metric != "cosine" or len(self.alive) <= _WHOLE or width <= 3:
            at = np.arange(len(self.alive)) if ok is None else np.flatnonzero(ok)
            differ = self._scan(code, range(width))
            return self._best(target, differ if ok is None else differ[at], at, want)
        first = range(self.first)
        coarse = self._scan(code, first)
        if ok is not None:  # what is not asked for seems furthest
            last = coarse.dtype.type(-1 % (1 << 8 * coarse.itemsize))
            np.bitwise_or(coarse, np.multiply(~ok, last, dtype=coarse.dtype), out=coarse)
        below = np.cumsum(np.bincount(coarse[::_SAMPLE], minlength=1)) * _SAMPLE
        cut = int(np.searchsorted(below, max(_SURVIVORS, min(8 * want, 5 * want + _SURVIVORS))))
        cut = min(cut, 64 * len(first))
        at = np.flatnonzero(coarse <= cut)
        while len(at) < want and cut < 64 * len(first):
            cut = min(cut + 4, 64 * len(first))
            at = np.flatnonzero(coarse <= cut)
        differ = coarse[at] + self._differ(code, at, range(len(first), width))
        return self._best(target, differ, at, want)

    def _near_of(self, target: Floats, want: int, k: int, allowed: Ids) -> Slots:
        """What is near of so few rows lies further out, where bits tell less: more of them are
        looked at by the query's own numbers."""
        wide = want * max(2, min(_WIDER, 2 * len(self.alive) // max(1, len(allowed))))
        if len(allowed) * 16 > len(self.alive):
            ok = self._mask(allowed)
            inside = np.flatnonzero(ok) if len(allowed) <= wide else None
            at = self._near(target, wide, ok) if inside is None else inside
        else:
            at = np.sort(self._positions(allowed))
            if len(at) > wide:
                code = self._code(target)
                at = self._best(target, self._differ(code, at, range(len(code))), at, wide)
        return self._finer(target, at, max(want, _TIMES_OF * k))

    def _finer(self, target: Floats, at: Slots, want: int) -> Slots:
        """The best of some positions by the query's own numbers at their bits.

        A row is its mean and a step of its length: to one side or the other in each dimension.
        """
        if len(at) <= want:
            return at
        width = width_of(self.dimensions)
        words = np.stack([self._gather(word, at) for word in range(width)])
        dealt = words.view(np.uint8).reshape(width, len(at), 8)
        packed = dealt.transpose(1, 2, 0).reshape(len(at), 8 * width)
        side = target - self.mean if self.metric == "l2" else target
        near = np.empty(len(at), np.float32)
        for start in range(0, len(at), 256):  # so that numpy's work stays in the cache
            bits = np.unpackbits(packed[start : start + 256], axis=1, count=self.dimensions)
            near[start : start + 256] = bits.astype(np.float32) @ side
        if self.metric != "cosine":
            lengths = self._gather_lengths(at)
            near = (2.0 * near - side.sum()) * lengths / np.float32(np.sqrt(self.dimensions))
            if self.metric == "l2":
                near = 2.0 * near - lengths * lengths
        return at[np.argpartition(-near, want)[:want]]

    def _mask(self, allowed: Ids) -> Mask:
        """Which positions live and are allowed; kept for the next query with the same filter."""
        for known, mask in self.masks:
            if known is allowed:
                return mask
        if self._dense():
            mask = np.zeros(len(self.alive), np.bool_)
            mask[self._positions(allowed)] = True
        else:
            mask = self.alive & among(self._all_ids(), allowed)
        self.masks = [(allowed, mask), *self.masks[: _MASKS - 1]]
        return mask

    def _code(self, target: Floats) -> Words:
        """Inner products rank by the angle to the query itself, the others to query - mean."""
        mean = np.zeros_like(self.mean) if self.metric == "ip" else self.mean
        return bits_of(target[None], mean)[:, 0]

    def _best(self, target: Floats, differ: NDArray[Any], at: Slots, want: int) -> Slots:
        if len(at) <= want:
            return at
        if self.metric == "cosine":
            return at[np.argpartition(differ, want)[:want]]
        # The share of differing bits estimates the angle between x - mean and the query's side.
        angle = np.cos(np.pi * np.arange(self.dimensions + 1) / self.dimensions)
        near = angle.astype(np.float32)[differ]
        lengths = self._gather_lengths(at)
        if self.metric == "ip":
            return at[np.argpartition(-lengths * near, want)[:want]]
        reach = np.float32(2.0 * np.linalg.norm(target - self.mean))
        return at[np.argpartition(lengths * (lengths - reach * near), want)[:want]]


def _most(width: int) -> int:
    """The words that choose the rows to be read whole where nothing was measured."""
    return max(3, width // 4)


def _as_ids(ids: "Iterable[int] | Ids") -> Ids:
    if isinstance(ids, np.ndarray):
        return ids.astype(np.int64, copy=False)
    return np.fromiter(ids, np.int64)
