"""Sets of questions with known answers: how they are read, and how a ranking is scored.

A set NAME is a pair of JSONL files. NAME_memories.jsonl (`{id, conv, session, ts, speaker, text,
caption?}`) or NAME_docs.jsonl (`{id, text}`), and NAME_queries.jsonl with `{qid, question}` and
either `gold` (ids; of memories only those of `conv` are asked) or `doc` and `spans` (characters of
that document, which one chunk must hold whole).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.conversations import QUESTIONS, TURNS

MEASURES = ("R@5", "R@10", "R@20", "nDCG@10")
Found = Sequence[Any]  # ids, or (document, start, end), best first


class Item(NamedTuple):
    """A memory with its conversation, or a document."""

    id: str
    text: str
    conversation: str | None = None
    session: str | None = None
    created_at: str | None = None
    speaker: str | None = None


class Question(NamedTuple):
    id: str
    text: str
    category: str
    conversation: str | None
    gold: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]

    def wanted(self) -> list[Any]:
        """What should come, as JSON."""
        return [[self.gold[0], *span] for span in self.spans] if self.spans else list(self.gold)

    def missed(self, found: Found) -> list[Any]:
        """What should have come and did not."""
        return [want for want in self.wanted() if not any(self._is(want, one) for one in found)]

    def _is(self, want: Any, one: Any) -> bool:
        if not self.spans:
            return bool(one == want)
        return bool(one[0] == want[0] and one[1] <= want[1] and want[2] <= one[2])

    def score(self, found: Found) -> tuple[float, ...]:
        """R@5, R@10, R@20 (the share of the gold in the first k) and nDCG@10 (binary)."""
        wanted = self.wanted()
        recalls = [1.0 - len(self.missed(found[:k])) / len(wanted) for k in (5, 10, 20)]
        gain = sum(
            1.0 / math.log2(place + 2)
            for place, one in enumerate(found[:10])
            if any(self._is(want, one) for want in wanted)
        )
        ideal = sum(1.0 / math.log2(place + 2) for place in range(min(10, len(wanted))))
        return (*recalls, min(1.0, gain / ideal))


class Evaluation(NamedTuple):
    """A set: memories of conversations, or documents, and the questions about them."""

    name: str
    items: list[Item]
    questions: list[Question]

    @property
    def conversations(self) -> bool:
        return self.items[0].conversation is not None


def own() -> Evaluation:
    """The conversations that come with the benchmarks."""
    items, questions = [], []
    for name, turns in TURNS.items():
        for number, (session, at, speaker, text) in enumerate(turns, 1):
            items.append(Item(f"{name}/{number}", text, name, f"{name}-{session}", at, speaker))
    for number, (name, text, category, gold) in enumerate(QUESTIONS, 1):
        ids = tuple(f"{name}/{turn}" for turn in gold)
        questions.append(Question(str(number), text, category, name, ids, ()))
    return Evaluation("own", items, questions)


def sets(folder: Path) -> list[str]:
    """The names of the sets in a folder."""
    return sorted(
        path.name.removesuffix("_queries.jsonl") for path in folder.glob("*_queries.jsonl")
    )


def read(folder: Path, name: str) -> Evaluation:
    """A set from its files; FileNotFoundError where there are none."""
    source = folder / f"{name}_memories.jsonl"
    if not source.exists():
        source = folder / f"{name}_docs.jsonl"
    items = [_item(record) for record in _records(source)]
    questions = [_question(record) for record in _records(folder / f"{name}_queries.jsonl")]
    return Evaluation(name, items, questions)


def _item(record: dict[str, Any]) -> Item:
    if "conv" not in record:
        return Item(record["id"], record["text"])
    text = record["text"]
    if record.get("caption"):
        text += f" [shared image: {record['caption']}]"
    session = f"{record['conv']}-{record['session']}"
    at = record["ts"].replace("T", " ")
    return Item(record["id"], text, record["conv"], session, at, record["speaker"])


def _question(record: dict[str, Any]) -> Question:
    spans = tuple((start, end) for start, end in record.get("spans", ()))
    gold = (record["doc"],) if spans else tuple(record["gold"])
    category = record.get("category", "all")
    return Question(record["qid"], record["question"], category, record.get("conv"), gold, spans)


def _records(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]
