"""CREATE and DROP PROPERTY GRAPH: checked against the tables, then kept as it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlagent.catalog import Definition
from sqlagent.errors import NotSupportedError, ProgrammingError, nearest
from sqlagent.parse.clauses import Words
from sqlagent.parse.lexer import Token
from sqlagent.parse.property_graph import Element, End, PropertyGraph, read
from sqlagent.plan.plans import Define

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog

KIND = "property graph"
AGENT = "agent_graph"  # of entities and relations: it is always there


def statement(sql: str, tokens: list[Token], catalog: Catalog) -> Define | None:
    """The plan of a statement that defines a graph, or drops one; None for any other."""
    words = [t.upper for t in tokens[:5] if t.upper not in ("OR", "REPLACE")][:3]
    if words[1:] != ["PROPERTY", "GRAPH"]:
        return None
    if words[0] == "CREATE":
        return create(sql, tokens, catalog)
    if words[0] == "DROP":
        return drop(sql, tokens, catalog)
    if words[0] == "ALTER":
        raise NotSupportedError(
            "a graph is not altered", hint="CREATE OR REPLACE PROPERTY GRAPH defines it anew",
            sql=sql, position=tokens[0].start,
        )  # fmt: skip
    return None


def create(sql: str, tokens: list[Token], catalog: Catalog) -> Define:
    """A graph whose tables and columns are there."""
    graph = resolved(read(sql, tokens), catalog, sql)
    name = graph.name.name
    known = name.lower() in catalog.graphs
    if name.lower() == AGENT or (known and not graph.replace):
        if graph.if_not_exists:
            return Define(why=f'the graph "{name}" exists')
        hint = f"CREATE OR REPLACE PROPERTY GRAPH {name}" if known else "It cannot be replaced."
        raise ProgrammingError(
            f'the graph "{name}" exists', sql=sql, position=graph.name.start, hint=hint,
            sqlstate="42710",
        )  # fmt: skip
    start, end = tokens[0].start, tokens[-1].start + len(tokens[-1].text)
    return Define((Definition(name, KIND, sql[start:end]),), why="a graph is kept in the file")


def drop(sql: str, tokens: list[Token], catalog: Catalog) -> Define:
    """`DROP PROPERTY GRAPH [IF EXISTS] name`; its tables stay."""
    words = Words(sql, tokens)
    words.at = 3
    exists = words.take("IF", "EXISTS")
    name = words.name("the name of the graph")
    if not words.take("CASCADE"):
        words.take("RESTRICT")
    if words.at < len(tokens):
        raise words.wrong("the end of the statement")
    if name.name.lower() not in catalog.graphs:
        if exists:
            return Define(why="there is no such graph")
        reason = "is built in" if name.name.lower() == AGENT else "does not exist"
        raise ProgrammingError(
            f'the graph "{name.name}" {reason}', sql=sql, position=name.start,
            hint=nearest(name.name, catalog.graphs), sqlstate="42704",
        )  # fmt: skip
    return Define(drop=((name.name, (KIND,)),), why="a graph is kept in the file")


def named(name: str, catalog: Catalog) -> PropertyGraph | None:
    """A graph of the file, ready to be matched; None where there is none of that name."""
    definition = catalog.graphs.get(name.lower())
    if definition is None:
        return None
    return resolved(read(definition.sql), catalog, definition.sql)


def resolved(graph: PropertyGraph, catalog: Catalog, sql: str) -> PropertyGraph:
    """With every key said, and every table and column found. Raises ProgrammingError."""
    vertices = tuple(v._replace(key=v.key or primary(sql, v, catalog)) for v in graph.vertices)
    for vertex in vertices:
        there(sql, vertex, vertex.key, catalog)
    graph = graph._replace(vertices=vertices)
    edges = []
    for edge in graph.edges:
        ends = [found(sql, edge, e, graph, catalog) for e in (edge.source, edge.destination) if e]
        there(sql, edge, edge.key, catalog)
        edges.append(edge._replace(source=ends[0], destination=ends[1]))
    return graph._replace(edges=tuple(edges))


def found(sql: str, edge: Element, end: End, graph: PropertyGraph, catalog: Catalog) -> End:
    """An end with its columns: those of the vertex are its key where nothing is said."""
    place = graph.vertex(end.vertex)
    assert place is not None  # checked where it was read
    vertex = graph.vertices[place]
    if not end.own:
        raise ProgrammingError(
            f'it is not said which columns of "{edge.name}" name a row of "{vertex.name}"',
            sql=sql, position=end.at,
            hint=f"KEY (column) REFERENCES {vertex.name} ({', '.join(vertex.key)})",
        )  # fmt: skip
    theirs = end.theirs or vertex.key
    if len(theirs) != len(end.own):
        raise ProgrammingError(
            f"{len(end.own)} columns cannot name the {len(theirs)} of {vertex.name} "
            f"({', '.join(theirs)})",
            sql=sql, position=end.at,
        )  # fmt: skip
    there(sql, edge, end.own, catalog)
    there(sql, vertex, theirs, catalog)
    return end._replace(theirs=theirs)


def primary(sql: str, vertex: Element, catalog: Catalog) -> tuple[str, ...]:
    """The primary key of a table of vertices, where it is an INTEGER."""
    table = catalog.table(vertex.table)
    if table is not None and (table.key is None or table.column(table.key) is None):
        raise ProgrammingError(
            f'"{vertex.table}" has no INTEGER PRIMARY KEY', sql=sql, position=vertex.at,
            hint=f"{vertex.table} KEY (column, …) says what tells its rows apart",
        )  # fmt: skip
    return (table.key,) if table is not None and table.key is not None else ()


def there(sql: str, one: Element, columns: tuple[str, ...], catalog: Catalog) -> None:
    """That a table has these columns, and those that it shows."""
    table = catalog.table(one.table)
    if table is None:
        raise ProgrammingError(
            f'there is no table "{one.table}"', sql=sql, position=one.at, sqlstate="42P01",
            hint=nearest(one.table, catalog.tables),
        )  # fmt: skip
    for column in (*columns, *(one.properties or ())):
        if table.column(column) is None:
            raise ProgrammingError(
                f'"{one.table}" has no column "{column}"', sql=sql, position=one.at,
                hint=nearest(column, [c.name for c in table.columns]), sqlstate="42703",
            )  # fmt: skip
