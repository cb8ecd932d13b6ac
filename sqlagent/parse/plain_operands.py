"""Which comparisons and orders of a plain statement mean the same on both engines."""

from __future__ import annotations

from sqlagent.parse import words
from sqlagent.parse.lexer import Token, is_name
from sqlagent.parse.plain_scope import Scope


class Operands(Scope):
    """What kind of value stands at a place, as far as the tokens and the catalog say."""

    def _kind_of(self, token: Token) -> str:
        """9 a number, a a text, b a blob, ? not known, x none of these."""
        if token.kind in ("number", "string", "blob"):
            return {"number": "9", "string": "a", "blob": "b"}[token.kind]
        if token.kind == "param" or token.upper == "SELECT":
            return "?"
        if is_name(token) and token.upper not in self.words:
            column = self.columns.get(token.name.lower())
            if column is None:
                return "x"
            if column.type is None:
                return "?"
            if column.type in words.NUMBERS:
                return "9"
            return "a" if column.type in words.TEXTS else "b" if column.type == "BLOB" else "x"
        return "x"

    def _operand(self, place: int) -> str | None:
        """The kind of the value at `place`; None where it is none that can be compared."""
        kind = self._kind_of(self.tokens[place]) if place >= 0 else "x"
        return None if kind == "x" else kind

    def _after(self, place: int) -> str | None:
        """The kind of the value that begins at `place`, past a sign and a qualifier."""
        if self.text(place) == "-":
            place += 1
        if self.text(place + 1) == ".":
            place += 2
        if place >= len(self.tokens):
            return None
        if self.text(place) == "(" and self.upper(place + 1) == "SELECT":
            return "?"
        return self._operand(place)

    @staticmethod
    def _match(left: str, right: str) -> bool:
        """Whether both engines compare the two without changing the type of either."""
        return left == right or "?" in (left, right)

    def _order(self, place: int) -> int | None:
        """`[table.]column [ASC|DESC] [NULLS …], …`; adds where NULLs go, where that matters."""
        while True:
            if self.text(place + 1) == "." and self.tokens[place].name.lower() in self.aliases:
                place += 2
            if place >= len(self.tokens) or not is_name(self.tokens[place]):
                return None
            name = self.tokens[place].name.lower()
            column = self.columns.get(name)
            if column is None or column.type == "MIXED" or self._shadowed(name):
                return None
            if column.type is not None and column.type not in words.PLAIN_TYPES:
                return None
            last = place
            down = self.upper(place + 1) == "DESC"
            if self.upper(place + 1) in ("ASC", "DESC"):
                last = place + 1
            if self.upper(last + 1) == "NULLS":
                place = last + 3
            else:
                place = last + 1
                nullable = not column.not_null or "LEFT" in (t.upper for t in self.tokens)
                end = self.tokens[last].start + len(self.tokens[last].text)
                if nullable and self.dialect == "duckdb" and not down:
                    self.edits.append((end, end, " NULLS LAST"))
                elif nullable and self.dialect == "postgres":
                    self.edits.append((end, end, " NULLS FIRST" if down else " NULLS LAST"))
            if self.text(place) != ",":
                ended = self.text(place) in ("", ")") or self.upper(place) in ("LIMIT", "OFFSET")
                return place if ended else None
            place += 1

    def _shadowed(self, name: str) -> bool:
        """Whether an output's alias hides the column in ORDER BY."""
        return any(
            t.upper == "AS" and self.tokens[i + 1].name.lower() == name
            for i, t in enumerate(self.tokens[:-1])
        )
