"""Recall inside agents of 1,000, 10,000 and 100,000 memories; the query's vector is given."""

from __future__ import annotations

from statistics import median
from typing import Any

import sqlagent
from benchmarks.bench import Bench
from benchmarks.data import Mixture, question, remember_all
from benchmarks.measure import Work, cpu, turns

SQL = "SELECT memory_id, score, similarity FROM recall(?, ?, k => ?, embedding => ?)"
CONDITIONS = {
    "nothing": "k => 10",
    "a condition": "filter => 'importance > 0.1'",
    "as_of": "as_of => '2100-01-01'",
}
LATER = "SELECT memory_id FROM recall(?, ?, embedding => ?, {})"
TOUCH = "UPDATE memories SET pinned = 1 WHERE memory_id = ?"
NEAREST = """
SELECT m.memory_id, vec_distance_cosine(v.vector, ?) AS distance
FROM memories m JOIN memory_vectors v ON v.memory_id = m.memory_id
WHERE m.agent_id = ? ORDER BY distance LIMIT 10
"""


def run(bench: Bench) -> None:
    """CPU of a recall, warm, medians of 9 rounds of 20 questions; k varies, so none is kept."""
    import numpy as np

    source = Mixture(seed=6)
    path = bench.folder / "agent.db"
    con = sqlagent.connect(path)
    sizes = {1_000: 0.5, 10_000: 1.5, 100_000: 12.0}
    if bench.quick:
        sizes = {1_000: 0.5}
    questions = [(question(i), v) for i, v in enumerate(source.draw(20))]
    first = 1
    for count, reach in sizes.items():
        agent = f"agent of {count}"
        vectors = source.draw(count)
        remember_all(con, agent, vectors, first)
        check(bench, con, agent, questions, vectors, first)
        k = [10]

        def ours(agent: str = agent, k: list[int] = k) -> None:
            k[0] += 1
            for words, vector in questions:
                con.execute(SQL, (agent, words, k[0], vector.tobytes())).fetchall()

        def exact(vectors: Any = vectors) -> None:
            for _, vector in questions:
                near = vectors @ vector
                np.argpartition(-near, 10)[:10]

        works: list[Work] = [ours, exact]
        vec = sqlite_vec(bench, path, agent, questions[0][1].tobytes())
        if vec is not None:
            works.append(vec)
        turns(1, works)
        took = turns(bench.size(9, 2), works)
        mine = 1000 * median(took[0]) / len(questions)
        limit = 1000 * median(took[1]) / len(questions)
        bench.report(
            f"CPU in {count:,}", mine, "ms", reach=reach,
            beside="numpy, vectors alone, in memory", peer=limit,
        )  # fmt: skip
        if vec is not None:
            peer = 1000 * median(took[2])
            beside = "sqlite-vec, vectors alone"
            bench.report(f"CPU in {count:,}", mine, "ms", beside=beside, peer=peer)
        if count == 10_000 or bench.quick:
            filtered(bench, con, agent, questions, first)
        first += count
    con.close()


def filtered(bench: Bench, con: Any, agent: str, questions: list[Any], first: int) -> None:
    """CPU with a condition and at a time: asked again and again, and after a change of one memory,
    which is not counted."""
    for changed, after in ((False, ""), (True, ", after a change")):
        plain = 0.0
        for name, more in CONDITIONS.items():
            took = []
            for number, (words, vector) in enumerate(questions * 3):
                if changed:
                    con.execute(TOUCH, (first + number,))
                before = cpu()
                rows = con.execute(LATER.format(more), (agent, words, vector.tobytes())).fetchall()
                took.append(1000 * (cpu() - before))
                bench.check("ten rows", len(rows) == 10, len(rows))
            plain = plain or median(took)
            bench.report(
                f"CPU with {name}{after}", median(took), "ms", reach=None if changed else 2,
                beside="with nothing", peer=plain,
            )  # fmt: skip


def check(
    bench: Bench, con: Any, agent: str, questions: list[Any], vectors: Any, first: int
) -> None:
    """Ten rows, best first, with the cosines of their vectors; its own words find a memory."""
    for words, vector in questions[:5]:
        rows = con.execute(SQL, (agent, words, 10, vector.tobytes())).fetchall()
        bench.check("ten rows", len(rows) == 10, len(rows))
        scores = [score for _, score, _ in rows]
        bench.check("best first", scores == sorted(scores, reverse=True), scores)
        exact = [float(vectors[i - first] @ vector) for i, _, _ in rows]
        far = max(abs(a - s) for a, (_, _, s) in zip(exact, rows, strict=True))
        bench.check("similarities are cosines", far < 0.01, far)
    at = len(vectors) // 2
    words = con.execute(
        "SELECT content FROM memories WHERE memory_id = ?", (first + at,)
    ).fetchall()[0][0]
    best = con.execute(SQL, (agent, words, 3, vectors[at].tobytes())).fetchone()
    bench.check("a memory asked for by its own words comes first", best[0] == first + at, best)


def sqlite_vec(bench: Bench, path: Any, agent: str, vector: bytes) -> Work | None:
    """sqlite-vec's exact scan of the agent's vectors in the same file, where it is installed."""
    extension = bench.peer("sqlite_vec", "sqlite-vec")
    if extension is None:
        return None
    import apsw

    connection = apsw.Connection(str(path))
    connection.enable_load_extension(True)
    connection.load_extension(extension.loadable_path())
    return lambda: connection.execute(NEAREST, (vector, agent)).fetchall()
