"""Recurring episodes: what an agent lived through on several days or in several sessions.

Episodes are about the same thing where they share the words that tell it: those that are rare among
the agent's memories, stop words, numbers, days and the names of the speakers left out. The
similarity is the cosine of the sets of their terms, each weighing log(1 + n / df) (the idf of
G. Salton, C. Buckley: Term-weighting approaches in automatic text retrieval, 1988); or that of
their vectors, where they have some. Each kind has bounds of its own, chosen on sentences told in
several ways (episodes of one thing .5 to .9 by vectors, of others up to .35).

Clusters are found in one pass over the episodes in order of time, each joining the best leader so
far or becoming one (J. Hartigan: Clustering Algorithms, 1975, ch. 3), then looked at once more from
their centroids.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlagent.memory.consolidate.leaders import led
from sqlagent.memory.consolidate.rows import Memory
from sqlagent.memory.consolidate.terms import Weights, terms

if TYPE_CHECKING:
    from sqlagent.memory.consolidate.vectors import Vectors

EPISODES_MIN: Final = 3  # of a cluster, on so many days or in so many sessions
STAY: Final = 0.6  # to the centroid, the least similarity by terms
STAY_VECTOR: Final = 0.5  # to the others in the mean, by vectors


class Cluster(NamedTuple):
    """Episodes about the same thing in order of time; `centroid` is the weight of each term,
    `names` the terms that are left out: those of the speakers."""

    members: list[Memory]
    centroid: dict[str, float]
    similarity: float  # of the members to the centroid, in the mean
    names: frozenset[str] = frozenset()


class Episodes:
    """Memories of one key in order of time, with what they are compared by."""

    def __init__(
        self,
        group: list[Memory],
        sets: Mapping[int, frozenset[str]],
        weights: Weights,
        names: frozenset[str],
        vectors: Vectors | None,
    ) -> None:
        self.group = sorted(group, key=lambda m: (m.created_at, m.memory_id))
        self.sets = [sets[m.memory_id] for m in self.group]
        self.weights, self.names = weights, names
        self.vectors = None if vectors is None else vectors.of(self.group)

    def clusters(self) -> Iterator[Cluster]:
        """What recurs among them."""
        for numbers in led(self.sets, self.weights, self.vectors):
            if recurs([self.group[n] for n in numbers]):
                yield from self.tightened(numbers)

    def tightened(self, numbers: list[int]) -> Iterator[Cluster]:
        """A cluster of those that are near its centroid, where it still recurs."""
        while True:
            centroid = centre([self.sets[n] for n in numbers], self.weights)
            near = [like(self.sets[n], centroid, self.weights) for n in numbers]
            close = [one >= STAY for one in near]
            if self.vectors is not None:
                cosines = self.vectors.among(numbers)
                close = [c or v >= STAY_VECTOR for c, v in zip(close, cosines, strict=True)]
                near = [max(one, v) for one, v in zip(near, cosines, strict=True)]
            kept = [n for n, stays in zip(numbers, close, strict=True) if stays]
            members = [self.group[n] for n in kept]
            if not recurs(members):
                return
            if len(kept) == len(numbers):
                yield Cluster(members, centroid, round(sum(near) / len(near), 4), self.names)
                return
            numbers = kept


def clusters(memories: Iterable[Memory], vectors: Vectors | None = None) -> list[Cluster]:
    """The recurring episodes of one agent, each cluster of one user, speaker and validity."""
    by_key: dict[tuple[Any, ...], list[Memory]] = defaultdict(list)
    for memory in memories:
        if memory.kind == "episodic":
            by_key[memory.key].append(memory)
    speakers = {m.speaker for group in by_key.values() for m in group if m.speaker}
    names = frozenset(t for speaker in speakers for t in terms(speaker))
    sets = {
        m.memory_id: terms(m.content) - names for group in by_key.values() for m in group
    }  # fmt: skip
    weights = Weights(list(sets.values()))
    out: list[Cluster] = []
    for group in by_key.values():
        if len(group) >= EPISODES_MIN:
            out += Episodes(group, sets, weights, names, vectors).clusters()
    out.sort(key=lambda c: c.members[0].memory_id)
    return out


def centre(sets: Sequence[frozenset[str]], weights: Weights) -> dict[str, float]:
    """The mean of sets of terms as a vector of length one; terms of one set alone are noise."""
    often = Counter(t for one in sets for t in one)
    raw = {t: n / len(sets) * weights.of[t] for t, n in often.items() if n > 1}
    length = math.sqrt(sum(v * v for v in raw.values())) or 1.0
    return {t: v / length for t, v in raw.items()}


def like(one: frozenset[str], centroid: Mapping[str, float], weights: Weights) -> float:
    """The cosine of a set of terms and a centroid."""
    dot = sum(weights.of.get(t, 0.0) * centroid[t] for t in one if t in centroid)
    return dot / (math.sqrt(sum(weights.of.get(t, 0.0) ** 2 for t in one)) or 1.0)


def recurs(members: Sequence[Memory]) -> bool:
    """Whether so many episodes are of several days, or of several sessions."""
    if len(members) < EPISODES_MIN:
        return False
    days = {m.created_at[:10] for m in members}
    sessions = {m.session_id for m in members if m.session_id is not None}
    return max(len(days), len(sessions)) >= EPISODES_MIN
