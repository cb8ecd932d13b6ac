"""Statements that one attached database runs by itself, and writes to one.

What names the tables of one attached SQLite file and no others is planned as if that file were the
connection's own: its prefixes become blanks, so that every position stays where the user sees it.
Another agent's file is asked the same way, on a connection of its own. What mixes databases is left
to the router, where it reads; where it writes, it is told apart here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sqlagent.errors import Error, NotSupportedError, ProgrammingError, nearest
from sqlagent.parse.lexer import Token, is_name, lex
from sqlagent.parse.words import names
from sqlagent.plan.plans import Duck, Fill, Lite, Native, Remote

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog

Protected = Callable[[str], str | None]
_DEFINE = names("CREATE ALTER DROP TRUNCATE")
_WRITE = names("INSERT UPDATE DELETE REPLACE MERGE CREATE ALTER DROP TRUNCATE PRAGMA VACUUM")
_READ_ALONE = names("SELECT WITH FROM VALUES")
_FEDS = ("sqlite", "agent")


def remote(
    sql: str,
    tokens: list[Token],
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Protected,
) -> Lite | Duck | Fill | Native | Remote | None:
    """The plan of a statement that one attached database runs, or that writes one; None for any
    other."""
    word = tokens[0].upper
    if word in ("VACUUM", "ANALYZE") and len(tokens) == 2 and is_name(tokens[1]):
        source = catalog.attached(tokens[1].name)
        if source is not None and source.kind in _FEDS:
            alias = tokens[1].name.lower()
            return Lite(word, writes=True, source=alias, why=_why(alias))
    named = prefixes(tokens, catalog)
    if not named:
        return None
    aliases = set(named.values())
    alone = aliases.pop() if len(aliases) == 1 else None
    if word in ("PRAGMA", "VACUUM", "ANALYZE", "REINDEX", *_DEFINE) and not _as(tokens):
        return _definition(sql, tokens, catalog, settings, protected, named, alone)
    if word in ("DESCRIBE", "DESC", "SUMMARIZE", "SHOW") and alone is not None:
        source = catalog.sources[alone]
        if source.kind == "sqlite" and word in ("DESCRIBE", "DESC"):
            return _elsewhere(sql, tokens, catalog, settings, protected, alone, named)
        if source.kind == "agent":
            return Remote(bare(sql, tokens, named), alone, why=_why(alone))
        if word == "SUMMARIZE":
            return _summarize(sql, tokens, catalog, settings, protected)
        raise NotSupportedError(
            f"{word} of a table of an attached {source.kind} database is not here",
            hint="SUMMARIZE says its columns, and what is in them", sql=sql, position=0,
        )  # fmt: skip
    if word not in _WRITE and word not in _READ_ALONE:
        return None
    from sqlagent.plan.mixed import Mixed

    return Mixed(sql, tokens, catalog, settings, protected, named).plan()


def prefixes(tokens: list[Token], catalog: Catalog) -> dict[int, str]:
    """The places of tokens that name an attached database before a dot, with its alias."""
    found = {}
    for place, token in enumerate(tokens[:-2]):
        if (
            is_name(token)
            and tokens[place + 1].text == "."
            and (place == 0 or tokens[place - 1].text != ".")
            and catalog.attached(token.name) is not None
        ):
            found[place] = token.name.lower()
    return found


def bare(sql: str, tokens: list[Token], named: Mapping[int, str]) -> str:
    """`sql` with blanks for the prefixes, `main.` after one of them too."""
    text = list(sql)
    for place in named:
        last = place + 1
        if (
            tokens[place + 2].upper == "MAIN"
            and tokens[place + 3 : place + 4]
            and (tokens[place + 3].text == ".")
        ):
            last = place + 3
        start, end = tokens[place].start, tokens[last].start + 1
        text[start:end] = " " * (end - start)
    return "".join(text)


def _summarize(
    sql: str,
    tokens: list[Token],
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Protected,
) -> Duck:
    """SUMMARIZE of a read that DuckDB runs over what it is fed."""
    from sqlagent.plan.route import route

    start = tokens[1].start
    head = "" if tokens[1].upper in ("SELECT", "FROM", "WITH") else "FROM "
    text = " " * (start - len(head)) + head + sql[start:]
    found = route(text, lex(text), catalog, {**settings, "route": "duckdb"}, protected)
    assert isinstance(found, Duck)  # DuckDB was asked for, and a read is no write
    return found._replace(sql=f"SUMMARIZE {found.sql.strip()}", lite=None, why="an analysis")


def _elsewhere(
    sql: str,
    tokens: list[Token],
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Protected,
    alias: str,
    named: Mapping[int, str],
) -> Lite | None:
    """The statement planned as the attached SQLite file's own."""
    from sqlagent.plan import planned

    source: Any = catalog.sources[alias]
    text = bare(sql, tokens, named)
    settings = {**settings, "route": "sqlite"}
    try:
        found = planned(text, lex(text), source.catalog(), settings, protected)
    except Error as error:
        error.sql = sql  # of the same length: its places hold
        raise
    if isinstance(found, Lite) and (found.writes or not found.exact):
        return found._replace(source=alias, why=_why(alias), sql=found.sql.strip())
    return None


def _definition(
    sql: str,
    tokens: list[Token],
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Protected,
    named: Mapping[int, str],
    alone: str | None,
) -> Lite | Native | Remote:
    """CREATE, ALTER, DROP and pragmas in an attached database."""
    if alone is None:
        raise NotSupportedError(
            "a definition is of one database", sql=sql, position=tokens[min(named)].start
        )
    source = catalog.sources[alone]
    kind = tokens[1].upper
    place = min(named)
    if source.kind == "agent":
        return Remote(bare(sql, tokens, named), alone, writes=True, why=_why(alone))
    if source.kind == "sqlite":
        found = _elsewhere(sql, tokens, catalog, settings, protected, alone, named)
        if found is None:
            raise NotSupportedError(
                f'this is not here in the attached file "{alone}"',
                sql=sql, position=tokens[0].start,
            )  # fmt: skip
        return found
    if source.native is None:
        raise read_only(sql, tokens[place], source.kind, alone)
    known = {"TABLE", "VIEW", "INDEX", "UNIQUE", "OR", "SCHEMA", "SEQUENCE"}
    verb = tokens[0].upper
    kinds = {t.upper for t in tokens[1:4]}
    opens = verb == "CREATE" and kinds & {"VIEW", "MACRO", "FUNCTION", "SECRET"}
    if verb not in _DEFINE or opens or (verb != "TRUNCATE" and kind not in known):
        raise NotSupportedError(
            f"{tokens[0].upper} {kind} is not here in an attached {source.kind} database",
            sql=sql, position=tokens[0].start,
        )  # fmt: skip
    if any(t.kind == "param" for t in tokens):
        raise ProgrammingError("a definition takes no parameters", sql=sql, position=0)
    text = native_text(sql, tokens, named, source.native)
    return Native(Duck(text, (), natives=(alone,)), alone, True, _why(alone))


def native_text(sql: str, tokens: list[Token], named: Mapping[int, str], native: str) -> str:
    """`sql` with the name that DuckDB has the database under, and without comments."""
    from sqlagent.parse.lexer import quote_name

    parts = []
    for place, token in enumerate(tokens):
        parts.append(quote_name(native) if place in named else token.text)
    return " ".join(parts).replace(" . ", ".")


def read_only(sql: str, token: Token, kind: str, alias: str) -> NotSupportedError:
    """The error for a write to a source that is only read."""
    return NotSupportedError(
        f'"{alias}" is attached {kind}: it is only read here',
        hint="COPY (SELECT …) TO a file writes Parquet, CSV and JSON."
        if kind in ("parquet", "csv", "json") else None,
        sql=sql, position=token.start,
    )  # fmt: skip


def unknown(sql: str, name: str, table: str, known: list[str], at: int | None) -> ProgrammingError:
    """The error for a table that an attached database does not have."""
    return ProgrammingError(
        f'unknown table "{name}.{table}"', hint=nearest(table, known), sql=sql, position=at,
        sqlstate="42P01",
    )  # fmt: skip


def _as(tokens: list[Token]) -> bool:
    """Whether a definition is made from a SELECT: CREATE TABLE … AS, CREATE VIEW … AS."""
    if tokens[0].upper != "CREATE":
        return False
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if not depth and token.upper == "AS":
            return True
        if token.upper == "TRIGGER":
            return False
    return False


def _why(alias: str) -> str:
    return f"all that it names is in {alias}"
