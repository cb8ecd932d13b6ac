"""Sums in the outputs of a plain read: `column + 5`, said so that SQLite stops where it overflows.

An integer that overflows is a real in SQLite and an error in DuckDB, so the sum is tested as the
pass `checked` tests it; the runner then asks DuckDB for its answer. Only a whole output that is one
integer column and one constant is taken: whatever is longer goes through the parser.
"""

from __future__ import annotations

from sqlagent.parse.lexer import is_name
from sqlagent.parse.plain_operands import Operands

OVERFLOW = "sqlagent: integer out of range"  # that of the pass
DIGITS_MAX = 9  # of the constant: DuckDB computes in 64 bits with any such


class Sums(Operands):
    """Which sums stay plain, and how they are said."""

    def _sum(self, place: int, section: str) -> bool:
        """Take in `[table.]column + constant AS name`, whose operator is at `place`."""
        if section != "select" or self.dialect == "sqlite" or self.text(place) not in ("+", "-"):
            return False
        column, constant = self.tokens[place - 1], self.tokens[place + 1 : place + 2]
        if not is_name(column) or not constant or constant[0].kind != "number":
            return False
        first = place - 3 if self.text(place - 2) == "." else place - 1
        if first < 1 or any(self.text(p) in ("(", "*") for p in range(first)):
            return False  # of the outermost SELECT alone
        known = self.columns.get(column.name.lower())
        digits = constant[0].text
        if known is None or known.type != "BIGINT" or not digits.isdigit():
            return False
        begins = self.upper(first - 1) == "SELECT" or self.text(first - 1) == ","
        ends = self.upper(place + 4) == "FROM" or self.text(place + 4) == ","
        named = self.upper(place + 2) == "AS" and self.kind_at(place + 3) in ("word", "quoted")
        if not (begins and ends and named) or len(digits) > DIGITS_MAX:
            return False
        start, end = self.tokens[first].start, constant[0].start + len(digits)
        said = f"{''.join(t.text for t in self.tokens[first:place])} {self.text(place)} {digits}"
        test = f"CASE WHEN typeof({said}) = 'real' THEN json_extract('0', '{OVERFLOW}')"
        self.edits.append((start, end, f"({test} ELSE {said} END)"))
        self.checked = True
        return True
