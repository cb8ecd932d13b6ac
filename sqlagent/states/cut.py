"""Cutting a text into parts, and finding the parts of the version before in the next one.

All in UTF-8 bytes and at C speed: slices are compared by memcmp, what moved is found by bytes.find,
and only what is new is cut. Parts end at character boundaries, after a comma where one is near, so
that one changed value of a JSON text changes one part.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

PART_MIN, PART_MAX = 400, 4000  # bytes, but for the last part of a text
SMALL = 200  # bytes: what is new and smaller is joined to the part before it
WINDOW = 4 << 20  # bytes in which a part that moved is looked for
TRIES = (*range(1, 17), 20, 24, 32, 40, 48, 64, 96, 128, 192, 256, 512, 1024, 4096)

_PART = re.compile(
    rb"[\s\S]{%d}[^,]{0,%d}[\x80-\xbf]{0,3},?|[\s\S]+" % (PART_MIN, PART_MAX - PART_MIN - 4)
)


class Kept(NamedTuple):
    """The old parts from `first` until before `last`, as they are."""

    first: int
    last: int


class New(NamedTuple):
    """The bytes of the new text from `start` until before `end`."""

    start: int
    end: int


def cut(data: bytes) -> list[bytes]:
    """`data`, valid UTF-8, in parts of PART_MIN to PART_MAX bytes; only the last may be shorter."""
    return _PART.findall(data)


def matching(old: bytes, sizes: Sequence[int], new: bytes) -> list[Kept | New]:
    """`new` as a sequence of parts of `old` (of `sizes` bytes each) and of what is new."""
    return list(_joined(_Match(old, sizes, new).found(), sizes))


class _Match:
    def __init__(self, old: bytes, sizes: Sequence[int], new: bytes) -> None:
        self.old, self.new = old, new
        self.count = len(sizes)
        self.starts = [0, *accumulate(sizes)]

    def found(self) -> Iterator[Kept | New]:
        """Kept and new pieces in turns."""
        tail = self._tail()
        end = self.count - tail
        stop = len(self.new) - (self.starts[-1] - self.starts[end])
        part, place = 0, 0
        while True:
            ahead = self._run(part, place, end, stop)
            if ahead > part:
                yield Kept(part, ahead)
                place += self.starts[ahead] - self.starts[part]
                part = ahead
            if place == stop:
                break
            part, there = self._next(part, place, end, stop)
            if there > place:
                yield New(place, there)
            place = there
            if place == stop:
                break
        if tail:
            yield Kept(end, self.count)

    def _same(self, first: int, last: int, place: int) -> bool:
        """Whether the old parts from `first` until before `last` stand at `place`."""
        return self.new.startswith(self.old[self.starts[first] : self.starts[last]], place)

    def _run(self, part: int, place: int, end: int, stop: int) -> int:
        """The part until before which the old parts from `part` on stand at `place`."""
        most = bisect_right(self.starts, self.starts[part] + stop - place) - 1
        low, step, limit = part, 1, min(end, most)
        offset = place - self.starts[part]
        while low < limit:
            high = min(low + step, limit)
            if self._same(low, high, self.starts[low] + offset):
                low, step = high, step * 2
            elif step == 1 or high == low + 1:
                break
            else:
                limit, step = high - 1, 1
        return low

    def _tail(self) -> int:
        """How many of the last parts both end with; not more than fit beside the first ones."""
        head = self._run(0, 0, self.count, len(self.new))
        room = min(len(self.new), self.starts[-1]) - self.starts[head]
        low, step, limit = 0, 1, self.count - head
        total = self.starts[-1]
        while low < limit:
            high = min(low + step, limit)
            first, last = self.count - high, self.count - low
            size = total - self.starts[first]
            place = len(self.new) - size
            if size <= room and place >= 0 and self._same(first, last, place):
                low, step = high, step * 2
            elif high == low + 1:
                break
            else:
                limit, step = high - 1, 1
        return low

    def _next(self, part: int, place: int, end: int, stop: int) -> tuple[int, int]:
        """The next old part that stands in the new text past `place`, and where; (end, stop) if
        none of those that are tried does."""
        until = min(stop, place + WINDOW)
        for step in TRIES:
            at = part + step
            if at >= end:
                break
            there = self.new.find(self.old[self.starts[at] : self.starts[at + 1]], place, until)
            if there < 0:
                continue
            while at > part:  # those before it may stand before it too
                before = there - (self.starts[at] - self.starts[at - 1])
                if before < place or not self._same(at - 1, at, before):
                    break
                at, there = at - 1, before
            return at, there
        return end, stop


def _joined(pieces: Iterator[Kept | New], sizes: Sequence[int]) -> Iterator[Kept | New]:
    """The pieces with what is new and small made one with the part before it, or after it."""
    held: Kept | New | None = None
    for piece in pieces:
        if held is None:
            held = piece
        elif isinstance(held, New) and isinstance(piece, New):
            held = New(held.start, piece.end)
        elif isinstance(held, Kept) and isinstance(piece, New):
            if piece.end - piece.start < SMALL and sizes[held.last - 1] < PART_MAX // 2:
                if held.last - 1 > held.first:
                    yield Kept(held.first, held.last - 1)
                held = New(piece.start - sizes[held.last - 1], piece.end)
            else:
                yield held
                held = piece
        elif isinstance(held, New) and isinstance(piece, Kept):
            if held.end - held.start < SMALL and sizes[piece.first] < PART_MAX // 2:
                held = New(held.start, held.end + sizes[piece.first])
                if piece.last - 1 > piece.first:
                    yield held
                    held = Kept(piece.first + 1, piece.last)
            else:
                yield held
                held = piece
        else:
            yield held
            held = piece
    if held is not None:
        yield held
