"""Recurring episodes: what an agent lived through on several days or in several sessions.

Episodes are about the same thing where they share the words that tell it: those that are rare among
the agent's memories, stop words, numbers and days left out. The similarity is the cosine of the
sets of their terms, each weighing log(1 + n / df) (the idf of G. Salton, C. Buckley: Term-weighting
approaches in automatic text retrieval, 1988), or that of their vectors where both have one.

Clusters are found in one pass over the episodes in order of time, each joining the best leader so
far or becoming one (J. Hartigan: Clustering Algorithms, 1975, ch. 3), then looked at once more from
their centroids. The cost is in the leaders that share a term with an episode: what recurs is soon
one leader, so it grows little faster than the number of episodes.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from sqlagent.index import words as index_words
from sqlagent.index.porter import stem
from sqlagent.memory.consolidate import texts
from sqlagent.memory.consolidate.rows import Memory

EPISODES_MIN: Final = 3  # of a cluster, on so many days or in so many sessions
JOIN: Final = 0.5  # to a leader, the least similarity
STAY: Final = 0.6  # to the centroid
POSTINGS_MAX: Final = 400  # leaders that a term may lead to; a more common one only adds to others
TERMS_MAX: Final = 64  # of an episode, the rarest
_OCCASION_WORDS: Final = """
    monday tuesday wednesday thursday friday saturday sunday january february march april may june
    july august september october november december today yesterday tomorrow tonight morning
    afternoon evening night noon midnight week weekend month year day time ago last next again early
    late first second third once twice"""
# What people say to each other about nothing: it recurs in every session, and tells no episode.
_PHATIC_WORDS: Final = """
    thanks thank thx bye goodbye appreciate cheers hey hi hello wow oh yeah yep yes okay ok sure
    congrats congratulations sorry welcome please glad nice great good awesome amazing cool sounds
    sound really definitely totally absolutely know let see talk chat catch soon later care safe
    worries worry hope mean means lot lots support encouragement friendship love like think feel
    want need get got gonna gotta going go one thing things always way check luck keep maybe well
    dear best happy help kind words chance heard much happen happened"""
_PASSED_OVER: Final = frozenset(map(stem, (_OCCASION_WORDS + _PHATIC_WORDS).split()))
_PHATIC_CJK: Final = re.compile(
    r"谢谢|謝謝|感谢|感謝|再见|再見|拜拜|你好|您好|大家好|不客气|不客氣|没关系|沒關係|对不起|對不起|加油|辛苦了?"
    r"|太好了|真好|好的|晚安|早安|保重|恭喜|哈哈+|ありがとう(?:ございます)?|こんにちは|さようなら|おはよう"
)
_CJK_OCCASION: Final = re.compile(
    r"[今昨明前后後][天晚早日年]|[今明去前]年|[上下这這本]?个?個?(?:周|週|星期|礼拜|禮拜)[一二三四五六日天末]?"
    r"|早上|上午|中午|下午|晚上|傍晚|凌晨|[一二三四五六七八九十百千万两兩0-9]+[年月日号號点點次个個天]"
)
_STOP_CJK: Final = frozenset(
    "的了是在和与及或吗呢吧啊也就都而被把从对于之其这那我你他她它们們有去到很又再还還說说会會要得地着著過过"
    "のはがをにへともでしたてますだからまで"
)


class Cluster(NamedTuple):
    """Episodes about the same thing in order of time; `centroid` is the weight of each term."""

    members: list[Memory]
    centroid: dict[str, float]
    similarity: float  # of the members to the centroid, in the mean


def terms(text: str) -> frozenset[str]:
    """The terms that tell what a text is about: stems, and pairs of CJK characters."""
    out = set()
    for word in index_words.content_words(text):
        if word[0] < texts.CJK:
            root = stem(word)
            if root not in _PASSED_OVER and not word.isdigit() and len(word) > 1:
                out.add(root)
            continue
        for run in _CJK_OCCASION.sub(" ", _PHATIC_CJK.sub(" ", word)).split():
            out.update(a + b for a, b in pairwise(run) if a not in _STOP_CJK and b not in _STOP_CJK)
    return frozenset(out)


class Weights:
    """How much each term of some texts tells."""

    def __init__(self, sets: Sequence[frozenset[str]]) -> None:
        often: Counter[str] = Counter()
        for one in sets:
            often.update(one)
        self.of = {t: math.log(1.0 + len(sets) / n) for t, n in often.items()}

    def rarest(self, one: frozenset[str]) -> list[str]:
        """The terms, the rarest first, TERMS_MAX of them at most."""
        return sorted(one, key=lambda t: (-self.of[t], t))[:TERMS_MAX]

    def length(self, one: Iterable[str]) -> float:
        """The length of a set of terms as a vector."""
        return math.sqrt(sum(self.of[t] ** 2 for t in one)) or 1.0


def clusters(memories: Iterable[Memory]) -> list[Cluster]:
    """The recurring episodes of one agent, each cluster of one user, speaker and validity."""
    by_key: dict[tuple[Any, ...], list[Memory]] = defaultdict(list)
    for memory in memories:
        if memory.kind == "episodic":
            by_key[memory.key].append(memory)
    out: list[Cluster] = []
    found = {key: [terms(m.content) for m in group] for key, group in by_key.items()}
    weights = Weights([one for sets in found.values() for one in sets])
    for key, group in by_key.items():
        if len(group) >= EPISODES_MIN:
            order = sorted(range(len(group)), key=lambda n: (group[n].created_at, n))
            sets = [found[key][n] for n in order]
            out += gathered([group[n] for n in order], sets, weights)
    out.sort(key=lambda c: c.members[0].memory_id)
    return out


def gathered(
    group: list[Memory], sets: list[frozenset[str]], weights: Weights
) -> Iterable[Cluster]:
    """The clusters of memories of one key, in order of time."""
    for numbers in led(sets, weights):
        if recurs([group[n] for n in numbers]):
            yield from tightened(group, sets, numbers, weights)


def led(sets: list[frozenset[str]], weights: Weights) -> list[list[int]]:
    """Which sets of terms go together: each with the leader it is most like."""
    leaders: list[list[int]] = []
    lengths: list[float] = []
    postings: dict[str, list[int]] = defaultdict(list)
    for number, one in enumerate(sets):
        if len(one) < 2:
            continue
        length = weights.length(one)
        best = nearest(one, weights, leaders, postings, sets, lengths, length)
        if best is None:
            for term in one:
                postings[term].append(len(leaders))
            leaders.append([number])
            lengths.append(length)
        else:
            leaders[best].append(number)
    return leaders


def nearest(
    one: frozenset[str],
    weights: Weights,
    leaders: list[list[int]],
    postings: Mapping[str, list[int]],
    sets: list[frozenset[str]],
    lengths: list[float],
    length: float,
) -> int | None:
    """The leader that is most like a set of terms, or None where none is like it."""
    seen: dict[int, float] = {}
    looked = 0.0  # the share of the set that has been looked at, as a square
    for term in weights.rarest(one):
        weight = weights.of[term] ** 2
        places = postings.get(term, ())
        # A leader that has none of the rarer terms cannot be like it any more.
        open_to_all = looked <= (1.0 - JOIN**2) * length**2
        if len(places) <= POSTINGS_MAX and open_to_all:
            for leader in places:
                seen[leader] = seen.get(leader, 0.0) + weight
        elif seen:
            for leader in seen:
                if term in sets[leaders[leader][0]]:
                    seen[leader] += weight
        looked += weight
    if not seen:
        return None
    best = max(seen, key=lambda n: (seen[n] / lengths[n], -n))
    return best if seen[best] / (lengths[best] * length) >= JOIN else None


def tightened(
    group: list[Memory], sets: list[frozenset[str]], numbers: list[int], weights: Weights
) -> Iterable[Cluster]:
    """A cluster of those that are near its centroid, where it still recurs."""
    for _ in range(2):
        centroid = centre([sets[n] for n in numbers], weights)
        near = {n: like(sets[n], centroid, weights) for n in numbers}
        kept = [n for n in numbers if near[n] >= STAY]
        if not recurs([group[n] for n in kept]):
            return
        if len(kept) == len(numbers):
            mean = sum(near.values()) / len(near)
            yield Cluster([group[n] for n in numbers], centroid, round(mean, 4))
            return
        numbers = kept
    centroid = centre([sets[n] for n in numbers], weights)
    mean = sum(like(sets[n], centroid, weights) for n in numbers) / len(numbers)
    yield Cluster([group[n] for n in numbers], centroid, round(mean, 4))


def centre(sets: Sequence[frozenset[str]], weights: Weights) -> dict[str, float]:
    """The mean of sets of terms as a vector of length one; terms of one set alone are noise."""
    often = Counter(t for one in sets for t in one)
    raw = {t: n / len(sets) * weights.of[t] for t, n in often.items() if n > 1}
    length = math.sqrt(sum(v * v for v in raw.values())) or 1.0
    return {t: v / length for t, v in raw.items()}


def like(one: frozenset[str], centroid: Mapping[str, float], weights: Weights) -> float:
    """The cosine of a set of terms and a centroid."""
    dot = sum(weights.of.get(t, 0.0) * centroid[t] for t in one if t in centroid)
    return dot / (math.sqrt(sum(weights.of.get(t, 0.0) ** 2 for t in one)) or 1.0)


def recurs(members: Sequence[Memory]) -> bool:
    """Whether so many episodes are of several days, or of several sessions."""
    if len(members) < EPISODES_MIN:
        return False
    days = {m.created_at[:10] for m in members}
    sessions = {m.session_id for m in members if m.session_id is not None}
    return max(len(days), len(sessions)) >= EPISODES_MIN
