"""Brackets and the commas between them, in a list of tokens."""

from __future__ import annotations

from sqlagent.parse.clauses import closing
from sqlagent.parse.lexer import Token


def closed(tokens: list[Token], place: int) -> int:
    """Where the parenthesis at `place` is closed; the last place where it is not."""
    return min(closing(tokens, place), len(tokens) - 1)


def listed(tokens: list[Token]) -> list[list[Token]]:
    """What stands between the commas that are in no bracket.

    >>> from sqlagent.parse.lexer import lex
    >>> [len(part) for part in listed(lex("a, f(b, c), d[1]"))]
    [1, 6, 4]
    """
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        if token.kind == "op":
            depth += (token.text in "([{") - (token.text in ")]}")
        if token.text == "," and not depth:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def arguments(tokens: list[Token], place: int) -> list[list[Token]]:
    """What stands between the commas of the parenthesis at `place`."""
    return listed(tokens[place + 1 : closed(tokens, place)])
