"""Vectors as bits: which side of the mean each dimension lies on, 64 of them to a word."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .rows import Floats, Ids
from .vectors import unit

Words: TypeAlias = NDArray[np.uint64]


class Base(NamedTuple):
    """The rows in the order of their ids, perhaps mapped from a file."""

    ids: Ids
    words: Words
    lengths: Floats  # of x - mean; empty under cosine


def width_of(dimensions: int) -> int:
    return (dimensions + 63) // 64


def ranked(matrix: Floats, dimensions: int, metric: str) -> Floats:
    """The rows as they are ranked: of length one under cosine."""
    matrix = np.asarray(matrix, np.float32)
    if matrix.ndim != 2 or matrix.shape[1] != dimensions:
        raise ValueError(f"expected {dimensions} dimensions, not {matrix.shape[-1]}")
    if not np.isfinite(matrix).all():
        raise ValueError("expected finite numbers in a vector, found NaN or infinity")
    return unit(matrix) if metric == "cosine" else matrix


def mean_of(parts: list[tuple[Ids, Floats]], dimensions: int) -> Floats:
    rows = sum(len(matrix) for _, matrix in parts)
    total = np.zeros(dimensions)
    for _, matrix in parts:
        total += matrix.sum(axis=0, dtype=np.float64)
    return (total / max(1, rows)).astype(np.float32)


def bits_of(matrix: Floats, mean: Floats) -> Words:
    """Codes as (words, rows). The bytes of a row are dealt out to its words in turn, so that the
    words that are read first know of every part of the vector."""
    width = width_of(len(mean))
    packed = np.zeros((len(matrix), 8 * width), np.uint8)
    bits = np.packbits(matrix > mean, axis=1)
    packed[:, : bits.shape[1]] = bits
    dealt = np.ascontiguousarray(packed.reshape(-1, 8, width).transpose(2, 0, 1))
    words: Words = dealt.view(np.uint64)[:, :, 0]
    return words


def encode(matrix: Floats, mean: Floats, metric: str) -> tuple[Words, Floats]:
    words = np.empty((width_of(len(mean)), len(matrix)), np.uint64)
    lengths = np.zeros(0 if metric == "cosine" else len(matrix), np.float32)
    for start in range(0, len(matrix), 8192):
        part = matrix[start : start + 8192]
        words[:, start : start + 8192] = bits_of(part, mean)
        if metric != "cosine":
            lengths[start : start + 8192] = np.linalg.norm(part - mean, axis=1)
    return words, lengths


class Gathered:
    """Codes while they are made: in arrays of the expected size, which a process gives back whole,
    where many small ones would leave its memory in pieces."""

    def __init__(self, width: int, expected: int) -> None:
        self.used = 0
        self.ids: Ids = np.zeros(max(1024, expected), np.int64)
        self.words: Words = np.zeros((width, len(self.ids)), np.uint64)
        self.lengths: Floats = np.zeros(0, np.float32)

    def add(self, ids: Ids, words: Words, lengths: Floats) -> None:
        """Some more rows; `lengths` is empty under cosine."""
        start, end = self.used, self.used + len(ids)
        if end > len(self.ids):
            room = 2 * end
            self.ids = wider(self.ids, room)
            self.words = wider(self.words, room)
        if len(lengths) and end > len(self.lengths):
            self.lengths = wider(self.lengths, len(self.ids))
        self.ids[start:end] = ids
        self.words[:, start:end] = words
        if len(lengths):
            self.lengths[start:end] = lengths
        self.used = end

    def base(self) -> Base:
        """All rows in the order of their ids; of rows with one id the last counts."""
        ids, words = self.ids[: self.used], self.words[:, : self.used]
        lengths = self.lengths[: self.used]
        if self.used < 2 or (np.diff(ids) > 0).all():
            return Base(ids, words, lengths)
        order = np.argsort(ids, kind="stable")
        ids = ids[order]
        last = np.append(ids[1:] != ids[:-1], True)
        order = order[last]
        for word in words:
            word[: len(order)] = word[order]
        return Base(ids[last], words[:, : len(order)], lengths[order] if len(lengths) else lengths)


def wider(array: NDArray[Any], room: int) -> NDArray[Any]:
    """The same with room for more in its last dimension."""
    out = np.zeros((*array.shape[:-1], room), array.dtype)
    out[..., : array.shape[-1]] = array
    return out
