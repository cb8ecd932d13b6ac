"""SELECTs: their sources, groups, outputs, compounds and order, in DuckDB's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sqlagent.catalog import Catalog, Table
from sqlagent.catalog import Column as Declared
from sqlagent.errors import NotSupportedError, ProgrammingError, nearest
from sqlagent.parse.lexer import Token, lex, quote_name
from sqlagent.parse.lite import nodes as n
from sqlagent.parse.lite import parse_select
from sqlagent.rewrite.lite import compare, functions
from sqlagent.rewrite.lite import values as v
from sqlagent.rewrite.lite.expressions import Expressions, direction, has_aggregate
from sqlagent.rewrite.lite.scope import Column, Scope, Source
from sqlagent.rewrite.lite.values import Unsaid, Value
from sqlagent.types import affinity

_VIEWS_MAX = 32  # views within views
_BY_TYPE = {
    ("BIGINT", "INTEGER"): (v.INTEGER, None), ("DOUBLE", "REAL"): (v.REAL, None),
    ("VARCHAR", "TEXT"): (v.TEXT, None), ("BLOB", "BLOB"): (v.BLOB, None),
    ("BOOLEAN", "NUMERIC"): (v.INTEGER, "CAST({} AS BIGINT)"),
    ("DATE", "NUMERIC"): (v.TEXT, "CAST({} AS VARCHAR)"),
}  # fmt: skip


class Output(NamedTuple):
    """A result column: its name in SQLite, its storage class and affinity."""

    name: str
    kind: str
    affinity: str | None


class Lowered(NamedTuple):
    """A SELECT in DuckDB's words; `tables` are those of the file that it reads."""

    sql: str
    columns: tuple[Output, ...]
    tables: tuple[str, ...]


def lower(sql: str, tokens: list[Token], catalog: Catalog) -> Lowered:
    """SQLite's SELECT as DuckDB's.

    Raises ProgrammingError for what is wrong, NotSupportedError for what cannot be said exactly.
    """
    try:
        queries = Queries(sql, catalog)
        said = queries.query(parse_select(sql, tokens), None, top=True)
        return said._replace(tables=tuple(dict.fromkeys(queries.tables)))
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
        if _is_place(value):
            if not 1 <= value.value <= len(cores[0].columns):
                raise self.wrong(f"there is no column {value.value} to order by", query.at)
            return value.value
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
            value = self.e.value(node) if isinstance(node, n.Literal | n.Unary) else None
            if value is None or not value.known or not isinstance(value.constant, int):
                raise Unsaid("a LIMIT that is no constant")
            numbers.append(value.constant)
        limit, offset = numbers
        said = f" LIMIT {limit}" if limit is not None and limit >= 0 else ""
        return said + (f" OFFSET {offset}" if offset is not None and offset > 0 else "")


class Core:
    """One SELECT: its scope is read when it is made, its words are said afterwards."""

    def __init__(self, queries: Queries, node: n.Core, parent: Scope | None) -> None:
        self.q = queries
        self.e = queries.e
        self.node = node
        self.scope = Scope(parent)
        self.e.scope = self.scope
        self.columns: tuple[Output, ...] = ()
        self.nodes: list[n.Expr] = []
        self.single = False  # never more than one row
        self._values: list[Value] | None = None
        self._from = ""
        self._where = ""
        self._group = ""
        self._having = ""

    # Outputs ------------------------------------------------------------------------------------

    def values(self) -> list[Value]:
        """The values of the result columns."""
        if self._values is not None:
            return self._values
        self.e.scope = self.scope
        if self.node.rows:
            return self.rows()
        node, scope = self.node, self.scope
        self._from = self.joins(node.joins)
        scope.aliases = {}
        for output in node.outputs:
            if isinstance(output, n.Output) and output.alias is not None:
                scope.aliases.setdefault(output.alias.lower(), self.alias(output.value))
        scope.aggregates = False
        if node.where is not None:
            self._where = f" WHERE {v.truth(self.e.value(node.where))}"
        self.groups()
        scope.aggregates = True
        found, columns = [], []
        for output in node.outputs:
            if isinstance(output, n.Star):
                for name, value in self.star(output):
                    found.append(value)
                    self.nodes.append(None)
                    columns.append(Output(name, value.kind, value.affinity))
                continue
            value = v.plain(self.e.value(output.value))
            found.append(value)
            self.nodes.append(output.value)
            name = output.alias if output.alias is not None else self.named(output)
            columns.append(Output(name, value.kind, value.affinity))
        if node.having is not None:
            both = f"{self._having} AND" if self._having else " HAVING"
            self._having = f"{both} {v.truth(self.e.value(node.having))}"
        self.columns = tuple(columns)
        self._values = found
        return found

    def rows(self) -> list[Value]:
        """VALUES: a kind for each column, over all its rows."""
        rows = [[v.plain(self.e.value(x)) for x in row] for row in self.node.rows]
        if any(len(row) != len(rows[0]) for row in rows):
            raise self.q.wrong("all VALUES need the same number of terms", self.node.at)
        kinds = [v.common(list(column)) for column in zip(*rows, strict=True)]
        self.columns = tuple(Output(f"column{i + 1}", kind, None) for i, kind in enumerate(kinds))
        self.nodes = [None] * len(kinds)
        self.single = len(rows) == 1
        said = [f"({', '.join(map(v.typed, row, kinds))})" for row in rows]
        name = self.q.name()
        names = ", ".join(f"c{i}" for i in range(len(kinds)))
        self._from = f" FROM (VALUES {', '.join(said)}) AS {name}({names})"
        self._values = [Value(v.column(name, f"c{i}"), kind) for i, kind in enumerate(kinds)]
        return self._values

    def alias(self, node: n.Expr) -> Callable[[], Value]:
        """What an output's alias means elsewhere in the SELECT: its expression."""

        def said() -> Value:
            kept = self.scope.aliases
            self.scope.aliases = {}
            before, self.e.scope = self.e.scope, self.scope
            try:
                return self.e.value(node)
            finally:
                self.scope.aliases = kept
                self.e.scope = before

        return said

    def named(self, output: n.Output) -> str:
        """SQLite's name of an output without an alias: its column's, else its text."""
        if isinstance(output.value, n.Name):
            found = self.scope.find(output.value.table, output.value.column)
            if found is not None:
                column = found.source.find(output.value.column.lower())
                return column.name if column is not None else output.text
        return output.text

    def star(self, star: n.Star) -> list[tuple[str, Value]]:
        """The columns that `*` stands for."""
        found = []
        for source in self.scope.sources:
            if star.table is not None and source.alias != star.table.lower():
                continue
            for column in source.columns:
                lowered = column.name.lower()
                if star.table is None and lowered in source.hidden:
                    continue
                name = n.Name(source.alias, column.name, False, star.at)
                value = source.value(column)
                if star.table is None and lowered in self.scope.merged:
                    value = self.scope.merged[lowered]
                elif self.scope.grouped:
                    value = self.e.value(name)
                found.append((column.name, value))
        if not found:
            raise self.q.wrong(f'no table is called "{star.table}"' if star.table else
                               "there are no tables for *", star.at)  # fmt: skip
        return found

    # Saying -------------------------------------------------------------------------------------

    def sql(self, kinds: list[str], top: bool) -> str:
        """The SELECT without order, its columns of `kinds`."""
        values = self.values()
        said = []
        for place, (value, kind) in enumerate(zip(values, kinds, strict=True)):
            name = quote_name(self.columns[place].name) if top else f"c{place}"
            said.append(f"{v.typed(value, kind)} AS {name}")
        distinct = "DISTINCT " if self.node.distinct else ""
        return (
            f"SELECT {distinct}{', '.join(said)}{self._from}{self._where}{self._group}"
            f"{self._having}"
        )

    def say(self, order: tuple[n.Order, ...], top: bool) -> str:
        """The SELECT with its ORDER BY."""
        values = self.values()
        said = self.sql([x.kind for x in values], top)
        if not order:
            return said
        terms = [f"{self.term(term.value, values)}{direction(term)}" for term in order]
        return f"{said} ORDER BY {', '.join(terms)}"

    def term(self, node: n.Expr, values: list[Value]) -> str:
        """A term of ORDER BY: an output by its place or alias, else an expression."""
        if _is_place(node):
            if not 1 <= node.value <= len(values):
                raise self.q.wrong(f"there is no column {node.value} to order by", self.node.at)
            return str(node.value)
        if isinstance(node, n.Name) and node.table is None:
            for place, output in enumerate(self.node.outputs):
                alias = output.alias if isinstance(output, n.Output) else None
                if alias is not None and alias.lower() == node.column.lower():
                    if not any(isinstance(o, n.Star) for o in self.node.outputs[:place]):
                        return str(place + 1)
        self.e.scope = self.scope
        value = v.plain(self.e.value(node))
        for place, said in enumerate(values):
            if said.sql == value.sql:
                return str(place + 1)
        if self.node.distinct:
            raise Unsaid("ORDER BY of what SELECT DISTINCT does not output")
        return v.typed(value, value.kind)

    # Groups -------------------------------------------------------------------------------------

    def groups(self) -> None:
        """GROUP BY: expressions, places of outputs, aliases."""
        node, scope = self.node, self.scope
        outputs = [o for o in node.outputs if isinstance(o, n.Output)]
        aggregated = any(has_aggregate(o.value) for o in outputs) or (
            node.having is not None and has_aggregate(node.having)
        )
        if not node.group:
            scope.grouped = aggregated
            # An aggregate that folded to a constant still makes one row of all.
            self._having = " HAVING count(*) >= 0" if aggregated else ""
            self.single = aggregated or not node.joins
            if node.having is not None and not aggregated:
                raise self.q.wrong("HAVING without GROUP BY or an aggregate", node.at)
            return
        keys = {}
        for key in node.group:
            if _is_place(key):
                if not 1 <= key.value <= len(node.outputs):
                    raise self.q.wrong(f"there is no column {key.value} to group by", node.at)
                if len(outputs) < len(node.outputs):
                    raise Unsaid("GROUP BY of a place beside *")
                key = outputs[key.value - 1].value
            value = v.plain(self.e.value(key))
            if not value.known:
                keys[value.sql] = value
        scope.groups, scope.grouped = keys, True
        # A constant key makes one group of all rows, and none where there are no rows.
        self._group = f" GROUP BY {', '.join(keys)}" if keys else " GROUP BY CAST(1 AS BIGINT)"

    # Sources ------------------------------------------------------------------------------------

    def joins(self, joins: tuple[n.Join, ...]) -> str:
        """FROM and its joins."""
        if not joins:
            return ""
        return f" FROM {self.joined(joins)}"

    def joined(self, joins: tuple[n.Join, ...]) -> str:
        """Sources joined from left to right."""
        said = ""
        for join in joins:
            start = len(self.scope.sources)
            source = self.source(join.source)
            if not said:
                said = source
                continue
            test = self.test(join, start)
            if test:
                said = f"{said} {join.kind} JOIN {source} ON {test}"
            elif join.kind == "INNER":
                said = f"{said} CROSS JOIN {source}"
            else:
                said = f"{said} {join.kind} JOIN {source} ON true"
        return said

    def test(self, join: n.Join, start: int) -> str:
        """The condition of a join: ON, or the columns that USING and NATURAL compare."""
        if join.on is not None:
            return v.truth(self.e.value(join.on))
        left, right = self.scope.sources[:start], self.scope.sources[start:]
        names = list(join.using)
        if join.natural:
            theirs = {
                c.name.lower() for s in left for c in s.columns if c.name.lower() not in s.hidden
            }
            names = [c.name for s in right for c in s.columns if c.name.lower() in theirs]
        tests = []
        for name in names:
            lowered = name.lower()
            a = next((s for s in left if lowered not in s.hidden and s.find(lowered)), None)
            b = next((s for s in right if s.find(lowered)), None)
            if a is None or b is None:
                raise self.q.wrong(f'both sides of USING need a column "{name}"', join.source.at)
            one, other = (s.value(c) for s in (a, b) if (c := s.find(lowered)) is not None)
            one = self.scope.merged.get(lowered, one)
            tests.append(v.truth(compare.compare("=", one, other)))
            b.hidden.add(lowered)
            if join.kind in ("RIGHT", "FULL"):
                merged = functions.coalesce(one, other)
                self.scope.merged[lowered] = merged._replace(affinity=one.affinity)
        return " AND ".join(tests)

    def source(self, node: n.Source) -> str:
        """One source, taken into the scope."""
        if node.inner:
            if node.alias is not None:
                raise Unsaid("joins in parentheses with an alias")
            return f"({self.joined(node.inner)})"
        if node.query is not None:
            query = self.q.query(node.query, self.scope.parent)
            return self.derived(query.sql, query.columns, node.alias or "")
        lowered = node.name.lower()
        for known in reversed(self.q.with_):
            if lowered in known:
                name, columns = known[lowered]
                return self.derived(f"FROM {name}", columns, node.alias or node.name)
        table = self.q.catalog.table(node.name)
        if table is None:
            hint = nearest(node.name, self.q.catalog.tables)
            raise ProgrammingError(
                f'unknown table "{node.name}"', sql=self.q.sql, position=node.at, hint=hint,
                sqlstate="42P01",
            )  # fmt: skip
        if table.kind == "view":
            return self.view(table, node)
        if table.kind != "table":
            raise Unsaid(f'"{node.name}", a virtual table of SQLite')
        self.q.tables.append(lowered)
        name = self.q.name()
        fields = [_column(c, table) for c in table.columns]
        key = table.key if table.key != "rowid" else None
        self.scope.sources.append(Source(node.alias or node.name, name, fields, key))
        return f"main.{quote_name(table.name)} AS {name}"

    def derived(self, sql: str, columns: tuple[Output, ...], alias: str) -> str:
        """A subquery, whose columns are c0, c1, …"""
        name = self.q.name()
        # DuckDB is told c0, c1, …; the user's names are those of the scope.
        found = [
            Column(c.name, c.kind, c.affinity, sql=v.column(name, f"c{i}"))
            for i, c in enumerate(columns)
        ]
        self.scope.sources.append(Source(alias, name, found, None))
        return f"({sql}) AS {name}"

    def view(self, table: Table, node: n.Source) -> str:
        """A view: its SELECT in its place, with the names that the catalog has."""
        queries = self.q
        queries.views += 1
        if queries.views > _VIEWS_MAX:
            raise Unsaid("views within views without end")
        sql = table.sql or ""
        tokens = lex(sql)
        start = next((i for i, t in enumerate(tokens) if t.upper == "AS"), 0)
        kept, queries.with_ = queries.with_, [{}]
        try:
            query = queries.query(parse_select(sql, tokens[start + 1 :]), None)
        finally:
            queries.with_ = kept
            queries.views -= 1
        names = tuple(
            c._replace(name=d.name) for c, d in zip(query.columns, table.columns, strict=True)
        )
        return self.derived(query.sql, names, node.alias or node.name)


def _column(declared: Declared, table: Table) -> Column:
    """A column of a table; its kind is known where its type and its affinity agree."""
    kind, said = _BY_TYPE.get((declared.type or "", affinity(declared.declared)), (None, None))
    reason = f'the column "{declared.name}", declared {declared.declared or "without a type"}'
    if table.collated and kind == v.TEXT:
        kind, reason = None, f'TEXT of "{table.name}", which declares a collation'
    return Column(declared.name, kind, affinity(declared.declared), reason, said)


def _is_place(node: n.Expr) -> bool:
    """Whether a term is a number of 32 bits, which is the place of an output."""
    return isinstance(node, n.Literal) and isinstance(node.value, int) and abs(node.value) < 2**31


def _names(node: object, name: str) -> bool:
    """Whether a SELECT reads a table of that name."""
    if isinstance(node, n.Source) and node.name.lower() == name:
        return True
    return isinstance(node, tuple) and any(_names(part, name) for part in node)
