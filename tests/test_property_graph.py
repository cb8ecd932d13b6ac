"""CREATE PROPERTY GRAPH: graphs over own tables, against an evaluator that tries every walk."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_graph_table import EDGES, KINDS, NAMES, PATTERN, walks, written

import sqlagent
from sqlagent.errors import NotSupportedError, ProgrammingError

SHOP = """
CREATE PROPERTY GRAPH shop
  VERTEX TABLES (people LABEL person, items KEY (sku) LABEL item PROPERTIES (sku, title))
  EDGE TABLES (
    orders SOURCE KEY (person) REFERENCES people (id) DESTINATION KEY (item) REFERENCES items
      LABEL bought,
    knows AS "knows" SOURCE KEY (a) REFERENCES people DESTINATION KEY (b) REFERENCES people)
"""
TABLES = (
    "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, born INTEGER)",
    "CREATE TABLE items (sku TEXT, title TEXT, price INTEGER)",
    "CREATE TABLE orders (order_id INTEGER PRIMARY KEY, person INTEGER, item TEXT, n INTEGER)",
    "CREATE TABLE knows (a INTEGER, b INTEGER, since INTEGER)",
    "INSERT INTO people VALUES (1, '王芳', 1990), (2, 'Bo', 1980), (3, 'Cy', 1970)",
    "INSERT INTO items VALUES ('x', 'Tea', 3), ('y', 'Cup', 9)",
    # Nobody is 9: the edge is not in the graph.
    "INSERT INTO orders VALUES (1, 1, 'x', 2), (2, 2, 'x', 1), (3, 2, 'y', 5), (4, 9, 'y', 1)",
    "INSERT INTO knows VALUES (1, 2, 2001), (2, 3, 2002), (3, 3, 2003)",
)
ROUTES = ("auto", "sqlite", "duckdb")


@pytest.fixture
def shop(words: sqlagent.Connection) -> sqlagent.Connection:
    for sql in (*TABLES, SHOP):
        words.execute(sql)
    return words


def matched(
    con: sqlagent.Connection, pattern: str, *values: Any, routes: tuple[str, ...] = ROUTES
) -> list[Any]:
    """The rows of a pattern, in order, on every route the same."""
    found = []
    for route in routes:
        con.execute(f"SET route = '{route}'")
        rows = con.execute(f"SELECT * FROM GRAPH_TABLE (shop MATCH {pattern})", values).fetchall()
        found.append(sorted(rows, key=repr))
    assert all(rows == found[0] for rows in found)
    return found[0]


def test_patterns_over_own_tables(shop: sqlagent.Connection) -> None:
    bought = "(a:person)-[o:bought]->(i:item) COLUMNS (a.name, i.title, o.n)"
    assert matched(shop, bought) == [("Bo", "Cup", 5), ("Bo", "Tea", 1), ("王芳", "Tea", 2)]
    both = "(a:person WHERE a.name = ?)-[k:knows]-{1,2}(b) COLUMNS (b.name, sum(k.since) AS s)"
    assert matched(shop, both, "王芳") == [("Bo", 2001), ("Cy", 4003), ("王芳", 4002)]
    same = (
        "p = (a:person)-[:bought]->(i)<-[:bought]-(b:person) WHERE a.id < b.id "
        "COLUMNS (a.name AS a, b.name AS b, path_length(p) AS n)"
    )
    assert matched(shop, same) == [("王芳", "Bo", 2)]
    assert matched(shop, "(a:person)-[:knows]->{0,1}(a) COLUMNS (a.name)") == [
        ("Bo",), ("Cy",), ("Cy",), ("王芳",),
    ]  # fmt: skip


def test_a_property_that_a_table_lacks_is_null(shop: sqlagent.Connection) -> None:
    rows = matched(shop, "(a)-[e]->(b) COLUMNS (a.name, b.title, b.name AS who, e.since)")
    assert ("Bo", "Cup", None, None) in rows and ("Bo", None, "Cy", 2002) in rows
    cursor = shop.execute("SELECT * FROM GRAPH_TABLE (shop MATCH (i)-[k]->(j) COLUMNS (j.title))")
    assert cursor.description is not None and cursor.description[0][0] == "title"
    with pytest.raises(ProgrammingError, match='unknown property "price"'):  # it is not shown
        matched(shop, "(i:item) COLUMNS (i.price)")


CASES = st.tuples(EDGES, st.lists(PATTERN, min_size=1, max_size=6))


@given(CASES)
@settings(max_examples=10)
def test_the_walks_that_fit(case: tuple[list[Any], list[Any]]) -> None:
    fitting(*case, routes=("sqlite",))


@pytest.mark.slow
@given(CASES)
@settings(max_examples=40)
def test_the_walks_that_fit_on_every_route(case: tuple[list[Any], list[Any]]) -> None:
    fitting(*case, routes=ROUTES)


def fitting(graph: list[Any], patterns: list[Any], routes: tuple[str, ...]) -> None:
    """A table of vertices for each kind; one of edges for each predicate and pair of kinds."""
    con = sqlagent.connect(":memory:", embedding_model="none")
    kinds = {name: KINDS.get(name, "other") for name in NAMES}
    for kind in sorted(set(kinds.values())):
        con.execute(f'CREATE TABLE "v {kind}" (name TEXT)')
        rows = [(name,) for name in NAMES if kinds[name] == kind]
        con.executemany(f'INSERT INTO "v {kind}" VALUES (?)', rows)
    edges: dict[tuple[str, str, str], list[Any]] = {}
    for s, p, o in graph:
        edges.setdefault((p, kinds[s], kinds[o]), []).append((s, o))
    vertex_tables = ", ".join(
        f'"v {kind}" KEY (name) LABEL {kind}' for kind in sorted(set(kinds.values()))
    )
    edge_tables = []
    for number, ((label, start, end), rows) in enumerate(edges.items()):
        con.execute(f"CREATE TABLE e{number} (s TEXT, o TEXT)")
        con.executemany(f"INSERT INTO e{number} VALUES (?, ?)", rows)
        edge_tables.append(
            f'e{number} SOURCE KEY (s) REFERENCES "v {start}" DESTINATION KEY (o) '
            f'REFERENCES "v {end}" (name) LABEL {label}'
        )
    tied = f" EDGE TABLES ({', '.join(edge_tables)})" if edge_tables else ""
    con.execute(f"CREATE PROPERTY GRAPH shop VERTEX TABLES ({vertex_tables}){tied}")
    for vertices, pattern_edges in patterns:
        expected = Counter(walks(vertices, pattern_edges, graph))
        used = range(len(pattern_edges) + 1)
        columns = ", ".join(f"{vertices[i][0] or f'v{i}'}.name AS n{i}" for i in used)
        try:
            pattern = f"{written(vertices, pattern_edges)} COLUMNS ({columns})"
            rows = matched(con, pattern, routes=routes)
        except ProgrammingError as error:
            said = error.message
            # A label that no edge has is an error, though a walk of no hops would fit.
            known = {p for _, p, _ in graph} | set(kinds.values())
            unknown = [q for q in re.findall(r'^unknown label "(.+)"$', said) if q not in known]
            assert "more than 64 joins" in said or unknown or not expected, said
            assert "joins" in said or "fits the pattern" in said or "unknown label" in said
            continue
        assert Counter(rows) == expected
    con.close()


def test_it_is_kept_in_the_file(fresh_db: Path) -> None:
    con = sqlagent.connect(fresh_db, embedding_model="none")
    other = sqlagent.connect(fresh_db, embedding_model="none")
    count = "SELECT count(*) FROM GRAPH_TABLE (shop MATCH (a:person) COLUMNS (a.name))"
    for sql in TABLES:
        con.execute(sql)
    with pytest.raises(ProgrammingError, match='unknown graph "shop"'):
        other.execute(count)
    con.execute(SHOP)
    assert other.execute(count).fetchall() == [(3,)]
    assert con.execute("SELECT name, sql FROM sqlagent_graphs").fetchall() == [
        ("shop", SHOP.strip())
    ]
    con.execute(
        "CREATE OR REPLACE PROPERTY GRAPH shop VERTEX TABLES (people LABEL person, items KEY (sku) "
        "LABEL person)"
    )
    assert other.execute(count).fetchall() == [(5,)]
    con.execute("CREATE PROPERTY GRAPH IF NOT EXISTS shop VERTEX TABLES (people)")
    con.execute("BEGIN")
    con.execute("DROP PROPERTY GRAPH shop")
    con.execute("ROLLBACK")
    assert other.execute(count).fetchall() == [(5,)]
    con.execute("DROP PROPERTY GRAPH shop")
    con.execute("DROP PROPERTY GRAPH IF EXISTS shop")
    for one in (con, other):
        with pytest.raises(ProgrammingError, match='unknown graph "shop"'):
            one.execute(count)
        one.close()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("CREATE PROPERTY GRAPH shop VERTEX TABLES (people)", 'the graph "shop" exists'),
        ("CREATE PROPERTY GRAPH agent_graph VERTEX TABLES (people)", "exists"),
        ("CREATE PROPERTY GRAPH g VERTEX TABLES (items)", "has no INTEGER PRIMARY KEY"),
        ("CREATE PROPERTY GRAPH g VERTEX TABLES (peple)", 'there is no table "peple"'),
        ("CREATE PROPERTY GRAPH g VERTEX TABLES (items KEY (skew))", 'has no column "skew"'),
        ("CREATE PROPERTY GRAPH g VERTEX TABLES (people PROPERTIES (nam))", 'no column "nam"'),
        ("CREATE PROPERTY GRAPH g VERTEX TABLES (people, people)", "is in the graph twice"),
        ("CREATE PROPERTY GRAPH g EDGE TABLES (knows)", "expected VERTEX TABLES"),
        ("CREATE PROPERTY GRAPH g VERTEX TABLES ()", "expected a table"),
        ("CREATE PROPERTY GRAPH g VERTEX TABLES (people) EDGE TABLES (knows SOURCE people "
         "DESTINATION people)", "it is not said which columns"),
        ("CREATE PROPERTY GRAPH g VERTEX TABLES (people) EDGE TABLES (knows SOURCE KEY (a) "
         "REFERENCES items DESTINATION KEY (b) REFERENCES people)", "is no table of vertices"),
        ("CREATE PROPERTY GRAPH g VERTEX TABLES (people) EDGE TABLES (knows SOURCE KEY (a, b) "
         "REFERENCES people DESTINATION KEY (b) REFERENCES people)", "2 columns cannot name"),
        ("CREATE PROPERTY GRAPH g VERTEX TABLES (people) nonsense", "expected EDGE TABLES"),
        ("DROP PROPERTY GRAPH nope", 'the graph "nope" does not exist'),
        ("DROP PROPERTY GRAPH agent_graph", "is built in"),
        ("DROP PROPERTY GRAPH shop now", "the end of the statement"),
        ("SELECT * FROM GRAPH_TABLE (shop MATCH (a:persn) COLUMNS (a.name))", "unknown label"),
        ("SELECT * FROM GRAPH_TABLE (shop MATCH (a:item)-[:knows]->(b) COLUMNS (a.title))",
         "nothing in the graph"),
        ("SELECT * FROM GRAPH_TABLE (shop MATCH (a:person) COLUMNS (a.nam))", "unknown property"),
        ("SELECT * FROM GRAPH_TABLE (shop MATCH (a)-[k]->{1,2}(b) COLUMNS (sum(k.nam)))",
         "unknown property"),
        ("SELECT * FROM GRAPH_TABLE (shop MATCH (a)-[]-{1,9}(b) COLUMNS (a.name))",
         "more than 64 joins"),
    ],
)  # fmt: skip
def test_errors(shop: sqlagent.Connection, sql: str, said: str) -> None:
    with pytest.raises(ProgrammingError) as caught:
        shop.execute(sql)
    assert said in caught.value.message
    assert shop.execute("SELECT count(*) FROM sqlagent_graphs").fetchall() == [(1,)]


def test_a_graph_whose_table_is_gone_says_so(shop: sqlagent.Connection) -> None:
    shop.execute("DROP TABLE knows")
    with pytest.raises(ProgrammingError, match='there is no table "knows"'):
        shop.execute("SELECT * FROM GRAPH_TABLE (shop MATCH (a:person) COLUMNS (a.name))")
    with pytest.raises(NotSupportedError, match="a graph is not altered"):
        shop.execute("ALTER PROPERTY GRAPH shop ADD VERTEX TABLES (items)")
    shop.execute("DROP PROPERTY GRAPH shop")


def test_what_only_looks_like_one(words: sqlagent.Connection) -> None:
    words.execute('CREATE TABLE property ("property" INTEGER, graph INTEGER)')
    assert words.execute('SELECT property FROM "property"').fetchall() == []


def test_own_values_stay_values(shop: sqlagent.Connection) -> None:
    evil = "x') COLUMNS (a.name)); DROP TABLE people; --"
    pattern = "(a:person WHERE a.name = ?) COLUMNS (a.name)"
    assert matched(shop, pattern, evil) == []
    assert shop.execute("SELECT count(*) FROM people").fetchall() == [(3,)]
