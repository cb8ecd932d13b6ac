"""Results as a table for people: aligned, NULL told from text, cut to the terminal's width."""

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TextIO

from sqlagent.formats.cells import Column, text, visible
from sqlagent.formats.width import cut, pad, width_of
from sqlagent.formats.writers import Row

# Widths are taken from the first rows, so that a result of any size is written as it comes.
SAMPLE_ROWS = 2_000
NARROWEST = 6

_DIM, _BOLD, _RESET = "\x1b[2m", "\x1b[1m", "\x1b[0m"


class Look(NamedTuple):
    """How a table is drawn."""

    headers: bool = True
    width: int | None = None  # columns of the terminal; None: nothing is cut
    rows_max: int | None = None  # None: every row
    color: bool = False
    lines: bool = False  # a line break in a cell breaks the row (EXPLAIN), or is written \n
    ascii: bool = False


class _Cell(NamedTuple):
    lines: list[str]
    is_null: bool = False


def write_table(
    columns: list[Column], rows: Iterable[Row], out: TextIO, look: Look | None = None
) -> int:
    """Writes the table and, as its last line, the number of rows, which it returns."""
    look = look or Look()
    rows = iter(rows)
    wanted = rows if look.rows_max is None else itertools.islice(rows, look.rows_max)
    cells = ([_cell(v, c, look) for v, c in zip(row, columns, strict=True)] for row in wanted)
    sample = list(itertools.islice(cells, SAMPLE_ROWS))
    names = [visible(column.name) for column in columns]
    widths = _fit(_widths(names, sample, look), look)
    bar, dash, cross = ("|", "-", "+") if look.ascii else ("│", "─", "┼")
    if look.headers:
        heads = [
            pad(cut(name, width), width, right=column.is_number)
            for name, width, column in zip(names, widths, columns, strict=False)
        ]
        out.write(_line([_style(head, _BOLD, look) for head in heads], bar))
        out.write(cross.join(dash * (width + 2) for width in widths) + "\n")
    count = 0
    for row in itertools.chain(sample, cells):
        for line in _lines(row, columns, widths, look):
            out.write(_line(line, bar))
        count += 1
    more = look.rows_max is not None and next(rows, None) is not None
    out.write(_style(_footer(count, more, len(columns) - len(widths)), _DIM, look) + "\n")
    return count


def _cell(value: object, column: Column, look: Look) -> _Cell:
    if value is None:
        return _Cell(["NULL"], True)
    content = text(value, column.type_name)
    if content == "NULL":
        content = "'NULL'"  # the text, told from the null
    return _Cell([visible(line) for line in (content.split("\n") if look.lines else [content])])


def _widths(names: list[str], sample: list[list[_Cell]], look: Look) -> list[int]:
    """The width of each column's widest cell."""
    widths = [width_of(name) if look.headers else 1 for name in names]
    for row in sample:
        for place, cell in enumerate(row):
            for line in cell.lines:
                # A text of n characters takes at most 2n columns: most need no measuring.
                if len(line) * 2 > widths[place]:
                    widths[place] = max(widths[place], width_of(line))
    return widths


def _fit(widths: list[int], look: Look) -> list[int]:
    """Widths that fit the terminal: the widest give way first, then the last columns go."""
    if look.width is None:
        return widths
    while len(widths) > 1 and _total([min(width, NARROWEST) for width in widths]) > look.width:
        widths = widths[:-1]
    over = _total(widths) - look.width
    if over <= 0:
        return widths
    low, high = 1, max(widths)
    while low < high:
        middle = (low + high + 1) // 2
        if _total([min(width, middle) for width in widths]) <= look.width:
            low = middle
        else:
            high = middle - 1
    return [min(width, low) for width in widths]


def _total(widths: list[int]) -> int:
    return sum(widths) + 3 * len(widths) - 1


def _lines(
    row: list[_Cell], columns: list[Column], widths: list[int], look: Look
) -> Iterator[list[str]]:
    """The lines of the screen that one row takes, as padded cells."""
    shown = row[: len(widths)]
    for number in range(max((len(cell.lines) for cell in shown), default=0)):
        line = []
        for cell, column, width in zip(shown, columns, widths, strict=False):
            content = cell.lines[number] if number < len(cell.lines) else ""
            if look.width is not None:
                content = cut(content, width)
            padded = pad(content, width, right=column.is_number)
            line.append(_style(padded, _DIM, look) if cell.is_null else padded)
        yield line


def _line(cells: list[str], bar: str) -> str:
    return (" " + f" {bar} ".join(cells)).rstrip(" ") + "\n"


def _style(content: str, code: str, look: Look) -> str:
    return f"{code}{content}{_RESET}" if look.color else content


def _footer(count: int, more: bool, hidden: int) -> str:
    rows = f"{count:,} row" + ("" if count == 1 else "s")
    notes = [rows + (" shown, there are more" if more else "")]
    if hidden:
        notes.append(f"{hidden} column{'' if hidden == 1 else 's'} not shown")
    return f"({'; '.join(notes)})"
