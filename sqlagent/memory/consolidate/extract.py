"""The text of a distilled memory without a model: a sentence that one of its sources says.

Of all sentences of the sources the most central one: that whose terms are nearest the centroid of
the cluster (D. Radev and others: Centroid-based summarization of multiple documents, 2004). Words
that tell the occasion at its beginning or end ("On Monday", "this morning", 昨天) are left out, so
the text is a slice of a source, never put together.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from sqlagent.memory import duplicates
from sqlagent.memory.consolidate.episodes import Cluster, recurs
from sqlagent.memory.consolidate.rows import Memory
from sqlagent.memory.consolidate.terms import terms
from sqlagent.memory.consolidate.texts import deictic, sentences, specifics

TERMS_MIN: Final = 2  # that a sentence tells, or it says nothing
SUPPORT: Final = 0.5  # how much of what it tells the others must tell too
OWN: Final = 0.05  # for a number or a word that no other episode has
LOWER: Final = 0.03  # for one that reads as if something were missing before it
DEICTIC: Final = 0.15  # for one that tells its time by when it was said, in the midst of it
LENGTH_MAX: Final = 600  # characters of a sentence
# Said to somebody, not about what happened.
_TO_SOMEBODY: Final = re.compile(
    r"\b(?:you|your|yours|you're|let's|let us)\b|[你您妳]|あなた", re.I
)
# Begun as an answer, or about something that was named before: it does not stand by itself.
_LEANS: Final = re.compile(
    r"(?:(?:it|that|this|they|those|these|he|she|hey|hi|hello|wow|yeah|yep|yup|yes|no|nope|thanks"
    r"|thank|cool|aww?|oh|sure|mmm|hmm|ugh|ok|okay|congrats|glad|sorry|agreed?|definitely"
    r"|absolutely|exactly|can't wait|looking forward|so|such|but|and|also)\b"
    r"|[它他她這这那]|是的|好的|没错|對|对[，,])",
    re.I,
)
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


def told(cluster: Cluster) -> Iterator[tuple[Cluster, Sentence]]:
    """What recurs in a cluster, and the sentence that says it.

    Where each sentence names what most of the others do not (a coffee with Ann, with Bob), those
    that name the same are told by themselves, if they recur.
    """
    sentence = extract(cluster)
    if sentence is not None:
        yield cluster, sentence
        return
    by_name: dict[str, list[Memory]] = defaultdict(list)
    for memory in cluster.members:
        for name in specifics(memory.content):
            by_name[name].append(memory)
    taken: set[int] = set()
    for name in sorted(by_name, key=lambda n: (-len(by_name[n]), n)):
        some = [m for m in by_name[name] if m.memory_id not in taken]
        if len(some) < len(cluster.members) and recurs(some):
            part = cluster._replace(members=some)
            sentence = extract(part)
            if sentence is not None:
                taken.update(m.memory_id for m in some)
                yield part, sentence


def extract(cluster: Cluster) -> Sentence | None:
    """The sentence that says what recurs, or None where none does."""
    judge = Judge(cluster)
    best: Sentence | None = None
    for memory in cluster.members:
        for position, length in sentences(memory.content):
            found = judge(memory, position, length)
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


class Judge:
    """What the episodes of a cluster have in common, to judge a sentence by."""

    def __init__(self, cluster: Cluster) -> None:
        members = cluster.members
        often: dict[str, int] = {}
        for memory in members:
            text = memory.content
            for word in {*duplicates.read(text).units, *terms(text), *specifics(text)}:
                often[word] = often.get(word, 0) + 1
        self.shares = {word: n / len(members) for word, n in often.items()}
        self.alone = 1.5 / len(members)  # a share below it is that of one episode
        self.centroid, self.names = cluster.centroid, cluster.names

    def __call__(self, memory: Memory, position: int, length: int) -> Sentence | None:
        """A sentence without its occasion, and how central it is; None for one that says nothing,
        what the others do not say, or something to somebody."""
        start, end = self.trimmed(memory.content, position, position + length)
        text = memory.content[start:end]
        said = terms(text) - self.names
        if len(said) < TERMS_MIN or len(text) > LENGTH_MAX or _TO_SOMEBODY.search(text):
            return None
        if _LEANS.match(text):
            return None
        if text.rstrip("\"'”’」』)）").endswith(("?", "？")):
            return None
        shares = self.shares
        if sum(shares.get(t, 0.0) for t in said) / len(said) < SUPPORT:
            return None
        if any(shares.get(word, 0.0) < SUPPORT for word in specifics(text)):
            return None
        own = sum(1 for w in set(duplicates.read(text).units) if shares.get(w, 0.0) < self.alone)
        score = nearness(text, self.centroid) - OWN * own - LOWER * text[0].islower()
        score -= DEICTIC * deictic(text)
        return Sentence(memory, start, end - start, round(score, 6))

    def trimmed(self, content: str, start: int, end: int) -> tuple[int, int]:
        """A sentence's bounds without the words for its occasion at its beginning and end."""
        head = _HEAD.match(content[start:end])
        first = start + head.end() if head and self.passing(head[0]) else start
        tail = _TAIL.search(content[first:end])
        last = first + tail.start() if tail and self.passing(tail[0]) else end
        if last - first < (end - start) / 3 or not any(c.isalnum() for c in content[first:last]):
            return start, end
        while last > first and content[last - 1] in " ,，":
            last -= 1
        return first, last

    def passing(self, occasion: str) -> bool:
        """Whether words for an occasion are those of a few episodes: "on Monday" is not, where most
        were on Mondays."""
        if deictic(occasion):
            return True
        units = duplicates.read(occasion).units
        return not units or min(self.shares.get(u, 0.0) for u in units) < SUPPORT


def nearness(text: str, centroid: Mapping[str, float]) -> float:
    """The cosine of a text's terms, all of one weight but by the centroid, and the centroid."""
    told = terms(text)
    dot = sum(centroid.get(t, 0.0) for t in told)
    return dot / math.sqrt(len(told)) if told else 0.0
