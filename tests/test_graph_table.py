"""GRAPH_TABLE against an evaluator that tries every walk, on every route; and its errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent.errors import ProgrammingError
from sqlagent.plan.graph_table import graph_tables

NAMES = ["a", "b", "王芳", "d e", "f'"]
KINDS = {"a": "person", "b": "person", "王芳": "城市", "d e": "城市"}
EDGES = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(["knows", "认识"]), st.sampled_from(NAMES)),
    max_size=8, unique=True,
)  # fmt: skip
LABELS = st.sampled_from([(), ("knows",), ("认识",), ("knows", "认识")])
HOPS = st.sampled_from([None, (0, 1), (1, 1), (1, 2), (2, 2)])
EDGE = st.tuples(LABELS, st.sampled_from(["out", "in", "both"]), HOPS)
VERTEX = st.tuples(st.sampled_from([None, "x", "y"]), st.sampled_from([(), ("person",), ("城市",)]))
PATTERN = st.tuples(st.lists(VERTEX, min_size=3, max_size=3), st.lists(EDGE, max_size=2))


def written(vertices: list[Any], edges: list[Any]) -> str:
    """A pattern as text."""

    def vertex(i: int) -> str:
        name, labels = vertices[i]
        return f"({name or f'v{i}'}{':' + '|'.join(labels) if labels else ''})"

    text = vertex(0)
    for i, (labels, direction, hops) in enumerate(edges):
        inside = f"[e{i}{' IS ' + '|'.join(labels) if labels else ''}]"
        left, right = "<-" if direction == "in" else "-", "->" if direction == "out" else "-"
        bound = "" if hops is None else f"{{{hops[0]},{hops[1]}}}"
        text += f"{left}{inside}{right}{bound}{vertex(i + 1)}"
    return text


def walks(vertices: list[Any], edges: list[Any], graph: list[Any]) -> Iterator[tuple[str, ...]]:
    """The names of the vertices of every walk that fits, in order."""

    def fits(i: int, name: str, bound: dict[str, str]) -> dict[str, str] | None:
        variable, labels = vertices[i]
        if labels and KINDS.get(name) not in labels:
            return None
        if variable is None:
            return bound
        if bound.setdefault(variable, name) != name:
            return None
        return bound

    def reach(name: str, labels: Any, direction: str, hops: int) -> Iterator[str]:
        if not hops:
            yield name
            return
        for s, p, o in graph:
            if labels and p not in labels:
                continue
            if s == name and direction != "in":
                yield from reach(o, labels, direction, hops - 1)
            if o == name and (direction == "in" or (direction == "both" and s != o)):
                yield from reach(s, labels, direction, hops - 1)

    def go(i: int, names: tuple[str, ...], bound: dict[str, str]) -> Iterator[tuple[str, ...]]:
        if i == len(edges):
            yield names
            return
        labels, direction, hops = edges[i]
        low, high = hops or (1, 1)
        for n in range(low, high + 1):
            for end in reach(names[-1], labels, direction, n):
                more = fits(i + 1, end, dict(bound))
                if more is not None:
                    yield from go(i + 1, (*names, end), more)

    for name in NAMES:
        bound = fits(0, name, {})
        if bound is not None:
            yield from go(0, (name,), bound)


@given(EDGES, st.lists(PATTERN, min_size=1, max_size=4))
@settings(max_examples=25)
def test_every_route_gives_the_walks_that_fit(graph: list[Any], patterns: list[Any]) -> None:
    con = sqlagent.connect(":memory:", embedding_model="none")
    con.executemany(
        "INSERT INTO entities (name, kind) VALUES (?, ?)", [(n, KINDS.get(n)) for n in NAMES]
    )
    con.executemany("SELECT relate(?, ?, ?)", graph)
    for vertices, edges in patterns:
        expected = Counter(walks(vertices, edges, graph))
        used = range(len(edges) + 1)
        columns = ", ".join(f"{vertices[i][0] or f'v{i}'}.name AS n{i}" for i in used)
        sql = (
            f"SELECT * FROM GRAPH_TABLE (agent_graph MATCH {written(vertices, edges)} "
            f"COLUMNS ({columns}))"
        )
        for route in ("auto", "sqlite", "duckdb"):
            con.execute(f"SET route = '{route}'")
            assert Counter(con.execute(sql).fetchall()) == expected, sql
    con.close()


@pytest.mark.parametrize("dialect", ["duckdb", "sqlite", "postgres"])
def test_every_dialect_and_kind_of_parameter(words: sqlagent.Connection, dialect: str) -> None:
    words.execute("SELECT relate('a', 'knows', 'b', weight => 2), relate('b', 'knows', 'c')")
    words.execute(f"SET dialect = '{dialect}'")
    for mark, values in (
        (("?", "?", "?"), (0.5, "a", "b")),
        (("?2", "?3", "?1"), ("b", 0.5, "a")),
        ((":w", ":who", ":no"), {"w": 0.5, "who": "a", "no": "b"}),
    ):
        sql = (
            f"SELECT x, n FROM GRAPH_TABLE (agent_graph MATCH (a)-[r:knows WHERE r.weight > "
            f"{mark[0]}]->{{1,2}}(b) WHERE a.name = {mark[1]} "
            f"COLUMNS (b.name AS x, count(r) AS n)) AS g WHERE x <> {mark[2]}"
        )
        assert words.execute(sql, values).fetchall() == [("c", 2)]


def test_over_several_relations(words: sqlagent.Connection) -> None:
    words.execute("SELECT relate('a', 'k', 'b', weight => 2), relate('b', 'k', 'c', weight => 4)")
    sql = (
        "SELECT * FROM GRAPH_TABLE (agent_graph MATCH (a)-[r:k]->{0,2}(b) WHERE a.name = 'a' "
        "COLUMNS (b.name, sum(r.weight), avg(r.weight), count(r.source), 1 -- a comment\n))"
    )
    for route in ("sqlite", "duckdb"):
        words.execute(f"SET route = '{route}'")
        rows = sorted(words.execute(sql).fetchall())
        assert rows == [("a", None, None, 0, 1), ("b", 2.0, 2.0, 0, 1), ("c", 6.0, 3.0, 0, 1)]


def test_what_is_no_graph_table_is_left_alone(words: sqlagent.Connection) -> None:
    for sql in (
        "SELECT 'GRAPH_TABLE (x)'",
        "SELECT graph_table FROM t",
        "-- GRAPH_TABLE (\nSELECT 1",
    ):
        assert graph_tables(sql) == sql
    words.execute("CREATE TABLE graph_table (id INTEGER)")
    assert words.execute("SELECT * FROM graph_table").fetchall() == []


@pytest.mark.parametrize(
    ("pattern", "message", "at"),
    [
        ("nosuch MATCH (a) COLUMNS (a.name)", 'unknown graph "nosuch"', "nosuch"),
        ("agent_graph (a) COLUMNS (a.name)", "expected MATCH and a pattern", "(a)"),
        ("agent_graph MATCH a COLUMNS (a.name)", "expected a vertex, such as (a)", "a COL"),
        ("agent_graph MATCH (a)-[r]->b COLUMNS (a.name)", "expected a vertex", "b COL"),
        ("agent_graph MATCH (a)-[r->(b) COLUMNS (a.name)", 'expected "]"', "->"),
        ("agent_graph MATCH (a)-[r]->+(b) COLUMNS (a.name)", "expected a bound", "+"),
        ("agent_graph MATCH (a)-[r]->{1,}(b) COLUMNS (a.name)", "expected a bound", "}"),
        ("agent_graph MATCH (a)-[r]->{0}(b) COLUMNS (a.name)", "expected a number from 1", "0"),
        ("agent_graph MATCH (a)-[r]->{1,99}(b) COLUMNS (a.name)", "expected a number from 1", "99"),
        ("agent_graph MATCH (a)-[r]->{x}(b) COLUMNS (a.name)", "expected a whole number", "x}"),
        ("agent_graph MATCH (a)-[a]->(b) COLUMNS (a.name)", '"a" is taken already', "-[a]"),
        ("agent_graph MATCH (a) WHERE COLUMNS (a.name)", "expected a condition", "COLUMNS"),
        ("agent_graph MATCH (a) COLUMNS ()", "expected a condition", ")"),
        ("agent_graph MATCH (a)", "expected an edge, a comma, WHERE or COLUMNS", ")"),
        ("agent_graph MATCH (a) COLUMNS (z.name)", 'unknown variable "z"', "z.name"),
        ("agent_graph MATCH (a) COLUMNS (path_length(q))", 'unknown path "q"', "q)"),
        ("agent_graph MATCH (a)-[r]->{1,2}(b) WHERE r.weight > 1 COLUMNS (a.name)",
         '"r" stands for several', "r.weight"),
    ],
)  # fmt: skip
def test_errors_have_their_place(
    words: sqlagent.Connection, pattern: str, message: str, at: str
) -> None:
    sql = f"SELECT * FROM GRAPH_TABLE ({pattern})"
    with pytest.raises(ProgrammingError) as caught:
        words.execute(sql)
    assert message in str(caught.value) and caught.value.sql == sql
    assert caught.value.position is not None
    assert sql[caught.value.position :].startswith(at)


def test_names_are_quoted_not_pasted(words: sqlagent.Connection) -> None:
    words.execute("SELECT relate('a', ?, 'b')", ("it's; DROP TABLE x",))
    sql = (
        'SELECT * FROM GRAPH_TABLE (agent_graph MATCH ("a ""b")-[r:"it\'s; DROP TABLE x"]->(b) '
        'COLUMNS ("a ""b".name AS x))'
    )
    assert words.execute(sql).fetchall() == [("a",)]
