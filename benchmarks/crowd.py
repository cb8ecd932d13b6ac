"""The same agent in a store of a million memories of ten thousand agents, and alone."""

from __future__ import annotations

from statistics import median

import sqlagent
from benchmarks.bench import Bench
from benchmarks.data import OWN, crowd, own_vectors, question, remember_all
from benchmarks.measure import Work, ratio, turns

SQL = "SELECT content, score FROM recall('own', ?, k => ?, embedding => ?)"


def run(bench: Bench) -> None:
    """CPU of a recall in both, in turns."""
    memories = bench.size(1_000_000, 20_000)
    vectors = own_vectors()
    many = sqlagent.connect(crowd(bench.shared, memories))
    alone = sqlagent.connect(bench.folder / "alone.db")
    remember_all(alone, "own", vectors)
    # The texts are those of the crowd's, so that both answer the same.
    ids = [r[0] for r in many.execute("SELECT memory_id FROM memories WHERE agent_id = 'own'")]
    texts = many.execute(
        "SELECT content, importance FROM memories WHERE agent_id = 'own' ORDER BY memory_id"
    ).fetchall()
    alone.executemany(
        "UPDATE memories SET content = ?, importance = ? WHERE memory_id = ?",
        [(*row, i) for i, row in enumerate(texts, 1)],
    )
    alone.executemany(
        "INSERT OR REPLACE INTO memory_vectors (memory_id, model, vector) VALUES (?, 'user', ?)",
        [(i, v.tobytes()) for i, v in enumerate(vectors, 1)],
    )
    bench.check("the agent has the same memories in both", len(ids) == OWN, len(ids))
    questions = [(question(i), v.tobytes()) for i, v in enumerate(vectors[:20])]
    for words, vector in questions:
        found = [con.execute(SQL, (words, 5, vector)).fetchall() for con in (many, alone)]
        # Their ages differ by what lies between the two loads: where scores are equal but for that,
        # either may come fifth.
        least = found[0][-1][1] + 0.002
        clear = [{content for content, score in rows if score > least} for rows in found]
        bench.check("both recall the same", clear[0] == clear[1], clear)
        bench.check("five of them", len(found[0]) == 5, found[0])
    k = [10]

    def ask(con: sqlagent.Connection) -> Work:
        def work() -> None:
            k[0] += 1
            for words, vector in questions:
                con.execute(SQL, (words, k[0], vector)).fetchall()

        return work

    took = turns(bench.size(15, 3), [ask(many), ask(alone)])
    a, b = (1000 * median(t) / len(questions) for t in took)
    what = f"CPU of a recall among {memories:,}"
    bench.report(what, a, "ms", beside="the agent alone in a file", peer=b)
    bench.report(f"{what}, times alone", ratio(*took), "x", reach=1.3)
    many.close()
    alone.close()
