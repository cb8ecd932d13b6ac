"""Search of documents whose answers are known, through SQL: fused, by words and by vectors alone.

    python -m benchmarks search_quality [--data FOLDER] [--set NAME]

Documents are cut and indexed with default settings; without --data a small sample of our own is
asked. A question is answered by a chunk that holds its span whole, or by one of its documents.
Beside them stand BM25 of FTS5, bm25s and rank-bm25, Chroma with the same vectors, and FTS5 fused
with vectors by ranks; the fused way should never lose to its own parts. Also
how well cite() tells what our sample supports from what it does not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlagent
from benchmarks.bench import Bench
from benchmarks.cited import CASES, DOCUMENTS, QUESTIONS
from benchmarks.evaluation import Evaluation, Item, Question, read, sets
from benchmarks.retrieval import CHUNKS, mean, places
from benchmarks.search_peers import peers

MEASURED = ("R@1", "R@5", "nDCG@10")
FIND = "SELECT chunk_id FROM search(?, k => ?{})"
WAYS = {"fused": "", "words alone": ", alpha => 0", "vectors alone": ", alpha => 1"}
# R@1, R@5 and, of documents, nDCG@10 to reach.
REACH = {
    "xquad_en": (0.86, 0.985, None), "xquad_zh": (0.92, 0.99, None), "cmrc": (0.94, 0.99, None),
    "chunkeval": (None, 0.87, None), "cranfield": (None, None, 0.58),
}  # fmt: skip


def run(bench: Bench) -> None:
    """Every set of documents in the folder, or the one that is named; and our own."""
    folder, name = bench.options.get("data"), bench.options.get("set")
    judged(bench)
    if folder is None:
        evaluate(bench, own())
        return
    for each in sets(Path(folder)):
        if name in (None, each) and (Path(folder) / f"{each}_docs.jsonl").exists():
            evaluate(bench, read(Path(folder), each))


def own() -> Evaluation:
    """Questions about the documents that come with the benchmarks."""
    questions = []
    for number, (text, name, answer) in enumerate(QUESTIONS):
        start = DOCUMENTS[name].index(answer)
        spans = ((start, start + len(answer)),)
        questions.append(Question(str(number), text, "all", None, (name,), spans))
    items = [Item(name, text) for name, text in DOCUMENTS.items()]
    return Evaluation("own", items, questions)


def evaluate(bench: Bench, evaluation: Evaluation) -> None:
    """R@1, R@5 and nDCG@10 of each way, and the characters of five chunks."""
    con = sqlagent.connect(bench.folder / f"{evaluation.name}.db")
    with con:
        con.execute("BEGIN")
        for item in evaluation.items:
            con.execute("INSERT INTO documents (uri, content) VALUES (?, ?)", (item.id, item.text))
        con.execute("COMMIT")
        con.execute("CALL sync()").fetchall()
        chunks = {row[0]: row for row in con.execute(CHUNKS).fetchall()}
        spans = bool(evaluation.questions[0].spans)
        scores: dict[str, tuple[float, ...]] = {}
        sizes: list[int] = []
        for way, more in WAYS.items():
            rows = []
            for question in evaluation.questions:
                values = (question.text, 20 if spans else 50)
                found = [chunks[i] for (i,) in con.execute(FIND.format(more), values).fetchall()]
                bench.check("each chunk once", len({c[0] for c in found}) == len(found), found)
                rows.append(scored(question, places([c[1:4] for c in found], question)))
                if way == "fused":
                    sizes.append(sum(c[3] - c[2] for c in found[:5]))
            scores[way] = mean(rows)
    units = [Item(_place(row), row[4]) for row in chunks.values()]
    for name, ask in peers(bench, units, 20 if spans else 50).items():
        scores[name] = mean([scored(q, ask(q)) for q in evaluation.questions])
    best = {w: s for w, s in scores.items() if w != "fused"}
    for way in ("words alone", "vectors alone"):
        for at, measure in enumerate(MEASURED):
            loss = scores[way][at] - scores["fused"][at]
            bench.report(f"{evaluation.name} {measure}, lost to {way}", max(0.0, loss), reach=0.0)
    for at, measure in enumerate(MEASURED):
        way = max(best, key=lambda w: best[w][at])
        bench.report(
            f"{evaluation.name} {measure}", scores["fused"][at], at_least=True, beside=way,
            peer=best[way][at], reach=REACH.get(evaluation.name, (None,) * 3)[at],
        )  # fmt: skip
        shown = ", ".join(f"{way} {s[at]:.3f}" for way, s in scores.items())
        bench.note(f"{evaluation.name} {measure}: {shown}")
    if spans:
        bench.report(f"{evaluation.name} characters of five", sum(sizes) / len(sizes), reach=2200)


def _place(row: Any) -> str:
    import json

    return json.dumps(list(row[1:4]))


def scored(question: Question, found: Any) -> tuple[float, ...]:
    """R@1, R@5, nDCG@10."""
    wanted = question.wanted()
    first = 1.0 - len(question.missed(found[:1])) / len(wanted)
    fifth, _, _, gain = question.score(found)
    return first, fifth, gain


def judged(bench: Bench) -> None:
    """Precision and recall of cite() on sentences that our documents do and do not support."""
    con = sqlagent.connect(bench.folder / "cited.db")
    for uri, text in DOCUMENTS.items():
        con.execute("SELECT index_document(?, uri => ?)", (text, uri)).fetchall()
    con.execute("CALL sync()").fetchall()
    for model in ("minilm", "none"):
        con.execute(f"SET embedding_model = '{model}'")
        for name, chinese in (("English", False), ("Chinese", True)):
            right = said = there = 0
            for sentence, supported in CASES:
                if (max(sentence) > "\u2e80") is not chinese:
                    continue
                rows = con.execute("SELECT supported FROM cite(?)", (sentence,)).fetchall()
                yes = all(row[0] for row in rows)
                right, said, there = right + (yes and supported), said + yes, there + supported
            how = "" if model == "minilm" else ", no vectors"
            bench.report(f"cite() precision, {name}{how}", right / max(1, said), at_least=True)
            bench.report(f"cite() recall, {name}{how}", right / there, at_least=True)
    con.close()
