"""Text to terms: the words that are indexed and the words that are asked for.

Latin-like text is cut as SQLite's `porter unicode61` cuts it. Chinese, Japanese and Korean have no
spaces, so each of their characters is a term and so is each pair of neighbours: words of two
characters are found, which a trigram index never does (measured on CMRC: R@5 .994 for characters
and pairs, .940 for trigrams, .18 for `unicode61` alone).
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from .porter import stem

_ASCII: Final = re.compile(r"[a-z0-9]+")
_WORD: Final = re.compile(r"[^\W_]+")
_RUN: Final = re.compile(r"[\u2e80-\U0010ffff]+|[^\u2e80-\U0010ffff]+")
_CJK: Final = "\u2e80"

_ENGLISH_WORDS: Final = """
    a about above after again against all am an and any are aren as at be because been before
    being below between both but by can could couldn d did didn do does doesn doing don down during
    each few for from further had hadn has hasn have haven having he her here hers herself him
    himself his how i if in into is isn it its itself just ll m me more most my myself no nor not
    now of off on once only or other our ours ourselves out over own re s same she should shouldn
    so some such t than that the their theirs them themselves then there these they this those
    through to too under until up ve very was wasn we were weren what when where which while who
    whom whose why will with won would wouldn you your yours yourself yourselves"""
_CHINESE_WORDS: Final = """
    的 了 是 在 和 与 及 或 吗 呢 吧 啊 也 就 都 而 被 把 从 对 于 之 其 这 那 哪 谁 什 么 怎
    什么 怎么 怎样 哪个 哪些 哪里 哪一 谁的 是谁 多少 几个 为什 为何 如何 这个 那个 是什 的是 了什
    是否 有什 麼 什麼 怎麼 為何 哪裡 這 這個 那個 嗎 與 從 對 於"""
# Roles are not names: "which user asked" must not favour the rows that a user spoke.
_ROLE_WORDS: Final = "user assistant system agent human ai bot tool function model"

_ENGLISH: Final = frozenset(_ENGLISH_WORDS.split())
_CHINESE: Final = frozenset(_CHINESE_WORDS.split())
_ROLES: Final = frozenset(_ROLE_WORDS.split())
_SAME: Final = {"\u03c2": "\u03c3", "\u00b5": "\u03bc"}  # final sigma, micro sign


class _Fold(dict[int, str]):
    """One character to its lower case without diacritics; filled as characters are met.

    Lowered one by one, because `str.lower` on a whole text writes a final sigma differently.
    Only Latin letters lose their marks: elsewhere they tell letters apart. Full-width Latin becomes
    Latin.
    """

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if code < 0x2E80:
            char = _SAME.get(char.lower(), char.lower())
            decomposed = unicodedata.normalize("NFD", char)
            if decomposed[:1].isascii() or 0x300 <= code <= 0x331:
                char = "".join(c for c in decomposed if not 0x300 <= ord(c) <= 0x36F)
        elif 0xFF01 <= code <= 0xFF5E:
            char = chr(code - 0xFEE0).lower()
        self[code] = char
        return char


_FOLD: Final = _Fold()


def _tokens(text: str) -> Iterable[str]:
    """The words of a text, not stemmed; a run of CJK characters is one of them."""
    if text.isascii():
        return _ASCII.findall(text.lower())
    words: list[str] = []
    for word in _WORD.findall(text.translate(_FOLD)):
        if max(word) < _CJK:
            words.append(word)
        else:
            words.extend(_RUN.findall(word))
    return words


def terms(text: str) -> list[str]:
    """The terms of a text in order, repeats kept: what a row is indexed under."""
    if text.isascii():
        return list(map(stem, _ASCII.findall(text.lower())))
    out: list[str] = []
    for word in _tokens(text):
        if word[0] < _CJK:
            out.append(stem(word))
        else:
            out.extend(word)
            out.extend(a + b for a, b in pairwise(word))
    return out


def forms(text: str) -> list[str]:
    """The words of a text as they are written, in their order and repeats kept; `stem_of` them are
    its terms. Each CJK character stands before the pair that it begins."""
    if text.isascii():
        return _ASCII.findall(text.lower())
    out: list[str] = []
    for word in _tokens(text):
        if word[0] < _CJK:
            out.append(word)
        else:
            for pair in pairwise(word):
                out += (pair[0], pair[0] + pair[1])
            out.append(word[-1])
    return out


def stem_of(form: str) -> str:
    """The term that a form is indexed under."""
    return stem(form) if form[0] < _CJK else form


def query_terms(text: str) -> list[str]:
    """The terms to look for, each once: stop words are left out unless nothing else is there."""
    found = dict.fromkeys(terms(text))
    stop = {t for t in found if t in _CHINESE}
    stop.update(stem(w) for w in _tokens(text) if w in _ENGLISH)
    kept = [t for t in found if t not in stop]
    return kept or list(found)


def query_forms(text: str) -> dict[str, list[str]]:
    """The terms to look for, each with the forms that the question itself has of it."""
    found: dict[str, list[str]] = {term: [] for term in query_terms(text)}
    for form in dict.fromkeys(forms(text)):
        asked = found.get(stem_of(form))
        if asked is not None:
            asked.append(form)
    return found


def content_words(text: str) -> list[str]:
    """The words of a text without English stop words, not stemmed; CJK runs are left whole."""
    return [w for w in _tokens(text) if w not in _ENGLISH]


def is_name(name: str) -> bool:
    """Whether a speaker has a name of his own, not only a role such as `user`."""
    key = name_key(name)
    return bool(key) and key not in _ROLES


def name_key(name: str) -> str:
    """A name as `names_in` compares it: folded words with one space between them."""
    return " ".join(_tokens(name))


def names_in(text: str, names: Iterable[str]) -> set[str]:
    """Which of these keys (see `name_key`) a text holds as whole words."""
    padded = f" {name_key(text)} "
    return {n for n in names if (f" {n} " if n[-1:] < _CJK else n) in padded}


def strip_names(text: str, names: Iterable[str]) -> str:
    """A question without the names of speakers, to be embedded.

    A name pulls every greeting that holds it: without it, dense R@10 on LoCoMo went from .468 to
    .596. A question of nothing but names is returned as it is.
    """
    known = [re.escape(n.strip()) for n in names if is_name(n)]
    if not known:
        return text
    known.sort(key=len, reverse=True)
    cut = []
    for name in known:
        cut.append(name if name[-1] >= _CJK else rf"\b{name}\b(?:['\u2019]s\b)?")
    stripped = " ".join(re.sub("|".join(cut), " ", text, flags=re.IGNORECASE).split())
    stripped = re.sub(r"\s+([?.!,;:])", r"\1", stripped)
    return stripped if _WORD.search(stripped) else text
