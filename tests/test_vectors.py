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
    words.execute("SELECT put_vector('p', 'one', [1.0, 0.0])")
    for sql in ("SELECT put_vector('p', 'zero', [0.0, 0.0])",
                "SELECT id FROM knn('p', [0.0, 0.0])"):  # fmt: skip
        with pytest.raises(sqlagent.DataError, match="a vector of zeros has no direction"):
            words.execute(sql).fetchall()
    assert words.execute("SELECT count(*) FROM vectors").fetchone() == (1,)
    zero = "INSERT INTO vectors (collection, id, vector) VALUES ('p', 'zero', zeroblob(8))"
    words.execute(zero)  # as any client may
    rows = words.execute("SELECT id FROM knn('p', [1.0, 0.0])").fetchall()
    assert rows == [("one",), ("zero",)]


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


def filled(words: sqlagent.Connection, metric: str, rows: Any, start: int = 0) -> None:
    words.execute(
        "INSERT OR IGNORE INTO collections (collection, dimensions, metric) VALUES ('p', ?, ?)",
        (rows.shape[1], metric),
    )
    words.executemany(
        "INSERT INTO vectors (collection, id, vector) VALUES ('p', ?, ?)",
        [(str(n), v.tobytes()) for n, v in enumerate(rows, start)],
    )


def drawn(numpy: Any, kind: str, n: int, dimensions: int) -> Any:
    """Vectors in topics, as embeddings are, or ordered by nothing but chance."""
    rng = numpy.random.default_rng(1)
    rows = rng.standard_normal((n, dimensions))
    if kind == "topics":
        topics = rng.standard_normal((500, dimensions))
        rows = topics[rng.integers(0, 500, n)] + 0.5 * rows
    return rows.astype("float32")


SHAPES = [("cosine", "topics", d) for d in (16, 32, 64, 128, 384)]
SHAPES += [("cosine", "chance", 64), ("cosine", "chance", 384)]
SHAPES += [(m, k, d) for m in ("l2", "ip") for k, d in (("topics", 32), ("chance", 64))]


@pytest.mark.slow
@pytest.mark.parametrize(("metric", "kind", "dimensions"), SHAPES)
def test_a_large_collection(
    words: sqlagent.Connection, metric: str, kind: str, dimensions: int
) -> None:
    numpy = pytest.importorskip("numpy")
    rows = drawn(numpy, kind, 60_000, dimensions)
    if metric != "cosine":
        rows *= numpy.random.default_rng(2).uniform(0.5, 2, (len(rows), 1)).astype("float32")
    filled(words, metric, rows)
    noise = numpy.random.default_rng(3).standard_normal((30, dimensions)).astype("float32")
    hits = 0
    for n in range(30):
        query = rows[n * 7] + 0.3 * noise[n]
        near = rows @ query
        if metric == "cosine":
            near /= numpy.linalg.norm(rows, axis=1)
        elif metric == "l2":
            near = -((rows - query) ** 2).sum(axis=1)
        truth = {str(i) for i in numpy.argsort(-near)[:10]}
        found = words.execute("SELECT id FROM knn('p', ?)", (query,)).fetchall()
        hits += len({i for (i,) in found} & truth)
    assert hits >= 285  # of 300
    first = words.execute("SELECT id FROM knn('p', ?, k => 1)", (rows[0],)).fetchall()
    assert metric == "ip" or first == [("0",)]  # a longer row may lie in its direction
    words.execute("DELETE FROM vectors WHERE id = ?", first[0])
    again = words.execute("SELECT id FROM knn('p', ?, k => 1)", (rows[0],)).fetchall()
    assert again != first
    words.execute("SELECT put_vector('p', 'new', ?)", (9 * rows[0] if metric == "ip" else rows[0],))
    assert words.execute("SELECT id FROM knn('p', ?, k => 1)", (rows[0],)).fetchall() == [("new",)]


def test_whether_codes_serve_is_measured_once(
    words: sqlagent.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    numpy = pytest.importorskip("numpy")
    from sqlagent.search import codes

    built: list[int] = []
    build = codes.Codes.build

    def counted(self: Any, *args: Any) -> Any:
        kept = build(self, *args)
        built.append(kept.codes.rerank)
        return kept

    monkeypatch.setattr(codes.Codes, "build", counted)
    monkeypatch.setattr(codes, "CODES_FROM", 1_000)
    rows = drawn(numpy, "chance", 12_000, 16)

    def check(n: int) -> None:
        for query in rows[:3]:
            near = rows[:n] @ query / numpy.linalg.norm(rows[:n], axis=1)
            found = words.execute("SELECT id FROM knn('p', ?)", (query,)).fetchall()
            assert [i for (i,) in found] == [str(i) for i in numpy.argsort(-near)[:10]]

    filled(words, "cosine", rows[:5_000])
    check(5_000)
    assert len(built) == 1 and built[0] > 200
    served = words.database.services["codes"]
    assert not served.known and [n for _, n in served.scanned.values()] == [5_000]
    filled(words, "cosine", rows[5_000:6_000], 5_000)
    other = [(str(n), rows[n].tobytes()) for n in range(3_000)]
    words.executemany("INSERT INTO vectors (collection, id, vector) VALUES ('q', ?, ?)", other)
    check(6_000)
    assert len(built) == 1
    words.database.services.pop("codes")  # as in another process: its file tells
    check(6_000)
    assert len(built) == 1 and words.database.services["codes"].scanned
    filled(words, "cosine", rows[6_000:], 6_000)
    check(12_000)
    assert len(built) == 2
    served = words.database.services["codes"]
    (key,) = served.scanned
    assert served.kept_files(key)
    served.rebuild()
    assert not served.kept_files(key)
    check(12_000)
    assert len(built) == 3


def test_codes_that_serve_are_measured_again_after_growth(
    words: sqlagent.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    numpy = pytest.importorskip("numpy")
    from sqlagent.search import codes

    monkeypatch.setattr(codes, "CODES_FROM", 1_000)
    monkeypatch.setattr(codes, "SCANNED_BYTES", 0)
    rows = drawn(numpy, "topics", 6_000, 128)
    filled(words, "cosine", rows[:2_000])
    sizes = []
    for start, end in ((2_000, 2_900), (2_900, 6_000)):
        words.execute("SELECT count(*) FROM knn('p', ?)", (rows[0],))
        filled(words, "cosine", rows[start:end], start)
        found = words.execute("SELECT id FROM knn('p', ?, k => 1)", (rows[end - 1],)).fetchall()
        assert found == [(str(end - 1),)]
        (kept,) = words.database.services["codes"].known.values()
        assert len(kept.codes) == end
        sizes.append(kept.codes.measured)
    assert sizes == [2_000, 6_000]
