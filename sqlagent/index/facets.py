"""`Facets`: what the metadata of a collection's rows hold at some paths, a column for each.

A filter is asked of a few distinct values in place of a million rows: a condition over one path
holds for all rows that have the same value there. So each row has a code, of the distinct JSON
texts; beyond 65,536 of these, or 16 MB, a checksum of its text, and its number where all are
numbers.
"""

import json
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .rows import Ids, Mask, Slots

CODED_MAX: Final = 65_536  # distinct values that are given codes
SIZE_MAX: Final = 16_000_000  # characters of these values
WHOLE_MAX: Final = 1 << 53  # up to here a double holds every whole number
INT32: Final = 1 << 31

# What is among the values of a column, added up.
SMALL, WHOLE, REAL, TEXT, TRUTH, OTHER = 1, 2, 4, 8, 16, 32
NUMBERS: Final = SMALL | WHOLE | REAL

Path = tuple[str, ...]


def kind_of(fragment: str | None) -> int:
    """What a JSON text is: small (32 bits) or other whole number, real, text, truth value, other;
    0 for null."""
    if fragment is None or fragment == "null":
        return 0
    first = fragment[0]
    if first == '"':
        return TEXT
    if first in "tf":
        return TRUTH
    if first not in "-0123456789":
        return OTHER
    if fragment == "-0":
        return OTHER  # not the text that 0 is
    if fragment.lstrip("-").isdigit():
        size = abs(int(fragment)) if len(fragment) < 18 else WHOLE_MAX + 1
        return SMALL if size < INT32 else WHOLE if size <= WHOLE_MAX else OTHER
    return REAL if np.isfinite(float(fragment)) else OTHER


def text_of(fragment: str | None) -> str | None:
    """The value as `->>` gives it: a text without its quotes; None for null."""
    if fragment is None or fragment == "null":
        return None
    if fragment[0] != '"':
        return fragment
    return str(json.loads(fragment)) if "\\" in fragment else fragment[1:-1]


def sum_of(fragment: str | None) -> int:
    """A checksum of the value as a text; 0 for null alone."""
    text = text_of(fragment)
    return 0 if text is None else zlib.crc32(text.encode("utf-8", "surrogatepass")) or 1


def number_of(fragment: str | None) -> float:
    """The number; NaN for anything else."""
    return float(fragment) if fragment is not None and kind_of(fragment) & NUMBERS else np.nan


class _Codes(dict[str | None, int]):
    """Numbers for values in the order of their first use."""

    size = 0  # characters of them all

    def __missing__(self, fragment: str | None) -> int:
        self[fragment] = code = len(self)
        self.size += len(fragment or "")
        return code

    @property
    def full(self) -> bool:
        """Whether there are more of them, or longer ones, than are kept."""
        return len(self) > CODED_MAX or self.size > SIZE_MAX


class Column:
    """The values at a path, one a row: coded (`values` is a list), or wide (it is None)."""

    __slots__ = ("_kinds", "_known", "_numbers", "_texts", "codes", "numbers", "values")

    def __init__(
        self,
        codes: NDArray[Any],
        values: list[str | None] | None,
        numbers: NDArray[np.float64] | None = None,
        kinds: int | None = None,
    ) -> None:
        """`codes` are places in `values`, or checksums; `numbers` are a wide column's."""
        self.codes, self.values, self.numbers, self._kinds = codes, values, numbers, kinds
        self._known: _Codes | None = None
        self._texts: list[str | None] | None = None
        self._numbers: NDArray[np.float64] | None = None

    @property
    def kinds(self) -> int:
        """What is among the values."""
        if self._kinds is None:
            found = 0
            for value in self.values or ():
                found |= kind_of(value)
            self._kinds = found
        return self._kinds

    def texts(self) -> list[str | None]:
        """Of each distinct value the text."""
        if self._texts is None:
            self._texts = [text_of(value) for value in self.values or ()]
        return self._texts

    def figures(self) -> NDArray[np.float64]:
        """Of each distinct value the number, of a wide column that of each row."""
        if self.values is None:
            return self.numbers if self.numbers is not None else np.zeros(0)
        if self._numbers is None:
            self._numbers = np.array([number_of(value) for value in self.values])
        return self._numbers

    def spread(self, truth: Mask) -> Mask:
        """Of each row whether its value is one for which something holds."""
        return truth.take(self.codes)

    def replaced(self, slots: Slots, fragments: Sequence[str | None], size: int) -> "Column":
        """A column of so many rows with these values in these places. Not for two threads."""
        kinds = self.kinds
        for fragment in fragments:
            kinds |= kind_of(fragment)
        if self.values is None:
            codes = _longer(self.codes, size, 0)
            codes[slots] = [sum_of(f) for f in fragments]
            numbers = self.numbers
            if numbers is not None:
                numbers = None if kinds & ~NUMBERS else _longer(numbers, size, np.nan)
            if numbers is not None:
                numbers[slots] = [number_of(f) for f in fragments]
            return Column(codes, None, numbers, kinds)
        if self._known is None:
            self._known = _Codes(zip(self.values, range(len(self.values)), strict=True))
            self._known.size = sum(len(value or "") for value in self.values)
        known = self._known  # of later snapshots too: what is in it stays as it is
        new = [known[f] for f in fragments]
        values = self.values
        if len(known) > len(values):
            values = list(known)
            if known.full:
                return widened(self).replaced(slots, fragments, size)
        codes = _longer(self.codes, size, 0).astype(width(len(values)), copy=False)
        codes[slots] = new
        out = Column(codes, values, None, kinds)
        out._known = known
        if values is self.values:
            out._texts, out._numbers = self._texts, self._numbers
        return out


def width(count: int) -> type[np.unsignedinteger[Any]]:
    """The least type that numbers so many values."""
    return np.uint8 if count <= 256 else np.uint16 if count <= 65_536 else np.uint32


def widened(column: Column) -> Column:
    """The same column as a wide one."""
    values = column.values or []
    sums = np.array([sum_of(v) for v in values], np.uint32)
    numbers = None if column.kinds & ~NUMBERS else column.figures().take(column.codes)
    return Column(sums.take(column.codes), None, numbers, column.kinds)


def _longer(array: NDArray[Any], size: int, rest: float) -> NDArray[Any]:
    """A copy with room for so many."""
    out = np.full(size, rest, array.dtype)
    out[: len(array)] = array
    return out


class Growing:
    """A column while its rows are read."""

    def __init__(self) -> None:
        self.known: _Codes | None = _Codes()
        self.parts: list[NDArray[Any]] = []
        self.numbers: list[NDArray[np.float64]] | None = []
        self.kinds = 0

    def add(self, fragments: Sequence[str | None]) -> None:
        """The values of some more rows."""
        if self.known is not None:
            codes = np.fromiter(map(self.known.__getitem__, fragments), np.uint32, len(fragments))
            self.parts.append(codes if len(self.known) > 256 else codes.astype(np.uint8))
            if self.known.full:
                self.widen(list(self.known))
            return
        for fragment in fragments:
            self.kinds |= kind_of(fragment)
        self.parts.append(np.fromiter(map(sum_of, fragments), np.uint32, len(fragments)))
        if self.kinds & ~NUMBERS:
            self.numbers = None
        if self.numbers is not None:
            self.numbers.append(np.fromiter(map(number_of, fragments), float, len(fragments)))

    def widen(self, values: list[str | None]) -> None:
        """No more codes: there are too many values."""
        whole = widened(Column(np.concatenate(self.parts), values))
        self.known, self.parts, self.kinds = None, [whole.codes], whole.kinds
        self.numbers = None if whole.numbers is None else [whole.numbers]

    def column(self) -> Column:
        """What was read."""
        parts = self.parts or [np.zeros(0, np.uint8)]
        if self.known is not None:
            values: list[str | None] = list(self.known)
            return Column(np.concatenate(parts).astype(width(len(values)), copy=False), values)
        numbers = None if self.numbers is None else np.concatenate(self.numbers)
        return Column(np.concatenate(parts), None, numbers, self.kinds)


class Facets(NamedTuple):
    """A snapshot: the rows in the order of their ids, those that live, and a column a path."""

    ids: Ids
    alive: Mask | None  # None: all
    columns: dict[Path, Column]

    def found(self, mask: Mask | None) -> Ids:
        """The sorted ids of the living rows of a mask (None: all)."""
        if self.alive is not None:
            mask = self.alive if mask is None else mask & self.alive
        return self.ids if mask is None else self.ids[np.flatnonzero(mask)]

    def mask_of(self, ids: Ids) -> Mask:
        """The rows of some ids."""
        mask = np.zeros(len(self.ids), np.bool_)
        at, there = places(self.ids, ids)
        mask[at[there]] = True
        return mask

    def replaced(
        self, rows: Iterable[tuple[Any, ...]], dirty: Ids, paths: Sequence[Path]
    ) -> "Facets":
        """The next snapshot: of the rows named as `dirty` these are there now, as (id, value of
        each path); the others are not any more."""
        rows = sorted(rows, key=lambda row: row[0])
        told = np.array([row[0] for row in rows], np.int64)
        at, there = places(self.ids, told)
        before, new = len(self.ids), told[~there]
        size = before + len(new)
        at[~there] = np.arange(before, size)
        ids = np.concatenate((self.ids, new)) if len(new) else self.ids
        alive = np.ones(size, np.bool_)
        if self.alive is not None:
            alive[:before] = self.alive
        old, known = places(self.ids, dirty)
        alive[old[known]] = False
        alive[at] = True
        columns = {
            path: self.columns[path].replaced(at, [row[number] for row in rows], size)
            for number, path in enumerate(paths, 1)
        }
        if len(new) and before and new[0] < self.ids[-1]:  # a number that was free is used again
            order = np.argsort(ids)
            ids, alive = ids[order], alive[order]
            for column in columns.values():
                column.codes = column.codes[order]
                column.numbers = None if column.numbers is None else column.numbers[order]
        return Facets(ids, None if alive.all() else alive, columns)


def places(ids: Ids, wanted: Ids) -> tuple[Slots, Mask]:
    """Where in sorted ids these are, and whether they are there."""
    at = np.searchsorted(ids, wanted)
    there = at < len(ids)
    there[there] = ids[at[there]] == wanted[there]
    return at, there
