"""Collections of every element type and metric: knn() and within() as brute force has them."""

from __future__ import annotations

import random
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent.elements import Space, asked, decoded, encoded, one_decoded, one_encoded

KINDS = [(t, m) for t in ("float32", "float16", "int8") for m in ("cosine", "l2", "ip")]
KINDS.append(("binary", "hamming"))


def oracle(metric: str, query: Any, rows: Any) -> Any:
    """Distances in doubles, of what is stored."""
    rows, query = rows.astype(float), query.astype(float)
    if metric == "hamming":
        return np.abs(rows - query).sum(axis=1)
    if metric == "l2":
        return np.sqrt(((rows - query) ** 2).sum(axis=1))
    if metric == "ip":
        return -(rows @ query)
    return 1 - rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query)


def stored(kind: str, blobs: list[bytes], n: int) -> Any:
    """The numbers that blobs hold, read in another way than the engine's."""
    if kind == "binary":
        return np.array([[(b[i // 8] >> (i % 8)) & 1 for i in range(n)] for b in blobs])
    code = {"float32": "f", "float16": "e", "int8": "b"}[kind]
    return np.array([struct.unpack(f"<{n}{code}", b) for b in blobs])


@pytest.mark.parametrize(("kind", "metric"), KINDS)
def test_every_kind_equals_brute_force(words: sqlagent.Connection, kind: str, metric: str) -> None:
    rng = random.Random(f"{kind}{metric}")
    n = 21
    words.execute("SELECT create_collection('c', ?, ?, ?)", (n, metric, kind))

    def draw() -> list[float]:
        if kind == "int8":
            return [float(rng.randint(-128, 127)) for _ in range(n)]
        return [rng.gauss(0, 2) for _ in range(n)]

    words.executemany("SELECT put_vector('c', ?, ?)", [(f"v{i:03}", draw()) for i in range(150)])
    with words.database.read() as handle:
        pairs = handle.execute("SELECT id, vector FROM vectors ORDER BY id").fetchall()
    names = [p[0] for p in pairs]
    size = {"float32": 4 * n, "float16": 2 * n, "int8": n, "binary": 3}[kind]
    assert {len(p[1]) for p in pairs} == {size}
    matrix = stored(kind, [p[1] for p in pairs], n)
    for _ in range(5):
        query = np.array(draw(), np.float32)
        seen = (query > 0).astype(float) if kind == "binary" else query
        far = oracle(metric, seen, matrix)
        order = np.lexsort((np.arange(150), far))
        found = words.execute("SELECT id, distance FROM knn('c', ?, k => 12)", (query,)).fetchall()
        assert [i for i, _ in found] == [names[o] for o in order[:12]]
        assert [d for _, d in found] == pytest.approx(far[order[:12]], abs=1e-5)
        radius = float((far[order[20]] + far[order[21]]) / 2)
        inside = {names[o] for o in range(150) if far[o] <= radius}
        rows = words.execute("SELECT id FROM within('c', ?, ?)", (query, radius)).fetchall()
        assert {i for (i,) in rows} == inside


@pytest.mark.parametrize(("kind", "metric"), KINDS)
def test_a_vector_in_the_form_that_it_is_kept_in(
    words: sqlagent.Connection, kind: str, metric: str
) -> None:
    words.execute("SELECT create_collection('c', 16, ?, ?)", (metric, kind))
    words.execute("SELECT put_vector('c', 'a', ?)", ([1.0, -2.0] * 8,))
    with words.database.read() as handle:
        blob = handle.execute("SELECT vector FROM vectors").fetchone()[0]
    words.execute("SELECT put_vector('c', 'b', ?)", (blob,))
    rows = words.execute("SELECT id, distance FROM knn('c', ?)", (blob,)).fetchall()
    assert [i for i, _ in rows] == ["a", "b"]
    assert rows[0][1] == pytest.approx(rows[1][1])
    words.execute("INSERT INTO vectors (collection, id, vector) VALUES ('c', 'w', ?)", (blob,))
    for wrong in (blob + b"\0", b"\0" * 3 * 16):
        with pytest.raises(sqlagent.Error, match="dimensions"):
            words.execute("SELECT put_vector('c', 'x', ?)", (wrong,))
        with pytest.raises(sqlagent.Error, match="dimensions of its collection"):
            words.execute(
                "INSERT INTO vectors (collection, id, vector) VALUES ('c', 'x', ?)", (wrong,)
            )
    assert words.execute("SELECT count(*) FROM vectors").fetchone() == (3,)
    assert all(ok for _, ok, _ in words.execute("CALL check()").fetchall())


numbers = st.floats(-1000, 1000, width=32)


@given(st.data(), st.sampled_from(KINDS), st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_one_vector_is_encoded_as_many_are(data: Any, kind: Any, n: int) -> None:
    element_type, metric = kind
    space = Space(n, metric, element_type)
    rows = data.draw(st.lists(st.lists(numbers, min_size=n, max_size=n), min_size=1, max_size=4))
    matrix = np.array(rows, np.float32)
    kept, bad = encoded(space, matrix)
    for place, row in enumerate(matrix):
        try:
            one = one_encoded(space, row.tobytes())
        except sqlagent.DataError:
            assert place in bad
            continue
        assert place not in bad
        assert one == np.ascontiguousarray(kept[place]).tobytes()
        assert len(one) == space.size
        assert decoded(space, [one])[0].tobytes() == one_decoded(space, one)


def test_what_a_collection_cannot_become(words: sqlagent.Connection) -> None:
    insert = (
        "INSERT INTO collections (collection, dimensions, metric, element_type) VALUES (?, 8, ?, ?)"
    )
    words.execute(insert, ("bits", "cosine", "binary"))
    assert words.execute("SELECT metric FROM collections").fetchone() == ("hamming",)
    for metric, kind in (("l2", "binary"), ("hamming", "float32"), ("l3", "float32"), ("l2", "f")):
        with pytest.raises(sqlagent.IntegrityError):
            words.execute(insert, ("x", metric, kind))
    words.execute("SELECT put_vector('bits', 'a', [1, 0, 1, 0, 1, 0, 1, 0])")
    for change in ("dimensions = 9", "element_type = 'int8', metric = 'l2'", "metric = 'l2'"):
        with pytest.raises(sqlagent.IntegrityError):
            words.execute(f"UPDATE collections SET {change}")
    words.execute("DELETE FROM vectors")
    words.execute("UPDATE collections SET element_type = 'int8', metric = 'l2'")
    words.execute("SELECT put_vector('bits', 'a', [1, 0, 100, 0, 1, 0, 1, 0])")
    rows = words.execute("SELECT distance FROM knn('bits', [1, 0, 97, 0, 1, 0, 1, 4])").fetchall()
    assert rows == [(5.0,)]


def test_int8_is_scaled_under_cosine_alone(words: sqlagent.Connection) -> None:
    words.execute("SELECT create_collection('c', 2, 'cosine', 'int8')")
    words.execute("SELECT put_vector('c', 'a', [0.3, -0.6])")
    with words.database.read() as handle:
        assert handle.execute("SELECT vector FROM vectors").fetchone()[0] == bytes((64, 129))
    with pytest.raises(sqlagent.DataError, match="zeros has no direction"):
        words.execute("SELECT put_vector('c', 'b', [0, 0])")


def test_asked_for_in_any_form() -> None:
    space = Space(9, "hamming", "binary")
    floats = np.array([1, 0, 0, 0, 0, 0, 0, 0, 3], np.float32)
    expected = (floats > 0).astype(np.float32).tobytes()
    assert asked(space, floats.tobytes()) == expected == asked(space, b"\x01\x01")


def test_analytics_beside_bits(words: sqlagent.Connection) -> None:
    words.execute("SELECT create_collection('b', 9, element_type => 'binary')")
    words.execute("SELECT put_vector('b', 'a', [1, 0, 0, 0, 0, 0, 0, 0, 1])")
    words.execute("SELECT put_vector('p', 'a', [1.0, 0.5])")
    words.execute("SET route = 'duckdb'")
    sql = (
        "SELECT collection, count(*), max(list_sum(vector)) FROM vectors GROUP BY ALL ORDER BY ALL"
    )
    assert words.execute(sql).fetchall() == [("b", 1, 2.0), ("p", 1, 1.5)]


def test_columns_show_the_numbers_of_every_type(words: sqlagent.Connection) -> None:
    """On DuckDB a vector of any type is a list of FLOAT, kept up with what is written."""
    for kind, metric in (("float16", "ip"), ("int8", "l2"), ("binary", "hamming")):
        words.execute(
            "SELECT create_collection(?, 5, metric => ?, element_type => ?)", (kind, metric, kind)
        )
        words.execute("SELECT put_vector(?, 'a', [1, 0, -1, 2, 3])", (kind,))
    words.execute("SELECT put_vector('plain', 'a', [1, 0, -1])")
    words.execute("SET route = 'duckdb'")
    sql = "SELECT collection, vector FROM vectors ORDER BY vector_id"
    numbers = [1.0, 0.0, -1.0, 2.0, 3.0]
    told = [("float16", numbers), ("int8", numbers), ("binary", [1.0, 0.0, 0.0, 1.0, 1.0])]
    assert words.execute(sql).fetchall() == [*told, ("plain", [1.0, 0.0, -1.0])]
    words.execute("SET route = 'auto'")
    words.execute("SELECT put_vector('int8', 'a', [0, 0, 0, 0, 9])")
    words.execute("SET route = 'duckdb'")
    found = words.execute("SELECT vector FROM vectors WHERE collection = 'int8'").fetchall()
    assert found == [([0.0, 0.0, 0.0, 0.0, 9.0],)]
    assert words.execute(
        "SELECT l2_distance(vector, [0, 0, 0, 0, 7]) FROM vectors WHERE collection = 'int8'"
    ).fetchone() == (2.0,)
