"""Made-up data, the same at every run: texts, vectors like embeddings, stores of memories."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlagent

if TYPE_CHECKING:
    import numpy as np

DIMENSIONS = 384
STATE = '{"step": %d, "note": "' + "x" * 1000 + '"}'  # 1 KB, as agents keep
PEOPLE = ("Alma", "Boris", "Carla", "Deniz", "Elif", "Frida", "Goran", "Hilde", "Igor", "Jana")
DEEDS = ("bought", "mended", "borrowed", "described", "refused", "shipped", "watered", "tuned")
THINGS = ("kettles", "atlases", "ferries", "ladders", "pianos", "orchids", "parcels", "radios")
TOWNS = ("Bergen", "Cusco", "Dakar", "Ghent", "Hanoi", "Izmir", "Kobe", "Lagos", "Nantes", "Perth")
MEMORY = "INSERT INTO memories (memory_id, agent_id, content, importance) VALUES (?, ?, ?, ?)"
VECTOR = "INSERT INTO memory_vectors (memory_id, model, vector) VALUES (?, 'user', ?)"


def text(number: int) -> str:
    """A short memory, another for each number."""
    person, deed = PEOPLE[number % 10], DEEDS[number // 10 % 8]
    return f"{person} {deed} {THINGS[number // 80 % 8]} in {TOWNS[number // 640 % 10]}, {number}"


def question(number: int) -> str:
    """Words that occur in many memories, and in no order of theirs."""
    return f"who {DEEDS[number % 8]} {THINGS[number * 3 % 8]} in {TOWNS[number * 3 % 10]}"


class Mixture:
    """Unit vectors like those of an embedding model: topics, and noise of 48 dimensions."""

    def __init__(self, seed: int, topics: int = 2000, latent: int = 48) -> None:
        import numpy as np

        self.random = np.random.default_rng(seed)
        centres = self.random.standard_normal((topics, DIMENSIONS), dtype=np.float32)
        self.centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)
        basis = self.random.standard_normal((latent, DIMENSIONS), dtype=np.float32)
        self.basis = basis / np.sqrt(np.float32(DIMENSIONS))

    def draw(self, count: int) -> np.ndarray[Any, Any]:
        """So many float32 vectors, a row each."""
        import numpy as np

        random = self.random
        topic = self.centres[random.integers(0, len(self.centres), count)]
        near = random.standard_normal((count, len(self.basis)), dtype=np.float32) @ self.basis
        fine = random.standard_normal((count, DIMENSIONS), dtype=np.float32)
        mixed = topic + np.float32(0.12) * near + np.float32(0.005) * fine
        found: np.ndarray[Any, Any] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
        return found.astype("<f4")


def in_batches(rows: Iterator[tuple[Any, ...]], size: int = 20_000) -> Iterator[list[Any]]:
    """Rows in lists of at most so many."""
    from itertools import islice

    while batch := list(islice(rows, size)):
        yield batch


def remember_all(con: Any, agent: str, vectors: Any, first_id: int = 1) -> None:
    """An agent with one memory for each vector, from the id `first_id` on, in one transaction."""
    con.execute("BEGIN")
    ids = range(first_id, first_id + len(vectors))
    con.executemany(MEMORY, [(i, agent, text(i), (i % 10) / 10) for i in ids])
    con.executemany(VECTOR, [(i, v.tobytes()) for i, v in zip(ids, vectors, strict=True)])
    con.execute("COMMIT")


OWN = 1000  # memories of the agent with vectors, one after every so many of the others


def crowd(shared: Path, memories: int) -> Path:
    """A store of so many memories of a hundredth as many agents, and of 'own', who has vectors.

    Loaded once a run. The memories of 'own' lie scattered among the others', as time writes them.
    """
    path = shared / f"crowd-{memories}.db"
    if path.exists():
        return path
    making = path.with_suffix(".making")
    step = memories // OWN
    agents = memories // 100
    con = sqlagent.connect(making)
    rows = (
        (i, "own" if i % step == 0 else f"agent{i % agents}", text(i), (i % 10) / 10)
        for i in range(1, memories + 1)
    )
    for batch in in_batches(rows):
        con.executemany(MEMORY, batch)
    vectors = own_vectors()
    own = [(i * step, v.tobytes()) for i, v in enumerate(vectors, 1)]
    con.executemany(VECTOR, own)
    for i in range(100):
        con.execute("SELECT save_state(?, ?)", (f"agent{i}", STATE % i)).fetchall()
    con.close()
    os.rename(making, path)
    return path


def own_vectors() -> np.ndarray[Any, Any]:
    """The vectors of the agent 'own'."""
    return Mixture(seed=OWN).draw(OWN)
