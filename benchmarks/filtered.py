"""knn() among a million vectors with a filter that keeps a tenth, a hundredth, a ten-thousandth."""

from __future__ import annotations

from statistics import median
from typing import Any

import sqlagent
from benchmarks.bench import Bench
from benchmarks.data import DIMENSIONS, Mixture
from benchmarks.measure import cpu

PART = 50_000
KEPT = {"10 %": 10, "1 %": 100, "0.01 %": 10_000}
CONDITION = "(metadata->>'$.m{0}') = {1}"


def run(bench: Bench) -> None:
    """CPU of a query (median of 40) and recall@10 at each selectivity; of a question with a filter
    that was never asked (median of six); and of the very first one apart."""
    count = bench.size(1_000_000, 60_000)
    source = Mixture(seed=9)
    queries = source.draw(40)
    con = sqlagent.connect(bench.folder / "agent.db")
    truth = load(con, source, queries, count)
    con.execute("SELECT id FROM knn('big', ?)", (queries[0].tobytes(),)).fetchall()
    sql = "SELECT id FROM knn('big', ?, k => 10, filter => ?)"
    before = cpu()
    con.execute(sql, (queries[0].tobytes(), CONDITION.format(10, 9))).fetchall()
    bench.report("CPU of the first question with any filter", cpu() - before, "s")
    for share, step in KEPT.items():
        condition = CONDITION.format(step, 3)
        took, hits, wanted = [], 0, 0
        for query, true in zip(queries, truth[step], strict=True):
            before = cpu()
            rows = con.execute(sql, (query.tobytes(), condition)).fetchall()
            took.append(1000 * (cpu() - before))
            hits += len({int(i) for (i,) in rows} & set(true))
            wanted += len(true)
        recall = hits / wanted
        bench.check(f"{share}: most of the nearest are found", recall > 0.8, recall)
        bench.report(
            f"CPU of a query, a filter that keeps {share}", median(took[1:]), "ms", reach=10
        )
        bench.report(f"recall@10, {share}", recall, "", reach=0.95, at_least=True)
        new = []
        for value in (0, 1, 2, 4, 5, 6):
            before = cpu()
            con.execute(sql, (queries[value].tobytes(), CONDITION.format(step, value))).fetchall()
            new.append(1000 * (cpu() - before))
        bench.report(f"CPU of a question with a filter never asked, {share}", median(new), "ms")
    con.close()


def load(con: Any, source: Mixture, queries: Any, count: int) -> dict[int, list[list[int]]]:
    """Write so many vectors; the exact ten of each query among those that each filter keeps."""
    import numpy as np
    import pyarrow as pa

    best: dict[int, list[tuple[Any, Any]]] = {
        step: [(np.zeros(0, np.float32), np.zeros(0, np.int64))] * len(queries)
        for step in KEPT.values()
    }
    for start in range(0, count, PART):
        part = source.draw(min(PART, count - start))
        numbers = np.arange(start, start + len(part))
        told = [
            "{" + ", ".join(f'"m{step}": {n % step}' for step in KEPT.values()) + "}"
            for n in numbers.tolist()
        ]
        lists = pa.FixedSizeListArray.from_arrays(pa.array(part.reshape(-1)), DIMENSIONS)
        table = pa.table({"id": [str(n) for n in numbers], "vector": lists, "metadata": told})
        con.execute("COPY vectors FROM ? (COLLECTION 'big')", (table,))
        for step, found in best.items():
            inside = numbers % step == 3
            near = queries @ part[inside].T
            for place, (score, ids) in enumerate(found):
                scores = np.concatenate((score, near[place]))
                order = np.argsort(-scores)[:10]
                found[place] = scores[order], np.concatenate((ids, numbers[inside]))[order]
    return {step: [ids.tolist() for _, ids in found] for step, found in best.items()}
