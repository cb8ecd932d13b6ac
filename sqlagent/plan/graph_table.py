"""GRAPH_TABLE becomes a subquery over entities and relations, before anything else reads the text.

A pattern is a join: a vertex is a row of entities, an edge one of relations. What a pattern leaves
open (how many hops, which way round) is a UNION ALL of joins, one for each way to fill it, so each
is planned by itself and finds its indexes, on either engine. As in the standard, an answer is a
walk: one that passes a vertex or an edge twice is one too.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from sqlagent.errors import ProgrammingError, nearest
from sqlagent.parse.lexer import Token, is_name, lex, quote, quote_name
from sqlagent.parse.match import Match, Path, Reader, Vertex
from sqlagent.parse.parameters import Numbering, edited

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog

GRAPH = "agent_graph"
JOINS_MAX = 64  # that one pattern may stand for
# What may be asked of the edges of one that has a number of hops.
_OVER = {"SUM": "({})", "COUNT": "{}", "AVG": "(({}) / {})"}
Way = tuple[tuple[str, ...], ...]  # for each edge of all paths, the direction of each of its hops


def graph_tables(sql: str, catalog: Catalog | None = None) -> str:
    """The text with each GRAPH_TABLE as a subquery; as it is where it has none.

    Graphs of the users' own are those of the `catalog`.

    Raises ProgrammingError with the place of what is wrong in a pattern.
    """
    tokens = lex(sql)
    found = [
        i
        for i, t in enumerate(tokens[:-1])
        if t.upper == "GRAPH_TABLE"
        and tokens[i + 1].text == "("
        and i
        and (tokens[i - 1].upper in ("FROM", "JOIN", "LATERAL") or tokens[i - 1].text in (",", "("))
    ]
    if not found:
        return sql
    edits, labels, end = list[tuple[int, int, str]](), set[int](), -1
    written: list[tuple[int, int, Match]] = []
    for at in found:
        if at < end:
            continue
        end = _closing(sql, tokens, at + 1)
        reader = Reader(sql, tokens[at + 2 : end], tokens[end].start)
        written.append((tokens[at].start, tokens[end].start + 1, reader.match()))
        labels |= reader.labels
    # A part of the text may be written more than once, so a parameter says which one it is.
    numbering = Numbering(sql, [t for t in tokens if t.start not in labels])
    marks = dict[int, str]()
    for place, number in numbering.of.items():
        slot = numbering.slots[number - 1]
        if isinstance(slot, int):
            marks[place] = f"?{slot + 1}"
    for start, stop, match in written:
        edits.append((start, stop, expansion(sql, match, marks, catalog).text()))
    for token in tokens:
        if token.start in marks and not any(s <= token.start < e for s, e, _ in edits):
            edits.append((token.start, token.start + len(token.text), marks[token.start]))
    return edited(sql, edits)


def _closing(sql: str, tokens: list[Token], at: int) -> int:
    """The parenthesis that closes the one at a place."""
    depth = 0
    for i in range(at, len(tokens)):
        depth += (tokens[i].text == "(") - (tokens[i].text == ")")
        if not depth:
            return i
    raise ProgrammingError('"(" is not closed', sql=sql, position=tokens[at].start)


def expansion(sql: str, match: Match, marks: dict[int, str], catalog: Catalog | None) -> Expansion:
    """The pattern over the graph that it names."""
    if catalog is not None and match.graph.name.lower() in catalog.graphs:
        from sqlagent.plan.graph_walks import Walks

        return Walks(sql, match, marks, catalog)
    return Expansion(sql, match, marks, catalog.graphs if catalog is not None else ())


class Hop(NamedTuple):
    """One relation of a join: its alias, and the vertices that it leads from and to."""

    alias: str
    start: str
    end: str


class Expansion:
    """One GRAPH_TABLE as SQL text."""

    def __init__(
        self, sql: str, match: Match, marks: dict[int, str], graphs: Iterable[str] = ()
    ) -> None:
        self.sql, self.match, self.marks = sql, match, marks
        self.graphs = [GRAPH, *graphs]
        self.edges = [e for path in match.paths for e in path.edges]
        self.vertices: dict[str, str] = {}  # variable in lower case → alias
        self.groups: dict[str, int] = {}  # variable of an edge with hops → its place in `edges`
        self.singles: dict[str, int] = {}
        self.paths: dict[str, Path] = {}
        self.check()

    def wrong(self, message: str, position: int, hint: str | None = None) -> ProgrammingError:
        return ProgrammingError(message, sql=self.sql, position=position, hint=hint)

    def check(self) -> None:
        """That the graph is there, and each variable stands for one thing."""
        graph = self.match.graph
        if graph.name.lower() not in self.graphs:
            hint = nearest(graph.name, self.graphs)
            hint = hint or f"The graph of entities and relations is {GRAPH}"
            raise self.wrong(f'unknown graph "{graph.name}"', graph.start, hint)
        for path in self.match.paths:
            for vertex in path.vertices:
                if vertex.name is not None:
                    self.vertices[vertex.name.lower()] = vertex.name
            if path.name is not None:
                self.paths[path.name.lower()] = path
        for i, edge in enumerate(self.edges):
            if edge.name is None:
                continue
            key = edge.name.lower()
            if key in self.vertices or key in self.singles or key in self.groups:
                raise self.wrong(f'the variable "{edge.name}" is taken already', edge.at)
            (self.singles if edge.hops is None else self.groups)[key] = i
        for name, path in self.paths.items():
            if name in self.vertices or name in self.singles or name in self.groups:
                at = path.vertices[0].at
                raise self.wrong(f'the variable "{path.name}" is taken already', at)

    def ways(self) -> list[Way]:
        """Each way to fill what the pattern leaves open."""
        every: list[list[tuple[str, ...]]] = []
        total = 1
        for edge in self.edges:
            low, high = edge.hops or (1, 1)
            two = ("out", "in") if edge.direction == "both" else (edge.direction,)
            count = sum(len(two) ** n for n in range(low, high + 1))
            total *= count
            if total > JOINS_MAX:
                raise self.wrong(
                    f"the pattern stands for more than {JOINS_MAX} joins", edge.at,
                    "Give it fewer hops, or a direction: neighbors() and paths() go any way.",
                )  # fmt: skip
            every.append([w for n in range(low, high + 1) for w in product(two, repeat=n)])
        return list(product(*every))

    def text(self) -> str:
        """The subquery."""
        return "(" + " UNION ALL ".join(self.join(way) for way in self.ways()) + ")"

    def join(self, way: Way) -> str:
        """The SELECT of one way."""
        hops: list[list[Hop]] = []
        tables, conditions = list[str](), list[str]()
        ends: dict[str, str] = {}  # vertex alias → the expression that is its id
        same: list[tuple[str, str]] = []  # vertices that are one, over no hop at all
        used = iter(range(len(self.edges)))
        for number, path in enumerate(self.match.paths):
            aliases = [self.alias(v, number, i) for i, v in enumerate(path.vertices)]
            for i in range(len(path.edges)):
                at = next(used)
                hops.append(self.hops(at, way[at], aliases[i], aliases[i + 1]))
                if not way[at]:
                    same.append((aliases[i], aliases[i + 1]))
            for alias, vertex in zip(aliases, path.vertices, strict=True):
                plain = vertex.name is None and not vertex.labels and not vertex.where
                if not (plain and path.edges) and alias not in ends:
                    ends[alias] = f"{alias}.entity_id"
                    tables.append(f"entities AS {alias}")
                if vertex.labels:
                    conditions.append(f"{alias}.kind IN ({_list(vertex.labels)})")
                if vertex.where:
                    conditions.append(self.written(vertex.where, hops, way))
        for i, taken in enumerate(hops):
            edge = self.edges[i]
            for hop, direction in zip(taken, way[i], strict=True):
                tables.append(f"relations AS {hop.alias}")
                here, there = "subject_id", "object_id"
                if direction == "in":
                    here, there = there, here
                for end, column in ((hop.start, here), (hop.end, there)):
                    own = f"{hop.alias}.{column}"
                    if end in ends:
                        conditions.append(f"{ends[end]} = {own}")
                    else:
                        ends[end] = own
                if edge.direction == "both" and direction == "in":
                    conditions.append(f"{hop.alias}.subject_id <> {hop.alias}.object_id")
                if edge.labels:
                    conditions.append(f"{hop.alias}.predicate IN ({_list(edge.labels)})")
                if edge.where:
                    conditions.append(
                        self.written(edge.where, hops, way, {(edge.name or "").lower(): hop.alias})
                    )
        for pair in same:
            for alias in pair:
                if alias not in ends:
                    ends[alias] = f"{alias}.entity_id"
                    tables.append(f"entities AS {alias}")
            conditions.append(f"{ends[pair[0]]} = {ends[pair[1]]}")
        if self.match.where:
            conditions.append(self.written(self.match.where, hops, way))
        outputs = [self.written(c, hops, way, output=True) for c in self.match.columns]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT {', '.join(outputs)} FROM {', '.join(tables)}{where}"

    def alias(self, vertex: Vertex, path: int, at: int) -> str:
        """A vertex's alias: the same wherever its variable stands."""
        if vertex.name is not None:
            return quote_name(self.vertices[vertex.name.lower()])
        return quote_name(f"vertex_{path + 1}_{at + 1}")

    def hops(self, at: int, directions: tuple[str, ...], start: str, end: str) -> list[Hop]:
        """The relations of an edge, from one vertex to the other over nameless ones."""
        edge = self.edges[at]
        base = edge.name if edge.name is not None else f"edge_{at + 1}"
        if edge.hops is None:
            return [Hop(quote_name(base), start, end)]
        found, here = list[Hop](), start
        for n in range(len(directions)):
            there = end if n == len(directions) - 1 else quote_name(f"vertex_of_{at + 1}_{n + 1}")
            found.append(Hop(quote_name(f"{base}_{n + 1}"), here, there))
            here = there
        return found

    # Expressions ----------------------------------------------------------------------------------

    def written(
        self,
        tokens: tuple[Token, ...],
        hops: list[list[Hop]],
        way: Way,
        renamed: dict[str, str] | None = None,
        output: bool = False,
    ) -> str:
        """An expression of the user's, with its variables as they are called here."""
        edits = list[tuple[int, int, str]]()
        renamed = renamed or {}
        place, inner = 0, any(t.upper == "SELECT" for t in tokens)
        while place < len(tokens):
            token = tokens[place]
            after = tokens[place + 1].text if place + 1 < len(tokens) else ""
            before = tokens[place - 1].text if place else ""
            stop = token.start + len(token.text)
            if token.start in self.marks:
                edits.append((token.start, stop, self.marks[token.start]))
            elif is_name(token) and before != ".":
                key = token.name.lower()
                call = self.called(tokens, place, hops, way) if after == "(" else None
                if call is not None:
                    edits.append((token.start, call[1], call[0]))
                    place = next(
                        (i for i, t in enumerate(tokens) if t.start >= call[1]), len(tokens)
                    )
                    continue
                if after == ".":
                    if key in renamed:
                        edits.append(self.property(tokens, place, renamed[key]))
                    elif key in self.groups:
                        raise self.wrong(
                            f'"{token.name}" stands for several relations', token.start,
                            f"Use sum({token.name}.weight), avg(…) or count({token.name}).",
                        )  # fmt: skip
                    elif key in self.vertices or key in self.singles:
                        edits.append(self.property(tokens, place))
                    elif not inner:
                        known = [*self.vertices, *self.singles, *self.groups]
                        raise self.wrong(
                            f'unknown variable "{token.name}" in the pattern', token.start,
                            nearest(token.name, known),
                        )  # fmt: skip
            place += 1
        start, end = tokens[0].start, tokens[-1].start + len(tokens[-1].text)
        moved = [(s - start, e - start, text) for s, e, text in edits]
        text = edited(self.sql[start:end], moved)
        text = text + "\n" if "--" in text else text
        return text if output else f"({text})"

    def property(
        self, tokens: tuple[Token, ...], place: int, alias: str | None = None
    ) -> tuple[int, int, str]:
        """The edit of a variable before a dot; `alias` is what it stands for, if that is known."""
        token = tokens[place]
        key = token.name.lower()
        if alias is None:
            name = self.vertices.get(key) or self.edges[self.singles[key]].name or ""
            alias = quote_name(name)
        return token.start, token.start + len(token.text), alias

    def value(self, hop: Hop, column: str) -> str:
        """A column of one hop of an edge that has a number of them."""
        return f"{hop.alias}.{quote_name(column)}"

    def called(
        self, tokens: tuple[Token, ...], place: int, hops: list[list[Hop]], way: Way
    ) -> tuple[str, int] | None:
        """What a call over a path or an edge with hops becomes, and where it ends."""
        word = tokens[place].upper
        inside = tokens[place + 2 : place + 6]
        if not inside or not is_name(inside[0]):
            return None
        key = inside[0].name.lower()
        texts = [t.text for t in inside]
        if word == "PATH_LENGTH" and texts[1:2] == [")"]:
            if key not in self.paths:
                raise self.wrong(
                    f'unknown path "{inside[0].name}"', inside[0].start,
                    nearest(inside[0].name, list(self.paths)) or "Name it: MATCH p = (a)-[r]->(b)",
                )  # fmt: skip
            first = 0
            for path in self.match.paths:
                if path is self.paths[key]:
                    total = sum(len(way[first + i]) for i in range(len(path.edges)))
                    return str(total), inside[1].start + 1
                first += len(path.edges)
        if word not in _OVER or key not in self.groups:
            return None
        taken = hops[self.groups[key]]
        if word == "COUNT" and texts[1:2] == [")"]:
            return str(len(taken)), inside[1].start + 1
        if texts[1:2] != ["."] or texts[3:4] != [")"]:
            raise self.wrong(f"expected {word.lower()}({inside[0].name}.weight)", inside[0].start)
        values = [self.value(hop, inside[2].name) for hop in taken]
        stop = inside[3].start + 1
        if word == "COUNT":
            return _counted(values), stop
        if not values:
            return "CAST(NULL AS DOUBLE)", stop
        return _OVER[word].format(" + ".join(values), f"{len(values)}.0"), stop


def _counted(values: Iterable[str]) -> str:
    """How many of these are not NULL."""
    parts = [f"CASE WHEN {value} IS NULL THEN 0 ELSE 1 END" for value in values]
    return f"({' + '.join(parts)})" if parts else "0"


def _list(labels: Iterable[str]) -> str:
    return ", ".join(quote(label) for label in labels)
