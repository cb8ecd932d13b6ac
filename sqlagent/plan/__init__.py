"""Plan: a statement becomes the plan of what runs it. Importing this imports no parser, no engine.

`plan(sql, catalog, settings, protected)` decides a plain statement from its tokens; only what is
not plain is parsed, rewritten and routed (`sqlagent.plan.route`, which imports sqlglot).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sqlagent.errors import Error, ProgrammingError
from sqlagent.parse.clauses import wrong
from sqlagent.parse.depth import check
from sqlagent.parse.lexer import Token, lex, statements
from sqlagent.parse.parameters import Numbering, edited
from sqlagent.parse.plain import TableCall, plain
from sqlagent.plan import calls
from sqlagent.plan.attaching import attaching
from sqlagent.plan.ddl import ddl, refuse_temporary
from sqlagent.plan.define import copied, defined, expands
from sqlagent.plan.plans import Calls, Explain, Lite, Plan, Rehearsal, Script, WriteTable
from sqlagent.plan.simple import simple
from sqlagent.plan.write_table import write_table

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog

Protected = Callable[[str], str | None]
DEFINING = ("CREATE", "DROP", "REFRESH", "ALTER")
WRITING = ("INSERT", "UPDATE", "DELETE", "REPLACE")
SPELLED = "spelled"  # no setting of the user's: PostgreSQL's words have become ours
NEAREST = "ordered by a distance: a search finds the rows that can be first"
PLAIN = "a plain statement on the file's own tables"


def plan(sql: str, catalog: Catalog, settings: Mapping[str, Any], protected: Protected) -> Plan:
    """What `sql`, one statement, becomes.

    `settings` has 'dialect' (duckdb, sqlite, postgres) and 'route' (auto, sqlite, duckdb);
    `protected(path)` is the live SQLite file that a path or glob would touch, or None.
    Raises ProgrammingError for what is wrong, NotSupportedError for what no engine here can do.
    """
    parts = statements(lex(sql))
    if any(t.upper == "GRAPH_TABLE" for part in parts for t in part):
        from sqlagent.plan.graph_table import graph_tables

        written = graph_tables(sql, catalog)
        if written != sql:
            try:
                return plan(written, catalog, settings, protected)._replace(sql=sql)
            except Error as error:  # it speaks of a text that the user did not write
                error.sql, error.position = sql, None
                raise
    if not parts:
        raise ProgrammingError("the statement is empty", sql=sql, position=0)
    if len(parts) > 1 and settings.get("dialect") == "sqlite":
        ends = [p[-1].start + len(p[-1].text) for p in parts]
        return Plan(
            sql,
            Script(
                tuple(sql[p[0].start : e] for p, e in zip(parts, ends, strict=True)), atomic=False
            ),
        )
    if len(parts) > 1:
        raise ProgrammingError(
            "expected one statement, not several", sql=sql, position=parts[1][0].start,
            hint="run them one by one, or with executescript",
        )  # fmt: skip
    if any(t.upper == "PROPERTY" for t in parts[0][1:4]):
        from sqlagent.plan.property_graph import statement as graph_statement

        made_graph = graph_statement(sql, parts[0], catalog)
        if made_graph is not None:
            return Plan(sql, made_graph)
    check(sql, parts[0])
    if parts[0][0].upper == "WITH":
        from sqlagent.plan.writing_with import writing_with

        several = writing_with(sql, parts[0])
        if several is not None:
            return Plan(sql, several)
    inserts = parts[0][0].upper == "INSERT" and bool(catalog.sequences)
    if inserts and settings.get("dialect") != "postgres":
        numbered = _numbered_columns(sql, parts[0], catalog, settings, protected)
        if numbered is not None:
            return numbered
    if settings.get("dialect") == "postgres" and not settings.get(SPELLED):
        made = _postgres(sql, parts[0], catalog, settings, protected)
        if made is not None:
            return made
    try:
        made = planned(sql, parts[0], catalog, settings, protected)
        if settings.get("dialect") == "postgres":
            made = _named(made, parts[0])
        return Plan(sql, made)
    except RecursionError:
        raise ProgrammingError(
            "the statement is nested too deeply", sql=sql, position=parts[0][0].start,
            sqlstate="54001",
        ) from None  # fmt: skip


def _numbered_columns(
    sql: str,
    tokens: list[Token],
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Protected,
) -> Plan | None:
    """The plan of an INSERT with the columns that sequences fill; None where it leaves none out."""
    from sqlagent.plan.postgres import Edits
    from sqlagent.plan.postgres.numbering import filled

    found = Edits(tuple(filled(tokens, catalog)))
    if not found.edits:
        return None
    try:
        text = edited(sql, list(found.edits))
        return plan(text, catalog, settings, protected)._replace(sql=sql)
    except Error as error:
        if error.position is not None:
            error.position = found.place(error.position)
        error.sql = sql
        raise


def _postgres(
    sql: str,
    tokens: list[Token],
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Protected,
) -> Plan | None:
    """The plan of what PostgreSQL says in words of its own; None where they are ours."""
    from sqlagent.plan.postgres import statement

    found = statement(sql, tokens, catalog)
    if found is None or isinstance(found, Script):
        return None if found is None else Plan(sql, found)
    then = settings if found.again else {**settings, SPELLED: True}
    try:
        return plan(edited(sql, list(found.edits)), catalog, then, protected)._replace(sql=sql)
    except Error as error:
        if error.position is not None:
            error.position = found.place(error.position)
        error.sql = sql
        raise


def planned(
    sql: str,
    tokens: list[Token],
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Protected,
) -> Any:
    """The first way that fits: by tokens alone, else by the parser."""
    if tokens[0].upper == "EXPLAIN":
        return _explain(sql, tokens, catalog, settings, protected)
    if tokens[0].upper == "PLAN" and tokens[1:]:
        return _rehearsal(sql, tokens, catalog, settings, protected)
    refuse_temporary(sql, tokens)
    found: Any = attaching(sql, tokens)
    if found is None and any(catalog.sources):
        from sqlagent.plan.remote import remote

        found = remote(sql, tokens, catalog, settings, protected)
    if found is not None:
        return found
    found = simple(sql, tokens, catalog)
    word = tokens[0].upper
    if found is None and word in ("CREATE", "ALTER", "DROP", "GRANT", "REVOKE"):
        from sqlagent.plan.users import user_statement

        call = user_statement(sql, tokens)
        found = call and _silent(planned(call, lex(call), catalog, settings, protected))
    if found is None and (word in DEFINING or (catalog.definitions and word in WRITING)):
        from sqlagent.plan.materialized import statement

        found = statement(sql, tokens, catalog, settings, protected)
    found = found or defined(sql, tokens, catalog, settings, protected)
    if found is None and settings.get("dialect") == "sqlite":
        from sqlagent.plan.native import native

        found = write_table(sql, tokens) or native(sql, tokens, catalog, settings)
    if found is None and word == "CREATE":
        from sqlagent.plan.vector_index import vector_index

        call = vector_index(sql, tokens)
        found = call and planned(call, lex(call), catalog, settings, protected)
    if found is None and word in DEFINING and any(t.upper == "SEQUENCE" for t in tokens[1:3]):
        from sqlagent.plan.postgres.numbering import statement as of_sequence

        found = of_sequence(sql, tokens, catalog)
    if found is None and word == "ALTER":
        from sqlagent.plan.redefine import redefine

        found = redefine(sql, tokens, catalog, settings)
    found = found or ddl(sql, tokens, catalog)
    if tokens[0].upper == "COPY":
        from sqlagent.plan.copying_text import copy_text
        from sqlagent.plan.importing import copy_from

        found = copy_text(sql, tokens, protected) or copied(
            copy_from(sql, tokens, protected), sql, catalog, settings, protected
        )
    found = found or _nearest(sql, tokens, catalog, settings, protected)
    if found is None and not (catalog.definitions and expands(tokens, catalog)):
        found = calls.direct(sql, tokens) or _plain(sql, tokens, catalog, settings)
    found = found or write_table(sql, tokens)
    if found is None:
        from sqlagent.plan.route import route

        found = route(sql, tokens, catalog, settings, protected)
    return found


def _named(made: Any, tokens: list[Token]) -> Any:
    """A read whose outputs are called as PostgreSQL calls them."""
    from sqlagent.plan.plans import Duck

    word = tokens[0].upper
    writes = isinstance(made, Lite) and made.writes
    named = word in (*WRITING, "WITH") if writes else word in ("SELECT", "WITH", "(")
    if not isinstance(made, Lite | Duck) or not named:
        return made
    from sqlagent.plan.pg_names import pg_names

    names = pg_names(tokens)
    if names is None:
        return made
    made = made._replace(names=names)
    if isinstance(made, Duck) and made.lite is not None:
        made = made._replace(lite=made.lite._replace(names=names))
    return made


def _silent(made: Any) -> Any:
    """A statement that calls functions which write, and gives no rows of them."""
    return made._replace(silent=True) if isinstance(made, Calls) else made


def _nearest(
    sql: str,
    tokens: list[Token],
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Protected,
) -> Lite | None:
    """The plan of a SELECT of vectors that a distance orders; None for any other statement."""
    if len(tokens) < 12 or tokens[-2].upper != "LIMIT" or catalog.definitions:
        return None
    from sqlagent.plan.nearest import nearest_text

    text = nearest_text(sql, tokens, settings)
    if text is None:
        return None
    try:
        made = plan(text, catalog, {**settings, "route": "sqlite"}, protected).run
    except Error:
        return None  # the statement as it was written says what is wrong
    return made._replace(why=NEAREST) if isinstance(made, Lite) else None


def _plain(
    sql: str, tokens: list[Token], catalog: Catalog, settings: Mapping[str, Any]
) -> Lite | None:
    """The plan of a plain statement; None where it is not one."""
    numbering = Numbering(sql, tokens)

    def bind(of: list[Token], place: int, in_from: bool) -> TableCall | None:
        return calls.in_place(sql, of, place, in_from)

    reads = settings.get("route", "auto") != "duckdb"
    found = plain(tokens, catalog, settings.get("dialect", "duckdb"), reads, bind)
    if found is None:
        return None
    text, slots = sql, None
    if found.edits or any(t.kind == "param" and t.text[0] == "$" for t in tokens):
        # An edit may move parameters, and $1 is a name to SQLite: number them all.
        marks = [
            (t.start, t.start + len(t.text), f"?{numbering.of[t.start]}")
            for t in tokens
            if t.kind == "param" and not any(s <= t.start < e for s, e, _ in found.edits)
        ]
        edits = [(s, e, _numbered(x, tokens, s, e, numbering)) for s, e, x in found.edits]
        text, slots = edited(sql, marks + edits), tuple(numbering.slots)
    writes = tokens[0].upper != "SELECT"
    exact: str | bool | None = None
    if found.checked:
        exact = settings.get("route") == "sqlite" or sql[tokens[0].start :]
    return Lite(
        text, slots, writes, found.functions, found.tables, why=PLAIN,
        native=settings.get("dialect") == "sqlite", exact=exact,
    )  # fmt: skip


def _numbered(text: str, tokens: list[Token], start: int, end: int, numbering: Numbering) -> str:
    """An edit's text, in which `{n}` stands for the parameter token at offset n."""
    for token in tokens:
        if token.kind == "param" and start <= token.start < end:
            text = text.replace(f"\0{token.start}\0", f"?{numbering.of[token.start]}")
    return text


def _rehearsal(
    sql: str,
    tokens: list[Token],
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Protected,
) -> Rehearsal:
    """`PLAN statement`, of functions that write: what they would do to memories."""
    start = tokens[1].start
    inner_sql = " " * start + sql[start:]
    made: Any = None
    if tokens[1].upper in ("SELECT", "WITH", "FROM"):
        made = planned(inner_sql, tokens[1:], catalog, settings, protected)
    if not isinstance(made, Calls | WriteTable):
        raise ProgrammingError(
            "PLAN shows what a function that changes memories would do",
            sql=sql, position=start, hint="PLAN SELECT forget('ada')",
        )  # fmt: skip
    return Rehearsal(made, inner_sql)


def _explain(
    sql: str,
    tokens: list[Token],
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Protected,
) -> Any:
    """`EXPLAIN [ANALYZE] [(FORMAT json)] statement`; EXPLAIN QUERY PLAN is SQLite's own."""
    if tokens[1:] and tokens[1].upper == "QUERY":
        native_ = settings.get("dialect") == "sqlite"
        return Lite(sql, why="SQLite's own explanation", native=native_)
    place, analyze, format = 1, False, "text"
    if tokens[place:] and tokens[place].upper in ("ANALYZE", "ANALYSE"):
        analyze, place = True, place + 1
    if tokens[place:] and tokens[place].text == "(" and tokens[place + 1 :]:
        inner = tokens[place + 1].upper
        if inner in ("FORMAT", "ANALYZE", "ANALYSE"):
            while place < len(tokens) and tokens[place].text != ")":
                word = tokens[place].upper
                analyze = analyze or word in ("ANALYZE", "ANALYSE")
                if word == "FORMAT" and place + 1 < len(tokens):
                    place += 1
                    format = tokens[place].text.strip("'").lower()
                place += 1
            place += 1
    if place >= len(tokens):
        raise wrong(sql, tokens, place, "a statement to explain")
    if format not in ("text", "json"):
        raise ProgrammingError(
            f'expected the format text or json, not "{format}"', sql=sql, position=tokens[0].start
        )
    start = tokens[place].start
    # Spaces in place of the prefix keep every position where the user sees it.
    inner_sql = " " * start + sql[start:]
    made = planned(inner_sql, tokens[place:], catalog, settings, protected)
    if isinstance(made, Lite):
        made = made._replace(sql=made.sql.lstrip())
    return Explain(made, analyze, format, sql[start:])
