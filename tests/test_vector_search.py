"""Filters of knn() that are kept, ORDER BY a distance, CREATE INDEX on vectors, min_recall."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sqlagent
from sqlagent.search import codes, measured, passing


def filled(con: sqlagent.Connection, count: int = 300, seed: int = 1) -> Any:
    random_ = np.random.default_rng(seed)
    matrix = random_.standard_normal((count, 16)).astype(np.float32)
    rows = [(f"v{i}", v, {"n": i, "of": f"第{i % 10}"}) for i, v in enumerate(matrix)]
    con.executemany("SELECT put_vector('c', ?, ?, metadata => ?)", rows)
    return matrix


CONDITIONS = ["(metadata->>'$.of') = '第3'", "(metadata->>'$.n')::INT % 7 = 2", "id LIKE 'v1%'"]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_filter_follows_every_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, condition: str
) -> None:
    con = sqlagent.connect(tmp_path / "a.db", embedding_model="none")
    matrix = filled(con, 120)
    rng = random.Random(3)
    whole: list[str] = []
    asked = passing.Passing.asked

    def noted(self: Any, context: Any, collection: str, text: str) -> Any:
        whole.append(text)
        return asked(self, context, collection, text)

    monkeypatch.setattr(passing.Passing, "asked", noted)
    sql = "SELECT id FROM knn('c', ?, k => 999, filter => ?)"
    for step in range(25):
        name, n = f"v{rng.randrange(150)}", rng.randrange(40)
        verb = rng.choice(["put", "delete", "change", "nothing"])
        if verb == "put":
            value = {"n": n, "of": f"第{n % 10}"}
            con.execute("SELECT put_vector('c', ?, ?, metadata => ?)", (name, matrix[n], value))
        elif verb == "delete":
            con.execute("DELETE FROM vectors WHERE id = ?", (name,))
        elif verb == "change":
            value = f'{{"n": {n}, "of": "第3"}}'
            con.execute("UPDATE vectors SET metadata = ? WHERE id = ?", (value, name))
        found = {i for (i,) in con.execute(sql, (matrix[step], condition))}
        plain = f"SELECT id FROM vectors WHERE collection = 'c' AND ({condition})"
        assert found == {i for (i,) in con.execute(plain)}
    assert whole == [condition]  # the rest was looked at row by row
    con.execute("BEGIN")
    con.execute("DELETE FROM vectors")
    assert con.execute(sql, (matrix[0], condition)).fetchall() == []
    con.execute("ROLLBACK")
    assert {i for (i,) in con.execute(sql, (matrix[0], condition))} == found
    con.close()


def test_the_clock_is_asked_each_time(words: sqlagent.Connection) -> None:
    matrix = filled(words, 5)
    sql = "SELECT count(*) FROM knn('c', ?, filter => 'created_at <= now()')"
    assert words.execute(sql, (matrix[0],)).fetchone() == (5,)
    words.execute("UPDATE vectors SET created_at = '2999-01-01 00:00:00.000' WHERE id = 'v1'")
    assert words.execute(sql, (matrix[0],)).fetchone() == (4,)
    assert not words.database.services["passing"].known


@pytest.mark.parametrize("kept", [0.3, 0.1, 0.01, 0.002])
def test_codes_find_what_a_filter_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: float
) -> None:
    """At every selectivity: recall of .95 at least, against a scan."""
    monkeypatch.setattr(codes, "CODES_FROM", 1000)
    monkeypatch.setattr(codes, "SCANNED_BYTES", 0)
    con = sqlagent.connect(tmp_path / "a.db", embedding_model="none")
    rng = np.random.default_rng(8)
    centres = rng.standard_normal((40, 64))
    matrix = (centres[rng.integers(0, 40, 6000)] + 0.6 * rng.standard_normal((6000, 64))).astype(
        "f4"
    )
    import pyarrow as pa

    step = round(1 / kept)
    con.execute(
        "COPY vectors FROM ? (COLLECTION 'c')",
        (pa.table({"id": [f"v{i}" for i in range(6000)], "vector": list(matrix),
                   "metadata": [f'{{"n": {i % step}}}' for i in range(6000)]}),),
    )  # fmt: skip
    inside = np.arange(0, 6000, step)
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    hits = wanted = 0
    for query in unit[rng.integers(0, 6000, 20)] + 0.1 * rng.standard_normal((20, 64)):
        best = inside[np.argsort(-(unit[inside] @ query))[:10]]
        rows = con.execute(
            "SELECT id FROM knn('c', ?, k => 10, filter => '(metadata->>''$.n'') = 0')",
            (query.astype("f4"),),
        ).fetchall()
        assert len(rows) == min(10, len(inside))
        hits += len({f"v{i}" for i in best} & {i for (i,) in rows})
        wanted += len(best)
    assert con.database.services["codes"].known  # it was the codes that answered
    assert hits / wanted >= 0.95
    con.close()


ORDERS = {
    "cosine": "cosine_similarity(vector, ?) DESC",
    "l2": "l2_distance(vector, ?)",
    "ip": "inner_product(?, vector) DESC",
}
SHAPES = [
    "SELECT id FROM vectors WHERE collection = 'c' ORDER BY {order} LIMIT 7",
    "SELECT v.id, v.metadata FROM vectors AS v WHERE v.collection = 'c' "
    "ORDER BY {order}, id LIMIT 7",
    "SELECT id FROM vectors WHERE (metadata->>'$.of') = '第3' AND collection = 'c' "
    "ORDER BY {order} LIMIT 7",
    "SELECT id FROM vectors WHERE collection = 'c' AND id <> 'v3' ORDER BY {order} LIMIT 299",
    "SELECT id FROM vectors WHERE collection = 'c' ORDER BY {order} LIMIT 0",
]


@pytest.mark.parametrize("metric", ORDERS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("odd", [False, True])
def test_order_by_a_distance_is_a_search(
    words: sqlagent.Connection, metric: str, shape: str, odd: bool
) -> None:
    words.execute("SELECT create_collection('c', 16, ?)", (metric,))
    matrix = filled(words)
    if odd:  # equals, zeros, what is not finite
        for i in range(30):
            words.execute("SELECT put_vector('c', ?, ?)", (f"e{i:02}", matrix[4]))
        insert = "INSERT INTO vectors (collection, id, vector) VALUES ('c', ?, ?)"
        words.execute(insert, ("zero", bytes(64)))
    sql = shape.format(order=ORDERS[metric])
    plan = "\n".join(r[0] for r in words.execute("EXPLAIN " + sql, (matrix[4],)))
    assert "nearest_vectors" in plan
    # The same with ties by id, and in a form that is none of those that are recognised.
    scan = sql.replace(", id LIMIT", " LIMIT").replace(" LIMIT", " NULLS LAST, id LIMIT")
    assert "nearest_vectors" not in "\n".join(
        r[0] for r in words.execute("EXPLAIN " + scan, (matrix[4],))
    )
    for query in (matrix[4], matrix[9] + 1):
        found = words.execute(sql, (query,)).fetchall()
        assert found == words.execute(scan, (query,)).fetchall()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM vectors ORDER BY cosine_similarity(vector, ?) DESC LIMIT 3",
        "SELECT id FROM vectors WHERE collection = 'c' "
        "ORDER BY cosine_similarity(vector, ?) LIMIT 3",
        "SELECT id FROM vectors WHERE collection = 'c' "
        "ORDER BY l2_distance(vector, ?) DESC LIMIT 3",
        "SELECT id FROM vectors WHERE collection = 'c' OR id = 'v1' "
        "ORDER BY l2_distance(vector, ?) LIMIT 3",
        "SELECT id FROM vectors WHERE collection <> 'd' ORDER BY l2_distance(vector, ?) LIMIT 3",
        "SELECT id FROM vectors WHERE collection = 'c' ORDER BY l2_distance(vector, ?)",
        "SELECT id FROM vectors WHERE collection = 'c' ORDER BY id, l2_distance(vector, ?) LIMIT 3",
        "SELECT max(id) FROM vectors WHERE collection = 'c' GROUP BY metadata->>'$.of' "
        "ORDER BY min(l2_distance(vector, ?)) LIMIT 3",
        "SELECT count(*) FROM vectors WHERE collection = 'c' "
        "ORDER BY l2_distance(max(vector), ?) LIMIT 3",
        "SELECT id FROM vectors WHERE collection = 'c' ORDER BY -l2_distance(vector, ?) LIMIT 3",
    ],
)
def test_what_is_not_provably_the_same_stays_a_scan(words: sqlagent.Connection, sql: str) -> None:
    matrix = filled(words, 20)
    try:
        plan = words.execute("EXPLAIN " + sql, (matrix[0],)).fetchall()
    except sqlagent.Error:
        return  # an aggregate of vectors, which no engine has
    assert "nearest_vectors" not in str(plan)


def test_a_filter_with_parameters(words: sqlagent.Connection) -> None:
    matrix = filled(words)
    sql = (
        "SELECT id, cosine_similarity(v.vector, $q) AS s FROM vectors v WHERE v.collection = $c "
        "AND (metadata->>'$.of') = $of AND id <> $id ORDER BY s DESC LIMIT $k"
    )
    values = {"q": matrix[3], "c": "c", "of": "第3", "id": "v3'; --", "k": 4}
    plan = "\n".join(r[0] for r in words.execute("EXPLAIN " + sql, values))
    assert "nearest_vectors" in plan
    scan = sql.replace("s DESC", "s DESC NULLS LAST, id")
    found = words.execute(sql, values).fetchall()
    assert found == words.execute(scan, values).fetchall()
    assert found[0][0] == "v3" and len(found) == 4


@pytest.mark.parametrize("kind", ["exact", "codes"])
def test_an_index_says_how_it_is_searched(words: sqlagent.Connection, kind: str) -> None:
    matrix = filled(words)
    words.execute(f"CREATE INDEX mine ON vectors (vector) USING {kind} WITH (collection = 'c')")
    kept = words.execute("SELECT name, collection, kind FROM sqlagent_vector_indexes").fetchall()
    assert kept == [("mine", "c", kind)]
    found = words.execute("SELECT id FROM knn('c', ?, k => 1)", (matrix[5],)).fetchall()
    assert found == [("v5",)]
    with pytest.raises(sqlagent.ProgrammingError, match='has the index "mine"'):
        words.execute("CREATE INDEX other ON vectors USING exact WITH (collection = 'c')")
    words.execute("DROP INDEX mine")
    words.execute("CREATE INDEX mine ON vectors USING exact WITH (collection = 'c')")


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("CREATE INDEX i ON vectors USING ivf WITH (collection = 'c')", 'unknown index kind "ivf"'),
        ("CREATE INDEX i ON vectors USING exact WITH (collection = 'd')", 'unknown collection "d"'),
        ("CREATE INDEX i ON vectors USING exact", "the index is of one collection"),
        (
            "CREATE INDEX i ON vectors USING exact WITH (collection = 'c', probes = 2)",
            "unknown option",
        ),
        ("CREATE INDEX i ON vectors USING ivf_pq WITH (collection = 'c', probes = 0)", "probes is"),
        ("CREATE INDEX vectors ON vectors USING exact WITH (collection = 'c')", "already"),
        ("CREATE INDEX i ON vectors USING exact WITH collection", "WITH|\\("),
    ],
)
def test_an_index_that_cannot_be(words: sqlagent.Connection, sql: str, error: str) -> None:
    filled(words, 3)
    with pytest.raises(sqlagent.Error, match=error):
        words.execute(sql)
    assert words.execute("SELECT count(*) FROM sqlagent_vector_indexes").fetchone() == (0,)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ivf_pq", "hnsw_sq"])
def test_an_index_of_lance_is_fresh(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("lancedb")
    import pyarrow as pa

    con = sqlagent.connect(tmp_path / "a.db", embedding_model="none")
    rng = np.random.default_rng(2)
    matrix = rng.standard_normal((6000, 32)).astype(np.float32)
    ids = [f"v{i}" for i in range(6000)]
    con.execute(
        "COPY vectors FROM ? (COLLECTION 'c')", (pa.table({"id": ids, "vector": list(matrix)}),)
    )
    con.execute(f"CREATE INDEX mine ON vectors USING {kind} WITH (collection = 'c', probes = 50)")
    con.execute("CALL sync()")
    sql = "SELECT id FROM knn('c', ?, k => 10)"
    assert kind in str(con.execute("EXPLAIN " + sql, (matrix[0],)).fetchall())
    rows = {r[0]: r for r in con.execute("CALL measure_recall('c', 10)").fetchall()}
    assert rows[kind][4] is True and rows[kind][1] >= 0.9
    probe = rng.standard_normal(32).astype(np.float32)
    con.execute("SELECT put_vector('c', 'new', ?)", (probe,))
    assert con.execute(sql, (probe,)).fetchone() == ("new",)
    con.execute("DELETE FROM vectors WHERE id IN ('new', 'v9')")
    for query in (probe, matrix[9]):
        found = {i for (i,) in con.execute(sql, (query,))}
        assert len(found) == 10 and not found & {"new", "v9"}
    con.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ivf_pq", "hnsw_sq"])
def test_an_index_of_lance_keeps_min_recall(tmp_path: Path, kind: str) -> None:
    """Vectors without any order, and an index that is asked for too little."""
    pytest.importorskip("lancedb")
    import pyarrow as pa

    con = sqlagent.connect(tmp_path / "a.db", embedding_model="none")
    rng = np.random.default_rng(5)
    matrix = rng.standard_normal((8000, 32)).astype(np.float32)
    ids = [f"v{i}" for i in range(8000)]
    con.execute(
        "COPY vectors FROM ? (COLLECTION 'c')", (pa.table({"id": ids, "vector": list(matrix)}),)
    )
    few = "partitions = 64, probes = 1, candidates = 1"
    con.execute(f"CREATE INDEX mine ON vectors USING {kind} WITH (collection = 'c', {few})")
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    sql = "SELECT id FROM knn('c', ?, k => 10)"

    def share() -> float:
        hits = 0
        for place in range(40):
            query = unit[place] + 0.3 * unit[place + 1]
            best = {f"v{i}" for i in np.argsort(-(unit @ query))[:10]}
            hits += len(best & {i for (i,) in con.execute(sql, (query,))})
        return hits / 400

    con.execute("SET min_recall = 0.2")
    low = share()
    con.execute("SET min_recall = 0.95")
    assert low < 0.9 and share() >= 0.95
    rows = {r[0]: r for r in con.execute("CALL measure_recall('c', 10)").fetchall()}
    assert rows[kind][4] is True and rows[kind][1] >= 0.95
    con.close()
    con = sqlagent.connect(tmp_path / "a.db", embedding_model="none")
    found = sqlagent_measures(con)
    assert share() >= 0.95 and not found  # as the process before had measured it
    con.close()


def sqlagent_measures(con: sqlagent.Connection) -> list[Any]:
    """What is measured from now on, as it comes."""
    from sqlagent.search import probing

    done: list[Any] = []
    measure = probing.Probing.measure

    def noted(self: Any, *given: Any) -> Any:
        done.append(given)
        return measure(self, *given)

    con.database.services["probing"] = probing.Probing()
    con.database.services["probing"].measure = noted.__get__(con.database.services["probing"])
    return done


def test_min_recall_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where bits tell nothing, as of vectors without any order, all rows are compared."""
    monkeypatch.setattr(codes, "CODES_FROM", 500)
    monkeypatch.setattr(codes, "SCANNED_BYTES", 0)
    monkeypatch.setattr(measured, "RUNGS", (200,))
    con = sqlagent.connect(tmp_path / "a.db", embedding_model="none")
    matrix = filled(con, 4000)
    sql = "SELECT id FROM knn('c', ?, k => 10)"
    con.execute(sql, (matrix[0],)).fetchall()
    con.execute("SET min_recall = 1.0")
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    for place in range(5):
        query = unit[place] + unit[place + 1]
        best = {f"v{i}" for i in np.argsort(-(unit @ query))[:10]}
        assert {i for (i,) in con.execute(sql, (query,))} == best
    ways = {r[0]: r[4] for r in con.execute("CALL measure_recall('c')").fetchall()}
    assert ways["exact"] is True and ways["codes"] is False
    con.close()
