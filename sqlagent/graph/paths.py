"""Simple paths between two entities, the shortest first, of these the heaviest.

Lengths are tried one by one. For each, both ends are searched breadth first until the two searches
together are as deep as the path is long, always on the side with fewer entities: every step of such
a path then starts in the one or ends in the other. What is left of a path can weigh at most what
the heaviest walk from there weighs, so a best-first search (A*) gives paths in the order of their
weight, and ends with the k-th: a hub costs what is read of it, and no more.
"""

from __future__ import annotations

import heapq
import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.errors import OperationalError
from sqlagent.graph.edges import Choice, Step, steps
from sqlagent.graph.entities import names
from sqlagent.graph.limit import go_on

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

WORK_MAX = 300_000  # beginnings of paths that are looked at in one call


class Path(NamedTuple):
    """A path by its steps; its weight is the sum of theirs."""

    steps: tuple[Step, ...]
    weight: float


class Search:
    """What is known of the graph between two entities."""

    def __init__(self, handle: Handle, start: int, end: int, choice: Choice) -> None:
        self.handle, self.start, self.end, self.choice = handle, start, end, choice
        self.ahead: dict[int, dict[tuple[int, int], Step]] = defaultdict(dict)
        self.far = {start: 0}, {end: 0}  # distance from the start, to the end
        self.edge: list[list[int]] = [[start], [end]]
        self.depth = [0, 0]
        self.work = 0

    def deepen(self, length: int) -> bool:
        """Search until paths of a length are known; False where no longer ones can be."""
        while sum(self.depth) < length:
            for side in (0, 1):
                if not self.edge[side]:  # it is searched to the end: every path is known
                    known = self.far[side]
                    return (self.start if side else self.end) in known and len(known) > length
            self.expand(0 if len(self.edge[0]) <= len(self.edge[1]) else 1)
        return True

    def expand(self, side: int) -> None:
        """One hop more on a side."""
        choice = self.choice.turned() if side else self.choice
        self.depth[side] += 1
        far, edge = self.far[side], []
        for step in steps(self.handle, self.edge[side], choice):
            if step.end not in far:
                far[step.end] = self.depth[side]
                edge.append(step.end)
            if side:
                turned = "in" if step.direction == "out" else "out"
                step = Step(step.end, step.start, *step[2:5], turned)
            self.ahead[step.start][step.relation_id, step.end] = step
        self.edge[side] = edge

    def met(self, length: int) -> bool:
        """Whether a walk of at most a length leads from one end to the other."""
        first, second = self.far
        if len(first) > len(second):
            first, second = second, first
        return any(v in second and d + second[v] <= length for v, d in first.items())

    def heaviest(self, length: int) -> list[dict[int, float]]:
        """[j][entity]: what the heaviest walk of j steps from there to the end weighs."""
        behind: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for one in list(self.ahead):
            for step in self.ahead[one].values():
                behind[step.end].append((one, step.weight))
        best: list[dict[int, float]] = [{self.end: 0.0}]
        for left in range(1, length + 1):
            go_on(self.handle)
            level: dict[int, float] = {}
            for one, weight in best[-1].items():
                for other, more in behind[one]:
                    if self.far[0].get(other, 0) > length - left:
                        continue
                    total = weight + more
                    if total > level.get(other, -float("inf")):
                        level[other] = total
            best.append(level)
        return best

    def of_length(self, length: int) -> Iterator[Path]:
        """The simple paths of a length, the heaviest first."""
        best = self.heaviest(length)
        if self.start not in best[length]:
            return
        number = count()
        # Of equals the furthest first, so that one is finished before the next is begun.
        heap: list[tuple[float, int, int, float, tuple[Step, ...]]] = [
            (-best[length][self.start], 0, 0, 0.0, ())
        ]
        while heap:
            _, done, _, weight, taken = heapq.heappop(heap)
            done = -done
            here = taken[-1].end if taken else self.start
            if done == length:
                yield Path(taken, weight)
                continue
            seen = {self.start, *(s.end for s in taken)}
            left = length - done - 1
            for step in self.ahead[here].values():
                more = best[left].get(step.end)
                if more is None or step.end in seen or (left and step.end == self.end):
                    continue
                self.count()
                total = weight + step.weight
                entry = (-(total + more), -done - 1, next(number), total, (*taken, step))
                heapq.heappush(heap, entry)

    def count(self) -> None:
        """Work is bounded: a graph may have more paths than can be looked at."""
        self.work += 1
        if self.work > WORK_MAX:
            raise OperationalError(
                f"no end of paths in sight after {WORK_MAX} steps",
                hint="Ask for a smaller max_depth, a smaller k, or one predicate.",
                sqlstate="54000",
            )
        if not self.work % 1000:
            go_on(self.handle)


def paths(
    handle: Handle, start: int, end: int, depth: int, choice: Choice, k: int
) -> list[tuple[Any, ...]]:
    """The rows of paths(): at most k."""
    search = Search(handle, start, end, choice)
    found: list[Path] = []
    if start == end:
        return []
    for length in range(1, depth + 1):
        if len(found) >= k or not search.deepen(length):
            break
        if search.met(length):
            for path in search.of_length(length):
                found.append(path)
                if len(found) >= k:
                    break
    return rows(handle, found)


def rows(handle: Handle, found: list[Path]) -> list[tuple[Any, ...]]:
    """Paths as rows: names, predicates, length, weight."""
    called = names(handle, {one for path in found for s in path.steps for one in s[:2]})
    return [
        (
            _json([called[path.steps[0].start], *(called[s.end] for s in path.steps)]),
            _json([s.predicate for s in path.steps]),
            len(path.steps),
            path.weight,
        )
        for path in found
        if all(s.start in called and s.end in called for s in path.steps)
    ]


def _json(values: list[str]) -> str:
    return json.dumps(values, ensure_ascii=False)
