"""The text of a CREATE TABLE, in parts that can be changed: columns, their clauses, constraints.

Everything that is not changed stays as it was written.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

from sqlagent.errors import ProgrammingError
from sqlagent.parse.lexer import Token, is_name, lex, quote_name

_CONSTRAINTS = ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN")
_CLAUSES = ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "DEFAULT", "COLLATE", "REFERENCES",
            "GENERATED", "AS", "NOT", "NULL")  # fmt: skip


class Clause(NamedTuple):
    """A constraint of a column, or of the table: from `start` to before `end` in its element.

    `kind` is PRIMARY, UNIQUE, CHECK, DEFAULT, COLLATE, REFERENCES, FOREIGN, GENERATED, NOT NULL or
    NULL; `name` is given by CONSTRAINT; `columns` are those that it is of; `text` its own.
    """

    kind: str
    name: str
    start: int
    end: int
    columns: tuple[str, ...]
    text: str


class TableText:
    """A CREATE TABLE statement: `elements` are the texts between the commas."""

    def __init__(self, sql: str) -> None:
        tokens = lex(sql)
        place = next((i for i, t in enumerate(tokens) if t.text == "("), None)
        if place is None:
            raise ProgrammingError("the definition of the table has no columns", sql=sql)
        parts, end = _split(tokens, place)
        self.head = sql[: tokens[place].start + 1]
        self.tail = sql[tokens[end].start :]
        self.elements = [sql[a.start : b.start + len(b.text)] for a, b in parts]

    @property
    def sql(self) -> str:
        """The statement as it is now."""
        return self.head + ", ".join(self.elements) + self.tail

    @property
    def without_rowid(self) -> bool:
        """Whether it says WITHOUT ROWID."""
        return "WITHOUT" in [t.upper for t in lex(self.tail)]

    def column(self, name: str) -> int:
        """The place of a column's element; -1 where there is none."""
        for place, text in enumerate(self.elements):
            first = lex(text)[0]
            if _is_column(first) and first.name.lower() == name.lower():
                return place
        return -1

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return [lex(e)[0].name for e in self.elements if _is_column(lex(e)[0])]

    def clauses(self, place: int) -> list[Clause]:
        """The clauses of an element, in their order."""
        text = self.elements[place]
        tokens = lex(text)
        first = tokens[0]
        if not _is_column(first):
            return [_constraint(text, tokens)]
        starts = _starts(tokens)
        found = []
        for at, until in itertools.pairwise([*starts, len(tokens)]):
            found.append(_clause(text, tokens[at:until], (first.name,)))
        return found

    def constraints(self) -> list[tuple[int, Clause]]:
        """All clauses, with the places of their elements."""
        return [(p, c) for p in range(len(self.elements)) for c in self.clauses(p)]

    # Changes ------------------------------------------------------------------------------------

    def remove(self, place: int, clause: Clause) -> None:
        """Take a clause out; an element that is nothing else goes as a whole."""
        text = self.elements[place]
        rest = (text[: clause.start].rstrip() + " " + text[clause.end :].lstrip()).strip()
        if rest:
            self.elements[place] = rest
        else:
            del self.elements[place]

    def add(self, place: int, clause: str) -> None:
        """Add a clause to a column."""
        self.elements[place] = f"{self.elements[place].rstrip()} {clause}"

    def rename(self, place: int, clause: Clause, name: str) -> None:
        """Give a clause another name."""
        text = self.elements[place]
        tokens = lex(text[clause.start : clause.end])
        start = tokens[2].start if clause.name else 0
        said = text[clause.start : clause.end][start:]
        self.elements[place] = (
            f"{text[: clause.start]}CONSTRAINT {quote_name(name)} {said}{text[clause.end :]}"
        )

    def retype(self, place: int, kind: str) -> None:
        """Declare a column with another type."""
        text = self.elements[place]
        tokens = lex(text)
        starts = _starts(tokens)
        end = tokens[starts[0]].start if starts else len(text)
        name = text[: tokens[0].start + len(tokens[0].text)]
        self.elements[place] = f"{name} {kind} {text[end:]}".strip()


def _is_column(first: Token) -> bool:
    """Whether an element that begins so is a column."""
    return is_name(first) and (first.kind == "quoted" or first.upper not in _CONSTRAINTS)


def declared(text: str) -> str:
    """The type of a column by its element."""
    tokens = lex(text)
    starts = _starts(tokens)
    if len(tokens) < 2 or (starts and starts[0] == 1):
        return ""
    last = tokens[(starts[0] if starts else len(tokens)) - 1]
    return text[tokens[1].start : last.start + len(last.text)]


def _split(tokens: list[Token], place: int) -> tuple[list[tuple[Token, Token]], int]:
    """The first and last token of each part of a parenthesis, and where it is closed."""
    depth, first, parts = 0, place + 1, []
    for at in range(place, len(tokens)):
        depth += (tokens[at].text in "([") - (tokens[at].text in ")]")
        if (tokens[at].text == "," and depth == 1) or not depth:
            parts.append((tokens[first], tokens[at - 1]))
            first = at + 1
        if not depth:
            return parts, at
    raise ProgrammingError("the definition of the table does not end")


def _starts(tokens: list[Token]) -> list[int]:
    """Where the clauses of a column begin."""
    found: list[int] = []
    depth = 0
    named = False
    for place, token in enumerate(tokens):
        before = tokens[place - 1].upper if place else ""
        after = tokens[place + 1].upper if place + 1 < len(tokens) else ""
        depth += token.text == "("
        if not depth and place and token.kind == "word" and token.upper in _CLAUSES:
            word = token.upper
            part = (
                before in ("SET", "DEFAULT", "COLLATE", "CONSTRAINT", "REFERENCES")
                or (word == "NULL" and before == "NOT")
                or (word == "NOT" and after != "NULL")
                or (word == "AS" and before in ("ALWAYS", "BY", "DEFAULT"))
            )
            if not part:
                if not named:
                    found.append(place)
                named = word == "CONSTRAINT"
        depth -= token.text == ")"
    return found


def _clause(text: str, tokens: list[Token], columns: tuple[str, ...]) -> Clause:
    name, at = "", 0
    if tokens[0].upper == "CONSTRAINT" and len(tokens) > 2:
        name, at = tokens[1].name, 2
    kind = tokens[at].upper
    kind = {"NOT": "NOT NULL", "AS": "GENERATED"}.get(kind, kind)
    start, end = tokens[0].start, tokens[-1].start + len(tokens[-1].text)
    return Clause(kind, name, start, end, columns, text[tokens[at].start : end])


def _constraint(text: str, tokens: list[Token]) -> Clause:
    made = _clause(text, tokens, ())
    place = next((i for i, t in enumerate(tokens) if t.text == "("), None)
    columns: tuple[str, ...] = ()
    if place is not None and made.kind in ("PRIMARY", "UNIQUE", "FOREIGN"):
        columns = tuple(first.name for first, _ in _split(tokens, place)[0])
    return made._replace(columns=columns)


def known_as(table: str, text: TableText) -> list[tuple[str, int, Clause]]:
    """The constraints of a table under the names that PostgreSQL gives them, where they have none
    of their own, with the places of their elements."""
    found: list[tuple[str, int, Clause]] = []
    used: set[str] = set()
    columns = text.columns
    for place, clause in text.constraints():
        if clause.kind not in ("PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "FOREIGN"):
            continue
        name = clause.name or _given(table, clause, columns)
        base, number = name, 0
        while name.lower() in used:
            number += 1
            name = f"{base}{number}"
        used.add(name.lower())
        found.append((name, place, clause))
    return found


def _given(table: str, clause: Clause, columns: list[str]) -> str:
    if clause.kind == "PRIMARY":
        return f"{table}_pkey"
    if clause.kind == "UNIQUE":
        return "_".join([table, *clause.columns, "key"])
    if clause.kind in ("REFERENCES", "FOREIGN"):
        return "_".join([table, *clause.columns, "fkey"])
    said = {t.name.lower() for t in lex(clause.text) if is_name(t)}
    about = [c.lower() for c in columns if c.lower() in said]
    return "_".join([table, *about, "check"] if len(about) == 1 else [table, "check"])
