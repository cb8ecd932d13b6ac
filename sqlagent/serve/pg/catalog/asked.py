"""Whether a statement asks the catalogs, told from its tokens: nothing is parsed for one that does
not."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING

from sqlagent.errors import ProgrammingError
from sqlagent.parse.lexer import Token, is_name, lex, statements
from sqlagent.parse.sequence_calls import without
from sqlagent.serve.pg.catalog import shells

if TYPE_CHECKING:
    from sqlagent.connection import Connection

SCHEMAS = frozenset(("pg_catalog", "information_schema"))
REG_TYPES = frozenset((
    "regclass", "regtype", "regproc", "regprocedure", "regnamespace", "regrole", "regoper",
    "regoperator", "regconfig", "regdictionary", "regcollation",
))  # fmt: skip
# What the session itself knows; see `session_values`.
SESSION_WORDS = frozenset((
    "current_user", "session_user", "current_role", "current_catalog", "current_schema",
))  # fmt: skip
SESSION_CALLS = frozenset((
    "version", "current_schema", "current_schemas", "current_database", "pg_backend_pid",
    "current_setting", "set_config", "pg_sleep", "pg_sleep_for", "txid_current",
    "pg_current_xact_id", "pg_current_snapshot", "txid_current_snapshot", "pg_notify",
    "pg_cancel_backend", "pg_terminate_backend", "inet_client_addr", "inet_client_port",
    "inet_server_addr", "inet_server_port", "pg_postmaster_start_time", "pg_reload_conf",
    "pg_advisory_lock", "pg_advisory_unlock", "pg_advisory_xact_lock", "pg_try_advisory_lock",
    "pg_try_advisory_xact_lock", "pg_advisory_unlock_all", "pg_stat_reset", "pg_current_logfile",
    "pg_listening_channels", "pg_client_encoding",
))  # fmt: skip
_READS = frozenset(("SELECT", "WITH", "VALUES", "TABLE", "("))


@lru_cache(maxsize=1)
def calls() -> frozenset[str]:
    """Functions of the catalogs: a statement that calls one is theirs.

    Those of general use (quote_ident, cardinality …) are the engine's too, and no sign.
    """
    text = files(__package__).joinpath("macros.sql").read_text("utf-8")
    names = set(re.findall(r"(?m)^CREATE MACRO (\w+)\(", text))
    own = {
        n for n in names
        if n.startswith(("pg_", "_pg_", "has_", "to_reg", "txid_")) or n in _OWN
    }  # fmt: skip
    return frozenset(own | SESSION_CALLS)


_OWN = frozenset((
    "format_type", "col_description", "obj_description", "shobj_description", "acldefault",
    "aclexplode", "row_security_active", "generate_subscripts",
))  # fmt: skip


def asks(sql: str, connection: Connection) -> bool:
    """Whether a statement is a question about the catalogs, or the session."""
    try:
        parts = statements(lex(sql))
    except ProgrammingError:
        return False  # the engine says what is wrong
    if len(parts) != 1 or not parts[0]:
        return False
    tokens = parts[0]
    if (tokens[0].upper or tokens[0].text) not in _READS:
        return False
    left = without(tokens)
    return any(_sign(t, following, connection) for t, following in _pairs(left)) or (
        [t.upper for t in tokens] == ["SELECT", "USER"]
    )


def _pairs(tokens: list[Token]) -> list[tuple[Token, Token | None]]:
    return [*pairwise(tokens), (tokens[-1], None)]


def _sign(token: Token, following: Token | None, connection: Connection) -> bool:
    if not is_name(token):
        return False
    name = token.name.lower()
    if name in SCHEMAS and following is not None and following.text == ".":
        return True
    if following is not None and following.text == "(" and name in calls():
        return True
    if name in REG_TYPES and token.kind == "word":
        return True
    if name in SESSION_WORDS and token.kind == "word":
        return following is None or following.text != "."
    return name in shells.names() and not _of_the_file(name, connection)


def _of_the_file(name: str, connection: Connection) -> bool:
    known = connection.database.known_catalog
    return known is not None and name in known.tables
