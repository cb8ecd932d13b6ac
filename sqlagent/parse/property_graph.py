"""CREATE PROPERTY GRAPH as SQL/PGQ writes it (ISO/IEC 9075-16), read from its tokens.

CREATE PROPERTY GRAPH shop
  VERTEX TABLES (people KEY (id) LABEL person PROPERTIES (name, born), items)
  EDGE TABLES (orders SOURCE KEY (person_id) REFERENCES people (id)
    DESTINATION KEY (item_id) REFERENCES items (id) LABEL bought)
"""

from __future__ import annotations

from typing import NamedTuple

from sqlagent.errors import ProgrammingError
from sqlagent.parse.clauses import Words
from sqlagent.parse.lexer import Token, lex


class End(NamedTuple):
    """One end of an edge: its own columns, and those of the vertex that they name.

    `vertex` is the vertex table's name in the graph; no `own` or `theirs` is where nothing is said.
    """

    own: tuple[str, ...]
    vertex: str
    theirs: tuple[str, ...]
    at: int


class Element(NamedTuple):
    """A table of vertices, or of edges: then it has both ends.

    `name` is its name in the graph. `properties` are the columns that it shows: None is all.
    """

    table: str
    name: str
    key: tuple[str, ...]
    labels: tuple[str, ...]
    properties: tuple[str, ...] | None
    at: int
    source: End | None = None
    destination: End | None = None

    def shows(self, column: str) -> bool:
        """Whether a column is a property, as far as the definition says."""
        lowered = column.lower()
        return self.properties is None or any(p.lower() == lowered for p in self.properties)


class PropertyGraph(NamedTuple):
    """A graph: its tables of vertices, and of edges."""

    name: Token
    replace: bool
    if_not_exists: bool
    vertices: tuple[Element, ...]
    edges: tuple[Element, ...]

    def vertex(self, name: str) -> int | None:
        """The place of a table of vertices by its name in the graph."""
        lowered = name.lower()
        return next((i for i, v in enumerate(self.vertices) if v.name.lower() == lowered), None)


def read(sql: str, tokens: list[Token] | None = None) -> PropertyGraph:
    """The graph that a statement defines. Raises ProgrammingError with the place of what is
    wrong."""
    words = Words(sql, tokens if tokens is not None else lex(sql))
    words.need("CREATE")
    replace = words.take("OR", "REPLACE")
    words.need("PROPERTY")
    words.need("GRAPH")
    exists = words.take("IF", "NOT", "EXISTS")
    name = words.name("the name of the graph")
    if not (words.take("VERTEX") or words.take("NODE")):
        raise words.wrong("VERTEX TABLES")
    words.need("TABLES")
    vertices = elements(words, edges=False)
    edges: tuple[Element, ...] = ()
    if words.take("EDGE") or words.take("RELATIONSHIP"):
        words.need("TABLES")
        edges = elements(words, edges=True)
    words.take(";")
    if words.at < len(words.tokens):
        raise words.wrong("EDGE TABLES or the end of the statement")
    graph = PropertyGraph(name, replace, exists, vertices, edges)
    check(sql, graph)
    return graph


def elements(words: Words, edges: bool) -> tuple[Element, ...]:
    """The tables between parentheses."""
    words.need("(")
    found = [element(words, edges)]
    while words.take(","):
        found.append(element(words, edges))
    words.need(")")
    return tuple(found)


def element(words: Words, edge: bool) -> Element:
    """`table [AS name] [KEY (…)] [SOURCE … DESTINATION …] [LABEL …] [PROPERTIES …]`."""
    token = words.name("a table")
    if words.take("."):
        token = words.name("a table")
    name = words.name("a name").name if words.take("AS") else token.name
    key = columns(words) if words.take("KEY") else ()
    ends: list[End] = []
    if edge:
        for word in ("SOURCE", "DESTINATION"):
            words.need(word)
            ends.append(end(words))
    labels, properties, said = list[str](), list[str](), False
    everything = True
    while True:
        if words.take("DEFAULT", "LABEL"):
            labels.append(name)
        elif words.take("LABEL"):
            labels.append(words.name("a label").name)
        elif words.take("NO", "PROPERTIES"):
            said, everything = True, False
        elif words.take("PROPERTIES"):
            if words.take("ALL", "COLUMNS") or words.take("ARE", "ALL", "COLUMNS"):
                everything = True
                continue
            properties += columns(words)
            said, everything = True, False
        else:
            break
    shown = tuple(properties) if said and not everything else None
    return Element(token.name, name, key, tuple(labels) or (name,), shown, token.start, *ends)


def end(words: Words) -> End:
    """`KEY (a) REFERENCES t (b)`, `REFERENCES t (b)` or `t`."""
    own = columns(words) if words.take("KEY") else ()
    references = words.take("REFERENCES")
    if own and not references:
        raise words.wrong("REFERENCES")
    token = words.name("a table of vertices")
    theirs = columns(words) if words.word == "(" else ()
    return End(own, token.name, theirs, token.start)


def columns(words: Words) -> tuple[str, ...]:
    """`(a, b)`."""
    words.need("(")
    found = [words.name("a column").name]
    while words.take(","):
        found.append(words.name("a column").name)
    words.need(")")
    return tuple(found)


def check(sql: str, graph: PropertyGraph) -> None:
    """That each name stands for one table, and the ends of edges are tables of vertices."""
    taken: set[str] = set()
    for one in (*graph.vertices, *graph.edges):
        if one.name.lower() in taken:
            raise ProgrammingError(
                f'"{one.name}" is in the graph twice', sql=sql, position=one.at,
                hint=f"Give one of them a name: {one.table} AS another",
            )  # fmt: skip
        taken.add(one.name.lower())
    for edge in graph.edges:
        for which in (edge.source, edge.destination):
            assert which is not None  # the syntax has both
            if graph.vertex(which.vertex) is None:
                known = ", ".join(v.name for v in graph.vertices)
                raise ProgrammingError(
                    f'"{which.vertex}" is no table of vertices of the graph', sql=sql,
                    position=which.at, hint=f"Its tables of vertices are {known}",
                )  # fmt: skip
