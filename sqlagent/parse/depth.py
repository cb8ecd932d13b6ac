"""How deep and how long a statement may be: past that a parser's own recursion would end it."""

from __future__ import annotations

from sqlagent.errors import ProgrammingError
from sqlagent.parse.lexer import Token

NESTED_MAX = 200  # brackets, CASEs and prefixes around one place
CHAINED_MAX = 500  # `::` and `[…]` one after the other
TOKENS_MAX = 200_000  # of a statement that needs a tree: 5 s and 300 MB
_OPENS = frozenset("([{")
_CLOSES = frozenset(")]}")
_PREFIXES = frozenset(("NOT", "-", "+", "~", "->", "LAMBDA", "DISTINCT", "EXPLAIN", "BETWEEN"))
_POSTFIXES = frozenset(("::", "[", "."))


def check(sql: str, tokens: list[Token]) -> None:
    """Raise ProgrammingError for a statement that is nested too deeply."""
    if len(tokens) <= NESTED_MAX:
        return
    nested = prefixes = chained = 0
    stack: list[int] = []  # the length of the chain that each bracket stands in
    for token in tokens:
        text = token.text
        word = token.upper
        if word in _PREFIXES or text in _PREFIXES:
            prefixes += 1
        elif text not in _OPENS:
            prefixes = 0
        if text in _POSTFIXES:
            chained += 1
        elif text == "," or (text not in _CLOSES and word in ("SELECT", "AND", "OR", "FROM")):
            chained = 0
        if text in _OPENS:
            nested += 1
            stack.append(chained)
            chained = 0
        elif text in _CLOSES:
            nested -= 1
            chained = stack.pop() if stack else 0
        elif word == "CASE":
            nested += 1
        elif word == "END":
            nested -= 1
        if nested + prefixes > NESTED_MAX or chained > CHAINED_MAX:
            raise ProgrammingError(
                "the statement is nested too deeply",
                detail=f"at most {NESTED_MAX} brackets, CASEs and NOTs may be around one place",
                sql=sql, position=token.start, sqlstate="54001",
            )  # fmt: skip


def check_length(sql: str, tokens: list[Token]) -> None:
    """Raise ProgrammingError for a statement too long to make a tree of."""
    if len(tokens) > TOKENS_MAX:
        raise ProgrammingError(
            f"the statement is too long: {len(tokens)} words, at most {TOKENS_MAX}",
            hint="Put the values into a table and join with it, or give them by executemany.",
            sql=sql, position=tokens[TOKENS_MAX].start, sqlstate="54001",
        )  # fmt: skip
