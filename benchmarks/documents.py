"""Indexing documents: MB of text a second of CPU, cut, stored and in the full text; and searched.

Vectors are made behind it and counted apart: a model of 22 million parameters reads some hundred
chunks a second.
"""

from __future__ import annotations

import sqlite3

import sqlagent
from benchmarks.bench import Bench
from benchmarks.data import text
from benchmarks.measure import cpu_of

FIND = "SELECT * FROM search('harbour')"


def run(bench: Bench) -> None:
    """Documents of some pages each, by index_document and by COPY from a folder of files."""
    count = bench.size(400, 20)
    pages = [
        "\n\n".join(" ".join(text(60 * n + 6 * p + s) + "." for s in range(6)) for p in range(10))
        for n in range(count)
    ]
    size = sum(map(len, pages)) / 1e6
    con = sqlagent.connect(bench.folder / "agent.db", embedding_model="none")
    sql = "SELECT index_document(?, uri => ?)"
    con.execute(sql, ("warm", "warm")).fetchall()

    def index() -> None:
        con.execute("BEGIN")
        for number, page in enumerate(pages):
            con.execute(sql, (page, str(number))).fetchall()
        con.execute("COMMIT")

    spent = cpu_of(index)
    chunks = con.execute("SELECT count(*) FROM chunks").fetchone()[0]
    bench.check("every document is in", chunks > count, chunks)
    peer = cpu_of(lambda: plain(pages))
    more = {"at_least": True, "beside": "FTS5, fixed 512", "peer": size / peer}
    bench.report("index_document", size / spent, "MB/s", reach=2.0, **more)
    again = cpu_of(index)
    bench.report("the same again", size / again, "MB/s", at_least=True)
    folder = bench.folder / "files"
    folder.mkdir()
    for number, page in enumerate(pages):
        (folder / f"{number}.txt").write_text(page)
    copy = "COPY documents FROM ? (COLLECTION 'files')"
    spent = cpu_of(lambda: con.execute(copy, (str(folder),)).fetchall())
    bench.report("COPY from files", size / spent, "MB/s", at_least=True)
    spent = cpu_of(lambda: con.execute(copy, (str(folder),)).fetchall())
    bench.report("COPY again, unchanged", size / spent, "MB/s", at_least=True)
    first = cpu_of(lambda: con.execute(FIND).fetchall())
    bench.report("the index in memory, at the first search", size * 2 / first, "MB/s",
                 at_least=True)  # fmt: skip
    from sqlagent.embedding import load

    model = load()
    some = [c for (c,) in con.execute("SELECT content FROM chunks LIMIT 128").fetchall()]
    spent = cpu_of(lambda: model.encode(some))
    bench.report("vectors, behind it", len(some) / spent, "chunks/s", at_least=True)
    con.close()


def plain(pages: list[str]) -> None:
    """Fixed windows of 512 characters with 50 of overlap into FTS5, and nothing else."""
    con = sqlite3.connect(":memory:")
    con.execute("CREATE VIRTUAL TABLE f USING fts5(content, tokenize = 'porter unicode61')")
    for page in pages:
        parts = [(page[at : at + 512],) for at in range(0, len(page), 462)]
        con.executemany("INSERT INTO f VALUES (?)", parts)
    con.commit()
