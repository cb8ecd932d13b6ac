"""States: every save a version, none lost, none rewritten; snapshots by name."""

from __future__ import annotations

import datetime
import hashlib
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sqlagent


def one(con: sqlagent.Connection, sql: str, *values: Any) -> Any:
    row = con.execute(sql, values).fetchone()
    return None if row is None else row[0]


def test_versions_count_from_one_for_each_key(words: sqlagent.Connection) -> None:
    keys = [
        ("ada", "context", None),
        ("ada", "task_state", None),
        ("ada", "context", "s1"),
        ("bob", "context", None),
    ]
    for n in range(1, 4):
        for agent, kind, session in keys:
            sql = "SELECT save_state(?, ?, state_type => ?, session_id => ?)"
            assert one(words, sql, agent, f'{{"n": {n}}}', kind, session) == n
    rows = words.execute(
        "SELECT agent_id, state_type, session_id, version FROM states ORDER BY state_id"
    )
    assert rows.fetchall() == [(*key, 3) for key in keys]
    history = "SELECT version, parent_version, data FROM state_history('bob')"
    assert words.execute(history).fetchall() == [
        (n, n - 1 or None, f'{{"n": {n}}}') for n in (1, 2, 3)
    ]


def test_the_same_data_is_a_version_too(words: sqlagent.Connection) -> None:
    assert [one(words, "SELECT save_state('ada', '{}')") for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize(
    "kind",
    ["working_memory", "long_term_memory", "context", "task_state", "relationship", "embedding"],
)
def test_every_type(words: sqlagent.Connection, kind: str) -> None:
    assert one(words, "SELECT save_state('ada', '[]', state_type => ?)", kind) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_json_comes_back_to_the_byte(words: sqlagent.Connection, value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    words.execute("SELECT save_state('ada', ?)", (text,))
    data, checksum = words.execute("SELECT data, checksum FROM states").fetchone()
    assert data == text and checksum == hashlib.sha256(text.encode()).hexdigest()


def test_a_python_value_is_json(words: sqlagent.Connection) -> None:
    words.execute("SELECT save_state('ada', ?)", ({"a": [1, "é", None]},))
    assert json.loads(one(words, "SELECT data FROM states")) == {"a": [1, "é", None]}
    words.execute("SELECT save_state('ada', ?)", (["x"],))
    assert json.loads(one(words, "SELECT data FROM states")) == ["x"]


def test_if_version(words: sqlagent.Connection) -> None:
    save = "SELECT save_state('ada', '{}', if_version => ?)"
    assert one(words, save, 0) == 1
    with pytest.raises(sqlagent.IntegrityError, match="the newest version is 1, not 0") as caught:
        words.execute(save, (0,))
    assert caught.value.sqlstate == "40001" and caught.value.hint
    assert one(words, save, 1) == 2
    assert one(words, "SELECT count(*) FROM state_versions") == 2


def test_plain_statements_make_versions_too(words: sqlagent.Connection) -> None:
    words.execute("INSERT INTO states (agent_id, data) VALUES ('ada', '{\"n\": 1}')")
    words.execute("UPDATE states SET data = '{\"n\": 2}' WHERE agent_id = 'ada'")
    words.execute("UPDATE states SET metadata = '{\"by\": \"me\"}' WHERE agent_id = 'ada'")
    words.execute("UPDATE states SET data = data WHERE agent_id = 'ada'")
    rows = words.execute("SELECT version, data, metadata FROM state_history('ada')").fetchall()
    assert rows == [
        (1, '{"n": 1}', None), (2, '{"n": 2}', None), (3, '{"n": 2}', '{"by": "me"}'),
        (4, '{"n": 2}', '{"by": "me"}'),
    ]  # fmt: skip
    assert one(words, "SELECT save_state('ada', '{}')") == 5


def test_history_cannot_be_rewritten(words: sqlagent.Connection) -> None:
    words.execute("SELECT save_state('ada', '{}')")
    for sql in (
        "UPDATE state_versions SET data = '1'",
        "UPDATE state_versions SET version = 9",
        "UPDATE states SET version = 9",
        "UPDATE states SET version = 0",
    ):
        with pytest.raises(sqlagent.DatabaseError):
            words.execute(sql)
    assert words.execute("SELECT version, data FROM state_versions").fetchall() == [(1, "{}")]


def test_state_at_any_time(words: sqlagent.Connection) -> None:
    words.execute(
        "INSERT INTO states (agent_id, data, created_at) VALUES ('ada', '1', '2026-01-01')"
    )
    words.execute("UPDATE states SET data = '2', created_at = '2026-02-01T00:00:00Z'")
    words.execute("UPDATE states SET data = '3', created_at = '2026-03-01 00:00:00.000'")
    for at, wanted in [
        ("2025-12-31", None), ("2026-01-01", "1"), ("2026-01-31T23:59:59.999Z", "1"),
        ("2026-02-01", "2"), ("2026-02-01T01:00:00+02:00", "1"), ("2099-01-01", "3"),
        (datetime.date(2026, 2, 2), "2"), (datetime.datetime(2026, 3, 1), "3"),
    ]:  # fmt: skip
        assert one(words, "SELECT data FROM state_at('ada', ?)", at) == wanted, at
    assert (
        one(words, "SELECT data FROM state_at('ada', '2099-01-01', state_type => 'task_state')")
        is None
    )
    assert one(words, "SELECT data FROM state_at('nobody', '2099-01-01')") is None
    between = "SELECT data FROM state_history('ada', from_at => ?, to_at => ?)"
    assert words.execute(between, ("2026-01-01", "2026-03-01")).fetchall() == [("1",), ("2",)]
    assert words.execute(between, (None, "2026-02-01")).fetchall() == [("1",)]
    assert words.execute("SELECT * FROM state_history('nobody')").fetchall() == []
    total = "SELECT state_type, count(*), max(created_at) FROM state_history('ada') GROUP BY 1"
    assert words.execute(total).fetchall() == [("context", 3, datetime.datetime(2026, 3, 1))]


def test_snapshot_and_restore(words: sqlagent.Connection) -> None:
    words.execute("SELECT save_state('ada', '{\"n\": 1}')")
    words.execute(
        "SELECT save_state('ada', '{\"t\": 1}', state_type => 'task_state', session_id => 's')"
    )
    assert one(words, "SELECT snapshot('ada', 'good')") == 2
    words.execute("SELECT save_state('ada', '{\"n\": 2}')")
    words.execute(
        "SELECT save_state('ada', '{\"t\": 2}', state_type => 'task_state', session_id => 's')"
    )
    words.execute("SELECT save_state('ada', '{}', state_type => 'embedding')")
    assert one(words, "SELECT restore('ada', 'good')") == 2
    rows = words.execute(
        "SELECT state_type, session_id, version, data FROM states ORDER BY state_id"
    ).fetchall()
    assert rows == [
        ("context", None, 3, '{"n": 1}'), ("task_state", "s", 3, '{"t": 1}'),
        ("embedding", None, 1, "{}"),
    ]  # fmt: skip
    named = (
        "SELECT version FROM state_history('ada') "
        "WHERE snapshot_name = 'good' AND state_type = 'context'"
    )
    assert words.execute(named).fetchall() == [(1,)]
    assert one(words, "SELECT restore('ada', 'good')") == 2
    with pytest.raises(sqlagent.IntegrityError, match='has a snapshot "good" already'):
        words.execute("SELECT snapshot('ada', 'good')")
    with pytest.raises(sqlagent.ProgrammingError, match='no snapshot "goood"') as caught:
        words.execute("SELECT restore('ada', 'goood')")
    assert "good" in (caught.value.hint or "")
    with pytest.raises(sqlagent.ProgrammingError, match="no states"):
        words.execute("SELECT snapshot('nobody', 'good')")
    assert one(words, "SELECT snapshot('ada', 'other')") == 3


def test_two_snapshots_of_one_version_keep_both_names(words: sqlagent.Connection) -> None:
    words.execute("SELECT save_state('ada', '{\"n\": 1}')")
    words.execute("SELECT snapshot('ada', 'first')")
    words.execute("SELECT snapshot('ada', 'second')")
    words.execute("SELECT save_state('ada', '{\"n\": 2}')")
    for name in ("first", "second"):
        assert one(words, "SELECT restore('ada', ?)", name) == 1
        assert one(words, "SELECT data FROM states") == '{"n": 1}'


def test_snapshot_in_a_transaction_that_is_rolled_back(words: sqlagent.Connection) -> None:
    words.execute("SELECT save_state('ada', '{}')")
    words.execute("BEGIN")
    words.execute("SELECT save_state('ada', '{\"n\": 2}')")
    words.execute("SELECT snapshot('ada', 'good')")
    words.execute("ROLLBACK")
    with pytest.raises(sqlagent.ProgrammingError, match="no snapshot"):
        words.execute("SELECT restore('ada', 'good')")
    assert one(words, "SELECT version FROM states") == 1


def test_a_saved_state_makes_its_agent_known(words: sqlagent.Connection) -> None:
    words.execute("SELECT save_state('ada', '{}')")
    words.execute("SELECT remember('bob', 'x')")
    assert words.execute("SELECT agent_id FROM agents ORDER BY 1").fetchall() == [
        ("ada",),
        ("bob",),
    ]
