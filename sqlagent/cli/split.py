"""Cuts SQL text into statements, without parsing it.

A `;` ends a statement unless it stands inside a string, a quoted identifier, a dollar quote, a
comment or the body of a `CREATE TRIGGER … BEGIN … END`. Pure functions over text: no engine.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

# Order matters: an E-string before a word, a dollar quote before a parameter, `::` before `:name`.
_TOKEN = re.compile(
    r"""(?P<blank>[\s\ufeff]+|--[^\n]*)
      | (?P<comment>/\*)
      | (?P<quote>[eE]'|['"`])
      | (?P<dollar>\$(?:[^\W\d]\w*)?\$)
      | (?P<end>;)
      | (?P<word>\w[\w$]*)
      | (?P<parameter>\?\d*|[:$@]\w+)
      | (?P<other>::|.)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_ESCAPED_END = re.compile(r"(?:[^'\\]|\\.)*'", re.DOTALL)
_TRIGGER = re.compile(
    r"(explain (query plan |analyze )?)?create (or replace )?(temp |temporary )?trigger$"
)


class Statement(NamedTuple):
    """One statement: its text from first to last token, and where it was."""

    text: str
    line: int  # 1-based, of the first token
    complete: bool  # False when the text ended before a `;`


class Splitter:
    """Takes lines of SQL and gives back statements as they become complete.

    Feed whole lines: no token but a quoted one or a comment may run on into the next piece.
    """

    def __init__(self) -> None:
        self._text = ""
        self._later: list[str] = []  # pieces held back until one of them can end an open quote
        self._closer = ""
        self._line = 1
        self._at = 0  # how far the text has been scanned
        self._first = self._last = -1  # where the statement begins and ends
        self._head: list[str] = []  # its first words
        self._trigger = self._body = self._closing = self._after_end = False

    @property
    def blank(self) -> bool:
        """Whether nothing but spaces and finished comments wait for more text."""
        return self._first < 0 and not self._closer

    def feed(self, text: str) -> Iterator[Statement]:
        """Adds `text`; yields each statement that its `;` completes."""
        self._later.append(text)
        # An open quote of many lines is not scanned again for every line.
        if self._closer and self._closer[-1] not in text:
            return
        self._text += "".join(self._later)
        self._later.clear()
        self._closer = ""
        while self._at < len(self._text):
            kind, stop, closer = _token(self._text, self._at)
            if closer:
                self._closer = closer
                return
            start, self._at = self._at, stop
            if kind == "end" and not self._in_body():
                if self._first >= 0:
                    yield self._statement(complete=True)
                self._restart(stop)
            elif kind != "blank":
                self._take(kind, start, stop)

    def finish(self) -> Statement | None:
        """What is left when the text is over: a statement with no `;`, or None."""
        self._text += "".join(self._later)
        self._later.clear()
        if self._closer and (self._closer != "*/" or self._first >= 0):
            self._first = self._at if self._first < 0 else self._first
            self._last = len(self._text.rstrip())
        self._closer = ""
        left = self._statement(complete=False) if self._first >= 0 else None
        self._restart(len(self._text))
        return left

    def _take(self, kind: str, start: int, stop: int) -> None:
        """Notes a token that counts: where it is, and what it says of a trigger's body."""
        if self._first < 0:
            self._first = start
        self._last = stop
        word = self._text[start:stop].lower() if kind == "word" else ""
        if len(self._head) < 8 and not self._body:
            self._head.append(word)
            self._trigger = self._trigger or bool(_TRIGGER.match(" ".join(self._head)))
        self._closing = self._body and word == "end" and self._after_end
        self._body = self._body or (self._trigger and word == "begin")
        self._after_end = kind == "end" or (word == "begin" and self._body)

    def _in_body(self) -> bool:
        return self._body and not self._closing

    def _statement(self, complete: bool) -> Statement:
        line = self._line + self._text.count("\n", 0, self._first)
        return Statement(self._text[self._first : self._last], line, complete)

    def _restart(self, stop: int) -> None:
        self._line += self._text.count("\n", 0, stop)
        self._text = self._text[stop:]
        self._at = 0
        self._first = self._last = -1
        self._head = []
        self._trigger = self._body = self._closing = self._after_end = False


def lines_of(text: str) -> list[str]:
    """The lines of `text` with their ends: `\\n` alone ends one, as it alone ends a comment."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def split_statements(text: str) -> Iterator[str]:
    """The statements of `text`, in order, without their `;` and the comments around them."""
    splitter = Splitter()
    for line in lines_of(text):
        for statement in splitter.feed(line):
            yield statement.text
    left = splitter.finish()
    if left:
        yield left.text


def is_complete(text: str) -> bool:
    """Whether every statement in `text` has its `;`, so that it can be run as it is."""
    splitter = Splitter()
    for _ in splitter.feed(text):
        pass
    return splitter.blank


def parameters(statement: str) -> set[str]:
    """The names of the parameters in `statement`: `:name` gives `name`, `?2` gives `2`, `?` `?`."""
    names = set()
    at = 0
    while at < len(statement):
        kind, stop, _ = _token(statement, at)
        if kind == "parameter":
            names.add(statement[at + 1 : stop] or "?")
        at = stop
    return names


def _token(text: str, at: int) -> tuple[str, int, str]:
    """The kind of the token at `at`, where it stops, and what would close it if it is open."""
    match = _TOKEN.match(text, at)
    if match is None or match.lastgroup is None:
        raise AssertionError("every character begins a token")
    kind, start, stop = match.lastgroup, match.group(), match.end()
    if kind == "comment":
        return _comment(text, stop)
    if kind == "quote" and len(start) == 2:
        end = _ESCAPED_END.match(text, stop)
        return ("other", end.end(), "") if end else ("other", len(text), "'")
    if kind in ("quote", "dollar"):
        # A doubled quote inside a string reads as two strings side by side, which splits the same.
        end_at = text.find(start, stop)
        return ("other", end_at + len(start), "") if end_at >= 0 else ("other", len(text), start)
    return kind, stop, ""


def _comment(text: str, at: int) -> tuple[str, int, str]:
    """A block comment whose inside begins at `at`; they nest, as in DuckDB and PostgreSQL."""
    depth = 1
    for edge in _COMMENT_EDGE.finditer(text, at):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return "blank", edge.end(), ""
    return "blank", len(text), "*/"
