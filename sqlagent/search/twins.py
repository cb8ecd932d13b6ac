"""Near-duplicates: texts that say the same, in any language.

Two texts are near-duplicates where they are equal but for case, punctuation, spaces and words that
carry nothing; or where one has all the words of the other in the same order, and at most a quarter
more. A number, a negation, a name or any other word exchanged makes another fact, and to lose one
is worse than to say a thing twice. So a cosine of vectors does not decide: of the pairs in
tests/test_twins.py, a cosine of .95 would merge "three nights" with "four nights".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from sqlagent.index.words import name_key, terms

JACCARD: Final = 0.8  # of the words, below which two texts say different things
ORDERED: Final = 0.8  # share of the longer text's words that both have in the same order
ORDERED_MAX: Final = 256  # words; of longer texts the words alone decide

_EMPTY: Final = frozenset(
    """a an the is are was were be been being am do does did done has have had will would shall of
    that which so very just and s also really please aren couldn didn doesn don hadn hasn haven isn
    shouldn wasn weren wouldn ain 的 了 着 吗 呢 吧 啊 嗎 著 は が を の です
    ます""".split()
)
_NEGATIONS: Final = {
    **{word: word for word in "no never none nobody neither nor without hardly".split()},
    **dict.fromkeys(("not", "t", "cannot"), "not"),
    **{word: word for word in "不 没 沒 无 無 非 别 別 未 勿 否 ず ぬ 안 못".split()},
}
_EXACT_CJK: Final = re.compile(
    "[不没沒无無非别別未勿否〇零一二三四五六七八九十百千万萬亿億两兩半]|ない|なか|なく|ませ"
)
_CJK: Final = "\u2e80"
_HANGUL: Final = "\uac00"  # written with spaces: its words are whole


class Sketch(NamedTuple):
    """What two texts are compared by."""

    text: str  # its words folded, with one space between them
    exact: tuple[str, ...]  # numbers and negations in their order
    words: frozenset[str]
    order: tuple[str, ...]


@lru_cache(maxsize=4096)
def sketch(text: str) -> Sketch:
    """The sketch of a text; those of recent texts are kept."""
    key = name_key(text)
    tokens = key.split()
    exact: list[str] = []
    order: list[str] = []
    for token in tokens:
        if token in _NEGATIONS:
            exact.append(_NEGATIONS[token])
            continue
        if token in _EMPTY:
            continue
        if any(char.isdigit() for char in token):
            exact.append(token)
        elif _CJK <= token[0] < _HANGUL:
            exact += _EXACT_CJK.findall(token)
            order += [char for char in token if char not in _EMPTY]
            continue
        order += terms(token)[:1]
    return Sketch(key or text, tuple(exact), frozenset(order), tuple(order))


def alike(one: Sketch, other: Sketch) -> bool:
    """Whether two texts are near-duplicates."""
    if one.text == other.text:
        return True
    if one.exact != other.exact:
        return False
    few, many = sorted((one.words, other.words), key=len)
    if not few or len(few) < JACCARD * len(many) or not few <= many:
        return False
    longest = max(len(one.order), len(other.order))
    return longest > ORDERED_MAX or common(one.order, other.order) >= ORDERED * longest


def common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for a in one:
        before = 0
        for at, b in enumerate(other, 1):
            before, row[at] = row[at], before + 1 if a == b else max(row[at], row[at - 1])
    return row[-1]


class Twins:
    """The texts that were taken, by what near-duplicates have in common."""

    def __init__(self) -> None:
        self._equal: dict[str, int] = {}
        self._close: dict[tuple[str, ...], list[tuple[Sketch, int]]] = {}

    def of(self, text: str) -> int | None:
        """The memory that this text nearly repeats."""
        own = sketch(text)
        if own.text in self._equal:
            return self._equal[own.text]
        for other, memory_id in self._close.get(own.exact, ()):
            if alike(own, other):
                return memory_id
        return None

    def add(self, text: str, memory_id: int) -> None:
        """A text that was taken."""
        own = sketch(text)
        self._equal.setdefault(own.text, memory_id)
        self._close.setdefault(own.exact, []).append((own, memory_id))
