"""What stands beside search(): BM25 of other engines over the same chunks, Chroma over the same
vectors, and the usual fusion of ranks.

Each is asked as its own documentation shows. FTS5 comes with SQLite; the others where installed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.evaluation import Found, Item, Question
from benchmarks.retrieval import K, fts5, ranked

Ask = Callable[[Question], Found]
RRF = 60  # the constant of Cormack, Clarke and Büttcher (2009), which most engines take
POOL = 50  # of each list that is fused
_WORDS = re.compile(r"[a-z0-9]+|[\u2e80-\U0010ffff]")


def peers(bench: Bench, items: list[Item], k: int) -> dict[str, Ask]:
    """The ways of others to find chunks, by name; the notes say what is not installed."""
    made: dict[str, Ask] = {"FTS5": fts5(items)}
    lists = {"FTS5": fts5_order(items), "exact vectors": exact(items)}
    for name, ranks in (
        ("bm25s", bm25s(bench, items)),
        ("rank-bm25", rank_bm25(bench, items)),
        ("DuckDB fts", duckdb_fts(bench, items)),
        ("Chroma, same vectors", chroma(bench, items)),
        ("RRF of FTS5 and vectors", fused(list(lists.values()))),
    ):
        if ranks is not None:
            made[name] = _asked(items, ranks, k)
    return made


Ranks = Callable[[str, int], list[int]]


def _asked(items: list[Item], ranks: Ranks, k: int) -> Ask:
    return lambda question: ranked(items, ranks(question.text, max(k, K)), question)


def _cut(text: str) -> list[str]:
    """Words as these libraries are usually given them; of Chinese, characters."""
    return _WORDS.findall(text.lower())


def bm25s(bench: Bench, items: list[Item]) -> Ranks | None:
    """bm25s, Lucene's variant, with its own stemmer-free tokeniser and stop words."""
    library = bench.peer("bm25s", "bm25s")
    if library is None:
        return None
    index = library.BM25()
    index.index([_cut(item.text) for item in items], show_progress=False)

    def ranks(text: str, k: int) -> list[int]:
        found, _ = index.retrieve([_cut(text)], k=min(k, len(items)), show_progress=False)
        return [int(i) for i in found[0]]

    return ranks


def rank_bm25(bench: Bench, items: list[Item]) -> Ranks | None:
    """BM25Okapi of rank-bm25."""
    library = bench.peer("rank_bm25", "rank-bm25")
    if library is None:
        return None
    import numpy as np

    index = library.BM25Okapi([_cut(item.text) for item in items])

    def ranks(text: str, k: int) -> list[int]:
        order: list[int] = np.argsort(-index.get_scores(_cut(text)), kind="stable")[:k].tolist()
        return order

    return ranks


def duckdb_fts(bench: Bench, items: list[Item]) -> Ranks | None:
    """match_bm25 of DuckDB's extension fts, with its Porter stemmer and English stop words."""
    if bench.peer("duckdb_extension_fts", "duckdb-extension-fts") is None:
        return None
    import duckdb

    from sqlagent.engines.extensions import load

    con = duckdb.connect()
    load(con, "fts")
    con.execute("CREATE TABLE f (id INTEGER, t VARCHAR)")
    con.executemany("INSERT INTO f VALUES (?, ?)", [(i, x.text) for i, x in enumerate(items)])
    con.execute("PRAGMA create_fts_index('f', 'id', 't')")
    sql = """
SELECT id FROM (SELECT id, fts_main_f.match_bm25(id, ?) AS score FROM f)
WHERE score IS NOT NULL ORDER BY score DESC, id LIMIT ?"""

    def ranks(text: str, k: int) -> list[int]:
        return [i for (i,) in con.execute(sql, [text, k]).fetchall()]

    return ranks


def chroma(bench: Bench, items: list[Item]) -> Ranks | None:
    """Chroma in memory, cosine, its default HNSW, given the vectors that search() has."""
    library = bench.peer("chromadb", "chromadb")
    if library is None:
        return None
    from sqlagent.embedding import load

    model = load()
    settings = library.Settings(anonymized_telemetry=False)
    client = library.EphemeralClient(settings=settings)
    name = "sqlagent-benchmark"
    if name in [getattr(c, "name", c) for c in client.list_collections()]:
        client.delete_collection(name)
    kept = client.create_collection(name, metadata={"hnsw:space": "cosine"})
    vectors = model.encode([item.text for item in items])
    step = 1000
    for start in range(0, len(items), step):
        ids = [str(i) for i in range(start, min(start + step, len(items)))]
        kept.add(ids=ids, embeddings=vectors[start : start + step])

    def ranks(text: str, k: int) -> list[int]:
        asked = model.encode([text])
        found = kept.query(query_embeddings=asked, n_results=min(k, len(items)), include=[])
        return [int(i) for i in found["ids"][0]]

    return ranks


def exact(items: list[Item]) -> Ranks:
    """The cosines of the default model's vectors."""
    import numpy as np

    from sqlagent.embedding import load

    model = load()
    vectors = model.encode([item.text for item in items])

    def ranks(text: str, k: int) -> list[int]:
        near = vectors @ model.encode([text])[0]
        order: list[int] = np.argsort(-near, kind="stable")[:k].tolist()
        return order

    return ranks


def fts5_order(items: list[Item]) -> Ranks:
    """bm25 of FTS5 as places among the items."""
    places = [Item(str(i), item.text) for i, item in enumerate(items)]
    ask = fts5([Item(f'["{p.id}", 0, 0]', p.text) for p in places])

    def ranks(text: str, k: int) -> list[int]:
        whole = Question("", text, "", None, ("",), ((0, 0),))
        return [int(place[0]) for place in ask(whole)][:k]

    return ranks


def fused(lists: list[Ranks]) -> Ranks:
    """Reciprocal rank fusion of the lists' first POOL."""

    def ranks(text: str, k: int) -> list[int]:
        score: dict[int, float] = {}
        for each in lists:
            for place, i in enumerate(each(text, POOL)):
                score[i] = score.get(i, 0.0) + 1.0 / (RRF + 1 + place)
        return sorted(score, key=lambda i: (-score[i], i))[:k]

    return ranks
