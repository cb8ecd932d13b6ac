"""The text of a distilled memory without a model: a sentence that one of its sources says.

Of all sentences of the sources the most central one: that whose terms are nearest the centroid of
the cluster (D. Radev and others: Centroid-based summarization of multiple documents, 2004). Words
that tell the occasion at its beginning or end ("On Monday", "this morning", 昨天) are left out, so
the text is a slice of a source, never put together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sqlagent.memory import duplicates
from sqlagent.memory.consolidate.episodes import Cluster, terms
from sqlagent.memory.consolidate.rows import Memory
from sqlagent.memory.consolidate.texts import sentences

TERMS_MIN: Final = 2  # that a sentence tells, or it says nothing
SUPPORT: Final = 0.5  # how much of what it tells the others must tell too
OWN: Final = 0.05  # for a number or a word that no other episode has
_DAY: Final = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?"
_PART: Final = r"(?:morning|afternoon|evening|night|noon|week|weekend|month)"
_MONTH: Final = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
)
_OCCASION: Final = (
    rf"(?:(?:earlier |later )?(?:today|yesterday|tonight|tomorrow)(?: {_PART})?|just now|again"
    rf"|(?:this|last|next) (?:{_PART}|{_DAY})|on {_DAY}(?: {_PART})?"
    rf"|on (?:the )?\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH}(?: \d{{4}})?"
    rf"|on {_MONTH} \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?|on \d{{4}}-\d\d-\d\d"
    r"|at \d{1,2}(?::\d\d)? ?(?:am|pm|o'clock)?)"
)
_CJK_OCCASION: Final = (
    r"(?:(?:今天|昨天|前天|今早|今晚|昨晚|刚才|剛才|今日|昨日|[上这這本下]?(?:周|週|星期|礼拜|禮拜)[一二三四五六日天末])"
    r"(?:早上|上午|中午|下午|晚上|傍晚)?|早上|上午|中午|下午|晚上|\d+月\d+[日号號])"
)
_HEAD: Final = re.compile(rf"(?:{_OCCASION}\b[,:]?\s+|{_CJK_OCCASION}[,，]?)+", re.IGNORECASE)
_TAIL: Final = re.compile(rf"(?:,?\s+{_OCCASION})+(?=[.!。！]*$)", re.IGNORECASE)


class Sentence(NamedTuple):
    """A slice of a memory's content, in characters, and how central it is."""

    memory: Memory
    position: int
    length: int
    score: float

    @property
    def text(self) -> str:
        return self.memory.content[self.position : self.position + self.length]


def extract(cluster: Cluster) -> Sentence | None:
    """The sentence that says what recurs, or None where none does."""
    shares = shared(cluster.members)
    alone = 1.5 / len(cluster.members)  # a share below it is that of one episode
    best: Sentence | None = None
    for memory in cluster.members:
        for position, length in sentences(memory.content):
            found = judged(memory, position, length, cluster.centroid, shares, alone)
            # Of equals the newest: the members are in order of time.
            if found is not None and (best is None or found.score >= best.score):
                best = found
    return best


def place(memory: Memory, centroid: Mapping[str, float]) -> tuple[int, int]:
    """Position and length of the sentence of a source that is nearest to what was distilled."""
    return max(
        sentences(memory.content) or [(0, len(memory.content))],
        key=lambda s: (nearness(memory.content[s[0] : s[0] + s[1]], centroid), -s[0]),
    )


def shared(members: Sequence[Memory]) -> dict[str, float]:
    """Which share of the episodes has each word, numbers and days among them."""
    often: dict[str, int] = {}
    for memory in members:
        for word in {*duplicates.read(memory.content).units, *terms(memory.content)}:
            often[word] = often.get(word, 0) + 1
    return {word: n / len(members) for word, n in often.items()}


def judged(
    memory: Memory,
    position: int,
    length: int,
    centroid: Mapping[str, float],
    shares: Mapping[str, float],
    alone: float,
) -> Sentence | None:
    """A sentence without its occasion, and how central it is; None for one that says nothing."""
    start, end = trimmed(memory.content, position, position + length)
    text = memory.content[start:end]
    told = terms(text)
    if len(told) < TERMS_MIN or text.rstrip("\"'”’」』)）").endswith(("?", "？")):
        return None
    support = sum(shares.get(t, 0.0) for t in told) / len(told)
    if support < SUPPORT:
        return None
    own = sum(1 for w in set(duplicates.read(text).units) if shares.get(w, 0.0) < alone)
    return Sentence(memory, start, end - start, round(nearness(text, centroid) - OWN * own, 6))


def nearness(text: str, centroid: Mapping[str, float]) -> float:
    """The cosine of a text's terms, all of one weight but by the centroid, and the centroid."""
    told = terms(text)
    dot = sum(centroid.get(t, 0.0) for t in told)
    return dot / math.sqrt(len(told)) if told else 0.0


def trimmed(content: str, start: int, end: int) -> tuple[int, int]:
    """A sentence's bounds without the words for its occasion at its beginning and end."""
    text = content[start:end]
    head = _HEAD.match(text)
    first = start + head.end() if head else start
    tail = _TAIL.search(content[first:end])
    last = first + tail.start() if tail else end
    if last - first < (end - start) / 3 or not any(c.isalnum() for c in content[first:last]):
        return start, end
    while last > first and content[last - 1] in " ,，":
        last -= 1
    return first, last
