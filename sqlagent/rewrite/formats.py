"""The format letters of SQLite's strftime() as DuckDB says them."""

from __future__ import annotations

import re

from sqlglot import exp

from sqlagent.rewrite.modifiers import julian

# Letters that mean the same in both, and those that are several of them.
ALIKE = frozenset("YmdHMSjw%")
_SAME = ALIKE | frozenset("IpuUWVG")
_LONGER = {"f": "%S.%g", "F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M"}
_LETTERS = frozenset("efgJklPs")


def letters(form: str) -> set[str]:
    """The letters of a format."""
    return set(re.findall(r"%(.)", form, re.S))


def formatted(form: str, here: exp.Expr) -> exp.Expr | None:
    """SQLite's `strftime(form, …)` of the TIMESTAMP `here`; None for a letter it does not know."""
    parts: list[exp.Expr] = []
    plain = ""
    for piece in re.findall(r"%.|[^%]+|%", form, re.S):
        letter = piece[1:] if piece[0] == "%" else None
        if letter is None or letter in _SAME:
            plain += piece
        elif letter in _LONGER:
            plain += _LONGER[letter]
        elif letter in _LETTERS:
            if plain:
                parts.append(_strftime(here, plain))
            parts.append(_odd(letter, here))
            plain = ""
        else:
            return None
    if plain or not parts:
        parts.append(_strftime(here, plain))
    whole = parts[0]
    for part in parts[1:]:
        whole = exp.DPipe(this=whole, expression=part)
    return exp.Paren(this=whole) if len(parts) > 1 else whole


def _odd(letter: str, here: exp.Expr) -> exp.Expr:
    """A letter that DuckDB's strftime() does not have."""
    if letter == "s":
        seconds = exp.Anonymous(
            this="floor", expressions=[exp.Anonymous(this="epoch", expressions=[here.copy()])]
        )
        return exp.cast(exp.cast(seconds, "BIGINT"), "VARCHAR")
    if letter == "J":
        form = exp.Literal.string("%.16g")
        return exp.Anonymous(this="printf", expressions=[form, julian(here)])
    if letter == "P":
        return exp.Lower(this=_strftime(here, "%p"))
    if letter == "g":
        return exp.Anonymous(
            this="right", expressions=[_strftime(here, "%G"), exp.Literal.number(2)]
        )
    padded = _strftime(here, {"e": "%-d", "k": "%-H", "l": "%-I"}[letter])
    width = [padded, exp.Literal.number(2), exp.Literal.string(" ")]
    return exp.Anonymous(this="lpad", expressions=width)


def _strftime(here: exp.Expr, form: str) -> exp.Expr:
    return exp.Anonymous(this="strftime", expressions=[here.copy(), exp.Literal.string(form)])
