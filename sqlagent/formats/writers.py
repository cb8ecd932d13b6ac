"""Results as CSV, JSON, Markdown or lines, written as the rows come."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from .cells import Column, json_text, text, visible

FORMATS = ("table", "csv", "json", "arrow", "markdown", "line")
ONE_SHOT_FORMATS = FORMATS[:-1]

Row = Sequence[Any]


def write_csv(columns: list[Column], rows: Iterable[Row], out: TextIO, headers: bool = True) -> int:
    """RFC 4180: CRLF ends a record; NULL is an empty field, the empty text is `""`.

    Returns the number of rows.
    """
    if headers:
        out.write(_csv_line([column.name for column in columns]))
    count = 0
    for row in rows:
        pairs = zip(row, columns, strict=True)
        out.write(_csv_line([None if v is None else text(v, c.type_name) for v, c in pairs]))
        count += 1
    return count


def _csv_line(fields: list[str | None]) -> str:
    # A line with nothing on it is no record to many readers, so a lone NULL is written as "".
    if fields == [None]:
        return '""\r\n'
    return ",".join("" if field is None else _csv_field(field) for field in fields) + "\r\n"


def _csv_field(field: str) -> str:
    if not field or field != field.strip() or any(mark in field for mark in ',"\r\n'):
        return '"' + field.replace('"', '""') + '"'
    return field


def write_json(columns: list[Column], rows: Iterable[Row], out: TextIO) -> int:
    """An array of objects, one on a line; returns the number of rows."""
    names = [json.dumps(name, ensure_ascii=False) for name in distinct(columns)]
    types = [column.type_name for column in columns]
    count = 0
    for row in rows:
        out.write(",\n " if count else "[")
        fields = zip(names, row, types, strict=True)
        out.write("{" + ", ".join(f"{n}: {json_text(v, t)}" for n, v, t in fields) + "}")
        count += 1
    out.write("]\n" if count else "[]\n")
    return count


def distinct(columns: list[Column]) -> Iterator[str]:
    """The columns' names; one that comes again gets `_1`, as an object holds each key once."""
    seen: set[str] = set()
    for column in columns:
        name, again = column.name, 0
        while name in seen:
            again += 1
            name = f"{column.name}_{again}"
        seen.add(name)
        yield name


def write_markdown(
    columns: list[Column], rows: Iterable[Row], out: TextIO, headers: bool = True
) -> int:
    """A pipe table of GitHub's Markdown; returns the number of rows."""
    names = [_markdown_cell(column.name) if headers else " " for column in columns]
    out.write("| " + " | ".join(names) + " |\n")
    out.write("|" + "|".join("--:" if c.is_number else "---" for c in columns) + "|\n")
    count = 0
    for row in rows:
        pairs = zip(row, columns, strict=True)
        cells = ["NULL" if v is None else _markdown_cell(text(v, c.type_name)) for v, c in pairs]
        out.write("| " + " | ".join(cells) + " |\n")
        count += 1
    return count


def _markdown_cell(content: str) -> str:
    content = content.replace("\\", "\\\\").replace("|", "\\|")
    lines = content.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "<br>".join(visible(line) for line in lines)


def write_lines(columns: list[Column], rows: Iterable[Row], out: TextIO) -> int:
    """One `name = value` on a line and an empty line between rows; returns the number of rows."""
    from .width import width_of

    names = [visible(column.name) for column in columns]
    widest = max((width_of(name) for name in names), default=0)
    labels = [" " * (widest - width_of(name)) + name for name in names]
    count = 0
    for row in rows:
        if count:
            out.write("\n")
        for label, value, column in zip(labels, row, columns, strict=True):
            shown = "NULL" if value is None else text(value, column.type_name)
            lines = [visible(line) for line in shown.split("\n")]
            out.write(f"{label} = " + ("\n" + " " * (widest + 3)).join(lines) + "\n")
        count += 1
    return count
