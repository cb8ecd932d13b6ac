"""Names that are qualified by the database or the schema public, and those of temporary tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlagent.intervals import parts_of
from sqlagent.parse.lexer import Token, is_name, quote, quote_name, unquote

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog

# Functions that sqlglot would read, and lose the format of: `rewrite.postgres` knows them as pg_….
SPELLED = frozenset((
    "to_char", "to_timestamp", "to_date", "format", "encode", "decode", "initcap",
))  # fmt: skip
# Names to PostgreSQL, keywords to SQLite; they begin no clause within a query.
KEYWORDS = frozenset(("INDEX", "ADD", "ALTER", "COMMIT", "DROP", "TRANSACTION", "AUTOINCREMENT"))
_QUERIES = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "VALUES")
_PUBLIC = ("public", "pg_temp")


def edits(tokens: list[Token], catalog: Catalog) -> list[tuple[int, int, str]]:
    """Edits that leave only the name of `public.t` and `agent.public.t`, and give temporary tables
    the name that they have in the file."""
    found: list[tuple[int, int, str]] = []
    query = tokens[0].upper in _QUERIES
    depth = place = 0
    while place < len(tokens):
        depth += (tokens[place].text == "(") - (tokens[place].text == ")")
        if tokens[place].upper in KEYWORDS and (query or (depth and tokens[0].upper == "CREATE")):
            word = tokens[place]
            found.append((word.start, word.start + len(word.text), quote_name(word.text.lower())))
            place += 1
            continue
        if [t.upper for t in tokens[place : place + 3]] == ["FOR", "READ", "ONLY"]:
            last = tokens[place + 2]  # what every query is that locks nothing
            found.append((tokens[place].start, last.start + len(last.text), ""))
        if _only(tokens, place):
            found.append((tokens[place].start, tokens[place + 1].start, ""))
            place += 1
        said = _interval(tokens, place)
        if said is not None:
            text = tokens[place + 1]
            found.append((text.start, text.start + len(text.text), quote(said)))
        took = _qualified(tokens, place, catalog)
        if took:
            found.append((tokens[place].start, tokens[place + took].start, ""))
            place += took
        token = tokens[place]
        called = place + 1 < len(tokens) and tokens[place + 1].text == "("
        if called and token.kind == "word" and token.name.lower() in SPELLED:
            found.append((token.start, token.start, "pg_"))
        real = _temporary(tokens, place, catalog)
        if real is not None:
            token = tokens[place]
            found.append((token.start, token.start + len(token.text), real))
        place += 1
    return found


_UNITS = frozenset(("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND", "WEEK", "QUARTER"))


def _interval(tokens: list[Token], place: int) -> str | None:
    """The text of INTERVAL '…' in parts that each engine reads: a clock, ISO 8601 and `ago` are
    PostgreSQL's alone. None where it is so already."""
    if tokens[place].upper != "INTERVAL" or place + 1 >= len(tokens):
        return None
    text = tokens[place + 1]
    if text.kind != "string" or (place + 2 < len(tokens) and tokens[place + 2].upper in _UNITS):
        return None
    said = unquote(text)
    if _SIMPLE.fullmatch(said):
        return None
    months, days, micros = parts_of(said)
    parts = [(months, "months"), (days, "days"), (micros, "microseconds")]
    made = " ".join(f"{n} {unit}" for n, unit in parts if n) or "0 days"
    return None if made == said else made


_SIMPLE = re.compile(r"\s*-?\d+\s*[a-z]+\s*", re.I)


def _only(tokens: list[Token], place: int) -> bool:
    """Whether a token is the ONLY before a table: no table here has descendants."""
    if tokens[place].upper != "ONLY" or not 0 < place < len(tokens) - 1:
        return False
    following = tokens[place + 1]
    before = tokens[place - 1].upper
    return (
        before in ("FROM", "UPDATE", "JOIN", "TABLE", "USING")
        and (is_name(following) or following.text == "(")
        and following.upper not in ("WHERE", "SET", "AS", "JOIN", "ORDER", "GROUP", "LIMIT")
    )


def _qualified(tokens: list[Token], place: int, catalog: Catalog) -> int:
    """How many tokens before a name say where it is: the schema, or the database too."""
    if not is_name(tokens[place]) or (place and tokens[place - 1].text == "."):
        return 0
    texts = [t.text for t in tokens[place : place + 5]]
    name = tokens[place].name.lower()
    if texts[1:2] != ["."] or len(texts) < 3 or not is_name(tokens[place + 2]):
        return 0
    if name in _PUBLIC and name not in catalog.sources and catalog.tables.get(name) is None:
        return 2
    second = tokens[place + 2].name.lower()
    if texts[3:4] == ["."] and len(texts) == 5 and second in _PUBLIC:
        return 4 if name not in catalog.sources and is_name(tokens[place + 4]) else 0
    return 0


def _temporary(tokens: list[Token], place: int, catalog: Catalog) -> str | None:
    """The name in the file of the temporary table that a token names."""
    if place >= len(tokens) or not catalog.temporary or not is_name(tokens[place]):
        return None
    real = catalog.temporary.get(tokens[place].name.lower())
    if real is None or tokens[place].name == real:
        return None
    before = tokens[place - 1].text if place else ""
    after = tokens[place + 1].text if place + 1 < len(tokens) else ""
    if before == "." or (
        tokens[place].kind == "word" and after == "(" and not _into(tokens, place)
    ):
        return None
    column = before.upper() in ("SELECT", ",", "SET", "BY") and after != "." and not _from(
        tokens, place
    )  # fmt: skip
    return None if column else quote_name(real)


def _into(tokens: list[Token], place: int) -> bool:
    return place > 0 and tokens[place - 1].upper in ("INTO", "TABLE", "COPY", "EXISTS")


def _from(tokens: list[Token], place: int) -> bool:
    """Whether a name after a comma is one of a FROM's."""
    depth = 0
    for at in range(place - 1, -1, -1):
        depth += (tokens[at].text == ")") - (tokens[at].text == "(")
        word = tokens[at].upper
        if depth < 0 or (not depth and word in ("SELECT", "SET", "BY", "WHERE", "ON")):
            return False
        if not depth and word in ("FROM", "TABLE", "TRUNCATE", "DROP", "INTO"):
            return True
    return False
