"""What recall learns from feedback: half of the questions are judged, the other half is asked.

    python -m benchmarks feedback [--data FOLDER] [--set NAME]

Of each judged question, what recall() returned and is known to answer it is useful, and the three
best that are not known to are not. The weights that are learnt must rank the other half no worse.
Without --data, a small sample of our own; with it, the sets that have conversations.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import sqlagent
from benchmarks.bench import Bench
from benchmarks.evaluation import Evaluation, Question, own, read, sets
from benchmarks.retrieval import Ask, stored

JUDGE = """
INSERT INTO recall_feedback (agent_id, query, memory_id, useful)
SELECT agent_id, ?, memory_id, ? FROM memories WHERE agent_id = ? AND source = ?
"""
NDCG = 3  # its place in the measures
USELESS = 3


def run(bench: Bench) -> None:
    folder, name = bench.options.get("data"), bench.options.get("set")
    evaluations = [own()]
    if folder is not None:
        names = [n for n in sets(Path(folder)) if name in (None, n)]
        read_all = [read(Path(folder), each) for each in names]
        evaluations = [e for e in read_all if e.conversations]
    for evaluation in evaluations:
        learnt(bench, evaluation, seed=1)
        if folder is not None:
            learnt(bench, evaluation, seed=2)


def learnt(bench: Bench, evaluation: Evaluation, seed: int) -> None:
    """The nDCG@10 of the half that was not judged, before and after; CPU of learning."""
    con = sqlagent.connect(bench.folder / f"{evaluation.name}-{seed}.db")
    _, ask = stored(con, evaluation)
    questions = list(evaluation.questions)
    random.Random(seed).shuffle(questions)
    half = len(questions) // 2
    before = quality(ask, questions[half:])
    came = [(question, list(ask(question))[:10]) for question in questions[:half]]
    con.execute("BEGIN")
    for question, found in came:
        judge(con, question, found)
    con.execute("COMMIT")
    start = time.process_time()
    con.execute("CALL sync()").fetchall()
    took = 1000 * (time.process_time() - start)
    rows = con.execute("SELECT agent_id, part, weight FROM recall_weights").fetchall()
    scopes = {agent for agent, _, _ in rows}
    changed = {agent for agent, _, weight in rows if weight is not None}
    bench.check("there was enough to learn from", bool(scopes), rows)
    after = quality(ask, questions[half:])
    what = f"{evaluation.name}, split {seed}"
    bench.report(
        f"{what}, nDCG@10 of the other half", after, reach=round(before - 0.005, 4), at_least=True,
        beside="the default weights", peer=before,
    )  # fmt: skip
    bench.report(f"{what}, CPU to learn, an agent", took / len(scopes), "ms")
    bench.note(f"{what}: learnt for {len(scopes)} agents, other weights than the defaults for "
               f"{len(changed)}")  # fmt: skip
    con.close()


def judge(con: Any, question: Question, came: list[Any]) -> None:
    """Feedback on what came."""
    useful = [one for one in came if one in question.gold]
    useless = [one for one in came if one not in question.gold][:USELESS]
    for said, ids in ((True, useful), (False, useless if useful else [])):
        for one in ids:
            con.execute(JUDGE, (question.text, said, question.conversation, one))


def quality(ask: Ask, questions: list[Question]) -> float:
    """The mean nDCG@10."""
    return sum(question.score(ask(question))[NDCG] for question in questions) / len(questions)
