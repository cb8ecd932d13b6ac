"""Recall of questions whose answers are known, through SQL, beside BM25 alone and vectors alone.

    python -m benchmarks retrieval [--data FOLDER] [--set NAME] [--rows FILE]

Memories go in by INSERT and are asked by recall(), documents by search(), with default settings;
without --data a small sample of our own is asked. Without vectors: SET embedding_model = 'none'.
Each question leaves a line in FILE (retrieval.jsonl where --data is given): what was asked, what
came, what was missed, with its scores.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlagent
from benchmarks.bench import Bench
from benchmarks.evaluation import MEASURES, Evaluation, Found, Item, Question, own, read, sets

MEMORY = """
INSERT INTO memories (agent_id, content, session_id, speaker, created_at, source)
VALUES (?, ?, ?, ?, ?, ?)
"""
CHUNKS = """
SELECT c.chunk_id, d.uri, c.position, c.position + length(c.content), c.content
FROM chunks c JOIN documents d ON d.document_id = c.document_id
"""
K = 20
# R@5, R@10, R@20, nDCG@10 to reach, with vectors and without.
REACH = {
    "locomo": ((0.76, 0.85, 0.90, 0.68), (0.72, 0.79, 0.84, 0.63)),
    "cmrc": ((0.99, None, None, None), (0.99, None, None, None)),
    "xquad_en": ((0.975, None, None, None), (None,) * 4),
    "xquad_zh": ((0.985, None, None, None), (None,) * 4),
}
Ask = Callable[[Question], Found]


def run(bench: Bench) -> None:
    """Every set of the folder, or the one that is named."""
    folder, name = bench.options.get("data"), bench.options.get("set")
    evaluations = [own()]
    if folder is not None:
        known = sets(Path(folder))
        if name is not None and name not in known:
            raise SystemExit(f"no set {name!r} in {folder}: one of {', '.join(known)}")
        evaluations = [read(Path(folder), each) for each in known if name in (None, each)]
    elif name is not None:
        raise SystemExit("--set names a set of the folder that --data names")
    rows = bench.options.get("rows")
    target = Path(rows) if rows else bench.folder / "rows.jsonl"
    with target.open("w", encoding="utf-8") as lines:
        for evaluation in evaluations:
            for line in evaluate(bench, evaluation):
                lines.write(json.dumps(line, ensure_ascii=False) + "\n")


def evaluate(bench: Bench, evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    """Reports the figures of a set; yields a line for each question."""
    con = sqlagent.connect(bench.folder / f"{evaluation.name}.db")
    units, ask = stored(con, evaluation)
    peers = {"FTS5 bm25 alone": fts5(units), "vectors alone": dense(units)}
    ways: dict[str, Ask] = {"with vectors": ask, "without vectors": ask, **peers}
    scores: dict[str, dict[str, tuple[float, ...]]] = {}
    for way, asked in ways.items():
        con.execute(f"SET embedding_model = '{'none' if way == 'without vectors' else 'minilm'}'")
        scores[way] = {}
        for question in evaluation.questions:
            found = asked(question)
            bench.check("each answer once", len({str(f) for f in found}) == len(found), found)
            score = scores[way][question.id] = question.score(found)
            yield {
                "set": evaluation.name, "way": way, "question": question.id,
                "category": question.category, "asked": question.text,
                "came": list(found), "missed": question.missed(found),
                **{m: round(s, 4) for m, s in zip(MEASURES, score, strict=True)},
            }  # fmt: skip
    con.close()
    told(bench, evaluation, scores)


def told(
    bench: Bench, evaluation: Evaluation, scores: dict[str, dict[str, tuple[float, ...]]]
) -> None:
    """The lines of the table, and a note for each category."""
    means = {way: mean(list(each.values())) for way, each in scores.items()}
    reaches = dict(
        zip(("with vectors", "without vectors"), REACH.get(evaluation.name, ()), strict=False)
    )
    for way, peer in (
        ("with vectors", "FTS5 bm25 alone"), ("with vectors", "vectors alone"),
        ("without vectors", "FTS5 bm25 alone"),
    ):  # fmt: skip
        for at, measure in enumerate(MEASURES):
            reach = reaches.get(way, (None,) * 4)[at]
            bench.report(
                f"{evaluation.name} {measure} {way}", means[way][at], reach=reach, at_least=True,
                beside=peer, peer=means[peer][at],
            )  # fmt: skip
    groups: dict[str, list[str]] = defaultdict(list)
    for question in evaluation.questions:
        groups[question.category].append(question.id)
    for category, ids in sorted(groups.items()):
        for way, each in scores.items():
            values = mean([each[i] for i in ids])
            shown = ", ".join(f"{m} {v:.3f}" for m, v in zip(MEASURES, values, strict=True))
            bench.note(f"{evaluation.name}, {category} ({len(ids)}), {way}: {shown}")


def mean(scores: list[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(sum(column) / len(scores) for column in zip(*scores, strict=True))


def stored(con: Any, evaluation: Evaluation) -> tuple[list[Item], Ask]:
    """Puts a set into the file; what can be found there, and how it is asked."""
    con.execute("BEGIN")
    if evaluation.conversations:
        for item in evaluation.items:
            values = (
                item.conversation,
                item.text,
                item.session,
                item.speaker,
                item.created_at,
                item.id,
            )
            con.execute(MEMORY, values)
    else:
        for item in evaluation.items:
            con.execute("INSERT INTO documents (uri, content) VALUES (?, ?)", (item.id, item.text))
    con.execute("COMMIT")
    con.execute("CALL sync()").fetchall()
    if evaluation.conversations:
        names = dict(con.execute("SELECT memory_id, source FROM memories").fetchall())
        recall = "SELECT memory_id FROM recall(?, ?, k => ?)"

        def recalled(question: Question) -> Found:
            rows = con.execute(recall, (question.conversation, question.text, K)).fetchall()
            return [names[memory_id] for (memory_id,) in rows]

        return evaluation.items, recalled
    chunks = {row[0]: row for row in con.execute(CHUNKS).fetchall()}

    def searched(question: Question) -> Found:
        rows = con.execute("SELECT chunk_id FROM search(?, k => ?)", (question.text, K)).fetchall()
        return places([chunks[chunk_id][1:4] for (chunk_id,) in rows], question)

    units = [Item(json.dumps(row[1:4]), row[4]) for row in chunks.values()]
    return units, searched


def places(found: list[Any], question: Question) -> Found:
    """Chunks as the question is scored: as they are, or as the documents they come from."""
    if question.spans:
        return [list(place) for place in found]
    return list(dict.fromkeys(uri for uri, _, _ in found))


def ranked(items: list[Item], order: list[int], question: Question) -> Found:
    ids = [items[at].id for at in order]
    if items and items[0].conversation is not None:
        return ids
    return places([json.loads(place) for place in ids], question)


def shown(item: Item) -> str:
    """A turn with its date and speaker, as search engines are given it."""
    return (
        f"[{(item.created_at or '')[:10]}] {item.speaker}: {item.text}"
        if item.speaker
        else item.text
    )


def parted(items: list[Item]) -> dict[str | None, list[Item]]:
    """The items of each conversation; a question asks its own."""
    groups: dict[str | None, list[Item]] = defaultdict(list)
    for item in items:
        groups[item.conversation].append(item)
    return groups


def fts5(items: list[Item]) -> Ask:
    """bm25 of SQLite's FTS5 over single texts, stop words left out of the question."""
    import apsw

    from sqlagent.index import query_terms, terms

    groups = parted(items)
    con = apsw.Connection(":memory:")
    con.execute("CREATE VIRTUAL TABLE f USING fts5(g UNINDEXED, t, tokenize = 'porter unicode61')")
    for group, those in groups.items():
        con.executemany("INSERT INTO f (g, t) VALUES (?, ?)", ((group, shown(i)) for i in those))
    at = [(group, n) for group, those in groups.items() for n in range(len(those))]
    sql = "SELECT rowid FROM f WHERE f MATCH ? AND g IS ? ORDER BY bm25(f) LIMIT ?"

    def ask(question: Question) -> Found:
        kept = set(query_terms(question.text))
        words = [w for w in re.findall(r"\w+", question.text) if not kept.isdisjoint(terms(w))]
        match = " OR ".join(f'"{word}"' for word in words)
        rows = con.execute(sql, (match or '""', question.conversation, K)).fetchall()
        those = groups[question.conversation]
        return ranked(those, [at[rowid - 1][1] for (rowid,) in rows], question)

    return ask


def dense(items: list[Item]) -> Ask:
    """The cosines of the default model's vectors, exact."""
    import numpy as np

    from sqlagent.embedding import load

    model, groups = load(), parted(items)
    vectors = {group: model.encode([shown(i) for i in those]) for group, those in groups.items()}

    def ask(question: Question) -> Found:
        near = vectors[question.conversation] @ model.encode([question.text])[0]
        order = np.argsort(-near, kind="stable")[:K].tolist()
        return ranked(groups[question.conversation], order, question)

    return ask
