"""Statements under dialect 'sqlite', which SQLite runs as they are written.

Whatever SQLite knows is left to it, word for word, on a connection that speaks as SQLite does by
itself. Told from the tokens; what names a function of ours, a file or an engine of ours is not
SQLite's alone and goes on to the router.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlagent.catalog import Catalog
from sqlagent.functions import functions
from sqlagent.parse.lexer import Token, is_name, lex, statements
from sqlagent.parse.parameters import Numbering, edited
from sqlagent.parse.words import names
from sqlagent.plan.plans import Duck, Lite, Typed

_FORCED = "SET route = 'duckdb'"
WHY = "dialect 'sqlite': SQLite runs what it knows"
_READS = names("SELECT VALUES WITH")
_WRITES = names("INSERT REPLACE UPDATE DELETE")
_DEFINES = names("CREATE ALTER DROP REINDEX ANALYZE VACUUM")
_KINDS = names("TABLE INDEX VIEW TRIGGER VIRTUAL")
_BEFORE_KIND = names("TEMP TEMPORARY UNIQUE")


def native(
    sql: str, tokens: list[Token], catalog: Catalog, settings: Mapping[str, Any]
) -> Lite | Duck | Typed | None:
    """The plan of a statement that is SQLite's own; None for any other."""
    verb = tokens[0].upper
    if verb == "WITH":
        verb = _after_with(tokens)
    defines = verb in _DEFINES
    if not (defines or verb in _READS or verb in _WRITES):
        return None
    if defines and verb in ("CREATE", "ALTER", "DROP") and _kind(tokens) not in _KINDS:
        return None
    if verb == "CREATE" and _kind(tokens) == "TABLE" and tokens[-2].upper == "USING":
        return None  # another engine's table
    if not all(_known(tokens, place, catalog) for place in range(len(tokens))):
        return None
    if catalog.sources and any(_attached(tokens, place, catalog) for place in range(len(tokens))):
        return None
    tables = tuple(sorted({t.name.lower() for t in tokens if is_name(t)} & catalog.tables.keys()))
    if verb in _READS and settings.get("route") == "duckdb":
        return _read(sql, tokens, catalog)
    text, slots = sql, None
    if any(t.kind == "param" and t.text[0] == "$" for t in tokens):
        numbering = Numbering(sql, tokens)  # $1 is a name to SQLite
        text = edited(sql, [
            (t.start, t.start + len(t.text), f"?{numbering.of[t.start]}")
            for t in tokens if t.kind == "param"
        ])  # fmt: skip
        slots = tuple(numbering.slots)
    return Lite(
        text, slots, writes=verb not in _READS, tables=tables,
        ddl=verb in ("CREATE", "ALTER", "DROP", "VACUUM"), why=WHY, native=True,
    )  # fmt: skip


def _read(sql: str, tokens: list[Token], catalog: Catalog) -> Duck | Typed:
    """A read on DuckDB that gives exactly what SQLite gives. Raises where it cannot."""
    if any(t.kind == "param" for t in tokens):
        return Typed(tuple(Numbering(sql, tokens).slots), _FORCED)
    return lowered(sql, catalog, (), tokens)


def lowered(
    sql: str, catalog: Catalog, kinds: tuple[str, ...], tokens: list[Token] | None = None
) -> Duck:
    """A SELECT on DuckDB, with parameters of the storage classes `kinds`.

    Raises ProgrammingError, and NotSupportedError for what DuckDB cannot say exactly.
    """
    from sqlagent.rewrite.lite import lower

    said = lower(sql, tokens or statements(lex(sql))[0], catalog, kinds)
    return Duck(said.sql, said.parameters, said.tables, why=_FORCED, exact=True)


def _kind(tokens: list[Token]) -> str:
    """What is created, altered or dropped."""
    return next((t.upper for t in tokens[1:4] if t.upper not in _BEFORE_KIND), "")


def _after_with(tokens: list[Token]) -> str:
    """The verb that follows the common table expressions."""
    depth = 0
    for token in tokens[1:]:
        depth += (token.text == "(") - (token.text == ")")
        if not depth and token.upper in _READS | _WRITES:
            return token.upper
    return ""


def _known(tokens: list[Token], place: int, catalog: Catalog) -> bool:
    """Whether SQLite knows what stands at `place`, as far as tokens tell."""
    token = tokens[place]
    following = tokens[place + 1].text if place + 1 < len(tokens) else ""
    if token.kind == "op":
        return token.text not in ("::", "=>", ":=", "//", "**", "^@", "!~", "{")
    if token.kind == "string":
        from_file = _source(tokens, place) and token.text[1:-1].lower() not in catalog.tables
        return token.text[0] == "'" and not from_file
    if token.kind == "word":
        if following == "(" and token.text.lower() in functions():
            return token.text.lower() in catalog.tables  # a table of that name and its columns
        if following == "(" and _source(tokens, place):
            return token.text.lower() in _TABLE_FUNCTIONS or token.text.lower()[:7] == "pragma_"
        lowered = token.text.lower()
        return not (lowered.startswith("sqlagent_") and lowered in functions())
    return True


def _attached(tokens: list[Token], place: int, catalog: Catalog) -> bool:
    """Whether a token names an attached database before a dot."""
    dot = place + 1 < len(tokens) and tokens[place + 1].text == "."
    return dot and is_name(tokens[place]) and catalog.attached(tokens[place].name) is not None


def _source(tokens: list[Token], place: int) -> bool:
    """Whether a source of rows stands at `place`: the FROM of IS DISTINCT FROM has none."""
    before = tokens[place - 1].upper if place else ""
    compared = place > 2 and tokens[place - 2].upper == "DISTINCT" and (
        tokens[place - 3].upper in ("IS", "NOT")
    )  # fmt: skip
    return before in ("FROM", "JOIN") and not compared


_TABLE_FUNCTIONS = frozenset((
    "json_each", "json_tree", "jsonb_each", "jsonb_tree", "fts5vocab", "bytecode", "tables_used",
    "dbstat", "sqlite_stmt", "carray", "generate_series",
))  # fmt: skip
