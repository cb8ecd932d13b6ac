"""The values that literal tokens stand for."""

from __future__ import annotations

from typing import Any

from sqlagent.parse.lexer import Token, is_name, unquote


def literal(tokens: list[Token], place: int) -> tuple[Any, int | None]:
    """The value of the literal at `place` and where it ends; (None, None) where there is none."""
    token = tokens[place]
    if token.kind == "string":
        return unquote(token), place + 1
    if token.kind == "number":
        return number(token.text), place + 1
    if token.kind == "blob":
        return bytes.fromhex(token.text[2:-1]), place + 1
    if token.text in "+-" and place + 1 < len(tokens) and tokens[place + 1].kind == "number":
        value = number(tokens[place + 1].text)
        return (-value if token.text == "-" else value), place + 2
    if is_name(token):
        word = token.upper
        if word in ("TRUE", "FALSE", "NULL"):
            return {"TRUE": True, "FALSE": False, "NULL": None}[word], place + 1
        return token.name, place + 1
    return None, None


def number(text: str) -> int | float:
    """The value of a number token."""
    text = text.replace("_", "")
    if text[:2] in ("0x", "0X"):
        return int(text, 16)
    return float(text) if set(text) & set(".eE") else int(text)
