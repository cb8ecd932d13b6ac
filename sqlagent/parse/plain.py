"""Is a statement plain: the same in SQLite, word for word, as in our dialect?

Decided from the tokens, strictly and in one pass: what is not known to be plain is not plain, and
goes through the parser. A plain statement costs some tens of microseconds and imports nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlagent.catalog import Catalog
from sqlagent.parse import words
from sqlagent.parse.lexer import Token, is_name
from sqlagent.parse.plain_scope import Bind, Edit, TableCall
from sqlagent.parse.plain_sums import Sums

__all__ = ["Plain", "TableCall", "plain"]


class Plain(NamedTuple):
    """A plain statement: the file's tables in it, and the small edits that make it SQLite's."""

    tables: tuple[str, ...]
    edits: list[Edit]
    functions: bool
    checked: bool  # DuckDB must be asked for a row that overflows


def plain(
    tokens: list[Token], catalog: Catalog, dialect: str, reads: bool, bind: Bind
) -> Plain | None:
    """What makes `tokens` a plain statement; None where it is not one.

    `reads` is false where reads may not go to SQLite. `bind(tokens, place, in_from)` binds a call
    of a function of ours at `place`, or says None.
    """
    verb = tokens[0].upper
    if verb not in ("SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE"):
        return None
    if verb == "SELECT" and not reads:
        return None
    scan = _Scan(tokens, catalog, dialect, verb != "SELECT", bind)
    return scan.result() if scan.sources() and scan.walk() else None


class _Scan(Sums):
    """One pass over the tokens; every method says False at the first thing that is not plain."""

    def result(self) -> Plain:
        return Plain(tuple(dict.fromkeys(self.tables)), self.edits, self.functions, self.checked)

    def walk(self) -> bool:
        """Check every token in its section; `stack` remembers the sections around parentheses."""
        section, stack, place = "", [], 0
        total = len(self.tokens)
        while place < total:
            token = self.tokens[place]
            kind, text = token.kind, token.text
            if place in self.skip:
                place = self.skip[place]
                continue
            if kind == "op":
                if text == "(":
                    stack.append(section)
                    if self.upper(place - 2) == "INTO" or self.upper(place - 1) == "CONFLICT":
                        section = "columns"
                elif text == ")":
                    if not stack:
                        return False
                    section = stack.pop()
                elif not self._operator(place, section):
                    return False
            elif kind == "word" or kind == "quoted":
                word = token.upper
                if word in self.words and self.text(place - 1) != ".":
                    section = words.SECTIONS.get(word, section)
                    if not self._keyword(place, word, section):
                        return False
                    if word == "ORDER":
                        end = self._order(place + 2)
                        if end is None:
                            return False
                        place = end
                        continue
                else:
                    end = self._name(place, section)
                    if end is None:
                        return False
                    place = end
                    continue
            elif not self._literal(kind, text, section):
                return False
            place += 1
        return not stack

    @staticmethod
    def _literal(kind: str, text: str, section: str) -> bool:
        """Whether a literal means the same there: DuckDB makes decimals of outputs such as 2.5."""
        if kind == "number":
            return section != "select" or "." not in text  # 2.5 is a decimal in DuckDB
        if kind == "string":
            return text[0] == "'" and section not in ("from", "limit")
        return kind != "param" or section != "from"

    def _keyword(self, place: int, word: str, section: str) -> bool:
        """Whether a keyword keeps the statement plain where it stands."""
        if self.text(place + 1) == "(" and word not in words.OPENERS:
            return False
        if word in words.TRUTH_WORDS and section == "select":
            return False
        if word == "OFFSET" and not any(t.upper == "LIMIT" for t in self.tokens[:place]):
            return False  # SQLite has it after LIMIT alone
        if word in ("IN", "BETWEEN"):
            return self._members(place, self._operand(place - 1 - (self.upper(place - 1) == "NOT")))
        if word == "ON" and self.upper(place + 1) == "CONFLICT":
            # SQLite reads the ON after a SELECT's FROM as a join's.
            return not any(t.upper == "SELECT" for t in self.tokens)
        return word != "DEFAULT" or self.upper(place + 1) == "VALUES"

    def _members(self, place: int, before: str | None) -> bool:
        """Whether what follows IN or BETWEEN compares with `before` as it is."""
        if before is None:
            return False
        if self.upper(place) == "BETWEEN":
            ends = (self._after(place + 1), self._after(place + 3))
            return self.upper(place + 2) == "AND" and all(
                kind is not None and self._match(before, kind) for kind in ends
            )
        if self.text(place + 1) != "(":
            return False
        if self.upper(place + 2) == "SELECT":
            return True
        place += 2
        while place < len(self.tokens) and self.text(place) != ")":
            if self.text(place) != ",":
                kind = self._operand(place)
                if kind is None or not self._match(before, kind):
                    return False
            place += 1
        return True

    def _operator(self, place: int, section: str) -> bool:
        """Whether an operator is between values that both engines treat alike."""
        text = self.text(place)
        if text in words.OTHER_OPERATORS:
            if text != ",":
                return True
            after = self.upper(place + 1)  # a comma may trail in DuckDB
            trails = after in words.SECTIONS or self.text(place + 1) in (",", ")", "")
            return section != "from" and not trails
        if text in words.COMPARISONS:
            if section == "set" and text == "=" and self._assigns(place):
                return True
            if section in ("select", "set", "values", "limit", "from"):
                return False
            left, right = self._operand(place - 1), self._after(place + 1)
            return left is not None and right is not None and self._match(left, right)
        if text in words.ARITHMETIC and section != "limit":
            before, after = self.text(place - 1), self.text(place + 1)
            if text == "*" and (
                self.upper(place - 1) in ("SELECT", "ALL", "RETURNING") or before in (",", ".")
            ):
                return section == "select"
            if not self.writes and self._sum(place, section):
                return True
            signs = text == "-" and self.kind_at(place + 1) == "number" and before != ")"
            if not self.writes and (not signs or self._operand(place - 1) in ("9", "?")):
                return False  # what overflows is an error in DuckDB, and a real in SQLite
            fits = before in ("(", ")", ",", "=") or self._operand(place - 1) in ("9", "?")
            fits = fits or (text == "-" and self.upper(place - 1) in ("SELECT", "AND", "THEN"))
            return fits and (after == "(" or self._after(place + 1) in ("9", "?"))
        return False

    def _assigns(self, place: int) -> bool:
        """Whether `=` at `place` is of a SET, and no comparison."""
        return self.upper(place - 2) == "SET" or self.text(place - 2) == ","

    def _name(self, place: int, section: str) -> int | None:
        """Check a name that is no keyword; the place after it, or None."""
        token = self.tokens[place]
        name = token.name.lower()
        following = self.text(place + 1)
        if following == "(" and self.text(place - 1) == "*":
            return None  # * REPLACE (…), which no engine but DuckDB has
        if following == "(" and token.kind == "word":
            if self.upper(place - 1) in ("INTO", "CONFLICT"):
                return place + 1
            if name in self.calls:
                return place + 1 if self._call(place, name) else None
            if section == "from":
                return None
            call = self.bind(self.tokens, place, False)
            if call is None or call.columns is not None:
                return None
            self.functions = True
            self.edits += call.edits
            return call.end
        if following == "." or self.upper(place - 1) == "AS" or section == "from":
            return place + 1 if name in self.aliases or name == "excluded" else None
        column = self.columns.get(name)
        if column is None:
            previous = self.upper(place - 1)
            implicit = section == "select" and previous != "SELECT" and name not in self.aliases
            return place + 1 if implicit and self._implicit_alias(place, name) else None
        special = column.type is not None and column.type not in words.PLAIN_TYPES
        if special and section == "select" and not self.writes and not self._output(place):
            return None
        if special and section in ("where", "values") and self.upper(place + 1) != "IS":
            return None
        return (
            None if special and following in words.COMPARISONS and section != "set" else place + 1
        )

    def _output(self, place: int) -> bool:
        """Whether a column is an output by itself: of an expression SQLite knows no type."""
        if self.dialect == "sqlite":
            return True
        place -= 3 if self.text(place - 1) == "." else 1
        if self.text(place) != ",":
            return self.upper(place) in ("SELECT", "ALL", "DISTINCT")
        depth = 0
        while place >= 0 and depth >= 0:
            if self.upper(place) == "SELECT" and not depth:
                return True
            depth += (self.text(place) == ")") - (self.text(place) == "(")
            place -= 1
        return False

    def _implicit_alias(self, place: int, name: str) -> bool:
        """Take a name after an output for its alias, where nothing else can be meant."""
        if self.text(place + 1) not in ("", ",") and self.upper(place + 1) != "FROM":
            return False
        self.aliases.add(name)
        before = self.tokens[place - 1]
        return is_name(before) or before.kind in ("number", "string", "param") or before.text == ")"

    def _call(self, place: int, name: str) -> bool:
        """Whether a built-in is alike for its argument: length() counts bytes of a BLOB."""
        if self.writes:
            return True
        if name == "length":
            return self._operand(place + 2) == "a"
        return name not in words.MIXING or self._of_one_type(place + 2)

    def _of_one_type(self, place: int) -> bool:
        """Whether the arguments from `place` on are constants and columns of one type."""
        kinds = set()
        while self.text(place) != ")":
            if self.text(place + 1) == ".":
                place += 2
            token = self.tokens[place] if place < len(self.tokens) else None
            if token is None or self.text(place + 1) not in (",", ")"):
                return False
            if token.kind == "number":
                kinds.add("DOUBLE" if set(token.text) & set("eE.") else "BIGINT")
            elif token.kind == "string":
                kinds.add("VARCHAR")
            elif token.upper != "NULL":
                column = self.columns.get(token.name.lower()) if is_name(token) else None
                if column is None or column.type in (None, "MIXED"):
                    return False
                kinds.add(column.type or "")
            place += 1 + (self.text(place + 1) == ",")
        return len(kinds) == 1
