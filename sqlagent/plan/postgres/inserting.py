"""INSERT INTO t VALUES (1), of the first columns, and INSERT INTO t (SELECT …), which SQLite takes
without the parentheses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlagent.parse.clauses import closing
from sqlagent.parse.lexer import Token, is_name, quote_name
from sqlagent.plan.named import STAR, alias_of, output_tokens

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog


def columns(tokens: list[Token], catalog: Catalog) -> list[tuple[int, int, str]]:
    """The edit that names the columns, where an INSERT says fewer values than there are."""
    if len(tokens) < 5 or tokens[1].upper != "INTO" or not is_name(tokens[2]):
        return []
    table = catalog.table(tokens[2].name)
    if table is None:
        return []
    at = 3
    if tokens[at].upper == "AS":
        at += 2
    if tokens[at].upper == "OVERRIDING" and at + 2 < len(tokens):
        at += 3
    word = tokens[at].upper if at < len(tokens) else ""
    count = 0
    if word == "VALUES" and tokens[at + 1 : at + 2] and tokens[at + 1].text == "(":
        count = _tuple(tokens, at + 1)
    elif word == "SELECT":
        outputs = output_tokens(tokens[at:]) or []
        count = 0 if any(alias_of(o) == STAR for o in outputs) else len(outputs)
    if not 0 < count < len(table.columns):
        return []
    names = ", ".join(quote_name(c.name) for c in table.columns[:count])
    return [(tokens[3].start, tokens[3].start, f"({names}) ")]


def bare(tokens: list[Token]) -> list[tuple[int, int, str]]:
    """The edits that leave out the parentheses around the SELECT of an INSERT."""
    depth = 0
    for place, token in enumerate(tokens[:-1]):
        query = tokens[place + 1].upper in ("SELECT", "WITH", "VALUES", "(")
        if token.text == "(" and not depth and query and place > 2:
            end = closing(tokens, place)
            after = tokens[end + 1].upper if end + 1 < len(tokens) else ""
            if end < len(tokens) and after in ("", "ON", "RETURNING"):
                last = tokens[end]
                return [(token.start, token.start + 1, " "), (last.start, last.start + 1, " ")]
            return []
        depth += (token.text == "(") - (token.text == ")")
        if token.upper in ("SELECT", "VALUES", "WITH") and not depth:
            return []
    return []


def _tuple(tokens: list[Token], place: int) -> int:
    """How many values the first row has."""
    depth, count = 0, 1
    for token in tokens[place:]:
        depth += (token.text in "([{") - (token.text in ")]}")
        if not depth:
            return count
        count += token.text == "," and depth == 1
    return 0
