"""Indexing documents: MB of text a second of CPU, cut, stored and in the full text; and searched.

With the default settings, default embedder included: a document is found by its words with the next
statement, and vectors are made behind it, by sync() or after the first search. They are counted
apart: a model of 22 million parameters reads some hundred chunks a second of CPU.
"""

from __future__ import annotations

import sqlite3

import sqlagent
from benchmarks.bench import Bench
from benchmarks.data import text
from benchmarks.measure import cpu_of

FIND = "SELECT content FROM search(?, alpha => 0)"
CHINESE = "夜间渡船十一点从港口出发，船长数着灯。渡口的票价是三元，学生半价！还有问题吗？"


def run(bench: Bench) -> None:
    """Documents of some pages each, by index_document and by COPY from a folder of files."""
    count = bench.size(400, 20)
    pages = [
        "\n\n".join(" ".join(text(60 * n + 6 * p + s) + "." for s in range(6)) for p in range(10))
        for n in range(count)
    ]
    size = sum(map(len, pages)) / 1e6
    con = sqlagent.connect(bench.folder / "agent.db")
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
    word = pages[-1].split()[0]
    first = cpu_of(lambda: con.execute(FIND, (word,)).fetchall())
    bench.report("the index in memory, at the first search", size * 2 / first, "MB/s",
                 at_least=True)  # fmt: skip
    found = con.execute(FIND, (word,)).fetchall()
    right = found and all(word.lower() in content.lower() for (content,) in found)
    bench.check("found by words at once", bool(right), found)
    made = con.execute("SELECT count(*) FROM chunk_vectors").fetchone()[0]
    bench.check("no vector is waited for", made == 0, made)
    one = "\n\n".join(pages)
    spent = cpu_of(lambda: con.execute(sql, (one, "one")).fetchall())
    bench.report("one large document", size / spent, "MB/s", at_least=True)
    chinese = "\n\n".join(f"{n} {CHINESE * 8}" for n in range(bench.size(1000, 50)))
    spent = cpu_of(lambda: con.execute(sql, (chinese, "chinese")).fetchall())
    bench.report("Chinese", len(chinese.encode()) / 1e6 / spent, "MB/s", at_least=True)
    con.close()
    vectors(bench, pages[: bench.size(40, 4)])


def vectors(bench: Bench, pages: list[str]) -> None:
    """The other half: the vectors of some of the pages, as sync() makes them."""
    from sqlagent.sync.embed import embed_pending

    con = sqlagent.connect(bench.folder / "vectors.db")
    con.execute("SELECT embed('warm')").fetchall()
    for number, page in enumerate(pages):
        con.execute("SELECT index_document(?, uri => ?)", (page, str(number))).fetchall()
    spent = cpu_of(lambda: embed_pending(con.database, con.settings))
    made = con.execute("SELECT count(*) FROM chunk_vectors").fetchone()[0]
    chunks = con.execute("SELECT count(*) FROM chunks").fetchone()[0]
    bench.check("every chunk has a vector", made == chunks, (made, chunks))
    bench.report("vectors, behind it", made / spent, "chunks/s", at_least=True)
    size = sum(map(len, pages)) / 1e6
    bench.report("vectors, behind it, of text", size / spent, "MB/s", at_least=True)
    con.close()


def plain(pages: list[str]) -> None:
    """Fixed windows of 512 characters with 50 of overlap into FTS5, and nothing else."""
    con = sqlite3.connect(":memory:")
    con.execute("CREATE VIRTUAL TABLE f USING fts5(content, tokenize = 'porter unicode61')")
    for page in pages:
        parts = [(page[at : at + 512],) for at in range(0, len(page), 462)]
        con.executemany("INSERT INTO f VALUES (?)", parts)
    con.commit()
