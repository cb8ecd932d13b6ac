"""The parts of a text by blocks: a version names some dozens of blocks, not all its parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isqrt
from typing import NamedTuple

BLOCK_MIN = 16  # parts of a block; otherwise about the square root of all


class Tree(NamedTuple):
    """The parts of a text in order, with their sizes in bytes, by blocks of `counts` parts."""

    blocks: list[int]
    counts: list[int]
    parts: list[int]
    sizes: list[int]


class Piece(NamedTuple):
    """Parts that follow each other: of the old text from its part number `first` on, or new."""

    parts: list[int]
    sizes: list[int]
    first: int | None


EMPTY = Tree([], [], [], [])
Group = list[tuple[int, int]]  # (part, size) of what is to be a block, or some


def grouped(known: Tree, pieces: Sequence[Piece]) -> Iterator[int | Group]:
    """The blocks of a text that is made of `pieces`, in order: the place of an old one in `known`
    where all its parts are there, else what a new one holds.

    New ones have about the square root of all parts; a few parts between old blocks join the block
    before them, so that no short ones pile up.
    """
    size = max(BLOCK_MIN, isqrt(sum(len(piece.parts) for piece in pieces)))
    starts = [0]
    for count in known.counts:
        starts.append(starts[-1] + count)
    done: list[int | Group] = []
    for group in _runs(known, pieces, {first: n for n, first in enumerate(starts[:-1])}):
        before = done[-1] if done else None
        if isinstance(group, list) and len(group) < size // 4 and isinstance(before, int):
            done.pop()
            span = slice(starts[before], starts[before + 1])
            group = [*zip(known.parts[span], known.sizes[span], strict=True), *group]
            if done and isinstance(last := done[-1], list):
                done.pop()
                group = last + group
        done.append(group)
    for group in done:
        if isinstance(group, int):
            yield group
        else:
            yield from _split(group, size)


def _runs(known: Tree, pieces: Sequence[Piece], places: dict[int, int]) -> Iterator[int | Group]:
    """Whole old blocks, and in lists all the parts between them; `places` has the number of the old
    block that begins with a part."""
    held: Group = []
    for piece in pieces:
        at = 0
        while at < len(piece.parts):
            block = None if piece.first is None else places.get(piece.first + at)
            if block is not None and at + known.counts[block] <= len(piece.parts):
                if held:
                    yield held
                    held = []
                yield block
                at += known.counts[block]
            else:
                held.append((piece.parts[at], piece.sizes[at]))
                at += 1
    if held:
        yield held


def _split(group: Group, size: int) -> Iterator[Group]:
    """Parts in blocks of about `size`, as even as can be; up to twice as many stay together."""
    count = 1 if len(group) <= 2 * size else len(group) // size
    step = -(-len(group) // count)
    for first in range(0, len(group), step):
        yield group[first : first + step]


def listed(numbers: Iterable[int]) -> str:
    """Whole numbers as a JSON list without blanks."""
    return "[" + ",".join(map(str, numbers)) + "]"
