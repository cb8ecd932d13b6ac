"""`RETURNING t.*`, which SQLite has not: the names of the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlagent.parse.lexer import Token, is_name, quote_name
from sqlagent.parse.writing_with import write_of

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog


def stars(sql: str, tokens: list[Token], catalog: Catalog) -> list[tuple[int, int, str]]:
    """The edits that say the columns of the written table where RETURNING has `t.*`, and leave
    out its alias."""
    part = write_of(sql, tokens)
    table = catalog.table(part.target) if part is not None else None
    if part is None or table is None:
        return []
    names = ", ".join(quote_name(c.name) for c in table.columns)
    own = (part.alias or table.name).lower()
    found = []
    given = part.returning
    for first, dot, star in zip(given, given[1:], given[2:], strict=False):
        if is_name(first) and dot.text == "." and star.text == "*" and first.name.lower() == own:
            found.append((first.start, star.start + 1, names))
        elif part.alias and is_name(first) and dot.text == "." and is_name(star) and (
            first.name.lower() == own
        ):  # fmt: skip
            found.append((first.start, star.start, ""))  # SQLite's RETURNING knows no alias
    return found
