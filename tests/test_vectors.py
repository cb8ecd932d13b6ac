"""put_vector(), knn() and within(): exact where it can be, fresh always."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

import sqlagent


def distance(metric: str, a: list[float], b: list[float]) -> float:
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    if metric == "ip":
        return -dot
    if metric == "l2":
        return math.dist(a, b)
    return 1 - dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


@pytest.mark.parametrize("metric", ["cosine", "l2", "ip"])
def test_knn_and_within_equal_brute_force(words: sqlagent.Connection, metric: str) -> None:
    rng = random.Random(2)
    words.execute(
        "INSERT INTO collections (collection, dimensions, metric) VALUES ('p', 8, ?)", (metric,)
    )
    kept = {f"v{n}": [rng.gauss(0, 1) for _ in range(8)] for n in range(300)}
    words.executemany("SELECT put_vector('p', ?, ?)", list(kept.items()))
    query = [rng.gauss(0, 1) for _ in range(8)]
    truth = sorted((distance(metric, query, v), i) for i, v in kept.items())
    rows = words.execute("SELECT id, distance FROM knn('p', ?, k => 20)", (query,)).fetchall()
    assert [i for i, _ in rows] == [i for _, i in truth[:20]]
    assert [d for _, d in rows] == pytest.approx([d for d, _ in truth[:20]], abs=1e-4)
    radius = (truth[30][0] + truth[31][0]) / 2
    rows = words.execute("SELECT id FROM within('p', ?, ?)", (query, radius)).fetchall()
    assert [i for (i,) in rows] == [i for _, i in truth[:31]]
    every = words.execute("SELECT id, similarity FROM knn('p', ?, k => 9999)", (query,)).fetchall()
    assert len(every) == 300
    assert [s for _, s in every] == sorted((s for _, s in every), reverse=True)


FORMS: list[tuple[str, Any]] = [
    ("[1.0, 0.0]", ()), ("?", ([1.0, 0.0],)), ("?", ([1, 0],)), ("?", ("[1.0, 0.0]",)),
    ("?", (b"\x00\x00\x80?\x00\x00\x00\x00",)), ("'[1, 0]'", ()), ("x'0000803f00000000'", ()),
    ("[1, 0]", ()), ("[1.0, 0.0]::FLOAT[2]", ()),
    ("(SELECT vector FROM vectors WHERE id = 'a')", ()),
]  # fmt: skip


@pytest.mark.parametrize(("text", "values"), FORMS, ids=lambda v: str(v)[:40])
def test_a_vector_in_every_form(words: sqlagent.Connection, text: str, values: Any) -> None:
    words.execute("SELECT put_vector('p', 'a', [1.0, 0.0])")
    words.execute("SELECT put_vector('p', 'b', [0.0, 1.0])")
    sql = f"SELECT id, distance FROM knn('p', {text})"
    assert words.execute(sql, values).fetchall() == [("a", 0.0), ("b", 1.0)]
    if "SELECT" not in text:
        words.execute(f"SELECT put_vector('p', 'c', {text})", values)
        same = (
            "SELECT count(*) FROM vectors v JOIN vectors a ON a.vector = v.vector WHERE a.id = 'a'"
        )
        assert words.execute(same).fetchone() == (2,)


def test_numpy_vectors(words: sqlagent.Connection) -> None:
    numpy = pytest.importorskip("numpy")
    for n, kind in enumerate((numpy.float32, numpy.float64, numpy.int64)):
        words.execute("SELECT put_vector('p', ?, ?)", (f"v{n}", numpy.array([1, 0], kind)))
    sql = "SELECT count(*) FROM knn('p', ?) WHERE distance < 1e-6"
    for kind in (numpy.float32, numpy.float64, numpy.int64):
        assert words.execute(sql, (numpy.array([1, 0], kind),)).fetchone() == (3,)
    words.execute(
        "INSERT INTO vectors (collection, id, vector) VALUES ('p', 'w', ?)",
        (numpy.array([1.0, 0.0]),),
    )
    words.execute(
        "INSERT INTO vectors (collection, id, vector) VALUES ('p', 'x', ?)",
        (numpy.array([1.0, 0.0]),),
    )
    assert words.execute(sql, ([1.0, 0.0],)).fetchone() == (5,)


def test_putting_again_replaces(words: sqlagent.Connection) -> None:
    assert words.execute("SELECT put_vector('p', 'a', [1.0, 0.0])").fetchone() == ("a",)
    words.execute("SELECT knn.id FROM knn('p', [1.0, 0.0])").fetchall()
    words.execute("SELECT put_vector('p', 'a', [0.0, 1.0], metadata => '{\"n\": 2}')")
    rows = words.execute("SELECT id, distance, metadata FROM knn('p', [1.0, 0.0])").fetchall()
    assert rows == [("a", 1.0, '{"n": 2}')]
    assert words.execute("SELECT count(*) FROM vectors").fetchone() == (1,)


def test_every_change_is_seen_by_the_next_statement(words: sqlagent.Connection) -> None:
    rng = random.Random(4)
    kept: dict[str, list[float]] = {}
    words.execute("SELECT put_vector('p', 'first', [1.0, 1.0, 1.0])")
    kept["first"] = [1.0, 1.0, 1.0]
    for _ in range(150):
        name, vector = f"v{rng.randrange(30)}", [rng.gauss(0, 1) for _ in range(3)]
        verb = rng.choice(["put", "insert", "delete", "move"])
        if verb == "put":
            words.execute("SELECT put_vector('p', ?, ?)", (name, vector))
            kept[name] = vector
        elif verb == "insert":
            words.execute(
                "INSERT OR REPLACE INTO vectors (collection, id, vector) VALUES ('p', ?, ?)",
                (name, vector),
            )
            kept[name] = vector
        elif verb == "delete":
            words.execute("DELETE FROM vectors WHERE collection = 'p' AND id = ?", (name,))
            kept.pop(name, None)
        else:
            words.execute(
                "UPDATE vectors SET collection = 'q' WHERE collection = 'p' AND id = ?", (name,)
            )
            words.execute("DELETE FROM vectors WHERE collection = 'q'")
            kept.pop(name, None)
        query = [rng.gauss(0, 1) for _ in range(3)]
        truth = sorted(kept, key=lambda i: distance("cosine", query, kept[i]))[:5]
        found = words.execute("SELECT id FROM knn('p', ?, k => 5)", (query,)).fetchall()
        assert [i for (i,) in found] == truth


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ("(metadata->>'$.colour') = 'red'", ["a", "c"]),
        ("(metadata->>'$.n')::INT > 1", ["b", "c"]),
        ("id IN ('a', 'b')", ["a", "b"]),
        ("id LIKE 'c%' OR id = 'a'", ["a", "c"]),
        ("metadata IS NULL", ["d"]),
        ("created_at < '2000-01-01'", []),
        ("false", []),
        ("true", ["a", "b", "c", "d"]),
    ],
)
def test_filters(words: sqlagent.Connection, condition: str, ids: list[str]) -> None:
    put = "SELECT put_vector('p', ?, ?, metadata => ?)"
    for n, (name, colour) in enumerate((("a", "red"), ("b", "blue"), ("c", "red")), 1):
        words.execute(put, (name, [1.0, n / 10], {"colour": colour, "n": n}))
    words.execute("SELECT put_vector('p', 'd', [1.0, 0.9])")
    words.execute("SELECT put_vector('other', 'a', [1.0, 0.0])")
    for sql in ("SELECT id FROM knn('p', [1.0, 0.0], filter => ?)",
                "SELECT id FROM within('p', [1.0, 0.0], 2, filter => ?)"):  # fmt: skip
        assert [i for (i,) in words.execute(sql, (condition,))] == ids


def test_a_collection_comes_into_being_with_its_first_vector(words: sqlagent.Connection) -> None:
    with pytest.raises(sqlagent.ProgrammingError, match='unknown collection "p"'):
        words.execute("SELECT * FROM knn('p', [1.0])")
    words.execute("SELECT put_vector('p', 'a', [1.0, 0.0, 0.5])")
    row = words.execute("SELECT dimensions, metric FROM collections").fetchall()
    assert row == [(3, "cosine")]
    words.execute("DELETE FROM vectors")
    assert words.execute("SELECT * FROM knn('p', [1.0, 0.0, 0.0])").fetchall() == []
    with pytest.raises(sqlagent.DataError, match="expected 3 dimensions, not 2"):
        words.execute("SELECT put_vector('p', 'a', [1.0, 0.0])")


def test_a_zero_vector_is_near_to_nothing_and_breaks_nothing(words: sqlagent.Connection) -> None:
    words.execute("SELECT put_vector('p', 'zero', [0.0, 0.0])")
    words.execute("SELECT put_vector('p', 'one', [1.0, 0.0])")
    rows = words.execute("SELECT id FROM knn('p', [1.0, 0.0])").fetchall()
    assert rows[0] == ("one",)
    assert len(words.execute("SELECT id FROM knn('p', [0.0, 0.0])").fetchall()) == 2


def test_a_foreign_nan_is_passed_over_and_reported(words: sqlagent.Connection, shell: Any) -> None:
    words.execute("SELECT put_vector('p', 'a', [1.0, 0.0])")
    shell(
        words.database.path,
        "INSERT INTO vectors (collection, id, vector) VALUES ('p', 'bad', x'0000c07f00000000');",
    )
    assert words.execute("SELECT id FROM knn('p', [1.0, 0.0])").fetchall() == [("a",)]
    assert [r[0] for r in words.execute("CALL check()").fetchall() if not r[1]] == [
        "vectors with values that are not finite"
    ]


@pytest.mark.slow
def test_a_large_collection_by_codes(words: sqlagent.Connection) -> None:
    numpy = pytest.importorskip("numpy")
    rng = numpy.random.default_rng(1)
    topics = rng.standard_normal((500, 128))  # as embeddings are; without any, recall is 0.4
    noise = 0.5 * rng.standard_normal((60_000, 128))
    rows = (topics[rng.integers(0, 500, 60_000)] + noise).astype("float32")
    words.executemany(
        "INSERT INTO vectors (collection, id, vector) VALUES ('p', ?, ?)",
        [(str(n), v.tobytes()) for n, v in enumerate(rows)],
    )
    unit = rows / numpy.linalg.norm(rows, axis=1, keepdims=True)
    hits = 0
    for n in range(20):
        query = rows[n * 7] + 0.3 * rng.standard_normal(128).astype("float32")
        truth = numpy.argsort(-(unit @ query))[:10]
        found = words.execute("SELECT id FROM knn('p', ?)", (query,)).fetchall()
        assert found[0] == (str(n * 7),)
        hits += len({int(i) for (i,) in found} & set(truth.tolist()))
    assert hits >= 190  # of 200
    words.execute("DELETE FROM vectors WHERE id = '0'")
    assert words.execute("SELECT id FROM knn('p', ?, k => 1)", (rows[0],)).fetchall() != [("0",)]
    words.execute("SELECT put_vector('p', 'new', ?)", (rows[0],))
    assert words.execute("SELECT id FROM knn('p', ?, k => 1)", (rows[0],)).fetchall() == [("new",)]
