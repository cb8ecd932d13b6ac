"""Some rows of a collection as questions, whose exact neighbours are found while it is coded.

They tell how many candidates of the codes must be compared by their floats for the ten nearest to
be among them: 200 where vectors lie in topics, thousands where nothing but chance orders them.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from .bits import ranked
from .rows import Floats, Ids

NEAREST: Final = 10
RUNGS: Final = (200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600)  # candidates
ENOUGH: Final = 0.97  # share of the neighbours: what is promised is .95, and a sample may err
_ASIDE: Final = 0.2  # how far a question lies from its row, towards another one
# Products of smaller matrices than this are left by OpenBLAS to one thread. Others wake a second
# one, which then spins until the next batch: twice the processor's time for nothing.
_PRODUCT: Final = 200_000
_KEPT: Final = 32  # more than ten, to see whether others are just as near as the tenth


class Sample:
    """Questions, and the nearest rows to each among those seen so far."""

    def __init__(self, ids: Ids, matrix: Floats, metric: str) -> None:
        """`ids` are those of the rows of `matrix`; no row counts as a neighbour of its question.

        Questions are seldom rows of the collection, so each is moved a part of the way to another.
        """
        self.ids, self.metric = np.asarray(ids, np.int64), metric
        rows = ranked(matrix, matrix.shape[1], metric)
        moved = (1 - _ASIDE) * rows + _ASIDE * np.roll(rows, 1, axis=0)
        self.targets = ranked(moved, matrix.shape[1], metric)
        nothing = np.zeros(0, np.int64), np.zeros(0, np.float32)
        self.best: list[tuple[Ids, Floats]] = [nothing] * len(self.ids)

    def see(self, ids: Ids, rows: Floats) -> None:
        """Look for neighbours among some more rows, given as they are ranked."""
        with np.errstate(over="ignore", invalid="ignore"):
            near = products(self.targets, rows)
            if self.metric == "l2":
                near = 2.0 * near - np.einsum("ij,ij->i", rows, rows)
        near[self.ids[:, None] == ids] = -np.inf
        for number, (held, score) in enumerate(self.best):
            least = score[-1] if len(score) == _KEPT else -np.inf
            at = np.flatnonzero(near[number] > least)
            if not len(at):
                continue
            score = np.concatenate((score, near[number, at]))
            order = np.argsort(-score, kind="stable")[:_KEPT]
            self.best[number] = np.concatenate((held, ids[at]))[order], score[order]

    def share(self, number: int, found: Ids) -> float:
        """Which part of a question's nearest rows was found; of rows equally near, any will do."""
        ids, score = self.best[number]
        k = min(NEAREST, len(ids))
        if not k:
            return 1.0
        least = score[k - 1]
        slack = np.float32(1e-6) * max(np.float32(1.0), abs(least))
        nearer = ids[score > least + slack]
        as_near = ids[len(nearer) :][score[len(nearer) :] >= least - slack]
        rest = k - len(nearer)
        if len(nearer) + len(as_near) < _KEPT:  # else they are more than were kept
            rest = min(rest, int(np.count_nonzero(np.isin(as_near, found))))
        return (int(np.count_nonzero(np.isin(nearer, found))) + rest) / k

    def rerank(self, find: Callable[[Floats, int], Ids]) -> int:
        """The least number of candidates by `find(target, rerank)` that hold enough neighbours."""
        if not len(self.ids):
            return RUNGS[0]
        for rung in RUNGS[:-1]:
            if self.found(find, rung) >= ENOUGH:
                return rung
        return RUNGS[-1]

    def found(self, find: Callable[[Floats, int], Ids], rerank: int) -> float:
        """Which part of all the questions' nearest rows is among the candidates of `find`."""
        shares = [self.share(n, find(x, rerank)) for n, x in enumerate(self.targets)]
        return sum(shares) / max(1, len(shares))


def products(targets: Floats, rows: Floats) -> Floats:
    """The inner products of each target with each row."""
    turned = np.ascontiguousarray(targets.T)
    block = max(1, _PRODUCT // max(1, targets.size))
    whole = len(rows) // block * block
    near = np.empty((len(rows), len(targets)), np.float32)
    if whole:
        near[:whole] = (rows[:whole].reshape(-1, block, rows.shape[1]) @ turned).reshape(whole, -1)
    near[whole:] = rows[whole:] @ turned
    return np.ascontiguousarray(near.T)
