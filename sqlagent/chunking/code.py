"""Source code: between definitions, at blank lines, between lines."""

from __future__ import annotations

import re

from sqlagent.chunking.places import LINE, Places, level_of

_BLANK = re.compile(r"\r?\n(?:[ \t]*\r?\n)++")

_INNER = frozenset(["", " ", "\t", ")", "]", "}"])


def code(text: str, size: int) -> Places:
    """Before what stands at the margin after a blank line, then at blank lines, then at lines."""
    blank = [m.span() for m in _BLANK.finditer(text)]
    top = [(end, start) for end, start in blank if text[start : start + 1] not in _INNER]
    lines = {m.span() for m in LINE.finditer(text)}
    return Places([level_of(top, 0.25), level_of(blank, 0.5), level_of(lines, 0)], 2, [], [])
