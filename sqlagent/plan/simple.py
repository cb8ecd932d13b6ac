"""Statements without tables, from tokens alone: transactions, settings, CALL, PRAGMA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlagent.errors import NotSupportedError
from sqlagent.parse.clauses import wrong
from sqlagent.parse.lexer import Token, is_name
from sqlagent.parse.literals import literal
from sqlagent.parse.parameters import Numbering
from sqlagent.parse.words import names
from sqlagent.plan.calls import bound, call_arguments, is_function
from sqlagent.plan.plans import Call, Lite, Setting, Transaction

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog

# DuckDB's own settings that open files or load code; its engine sets them, never a statement.
_CLOSED_SETTINGS = names(
    "allow_community_extensions allow_extensions_metadata_mismatch "
    "allow_unsigned_extensions allowed_directories allowed_paths "
    "autoinstall_extension_repository autoinstall_known_extensions "
    "autoload_known_extensions custom_extension_repository custom_user_agent "
    "disabled_filesystems enable_external_access enable_external_file_cache "
    "extension_directory external_threads file_search_path home_directory http_proxy "
    "lock_configuration log_query_path profile_output profiling_output search_path schema "
    "secret_directory temp_directory allow_persistent_secrets default_secret_storage "
    "python_enable_replacements python_scan_all_frames"
)
# What changes how SQLite reads a statement, or lets one damage the file.
_CLOSED_PRAGMAS = {
    "case_sensitive_like": "LIKE is case-sensitive on every route, ILIKE is not",
    "writable_schema": "the schema is changed by CREATE, ALTER and DROP",
    "schema_version": "SQLite keeps it itself",
    "trusted_schema": "the connection decides it",
    "query_only": "open the connection with read_only=True",
    "locking_mode": "other clients use the file too",
}
_READING_PRAGMAS = names(
    "table_info table_xinfo table_list index_list index_info index_xinfo foreign_key_list "
    "foreign_key_check integrity_check quick_check database_list function_list "
    "module_list pragma_list collation_list compile_options"
)


def simple(
    sql: str, tokens: list[Token], catalog: Catalog | None = None
) -> Transaction | Setting | Call | Lite | None:
    """The plan of a transaction statement, SET, RESET, SHOW, CALL or PRAGMA; None for any other."""
    word = tokens[0].upper
    if word in ("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"):
        return _transaction(sql, tokens)
    if word in ("SET", "RESET", "SHOW"):
        return _setting(sql, tokens, catalog)
    if word == "CALL":
        return _call(sql, tokens)
    if word == "PRAGMA":
        return _pragma(sql, tokens)
    return None


def _transaction(sql: str, tokens: list[Token]) -> Transaction:
    """BEGIN, COMMIT, ROLLBACK and savepoints in all their spellings."""
    words = [t.upper for t in tokens]
    verb = {"START": "begin", "END": "commit", "ABORT": "rollback"}.get(words[0], words[0].lower())
    rest = 1
    if verb in ("savepoint", "release") or "TO" in words:
        if "TO" in words:
            verb, rest = "rollback_to", words.index("TO") + 1
        if rest + 1 < len(tokens) and words[rest] == "SAVEPOINT":
            rest += 1
        if rest >= len(tokens) or not is_name(tokens[rest]):
            raise wrong(sql, tokens, rest, "the name of a savepoint")
        if rest + 1 < len(tokens):
            raise wrong(sql, tokens, rest + 1, "nothing more")
        return Transaction(verb, tokens[rest].name)
    known = {"TRANSACTION", "WORK"}
    if verb == "begin":
        known |= {
            "IMMEDIATE",
            "DEFERRED",
            "EXCLUSIVE",
            "READ",
            "WRITE",
            "ONLY",
            "ISOLATION",
            "LEVEL",
        }
        known |= {"SERIALIZABLE", "REPEATABLE", "COMMITTED", "UNCOMMITTED"}
    for place in range(1, len(tokens)):
        if words[place] not in known and tokens[place].text != ",":
            raise wrong(sql, tokens, place, "the end of the statement")
    return Transaction(verb)


def _setting(
    sql: str, tokens: list[Token], catalog: Catalog | None = None
) -> Setting | Lite | None:
    """SET, RESET and SHOW; those of DuckDB's settings that open files are refused."""
    verb = tokens[0].upper.lower()
    rest = 1
    if rest < len(tokens) - 1 and tokens[rest].upper in ("SESSION", "LOCAL", "GLOBAL"):
        rest += 1
    if rest >= len(tokens) or not is_name(tokens[rest]):
        raise wrong(sql, tokens, rest, "the name of a setting")
    name = tokens[rest].name.lower()
    if verb != "set":
        for token in tokens[rest + 1 :]:
            name += token.text if token.text == "." else "_" + token.name.lower()
        name = name.replace("._", ".")
        if verb == "show" and name == "tables":
            return Lite(
                "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') "
                "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' UNION SELECT name "
                "FROM sqlagent_definitions WHERE kind NOT LIKE '%macro' ORDER BY name",
                why="the tables of the file",
            )
        if verb == "show" and (
            name == "all_tables" or (catalog is not None and name in catalog.tables)
        ):
            return None
        return Setting(verb, None if name == "all" else name)
    rest += 1
    while rest + 1 < len(tokens) and tokens[rest].text == ".":
        name += "." + tokens[rest + 1].name.lower()
        rest += 2
    if name == "time" and tokens[rest:] and tokens[rest].upper == "ZONE":
        name, rest = "timezone", rest + 1
    elif rest >= len(tokens) or not (tokens[rest].text == "=" or tokens[rest].upper == "TO"):
        raise wrong(sql, tokens, rest, '"=" or TO')
    else:
        rest += 1
    if name in _CLOSED_SETTINGS:
        raise NotSupportedError(
            f'the setting "{name}" is not for statements', sql=sql, position=tokens[1].start,
            detail="it would let DuckDB open files or load code that this connection keeps closed",
        )  # fmt: skip
    if rest >= len(tokens):
        raise wrong(sql, tokens, rest, "a value")
    if len(tokens) == rest + 1 and tokens[rest].upper == "DEFAULT":
        return Setting("reset", name)
    value, end = literal(tokens, rest)
    if end is None:
        raise wrong(sql, tokens, rest, "a string, a number or a word")
    if end < len(tokens):
        raise wrong(sql, tokens, end, "the end of the statement")
    return Setting("set", name, value)


def _call(sql: str, tokens: list[Token]) -> Call:
    """CALL name(literals and parameters)."""
    if len(tokens) < 2 or not is_name(tokens[1]):
        raise wrong(sql, tokens, 1, "the name of a procedure")
    if len(tokens) < 4 or tokens[2].text != "(" or tokens[-1].text != ")":
        raise wrong(sql, tokens, 2, 'its arguments in "( )"')
    name = tokens[1].name.lower()
    found = is_function(name)
    numbering = Numbering(sql, tokens)
    positional, named, end = call_arguments(tokens, 3, numbering)
    if end is None or end != len(tokens):
        raise wrong(sql, tokens, 3, "literals or parameters as arguments")
    if found is None:
        return Call(name, (*positional, *named.values()))
    return Call(name, bound(found, positional, named, sql, tokens[1]))


def _pragma(sql: str, tokens: list[Token]) -> Lite:
    """A pragma is SQLite's, but for those that would change what SQL means here."""
    names = [t for t in tokens[1:4] if is_name(t)]
    if not names:
        raise wrong(sql, tokens, 1, "the name of a pragma")
    target = names[1] if len(names) > 1 and len(tokens) > 2 and tokens[2].text == "." else names[0]
    name = target.name.lower()
    sets = any(t.text in ("=", "(") for t in tokens) and name not in _READING_PRAGMAS
    if name in _CLOSED_PRAGMAS and sets:
        raise NotSupportedError(
            f'PRAGMA {name} cannot be set here', detail=_CLOSED_PRAGMAS[name],
            sql=sql, position=target.start,
        )  # fmt: skip
    writes = sets or name in ("optimize", "wal_checkpoint", "incremental_vacuum", "shrink_memory")
    return Lite(sql, writes=writes, why="a pragma is SQLite's")
