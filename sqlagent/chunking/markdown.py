"""Markdown: sections at headings, then blocks, then sentences; fenced code stays whole."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

from sqlagent.chunking.places import FILL, LINE, SPACE, Level, Places, level_of
from sqlagent.chunking.prose import prose as prose_of

_MARKS = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)$"
    r"|^[ ]{0,3}(?P<level>#{1,6})(?:[ \t]+(?P<title>[^\n]*))?\r?$"
    r"|^(?P<text>[ ]{0,3}[^\s\-=>|*+#][^\n]*)\n[ ]{0,3}(?P<rule>={2,}|-{3,})[ \t]*\r?$",
    re.MULTILINE,
)
_FRONT = re.compile(r"---[ \t]*\r?\n(?:[^\n]*\n)*?---[ \t]*\r?(?:\n|\Z)")
LOOKS_MARKDOWN = re.compile(
    r"^(?:[ ]{0,3}#{1,6}[ \t]+\S[^\n]*\r?$|(?:```|~~~)[\w+-]*\r?$|={3,}\r?$"
    r"|\|?[ ]*:?-{3,}:?[ ]*\|)",
    re.MULTILINE,
)


class _Block(NamedTuple):
    start: int
    end: int


def markdown(text: str, size: int) -> Places:
    """Sections at headings, then paragraphs and blocks, then sentences; a fence is one sentence."""
    headings, fences = _structure(text)
    forced: list[int] = []
    paths: list[str] = []
    path: list[tuple[int, str]] = []
    previous = -1
    for start, end, depth, title in headings:
        while path and path[-1][0] >= depth:
            path.pop()
        path.append((depth, title))
        name = " > ".join(t for _, t in path if t)
        if previous >= 0 and not text[previous:start].strip():
            paths[-1] = name  # a heading right under another one goes with it
        else:
            forced.append(start)
            paths.append(name)
        previous = end
    kept = sorted(fences + [_Block(start, end) for start, end, _, _ in headings])
    prose = prose_of(text, size)
    levels = [_outside(level, kept) for level in prose.levels]
    blocks = set(zip(levels[0].ends, levels[0].starts, strict=True))
    sentences = set(zip(levels[1].ends, levels[1].starts, strict=True))
    for fence in fences:
        edges = {(_before(text, fence.start), fence.start), (_before(text, fence.end), fence.end)}
        blocks |= edges
        sentences |= edges
        if fence.end - fence.start > size:
            inside = {(m.start(), m.end()) for m in LINE.finditer(text, *fence)}
            sentences |= inside
    return Places([level_of(blocks, FILL), level_of(sentences, 0), levels[2]], 1, forced, paths)


def _before(text: str, at: int) -> int:
    """The end of what is written before `at`, within a line or two of white space."""
    start = max(0, at - 8)
    return start + len(text[start:at].rstrip()) if text[start:at].strip() else at


def _outside(level: Level, kept: list[_Block]) -> Level:
    """A level less its places within blocks that stay whole, or right after a heading."""
    starts = [block.start for block in kept]
    ends, begins = [], []
    for end, begin in zip(level.ends, level.starts, strict=True):
        at = bisect_right(starts, end) - 1
        if at < 0 or end >= kept[at].end:
            ends.append(end)
            begins.append(begin)
    return Level(ends, begins, level.fill)


def _structure(text: str) -> tuple[list[tuple[int, int, int, str]], list[_Block]]:
    """The headings (start, end with the white space after it, depth, title) and the fences."""
    headings = []
    fences = []
    front = _FRONT.match(text)
    at = front.end() if front else 0
    while (match := _MARKS.search(text, at)) is not None:
        at = match.end()
        if match["fence"]:
            mark = match["fence"]
            if mark[0] == "`" and "`" in match["info"]:
                continue  # code within a line
            close = re.compile(rf"^[ \t]*{mark[0]}{{{len(mark)},}}[ \t]*\r?$", re.MULTILINE)
            closed = close.search(text, at)
            at = closed.end() if closed else len(text)
            fences.append(_Block(match.start(), _after_space(text, at)))
        elif match["level"]:
            title = (match["title"] or "").strip().strip("#").strip()
            headings.append((match.start(), _after_space(text, at), len(match["level"]), title))
        else:
            depth = 1 if match["rule"][0] == "=" else 2
            headings.append((match.start(), _after_space(text, at), depth, match["text"].strip()))
    return headings, fences


def _after_space(text: str, at: int) -> int:
    gap = SPACE.match(text, at)
    return gap.end() if gap else at
