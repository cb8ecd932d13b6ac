"""Parameters: every style becomes a numbered place, and a slot says which of the user's it is."""

from __future__ import annotations

from sqlagent.errors import ProgrammingError
from sqlagent.parse.lexer import Token


class Numbering:
    """The distinct parameters of a statement, numbered from 1 in the order they first appear.

    `slots[n - 1]` is the user's slot for place n: an index from 0, or a name.
    Raises ProgrammingError where named and positional parameters are mixed.
    """

    def __init__(self, sql: str, tokens: list[Token]) -> None:
        self.slots: list[int | str] = []
        self.of: dict[int, int] = {}
        last = 0
        for token in tokens:
            if token.kind != "param":
                continue
            slot: int | str
            digits = token.text[1:]
            if token.text == "?":
                slot = last
            elif digits.isdigit():
                slot = int(digits) - 1
                if slot < 0:
                    raise ProgrammingError(
                        f"parameter {token.text} must be at least 1", sql=sql, position=token.start
                    )
            else:
                slot = digits
            if isinstance(slot, int):
                last = max(last, slot + 1)
            if self.slots and isinstance(slot, int) is not isinstance(self.slots[0], int):
                raise ProgrammingError(
                    "named and positional parameters cannot be mixed in one statement",
                    sql=sql, position=token.start,
                )  # fmt: skip
            if slot not in self.slots:
                self.slots.append(slot)
            self.of[token.start] = self.slots.index(slot) + 1

    def slot(self, token: Token) -> int | str:
        """Which of the user's parameters a token stands for."""
        return self.slots[self.of[token.start] - 1]


def edited(sql: str, edits: list[tuple[int, int, str]]) -> str:
    """`sql` with every (start, end, text) replaced; the edits do not overlap."""
    parts: list[str] = []
    at = 0
    for start, end, text in sorted(edits):
        parts += (sql[at:start], text)
        at = end
    parts.append(sql[at:])
    return "".join(parts)
