"""What a tool returns: rows that fit into a model's context, and say where they were cut."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from typing_extensions import TypedDict

from sqlagent.cursor import Cursor
from sqlagent.formats.cells import Column, columns_of, plain


class Limits(NamedTuple):
    """How much one call may cost: rows, and characters of their JSON."""

    rows: int = 1000
    characters: int = 50_000


class Rows(TypedDict):
    """Rows of a statement. `truncated` says what was left out and how to get it, or is null."""

    columns: list[str]
    types: list[str]
    rows: list[list[Any]]
    row_count: int
    truncated: str | None


class Changed(TypedDict):
    """What a statement that writes did; rows, where it returns some (RETURNING)."""

    rows_changed: int | None
    result: Rows | None


def rows_of(cursor: Cursor, limits: Limits, asked: int | None = None) -> Rows:
    """The cursor's rows, as many as the limits (and `asked`) allow."""
    columns = columns_of(cursor.description)
    most = limits.rows if asked is None else max(0, min(asked, limits.rows))
    rows: list[list[Any]] = []
    left = limits.characters
    truncated = None
    for row in cursor:
        if len(rows) == most:
            truncated = f"only the first {most} rows: page on with LIMIT and OFFSET, or aggregate"
            break
        shown = json_row(columns, row)
        left -= len(json.dumps(shown, ensure_ascii=False))
        if left < 0:
            truncated = (
                f"only the first {len(rows)} rows, since an answer has at most "
                f"{limits.characters} characters: select fewer columns, or cut them with left()"
            )
            break
        rows.append(shown)
    cursor.close()
    return Rows(
        columns=[c.name for c in columns],
        types=[c.type_name for c in columns],
        rows=rows,
        row_count=len(rows),
        truncated=truncated,
    )


def json_row(columns: list[Column], row: tuple[Any, ...]) -> list[Any]:
    """A row's values in JSON's types."""
    return [plain(value, column.type_name) for value, column in zip(row, columns, strict=True)]


def records_of(cursor: Cursor) -> list[dict[str, Any]]:
    """All rows, as objects."""
    columns = columns_of(cursor.description)
    names = [c.name for c in columns]
    return [dict(zip(names, json_row(columns, row), strict=True)) for row in cursor]
