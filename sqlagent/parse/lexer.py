"""Tokens of a statement by one compiled regular expression: cheap, enough for plain statements.

Understands what SQLite, DuckDB and PostgreSQL spell between them: comments, `'it''s'`, `E'\\n'`,
`$tag$…$tag$`, `x'00ff'`, `"name"`, `` `name` ``, numbers, the parameters `?`, `?1`, `$1`, `:name`,
`$name`, `@name`, and operators. Square brackets stay operators: DuckDB's lists use them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from sqlagent.errors import ProgrammingError


class Token(NamedTuple):
    """`kind` is word, quoted, string, blob, number, param, op or bad; `start` a 0-based offset."""

    kind: str
    text: str
    start: int

    @property
    def upper(self) -> str:
        """The word in upper case; empty for anything that is not an unquoted word."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """The name that a word or quoted identifier stands for, as it is spelled."""
        if self.kind == "quoted":
            mark = self.text[0]
            return self.text[1:-1].replace(mark * 2, mark)
        return self.text


KEPT_MAX = 20_000  # characters of a text whose tokens are kept
_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
      |(?P<blob>[xX]'[^']*')
      |(?P<string>'[^']*(?:''[^']*)*'(?!')|[eE]'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'(?!')|\$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$)
      |(?P<quoted>"[^"]*(?:""[^"]*)*"(?!")|`[^`]*(?:``[^`]*)*`(?!`))
      |(?P<number>0[xX][0-9a-fA-F_]+|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)
      |(?P<word>[^\W\d]\w*)
      |(?P<param>\?[0-9]*|\$[0-9]+|[$@][^\W\d]\w*|(?<![\w'")\]}:]):[^\W\d]\w*)
      |(?P<op>->>|->|=>|:=|::|\|\||//|\*\*|<=|>=|<>|!=|==|<<|>>|!~|\^@|[^\s'"`])
      |(?P<bad>.)""",
    re.X | re.S,
)

_DOLLAR = re.compile(r"\$[A-Za-z_]*\$")
_WHAT = {
    "'": "string",
    "$": "string",
    '"': "quoted identifier",
    "`": "quoted identifier",
    "/": "comment",
}


def lex(sql: str) -> list[Token]:
    """The tokens of `sql` without spaces and comments.

    Raises ProgrammingError for a string, quoted name or comment that does not end.
    """
    return list(_lex(sql)) if len(sql) <= KEPT_MAX else _tokens(sql)


def _tokens(sql: str) -> list[Token]:
    """What `lex` gives, made anew."""
    # `tag` closes before `string` does, so lastgroup is the outer group, as it should be.
    tokens = [
        Token(kind, match.group(), match.start())
        for match in _TOKEN.finditer(sql)
        if (kind := match.lastgroup or "bad") != "space"
    ]
    nul = "\0" in sql
    for kind, text, start in tokens:
        opens = text == "/" and sql.startswith("/*", start)
        dollar = text == "$" and _DOLLAR.match(sql, start) is not None
        if kind == "bad" or opens or dollar or (nul and "\0" in text):
            what = _WHAT.get(text[0])
            message = f"unterminated {what}" if what else "the statement holds a NUL character"
            raise ProgrammingError(message, sql=sql, position=start)
    return tokens


@lru_cache(maxsize=4)
def _lex(sql: str) -> tuple[Token, ...]:
    """The tokens of the last few texts: planning, the shape and the estimate read the same one."""
    return tuple(_tokens(sql))


def statements(tokens: list[Token]) -> list[list[Token]]:
    """The tokens cut at every `;` outside a trigger's BEGIN … END, without empty statements."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        if token.text == ";" and not depth:
            parts.append([])
            continue
        current = parts[-1]
        current.append(token)
        if token.kind == "word" and len(current) > 3 and _is_trigger(current):
            word = token.upper
            depth += (word in ("BEGIN", "CASE")) - (word == "END")
    return [part for part in parts if part]


def _is_trigger(tokens: list[Token]) -> bool:
    return tokens[0].upper == "CREATE" and "TRIGGER" in (tokens[1].upper, tokens[2].upper)


def unquote(token: Token) -> str:
    """The value of a string token, whichever way it is written."""
    text = token.text
    if text[0] == "$":
        tag = text.index("$", 1) + 1
        return text[tag:-tag]
    if text[0] in "eE":
        return _ESCAPE.sub(_escape, text[2:-1]).replace("''", "'")
    return text[1:-1].replace("''", "'")


_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.S)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def _escape(match: re.Match[str]) -> str:
    """One escape of an E string as the character that it stands for."""
    code = match.group(1) or match.group(2) or match.group(3)
    if code and int(code, 16) > 0x10FFFF:
        raise ProgrammingError(f"\\U{code} is no character", sqlstate="22025")
    return chr(int(code, 16)) if code else _ESCAPED.get(match.group(4), match.group(4))


def quote(text: str) -> str:
    """A string as SQL text."""
    return "'" + text.replace("'", "''") + "'"


def quote_name(name: str) -> str:
    """A name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def is_name(token: Token) -> bool:
    """Whether a token may name a table, a column or a function."""
    return token.kind in ("word", "quoted")
