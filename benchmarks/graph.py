"""The knowledge graph: two hops, paths and patterns among a million relations, by CPU."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import sqlagent
from benchmarks.bench import Bench

DEGREE = 10  # relations of an entity, in and out, on average
# The same question to plain sqlite3, over the same indexes: what a client could ask by itself.
PLAIN = """
WITH RECURSIVE near (id, depth) AS (
  SELECT entity_id, 0 FROM entities WHERE name = ?
  UNION
  SELECT iif(r.subject_id = n.id, r.object_id, r.subject_id), n.depth + 1
  FROM near n JOIN relations r ON r.subject_id = n.id OR r.object_id = n.id
  WHERE n.depth < 2)
SELECT e.name, min(n.depth) FROM near n JOIN entities e ON e.entity_id = n.id
WHERE n.depth > 0 AND e.name <> ? GROUP BY e.entity_id
"""
PATTERN = """
SELECT DISTINCT y FROM GRAPH_TABLE (agent_graph MATCH (a)-[r]-{1,2}(b) WHERE a.name = ?
  COLUMNS (b.name AS y)) WHERE y <> ?
"""


def run(bench: Bench) -> None:
    """The median CPU of a question, of different ones each time."""
    relations = bench.size(1_000_000, 5_000)
    entities = relations * 2 // DEGREE
    path = bench.folder / "graph.db"
    sqlagent.connect(path, embedding_model="none").close()
    fill(str(path), entities, relations)
    rng, questions = random.Random(5), bench.size(200, 5)
    names = [f"n{rng.randrange(entities)}" for _ in range(questions)]
    plain_ms, plain = asked(sqlite3.connect(path), lambda n: (PLAIN, (n, n)), names)
    con = sqlagent.connect(path, embedding_model="none")
    ours_ms, ours = asked(con, lambda n: ("SELECT * FROM neighbors(?, depth => 2)", (n,)), names)
    for one, other in zip(ours, plain, strict=True):
        bench.check("two hops", {r[:2] for r in one} == set(other))
    bench.report(
        "two hops", ours_ms, "ms", reach=5.0, beside="a recursive CTE, sqlite3", peer=plain_ms
    )
    found_ms, found = asked(con, lambda n: (PATTERN, (n, n)), names)
    for one, other in zip(found, plain, strict=True):
        bench.check("a pattern", {r[0] for r in one} == {r[0] for r in other})
    bench.report("two hops by GRAPH_TABLE", found_ms, "ms")
    pairs = dict(zip(names, names[1:] + names[:1], strict=True))
    for what in ("paths", "shortest_path"):
        some = names[: bench.size(20, 3)]
        sql = f"SELECT * FROM {what}(?, ?)"
        spent, _ = asked(con, lambda n, sql=sql: (sql, (n, pairs[n])), some)  # type: ignore[misc]  # bound at once
        bench.report(f"{what}()", spent, "ms")
    spent, rows = asked(con, lambda _: ("SELECT sum(score) FROM pagerank()", ()), ["all"])
    bench.check("pagerank", abs(rows[0][0][0] - 1) < 1e-6)
    bench.report("pagerank()", spent / 1000, "s")
    con.close()


def fill(path: str, entities: int, relations: int) -> None:
    """Random relations, by plain sqlite3."""
    rng = random.Random(3)
    con = sqlite3.connect(path)
    with con:
        con.executemany(
            "INSERT INTO entities (entity_id, name) VALUES (?, ?)",
            ((n + 1, f"n{n}") for n in range(entities)),
        )
        con.executemany(
            "INSERT OR IGNORE INTO relations (subject_id, predicate, object_id, weight) "
            "VALUES (?, ?, ?, ?)",
            (
                (rng.randint(1, entities), f"p{n % 5}", rng.randint(1, entities), rng.random())
                for n in range(relations)
            ),
        )
    con.close()


def asked(
    con: Any, question: Callable[[str], tuple[str, tuple[Any, ...]]], names: list[str]
) -> tuple[float, list[list[Any]]]:
    """Median milliseconds of CPU, the first question aside where there are others; the answers."""
    spent, answers = [], []
    for name in names:
        sql, values = question(name)
        begun = time.process_time()
        answers.append(con.execute(sql, values).fetchall())
        spent.append(1000 * (time.process_time() - begun))
    return median(spent[1:] or spent), answers
