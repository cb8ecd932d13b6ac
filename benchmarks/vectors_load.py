"""Vectors of 384 floats into a collection: COPY from Parquet and Arrow, INSERT … SELECT, beside a
plain apsw executemany that checks and indexes nothing."""

from __future__ import annotations

from typing import Any

import apsw

import sqlagent
from benchmarks.bench import Bench
from benchmarks.data import DIMENSIONS, Mixture
from benchmarks.measure import cpu_of


def run(bench: Bench) -> None:
    """Vectors a second of CPU by each way; each must hold every one, and find it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = bench.size(50_000, 2_000)
    matrix = Mixture(seed=5).draw(count)
    flat = pa.array(matrix.reshape(-1))
    table = pa.table(
        {
            "id": [f"v{n}" for n in range(count)],
            "vector": pa.FixedSizeListArray.from_arrays(flat, DIMENSIONS),
        }
    )
    path = bench.folder / "vectors.parquet"
    pq.write_table(table, path, compression="none")
    con = sqlagent.connect(bench.folder / "agent.db")
    con.execute(f"SELECT count(*) FROM '{path}'").fetchall()  # DuckDB, once
    raw = plain(bench, matrix)
    copy = "COPY vectors FROM ? (COLLECTION 'arrow')"
    insert = "INSERT INTO vectors (collection, id, vector) SELECT 'insert', id, vector FROM "
    put = "INSERT INTO vectors (collection, id, vector) VALUES ('many', ?, ?)"
    rows = [(f"v{n}", row.tobytes()) for n, row in enumerate(matrix)]
    ways: dict[str, Any] = {
        "parquet": lambda: con.execute(f"COPY vectors FROM '{path}' (COLLECTION 'parquet')"),
        "arrow": lambda: con.execute(copy, (table,)),
        "insert": lambda: con.execute(f"{insert} '{path}'"),
        "many": lambda: con.executemany(put, rows),
    }
    said = {"parquet": "COPY of Parquet", "arrow": "COPY of an Arrow table",
            "insert": "INSERT … SELECT of Parquet", "many": "executemany of bytes"}  # fmt: skip
    for name, work in ways.items():
        spent = cpu_of(work)
        kept = con.execute("SELECT count(*) FROM vectors WHERE collection = ?", (name,)).fetchone()
        bench.check(f"{name}: all are there", kept == (count,), kept)
        found = con.execute(
            "SELECT id FROM knn(?, ?, k => 1)", (name, matrix[7].tobytes())
        ).fetchone()
        bench.check(f"{name}: each is found", found == ("v7",), found)
        bench.report(
            f"vectors a CPU second, {said[name]}", count / spent, "/s", reach=50_000,
            at_least=True, beside="raw apsw, a table alone", peer=count / raw,
        )  # fmt: skip
    con.close()


def plain(bench: Bench, matrix: Any) -> float:
    """CPU seconds of writing the same bytes by apsw into a table with a unique id."""
    db = apsw.Connection(str(bench.folder / "peer.db"))
    db.execute("PRAGMA journal_mode = wal").fetchall()
    db.execute("CREATE TABLE v (n INTEGER PRIMARY KEY, id TEXT UNIQUE, vector BLOB)")
    rows = [(f"v{n}", row.tobytes()) for n, row in enumerate(matrix)]

    def work() -> None:
        with db:
            db.executemany("INSERT INTO v (id, vector) VALUES (?, ?)", rows)

    spent = cpu_of(work)
    db.close()
    return spent
