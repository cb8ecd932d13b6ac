"""The words of a statement that has a grammar of ours, read from the left, and what is wrong there.

`Words` gives tokens; who wants values, or another server's error texts, derives from it.
"""

from __future__ import annotations

from sqlagent.errors import ProgrammingError
from sqlagent.parse.lexer import Token, is_name, unquote


def wrong(sql: str, tokens: list[Token], place: int, wanted: str) -> ProgrammingError:
    """The syntax error at token `place`, or at the end of the statement."""
    if place < len(tokens):
        token = tokens[place]
        return ProgrammingError(
            f'expected {wanted}, not "{token.text}"', sql=sql, position=token.start
        )
    last = tokens[-1]
    end = last.start + len(last.text)
    return ProgrammingError(f"expected {wanted} at the end", sql=sql, position=end)


def closing(tokens: list[Token], place: int) -> int:
    """Where the parenthesis at `place` is closed; the number of tokens where it is not."""
    depth = 0
    for at in range(place, len(tokens)):
        depth += (tokens[at].text == "(") - (tokens[at].text == ")")
        if not depth:
            return at
    return len(tokens)


class Words:
    """Tokens, of which `at` is the next. What must follow and does not is a ProgrammingError."""

    def __init__(self, sql: str, tokens: list[Token], at: int = 0) -> None:
        self.sql = sql
        self.tokens = tokens
        self.at = at

    @property
    def token(self) -> Token | None:
        """The next token; None at the end."""
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    @property
    def word(self) -> str:
        """The next word in upper case, or the next token's text; empty at the end."""
        token = self.token
        return "" if token is None else token.upper or token.text

    def take(self, *words: str) -> bool:
        """Pass over `words` where all of them follow."""
        found = [t.upper or t.text for t in self.tokens[self.at : self.at + len(words)]]
        if found != list(words):
            return False
        self.at += len(words)
        return True

    def need(self, *words: str) -> None:
        """Pass over words that must follow."""
        if not self.take(*words):
            wanted = " ".join(words)
            raise self.wrong(wanted if wanted.replace(" ", "").isalpha() else f'"{wanted}"')

    def name(self, what: str) -> Token:
        """The next token, which must be a name."""
        token = self.token
        if token is None or not is_name(token):
            raise self.wrong(what)
        self.at += 1
        return token

    def string(self, what: str) -> str:
        """The value of the next token, which must be a string."""
        token = self.token
        if token is None or token.kind != "string":
            raise self.wrong(what)
        self.at += 1
        return unquote(token)

    def until(self, *ends: str) -> tuple[Token, ...]:
        """The tokens up to one of `ends` outside of parentheses, or to the end."""
        start, depth = self.at, 0
        while self.at < len(self.tokens):
            text = self.tokens[self.at].text
            if not depth and self.word in ends:
                break
            depth += (text in "([{") - (text in ")]}") if len(text) == 1 else 0
            self.at += 1
        return tuple(self.tokens[start : self.at])

    def end(self) -> None:
        """Nothing may follow."""
        if self.at < len(self.tokens):
            raise self.wrong("the end of the statement")

    def wrong(self, wanted: str) -> ProgrammingError:
        """The syntax error at the next token."""
        return wrong(self.sql, self.tokens, self.at, wanted)
