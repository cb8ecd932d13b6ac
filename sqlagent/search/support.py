"""Whether a passage supports a sentence: it has its words or says the same, and nothing differs.

A model of language inference would judge by meaning alone; here a sentence counts as supported only
where its numbers, times, names and negations stand in the passage, most of its words do, and the
rest is near in meaning. That misses free paraphrases rather than pass what was made up.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import NamedTuple

from sqlagent.index.words import content_words, query_terms, terms
from sqlagent.memory.duplicates import read
from sqlagent.search.support_words import CONTRARY, CONTRARY_CHINESE, EMPTY, SURNAMES

# So much of a sentence's words must be in the passage: by themselves, or beside a cosine.
COVERED = 0.8
COVERED_NEAR = 0.5
NEAR = 0.7

_MARKS = re.compile(r"\[\d+(?:\s*[,;–-]\s*\d+)*\]|\(\d+\)(?=\s*[.!?。]?$)|【\d+】")
_LEAD = re.compile(r"^\s*(?:[-*+•>]|\d{1,3}[.)]|#{1,6})\s+")
_NAME = re.compile(r"(?<![.!?]\s)(?<!^)(?<![\"“‘(]) ?\b([A-Z][\w’'-]*[a-z0-9]\w*|[A-Z]{2,}\w*)")
_CJK = "\u2e80"
_PARTICLES = str.maketrans("", "", "的了之呢吗啊吧")
_CLAUSE = re.compile(
    r"[,;:，；：。.!?！？\n]+(?:\s+|(?=[^\d\s]))|\s+(?:but|although|while)\s+|(?=但|而且|然后)"
)
_SURNAME = re.compile(f"(?=([{SURNAMES}])([\u4e00-\u9fff]{{2}}))")


class Said(NamedTuple):
    """A text as it is compared."""

    text: str
    words: frozenset[str]  # stems; of Chinese, pairs of characters
    all: frozenset[str]
    numbers: Counter[str]
    names: frozenset[str]


def claim(sentence: str) -> str:
    """A sentence of an answer without citation marks and the marks of lists and headings."""
    return " ".join(_MARKS.sub(" ", _LEAD.sub("", sentence)).split())


@lru_cache(maxsize=8192)
def said(text: str) -> Said:
    """A text read once, to be compared with many."""
    plain = text.translate(_PARTICLES)
    found = [t for t in query_terms(plain) if len(t) > 1 or t < _CJK]
    names = frozenset(n.lower() for n in _NAME.findall(text))
    every = frozenset(terms(plain))
    numbers = Counter(unit for unit in read(text).hard if unit != "not")
    return Said(text, frozenset(found), every, numbers, names)


def empty(sentence: str) -> bool:
    """Whether there is nothing in a sentence that could be supported."""
    return all(word in EMPTY for word in content_words(sentence))


def coverage(one: Said, passage: Said) -> float:
    """The share of the sentence's words that the passage has, 0..1."""
    return len(one.words & passage.all) / max(1, len(one.words))


def differs(one: Said, passage: Said, around: Said) -> bool:
    """Whether the sentence says something that the passage does not have: a number, a time, a name
    (which may stand `around` it), a negation, or a word in the place of its contrary."""
    if _negated(one.text, passage.text) or _exchanged(one, passage):
        return True
    if any(number not in around.numbers for number in one.numbers - passage.numbers):
        return True
    if one.numbers and not (one.numbers & passage.numbers):
        return True
    missing = [n for n in one.names if not frozenset(terms(n)) <= around.all]
    return bool(missing) or _contrary(one, passage)


def _negated(claim: str, passage: str) -> bool:
    """Whether a clause of the claim is negated and the nearest of the passage is not, or the other
    way round."""
    theirs = _clauses(passage)
    for words, mine in _clauses(claim):
        shared = [len(words & others) for others, _ in theirs]
        most = max(shared, default=0)
        nearest = {no for n, (_, no) in zip(shared, theirs, strict=True) if n == most}
        # Of clauses that are equally near a negated one counts against what is not negated.
        if most and (True in nearest) != mine:
            return True
    return False


@lru_cache(maxsize=8192)
def _clauses(text: str) -> tuple[tuple[frozenset[str], bool], ...]:
    """The words of each clause, and whether it is negated."""
    found = []
    for clause in _CLAUSE.split(text):
        words = said(clause).words
        if words:
            negated = sum(unit == "not" for unit in read(clause).hard) % 2 == 1
            found.append((words, negated))
    return tuple(found)


def _exchanged(one: Said, passage: Said) -> bool:
    """Whether a word stands between the same two as another does in the passage, or a Chinese
    family name before the same given name."""
    mine, theirs = _sequence(one.text), _sequence(passage.text)
    held = set(theirs)
    between: dict[tuple[str, str], set[str]] = {}
    for before, word, after in zip(theirs, theirs[1:], theirs[2:], strict=False):
        between.setdefault((before, after), set()).add(word)
    own = set(mine)
    for before, word, after in zip(mine, mine[1:], mine[2:], strict=False):
        if word in held or frozenset(terms(word)) <= passage.all:
            continue
        if any(other not in own for other in between.get((before, after), ())):
            return True
    for name, given in _SURNAME.findall(one.text):
        if name + given not in passage.text:
            others = re.findall(f"([{SURNAMES}]){given}", passage.text)
            if any(other != name for other in others):
                return True
    return False


@lru_cache(maxsize=8192)
def _sequence(text: str) -> tuple[str, ...]:
    """The content words in order, with numbers."""
    return tuple(w for w in content_words(text) if w[0] < _CJK)


def _contrary(one: Said, passage: Said) -> bool:
    mine = set(content_and_light(one.text))
    theirs = set(content_and_light(passage.text))
    for word in mine - theirs:
        if any(other in theirs and other not in mine for other in CONTRARY.get(word, ())):
            return True
    for word, others in CONTRARY_CHINESE.items():
        if word in one.text and word not in passage.text:
            for other in others:
                if other in passage.text and other not in one.text:
                    return True
    return False


@lru_cache(maxsize=8192)
def content_and_light(text: str) -> tuple[str, ...]:
    """All words, lower case."""
    return tuple(re.findall(r"[^\W\d_]+", text.lower()))


def supports(covered: float, cosine: float | None) -> bool:
    """Whether words and meaning suffice where nothing differs; `cosine` None without vectors."""
    if covered >= COVERED:
        return True
    return cosine is not None and covered >= COVERED_NEAR and cosine >= NEAR
