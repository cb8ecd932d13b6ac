"""Whole SELECTs: WITH, compounds, order and limits, in DuckDB's words."""

from __future__ import annotations

from typing import NamedTuple

from sqlagent.catalog import Catalog
from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.parse.lexer import Token, lex
from sqlagent.parse.lite import nodes as n
from sqlagent.parse.lite import parse_select
from sqlagent.parse.parameters import Numbering, edited
from sqlagent.rewrite.lite import values as v
from sqlagent.rewrite.lite.core import Core, is_place
from sqlagent.rewrite.lite.expressions import Expressions, direction
from sqlagent.rewrite.lite.scope import Scope
from sqlagent.rewrite.lite.sources import Output
from sqlagent.rewrite.lite.values import Unsaid


class Lowered(NamedTuple):
    """A SELECT in DuckDB's words; `tables` are those of the file that it reads.

    `parameters` has, for $1, $2, …, the place from 0 of the user's parameter.
    """

    sql: str
    columns: tuple[Output, ...]
    tables: tuple[str, ...]
    parameters: tuple[int, ...] = ()


def lower(sql: str, tokens: list[Token], catalog: Catalog, kinds: tuple[str, ...] = ()) -> Lowered:
    """SQLite's SELECT as DuckDB's; `kinds` are the storage classes of its parameters, in order.

    Raises ProgrammingError for what is wrong, NotSupportedError for what cannot be said exactly.
    """
    try:
        queries = Queries(sql, catalog)
        if kinds:
            queries.e.parameters = (Numbering(sql, tokens).of, kinds)
        said = queries.query(parse_select(sql, tokens), None, top=True)
        text, places = _numbered(said.sql) if kinds else (said.sql, ())
        return Lowered(text, said.columns, tuple(dict.fromkeys(queries.tables)), places)
    except Unsaid as reason:
        why = str(reason)
    except RecursionError:
        why = "a statement nested too deeply"
    raise NotSupportedError(
        f"DuckDB cannot say exactly as SQLite does: {why}", sql=sql,
        position=tokens[0].start, hint="SET route = 'auto'",
    )  # fmt: skip


class Queries:
    """Lowers the SELECTs of one statement; every source gets a name of its own, s0, s1, …"""

    def __init__(self, sql: str, catalog: Catalog) -> None:
        self.sql = sql
        self.catalog = catalog
        self.tables: list[str] = []
        self.number = 0
        self.views = 0
        self.with_: list[dict[str, tuple[str, tuple[Output, ...]]]] = [{}]
        self.e = Expressions(sql, self)

    def name(self) -> str:
        """A new name for a source."""
        self.number += 1
        return f"s{self.number - 1}"

    def inner(self, query: n.Query) -> Lowered:
        """A SELECT inside an expression, which may name what is around it."""
        return self.query(query, self.e.scope)

    def query(self, query: n.Query, parent: Scope | None, top: bool = False) -> Lowered:
        """A whole SELECT. At the top its columns keep SQLite's names, else they are c0, c1, …"""
        before = self.e.scope
        self.with_.append({})
        try:
            tables = [self.common(table) for table in query.tables]
            said, columns = self.compound(query, parent, top)
        finally:
            self.with_.pop()
            self.e.scope = before
        if tables:
            said = f"WITH {', '.join(tables)} {said}"
        return Lowered(said, columns, ())

    def common(self, table: n.Table) -> str:
        """A common table expression; one that names itself is refused."""
        if _names(table.query, table.name.lower()):
            raise Unsaid(f'the recursive "{table.name}"')
        query = self.query(table.query, None)
        columns = query.columns
        if table.columns:
            if len(table.columns) != len(columns):
                raise self.wrong(f'"{table.name}" has {len(columns)} columns', table.at)
            columns = tuple(
                c._replace(name=name) for c, name in zip(columns, table.columns, strict=True)
            )
        name = f"w{self.name()}"
        self.with_[-1][table.name.lower()] = (name, columns)
        return f"{name} AS ({query.sql})"

    def wrong(self, message: str, at: int, hint: str | None = None) -> ProgrammingError:
        """An error with its place in the user's text."""
        return ProgrammingError(message, sql=self.sql, position=at, hint=hint)

    # Compounds, order and limits ----------------------------------------------------------------

    def compound(
        self, query: n.Query, parent: Scope | None, top: bool
    ) -> tuple[str, tuple[Output, ...]]:
        """SELECTs with UNION and the like between them, ordered and limited."""
        limit = self.limit(query)
        if len(query.cores) == 1:
            core = Core(self, query.cores[0], parent)
            said = core.say(query.order, top)
            if limit and not query.order and not core.single and limit != " LIMIT 0":
                raise Unsaid("LIMIT without ORDER BY, which leaves the rows to SQLite's scan")
            return said + limit, core.columns
        cores = [Core(self, c, parent) for c in query.cores]
        rows = [core.values() for core in cores]
        width = len(rows[0])
        if any(len(row) != width for row in rows):
            raise self.wrong("SELECTs of different numbers of columns", query.at)
        kinds = [v.common([row[i] for row in rows]) for i in range(width)]
        said = cores[0].sql(kinds, top)
        for operator, core in zip(query.operators, cores[1:], strict=True):
            said = f"({said}) {operator} ({core.sql(kinds, top)})"
        columns = tuple(
            c._replace(kind=kind) for c, kind in zip(cores[0].columns, kinds, strict=True)
        )
        if query.order:
            terms = [f"{self.place(t, query, cores)}{direction(t)}" for t in query.order]
            said = f"{said} ORDER BY {', '.join(terms)}"
        elif limit and limit != " LIMIT 0":
            raise Unsaid("LIMIT without ORDER BY, which leaves the rows to SQLite's scan")
        return said + limit, columns

    def place(self, term: n.Order, query: n.Query, cores: list[Core]) -> int:
        """Which output of a compound a term of its ORDER BY is, from 1."""
        value = term.value
        if is_place(value):
            if not 1 <= value.value <= len(cores[0].columns):
                raise self.wrong(f"there is no column {value.value} to order by", query.at)
            return int(value.value)
        for core in cores:
            if isinstance(value, n.Name) and value.table is None:
                for place, column in enumerate(core.columns):
                    if column.name.lower() == value.column.lower():
                        return place + 1
            for place, node in enumerate(core.nodes):
                if node == value:
                    return place + 1
        raise Unsaid("ORDER BY of what a compound does not output")

    def limit(self, query: n.Query) -> str:
        """LIMIT and OFFSET, which are constants; less than 0 is no limit."""
        numbers: list[int | None] = []
        for node in (query.limit, query.offset):
            if node is None:
                numbers.append(None)
                continue
            if isinstance(node, n.Param):
                raise Unsaid("a LIMIT that is a parameter")
            value = self.e.value(node) if isinstance(node, n.Literal | n.Unary) else None
            if value is None or not value.known or not isinstance(value.constant, int):
                raise Unsaid("a LIMIT that is no constant")
            numbers.append(value.constant)
        limit, offset = numbers
        said = f" LIMIT {limit}" if limit is not None and limit >= 0 else ""
        return said + (f" OFFSET {offset}" if offset is not None and offset > 0 else "")


def _numbered(sql: str) -> tuple[str, tuple[int, ...]]:
    """The text with its parameters numbered from 1 without a gap, and the place of each."""
    found = [(t, int(t.text[1:])) for t in lex(sql) if t.kind == "param"]
    used = sorted({number for _, number in found})
    edits = [(t.start, t.start + len(t.text), f"${used.index(number) + 1}") for t, number in found]
    return edited(sql, edits), tuple(number - 1 for number in used)


def _names(node: object, name: str) -> bool:
    """Whether a SELECT reads a table of that name."""
    if isinstance(node, n.Source) and node.name.lower() == name:
        return True
    return isinstance(node, tuple) and any(_names(part, name) for part in node)
