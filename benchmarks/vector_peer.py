"""One way of searching vectors, in a process and perhaps an environment of its own.

    python vector_peer.py NAME FOLDER COUNT SECONDS

FOLDER has vectors.npy and queries.npy. Rows are added in parts, until all are in or so many CPU
seconds are spent; then the queries are asked for their ten nearest by cosine. Prints JSON: rows,
CPU seconds of loading and building, milliseconds of CPU and ids of each query, MB of memory that
loading and asking took. Ends with status 3 where the library is not installed.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PART = 20_000
ASKED_S = 15.0  # CPU seconds of asking, after which fewer queries are enough
QUERIES_MIN = 5
Add = Callable[[Any, int], object]
Ask = Callable[[Any], list[int]]
Made = tuple[Add, Callable[[], object], Ask]


def sqlagent(folder: Path, width: int) -> Made:
    """Ours: COPY of Arrow tables, and what is built at the first question."""
    import pyarrow as pa

    import sqlagent as engine

    con = engine.connect(folder / "agent.db")
    sql = "SELECT id FROM knn('big', ?, k => 10)"

    def add(part: Any, start: int) -> None:
        lists = pa.FixedSizeListArray.from_arrays(pa.array(part.reshape(-1)), width)
        ids = [str(n) for n in range(start, start + len(part))]
        con.execute(
            "COPY vectors FROM ? (COLLECTION 'big')", (pa.table({"id": ids, "vector": lists}),)
        )

    def ask(query: Any) -> list[int]:
        return [int(i) for (i,) in con.execute(sql, (query.tobytes(),))]

    return add, lambda: ask(np.ones(width, np.float32)), ask


def sqlite_vec(folder: Path, width: int) -> Made:
    """A vec0 table, which is scanned."""
    import apsw
    import sqlite_vec as extension

    con = apsw.Connection(str(folder / "vec.db"))  # Python's own may load no extension
    con.execute("PRAGMA journal_mode = wal").fetchall()
    con.enable_load_extension(True)
    con.load_extension(extension.loadable_path())
    con.execute(f"CREATE VIRTUAL TABLE v USING vec0(e float[{width}] distance_metric=cosine)")

    def add(part: Any, start: int) -> None:
        rows = ((start + n, row.tobytes()) for n, row in enumerate(part))
        with con:
            con.executemany("INSERT INTO v (rowid, e) VALUES (?, ?)", rows)

    def ask(query: Any) -> list[int]:
        sql = "SELECT rowid FROM v WHERE e MATCH ? AND k = 10 ORDER BY distance"
        return [i for (i,) in con.execute(sql, (query.tobytes(),))]

    return add, lambda: None, ask


def duckdb(folder: Path, width: int) -> Made:
    """An array column and ORDER BY array_cosine_distance."""
    import duckdb as engine
    import pyarrow as pa

    con = engine.connect(str(folder / "vectors.duckdb"))
    con.execute(f"CREATE TABLE v (id BIGINT, e FLOAT[{width}])")
    sql = f"SELECT id FROM v ORDER BY array_cosine_distance(e, ?::FLOAT[{width}]) LIMIT 10"

    def add(part: Any, start: int) -> None:
        lists = pa.FixedSizeListArray.from_arrays(pa.array(part.reshape(-1)), width)
        con.register("part", pa.table({"id": np.arange(start, start + len(part)), "e": lists}))
        con.execute("INSERT INTO v SELECT * FROM part")

    def ask(query: Any) -> list[int]:
        return [i for (i,) in con.execute(sql, [query.tolist()]).fetchall()]

    return add, lambda: None, ask


def lance(folder: Path, width: int, index: bool = False) -> Made:
    """A Lance dataset: a scan, or an IVF_PQ index of its own choice of partitions, trained in a
    fifth of the usual iterations."""
    import lancedb
    import pyarrow as pa

    kinds = pa.schema([("id", pa.int64()), ("e", pa.list_(pa.float32(), width))])
    table = lancedb.connect(folder / "lance").create_table("v", schema=kinds)

    def add(part: Any, start: int) -> None:
        lists = pa.FixedSizeListArray.from_arrays(pa.array(part.reshape(-1)), width)
        table.add(pa.table([np.arange(start, start + len(part)), lists], schema=kinds))

    def build() -> None:
        if index:
            from lancedb.index import IvfPq

            table.create_index("e", config=IvfPq(distance_type="cosine", max_iterations=10))

    def ask(query: Any) -> list[int]:
        search = table.search(query, vector_column_name="e").distance_type("cosine")
        if index:
            search = search.nprobes(20).refine_factor(10)
        found: list[int] = search.select(["id"]).limit(10).to_arrow()["id"].to_pylist()
        return found

    return add, build, ask


def lance_ivf_pq(folder: Path, width: int) -> Made:
    """See `lance`."""
    return lance(folder, width, index=True)


def usearch(folder: Path, width: int) -> Made:
    """HNSW in memory, as usearch makes it where nothing is said."""
    from usearch.index import Index

    index = Index(ndim=width, metric="cos")

    def add(part: Any, start: int) -> None:
        index.add(np.arange(start, start + len(part)), part)

    def ask(query: Any) -> list[int]:
        found: list[int] = index.search(query, 10).keys.tolist()
        return found

    return add, lambda: None, ask


def chroma(folder: Path, width: int) -> Made:
    """A persistent collection: HNSW with its own defaults."""
    import chromadb

    client = chromadb.PersistentClient(str(folder / "chroma"))
    collection = client.create_collection(
        "vectors", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
    )

    def add(part: Any, start: int) -> None:
        for at in range(0, len(part), 5_000):
            some = part[at : at + 5_000]
            ids = [str(start + at + n) for n in range(len(some))]
            collection.add(ids=ids, embeddings=some)

    def ask(query: Any) -> list[int]:
        found = collection.query(query_embeddings=[query], n_results=10, include=[])
        return [int(i) for i in found["ids"][0]]

    return add, lambda: None, ask


PEERS: dict[str, Callable[[Path, int], Made]] = {
    "sqlagent": sqlagent, "sqlite-vec": sqlite_vec, "duckdb": duckdb, "lance": lance,
    "lance ivf_pq": lance_ivf_pq, "usearch": usearch, "chroma": chroma,
}  # fmt: skip


def resident_mb() -> float:
    """Resident memory of the process's own, without files that are mapped."""
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return int(lines["RssAnon"].split()[0]) / 1e3


def cpu() -> float:
    """CPU seconds of this process, and of those that it started."""
    return sum(
        use.ru_utime + use.ru_stime
        for use in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def main(name: str, folder: Path, count: int, seconds: float) -> int:
    """Load, build, ask, print."""
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")[:count]
    queries = np.load(folder / "queries.npy")
    own = folder / name.replace(" ", "_")
    own.mkdir()
    try:
        add, build, ask = PEERS[name](own, vectors.shape[1])
    except ImportError:
        return 3
    before = resident_mb()
    spent, rows = 0.0, 0
    while rows < count and spent < seconds:
        part = np.array(vectors[rows : rows + PART])
        start = cpu()
        add(part, rows)
        spent += cpu() - start
        rows += len(part)
    start = cpu()
    build()
    built = cpu() - start
    took, found = [], []
    for query in queries:
        if len(took) >= QUERIES_MIN and sum(took) > 1000 * ASKED_S:
            break
        start = cpu()
        found.append(ask(query))
        took.append(1000 * (cpu() - start))
    told = {
        "rows": rows, "loaded": spent, "built": built, "took": took, "found": found,
        "memory": resident_mb() - before,
    }  # fmt: skip
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
