"""The shortest way between two entities by weight: Dijkstra's search (1959), from both ends.

A step costs 1 / weight: what is strongly related is near. What weighs nothing, or less, is no way.
Searching from both ends at once (I. Pohl, Bi-directional search, 1971) reads far fewer entities.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from sqlagent.graph.edges import Choice, Step, steps
from sqlagent.graph.paths import Path, rows

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

AHEAD = 256  # entities whose relations are read together at most: the nearest of those waiting
Reach = tuple[float, int]  # a cost, then the number of steps
NEVER: Reach = (float("inf"), 0)


class Side:
    """The search from one end."""

    def __init__(self, handle: Handle, end: int, choice: Choice) -> None:
        self.handle, self.choice = handle, choice
        self.best: dict[int, Reach] = {end: (0.0, 0)}
        self.came: dict[int, Step] = {}
        self.known: dict[int, list[Step]] = {}
        self.heap: list[tuple[float, int, int]] = [(0.0, 0, end)]
        self.ahead = 1

    def nearest(self) -> Reach:
        """How far the nearest entity is that is not settled; NEVER where none is."""
        heap = self.heap
        while heap and heap[0][:2] > self.best[heap[0][2]]:
            heapq.heappop(heap)
        return heap[0][:2] if heap else NEVER

    def settle(self) -> list[Step]:
        """Settle the nearest entity; the steps that led to something nearer than was known."""
        cost, length, here = heapq.heappop(self.heap)
        if here not in self.known:
            self.read(here)
        better = []
        for step in self.known.pop(here):
            if step.weight <= 0:
                continue
            reach = (cost + 1 / step.weight, length + 1)
            if reach < self.best.get(step.end, NEVER):
                self.best[step.end], self.came[step.end] = reach, step
                heapq.heappush(self.heap, (*reach, step.end))
                better.append(step)
        return better

    def read(self, here: int) -> None:
        """Read the steps from an entity, and from those that are likely to be next."""
        ids = {here, *(e[2] for e in heapq.nsmallest(self.ahead, self.heap))} - self.known.keys()
        self.ahead = min(AHEAD, 2 * self.ahead)
        for one in ids:
            self.known[one] = []
        for step in steps(self.handle, ids, self.choice):
            self.known[step.start].append(step)

    def way(self, end: int) -> list[Step]:
        """The steps to an entity, the last one first."""
        taken = []
        while end in self.came:
            taken.append(self.came[end])
            end = self.came[end].start
        return taken


def shortest_path(handle: Handle, start: int, end: int, choice: Choice) -> list[tuple[Any, ...]]:
    """The row of shortest_path(): that of paths() and the cost; none where no way leads there.

    Of ways of one cost that with the fewest steps.
    """
    if start == end:
        return []
    sides = Side(handle, start, choice), Side(handle, end, choice.turned())
    found, meeting = NEVER, start
    while True:
        near = sides[0].nearest(), sides[1].nearest()
        if NEVER in near or (near[0][0] + near[1][0], near[0][1] + near[1][1]) >= found:
            break
        one, other = sides if near[0] <= near[1] else sides[::-1]
        for step in one.settle():
            if step.end in other.best:
                (a, m), (b, n) = one.best[step.end], other.best[step.end]
                if (a + b, m + n) < found:
                    found, meeting = (a + b, m + n), step.end
    if found == NEVER:
        return []
    taken = sides[0].way(meeting)[::-1]
    for step in sides[1].way(meeting):
        turned = "in" if step.direction == "out" else "out"
        taken.append(Step(step.end, step.start, *step[2:5], turned))
    path = Path(tuple(taken), sum(s.weight for s in taken))
    return [(*row, found[0]) for row in rows(handle, [path])]
