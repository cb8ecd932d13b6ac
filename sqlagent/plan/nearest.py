"""`SELECT … FROM vectors WHERE collection = … ORDER BY cosine_similarity(vector, …) DESC LIMIT k`:
the same rows by a search.

The statement stays as it is, but for a condition more: the row is one of those that
nearest_vectors() names, which are all that can be among the first k, and all of the collection
where that cannot be told. What is not exactly of this shape stays a scan.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from sqlagent.parse.lexer import Token, is_name
from sqlagent.parse.parameters import Numbering, edited
from sqlagent.parse.words import names

MEASURES = {"cosine_similarity": ("cosine", "DESC"), "inner_product": ("ip", "DESC"),
            "l2_distance": ("l2", "ASC")}  # fmt: skip
COLUMNS = ("vector_id", "collection", "id", "metadata", "created_at", "vector")
_CALLS = (*MEASURES, "round", "length", "lower", "upper", "abs", "coalesce", "json_extract",
          "json_extract_string", "substr")  # fmt: skip
# Words that make of the SELECT, or of its WHERE, something else than rows that are filtered.
_OTHER = names(
    "SELECT DISTINCT GROUP HAVING UNION EXCEPT INTERSECT WINDOW OVER QUALIFY OFFSET JOIN FETCH "
    "WITH BETWEEN CASE EXISTS SAMPLE TABLESAMPLE FOR LATERAL NULLS COLLATE"
)
VALUES_MAX = 2  # parameters in the other conditions


def nearest_text(sql: str, tokens: list[Token], settings: Mapping[str, Any]) -> str | None:
    """The statement with the condition; None for any other statement."""
    if tokens[0].upper != "SELECT" or settings.get("dialect", "duckdb") != "duckdb":
        return None
    if settings.get("route", "auto") == "duckdb":
        return None
    if not any(t.name.lower() in MEASURES for t in tokens if t.kind == "word"):
        return None
    try:
        return _Shape(sql, tokens).text()
    except (_Odd, IndexError, ValueError):
        return None


class _Odd(Exception):
    """The statement is of another shape."""


class _Shape:
    """The places of the clauses of a statement."""

    def __init__(self, sql: str, tokens: list[Token]) -> None:
        self.sql, self.tokens = sql, tokens
        if any(t.kind == "word" and t.upper in _OTHER for t in tokens[1:]):
            raise _Odd
        self.clauses: dict[str, int] = {}
        depth = 0
        for place, token in enumerate(tokens):
            depth += (token.text in "([{") - (token.text in ")]}")
            if depth == 0 and token.upper in ("FROM", "WHERE", "ORDER", "LIMIT"):
                if token.upper in self.clauses:
                    raise _Odd
                self.clauses[token.upper] = place
        if list(self.clauses) != ["FROM", "WHERE", "ORDER", "LIMIT"]:
            raise _Odd
        self.numbering = Numbering(sql, tokens)
        self.alias: str | None = None
        self.column = tokens[0]  # where `collection` stands, once it is known

    def text(self) -> str:
        tokens = self.tokens
        origin, where, order, limit = self.clauses.values()
        self.alias = self.source(tokens[origin + 1 : where])
        self.calls(tokens[1:origin])
        measure, query, tail = self.order(tokens[order + 2 : limit], tokens[1:origin])
        bound = tokens[limit + 1 :]
        if len(bound) != 1 or bound[0].kind not in ("number", "param"):
            raise _Odd
        collection, rest = self.where(tokens[where + 1 : order])
        self.calls(rest)
        filter, values = self.filter(rest)
        given = [self.shown(collection), self.shown(query), self.shown(bound), f"'{measure}'"]
        given += ["'" + filter.replace("'", "''") + "'" if filter else "NULL", *values]
        column = f"{self.alias}.vector_id" if self.alias else "vector_id"
        near = f"SELECT near.vector_id FROM nearest_vectors({', '.join(given)}) near"
        condition = f"{column} IN ({near}) AND ("
        first, last = tokens[where + 1].start, tokens[order].start
        # Nothing of the collection's index, whose rows would be gone through for those ids.
        whole = _end(self.column)
        edits = [(first, first, condition), (whole, whole, " || ''"), (last, last, ") ")]
        if tail:
            edits.append((tokens[limit].start, tokens[limit].start, tail))
        edits += [
            (t.start, t.start + len(t.text), self.mark(t)) for t in tokens if t.kind == "param"
        ]
        return edited(self.sql[: _end(tokens[-1])], edits)

    def source(self, tokens: list[Token]) -> str | None:
        """The alias of `vectors`, which stands alone."""
        if not tokens or tokens[0].name.lower() != "vectors" or not is_name(tokens[0]):
            raise _Odd
        rest = [t for t in tokens[1:] if t.upper != "AS"]
        if len(rest) > 1 or any(not is_name(t) for t in rest):
            raise _Odd
        return rest[0].name if rest else None

    def calls(self, tokens: list[Token]) -> None:
        """Only functions of a row's own values: an aggregate would be of all rows."""
        for token, after in pairwise(tokens):
            if (
                after.text == "("
                and is_name(token)
                and token.upper not in ("IN", "AND", "OR", "NOT")
            ) and token.name.lower() not in _CALLS:
                raise _Odd

    def plain(self, tokens: list[Token]) -> list[Token]:
        """The tokens without the alias of the table before a column."""
        found: list[Token] = []
        place = 0
        while place < len(tokens):
            token = tokens[place]
            if place + 2 < len(tokens) and tokens[place + 1].text == "." and is_name(token):
                if token.name.lower() not in ((self.alias or "vectors").lower(), "vectors"):
                    raise _Odd
                place += 2
                continue
            found.append(token)
            place += 1
        return found

    def order(self, tokens: list[Token], items: list[Token]) -> tuple[str, list[Token], str]:
        """(metric, the query's tokens, what breaks ties) of ORDER BY."""
        parts = _parts(tokens, ",")
        tail = ""
        if len(parts) == 2:
            tie = [t.name.lower() for t in self.plain(parts[1])]
            if tie not in (["id"], ["id", "asc"]):
                raise _Odd
        elif len(parts) == 1:
            tail = f", {self.alias}.id " if self.alias else ", id "
            if any(t.kind != "op" and t.upper == "AS" and n.name.lower() == "id"
                   for t, n in pairwise(items)):  # fmt: skip
                raise _Odd
        else:
            raise _Odd
        key = parts[0]
        direction = "ASC"
        if key[-1].upper in ("ASC", "DESC"):
            direction, key = key[-1].upper, key[:-1]
        if len(key) == 1 and is_name(key[0]):
            key = self.named(key[0].name.lower(), items)
        name = key[0].name.lower()
        if name not in MEASURES or key[1].text != "(" or key[-1].text != ")":
            raise _Odd
        metric, wanted = MEASURES[name]
        arguments = [self.plain(a) for a in _parts(key[2:-1], ",")]
        if direction != wanted or len(arguments) != 2:
            raise _Odd
        columns = [
            len(a) == 1 and is_name(a[0]) and a[0].name.lower() == "vector" for a in arguments
        ]
        if columns.count(True) != 1:
            raise _Odd
        query = arguments[columns.index(False)]
        if any(t.kind == "word" and t.upper != "FLOAT" for t in query):
            raise _Odd
        return metric, query, tail

    def named(self, name: str, items: list[Token]) -> list[Token]:
        """The expression that a name stands for; a column of the table's comes before it."""
        if name in COLUMNS:
            raise _Odd
        for item in _parts(items, ","):
            if len(item) > 2 and item[-2].upper == "AS" and item[-1].name.lower() == name:
                return item[:-2]
        raise _Odd

    def where(self, tokens: list[Token]) -> tuple[list[Token], list[Token]]:
        """(the collection, the other conditions)."""
        parts = _parts(tokens, "AND")
        if any(t.upper == "OR" for t in _outside(tokens)):
            raise _Odd
        for place, part in enumerate(parts):
            bare = self.plain(part)
            if len(bare) != 3 or bare[1].text not in ("=", "=="):
                continue
            first, last = bare[0], bare[2]
            if is_name(last) and last.name.lower() == "collection":
                first, last = last, first
            if is_name(first) and first.name.lower() == "collection":
                if last.kind not in ("string", "param"):
                    raise _Odd
                self.column = next(t for t in part if t.name.lower() == "collection")
                rest: list[Token] = []
                for other in (*parts[:place], *parts[place + 1 :]):
                    rest += [*([_AND] if rest else []), *other]
                return [last], rest
        raise _Odd

    def filter(self, tokens: list[Token]) -> tuple[str, list[str]]:
        """The other conditions as knn()'s filter; parameters become {0}, {1}, whose values come
        too."""
        values: list[str] = []
        words = []
        for token in self.plain(tokens):
            text = token.text
            if token.kind == "param":
                if self.mark(token) not in values:
                    values.append(self.mark(token))
                text = f"{{{values.index(self.mark(token))}}}"
            elif "{" in text or "}" in text:
                raise _Odd
            words.append(text)
        if len(values) > VALUES_MAX:
            raise _Odd
        return " ".join(words), values

    def mark(self, token: Token) -> str:
        """A parameter under a name that does not depend on its place."""
        slot = self.numbering.slot(token)
        return f"?{slot + 1}" if isinstance(slot, int) else f"${slot}"

    def shown(self, tokens: list[Token]) -> str:
        return " ".join(self.mark(t) if t.kind == "param" else t.text for t in tokens)


_AND = Token("word", "AND", 0)


def _end(token: Token) -> int:
    return token.start + len(token.text)


def _outside(tokens: list[Token]) -> list[Token]:
    """The tokens that no parentheses hold."""
    depth, found = 0, []
    for token in tokens:
        depth += (token.text in "([{") - (token.text in ")]}")
        if depth == 0:
            found.append(token)
    return found


def _parts(tokens: list[Token], separator: str) -> list[list[Token]]:
    """What a word or comma outside of parentheses separates."""
    depth = 0
    parts: list[list[Token]] = [[]]
    for token in tokens:
        depth += (token.text in "([{") - (token.text in ")]}")
        if depth == 0 and separator in (token.upper, token.text):
            parts.append([])
        else:
            parts[-1].append(token)
    if not all(parts):
        raise _Odd
    return parts
