"""Where the entities of a drawing stand: Fruchterman and Reingold's forces, the same every time.

T. Fruchterman, E. Reingold, Graph Drawing by Force-directed Placement, 1991: what is related pulls,
all that is near pushes (as in their grid variant), and what moves slows down. A weak pull to the
middle keeps parts together that no relation joins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

STEPS = 300
PULL = 0.03  # to the middle, beside 1 of a relation
NEAR = 3.5  # lengths of a relation
GOLDEN = math.pi * (3.0 - math.sqrt(5.0))


def places(count: int, pairs: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
    """x and y of so many points, in lengths of a relation; `pairs` are the related ones.

    The first point starts in the middle, and the rest in a spiral around it.
    """
    import numpy as np

    if not count:
        return []
    turn = np.arange(count) * GOLDEN
    at = np.sqrt(np.arange(count))[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    first = np.array([a for a, b in pairs if a != b], np.int64)
    other = np.array([b for a, b in pairs if a != b], np.int64)
    for step in range(STEPS):
        apart = at[:, None, :] - at[None, :, :]
        squares = np.maximum((apart * apart).sum(axis=2), 1e-4)
        np.fill_diagonal(squares, np.inf)
        squares[squares > NEAR * NEAR] = np.inf
        push = (apart / squares[:, :, None]).sum(axis=1)
        along = at[other] - at[first]
        pull = along * np.sqrt((along * along).sum(axis=1))[:, None]
        moves = push - PULL * at
        np.add.at(moves, first, pull)
        np.add.at(moves, other, -pull)
        length = np.sqrt((moves * moves).sum(axis=1))[:, None]
        most = math.sqrt(count) * 0.2 * (1.0 - step / STEPS) + 0.01
        at = at + moves * np.minimum(1.0, most / np.maximum(length, 1e-9))
    return [(float(x), float(y)) for x, y in at]
