"""PageRank by power iteration, weighted (L. Page and others, 1999)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sqlagent.errors import DataError
from sqlagent.graph.arrays import called, read
from sqlagent.graph.limit import go_on

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle
    from sqlagent.graph.edges import Choice

ROUNDS_MAX = 200
ENOUGH = 1e-10  # the sum of all changes in a round


def pagerank(handle: Handle, choice: Choice, damping: float) -> list[tuple[Any, ...]]:
    """(entity, score), the highest first; the scores of all add up to 1."""
    if not 0 <= damping < 1:
        raise DataError(f"damping is a number from 0 to below 1, not {damping}")
    graph = read(handle, choice)
    n = len(graph.ids)
    if not n:
        return []
    start, end, weight = graph.subject, graph.object, graph.weight
    if choice.direction == "in":
        start, end = end, start
    elif choice.direction == "both":
        start, end = np.concatenate((start, end)), np.concatenate((end, start))
        weight = np.concatenate((weight, weight))
    out = np.bincount(start, weight, n)
    share = weight / out[start]
    dangling = out == 0
    score = np.full(n, 1 / n)
    for _ in range(ROUNDS_MAX):
        go_on(handle)
        lost = score[dangling].sum() / n
        new = np.bincount(end, score[start] * share, n)
        new = damping * (new + lost) + (1 - damping) / n
        change = np.abs(new - score).sum()
        score = new
        if change < ENOUGH:
            break
    names = called(handle, graph)
    rows = [(a, float(s)) for a, s in zip(names, score.tolist(), strict=True) if a is not None]
    rows.sort(key=lambda r: (-r[1], r[0]))
    return rows
