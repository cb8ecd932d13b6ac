"""The shape of a statement: its text without the values, so that `k = 1` and `K = 2` are one.

A shape is kept in the file (`sqlagent_query_log`), so it holds no literal, parameter name or
comment of the statement, whatever the dialect: what is not surely a name or a keyword becomes `?`.
"""

from __future__ import annotations

import re
from collections.abc import Container

from sqlagent.parse.lexer import lex

SHAPE_MAX = 2000  # characters
_OPERATOR = re.compile(r"[!-/:-@\[-^{-~]+\Z")  # ASCII marks alone
_LIST = re.compile(r"\b(in \( \?)(?: , \?)+")
_ROWS = re.compile(r"\b(values (\( [^()]* \)))(?: , \2)+")
_CLOSE = ("string", "blob", "number", "param")


def shape(sql: str, names: Container[str]) -> str:
    """The shape of `sql`. `names` are the lower-case names of tables and columns.

    Words are in lower case; a quoted name that is none of `names` may be a text in SQLite's way of
    reading it, so it is `?` too. An IN of any length has one `?`, and VALUES of any length one row.
    Raises ProgrammingError where a string or comment does not end.
    """
    parts: list[str] = []
    for token in lex(sql):
        kind = token.kind
        if kind == "word":
            parts.append(token.text.lower())
        elif kind == "quoted":
            name = token.name.lower()
            parts.append(f'"{name}"' if name in names and '"' not in name else "?")
        elif kind in _CLOSE or not _OPERATOR.match(token.text):
            parts.append("?")
        else:
            parts.append(token.text)
    while parts and parts[-1] == ";":
        parts.pop()
    text = _ROWS.sub(r"\1", _LIST.sub(r"\1", " ".join(parts)))
    return text if len(text) <= SHAPE_MAX else _shortened(text)


def _shortened(text: str) -> str:
    """A long shape as its beginning and a checksum of the whole."""
    import zlib

    return f"{text[:SHAPE_MAX]} … {zlib.crc32(text.encode('utf-8')):08x}"
