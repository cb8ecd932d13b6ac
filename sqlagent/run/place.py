"""An error in the user's own words: where in his text it is, and what he may have meant.

An engine speaks of the text that it was sent; what it says of names is looked up in the statement
as it was typed, and in the catalog.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlagent.errors import Error, ProgrammingError, nearest
from sqlagent.parse.lexer import Token, is_name, lex
from sqlagent.parse.words import names

if TYPE_CHECKING:
    from sqlagent.connection import Connection

STATEMENTS = names(
    "select insert update delete create drop alter with from values pivot unpivot set reset show "
    "pragma begin commit rollback savepoint release explain describe summarize copy call vacuum "
    "analyze truncate replace attach detach table reindex"
)
KEYWORDS = STATEMENTS | names(
    "where group order having limit offset join inner left right full outer cross on using as "
    "distinct union intersect except all and or not null is in between like ilike case when then "
    "else end by asc desc nulls first last qualify window over partition rows range into values "
    "returning conflict do nothing default exists cast filter within recursive lateral asof semi "
    "anti exclude tablesample primary key unique check references index view trigger table"
)
CLAUSES = names("from where group order having limit union join on")
TYPES = names(
    "bigint integer smallint tinyint hugeint double float real decimal numeric varchar text char "
    "boolean date time timestamp timestamptz interval json blob uuid list struct map"
)
_UNKNOWN = re.compile(
    r'^(?:unknown (?P<what>column|table|function) "(?P<name>.+?)"|'
    r'(?:function|table) "(?P<gone>.+?)" does not exist)'
    r'|^referenced (?:column|table) "(?P<found>.+?)" not found'
    r'|has no column "(?P<lacks>.+?)"'
)


def placed(error: Error, sql: str, connection: Connection) -> None:
    """Give `error` the user's text, the place in it, and a hint where a name is nearly another."""
    if not isinstance(error, ProgrammingError):
        if error.sql is None:
            error.sql, error.position = sql, None
        return
    if error.sql != sql:
        error.sql, error.position = sql, None
    try:
        tokens = lex(sql)
    except ProgrammingError:
        return
    if tokens and "syntax error" in error.message:
        if error.message.endswith("end of input"):
            _early(error, sql, tokens)
        else:
            _syntax(error, sql, tokens, _taken(connection))
    elif error.message == "incomplete input":
        _early(error, sql, tokens)
    elif (found := _UNKNOWN.search(error.message)) is not None:
        _name(error, found, tokens, connection)
    elif (kind := re.match(r"type with name (\S+) does not exist", error.message)) is not None:
        error.message = f'unknown type "{kind[1]}"'
        error.hint = _like(kind[1], TYPES)
        error.position = _place(tokens, kind[1]) if error.position is None else error.position


def _name(error: Error, found: re.Match[str], tokens: list[Token], connection: Connection) -> None:
    """A name that nothing has."""
    name = (found["name"] or found["gone"] or found["found"] or found["lacks"]).strip('"')
    last = name.rsplit(".", 1)[-1]
    here = _place(tokens, last)
    if here is not None and (error.position is None or not _at(tokens, error.position, last)):
        error.position = here
    if error.hint is not None and not error.hint.startswith("Candidate"):
        return
    candidates = re.findall(r'"([^"]+)"', error.hint or "")
    catalog = connection.database.known_catalog
    if catalog is not None and connection.gate is not None:
        catalog = connection.gate.rights.catalog(catalog)
    tables = catalog.tables if catalog is not None else {}
    if candidates:
        known: Iterable[str] = [c.rsplit(".", 1)[-1] for c in candidates]
    elif found["what"] == "table":
        known = tables
    elif "function" in error.message:
        from sqlagent.functions import functions
        from sqlagent.plan.alike_names import READ_CALLS, WRITE_CALLS

        known = [n.removeprefix("sq_") for n in {*functions(), *READ_CALLS, *WRITE_CALLS}]
    else:
        used = [tables[t.name.lower()] for t in tokens if is_name(t) and t.name.lower() in tables]
        known = [c.name for table in used for c in table.columns]
    error.hint = nearest(last, [k.lower() for k in known]) or error.hint


def _place(tokens: list[Token], name: str) -> int | None:
    """Where a name stands."""
    lowered = name.lower()
    return next((t.start for t in tokens if is_name(t) and t.name.lower() == lowered), None)


def _at(tokens: list[Token], position: int, name: str) -> bool:
    """Whether the name stands at, or a qualified one around, a position."""
    return any(
        t.start <= position <= t.start + len(t.text) and t.name.lower() == name.lower()
        for t in tokens
    )


def _taken(connection: Connection) -> set[str]:
    """The names of tables and columns, which are no misspelt keywords."""
    catalog = connection.database.known_catalog
    tables = catalog.tables.values() if catalog is not None else ()
    return {t.name.lower() for t in tables} | {c.name.lower() for t in tables for c in t.columns}


def _syntax(error: Error, sql: str, tokens: list[Token], taken: set[str]) -> None:
    """A syntax error: the bracket that stays open, or the keyword that is nearly one."""
    near = re.match(r'near "(.*)": syntax error', error.message, re.S)
    if near is not None:
        error.message = f'syntax error at or near "{near[1]}"'
    open_at = _open(tokens)
    if open_at is not None and _ends(error, sql):
        error.message, error.position = f'"{sql[open_at]}" is not closed', open_at
        return
    position = len(sql) if error.position is None else error.position
    before = [t for t in tokens if t.start <= position]
    first = tokens[0]
    if first.kind == "word" and first.text.lower() not in STATEMENTS:
        hint = _like(first.text, STATEMENTS)
        if hint is not None:
            error.message = f'syntax error at or near "{first.text}"'
            error.position, error.hint = first.start, hint
            return
    for token in reversed(before[-3:]):
        if token.kind == "word" and token.text.lower() not in KEYWORDS | taken:
            hint = _like(token.text, KEYWORDS)
            if hint is not None:
                error.message = f'syntax error at or near "{token.text}"'
                error.position, error.hint = token.start, hint
                return


def _like(word: str, known: Iterable[str]) -> str | None:
    """A hint with the keyword that a word nearly is; letters swapped count as near."""
    swapped = next((k for k in known if len(word) > 3 and sorted(k) == sorted(word.lower())), None)
    if swapped is None:
        import difflib

        near = difflib.get_close_matches(word.lower(), sorted(known), n=1, cutoff=0.76)
        swapped = near[0] if near else None
    return f'Did you mean "{swapped.upper()}"?' if swapped else None


def _early(error: Error, sql: str, tokens: list[Token]) -> None:
    """The statement ends where more should come."""
    open_at = _open(tokens)
    if open_at is not None:
        error.message, error.position = f'"{sql[open_at]}" is not closed', open_at
        return
    last = tokens[-1]
    error.message = "the statement ends too early"
    error.position = last.start + len(last.text)


def _ends(error: Error, sql: str) -> bool:
    """Whether an error stands at the last word of the statement, or where a clause begins."""
    if error.position is None:
        return True
    rest = sql[error.position :].split(None, 1)
    return len(rest) <= 1 or rest[0].lower() in CLAUSES


def _open(tokens: list[Token]) -> int | None:
    """The last bracket that is never closed."""
    opened: list[int] = []
    for token in tokens:
        if token.text in ("(", "[", "{"):
            opened.append(token.start)
        elif token.text in (")", "]", "}") and opened:
            opened.pop()
    return opened[-1] if opened else None
