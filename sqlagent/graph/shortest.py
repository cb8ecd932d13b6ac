"""The shortest way between two entities by weight: Dijkstra's search (1959).

A step costs 1 / weight: what is strongly related is near. What weighs nothing, or less, is no way.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from sqlagent.graph.edges import Choice, Step, steps
from sqlagent.graph.paths import Path, rows

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

AHEAD = 256  # entities whose relations are read together, the nearest of those waiting


def shortest_path(handle: Handle, start: int, end: int, choice: Choice) -> list[tuple[Any, ...]]:
    """The row of shortest_path(): that of paths() and the cost; none where no way leads there.

    Of ways of one cost that with the fewest steps.
    """
    if start == end:
        return []
    best: dict[int, tuple[float, int]] = {start: (0.0, 0)}
    came: dict[int, Step] = {}
    known: dict[int, list[Step]] = {}
    heap: list[tuple[float, int, int]] = [(0.0, 0, start)]
    while heap:
        cost, length, here = heapq.heappop(heap)
        if (cost, length) > best[here]:
            continue
        if here == end:
            return [(*row, cost) for row in rows(handle, [way(came, start, end)])]
        if here not in known:
            read(handle, here, heap, known, choice)
        for step in known.pop(here):
            if step.weight <= 0:
                continue
            reach = (cost + 1 / step.weight, length + 1)
            if reach < best.get(step.end, (float("inf"), 0)):
                best[step.end], came[step.end] = reach, step
                heapq.heappush(heap, (*reach, step.end))
    return []


def read(
    handle: Handle,
    here: int,
    heap: list[tuple[float, int, int]],
    known: dict[int, list[Step]],
    choice: Choice,
) -> None:
    """Read the steps from an entity, and from those that are likely to be next."""
    ids = {here, *(e[2] for e in heapq.nsmallest(min(AHEAD, len(known) + 8), heap))}
    ids -= known.keys()
    for one in ids:
        known[one] = []
    for step in steps(handle, ids, choice):
        known[step.start].append(step)


def way(came: dict[int, Step], start: int, end: int) -> Path:
    """The path that was found, from the last step of each entity on it."""
    taken: list[Step] = []
    while end != start:
        taken.append(came[end])
        end = came[end].start
    taken.reverse()
    return Path(tuple(taken), sum(s.weight for s in taken))
