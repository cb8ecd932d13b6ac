"""The table of a run."""

from __future__ import annotations

from benchmarks.bench import Line
from benchmarks.measure import python_loop_ms

HEAD = ("figure", "what", "measured", "reach", "", "beside", "its value", "ratio")
RIGHT = (2, 3, 6, 7)  # columns of numbers


def number(value: float | None, unit: str = "") -> str:
    """A value with three digits that count, and its unit."""
    if value is None:
        return ""
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.995 else 3
    return f"{value:,.{digits}f}{' ' + unit if unit and unit != '/s' else unit}"


def cells(line: Line, quick: bool) -> tuple[str, ...]:
    """One row; at quick size the reach is not asked for, since it is for the full size."""
    reach = ""
    if line.reach is not None and not quick:
        reach = f"{'>=' if line.at_least else '<='} {line.reach:,g}"
    said = {True: "met", False: "NOT MET", None: ""}[line.met] if not quick else ""
    times = f"{line.times:,.2f}" if line.times is not None else ""
    measured, peer = number(line.measured, line.unit), number(line.peer, line.unit)
    return line.figure, line.what, measured, reach, said, line.beside, peer, times


def show(
    lines: list[Line],
    notes: list[str],
    failed: list[str],
    checked: int,
    seconds: float,
    quick: bool,
) -> None:
    """Print all lines as one table, the notes below it."""
    rows = [HEAD, *(cells(line, quick) for line in lines)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    for place, row in enumerate(rows):
        parts = [
            cell.rjust(width) if at in RIGHT else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(parts).rstrip())
        if place == 0:
            print("  ".join("-" * width for width in widths))
    print()
    for note in notes:
        print(note)
    for name in failed:
        print(f"{name}: FAILED, see above")
    print(
        f"{checked:,} answers checked in {seconds:.0f} s"
        f"{', at quick sizes: the times mean little' if quick else ''}; "
        f"a million steps of Python's for loop take {python_loop_ms():.0f} ms here"
    )
