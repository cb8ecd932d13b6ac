"""recall's filters are exact and apply before the ranking, whoever changes a row in between."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sqlagent

KINDS = ("episodic", "semantic", "procedural")
TIERS = ("short_term", "long_term")
NAMES = (None, "", "Mina", "小明", "O'Hara")
DAYS = ("2024-01-01", "2024-01-02", "2024-01-03")
INSERT = """
INSERT INTO memories (agent_id, content, kind, tier, user_id, session_id, speaker, created_at)
VALUES ('ada', ?, ?, ?, ?, ?, ?, ?)
"""
ROWS = [
    (f"tea note {n}", KINDS[n % 3], TIERS[n % 2], NAMES[n % 5], NAMES[n // 5 % 5],
     NAMES[n // 2 % 5], DAYS[n // 4 % 3])
    for n in range(60)
]  # fmt: skip
GIVEN = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(KINDS),
        "tier": st.sampled_from(TIERS),
        "user_id": st.sampled_from(NAMES[1:]),
        "session_id": st.sampled_from(NAMES[1:]),
        "speaker": st.sampled_from(NAMES[1:]),
        "from_at": st.sampled_from(DAYS[:2]),
        "to_at": st.sampled_from(DAYS[1:]),
    },
)


def recalled(con: sqlagent.Connection, **given: Any) -> set[int]:
    named = "".join(f", {name} => ?" for name in given)
    sql = f"SELECT memory_id FROM recall('ada', 'tea', k => 1000{named})"
    return {i for (i,) in con.execute(sql, list(given.values()))}


def wanted(con: sqlagent.Connection, **given: Any) -> set[int]:
    said = {"from_at": "created_at >= ?", "to_at": "created_at < ?"}
    tests = [said.get(name, f"{name} = ?") for name in given]
    sql = "SELECT memory_id FROM memories WHERE agent_id = 'ada'"
    sql += "".join(f" AND {test}" for test in tests)
    return {i for (i,) in con.execute(sql, list(given.values()))}


@pytest.fixture
def noted(words: sqlagent.Connection) -> sqlagent.Connection:
    words.executemany(INSERT, ROWS)
    words.executemany(INSERT.replace("'ada'", "'ben'"), ROWS)
    return words


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(GIVEN)
def test_any_filters_let_pass_what_sql_does(noted: sqlagent.Connection, given: Any) -> None:
    if "from_at" in given and "to_at" in given and given["to_at"] < given["from_at"]:
        return
    assert recalled(noted, **given) == wanted(noted, **given)


def test_a_changed_row_is_filtered_by_what_it_is_now(
    noted: sqlagent.Connection, shell: Any
) -> None:
    assert 1 in recalled(noted, kind="episodic")
    noted.execute("UPDATE memories SET kind = 'semantic' WHERE memory_id = 1")
    assert 1 not in recalled(noted, kind="episodic") and 1 in recalled(noted, kind="semantic")
    shell(noted.database.path, "UPDATE memories SET kind = 'procedural' WHERE memory_id = 1;")
    assert 1 not in recalled(noted, kind="semantic") and 1 in recalled(noted, kind="procedural")
    noted.execute("DELETE FROM memories WHERE memory_id = 1")
    assert 1 not in recalled(noted, kind="procedural")
    noted.execute("BEGIN")
    noted.execute("UPDATE memories SET kind = 'semantic' WHERE memory_id = 4")
    assert 4 in recalled(noted, kind="semantic") and 4 not in recalled(noted, kind="episodic")
    other = sqlagent.connect(noted.database.path, embedding_model="none")
    assert 4 not in recalled(other, kind="semantic") and 4 in recalled(other, kind="episodic")
    noted.execute("ROLLBACK")
    assert 4 not in recalled(noted, kind="semantic") and 4 in recalled(noted, kind="episodic")
    other.close()


def test_a_condition_and_a_filter_hold_both(noted: sqlagent.Connection) -> None:
    condition = "memory_id % 2 = 1 AND speaker IS NOT NULL"
    found = recalled(noted, kind="semantic", filter=condition)
    sql = f"SELECT memory_id, kind FROM memories WHERE agent_id = 'ada' AND {condition}"
    assert found == {i for i, kind in noted.execute(sql) if kind == "semantic"} != set()


def test_what_comes_from_outside_stays_a_value(noted: sqlagent.Connection) -> None:
    evil = "' OR 1=1 --"
    for name in ("user_id", "session_id", "speaker"):
        assert recalled(noted, **{name: evil}) == set()
    for condition in (
        "1=1) OR (1=1", "true UNION SELECT 1", "agent_id = 'ben'; DROP TABLE memories",
        "memory_id = (SELECT min(memory_id) FROM memories)", "remember('ada', 'x') > 0", "--",
    ):  # fmt: skip
        try:
            found = recalled(noted, filter=condition)
        except sqlagent.Error:
            continue
        assert found <= wanted(noted), condition
    assert recalled(noted, filter="agent_id = 'ben'") == set()
    assert noted.execute("SELECT count(*) FROM memories").fetchone() == (120,)
