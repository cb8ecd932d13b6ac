"""Command tags: the words of CommandComplete, as PostgreSQL says them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from sqlagent.parse.lexer import Token

_COUNTED = ("SELECT", "UPDATE", "DELETE", "MERGE", "FETCH", "MOVE", "COPY")
_OBJECTS = (
    "MATERIALIZED VIEW", "FOREIGN TABLE", "EVENT TRIGGER", "TABLE", "VIEW", "INDEX", "SEQUENCE",
    "SCHEMA", "FUNCTION", "PROCEDURE", "MACRO", "TRIGGER", "TYPE", "DOMAIN", "EXTENSION", "ROLE",
    "USER", "DATABASE", "RULE", "POLICY", "AGGREGATE", "OPERATOR", "COLLATION",
)  # fmt: skip
_BETWEEN = frozenset(("OR", "REPLACE", "TEMP", "TEMPORARY", "UNIQUE", "UNLOGGED", "GLOBAL", "LOCAL",
                      "RECURSIVE", "VIRTUAL", "VECTOR", "PROPERTY"))  # fmt: skip
_SAID = {
    "BEGIN": "BEGIN", "START": "START TRANSACTION", "COMMIT": "COMMIT", "END": "COMMIT",
    "ROLLBACK": "ROLLBACK", "ABORT": "ROLLBACK", "DECLARE": "DECLARE CURSOR",
    "CLOSE": "CLOSE CURSOR", "LOCK": "LOCK TABLE", "TRUNCATE": "TRUNCATE TABLE",
    "REPLACE": "INSERT", "FROM": "SELECT", "VALUES": "SELECT", "TABLE": "SELECT",
    "DESCRIBE": "SELECT", "DESC": "SELECT", "SUMMARIZE": "SELECT", "PRAGMA": "SELECT",
    "PIVOT": "SELECT", "UNPIVOT": "SELECT", "PLAN": "SELECT", "(": "SELECT",
    "ANALYSE": "ANALYZE", "MOVE": "MOVE", "REFRESH": "REFRESH MATERIALIZED VIEW",
}  # fmt: skip


def tag_of(tokens: Sequence[Token]) -> str:
    """The words of a statement's tag, without its count.

    >>> from sqlagent.parse.lexer import lex
    >>> [tag_of(lex(s)) for s in ("CREATE UNIQUE INDEX i ON t (a)", "WITH x AS (x) DELETE FROM t")]
    ['CREATE INDEX', 'DELETE']
    """
    first = tokens[0].upper or tokens[0].text
    if first == "WITH":
        first = _main(tokens)
    if first in ("CREATE", "DROP", "ALTER", "COMMENT"):
        return _defining(first, tokens)
    if first == "DISCARD" and len(tokens) > 1:
        return f"DISCARD {tokens[1].upper}"
    if first == "DEALLOCATE":
        return "DEALLOCATE ALL" if tokens[-1].upper == "ALL" else "DEALLOCATE"
    if first == "SET" and len(tokens) > 1 and tokens[1].upper == "CONSTRAINTS":
        return "SET CONSTRAINTS"
    if first == "CLOSE" and tokens[-1].upper == "ALL":
        return "CLOSE CURSOR ALL"
    if first == "SELECT" and _into(tokens):
        return "SELECT"
    return _SAID.get(first, first)


def _main(tokens: Sequence[Token]) -> str:
    """The verb of a statement after its WITH."""
    depth = 0
    for token in tokens[1:]:
        depth += (token.text == "(") - (token.text == ")")
        if not depth and token.upper in ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES"):
            return token.upper
    return "SELECT"


def _into(tokens: Sequence[Token]) -> bool:
    return any(t.upper == "INTO" for t in tokens)


def _defining(verb: str, tokens: Sequence[Token]) -> str:
    if verb == "COMMENT":
        return "COMMENT"
    words = [t.upper for t in tokens[1:8]]
    while words and words[0] in _BETWEEN:
        words.pop(0)
    said = " ".join(words)
    for what in _OBJECTS:
        if said.startswith(what):
            if verb == "CREATE" and what in ("TABLE", "MATERIALIZED VIEW") and _query(tokens):
                return "SELECT"
            return f"{verb} {'FUNCTION' if what == 'MACRO' else what}"
    return f"{verb} {words[0]}" if words else verb


def _query(tokens: Sequence[Token]) -> bool:
    """Whether CREATE TABLE … AS makes rows."""
    depth = 0
    for token, after in pairwise(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if not depth and token.upper == "AS" and after.upper in ("SELECT", "WITH", "VALUES", "FROM",
                                                                  "TABLE", "EXECUTE"):  # fmt: skip
            return True
        if not depth and token.upper == "AS" and after.text == "(":
            return True
    return False


def complete(tag: str, rows: int) -> str:
    """The tag with its count.

    >>> complete("INSERT", 3), complete("SELECT", 0), complete("CREATE TABLE", -1)
    ('INSERT 0 3', 'SELECT 0', 'CREATE TABLE')
    """
    if tag == "INSERT":
        return f"INSERT 0 {max(rows, 0)}"
    if tag in _COUNTED:
        return f"{tag} {max(rows, 0)}"
    return tag
