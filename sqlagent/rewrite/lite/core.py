"""One SELECT: its groups, outputs and order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlagent.parse.lexer import quote_name
from sqlagent.parse.lite import nodes as n
from sqlagent.rewrite.lite import values as v
from sqlagent.rewrite.lite.expressions import direction, has_aggregate
from sqlagent.rewrite.lite.scope import Scope
from sqlagent.rewrite.lite.sources import Output, Sources
from sqlagent.rewrite.lite.values import Unsaid, Value

if TYPE_CHECKING:
    from sqlagent.rewrite.lite.queries import Queries


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
        self._from = Sources(self.q, scope).joins(node.joins)
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
        if is_place(node):
            if not 1 <= node.value <= len(values):
                raise self.q.wrong(f"there is no column {node.value} to order by", self.node.at)
            return str(node.value)
        if isinstance(node, n.Name) and node.table is None:
            place = self.aliased(node.column)
            if place is not None:
                return str(place)
        self.e.scope = self.scope
        value = v.plain(self.e.value(node))
        for place, said in enumerate(values):
            if said.sql == value.sql:
                return str(place + 1)
        if self.node.distinct:
            raise Unsaid("ORDER BY of what SELECT DISTINCT does not output")
        return v.typed(value, value.kind)

    def aliased(self, name: str) -> int | None:
        """The place of the output with that alias, from 1; none behind a `*`, which has several."""
        for place, output in enumerate(self.node.outputs):
            if isinstance(output, n.Star):
                return None
            if output.alias is not None and output.alias.lower() == name.lower():
                return place + 1
        return None

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
            if is_place(key):
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


def is_place(node: n.Expr) -> bool:
    """Whether a term is a number of 32 bits, which is the place of an output."""
    return isinstance(node, n.Literal) and isinstance(node.value, int) and abs(node.value) < 2**31
