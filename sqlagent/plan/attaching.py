"""ATTACH, DETACH and what lists the attached databases, from tokens alone."""

from __future__ import annotations

from typing import Any

from sqlagent.errors import NotSupportedError, ProgrammingError, hidden, nearest
from sqlagent.parse.clauses import wrong
from sqlagent.parse.lexer import Token, is_name, unquote
from sqlagent.parse.literals import literal
from sqlagent.parse.parameters import Numbering
from sqlagent.plan.plans import Attach, Databases, Detach

KINDS = ("sqlite", "agent", "duckdb", "lance", "postgres", "parquet", "csv", "json")
_PREFIXES = {"sqlite:": "sqlite", "duckdb:": "duckdb", "postgres:": "postgres", "lance:": "lance"}


def attaching(sql: str, tokens: list[Token]) -> Attach | Detach | Databases | None:
    """The plan of a statement about attached databases; None for any other."""
    word = tokens[0].upper
    if word == "ATTACH":
        try:
            return _attach(sql, tokens)
        except ProgrammingError as error:
            error.sql = hidden(sql)
            raise
    if word == "DETACH":
        return _detach(sql, tokens)
    words = [t.upper for t in tokens]
    if words == ["SHOW", "DATABASES"]:
        return Databases()
    if word == "PRAGMA" and [w for w in words[1:] if w] == ["DATABASE_LIST"]:
        return Databases(pragma=True)
    return None


def _attach(sql: str, tokens: list[Token]) -> Attach:
    """`ATTACH [DATABASE] [IF NOT EXISTS] 'path' [AS name] [(TYPE kind, option value, …)]`."""
    at = 1 + (len(tokens) > 1 and tokens[1].upper == "DATABASE")
    exists = [t.upper for t in tokens[at : at + 3]] == ["IF", "NOT", "EXISTS"]
    at += 3 * exists
    if at >= len(tokens) or tokens[at].kind not in ("string", "quoted", "param"):
        raise wrong(sql, tokens, at, "the path of a database, as a string or a parameter")
    place = tokens[at]
    path = slot = name = None
    if place.kind == "param":
        slot = Numbering(sql, tokens).slot(place)
    else:
        path = unquote(place) if place.kind == "string" else place.name
    at += 1
    if at < len(tokens) and tokens[at].upper == "AS":
        if at + 1 >= len(tokens) or not (
            is_name(tokens[at + 1]) or tokens[at + 1].kind == "string"
        ):
            raise wrong(sql, tokens, at + 1, "a name for the database")
        token = tokens[at + 1]
        name = unquote(token) if token.kind == "string" else token.name
        at += 2
    kind: str | None = None
    options: tuple[tuple[str, Any], ...] = ()
    if at < len(tokens) and tokens[at].text == "(":
        kind, options, at = _options(sql, tokens, at + 1)
    if at < len(tokens):
        raise wrong(sql, tokens, at, "the end of the statement")
    if kind is None and path is not None:
        for prefix, meant in _PREFIXES.items():
            if path.startswith(prefix) and not path.startswith("postgres://"):
                kind, path = meant, path[len(prefix) :]
    return Attach(path, slot, name, kind, options, exists, place.start)


def _options(
    sql: str, tokens: list[Token], at: int
) -> tuple[str | None, tuple[tuple[str, Any], ...], int]:
    """The options up to the closing parenthesis: the kind, the others, and the place after it."""
    kind: str | None = None
    options: list[tuple[str, Any]] = []
    while True:
        if at >= len(tokens) or not is_name(tokens[at]):
            raise wrong(sql, tokens, at, "the name of an option")
        value: Any = True
        head, at = tokens[at], at + 1
        if at < len(tokens) and tokens[at].text == "=":
            at += 1
        if at < len(tokens) and tokens[at].text not in (",", ")"):
            token = tokens[at]
            if is_name(token) and token.upper not in ("TRUE", "FALSE", "NULL"):
                value, after = token.name, at + 1
            else:
                value, found = literal(tokens, at)
                if found is None:
                    raise wrong(sql, tokens, at, "a value for the option")
                after = found
            at = after
        if head.upper == "TYPE" and value is True:
            raise wrong(sql, tokens, at, "the type of the database")
        if head.upper == "TYPE":
            kind = _kind(str(value), sql, head)
        else:
            options.append((head.name.lower(), value))
        if at >= len(tokens) or tokens[at].text not in (",", ")"):
            raise wrong(sql, tokens, at, "a comma or a closing parenthesis")
        if tokens[at].text == ")":
            return kind, tuple(options), at + 1
        at += 1


def _kind(word: str, sql: str, token: Token) -> str:
    """The kind of a TYPE option."""
    found = word.lower()
    found = {"sqlite3": "sqlite", "postgresql": "postgres", "ndjson": "json"}.get(found, found)
    if found in KINDS:
        return found
    what = NotSupportedError if found in ("mysql", "ducklake", "quack", "iceberg") else None
    raise (what or ProgrammingError)(
        f'a database of type "{word}" cannot be attached',
        hint=nearest(found, KINDS) or f"The types are {', '.join(KINDS)}.",
        sql=sql, position=token.start,
    )  # fmt: skip


def _detach(sql: str, tokens: list[Token]) -> Detach:
    """`DETACH [DATABASE] [IF EXISTS] name`."""
    at = 1 + (len(tokens) > 2 and tokens[1].upper == "DATABASE")
    exists = [t.upper for t in tokens[at : at + 2]] == ["IF", "EXISTS"] and len(tokens) > at + 2
    at += 2 * exists
    if at >= len(tokens) or not (is_name(tokens[at]) or tokens[at].kind == "string"):
        raise wrong(sql, tokens, at, "the name of an attached database")
    if at + 1 < len(tokens):
        raise wrong(sql, tokens, at + 1, "the end of the statement")
    token = tokens[at]
    name = unquote(token) if token.kind == "string" else token.name
    return Detach(name, exists, token.start)
