"""Episodes by their vectors, where these have been made: what is told in other words."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sqlagent.memory.consolidate.texts import CJK

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle
    from sqlagent.memory.consolidate.rows import Memory

CELL: Final = 4096  # episodes that are compared each with each; of more, those that are near
COMMON_FROM: Final = 100  # episodes
COMMON_MAX: Final = 0.5
SEED: Final = 7
_BLOCK: Final = 8192
READ = """
SELECT v.memory_id, v.model, v.vector FROM memories m
JOIN memory_vectors v ON v.memory_id = m.memory_id
WHERE m.agent_id = ? AND m.kind = 'episodic' AND m.archived_at IS NULL
"""


class Vectors:
    """The vectors of an agent's episodes that are of one model and length: the most common ones."""

    def __init__(self, rows: dict[int, Any], model: str, dimensions: int) -> None:
        self.rows, self.dimensions = rows, dimensions
        self.english = "all-MiniLM" in model  # to it all Chinese texts are somewhat alike

    @classmethod
    def read(cls, handle: Handle, agent_id: str) -> Vectors | None:
        """Those of an agent; None where it has none."""
        kinds: Counter[tuple[str, int]] = Counter()
        found: list[tuple[int, str, Any]] = []
        for memory_id, model, blob in handle.execute(READ, (agent_id,)):
            row = np.frombuffer(blob, "<f4").astype(np.float16)
            found.append((memory_id, model, row))
            kinds[model, len(row)] += 1
        if not kinds:
            return None
        kind = max(kinds, key=lambda k: (kinds[k], k))
        return cls({n: row for n, model, row in found if (model, len(row)) == kind}, *kind)

    def of(self, memories: list[Memory]) -> Part | None:
        """Those of these memories, of length one; None where they have none. One that has no vector
        has zeros, and is near nothing."""
        if not any(m.memory_id in self.rows for m in memories):
            return None
        matrix = np.zeros((len(memories), self.dimensions), np.float32)
        for place, memory in enumerate(memories):
            row = self.rows.get(memory.memory_id)
            if row is not None and not (self.english and max(memory.content) >= CJK):
                matrix[place] = row
        matrix[~np.isfinite(matrix).all(axis=1)] = 0.0
        length = np.linalg.norm(matrix, axis=1, keepdims=True)
        return Part(matrix / np.where(length > 0.0, length, 1.0))


class Part:
    """The vectors of episodes of one key, a row each.

    Texts of one speaker are all somewhat alike (each is embedded with its date and the name before
    it): cosines are counted from the mean one of all pairs, where there are enough to know it.
    """

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix
        self.common = 0.0
        if len(matrix) >= COMMON_FROM:
            mean = matrix.mean(axis=0)
            self.common = min(COMMON_MAX, float(mean @ mean))

    def counted(self, cosine: float) -> float:
        """A cosine, counted from the common one: 1 at most."""
        return (cosine - self.common) / (1.0 - self.common)

    def among(self, numbers: list[int]) -> list[float]:
        """How like the others each of some rows is, in the mean."""
        rows = self.matrix[numbers]
        others = rows @ rows.sum(axis=0) - np.einsum("ij,ij->i", rows, rows)
        return [self.counted(float(x) / max(1, len(numbers) - 1)) for x in others]

    def cells(self) -> Cells:
        """The rows in cells: one, or, of many, those nearest to the same of some rows by chance."""
        count = len(self.matrix)
        if count <= CELL:
            return Cells(self, np.zeros(count, np.int64))
        picked = np.random.default_rng(SEED).choice(count, int(math.sqrt(count)), replace=False)
        centres = self.matrix[np.sort(picked)].T
        parts = [
            (self.matrix[at : at + _BLOCK] @ centres).argmax(axis=1)
            for at in range(0, count, _BLOCK)
        ]  # fmt: skip
        return Cells(self, np.concatenate(parts))


class Cells:
    """Leaders by cell, each cell a matrix that grows."""

    def __init__(self, part: Part, cell: Any) -> None:
        self.part, self.matrix = part, part.matrix
        self.cell = cell.tolist()
        self.leaders: dict[int, list[int]] = {}
        self.rows: dict[int, Any] = {}

    def has(self, number: int) -> bool:
        """Whether an episode has a vector."""
        return bool(self.matrix[number].any())

    def nearest(self, number: int) -> tuple[int, float]:
        """The leader of its cell that is nearest to an episode, and how near."""
        cell = self.cell[number]
        leaders = self.leaders.get(cell)
        if not leaders:
            return 0, 0.0
        cosines = self.rows[cell][: len(leaders)] @ self.matrix[number]
        best = int(cosines.argmax())
        return leaders[best], self.part.counted(float(cosines[best]))

    def add(self, number: int, leader: int) -> None:
        """Make an episode a leader of its cell, under this number."""
        cell = self.cell[number]
        leaders = self.leaders.setdefault(cell, [])
        rows = self.rows.get(cell)
        if rows is None or len(leaders) == len(rows):
            grown = np.zeros((max(16, 2 * len(leaders)), self.matrix.shape[1]), np.float32)
            grown[: len(leaders)] = 0.0 if rows is None else rows
            self.rows[cell] = rows = grown
        rows[len(leaders)] = self.matrix[number]
        leaders.append(leader)
