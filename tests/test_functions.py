"""What a SQL function is: declared by its file, the same on every engine, NULL in and NULL out."""

from __future__ import annotations

import hashlib
import math
import re
import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent import functions as f

LOOSE = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FINITE = st.floats(-1e6, 1e6, width=32)


def one(con: sqlagent.Connection, sql: str, *values: Any) -> Any:
    return con.execute(sql, values).fetchone()[0]


def test_every_function_has_its_reference_entry() -> None:
    for name, function in f.functions().items():
        assert function.name == name == name.lower()
        doc = function.doc
        if function.kind != "macro" and not name.startswith("sqlagent_"):
            assert "Returns:" in doc or "Returns" in doc, name
            assert "Examples:" in doc, name
            for parameter in function.parameters:
                assert re.search(rf"\b{parameter.name}\b", doc), (name, parameter.name)


def test_sqlagent_functions_lists_them_all(words: sqlagent.Connection) -> None:
    names = {n for (n,) in words.execute("SELECT name FROM sqlagent_functions").fetchall()}
    assert set(f.functions()) - names <= {"sqlagent_functions", "sqlagent_settings"}


def seed(importance: float, age: float, count: int, rate: float = 0.1) -> float:
    return importance * math.exp(-rate * age) * math.log(count + 1)


@given(st.floats(0, 1), st.floats(0, 3650), st.integers(0, 10_000))
@LOOSE
def test_decayed_importance_is_the_seed_formula_on_each_route(
    words: sqlagent.Connection, importance: float, age: float, count: int
) -> None:
    wanted = pytest.approx(seed(importance, age, count), rel=1e-12, abs=1e-300)
    for route in ("sqlite", "duckdb"):
        words.execute(f"SET route = '{route}'")
        assert one(words, "SELECT decayed_importance(?, ?, ?)", importance, age, count) == wanted
    words.execute("SET route = 'auto'")
    wanted = pytest.approx(seed(importance, age, count, 0.5), rel=1e-12, abs=1e-300)
    sql = "SELECT decayed_importance(?, ?, ?, rate => 0.5)"
    assert one(words, sql, importance, age, count) == wanted


def test_decay_in_the_view_is_the_function_of_its_row(words: sqlagent.Connection) -> None:
    words.execute(
        "INSERT INTO memories (agent_id, content, importance, access_count, created_at) "
        "VALUES ('ada', 'x', 0.8, 4, ?)", ("2026-01-01",)
    )  # fmt: skip
    age, decayed, kept, strength = words.execute(
        "SELECT age_days, decayed_importance, retention, strength FROM memory_strength"
    ).fetchone()
    assert decayed == pytest.approx(seed(0.8, age, 4), rel=1e-9)
    assert 0 < kept < 1 and 0 <= strength <= 1
    group = "SELECT max(decayed_importance), max(age_days) FROM memory_strength"
    later, older = words.execute(group).fetchone()
    assert later == pytest.approx(decayed, rel=1e-4) and older == pytest.approx(age, abs=1e-3)


def test_retention_is_nine_tenths_at_one_stability(words: sqlagent.Connection) -> None:
    for route in ("sqlite", "duckdb"):
        words.execute(f"SET route = '{route}'")
        assert one(words, "SELECT retention(7.0, 7.0)") == pytest.approx(0.9, abs=1e-12)
        assert one(words, "SELECT retention(0, 7.0)") == 1.0


@given(st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=20))
@LOOSE
def test_distances_of_vectors_in_every_form(
    words: sqlagent.Connection, pairs: list[tuple[float, float]]
) -> None:
    a, b = [p[0] for p in pairs], [p[1] for p in pairs]
    dot = math.fsum(x * y for x, y in pairs)
    l2 = math.sqrt(math.fsum((x - y) ** 2 for x, y in pairs))
    blob = struct.pack(f"<{len(b)}f", *b)
    for given_b in (b, blob, "[" + ",".join(map(repr, b)) + "]"):
        found = words.execute(
            "SELECT inner_product(?, ?), l2_distance(?, ?)", (a, given_b, a, given_b)
        ).fetchone()
        scale = max(1.0, math.sqrt(sum(x * x for x in a) * sum(y * y for y in b)))
        assert found[0] == pytest.approx(dot, abs=1e-4 * scale)
        assert found[1] == pytest.approx(l2, rel=1e-4, abs=1e-3)


def test_cosine_similarity(words: sqlagent.Connection) -> None:
    for route in ("auto", "duckdb"):
        words.execute(f"SET route = '{route}'")
        assert one(words, "SELECT cosine_similarity([1.0, 0.0], [0.6, 0.8])") == pytest.approx(0.6)
        assert one(words, "SELECT cosine_similarity([1.0, 0.0], [-2.0, 0.0])") == pytest.approx(
            -1.0
        )
        assert one(words, "SELECT cosine_similarity([1.0, 0.0], [0.0, 0.0])") is None
        assert one(words, "SELECT cosine_similarity(NULL, [0.0, 0.0])") is None


def test_functions_over_rows_on_each_route(words: sqlagent.Connection) -> None:
    words.execute("SELECT put_vector('p', 'a', [1.0, 0.0])")
    words.execute("SELECT put_vector('p', 'b', [0.0, 1.0])")
    for route in ("auto", "sqlite", "duckdb"):
        words.execute(f"SET route = '{route}'")
        sql = "SELECT id, cosine_similarity(vector, [1.0, 0.0]) AS s FROM vectors ORDER BY s DESC"
        assert words.execute(sql).fetchall() == [("a", 1.0), ("b", 0.0)]
    words.execute("SET route = 'auto'")
    total = "SELECT sum(cosine_similarity(vector, [1.0, 0.0])) FROM vectors"
    assert one(words, total) == 1.0


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
@LOOSE
def test_checksum_is_sha_256(words: sqlagent.Connection, text: str) -> None:
    wanted = hashlib.sha256(text.encode()).hexdigest()
    assert one(words, "SELECT checksum(?)", text) == wanted
    assert one(words, "SELECT checksum(?)", text.encode()) == wanted


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=400),
    st.integers(1, 60), st.integers(0, 59),
    st.sampled_from(["chars", "sentences", "markdown", "code"]),
)  # fmt: skip
@LOOSE
def test_chunks_less_their_overlaps_are_the_text(
    words: sqlagent.Connection, text: str, size: int, overlap: int, by: str
) -> None:
    sql = (
        "SELECT ordinal, position, content, overlap_prev "
        "FROM chunk_text(?, size => ?, overlap => ?, by => ?)"
    )
    rows = words.execute(sql, (text, size, min(overlap, size - 1), by)).fetchall()
    assert [r[0] for r in rows] == list(range(len(rows)))
    assert "".join(content[prev:] for _, _, content, prev in rows) == text
    for _, position, content, _ in rows:
        assert text[position : position + len(content)] == content and len(content) <= size


def test_arguments_by_name_and_by_place(words: sqlagent.Connection) -> None:
    words.execute("SELECT remember('ada', 'one', 'semantic', 0.9)")
    words.execute(
        "SELECT remember(content => 'two', agent_id => 'ada', importance := 0.9, "
        "kind := 'semantic')"
    )
    words.execute(
        "SELECT remember('ada', content := 'three', KIND => 'semantic', Importance => 0.9)"
    )
    rows = words.execute(
        "SELECT kind, importance, content FROM memories ORDER BY memory_id"
    ).fetchall()
    assert rows == [("semantic", 0.9, c) for c in ("one", "two", "three")]


def test_a_function_that_writes_over_rows(words: sqlagent.Connection) -> None:
    words.execute("CREATE TABLE staged (id INTEGER PRIMARY KEY, agent TEXT, note TEXT)")
    words.executemany(
        "INSERT INTO staged (agent, note) VALUES (?, ?)", [("ada", f"n{n}") for n in range(50)]
    )
    ids = words.execute("SELECT remember(agent, note) AS id FROM staged WHERE id <= 40").fetchall()
    assert len(set(ids)) == 40
    assert one(words, "SELECT count(*) FROM memories") == 40
    with pytest.raises(sqlagent.IntegrityError):
        words.execute(
            "SELECT remember(agent, note, importance => id / 45.0) FROM staged WHERE id > 40"
        )
    assert one(words, "SELECT count(*) FROM memories") == 40


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM memories WHERE remember('ada', 'x') > 0",
        "SELECT count(*) FROM memories m, recall('ada', remember('ada', 'x'))",
        "SELECT 1 + remember('ada', 'x')",
        "SELECT max(remember(agent_id, 'x')) FROM agents",
        "INSERT INTO agents (agent_id) VALUES (save_state('ada', '{}'))",
        "UPDATE memories SET content = remember('ada', 'x')",
        "SELECT (SELECT remember('ada', 'x'))",
        "WITH w AS (SELECT remember('ada', 'x')) SELECT * FROM w",
        "CREATE VIEW w AS SELECT remember('ada', 'x')",
        "SELECT remember('ada', 'x') UNION SELECT 1",
        "SELECT remember('ada', 'x') GROUP BY 1",
        "EXPLAIN ANALYZE SELECT remember('ada', 'x')",
    ],
)
def test_a_function_that_writes_stands_only_where_it_can(
    words: sqlagent.Connection, sql: str
) -> None:
    words.execute("INSERT INTO agents (agent_id) VALUES ('ada')")
    try:
        words.execute(sql).fetchall()
    except sqlagent.Error as error:
        assert error.message
        assert one(words, "SELECT count(*) FROM memories") == 0
    else:  # what is allowed must have been done, once
        assert one(words, "SELECT count(*) FROM memories") == 1


def test_table_functions_in_joins(words: sqlagent.Connection) -> None:
    words.execute("CREATE TABLE topics (id INTEGER PRIMARY KEY, agent TEXT, topic TEXT)")
    words.execute(
        "INSERT INTO topics VALUES (1, 'ada', 'lamp'), (2, 'bob', 'chair'), (3, 'eve', 'lamp')"
    )
    words.execute("SELECT remember('ada', 'The lamp is green')")
    words.execute("SELECT remember('bob', 'The chair is old')")
    wanted = [("ada", "The lamp is green"), ("bob", "The chair is old")]
    for route in ("auto", "sqlite"):
        words.execute(f"SET route = '{route}'")
        for sql in (
            "SELECT t.agent, r.content FROM topics t, recall(t.agent, t.topic) r ORDER BY t.id",
            "SELECT t.agent, r.content FROM topics t CROSS JOIN recall(t.agent, t.topic) r "
            "ORDER BY t.id",
            "SELECT t.agent, r.content FROM topics t JOIN recall(t.agent, t.topic, k => 3) r "
            "ON true ORDER BY t.id",
        ):
            assert words.execute(sql).fetchall() == wanted, (route, sql)
    words.execute("SET route = 'auto'")
    sql = (
        "SELECT t.agent, r.content FROM topics t LEFT JOIN recall(t.agent, t.topic) r ON true "
        "ORDER BY t.id"
    )
    assert words.execute(sql).fetchall() == [*wanted, ("eve", None)]
    sql = (
        "SELECT r.content, count(*) FROM recall('ada', 'lamp') r "
        "JOIN topics t ON t.agent = 'ada' GROUP BY 1"
    )
    assert words.execute(sql).fetchall() == [("The lamp is green", 1)]
    sql = (
        "SELECT m.importance FROM recall('ada', 'lamp') r "
        "JOIN memories m ON m.memory_id = r.memory_id"
    )
    assert words.execute(sql).fetchall() == [(0.5,)]
