"""Places where a text may be cut, by how good they are."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

# A chunk ends with its paragraph where that fills so much of it. With .5 more chunks held parts of
# two paragraphs: R@1 of short paragraphs was .846 instead of .866.
FILL: Final = 0.3
LINE: Final = re.compile(r"\r?\n")
SPACE: Final = re.compile(r"\s*")


class Level(NamedTuple):
    """Places where a text may be cut: a piece ends at `ends[i]`, the next begins at `starts[i]`.

    Between the two is white space. Such a place is taken only where it fills at least `fill` of the
    chunk's size: a strong place is not worth a tiny chunk.
    """

    ends: Sequence[int]
    starts: Sequence[int]
    fill: float


class Places(NamedTuple):
    """Where to cut one text: levels from the strongest, then where it must be cut.

    `levels[unit]` are the units that an overlap is made of; `forced` are starts of sections, whose
    headings are in `paths`; no chunk and no overlap crosses them.
    """

    levels: list[Level]
    unit: int
    forced: list[int]
    paths: list[str]


def level_of(spans: Iterable[tuple[int, int]], fill: float) -> Level:
    """A level of (end, start) places in any order; of several with one end the last counts."""
    return level_in_order(sorted(spans), fill)


def level_in_order(spans: Iterable[tuple[int, int]], fill: float) -> Level:
    """The same of places that come in order, which are not all held at once: a text may have
    millions of them."""
    ends, starts = array("q"), array("q")
    last = -1
    for end, start in spans:
        if end <= last:
            starts[-1] = last = max(start, last)
        else:
            ends.append(end)
            starts.append(start)
            last = start
    return Level(ends, starts, fill)


def is_cjk(char: str) -> bool:
    return "\u2e80" <= char <= "\u9fff" or "\uf900" <= char <= "\ufaff" or char >= "\U00020000"
