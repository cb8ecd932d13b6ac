"""Prose: paragraphs, then sentences, then lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from heapq import merge

from sqlagent.chunking.places import FILL, LINE, SPACE, Places, is_cjk, level_in_order

_PARAGRAPH = re.compile(r"(?<!\n)(?:\r?\n)[ \t\r]*\n\s*")
_ITEM = re.compile(r"\r?\n(?=[ \t]*(?:[-*+•>|]|\d{1,3}[.)])[ \t]?\S)")
_END = re.compile(r"[.!?…]+[\"'”’»)\]*_]*|[。！？｡．।॥؟۔།]+[\"'”’」』）》】)\]]*")
_OPENS = re.compile(r"[\s(\[\"'“‘«*_]")
_DOTTED = re.compile(r"(?:\w\.)+\w")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NO_END = _words("""
    mr mrs ms dr prof rev hon gen col capt lt sgt st sr jr mt ft no nos nr fig figs eq eqs ref refs
    vs cf al ed eds vol vols pp ch sec art approx ca viz resp dept univ inc ltd co corp bros etc
    e.g i.e u.s u.k a.m p.m ph.d jan feb mar apr jun jul aug sep sept oct nov dec
""")
# Of these, those that end a sentence as often: the word after them tells.
_ENDS_OFTEN = _words("inc ltd co corp bros etc jr sr a.m p.m u.s u.k ph.d no al dec st")
_STARTERS = _words("""
    the a an it he she they we you this that these those there in on at but and however when
""")


def prose(text: str, size: int) -> Places:
    sentences = merge(_gaps(_PARAGRAPH, text), _gaps(_ITEM, text), _sentence_ends(text))
    levels = [
        level_in_order(_gaps(_PARAGRAPH, text), FILL),
        level_in_order(sentences, 0),
        level_in_order(_gaps(LINE, text), 0.5),
    ]
    return Places(levels, 1, [], [])


def _gaps(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in pattern.finditer(text))


def _sentence_ends(text: str) -> Iterator[tuple[int, int]]:
    """Where sentences end, and where the next ones begin."""
    for match in _END.finditer(text):
        end = match.end()
        mark = match[0][0]
        gap = SPACE.match(text, end)
        start = gap.end() if gap else end
        if mark in ".!?…":
            if end < len(text) and start == end:
                # Without a space after it, only a Chinese or Japanese sentence ends in ! or ?.
                if not (mark in "!?" and match.start() and is_cjk(text[match.start() - 1])):
                    continue
            elif mark in ".…" and not _ends_sentence(text, match, start):
                continue
        elif mark == "．" and text[end : end + 1].isdigit():
            continue
        yield end, start


def _ends_sentence(text: str, match: re.Match[str], start: int) -> bool:
    """Whether a full stop with white space after it ends a sentence of English."""
    after = text[start : start + 1]
    if len(match[0].rstrip("\"'”’»)]*_")) > 1 or match[0][0] == "…":
        return not after.islower()
    raw = _word_before(text, match.start())
    word = raw.lower()
    if after.islower():
        return len(word) > 3 and word not in _NO_END and "." not in word
    first = match.start() - len(raw)
    if word.isdigit() and len(word) <= 3 and (first == 0 or text[first - 1] == "\n"):
        return False  # the number of a list's item
    initial = len(raw) == 1 and raw.isupper() and raw != "I"
    if initial or word in _NO_END or ("." in word and _DOTTED.fullmatch(word)):
        following = re.match(r"[A-Za-z]+", text[start : start + 12])
        often = initial or word in _ENDS_OFTEN or "." in word
        return often and following is not None and following[0].lower() in _STARTERS
    return True


def _word_before(text: str, at: int) -> str:
    """What is written right before `at`, since white space or what opens a quotation or bracket."""
    near = text[max(0, at - 20) : at]
    parts = near.rsplit(None, 1)
    if not parts or near[-1].isspace():
        return ""
    return parts[-1] if parts[-1].isalnum() else _OPENS.split(parts[-1])[-1]
