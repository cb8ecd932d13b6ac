"""The ranking as SQL: recall's own score is a SELECT over recall_parts, and another may replace
it."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

import sqlagent
from sqlagent.config import SETTINGS
from sqlagent.index import Weights
from sqlagent.search.parts import PARTS

# As the README has it: each part times its setting, added up in the order of the columns.
AS_SQL = """
WITH w AS (SELECT name, CAST(value AS DOUBLE) AS weight FROM sqlagent_settings)
SELECT p.memory_id,
  p.vector * (SELECT weight FROM w WHERE name = 'recall_vector_weight')
  + p.words * (SELECT weight FROM w WHERE name = 'recall_words_weight')
  + p.speaker * (SELECT weight FROM w WHERE name = 'recall_speaker_weight')
  + p.session * (SELECT weight FROM w WHERE name = 'recall_session_weight')
  + p.length * (SELECT weight FROM w WHERE name = 'recall_length_weight')
  + p.time * (SELECT weight FROM w WHERE name = 'recall_time_weight')
  + p.opening * (SELECT weight FROM w WHERE name = 'recall_opening_weight')
  + p.decay * (SELECT weight FROM w WHERE name = 'recall_decay_weight')
  + p.activation * (SELECT weight FROM w WHERE name = 'recall_activation_weight')
  + p.retention * (SELECT weight FROM w WHERE name = 'recall_retention_weight')
  + p.answer * (SELECT weight FROM w WHERE name = 'recall_answer_weight')
  + p.date * (SELECT weight FROM w WHERE name = 'recall_date_weight')
  + p.recency * (SELECT weight FROM w WHERE name = 'recall_recency_weight')
  + p.graph * (SELECT weight FROM w WHERE name = 'recall_graph_weight') AS score
FROM recall_parts('ada', ?, k => 50) AS p ORDER BY score DESC, memory_id LIMIT 10
"""
RECALL = "SELECT memory_id, score FROM recall('ada', ?)"
QUESTIONS = (
    "who bought the kayak?", "when did Mina go to Oslo", "what happened in May 2024", "茶",
    "谁喜欢喝茶", "parcel", "what does Ben like?",
)  # fmt: skip


@pytest.fixture
def talked(con: sqlagent.Connection) -> sqlagent.Connection:
    """Two sessions in two languages, of people who ask and answer."""
    said = [
        ("Mina", "What did you buy last week?"), ("Ben", "I bought a red kayak for the lake"),
        ("Mina", "I went to Oslo yesterday, the ferry was late"), ("Ben", "I like green tea"),
        ("小明", "我喜欢喝龙井茶"), ("小红", "你昨天去哪里了？"), ("小明", "我去了上海"),
        ("Mina", "The parcel is in locker 17"),
    ]  # fmt: skip
    start = datetime.datetime(2024, 5, 1, 12)
    for n in range(40):
        speaker, text = said[n % len(said)]
        at = start + datetime.timedelta(days=n // 8 * 9, minutes=n)
        con.execute(
            "SELECT remember('ada', ?, speaker => ?, session_id => ?, created_at => ?, "
            "importance => ?)",
            (f"{text} {n // 8}", speaker, f"s{n // 8}", at, n % 10 / 10),
        )
    con.execute("CALL sync()")
    return con


def test_each_part_has_a_weight_and_a_setting() -> None:
    assert set(PARTS) <= set(Weights._fields)
    assert {f"recall_{part}_weight" for part in PARTS} <= set(SETTINGS)
    assert all(f"p.{part} * " in AS_SQL for part in PARTS)


def same(con: sqlagent.Connection, sql: str = AS_SQL) -> None:
    for question in QUESTIONS:
        wanted = con.execute(RECALL, (question,)).fetchall()
        assert wanted
        found = con.execute(sql, (question,)).fetchall()
        assert [i for i, _ in found] == [i for i, _ in wanted]
        assert [s for _, s in found] == pytest.approx([s for _, s in wanted], rel=1e-9)


@pytest.mark.parametrize("route", ["auto", "duckdb"])
@pytest.mark.parametrize("model", ["minilm", "none"])
def test_the_ranking_is_a_select(talked: sqlagent.Connection, route: str, model: str) -> None:
    talked.execute(f"SET route = '{route}'")
    talked.execute(f"SET embedding_model = '{model}'")
    same(talked)
    for part, weight in (("session", 0.9), ("length", 0), ("recency", 0.4), ("time", 2)):
        talked.execute(f"SET recall_{part}_weight = {weight}")
    same(talked)


def test_a_part_without_a_weight_has_its_value_all_the_same(talked: sqlagent.Connection) -> None:
    sql = "SELECT max(length), max(recency), max(session), max(speaker) FROM recall_parts('ada', ?)"
    before = talked.execute(sql, ("what does Ben like?",)).fetchone()
    assert all(value > 0 for value in before)
    for part in ("length", "recency", "session", "speaker"):
        talked.execute(f"SET recall_{part}_weight = 0")
    after = talked.execute(sql, ("what does Ben like?",)).fetchone()
    assert after[0] == before[0] and after[1] == before[1] and after[3] == before[3]
    assert after[2] > 0


@pytest.mark.parametrize("route", ["auto", "duckdb"])
def test_a_macro_over_the_parts_replaces_recall(talked: sqlagent.Connection, route: str) -> None:
    talked.execute(f"SET route = '{route}'")
    before = talked.execute(RECALL, ("who bought the kayak?",)).fetchall()
    talked.execute(
        "CREATE OR REPLACE MACRO recall(agent_id, query, k := 10) AS TABLE "
        "SELECT p.memory_id, m.content, 0.8 * p.words - 0.2 * p.length AS score "
        "FROM recall_parts(agent_id, query, k => 100) AS p "
        "JOIN memories AS m ON m.memory_id = p.memory_id ORDER BY score DESC, p.memory_id LIMIT k"
    )
    found = talked.execute("SELECT * FROM recall('ada', 'who bought the kayak?', k => 3)")
    rows: list[Any] = found.fetchall()
    parts = talked.execute(
        "SELECT memory_id, 0.8 * words - 0.2 * length FROM recall_parts('ada', "
        "'who bought the kayak?') ORDER BY 2 DESC, 1 LIMIT 3"
    ).fetchall()
    assert [(i, s) for i, _, s in rows] == parts
    talked.execute("DROP MACRO TABLE recall")
    assert talked.execute(RECALL, ("who bought the kayak?",)).fetchall() == before
