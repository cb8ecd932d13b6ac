"""Forks, JSON patches and three-way merges of states."""

from __future__ import annotations

import copy
import json
import random
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent.states.diff import diff, patched
from sqlagent.states.three_way import Merge
from sqlagent.states.values import MISSING, STYLES, dump, parse, same, style_of

KEYS = st.sampled_from(["a", "b", "c/d", "~e", "", "é", "名"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["a/b", "~", "x", "名字", "😀"]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


def one(con: sqlagent.Connection, sql: str, *values: Any) -> Any:
    row = con.execute(sql, values).fetchone()
    return None if row is None else row[0]


def save(con: sqlagent.Connection, agent: str, value: Any, kind: str = "context") -> int:
    sql = "SELECT save_state(?, ?, state_type => ?)"
    return int(one(con, sql, agent, json.dumps(value, ensure_ascii=False), kind))


def state(con: sqlagent.Connection, agent: str, kind: str = "context") -> Any:
    sql = "SELECT data FROM states WHERE agent_id = ? AND state_type = ?"
    text = one(con, sql, agent, kind)
    return None if text is None else json.loads(text)


# Values and patches -------------------------------------------------------------------------------


@given(JSON, JSON)
@settings(max_examples=400, deadline=None)
def test_the_steps_make_the_new_value_of_the_old(old: Any, new: Any) -> None:
    before, after = parse(json.dumps(old)), parse(json.dumps(new))
    steps = diff(before, after)
    assert same(patched(copy.deepcopy(before), steps), after)
    assert bool(steps) == (not same(before, after))


@given(JSON)
def test_a_value_is_written_as_it_was(value: Any) -> None:
    for style in STYLES:
        text = json.dumps(value, **style)
        assert dump(parse(text), style_of(text, parse(text))) == text


def test_numbers_are_kept_as_they_are_written() -> None:
    text = '{"a": 1e400, "b": [1.10, 100000000000000000001], "c": "\\ud800"}'
    assert dump(parse(text)) == text
    assert not same(1, 1.0) and not same(1, True) and not same(0.0, -0.0)
    assert [s[:2] for s in diff(parse("[1, 2.50]"), parse("[1.0, 2.5]"))] == [
        ("replace", "/0"), ("replace", "/1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "steps"),
    [
        ([1, 2, 3, 4], [1, 3, 4], [("remove", "/1")]),
        ([1, 3, 4], [1, 2, 3, 4], [("add", "/1")]),
        ([{"id": 1, "n": 1}], [{"id": 1, "n": 2}], [("replace", "/0/n")]),
        ({"a": 1}, {"b": 1}, [("remove", "/a"), ("add", "/b")]),
        ({"a/b": {"~": 1}}, {"a/b": {"~": 2}}, [("replace", "/a~1b/~0")]),
        ([], [1, 2], [("add", "/0"), ("add", "/1")]),
        ({"a": 1}, [1], [("replace", "")]),
        ({"a": [1]}, {"a": {"0": 1}}, [("replace", "/a")]),
        (list(range(3000)), [*range(1500), "x", *range(1500, 3000)], [("add", "/1500")]),
    ],
)
def test_steps_say_what_a_person_would(old: Any, new: Any, steps: list[Any]) -> None:
    assert [step[:2] for step in diff(old, new)] == steps


def test_arrays_too_long_to_be_aligned_and_values_too_deep() -> None:
    old, new = list(range(3000)), [n * 2 + 1 for n in range(3001)]
    assert patched(old.copy(), diff(old, new)) == new
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    assert [step[:2] for step in diff([deep], [[deep]])] == [("replace", "")]


@given(JSON, JSON)
@settings(max_examples=200, deadline=None)
def test_a_merge_takes_what_one_side_changed(base: Any, changed: Any) -> None:
    for into, from_ in ((base, changed), (changed, base), (changed, changed)):
        merge = Merge()
        assert same(merge(base, into, from_), changed) and merge.conflicts == []


@given(JSON, JSON, JSON)
@settings(max_examples=300, deadline=None)
def test_a_merge_is_the_same_from_both_sides_but_for_conflicts(base: Any, a: Any, b: Any) -> None:
    one, other = Merge(), Merge()
    first, second = one(base, a, b), other(base, b, a)
    assert sorted(c.path for c in one.conflicts) == sorted(c.path for c in other.conflicts)
    if not one.conflicts:
        assert same(first, second)
    into, from_ = Merge("into"), Merge("from")
    assert not same(into(base, a, b), from_(base, a, b)) or not one.conflicts


def test_a_key_that_one_side_took_away() -> None:
    merge = Merge()
    assert merge({"a": 1, "b": 2}, {"b": 2}, {"a": 1, "b": 3}) == {"b": 3}
    assert merge.conflicts == []
    assert merge({"a": 1}, {}, {"a": 2}) == {}
    assert [(c.path, c.base, c.into, c.from_) for c in merge.conflicts] == [("/a", 1, MISSING, 2)]


# state_diff ---------------------------------------------------------------------------------------


@given(st.lists(JSON, min_size=2, max_size=4))
@settings(max_examples=25, deadline=None)
def test_the_rows_are_a_patch(values: list[Any]) -> None:
    with sqlagent.connect(":memory:", embedding_model="none") as con:
        for value in values:
            save(con, "ada", {"v": value, "pad": "x" * 5000})
        for a in range(1, len(values) + 1):
            for b in range(1, len(values) + 1):
                value = {"v": copy.deepcopy(values[a - 1]), "pad": "x" * 5000}
                for op, path, old, new in con.execute(
                    "SELECT op, path, old_value, new_value FROM state_diff('ada', ?, ?)", (a, b)
                ):
                    value = _applied(value, op, path, old, new)
                assert same(value, {"v": values[b - 1], "pad": "x" * 5000})
        con.close()


def _applied(value: Any, op: str, path: str, old: str | None, new: str | None) -> Any:
    """One operation by the letter of RFC 6902, with the old value as a test before it."""
    assert (old is None) == (op == "add") and (new is None) == (op == "remove")
    if path == "":
        assert same(value, json.loads(old or "")) and op == "replace"
        return json.loads(new or "")
    assert path.startswith("/")
    *above, last = [p.replace("~1", "/").replace("~0", "~") for p in path[1:].split("/")]
    inner = value
    for part in above:
        inner = inner[int(part) if isinstance(inner, list) else part]
    place: Any = int(last) if isinstance(inner, list) else last
    if op != "add":
        assert same(inner[place], json.loads(old or ""))
    if op == "remove":
        del inner[place]
    elif op == "add" and isinstance(inner, list):
        assert 0 <= place <= len(inner)
        inner.insert(place, json.loads(new or ""))
    else:
        assert (place in inner) == (op == "replace") if isinstance(inner, dict) else True
        inner[place] = json.loads(new or "")
    return value


# Forks --------------------------------------------------------------------------------------------


def test_a_fork_has_every_type_and_session(words: sqlagent.Connection) -> None:
    save(words, "ada", {"n": 1})
    save(words, "ada", {"t": "x" * 6000}, "task_state")
    words.execute("SELECT save_state('ada', '[7]', session_id => 's', metadata => '{\"by\": 1}')")
    assert one(words, "SELECT fork('ada', 'eve')") == 3
    columns = "state_type, session_id, version, metadata, data, checksum"
    sql = f"SELECT {columns} FROM {{}} WHERE agent_id = ?"
    rows = words.execute(sql.format("states"), ("eve",)).fetchall()
    assert rows == words.execute(sql.format("states"), ("ada",)).fetchall()
    assert rows == words.execute(sql.format("state_versions"), ("eve",)).fetchall()
    assert one(words, "SELECT count(*) FROM agents") == 2
    assert save(words, "eve", {"n": 2}) == 2
    assert state(words, "ada") == {"n": 1}


def test_a_fork_is_refused(words: sqlagent.Connection) -> None:
    save(words, "ada", 1)
    words.execute("SELECT remember('bob', 'x')")
    words.execute("DELETE FROM agents WHERE agent_id = 'bob'")
    words.execute("INSERT INTO agents (agent_id) VALUES ('eve')")
    for name in ("ada", "bob", "eve"):
        with pytest.raises(sqlagent.IntegrityError, match=f"agent {name} exists already"):
            words.execute("SELECT fork('ada', ?)", (name,))
    with pytest.raises(sqlagent.ProgrammingError, match="agent nobody has no states"):
        words.execute("SELECT fork('nobody', 'new')")
    with pytest.raises(sqlagent.ProgrammingError, match=r"ada has no states as of 2000-01-01"):
        words.execute("SELECT fork('ada', 'new', as_of => '2000-01-01')")
    with pytest.raises(sqlagent.IntegrityError, match="new_agent_id"):
        words.execute("SELECT fork('ada', '')")
    assert one(words, "SELECT fork('ada', NULL)") is None
    assert one(words, "SELECT count(*) FROM states") == 1


def test_a_fork_as_of_a_time_is_of_deleted_states_too(words: sqlagent.Connection) -> None:
    words.execute(
        "INSERT INTO states (agent_id, data, created_at) VALUES ('ada', '1', '2026-01-01')"
    )
    words.execute("UPDATE states SET data = '2', created_at = '2026-02-01'")
    words.execute("DELETE FROM states")
    assert one(words, "SELECT fork('ada', 'eve', as_of => '2026-01-15')") == 1
    assert state(words, "eve") == 1
    with pytest.raises(sqlagent.ProgrammingError, match="no states"):
        words.execute("SELECT fork('ada', 'new')")


def test_a_fork_costs_no_copy_of_the_history(words: sqlagent.Connection) -> None:
    rng = random.Random(3)
    value = {f"k{n}": "".join(rng.choices("abcdef", k=1000)) for n in range(300)}
    for n in range(20):
        save(words, "ada", {**value, "n": n})
    count = "SELECT count(*) FROM sqlagent_state_parts"
    before, spent = one(words, count), time.process_time()
    for n in range(5):
        words.execute("SELECT fork('ada', ?)", (f"fork{n}",))
    assert one(words, count) == before
    assert time.process_time() - spent < 5 * 0.1  # some 2 ms each; far from the history's 6 MB
    assert state(words, "fork4") == {**value, "n": 19}


# Merges -------------------------------------------------------------------------------------------

BASE = {"plan": "ship", "items": [1, 2, 3], "who": {"name": "Ada", "city": "Paris"}}
MERGE = "SELECT path, base_value, into_value, from_value FROM merge_states(?, ?, resolve => ?)"


def merge(con: sqlagent.Connection, into: str, from_: str, resolve: str = "fail") -> list[Any]:
    return con.execute(MERGE, (into, from_, resolve)).fetchall()


@pytest.fixture
def forked(words: sqlagent.Connection) -> sqlagent.Connection:
    """eve, forked from ada."""
    save(words, "ada", BASE)
    words.execute("SELECT fork('ada', 'eve')")
    return words


def test_changes_of_both_sides_are_kept(forked: sqlagent.Connection) -> None:
    save(forked, "ada", {**BASE, "items": [9], "new": 1})
    save(forked, "eve", {**BASE, "who": {"name": "Eve", "city": "Paris"}, "名": "值"})
    assert merge(forked, "ada", "eve") == []
    wanted = {
        "plan": "ship",
        "items": [9],
        "who": {"name": "Eve", "city": "Paris"},
        "new": 1,
        "名": "值",
    }
    assert state(forked, "ada") == wanted
    assert one(forked, "SELECT version FROM states WHERE agent_id = 'ada'") == 3
    # Again: nothing is new. The other way: all of it is, and none of it is a conflict.
    assert merge(forked, "ada", "eve") == []
    assert one(forked, "SELECT version FROM states WHERE agent_id = 'ada'") == 3
    assert merge(forked, "eve", "ada") == []
    assert state(forked, "eve") == wanted


def test_conflicts_are_rows_and_nothing_is_written(forked: sqlagent.Connection) -> None:
    save(forked, "ada", {**BASE, "plan": "fly", "items": [1], "mine": 1})
    save(forked, "eve", {"plan": "swim", "who": BASE["who"], "yours": 2})
    save(forked, "eve", [1], "task_state")
    rows = [("/plan", '"ship"', '"fly"', '"swim"'), ("/items", "[1, 2, 3]", "[1]", None)]
    assert merge(forked, "ada", "eve") == rows
    assert state(forked, "ada")["plan"] == "fly" and state(forked, "ada", "task_state") is None
    assert one(forked, "SELECT count(*) FROM sqlagent_state_links") == 1
    forked.execute("BEGIN")
    assert merge(forked, "ada", "eve", "into") == rows
    assert state(forked, "ada") == {
        "plan": "fly", "items": [1], "who": BASE["who"], "mine": 1, "yours": 2,
    }  # fmt: skip
    assert state(forked, "ada", "task_state") == [1]
    forked.execute("ROLLBACK")
    assert merge(forked, "ada", "eve", "from") == rows
    assert state(forked, "ada") == {
        "plan": "swim", "who": BASE["who"], "mine": 1, "yours": 2,
    }  # fmt: skip
    assert merge(forked, "ada", "eve") == []  # it was settled


def test_after_a_merge_what_was_merged_is_the_base(forked: sqlagent.Connection) -> None:
    save(forked, "eve", {**BASE, "plan": "swim"})
    assert merge(forked, "ada", "eve") == []
    save(forked, "ada", {**BASE, "plan": "fly"})  # changes what came from eve, who does not
    save(forked, "eve", {**BASE, "plan": "swim", "n": 1})
    assert merge(forked, "ada", "eve") == []
    assert state(forked, "ada") == {**BASE, "plan": "fly", "n": 1}


def test_siblings_and_grandchildren(forked: sqlagent.Connection) -> None:
    forked.execute("SELECT fork('ada', 'joe')")
    save(forked, "eve", {**BASE, "e": 1})
    forked.execute("SELECT fork('eve', 'ann')")
    save(forked, "ann", {**BASE, "e": 1, "a": 2})
    save(forked, "joe", {**BASE, "j": 3})
    assert merge(forked, "joe", "ann") == []
    assert state(forked, "joe") == {**BASE, "j": 3, "e": 1, "a": 2}
    assert merge(forked, "ada", "joe") == []
    assert state(forked, "ada") == state(forked, "joe")


def test_the_same_key_and_object_new_on_both_sides(forked: sqlagent.Connection) -> None:
    save(forked, "ada", {**BASE, "new": {"a": 1, "same": 5}})
    save(forked, "eve", {**BASE, "new": {"b": 2, "same": 5}})
    assert merge(forked, "ada", "eve") == []
    assert state(forked, "ada")["new"] == {"a": 1, "same": 5, "b": 2}


def test_what_cannot_be_merged(words: sqlagent.Connection) -> None:
    save(words, "ada", 1)
    save(words, "bob", 2)
    with pytest.raises(sqlagent.ProgrammingError, match="ada and bob have no state in common"):
        merge(words, "ada", "bob")
    with pytest.raises(sqlagent.DataError, match="resolve is one of fail, into, from, not 'mine'"):
        merge(words, "ada", "bob", "mine")
    assert merge(words, "ada", "nobody") == merge(words, "ada", "ada") == []
    assert words.execute("SELECT * FROM merge_states(NULL, 'bob')").fetchall() == []
    assert one(words, "SELECT max(version) FROM state_versions") == 1


def test_large_states_are_merged_in_little_space(words: sqlagent.Connection) -> None:
    rng = random.Random(4)
    value = {f"k{n}": "".join(rng.choices("abcdef", k=1000)) for n in range(200)}
    save(words, "ada", value)
    words.execute("SELECT fork('ada', 'eve')")
    save(words, "ada", {**value, "k3": "ada"})
    save(words, "eve", {**value, "k150": "eve"})
    before = one(words, "SELECT count(*) FROM sqlagent_state_parts")
    assert merge(words, "ada", "eve") == []
    assert state(words, "ada") == {**value, "k3": "ada", "k150": "eve"}
    assert one(words, "SELECT count(*) FROM sqlagent_state_parts") <= before + 3
