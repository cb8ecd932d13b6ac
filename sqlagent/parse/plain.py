"""Is a statement plain: the same in SQLite, word for word, as in our dialect?

Decided from the tokens, strictly and in one pass: what is not known to be plain is not plain, and
goes through the parser. A plain statement costs some tens of microseconds and imports nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sqlagent.catalog import Catalog, Column
from sqlagent.parse import words
from sqlagent.parse.lexer import Token, is_name

Edit = tuple[int, int, str]


class Plain(NamedTuple):
    """A plain statement: the file's tables in it, and the small edits that make it SQLite's."""

    tables: tuple[str, ...]
    edits: list[Edit]
    functions: bool


class TableCall(NamedTuple):
    """A call that the caller has bound: where it ends, its edits, its columns (None: a scalar)."""

    end: int
    edits: list[Edit]
    columns: tuple[tuple[str, str], ...] | None


Bind = Callable[[list[Token], int, bool], "TableCall | None"]


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


class _Scan:
    """One pass over the tokens; every method says False at the first thing that is not plain."""

    def __init__(
        self, tokens: list[Token], catalog: Catalog, dialect: str, writes: bool, bind: Bind
    ) -> None:
        self.tokens = tokens
        self.catalog = catalog
        self.dialect = dialect
        self.writes = writes
        self.bind = bind
        self.words = words.WRITE_WORDS if writes else words.READ_WORDS
        self.calls = words.WRITE_FUNCTIONS if writes else words.READ_FUNCTIONS
        self.columns: dict[str, Column] = {
            "rowid": Column("rowid", "BIGINT", True), "excluded": Column("", None),
        }  # fmt: skip
        self.tables: list[str] = []
        self.aliases: set[str] = set()
        self.skip: dict[int, int] = {}
        self.edits: list[Edit] = []
        self.functions = False

    def result(self) -> Plain:
        return Plain(tuple(dict.fromkeys(self.tables)), self.edits, self.functions)

    def text(self, place: int) -> str:
        return self.tokens[place].text if 0 <= place < len(self.tokens) else ""

    def upper(self, place: int) -> str:
        return self.tokens[place].upper if 0 <= place < len(self.tokens) else ""

    def sources(self) -> bool:
        """Find every table and its alias, and gather their columns by name."""
        for place, token in enumerate(self.tokens[:-1]):
            if token.kind != "word":
                continue
            word = token.upper
            if word == "AS" and is_name(self.tokens[place + 1]):
                self.aliases.add(self.tokens[place + 1].name.lower())
            if word not in ("FROM", "JOIN", "INTO", "UPDATE"):
                continue
            if word == "UPDATE" and self.upper(place - 1) == "DO":
                continue
            if word == "UPDATE" and self.upper(place + 1) == "OR":
                return False
            end = self._source(place + 1, word in ("FROM", "JOIN"))
            if end is None:
                return False
            if self.upper(end) == "AS":
                end += 1
            if end < len(self.tokens) and is_name(self.tokens[end]):
                alias = self.tokens[end]
                if alias.upper not in self.words:
                    self.aliases.add(alias.name.lower())
        return True

    def _source(self, place: int, reads: bool) -> int | None:
        token = self.tokens[place]
        if not is_name(token):
            return None
        if self.text(place + 1) == "(" and reads:
            call = self.bind(self.tokens, place, True)
            if call is None or call.columns is None:
                return None
            self.functions = True
            self.skip[place] = call.end
            self.edits += call.edits
            self.aliases.add(token.name.lower())
            for name, kind in call.columns:
                self._column(Column(name, kind))
            return call.end
        table = self.catalog.table(token.name)
        if table is None or table.kind == "virtual" or self.text(place + 1) == ".":
            return None
        self.tables.append(token.name.lower())
        self.aliases.add(token.name.lower())
        for column in table.columns:
            key = table.key is not None and table.key.lower() == column.name.lower()
            self._column(column._replace(not_null=True) if key else column)
        return place + 1

    def _column(self, column: Column) -> None:
        """Of two columns with one name and different natures, keep what is the less plain."""
        name = column.name.lower()
        known = self.columns.get(name)
        if known is not None and known.type != column.type:
            column = column._replace(type="MIXED")
        if known is not None and not known.not_null:
            column = column._replace(not_null=False)
        self.columns[name] = column

    def walk(self) -> bool:
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
        if kind == "number":
            return section != "select" or "." not in text  # 2.5 is a decimal in DuckDB
        if kind == "string":
            return text[0] == "'" and section not in ("from", "limit")
        return kind != "param" or section != "from"

    def _keyword(self, place: int, word: str, section: str) -> bool:
        if self.text(place + 1) == "(" and word not in words.OPENERS:
            return False
        if word in words.TRUTH_WORDS and section == "select":
            return False
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
        text = self.text(place)
        if text in words.OTHER_OPERATORS:
            return text != "," or (section != "from" and self.text(place + 1) != ",")
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
            fits = before in ("(", ")", ",", "=") or self._operand(place - 1) in ("9", "?")
            fits = fits or (text == "-" and self.upper(place - 1) in ("SELECT", "AND", "THEN"))
            return fits and (after == "(" or self._after(place + 1) in ("9", "?"))
        return False

    def _assigns(self, place: int) -> bool:
        return self.upper(place - 2) == "SET" or self.text(place - 2) == ","

    def _name(self, place: int, section: str) -> int | None:
        """Check a name that is no keyword; the place after it, or None."""
        token = self.tokens[place]
        name = token.name.lower()
        following = self.text(place + 1)
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
        if special and section in ("where", "values") and self.upper(place + 1) != "IS":
            return None
        return (
            None if special and following in words.COMPARISONS and section != "set" else place + 1
        )

    def _implicit_alias(self, place: int, name: str) -> bool:
        self.aliases.add(name)
        before = self.tokens[place - 1]
        return is_name(before) or before.kind in ("number", "string", "param") or before.text == ")"

    def _call(self, place: int, name: str) -> bool:
        if name == "length" and not self.writes:
            return self._operand(place + 2) == "a"
        return True

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
        return any(
            t.upper == "AS" and self.tokens[i + 1].name.lower() == name
            for i, t in enumerate(self.tokens[:-1])
        )

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
        kind = self._kind_of(self.tokens[place]) if place >= 0 else "x"
        return None if kind == "x" else kind

    def _after(self, place: int) -> str | None:
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
