"""The values of SQLite's literals."""

from __future__ import annotations

from typing import Any

from sqlagent.errors import ProgrammingError
from sqlagent.parse.lexer import Token, unquote

_INTEGER_MAX = 2**63 - 1


def number(text: str, negative: bool = False) -> int | float:
    """A number as SQLite reads it: an integer that is too large is a REAL."""
    text = text.replace("_", "")
    if text[:2].lower() == "0x":
        value = int(text, 16)
        value = value - 2**64 if value > _INTEGER_MAX else value
        return -value if negative else value
    if text.isdigit():
        whole = -int(text) if negative else int(text)
        return whole if -(2**63) <= whole <= _INTEGER_MAX else float(whole)
    return -float(text) if negative else float(text)


def literal(token: Token) -> Any:
    """The value of a literal token."""
    if token.kind == "number":
        return number(token.text)
    if token.kind == "blob":
        try:
            return bytes.fromhex(token.text[2:-1])
        except ValueError:
            raise ProgrammingError(f"{token.text:.40} is no BLOB") from None
    return unquote(token)
