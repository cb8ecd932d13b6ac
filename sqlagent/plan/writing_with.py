"""A WITH that writes (`WITH moved AS (DELETE … RETURNING *) INSERT …`): its plan.

What the statement gives is described by its shadow, in which each write is the SELECT of what it
would return, without rows. Nothing is planned of the parts: that is done where they run, since each
reads what those before it have returned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlagent.errors import NotSupportedError
from sqlagent.parse.lexer import Token, quote_name
from sqlagent.parse.writing_with import Part, split, write_of
from sqlagent.plan.plans import WritingWith

if TYPE_CHECKING:
    from collections.abc import Sequence

WHY = "a WITH that writes: one transaction, part by part"


def writing_with(sql: str, tokens: list[Token]) -> WritingWith | None:
    """The plan of a statement whose WITH writes; None for any other."""
    found = split(sql, tokens)
    if found is None:
        return None
    *queries, main = found.parts
    shown = []
    for part in queries:
        if part.writes and part.verb == "MERGE":
            raise NotSupportedError(
                "MERGE is not for a WITH", sql=sql, position=part.tokens[0].start
            )
        names = f" ({', '.join(map(quote_name, part.columns))})" if part.columns else ""
        body = _shadow(sql, part) if part.writes else _text(sql, part.tokens)
        if body:
            shown.append(f"{quote_name(part.name)}{names} AS ({body})")
    shadow = _text(sql, main.tokens)
    if shown:
        word = "WITH RECURSIVE " if found.recursive else "WITH "
        if main.tokens[0].upper == "WITH":
            own = main.tokens[2 if main.tokens[1].upper == "RECURSIVE" else 1 :]
            word = "WITH RECURSIVE " if len(own) < len(main.tokens) - 1 else word
            shadow = word + ", ".join(shown) + ", " + _text(sql, own)
        else:
            shadow = word + ", ".join(shown) + " " + shadow
    rows = not main.writes or bool(main.returning)
    return WritingWith(found.parts, found.recursive, shadow, rows, WHY)


def returned(sql: str, tokens: list[Token]) -> str:
    """The SELECT that has the columns of what a statement returns that it wrote; '' where it is
    no such statement."""
    part = write_of(sql, tokens)
    return _shadow(sql, part) if part is not None else ""


def _shadow(sql: str, part: Part) -> str:
    """The SELECT of what a write would return; '' where it returns nothing."""
    if not part.returning:
        return ""
    alias = f" AS {quote_name(part.alias)}" if part.alias else ""
    others = f", {_text(sql, part.others)}" if part.others else ""
    return (
        f"SELECT {_text(sql, part.returning)} FROM {quote_name(part.target)}{alias}{others} "
        "WHERE false"
    )


def _text(sql: str, tokens: Sequence[Token]) -> str:
    return sql[tokens[0].start : tokens[-1].start + len(tokens[-1].text)] if tokens else ""
