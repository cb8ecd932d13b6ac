"""What a plain statement may speak of: its tables, their columns and aliases, found from tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sqlagent.catalog import Catalog, Column
from sqlagent.parse import words
from sqlagent.parse.lexer import Token, is_name
from sqlagent.types import opaque

Edit = tuple[int, int, str]


class TableCall(NamedTuple):
    """A call that the caller has bound: where it ends, its edits, its columns (None: a scalar)."""

    end: int
    edits: list[Edit]
    columns: tuple[tuple[str, str], ...] | None


Bind = Callable[[list[Token], int, bool], "TableCall | None"]


class Scope:
    """The tokens of a statement, and the names that its sources bring."""

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
        self.checked = False  # SQLite stops at a row that it cannot say as DuckDB does

    def text(self, place: int) -> str:
        """The token at `place` as text; empty past either end."""
        return self.tokens[place].text if 0 <= place < len(self.tokens) else ""

    def upper(self, place: int) -> str:
        """The word at `place` in upper case; empty for anything else."""
        return self.tokens[place].upper if 0 <= place < len(self.tokens) else ""

    def kind_at(self, place: int) -> str:
        """The kind of the token at `place`; empty past either end."""
        return self.tokens[place].kind if 0 <= place < len(self.tokens) else ""

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
                if alias.upper in words.CLAUSES:
                    return False
                if alias.upper not in self.words:
                    self.aliases.add(alias.name.lower())
        return True

    def _source(self, place: int, reads: bool) -> int | None:
        """Take in the table or table function at `place`; where it ends, or None."""
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
        if table is None or table.kind not in ("table", "view") or self.text(place + 1) == ".":
            return None
        self.tables.append(token.name.lower())
        self.aliases.add(token.name.lower())
        if self.writes and not reads and any(opaque(c.type) for c in table.columns):
            return None  # what is written must be brought into the column's form
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
