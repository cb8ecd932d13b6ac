"""Communities by Louvain's method: V. Blondel and others, Fast unfolding of communities in large
networks, 2008. Entities are visited in the order of their ids, so the same graph gives the same."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any

from sqlagent.errors import DataError
from sqlagent.graph.arrays import Graph, called, read
from sqlagent.graph.limit import go_on

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle
    from sqlagent.graph.edges import Choice

VISITS_MAX = 50  # of an entity on a level, on average
LEAST = 1e-12  # a gain that is one, and no rounding
Ties = list[dict[int, float]]


def communities(handle: Handle, choice: Choice, resolution: float) -> list[tuple[Any, ...]]:
    """(entity, community, size); the largest community is 0, of equals that of the first name."""
    if not resolution > 0:
        raise DataError(f"resolution is a number above 0, not {resolution}")
    graph = read(handle, choice)
    names = called(handle, graph)
    groups: dict[int, list[str]] = defaultdict(list)
    for name, group in zip(names, louvain(handle, graph, resolution), strict=True):
        if name is not None:
            groups[group].append(name)
    ordered = sorted((sorted(g) for g in groups.values()), key=lambda g: (-len(g), g[0]))
    return [(name, i, len(group)) for i, group in enumerate(ordered) for name in group]


def louvain(handle: Handle, graph: Graph, resolution: float) -> list[int]:
    """The community of each entity by its place: modularity is raised until it no longer rises."""
    ties: Ties = [{} for _ in graph.ids]
    ends = zip(graph.subject.tolist(), graph.object.tolist(), graph.weight.tolist(), strict=True)
    for a, b, weight in ends:
        ties[a][b] = ties[a].get(b, 0.0) + weight
        if a != b:
            ties[b][a] = ties[b].get(a, 0.0) + weight
    of = list(range(len(ties)))
    while True:
        group, moved = level(handle, ties, resolution)
        if not moved:
            return of
        code: dict[int, int] = {}
        for g in group:
            code.setdefault(g, len(code))
        of = [code[group[place]] for place in of]
        merged: Ties = [{} for _ in code]
        for a, near in enumerate(ties):
            into = merged[code[group[a]]]
            for b, weight in near.items():
                other = code[group[b]]
                # A tie within a group is met from both ends, a loop from one: as a loop it counts
                # once, so each of the two adds half.
                part = weight / 2 if a != b and other == code[group[a]] else weight
                into[other] = into.get(other, 0.0) + part
        ties = merged


def level(handle: Handle, ties: Ties, resolution: float) -> tuple[list[int], bool]:
    """Move each to the community of a neighbour that gains most; communities, and if any moved.

    Only who has a neighbour that moved is looked at again (V. Traag and others, From Louvain to
    Leiden, 2019).
    """
    degree = [sum(near.values()) + near.get(a, 0.0) for a, near in enumerate(ties)]
    total = sum(degree)
    group = list(range(len(ties)))
    inside = degree[:]  # the degrees of a community's members
    waiting, waits = deque(range(len(ties))), bytearray(b"\1" * len(ties))
    left, ever = VISITS_MAX * len(ties), False
    while waiting and left:
        left -= 1
        if not left % 1000:
            go_on(handle)
        a = waiting.popleft()
        waits[a] = 0
        near, own, k = ties[a], group[a], degree[a]
        links: dict[int, float] = {own: 0.0}
        for b, weight in near.items():
            if b != a:
                other = group[b]
                links[other] = links.get(other, 0.0) + weight
        inside[own] -= k
        scale = resolution * k / total
        best, gain = own, links[own] - scale * inside[own]
        for other, weight in links.items():
            more = weight - scale * inside[other]
            if more > gain + LEAST:
                best, gain = other, more
        inside[best] += k
        if best != own:
            group[a], ever = best, True
            for b in near:
                if not waits[b] and group[b] != best:
                    waits[b] = 1
                    waiting.append(b)
    return group, ever
