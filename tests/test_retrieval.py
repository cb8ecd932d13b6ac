"""The retrieval benchmark: its scores, its lines, and that the ranking beats its parts on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import retrieval
from benchmarks.bench import Bench
from benchmarks.evaluation import MEASURES, Question, own, read, sets

RECORDS = {
    "talk_memories.jsonl": [
        {"id": "a/1", "conv": "a", "session": 1, "ts": "2023-05-08T13:56:00", "speaker": "Ada",
         "text": "I sold the kayak", "caption": "a red kayak"},
        {"id": "a/2", "conv": "a", "session": 1, "ts": "2023-05-08T13:56:00", "speaker": "Bob",
         "text": "I drink tea"},
        {"id": "b/1", "conv": "b", "session": 1, "ts": "2023-05-09T13:56:00", "speaker": "Ada",
         "text": "A kayak too"},
    ],
    "talk_queries.jsonl": [
        {"qid": "q1", "conv": "a", "question": "Who sold a kayak?", "gold": ["a/1"],
         "category": "who"},
    ],
    "texts_docs.jsonl": [{"id": "d", "text": "Anna sailed to Oslo. Bob drinks tea in Lima."}],
    "texts_queries.jsonl": [
        {"qid": "q1", "question": "Where does Bob drink tea?", "doc": "d", "spans": [[39, 43]]}
    ],
}  # fmt: skip


def test_scores() -> None:
    two = Question("q", "?", "all", None, ("x", "y"), ())
    assert two.score(["x", "y"]) == (1.0, 1.0, 1.0, 1.0)
    assert two.score([*"abcde", "x"]) == pytest.approx((0.0, 0.5, 0.5, 0.2184), abs=1e-4)
    assert two.missed(["y", "a"]) == ["x"] and two.score([]) == (0.0, 0.0, 0.0, 0.0)
    span = Question("q", "?", "all", None, ("d",), ((5, 9),))
    assert span.score([["d", 0, 8], ["d", 5, 9]]) == pytest.approx((1, 1, 1, 0.6309), abs=1e-4)
    assert span.missed([["e", 0, 100]]) == [["d", 5, 9]]


def test_our_own_questions_are_answered(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    bench = Bench("retrieval", tmp_path, tmp_path, True, rows=str(rows))
    retrieval.run(bench)
    measured = {line.what: line for line in bench.lines if line.beside == "FTS5 bm25 alone"}
    assert measured["own R@10 with vectors"].measured >= 0.95
    assert measured["own R@5 without vectors"].measured >= 0.8
    for way in ("with vectors", "without vectors"):
        line = measured[f"own nDCG@10 {way}"]
        assert line.peer is not None and line.measured > line.peer
    lines = [json.loads(line) for line in rows.read_text("utf-8").splitlines()]
    assert len(lines) == 4 * len(own().questions)
    assert {*MEASURES, "asked", "came", "missed", "way", "category"} <= lines[0].keys()


def test_sets_are_read_from_a_folder(tmp_path: Path) -> None:
    for name, records in RECORDS.items():
        (tmp_path / name).write_text("".join(json.dumps(r) + "\n" for r in records), "utf-8")
    assert sets(tmp_path) == ["talk", "texts"]
    assert read(tmp_path, "talk").items[0].text == "I sold the kayak [shared image: a red kayak]"
    folder = tmp_path / "run"
    folder.mkdir()
    bench = Bench("retrieval", folder, folder, True, data=str(tmp_path))
    retrieval.run(bench)
    best = {line.what: line.measured for line in bench.lines}
    assert best["talk R@5 with vectors"] == best["texts R@5 without vectors"] == 1.0
    with pytest.raises(SystemExit, match=r"no set 'tlak' in .*: one of talk, texts"):
        retrieval.run(Bench("retrieval", folder, folder, True, data=str(tmp_path), set="tlak"))
