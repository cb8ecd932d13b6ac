"""PostgreSQL's text, token by token, as sqlglot can read it: schemas, types and collations."""

from __future__ import annotations

from sqlagent.parse.lexer import Token, is_name, lex, quote, quote_name, unquote
from sqlagent.parse.parameters import edited
from sqlagent.serve.pg.catalog.asked import REG_TYPES

# Types that only PostgreSQL has: named so that sqlglot takes them for a user's own.
TYPE = "pgt_"
_TYPES = REG_TYPES | frozenset((
    "oid", "name", "int2vector", "oidvector", "xid", "cid", "tid", "aclitem", "cstring",
    "pg_node_tree", "anyarray", "xid8", "pg_lsn", "sql_identifier", "cardinal_number",
    "character_data", "yes_or_no", "time_stamp",
))  # fmt: skip


def spelled(sql: str, tokens: list[Token], database: str) -> str:
    """The text with edits that keep its meaning."""
    edits: list[tuple[int, int, str]] = []
    place = 0
    while place < len(tokens):
        place += _edit(tokens, place, database, edits)
    return edited(sql, edits)


def _edit(tokens: list[Token], place: int, database: str, edits: list[tuple[int, int, str]]) -> int:
    """Add what becomes of the token at `place`; returns how many tokens that took."""
    token = tokens[place]
    end = token.start + len(token.text)
    texts = [t.text for t in tokens[place : place + 8]] + [""] * 8
    names = [t.name.lower() if is_name(t) else "" for t in tokens[place : place + 8]] + [""] * 8
    if token.kind == "string" and token.text[0] != "'":
        edits.append((token.start, end, quote(unquote(token))))
        return 1
    if names[0] == "operator" and texts[1] == "(":
        return _operator(tokens, place, edits)
    if names[0] == "collate" and names[1]:
        took = 4 if texts[2] == "." and names[3] else 2
        last = tokens[place + took - 1]
        edits.append((token.start, last.start + len(last.text), " "))
        return took
    if names[0] == database.lower() and texts[1] == "." and texts[3] == "." and names[2] and (
        names[2] in ("pg_catalog", "information_schema", "public")
    ):  # fmt: skip
        edits.append((token.start, tokens[place + 1].start + 1, ""))
        return 2
    if names[0] == "pg_catalog" and texts[1] == "." and names[2]:
        edits.append((token.start, tokens[place + 1].start + 1, ""))
        return 2
    if names[0] == "information_schema" and texts[1] == "." and names[2]:
        return _information(tokens, place, texts, names, edits)
    before = tokens[place - 1] if place else None
    cast = before is not None and (before.text == "::" or before.upper == "AS")
    cast = cast or (
        before is not None and before.text == "." and place > 2
        and tokens[place - 2].name.lower() in ("pg_catalog", "information_schema")
        and (tokens[place - 3].text == "::" or tokens[place - 3].upper == "AS")
    )  # fmt: skip
    if cast and token.text == '"char"':
        edits.append((token.start, end, f"{TYPE}char"))
    elif cast and names[0] in _TYPES and _typed(tokens, place, before):
        edits.append((token.start, end, TYPE + names[0]))
    elif token.kind == "word" and names[0] in REG_TYPES and _string_at(tokens, place + 1):
        last = tokens[place + 1]  # regclass 'users'
        text = f"CAST({last.text} AS {TYPE}{names[0]})"
        edits.append((token.start, last.start + len(last.text), text))
        return 2
    return 1


def _string_at(tokens: list[Token], place: int) -> bool:
    return place < len(tokens) and tokens[place].kind == "string"


def _typed(tokens: list[Token], place: int, before: Token | None) -> bool:
    """Whether the name after AS is a type's: in CAST(… AS oid), not in `SELECT x AS oid`."""
    if before is not None and before.text in ("::", "."):
        return before.text == "::" or tokens[place - 3].text == "::" or _typed(
            tokens, place - 2, tokens[place - 3]
        )  # fmt: skip
    depth = 0
    for at in range(place - 1, -1, -1):
        depth += (tokens[at].text == ")") - (tokens[at].text == "(")
        if depth < 0:
            return at > 0 and tokens[at - 1].upper == "CAST"
    return False


def _operator(tokens: list[Token], place: int, edits: list[tuple[int, int, str]]) -> int:
    """OPERATOR(pg_catalog.~) is ~."""
    at, sign = place + 2, ""
    while at < len(tokens) and tokens[at].text != ")":
        if not is_name(tokens[at]) and tokens[at].text != ".":
            sign += tokens[at].text
        at += 1
    end = tokens[min(at, len(tokens) - 1)]
    edits.append((tokens[place].start, end.start + 1, f" {sign} "))
    return at - place + 1


def _information(
    tokens: list[Token], place: int, texts: list[str], names: list[str],
    edits: list[tuple[int, int, str]],
) -> int:  # fmt: skip
    """A relation of information_schema has its schema in its name; its functions have none."""
    token, name = tokens[place], tokens[place + 2]
    after = name.start + len(name.text)
    before = tokens[place - 1] if place else None
    if texts[3] == "(":
        edits.append((token.start, name.start, ""))
        return 2
    if before is not None and before.text == "::":
        edits.append((token.start, after, TYPE + names[2]))
        return 3
    stored = quote_name(f"information_schema.{names[2]}")
    if texts[3] == ".":  # a column: of the relation, or of its only name here
        edits.append((token.start, after, names[2]))
        return 3
    following = tokens[place + 3] if place + 3 < len(tokens) else None
    aliased = following is not None and (
        following.upper == "AS" or (is_name(following) and following.upper not in _AFTER)
    )
    edits.append((token.start, after, stored + ("" if aliased else f" AS {quote_name(names[2])}")))
    return 3


_AFTER = frozenset((
    "WHERE", "JOIN", "LEFT", "RIGHT", "FULL", "INNER", "CROSS", "NATURAL", "ON", "USING", "GROUP",
    "ORDER", "HAVING", "LIMIT", "OFFSET", "FETCH", "UNION", "EXCEPT", "INTERSECT", "WINDOW", "FOR",
    "TABLESAMPLE",
))  # fmt: skip


def read(sql: str, database: str) -> str:
    """The whole text, spelled."""
    tokens = lex(sql)
    return spelled(sql, tokens, database)
