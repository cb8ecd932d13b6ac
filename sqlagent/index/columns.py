"""Rows turned into arrays: one `Batch` is what an index is built from or grows by."""

import math
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .rows import Doubles, Floats, Ids, Mask, Row
from .sequences import Sequence
from .times import asks, bounded, is_numbered
from .vectors import checked, unit
from .vocabulary import Vocabulary
from .words import forms, is_name, name_key

_LENGTH_CAP: Final = math.log(400.0)


class Columns(NamedTuple):
    """What is known of each row, besides its words and vector; element i is row (or slot) i."""

    ids: Ids
    created: Doubles
    session: NDArray[np.int64]  # 0: none
    speaker: NDArray[np.int32]  # 0: none
    length: Floats
    tokens: Floats
    decay: Floats
    activation: Floats
    retention: Floats
    has_vector: Mask
    tells_time: Mask
    asks: Mask

    def arrays(self) -> list[NDArray[Any]]:
        return [getattr(self, name) for name in self._fields]

    def each(self, change: "Callable[[NDArray[Any]], NDArray[Any]]") -> "Columns":
        """The columns, each changed alike."""
        return Columns._make(change(column) for column in self.arrays())

    def take(self, index: "NDArray[np.intp]") -> "Columns":
        return self.each(lambda column: column[index])

    @property
    def nbytes(self) -> int:
        return sum(column.nbytes for column in self.arrays())


class Postings(NamedTuple):
    """Which form stands in which row, and how often; one element a pair."""

    term: NDArray[np.int64]
    row: NDArray[np.int64]
    times: Floats


class Codes:
    """Names to numbers from 0 on, in the order they were met. Callers hold the store's lock."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.of = {name: code for code, name in enumerate(known)}

    def add(self, name: str) -> int:
        return self.of.setdefault(name, len(self.of))


class Batch(NamedTuple):
    columns: Columns
    postings: Postings
    matrix: Floats | None  # the vectors of the rows that have one, in their order
    words: Sequence


def concat(first: Columns, second: Columns) -> Columns:
    return Columns._make(
        np.concatenate(pair) for pair in zip(first.arrays(), second.arrays(), strict=True)
    )


def count_terms(term: NDArray[np.int64], row: NDArray[np.int64], rows: int) -> Postings:
    """Repeats of a term in a row counted, in the order of the terms, then of the rows."""
    key = term * max(rows, 1) + row
    key.sort()
    first = np.ones(len(key), np.bool_)
    np.not_equal(key[1:], key[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    count = np.diff(np.append(starts, len(key))).astype(np.float32)
    term, row = np.divmod(key[starts], max(rows, 1))
    return Postings(term, row, count)


def batch_of(
    rows: Iterable[Row],
    dimensions: int | None,
    metric: str,
    words: bool,
    vocabulary: Vocabulary,
    sessions: Codes,
    speakers: Codes,
) -> tuple[Batch, int | None]:
    """The rows as arrays, and the dimensions of their vectors (taken from the first if None).

    Raises ValueError before anything is kept, when a vector has other dimensions or a number in
    it that is not finite. Of rows with one id the last counts.
    """
    unique = list({row.id: row for row in rows}.values())
    blobs = [row.vector for row in unique if row.vector is not None]
    matrix = None
    if blobs:
        if dimensions is None:
            dimensions = max(1, len(blobs[0]) // 4)
        matrix = checked(blobs, dimensions)
        if metric == "cosine":
            matrix = unit(matrix)
    n = len(unique)
    sequence, told = _words(unique, vocabulary) if words else _no_words(n)
    row_of = np.repeat(np.arange(n), sequence.sizes)
    postings = count_terms(sequence.codes.astype(np.int64), row_of, n)
    strengths = np.array(
        [bounded(row.decay, row.activation, row.retention) for row in unique], np.float32
    ).reshape(n, 3)
    decay, activation, retention = np.ascontiguousarray(strengths.T)
    columns = Columns(
        np.fromiter((row.id for row in unique), np.int64, n),
        np.fromiter((row.created_at for row in unique), np.float64, n),
        np.fromiter((_code(sessions, row.session, str) for row in unique), np.int64, n),
        np.fromiter((_code(speakers, row.speaker, _speaker) for row in unique), np.int32, n),
        np.fromiter((_length(len(row.head) + len(row.text)) for row in unique), np.float32, n),
        sequence.sizes.astype(np.float32),
        decay,
        activation,
        retention,
        np.fromiter((row.vector is not None for row in unique), np.bool_, n),
        told,
        np.fromiter((asks(row.text) for row in unique), np.bool_, n),
    )
    return Batch(columns, postings, matrix, sequence), dimensions


def _words(rows: list[Row], vocabulary: Vocabulary) -> tuple[Sequence, Mask]:
    """The words of each row, and whether they tell a time."""
    sizes: list[int] = []
    flat: list[int] = []
    told: list[bool] = []
    for row in rows:
        codes = vocabulary.add_all(forms(row.text))
        told.append(not vocabulary.timely.isdisjoint(codes) or is_numbered(row.text))
        if row.head:
            codes += vocabulary.add_all(forms(row.head))
        sizes.append(len(codes))
        flat += codes
    words = Sequence(np.array(flat, np.int32), np.fromiter(sizes, np.int64, len(sizes)))
    return words, np.array(told, np.bool_)


def _no_words(rows: int) -> tuple[Sequence, Mask]:
    return Sequence(np.zeros(0, np.int32), np.zeros(rows, np.int64)), np.zeros(rows, np.bool_)


def _code(codes: Codes, name: str | None, key: Callable[[str], str]) -> int:
    """Code 0 is that of no name at all: every `Codes` of sessions and speakers begins with ''."""
    return codes.add(key(name)) if name else 0


def _speaker(name: str) -> str:
    return name_key(name) if is_name(name) else ""


def _length(characters: int) -> float:
    return min(1.0, math.log1p(characters) / _LENGTH_CAP)


def reranked(order: "NDArray[np.intp]", base: int = 0) -> "NDArray[np.intp]":
    """Where each element goes when a sequence is put in this order."""
    place = np.empty(len(order), np.intp)
    place[order] = np.arange(base, base + len(order))
    return place
