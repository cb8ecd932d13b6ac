"""Terms: what a text is about, and how much each term tells among an agent's episodes."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from sqlagent.index import words as index_words
from sqlagent.index.porter import stem
from sqlagent.memory.consolidate import texts

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
    dear best happy help kind words chance heard much happen happened look looks looking"""
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
