"""Leaders: one pass that puts each episode with the first one that it is like.

The cost is in the leaders that share a term with an episode: what recurs is soon one leader, so it
grows little faster than the number of episodes. By vectors an episode is compared with all leaders
of its cell (`vectors.Part.cells`).
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from sqlagent.memory.consolidate.terms import Weights

if TYPE_CHECKING:
    from sqlagent.memory.consolidate.vectors import Part

JOIN: Final = 0.5  # to a leader, the least similarity by terms
JOIN_VECTOR: Final = 0.58  # and by vectors
POSTINGS_MAX: Final = 200  # leaders that a term may lead to; a more common one only adds to others


class Leaders:
    """The episodes that others joined, found by their terms."""

    def __init__(self, sets: list[frozenset[str]], weights: Weights) -> None:
        self.sets, self.weights = sets, weights
        self.members: list[list[int]] = []
        self.lengths: list[float] = []
        self.postings: dict[str, list[int]] = defaultdict(list)

    def add(self, number: int) -> None:
        """Make an episode a leader."""
        one = self.sets[number]
        for term in one:
            self.postings[term].append(len(self.members))
        self.members.append([number])
        self.lengths.append(self.weights.length(one))

    def nearest(self, number: int) -> tuple[int, float]:
        """The leader that is most like an episode by terms, and how like; 0.0 where none is."""
        one = self.sets[number]
        if len(one) < 2:
            return 0, 0.0
        length = self.weights.length(one)
        seen: dict[int, float] = {}
        looked = 0.0  # the share of the set that has been looked at, as a square
        for term in self.weights.rarest(one):
            weight = self.weights.of[term] ** 2
            places = self.postings.get(term, ())
            # A leader that has none of the rarer terms cannot be like it any more.
            if len(places) <= POSTINGS_MAX and looked <= (1.0 - JOIN**2) * length**2:
                for leader in places:
                    seen[leader] = seen.get(leader, 0.0) + weight
            else:
                for leader in seen:
                    if term in self.sets[self.members[leader][0]]:
                        seen[leader] += weight
            looked += weight
        if not seen:
            return 0, 0.0
        best = max(seen, key=lambda n: (seen[n] / self.lengths[n], -n))
        return best, seen[best] / (self.lengths[best] * length)


def led(
    sets: list[frozenset[str]], weights: Weights, vectors: Part | None = None
) -> list[list[int]]:
    """Which episodes go together: each with the leader that it is most like."""
    leaders = Leaders(sets, weights)
    cells = None if vectors is None else vectors.cells()
    for number, one in enumerate(sets):
        best, similarity = leaders.nearest(number)
        how = similarity / JOIN
        if cells is not None:
            by_vector, cosine = cells.nearest(number)
            if cosine / JOIN_VECTOR > how:
                best, how = by_vector, cosine / JOIN_VECTOR
        if how >= 1.0:
            leaders.members[best].append(number)
        elif len(one) >= 2 or (cells is not None and cells.has(number)):
            if cells is not None:
                cells.add(number, len(leaders.members))
            leaders.add(number)
    return leaders.members
