"""Definitions that SQLite keeps word for word: tables, indexes, triggers, ALTER, DROP, VACUUM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlagent.errors import NotSupportedError
from sqlagent.parse.clauses import wrong
from sqlagent.parse.lexer import Token, is_name, quote_name
from sqlagent.parse.parameters import edited
from sqlagent.plan.plans import Lite
from sqlagent.types import is_list, is_struct, logical, opaque

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog

_NOW = "(strftime('%Y-%m-%d %H:%M:%f', 'now'))"
_WHY = "definitions are kept in the file, by SQLite"
_REFUSED = {
    "SCHEMA": "the tables of a file are all in schema main",
    "TYPE": "declare the column with the base type and a CHECK",
    "SECRET": None,
}


def refuse_temporary(sql: str, tokens: list[Token]) -> None:
    """Raise NotSupportedError for CREATE TEMP TABLE: it is the writer's, no read would see it."""
    words = [t.upper for t in tokens[:5]]
    if words[0] == "CREATE" and "TABLE" in words and {"TEMP", "TEMPORARY"} & set(words):
        place = words.index("TEMP") if "TEMP" in words else words.index("TEMPORARY")
        if words.index("TABLE") == place + 1:
            raise NotSupportedError(
                "there are no temporary tables here", sql=sql, position=tokens[place].start,
                hint="CREATE TABLE and DROP it, WITH … AS, or CREATE TEMP VIEW",
            )  # fmt: skip


def ddl(sql: str, tokens: list[Token], catalog: Catalog) -> Lite | None:
    """The plan of a definition that needs no rewriting; None for CREATE … AS and anything else."""
    words = [t.upper for t in tokens[:8]]
    verb = words[0]
    if verb in ("CREATE", "ALTER", "DROP") and len(tokens) < 3:
        raise wrong(sql, tokens, len(tokens), "what it is and its name")
    if verb in ("VACUUM", "ANALYZE", "REINDEX"):
        return Lite(sql, writes=True, ddl=verb == "VACUUM", why=_WHY)
    if verb == "TRUNCATE" and is_name(tokens[-1]):
        name = tokens[-1].text
        return Lite(f"DELETE FROM {name}", writes=True, tables=_tables(tokens, catalog), why=_WHY)
    if verb not in ("CREATE", "ALTER", "DROP"):
        return None
    kind = next(
        (w for w in words[1:] if w not in ("OR", "REPLACE", "TEMP", "TEMPORARY", "UNIQUE")), ""
    )
    if kind in _REFUSED:
        raise NotSupportedError(
            f"{verb} {kind} is not here", hint=_REFUSED[kind], sql=sql, position=tokens[0].start
        )
    if verb == "CREATE" and (
        kind == "VIEW" or words[1] == "OR" or (kind == "TABLE" and is_filled(tokens))
    ):
        return None
    text = sql
    if verb == "CREATE" and kind == "TABLE":
        text = edited(sql, defaults(tokens) + _types(sql, tokens))
    return Lite(text, writes=True, tables=_tables(tokens, catalog), ddl=True, why=_WHY)


def is_filled(tokens: list[Token]) -> bool:
    """Whether it is CREATE TABLE name [(columns)] AS: a GENERATED column's AS is deeper."""
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if not depth and token.upper == "AS":
            return True
    return False


def defaults(tokens: list[Token]) -> list[tuple[int, int, str]]:
    """`DEFAULT now()` and `DEFAULT get_current_timestamp()` as an expression that SQLite has."""
    edits = []
    for place, token in enumerate(tokens[:-3]):
        if token.upper != "DEFAULT":
            continue
        call = tokens[place + 1 : place + 4]
        named = call[0].text.lower() in ("now", "get_current_timestamp", "current_timestamp")
        if named and call[1].text == "(" and call[2].text == ")":
            edits.append((call[0].start, call[2].start + 1, _NOW))
        elif call[0].upper == "CURRENT_TIMESTAMP":
            edits.append((call[0].start, call[0].start + 17, _NOW))
    return edits


def _types(sql: str, tokens: list[Token]) -> list[tuple[int, int, str]]:
    """Column types that SQLite would not read, or whose affinity would change what is stored.

    A text in a JSON or UUID column stays the text that it is; a decimal of more than 15 digits
    is kept as text; a structure's type is quoted.
    """
    edits: list[tuple[int, int, str]] = []
    depth = 0
    for place, token in enumerate(tokens[:-1]):
        depth += (token.text == "(") - (token.text == ")")
        if depth != 1 or token.text not in ("(", ",") or not is_name(tokens[place + 1]):
            continue
        first = place + 2
        end = _type_end(tokens, first)
        if end == first:
            continue
        start, stop = tokens[first].start, tokens[end - 1].start + len(tokens[end - 1].text)
        text = sql[start:stop]
        kind = logical(text)
        word = tokens[first].upper
        if word in ("JSON", "UUID") and end == first + 1:
            edits.append((stop, stop, " TEXT"))
        elif kind is not None and kind.startswith("DECIMAL(") and opaque(kind):
            edits.append((start, stop, quote_name(f"{text} TEXT")))
        elif "(" in text and (is_struct(kind) or is_list(kind)):
            edits.append((start, stop, quote_name(text)))
    return edits


def _type_end(tokens: list[Token], place: int) -> int:
    """Where the type that begins at `place` ends: a word, parentheses, brackets."""
    if place >= len(tokens) or tokens[place].kind != "word":
        return place
    place += 1
    while place < len(tokens) and tokens[place].text in ("(", "[", "[]"):
        depth = 0
        while place < len(tokens):
            depth += (tokens[place].text in ("(", "[")) - (tokens[place].text in (")", "]"))
            place += 1
            if not depth:
                break
    return place


def _tables(tokens: list[Token], catalog: Catalog) -> tuple[str, ...]:
    """The tables of the file that a definition names."""
    names = {t.name.lower() for t in tokens if is_name(t)}
    return tuple(sorted(n for n in names if n in catalog.tables))
