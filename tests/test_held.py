"""What is kept of an agent's memories says what the file says, whoever changes them in between."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent.config import defaults
from sqlagent.context import Context
from sqlagent.memory.truth import true_ids
from sqlagent.search import held
from sqlagent.search.filters import allowed

MOMENTS = [f"2030-01-01 00:00:0{second}.000" for second in range(6)]
LATER = "2031-01-01 00:00:00.000"
COLUMNS = ("created_at", "valid_from", "valid_to", "expires_at", "archived_at")
CONDITIONS = (
    "importance > 0.5 OR content = 'tea'",
    "valid_to IS NULL AND importance < 0.9",
)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("new"), st.sampled_from(["tea", "a boat", "小船"]), st.floats(0, 1)),
        st.tuples(st.sampled_from(COLUMNS), st.integers(1, 6), st.sampled_from([None, *MOMENTS])),
        st.tuples(st.just("supersede"), st.integers(1, 6), st.sampled_from(MOMENTS)),
        st.tuples(st.just("replace"), st.integers(1, 6), st.sampled_from([None, *range(1, 8)])),
        st.tuples(st.just("delete"), st.integers(1, 6), st.none()),
        st.tuples(st.just("undo"), st.integers(1, 4), st.none()),
        st.tuples(st.just("odd"), st.integers(1, 6), st.sampled_from([5, b"x", "\u00e9", "", "z"])),
    ),
    min_size=3,
    max_size=14,
)


def done(con: sqlagent.Connection, what: str, one: Any, other: Any) -> None:
    if what == "new":
        con.execute(
            "INSERT INTO memories (agent_id, content, importance) VALUES ('ada', ?, ?)",
            (one, other),
        )
    elif what in COLUMNS:
        value = other or (MOMENTS[0] if what == "created_at" else None)
        con.execute(f"UPDATE memories SET {what} = ? WHERE memory_id = ?", (value, one))
    elif what == "supersede":
        con.execute("SELECT supersede(?, 'more tea', valid_from => ?)", (one, other))
    elif what == "replace":
        con.execute("UPDATE memories SET superseded_by = ? WHERE memory_id = ?", (other, one))
    elif what == "delete":
        con.execute("DELETE FROM memories WHERE memory_id = ?", (one,))
    elif what == "undo":
        con.execute("SELECT undo(?)", (one,))
    else:
        con.execute("UPDATE memories SET valid_to = ? WHERE memory_id = ?", (other, one))


@given(CHANGES)
@settings(max_examples=15)
def test_what_is_kept_is_what_the_file_says(changes: list[tuple[str, Any, Any]]) -> None:
    con = sqlagent.connect(":memory:", embedding_model="none")
    context = Context(con.database, defaults(), None)
    try:
        for change in [("new", "tea", 0.2), ("new", "a boat", 0.7), *changes]:
            try:
                done(con, *change)
            except sqlagent.Error:  # superseded already, not there, no such operation
                continue
            with context.reading() as handle:
                for valid in (*MOMENTS[::2], LATER):
                    for known in (MOMENTS[2], LATER, "9999-12-31 00:00:00.000"):
                        expected = sorted(true_ids(handle, "ada", valid, known))
                        found = held.holding(context, "ada", valid, known)
                        assert found.tolist() == expected, (valid, known)
                        some = true_ids(handle, "ada", valid, known, expected[:2])
                        assert sorted(some) == expected[:2]
            for condition in CONDITIONS:
                passed = allowed(context, held.OWN, "memory_id", condition, ("ada",))
                assert held.passing(context, "ada", condition).tolist() == sorted(passed)
    finally:
        con.close()


def recalled(con: sqlagent.Connection, more: str, *values: Any) -> set[int]:
    sql = f"SELECT memory_id FROM recall('ada', 'tea', k => 100, {more})"
    return {row[0] for row in con.execute(sql, values).fetchall()}


def test_another_process_is_followed(words: sqlagent.Connection, shell: Any) -> None:
    words.execute("SELECT remember('ada', 'green tea'), remember('ada', 'black tea')").fetchall()
    cheap = "filter => 'importance < 0.9'"
    assert recalled(words, cheap) == recalled(words, "as_of => ?", LATER) == {1, 2}
    shell(words.database.path, "UPDATE memories SET importance = 1.0 WHERE memory_id = 1")
    shell(words.database.path, "UPDATE memories SET valid_to = '2030-01-01' WHERE memory_id = 2")
    assert recalled(words, cheap) == {2}
    assert recalled(words, "as_of => ?", LATER) == {1}


def test_a_transaction_sees_its_own_rows_and_leaves_none(words: sqlagent.Connection) -> None:
    words.execute("SELECT remember('ada', 'green tea')").fetchall()
    cheap = "filter => 'importance < 0.9'"
    assert recalled(words, cheap) == {1}
    words.execute("BEGIN")
    words.execute("SELECT remember('ada', 'black tea')").fetchall()
    words.execute(
        "UPDATE memories SET importance = 1.0, valid_to = ? WHERE memory_id = 1", (LATER,)
    )
    assert recalled(words, cheap) == {2} == recalled(words, "as_of => ?", LATER)
    words.execute("ROLLBACK")
    assert recalled(words, cheap) == {1} == recalled(words, "as_of => ?", LATER)


def test_a_condition_with_the_clock_is_asked_anew(words: sqlagent.Connection) -> None:
    words.execute("SELECT remember('ada', 'green tea')").fetchall()
    words.execute("UPDATE memories SET created_at = '2020-01-01 00:00:00.000'")
    soon = "filter => 'created_at > now() - INTERVAL 1 DAY'"
    assert recalled(words, soon) == set()
    assert "followed" not in words.database.services  # nothing is kept of it


def test_a_condition_that_only_duckdb_says_is_followed_too(words: sqlagent.Connection) -> None:
    words.execute("SELECT remember('ada', 'green tea'), remember('ada', 'black tea')").fetchall()
    black = "filter => 'regexp_matches(content, ''bl.ck'')'"
    assert recalled(words, black) == {2}
    words.execute("SELECT remember('ada', 'a block of tea')").fetchall()
    words.execute("UPDATE memories SET content = 'white tea' WHERE memory_id = 2")
    assert recalled(words, black) == {3} == recalled(words, black)


def test_of_many_agents_the_least_used_go(
    words: sqlagent.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlagent.search import followed

    monkeypatch.setattr(followed, "KEPT_BYTES", 200)
    for n in range(20):
        words.execute("SELECT remember(?, 'green tea')", (f"agent {n}",)).fetchall()
    sql = "SELECT count(*) FROM recall(?, 'tea', as_of => ?)"
    for n in range(20):
        assert words.execute(sql, (f"agent {n}", LATER)).fetchone() == (1,)
    assert len(words.database.services["followed"].known) == 1
