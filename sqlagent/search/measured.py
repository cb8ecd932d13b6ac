"""How much of the truth each way of searching a collection finds, on its own rows.

Rows from all over the collection are asked for, each moved a part of the way to another, since
questions are seldom rows; a scan of all says what is nearest. A found row counts where it is no
further than the k-th of these, so ties do not matter.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sqlagent.index.bits import ranked
from sqlagent.index.codes import BinaryCodes
from sqlagent.index.near import distances
from sqlagent.index.sample import RUNGS, Sample, products
from sqlagent.search.codes import GROWTH, SAMPLED, batches, coded
from sqlagent.search.kinds import Key, space_in

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Handle

QUESTIONS = 50
PROMISED = 0.95  # of codes without any setting: they are built for .97 on a sample
MARGIN = 0.01  # what a sample may err by
SLACK = 1e-6
SPARE = 16  # rows of a batch beyond k: sums of float32 order only roughly
Found = tuple[list[int], list[float]]


class Way(NamedTuple):
    """A way of searching: its name, and what it finds for a query of float32 bytes."""

    name: str
    find: Callable[[bytes, int], Found]


class Truth(NamedTuple):
    """Questions, the exact distance of the k-th nearest row to each, and what a scan cost."""

    queries: Any
    asked: list[int]  # the row that each was made of
    nearest: list[tuple[Any, Any]]  # (ids, distances), the nearest first
    milliseconds: float


def truth(handle: Handle, key: Key, k: int, count: int) -> Truth:
    """Questions of a collection and their nearest rows, by a scan."""
    measure = space_in(key).measure
    ids = [r[0] for r in handle.execute(SAMPLED, (key.scope, count))]
    parts = list(batches(handle, key, ids))
    if not parts:
        return Truth(np.zeros((0, key.dimensions or 1), np.float32), [], [], 0.0)
    own, rows = (np.concatenate(part) for part in zip(*parts, strict=True))
    queries = Sample(own, rows, measure).targets
    if space_in(key).metric == "hamming":
        queries = np.rint(queries)
    best: list[tuple[Any, Any]] = [(np.zeros(0, np.int64), np.zeros(0))] * len(queries)
    targets = ranked(queries, queries.shape[1], measure)
    start, compared = time.thread_time(), 0.0
    for numbers, matrix in batches(handle, key):
        before = time.thread_time()
        near = nearness(targets, matrix, measure)
        for place, query in enumerate(queries):
            best[place] = closer(best[place], numbers, matrix, near[place], query, measure, k + 1)
        compared += time.thread_time() - before
    # One question alone would read as much, and compare its own share.
    reading = time.thread_time() - start - compared
    spent = 1000 * (reading + compared / max(1, len(queries)))
    nearest = []
    for place, (numbers, far) in enumerate(best):
        other = numbers != own[place]
        nearest.append((numbers[other][:k], far[other][:k]))
    return Truth(queries, own.tolist(), nearest, spent)


def nearness(targets: Any, matrix: Any, measure: str) -> Any:
    """Higher is nearer, of each target (as it is ranked) and each row."""
    rows = ranked(matrix, matrix.shape[1], measure)
    with np.errstate(over="ignore", invalid="ignore"):
        near = products(targets, rows)
        if measure == "l2":
            near = 2.0 * near - np.einsum("ij,ij->i", rows, rows)
    return near


def closer(
    best: tuple[Any, Any], ids: Any, matrix: Any, near: Any, query: Any, measure: str, k: int
) -> tuple[Any, Any]:
    """The k nearest of those known and some more rows, whose nearness is only nearly exact."""
    want = k + SPARE
    at = np.argpartition(-near, want - 1)[:want] if len(near) > want else np.arange(len(near))
    far = np.concatenate((best[1], distances(matrix[at], query, measure)))
    numbers = np.concatenate((best[0], ids[at]))
    order = np.lexsort((numbers, far))[:k]
    return numbers[order], far[order]


def scanned(context: Context, key: Key, vector: bytes, k: int, allowed: Any) -> Found:
    """The exact answer by reading all of a collection, whatever its size, in little memory."""
    measure = space_in(key).measure
    query = np.frombuffer(vector, "<f4")
    target = ranked(query[None], len(query), measure)
    best: tuple[Any, Any] = np.zeros(0, np.int64), np.zeros(0)
    with context.reading() as handle:
        for ids, matrix in batches(handle, key):
            if allowed is not None:
                inside = np.isin(ids, allowed)
                ids, matrix = ids[inside], matrix[inside]
            if len(ids) and k:
                near = nearness(target, matrix, measure)[0]
                best = closer(best, ids, matrix, near, query, measure, k)
    return best[0].tolist(), best[1].tolist()


def recall(told: Truth, way: Way, k: int) -> tuple[float, float]:
    """(share of the nearest that a way finds, milliseconds of CPU a query: the median)."""
    hits, wanted, took = 0, 0, []
    for place, query in enumerate(told.queries):
        start = time.thread_time()
        ids, far = way.find(query.astype("<f4").tobytes(), k + 1)
        took.append(1000 * (time.thread_time() - start))
        true = told.nearest[place][1]
        if not len(true):
            continue
        limit = true[-1] + SLACK * max(1.0, abs(true[-1]))
        found = [d for i, d in zip(ids, far, strict=True) if i != told.asked[place]]
        hits += sum(d <= limit for d in found[: len(true)])
        wanted += len(true)
    return (hits / wanted if wanted else 1.0), float(np.median(took)) if took else 0.0


class Measured:
    """What the codes of a file's collections need for a recall: a service of the database."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known: dict[tuple[Key, float], tuple[int | None, int]] = {}

    def rerank(
        self, context: Context, key: Key, codes: BinaryCodes, least: float, fetch: Any
    ) -> int | None:
        """How many candidates hold so much of the ten nearest; None where no number does.

        Measured at the first question, and again when the collection has grown by half.
        """
        with self.lock:
            rung, rows = self.known.get((key, least), (None, 0))
        if rows and len(codes) <= GROWTH * rows:
            return rung
        with context.database.snapshot() as handle:
            told = truth(handle, key, 10, QUESTIONS)
        rung = None
        for candidates in (r for r in RUNGS if r >= codes.rerank):

            def find(vector: bytes, k: int, candidates: int = candidates) -> Found:
                query = np.frombuffer(vector, "<f4")
                ids, far = codes.search(query, k, fetch=fetch, rerank=candidates)
                return ids.tolist(), far.tolist()

            share, _ = recall(told, Way("codes", find), 10)
            if share >= min(1.0, least + MARGIN):
                rung = candidates
                break
        with self.lock:
            self.known[key, least] = rung, len(codes)
        return rung

    def close(self) -> None:
        with self.lock:
            self.known.clear()


def candidates_for(context: Context, key: Key, codes: BinaryCodes, fetch: Any) -> int | None:
    """How many candidates of the codes the setting min_recall asks for; None: all rows."""
    least = float(context.settings.get("min_recall", PROMISED))
    if least <= PROMISED:
        return codes.rerank
    found: Any = context.database.services.get("measured")
    if found is None:
        with context.database.lock:
            found = context.database.services.setdefault("measured", Measured())
    rung: int | None = found.rerank(context, key, codes, least, fetch)
    return rung


def ways(context: Context, key: Key, fetch: Any) -> list[Way]:
    """The ways of searching a collection that there are, but for the scan."""
    found: list[Way] = []
    codes = None if context.database.memory else coded(context, key, space_in(key).measure)
    if codes is None:
        from sqlagent.search.scopes import scopes

        def in_memory(vector: bytes, k: int) -> Found:
            index = scopes(context.database).index(context, key)
            if not len(index):
                return [], []
            ids, far = index.nearest(vector, k, None, fetch)
            return ids.tolist(), far.tolist()

        found.append(Way("memory", in_memory))
    else:
        bits = codes

        def by_codes(vector: bytes, k: int) -> Found:
            query = np.frombuffer(vector, "<f4")
            ids, far = bits.search(query, k, fetch=fetch)
            return ids.tolist(), far.tolist()

        found.append(Way("codes", by_codes))
    return found
