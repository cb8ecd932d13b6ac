"""CREATE and DROP of what users define: macros and functions; and DROP of views among definitions.

This module imports no parser: what it needs of one is in `sqlagent.plan.checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlagent.errors import Error, NotSupportedError, ProgrammingError, nearest
from sqlagent.parse.clauses import Words
from sqlagent.parse.definitions import header, single
from sqlagent.parse.lexer import Token, is_name, quote, quote_name
from sqlagent.parse.parameters import edited
from sqlagent.parse.words import names
from sqlagent.plan.plans import Define, Import, Lite

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlagent.catalog import Catalog

MACROS = ("macro", "table macro")
COLUMNAR = "create columns"  # among the settings of a CREATE TABLE that makes one of columns
NOTHING = "SELECT 1 WHERE false"
# Words with a grammar of their own: a call of a macro by such a name would never be seen.
_RESERVED = names(
    "case cast try_cast extract exists not in and or select from where coalesce if interval array "
    "struct row values filter over distinct all any some position substring overlay trim"
)


def expands(tokens: list[Token], catalog: Catalog) -> bool:
    """Whether a statement names what users defined: it is then never plain."""
    return any(is_name(t) and t.name.lower() in catalog.definitions for t in tokens)


def defined(
    sql: str,
    tokens: list[Token],
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Callable[[str], str | None],
) -> Any:
    """The plan of CREATE MACRO, DROP MACRO, DROP VIEW of a definition; None for any other."""
    if tokens[0].upper not in ("CREATE", "DROP", "ALTER", "TRUNCATE"):
        return None
    words = [t.upper for t in tokens[1:5]]
    kind = next((w for w in words if w not in ("OR", "REPLACE", "TEMP", "TEMPORARY")), "")
    if kind in ("MACRO", "FUNCTION"):
        if tokens[0].upper == "CREATE":
            return _create(sql, tokens, catalog, settings, protected)
        return _drop(sql, tokens, catalog)
    if tokens[0].upper == "CREATE" and kind == "TABLE":
        return _table(sql, tokens, catalog, settings, protected)
    if tokens[0].upper != "CREATE" and (kind == "TABLE" or tokens[0].upper == "TRUNCATE"):
        return _of_columns(sql, tokens, catalog, settings, protected)
    if tokens[0].upper == "DROP" and kind == "VIEW":
        return _drop_view(sql, tokens, catalog)
    return None


def _create(
    sql: str,
    tokens: list[Token],
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Callable[[str], str | None],
) -> Define | Lite:
    """CREATE MACRO: checked, then kept as it is written, a row for each overload."""
    from sqlagent.functions import functions

    head = header(sql, tokens)
    name = head.name.name.lower()
    place = head.name.start
    if name in _RESERVED or not name.isidentifier():
        raise ProgrammingError(
            f'"{head.name.name}" cannot be the name of a macro', sql=sql, position=place,
            sqlstate="42939",
        )  # fmt: skip
    several = catalog.definitions.get(name, ())
    mine = tuple(d for d in several if d.kind == head.kind)
    counts = {len(o.parameters) for o in head.overloads}
    clash = mine and (not head.additive or any(d.parameters in counts for d in mine))
    if clash and not head.replace and not head.temporary:
        if head.if_not_exists:
            return Lite(NOTHING, why=f'the macro "{name}" exists')
        raise ProgrammingError(
            f'the macro "{name}" exists', hint=f"CREATE OR REPLACE MACRO {name} replaces it",
            sql=sql, position=place, sqlstate="42723",
        )  # fmt: skip
    from sqlagent.plan.checks import check_macro, is_built_in

    if not mine and not head.replace and is_built_in(name):
        whose = "a function of sqlagent" if name in functions() else "a built-in function"
        raise ProgrammingError(
            f"{name} is {whose}", hint=f"CREATE OR REPLACE MACRO {name} replaces it",
            sql=sql, position=place, sqlstate="42723",
        )  # fmt: skip
    dialect = str(settings.get("dialect", "duckdb"))
    found = tuple(
        check_macro(sql, head, o, dialect, catalog, settings, protected) for o in head.overloads
    )
    gone = [(name, (head.kind,))] if mine and head.replace and not head.additive else []
    made = tuple(
        d._replace(sql=single(sql, head, o))
        for d, o in zip((f[0] for f in found), head.overloads, strict=True)
    )
    probe = next((f[1] for f in found if f[1] is not None), None)
    return Define(made, tuple(gone), probe=probe, temporary=head.temporary, replace=head.replace)


def _drop(sql: str, tokens: list[Token], catalog: Catalog) -> Define | Lite:
    """`DROP MACRO [TABLE] [IF EXISTS] name [(types)]`; a built-in of that name is back then."""
    words = Words(sql, tokens)
    words.need("DROP")
    words.at += 1
    table = words.take("TABLE")
    exists = words.take("IF", "EXISTS")
    name = words.name("the name of the macro")
    if words.take("."):
        name = words.name("the name of the macro")
    count: int | None = None
    if words.take("("):
        count = 0
        while not words.take(")"):
            if count:
                words.need(",")
            if not words.until(",", ")"):
                raise words.wrong("a type")
            count += 1
    if not words.take("CASCADE"):
        words.take("RESTRICT")
    if words.at < len(tokens):
        raise words.wrong("the end of the statement")
    several = catalog.definitions.get(name.name.lower(), ())
    kinds = {d.kind for d in several if d.kind in MACROS}
    kind = "table macro" if table or kinds == {"table macro"} else "macro"
    mine = [d for d in several if d.kind == kind]
    kept = [d for d in mine if count is not None and d.parameters != count]
    if not mine or len(kept) == len(mine):
        if exists:
            return Lite(NOTHING, why="there is no such macro")
        from sqlagent.functions import functions

        built_in = name.name.lower() in functions()
        known = [n for n, ds in catalog.definitions.items() if any(d.kind in MACROS for d in ds)]
        raise ProgrammingError(
            f"{name.name} is built in, and nothing replaces it" if built_in
            else f'there is no macro "{name.name}"',
            hint=nearest(name.name, known), sql=sql, position=name.start, sqlstate="42883",
        )  # fmt: skip
    return Define(tuple(kept), ((name.name, (kind,)),))


def _taken(sql: str, tokens: list[Token], catalog: Catalog, columnar: bool) -> Lite | None:
    """Refuse a table under the name of a definition that is read by name."""
    words = Words(sql, tokens)
    replace = "REPLACE" in (t.upper for t in tokens[1:4])
    while words.word in ("CREATE", "OR", "REPLACE", "TEMP", "TEMPORARY", "TABLE"):
        words.at += 1
    exists = words.take("IF", "NOT", "EXISTS")
    name = words.name("the name of the table")
    table = catalog.tables.get(name.name.lower())
    if table is None or table.kind in ("table", "view", "virtual"):
        return None
    kind = "table" if table.kind == "columns" else "view"
    if exists:
        return Lite(NOTHING, why=f'the {kind} "{name.name}" exists')
    if kind == "table" and replace:
        if columnar:
            return None
        raise NotSupportedError(
            f'the table "{name.name}" is kept as columns', hint=f"DROP TABLE {name.name} first",
            sql=sql, position=name.start,
        )  # fmt: skip
    raise ProgrammingError(
        f'the {kind} "{name.name}" exists', sql=sql, position=name.start, sqlstate="42P07"
    )


def _table(
    sql: str,
    tokens: list[Token],
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Callable[[str], str | None],
) -> Any:
    """CREATE TABLE … USING columns, or under SET default_engine = 'columns'; None for one of rows.

    `USING rows | columns` is no word of any parser: it becomes spaces.
    """
    depth, using, columnar = 0, None, settings.get("default_engine") == "columns"
    for place, token in enumerate(tokens[:-1]):
        depth += (token.text in "([{") - (token.text in ")]}") if len(token.text) == 1 else 0
        if not depth and token.upper == "AS":
            break
        if not depth and token.upper == "USING":
            if tokens[place + 1].upper not in ("COLUMNS", "ROWS"):
                raise Words(sql, tokens[place + 1 :]).wrong("columns or rows")
            using, columnar = place, tokens[place + 1].upper == "COLUMNS"
            break
    temporary = any(t.upper in ("TEMP", "TEMPORARY") for t in tokens[1:4])
    columnar = columnar and not (temporary and using is None)
    taken = _taken(sql, tokens, catalog, columnar)
    if taken is not None:
        return taken
    if using is None and not columnar:
        return _replaced(sql, tokens, catalog, temporary)
    text, rest = sql, tokens
    if using is not None:
        start, end = tokens[using].start, tokens[using + 1].start + len(tokens[using + 1].text)
        text = sql[:start] + " " * (end - start) + sql[end:]
        rest = [*tokens[:using], *tokens[using + 2 :]]
    if not columnar:
        from sqlagent.plan import plan

        return plan(text, catalog, {**settings, "default_engine": "rows"}, protected).run
    from sqlagent.plan.route import route

    try:
        return route(text, rest, catalog, {**settings, COLUMNAR: True}, protected)
    except Error as error:
        error.sql = sql  # as the user wrote it
        raise


def _replaced(sql: str, tokens: list[Token], catalog: Catalog, temporary: bool) -> Define | None:
    """CREATE OR REPLACE TABLE t (…) of rows, without AS: DROP and CREATE in one transaction."""
    from sqlagent.plan.ddl import defaults, is_filled

    if tokens[1].upper != "OR" or temporary or is_filled(tokens):
        return None
    words = Words(sql, tokens)
    words.at = 4
    name = words.name("the name of the table")
    if words.take("."):
        name = words.name("the name of the table")
    table = catalog.tables.get(name.name.lower())
    if table is not None and table.kind != "table":
        raise ProgrammingError(
            f'"{name.name}" is a {table.kind}, not a table', sql=sql, position=name.start,
            sqlstate="42809",
        )  # fmt: skip
    start = tokens[3].start
    edits = [(0, start, "CREATE "), *(e for e in defaults(tokens) if e[0] > start)]
    gone = (f"DROP TABLE {quote_name(table.name)}",) if table is not None else ()
    return Define(
        sql=(*gone, edited(sql, edits)), why="definitions are kept in the file, by SQLite"
    )


def _of_columns(
    sql: str,
    tokens: list[Token],
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Callable[[str], str | None],
) -> Any:
    """DROP, ALTER and TRUNCATE of a table that is kept as columns; None for any other."""
    words = Words(sql, tokens)
    words.at = 1
    words.take("TABLE")
    words.take("IF", "EXISTS")
    name = words.name("the name of the table")
    if words.take("."):
        name = words.name("the name of the table")
    table = catalog.tables.get(name.name.lower())
    if table is None or table.kind != "columns":
        return None
    if tokens[0].upper == "ALTER":
        from sqlagent.plan.route import route

        return route(sql, tokens, catalog, settings, protected)
    if not words.take("CASCADE"):
        words.take("RESTRICT")
    if words.at < len(tokens):
        raise words.wrong("the end of the statement")
    gone = f"DELETE FROM sqlagent_parts WHERE name = {quote(table.name)}"
    if tokens[0].upper == "TRUNCATE":
        return Define(sql=(gone,), why="its parts are deleted")
    return Define(drop=((table.name, ("columns",)),), sql=(gone,))


def _drop_view(sql: str, tokens: list[Token], catalog: Catalog) -> Define | None:
    """DROP VIEW of a view that is kept as a definition; None for SQLite's own."""
    words = Words(sql, tokens)
    words.need("DROP")
    words.take("TEMP")
    words.need("VIEW")
    words.take("IF", "EXISTS")
    name = words.name("the name of the view")
    if words.take("."):
        name = words.name("the name of the view")
    if not any(d.kind == "view" for d in catalog.definitions.get(name.name.lower(), ())):
        return None
    if not words.take("CASCADE"):
        words.take("RESTRICT")
    if words.at < len(tokens):
        raise words.wrong("the end of the statement")
    return Define(drop=((name.name, ("view",)),))


def copied(
    found: Import | None,
    sql: str,
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Callable[[str], str | None],
) -> Any:
    """COPY … FROM into a table that is kept as columns is an INSERT of the file's rows; into any
    other, what was found."""
    table = catalog.tables.get(found.table.lower()) if found is not None else None
    if found is None or table is None or table.kind != "columns":
        return found
    if found.path is None or any(name != "format" for name in found.options):
        raise NotSupportedError(
            f'COPY into "{table.name}", which is kept as columns, takes a constant path alone',
            hint="INSERT INTO t SELECT * FROM read_csv('file', …)",
            sql=sql, position=found.position,
        )  # fmt: skip
    from sqlagent.plan import plan

    readers = {"csv": "read_csv", "parquet": "read_parquet", "json": "read_json_auto"}
    reader = readers.get(str(found.options.get("format", "")).lower())
    source = f"{reader}({quote(found.path)})" if reader else quote(found.path)
    names = f" ({', '.join(map(quote_name, found.columns))})" if found.columns else ""
    text = f"INSERT INTO {quote_name(table.name)}{names} SELECT * FROM {source}"
    return plan(text, catalog, {**settings, "dialect": "duckdb"}, protected).run
