"""GRAPH_TABLE over a graph of the user's own: its tables of vertices and edges are joined.

What a pattern leaves open (which table, how many hops, which way round) is a UNION ALL of joins,
one for each way to fill it. A property that a table does not have is NULL there. An edge whose end
is no vertex is not in the graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from sqlagent.errors import ProgrammingError, nearest
from sqlagent.parse.lexer import Token, is_name, quote_name
from sqlagent.parse.match import Edge, Match, Vertex
from sqlagent.parse.property_graph import Element, End
from sqlagent.plan.graph_table import JOINS_MAX, Expansion, Hop
from sqlagent.plan.property_graph import named

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog


class Taken(NamedTuple):
    """A hop: over which table of edges, and which way."""

    edge: int
    direction: str


class Fill(NamedTuple):
    """One way to fill a pattern: the table of each vertex of all paths, the hops of each edge."""

    vertices: tuple[int, ...]
    hops: tuple[tuple[Taken, ...], ...]


class Walks(Expansion):
    """One GRAPH_TABLE over a user's graph as SQL text."""

    def __init__(self, sql: str, match: Match, marks: dict[int, str], catalog: Catalog) -> None:
        graph = named(match.graph.name, catalog)
        assert graph is not None  # who asks has looked
        self.graph, self.catalog = graph, catalog
        self.elements: dict[str, Element] = {}  # of the join that is written, by alias
        super().__init__(sql, match, marks, [match.graph.name.lower()])
        for path in match.paths:
            for vertex in path.vertices:
                self.known(vertex.labels, graph.vertices, vertex.at)
        for edge in self.edges:
            self.known(edge.labels, graph.edges, edge.at)

    def known(self, labels: tuple[str, ...], elements: tuple[Element, ...], at: int) -> None:
        """Raise ProgrammingError for a label that no table has."""
        every = sorted({label for one in elements for label in one.labels})
        for label in labels:
            if not any(fits((label,), one) for one in elements):
                raise self.wrong(
                    f'unknown label "{label}"', at,
                    nearest(label, every) or f"The labels are {', '.join(every)}",
                )  # fmt: skip

    # The ways -------------------------------------------------------------------------------------

    def fills(self) -> Iterator[Fill]:
        """Each way to fill the pattern."""
        yield from self.from_path(0, {}, (), ())

    def from_path(
        self,
        number: int,
        bound: dict[str, int],
        vertices: tuple[int, ...],
        hops: tuple[tuple[Taken, ...], ...],
    ) -> Iterator[Fill]:
        """The ways from a path on."""
        if number == len(self.match.paths):
            yield Fill(vertices, hops)
            return
        first = self.match.paths[number].vertices[0]
        for table in range(len(self.graph.vertices)):
            more = self.fitting(first, table, bound)
            if more is not None:
                yield from self.from_vertex(number, 0, more, (*vertices, table), hops)

    def from_vertex(
        self,
        number: int,
        at: int,
        bound: dict[str, int],
        vertices: tuple[int, ...],
        hops: tuple[tuple[Taken, ...], ...],
    ) -> Iterator[Fill]:
        """The ways from a vertex of a path on; its table is the last of `vertices`."""
        path = self.match.paths[number]
        if at == len(path.edges):
            yield from self.from_path(number + 1, bound, vertices, hops)
            return
        edge = path.edges[at]
        low, high = edge.hops or (1, 1)
        for count in range(low, high + 1):
            for taken, table in self.walks(edge, vertices[-1], count):
                more = self.fitting(path.vertices[at + 1], table, bound)
                if more is not None:
                    yield from self.from_vertex(
                        number, at + 1, more, (*vertices, table), (*hops, taken)
                    )

    def fitting(self, vertex: Vertex, table: int, bound: dict[str, int]) -> dict[str, int] | None:
        """The tables of the variables where a vertex is of this one; None where it cannot be."""
        if not fits(vertex.labels, self.graph.vertices[table]):
            return None
        if vertex.name is None:
            return bound
        key = vertex.name.lower()
        return {**bound, key: table} if bound.get(key, table) == table else None

    def walks(self, edge: Edge, table: int, count: int) -> Iterator[tuple[tuple[Taken, ...], int]]:
        """Each way to take so many hops from a table of vertices, and the table that it ends in."""
        if not count:
            yield (), table
            return
        for place, element in enumerate(self.graph.edges):
            if not fits(edge.labels, element):
                continue
            for direction in ("out", "in"):
                start, stop = ends(element, direction)
                if edge.direction not in (direction, "both"):
                    continue
                if self.graph.vertex(start.vertex) != table:
                    continue
                after = self.graph.vertex(stop.vertex)
                assert after is not None  # checked where the graph was read
                for rest, end in self.walks(edge, after, count - 1):
                    yield (Taken(place, direction), *rest), end

    # The text -------------------------------------------------------------------------------------

    def text(self) -> str:
        """The subquery."""
        written = list[str]()
        for fill in self.fills():
            if len(written) == JOINS_MAX:
                raise self.wrong(
                    f"the pattern stands for more than {JOINS_MAX} joins", self.match.graph.start,
                    "Give it labels, fewer hops, or a direction.",
                )  # fmt: skip
            written.append(self.select(fill))
        if not written:
            name = self.match.graph.name
            tied = ", ".join(
                f"({e.source.vertex})-[{e.name}]->({e.destination.vertex})"
                for e in self.graph.edges if e.source and e.destination
            )  # fmt: skip
            raise self.wrong(
                f'nothing in the graph "{name}" fits the pattern', self.match.graph.start,
                f"Its edges are {tied}" if tied else "It has no edges",
            )  # fmt: skip
        return "(" + " UNION ALL ".join(written) + ")"

    def select(self, fill: Fill) -> str:
        """The SELECT of one way."""
        self.elements = {}
        tables, conditions = list[str](), list[str]()
        hops: list[list[Hop]] = []
        places, used = iter(fill.vertices), iter(range(len(self.edges)))

        def join(alias: str, element: Element) -> None:
            if alias not in self.elements:
                self.elements[alias] = element
                tables.append(f"{quote_name(element.table)} AS {alias}")

        for number, path in enumerate(self.match.paths):
            aliases = [self.alias(v, number, i) for i, v in enumerate(path.vertices)]
            for alias in aliases:
                join(alias, self.graph.vertices[next(places)])
            for i in range(len(path.edges)):
                at = next(used)
                way = fill.hops[at]
                hops.append(self.hops(at, tuple(t.direction for t in way), *aliases[i : i + 2]))
                if not way:
                    key = self.elements[aliases[i]].key
                    conditions += equal(aliases[i], key, aliases[i + 1], key)
                for hop, taken in zip(hops[-1], way, strict=True):
                    edge = self.graph.edges[taken.edge]
                    join(hop.alias, edge)
                    start, stop = ends(edge, taken.direction)
                    after = self.graph.vertex(stop.vertex)
                    assert after is not None  # checked where the graph was read
                    join(hop.end, self.graph.vertices[after])
                    conditions += equal(hop.alias, start.own, hop.start, start.theirs)
                    conditions += equal(hop.alias, stop.own, hop.end, stop.theirs)
                    both = self.edges[at].direction == "both" and taken.direction == "in"
                    if both and (start.vertex, start.theirs) == (stop.vertex, stop.theirs):
                        loop = " AND ".join(equal(hop.alias, start.own, hop.alias, stop.own))
                        conditions.append(f"NOT ({loop})")
        way_taken = tuple(tuple(t.direction for t in way) for way in fill.hops)
        for path in self.match.paths:
            for vertex in path.vertices:
                if vertex.where:
                    conditions.append(self.written(vertex.where, hops, way_taken))
        for edge_pattern, taken_hops in zip(self.edges, hops, strict=True):
            for hop in taken_hops if edge_pattern.where else ():
                own = {(edge_pattern.name or "").lower(): hop.alias}
                conditions.append(self.written(edge_pattern.where, hops, way_taken, own))
        if self.match.where:
            conditions.append(self.written(self.match.where, hops, way_taken))
        outputs = [self.output(c, hops, way_taken) for c in self.match.columns]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT {', '.join(outputs)} FROM {', '.join(tables)}{where}"

    def output(
        self, tokens: tuple[Token, ...], hops: list[list[Hop]], way: tuple[tuple[str, ...], ...]
    ) -> str:
        """A column of the result; a property keeps its name where it is NULL, too."""
        text = self.written(tokens, hops, way, output=True)
        plain = len(tokens) == 3 and tokens[1].text == "." and is_name(tokens[2])
        return f"{text} AS {quote_name(tokens[2].name)}" if plain else text

    # Properties -----------------------------------------------------------------------------------

    def property(
        self, tokens: tuple[Token, ...], place: int, alias: str | None = None
    ) -> tuple[int, int, str]:
        """The edit of `variable.property`: NULL where the table of this join does not have it."""
        start, stop, alias = super().property(tokens, place, alias)
        if place + 2 >= len(tokens) or not is_name(tokens[place + 2]):
            raise self.wrong(f"a property of {tokens[place].name} is a name", tokens[place].start)
        column = tokens[place + 2]
        if self.has(self.elements[alias], column.name):
            return start, stop, alias
        self.somewhere(column.name, self.elements[alias], column.start)
        return start, column.start + len(column.text), "NULL"

    def value(self, hop: Hop, column: str) -> str:
        """A property of one hop of an edge that has a number of them."""
        element = self.elements[hop.alias]
        if self.has(element, column):
            return super().value(hop, column)
        self.somewhere(column, element, self.match.graph.start)
        return "NULL"

    def has(self, element: Element, column: str) -> bool:
        """Whether a table shows a column."""
        table = self.catalog.table(element.table)
        return element.shows(column) and table is not None and table.column(column) is not None

    def somewhere(self, column: str, element: Element, at: int) -> None:
        """Raise ProgrammingError for a property that no table of its kind has."""
        kind = self.graph.vertices if element.source is None else self.graph.edges
        if any(self.has(other, column) for other in kind):
            return
        found = [self.catalog.table(one.table) for one in kind]
        known = [c.name for t in found if t is not None for c in t.columns]
        raise ProgrammingError(
            f'unknown property "{column}"', sql=self.sql, position=at,
            hint=nearest(column, known), sqlstate="42703",
        )  # fmt: skip


def fits(labels: tuple[str, ...], element: Element) -> bool:
    """Whether a table has one of the labels; any does where none is asked for."""
    own = {label.lower() for label in element.labels}
    return not labels or any(label.lower() in own for label in labels)


def ends(edge: Element, direction: str) -> tuple[End, End]:
    """Where a hop over an edge starts and stops."""
    assert edge.source is not None and edge.destination is not None  # an edge has both
    pair = edge.source, edge.destination
    return pair if direction == "out" else pair[::-1]


def equal(one: str, columns: tuple[str, ...], other: str, others: tuple[str, ...]) -> list[str]:
    """The conditions that columns of two aliases are equal, each with its own."""
    return [
        f"{one}.{quote_name(a)} = {other}.{quote_name(b)}"
        for a, b in zip(columns, others, strict=True)
    ]
