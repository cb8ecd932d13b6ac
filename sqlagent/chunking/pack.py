"""As much as fits into each chunk, cut at the best place that fills it enough."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from sqlagent.chunking.places import Places

CLAUSE = re.compile(r"(?<![,;:])[,;:]+[\"'”’)\]]*\s+|[—–]\s*|[，；：、]+[”’」』）]*")


def pack(text: str, size: int, overlap: int, places: Places) -> Iterator[tuple[int, int]]:
    """As much as fits into each chunk, cut at the strongest place that fills it enough."""
    length = len(text)
    start = done = 0
    while done < length:
        limit = start + size
        at = bisect_right(places.forced, done)
        border = places.forced[at] if at < len(places.forced) else length
        whole = border <= limit
        cut, unit = (border, True) if whole else _cut(text, start, done, limit, places)
        yield start, cut
        if whole or overlap == 0:
            start = cut
        elif unit:
            start = _unit_overlap(start, cut, size, overlap, places)
        else:
            start = _word_overlap(text, start, cut, overlap)
        done = cut


def _cut(text: str, start: int, done: int, limit: int, places: Places) -> tuple[int, bool]:
    """Where the chunk from `start` ends, after `done`; and whether whole units end there."""
    for number, level in enumerate(places.levels):
        at = bisect_right(level.ends, limit) - 1
        if at >= 0 and level.ends[at] > done:
            cut = min(level.starts[at], limit)
            if cut > level.ends[at] and _joined(text, cut):
                cut -= 1
            if cut - start >= level.fill * (limit - start):
                return cut, number <= places.unit
    floor = max(done, start + (limit - start) // 2)
    clauses = [match.end() for match in CLAUSE.finditer(text, floor, limit)]
    if clauses:
        return clauses[-1], False
    for cut in range(limit, floor, -1):
        if text[cut - 1].isspace() and not text[cut].isspace():
            return cut, False
    for cut in range(limit, max(floor, limit - 40), -1):
        if not _joined(text, cut):
            return cut, False
    return limit, False


def _unit_overlap(start: int, cut: int, size: int, overlap: int, places: Places) -> int:
    """The start of the first whole unit in the overlap, less what would push the next unit out."""
    level = places.levels[places.unit]
    at = bisect_right(level.ends, cut)
    following = level.ends[at] if at < len(level.ends) else cut
    earliest = max(cut - overlap, min(cut, following - size), start + 1)
    at = bisect_left(level.starts, earliest)
    return min(level.starts[at], cut) if at < len(level.starts) else cut


def _word_overlap(text: str, start: int, cut: int, overlap: int) -> int:
    """The start of the first word in the overlap, or of the overlap where no word begins in it."""
    earliest = max(cut - overlap, start + 1)
    for begin in range(earliest, cut):
        if text[begin - 1].isspace() and not text[begin].isspace():
            return begin
    for begin in range(earliest, min(cut, earliest + 40)):
        if not _joined(text, begin):
            return begin
    return earliest


def _joined(text: str, at: int) -> bool:
    """Whether the characters before and after `at` are one to a reader: marks, emoji, CRLF."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    return (
        (before == "\r" and after == "\n")
        or before == "\u200d"
        or after in "\u200d\ufe0e\ufe0f"
        or "\U0001f3fb" <= after <= "\U0001f3ff"
        or (after > "\u02ff" and unicodedata.category(after)[0] == "M")
    )
