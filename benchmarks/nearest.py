"""Nearest neighbours among a million vectors of 384 dimensions, in a fresh process."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

import apsw

import sqlagent
from benchmarks.bench import Bench
from benchmarks.data import DIMENSIONS, Mixture
from benchmarks.measure import child, cpu, cpu_of

PUT = "INSERT INTO vectors (collection, id, vector) VALUES (?, ?, ?)"
PART = 20_000
ASK = """
import json, time
from pathlib import Path
import sqlagent
from benchmarks.measure import rss_mb
SQL = "SELECT id FROM knn(?, ?, k => 10)"
con = sqlagent.connect("agent.db")
queries = [bytes.fromhex(text) for text in json.loads(Path("queries.json").read_text())]
con.execute(SQL, ("small", queries[0])).fetchall()  # what is not for this search: libraries, plans
base, before = rss_mb(), time.process_time()
con.execute(SQL, ("big", queries[0])).fetchall()
first = time.process_time() - before
found, took = [], []
for query in queries:
    before = time.process_time()
    rows = con.execute(SQL, ("big", query)).fetchall()
    took.append(1000 * (time.process_time() - before))
    found.append([int(r[0]) for r in rows])
print(json.dumps([first, took, found, rss_mb() - base]))
"""
SCAN = "SELECT id FROM v ORDER BY vec_distance_cosine(vector, ?) LIMIT 10"


def run(bench: Bench) -> None:
    """CPU of a query (median of 60), recall@10 against the exact answer, memory of the search."""
    count = bench.size(1_000_000, 60_000)
    source = Mixture(seed=7)
    queries = source.draw(60)
    con = sqlagent.connect(bench.folder / "agent.db")
    con.executemany(PUT, [("small", str(i), v.tobytes()) for i, v in enumerate(source.draw(100))])
    truth, spent = load(con, source, queries, count)
    bench.report("vectors loaded a CPU second", count / spent, "/s")
    kept = con.execute("SELECT count(*) FROM vectors WHERE collection = 'big'").fetchall()[0][0]
    bench.check("all are there", kept == count, kept)
    settle = cpu_of(
        lambda: con.execute("SELECT id FROM knn('big', ?, k => 1)", (queries[0].tobytes(),))
    )
    bench.report("CPU of building the index", settle, "s")
    con.close()

    told = json.dumps([q.tobytes().hex() for q in queries])
    Path(bench.folder, "queries.json").write_text(told)
    first, took, found, memory = child(ASK, folder=bench.folder)
    hits = sum(len(set(a) & set(b)) for a, b in zip(found, truth, strict=True))
    recall = hits / (10 * len(queries))
    bench.check("most of the nearest are found", recall > 0.8, recall)
    mine = median(took)
    bench.report(f"CPU of a query among {count:,}", mine, "ms", reach=5, **beside(bench, count))
    bench.report("recall@10", recall, "", reach=0.95, at_least=True, beside="exact", peer=1.0)
    flat = count * DIMENSIONS * 4 / 1e6
    bench.report(
        "resident for the search",
        memory,
        "MB",
        reach=100,
        beside="the vectors as floats",
        peer=flat,
    )
    bench.report("CPU until a fresh process's first answer", first, "s")
    follow(bench, source)


def load(con: Any, source: Mixture, queries: Any, count: int) -> tuple[Any, float]:
    """Write so many vectors; each query's exact nearest ten, and the CPU seconds of writing."""
    import numpy as np

    scores = np.zeros((len(queries), 0), np.float32)
    ids = np.zeros((len(queries), 0), np.int64)
    spent = 0.0
    for start in range(0, count, PART):
        part = source.draw(min(PART, count - start))
        before = cpu()
        con.executemany(PUT, [("big", str(start + i), v.tobytes()) for i, v in enumerate(part)])
        spent += cpu() - before
        scores = np.concatenate([scores, queries @ part.T], axis=1)
        new = np.broadcast_to(np.arange(start, start + len(part)), (len(queries), len(part)))
        ids = np.concatenate([ids, new], axis=1)
        best = np.argpartition(-scores, 10, axis=1)[:, :10]
        scores, ids = np.take_along_axis(scores, best, 1), np.take_along_axis(ids, best, 1)
    return ids.tolist(), spent


def beside(bench: Bench, count: int) -> dict[str, Any]:
    """sqlite-vec's scan, where it is installed: its CPU over 50,000 rows, in proportion."""
    extension = bench.peer("sqlite_vec", "sqlite-vec")
    if extension is None:
        return {}
    rows = min(count, 50_000)
    source = Mixture(seed=7)
    db = apsw.Connection(str(bench.folder / "peer.db"))
    db.enable_load_extension(True)
    db.load_extension(extension.loadable_path())
    db.execute("CREATE TABLE v (id INTEGER PRIMARY KEY, vector BLOB)")
    query = source.draw(1)[0].tobytes()
    with db:
        db.executemany(
            "INSERT INTO v VALUES (?, ?)", enumerate(v.tobytes() for v in source.draw(rows))
        )
    took = [cpu_of(lambda: db.execute(SCAN, (query,)).fetchall()) for _ in range(4)]
    db.close()
    return {
        "beside": f"sqlite-vec, from {rows:,} rows in proportion",
        "peer": 1000 * median(took[1:]) * count / rows,
    }


def follow(bench: Bench, source: Mixture) -> None:
    """What is written is found by the next statement, and what is deleted never again."""
    con = sqlagent.connect(bench.folder / "agent.db")
    sql = "SELECT id FROM knn('big', ?, k => 3)"
    probe = source.draw(1)[0].tobytes()
    con.execute(sql, (probe,)).fetchall()
    con.execute(PUT, ("big", "newcomer", probe))
    before = cpu()
    near = [r[0] for r in con.execute(sql, (probe,)).fetchall()]
    bench.report("CPU of the query after a write", 1000 * (cpu() - before), "ms")
    bench.check("a new vector is found at once", near[0] == "newcomer", near)
    con.execute("DELETE FROM vectors WHERE collection = 'big' AND id = 'newcomer'")
    near = [r[0] for r in con.execute(sql, (probe,)).fetchall()]
    bench.check("a deleted vector is gone at once", "newcomer" not in near, near)
    con.close()
