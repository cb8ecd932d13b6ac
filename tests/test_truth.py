"""Truth over time: supersede, unsupersede and memories_as_of against a model that replays."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent import clock
from sqlagent.memory import operations

START = "2030-01-01 00:00:"
HORIZON = 50


def at(second: int) -> str:
    """A moment of the test's own clock."""
    return f"{START}{second:02d}.000"


def contents(con: sqlagent.Connection, *values: Any) -> set[str]:
    marks = ", ".join("?" * len(values))
    rows = con.execute(f"SELECT content FROM memories_as_of('ada', {marks})", values)
    return {content for (content,) in rows.fetchall()}


class Fact(NamedTuple):
    """A memory in the model."""

    start: int
    end: int | None = None
    superseded_by: int | None = None
    archived: bool = False


class Model:
    """What is believed, kept whole at each moment: the slow and plain way to be bitemporal."""

    def __init__(self) -> None:
        self.facts: dict[int, Fact] = {}
        self.moments: list[tuple[int, dict[int, Fact]]] = []
        self.before: dict[int, Fact] = {}
        self.forgotten: list[tuple[int, int]] = []
        self.void: set[int] = set()

    def keep(self, now: int) -> None:
        self.moments.append((now, copy.copy(self.facts)))

    def true(self, valid: int, known: int) -> set[int]:
        facts: dict[int, Fact] = {}
        for moment, then in self.moments:
            if moment <= known:
                facts = then
        return {
            key
            for key, f in facts.items()
            if not f.archived and f.start <= valid and (f.end is None or f.end > valid)
        }


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["new", "supersede", "unsupersede", "archive", "forget", "unforget",
                         "forget", "unforget", "supersede", "unsupersede"]),
        st.integers(0, 2), st.integers(0, 3), st.integers(0, 2),
    ),
    min_size=4, max_size=14,
)  # fmt: skip


@given(STEPS)
@settings(max_examples=100)
def test_memories_as_of_is_what_a_replay_says(steps: list[tuple[str, int, int, int]]) -> None:
    real = clock.now
    con = sqlagent.connect(":memory:", embedding_model="none")
    try:
        model = played(con, steps)
        known = sorted({0, HORIZON, *(m + d for m, _ in model.moments for d in (-1, 0))})
        starts = {f.start for _, facts in model.moments for f in facts.values()}
        for knows in (k for k in known if k >= 0):
            for valid in sorted({*starts, *(s - 1 for s in starts if s), HORIZON}):
                sql = "SELECT memory_id FROM memories_as_of('ada', ?, known_at => ?)"
                rows = con.execute(sql, (at(valid), at(knows))).fetchall()
                assert {r[0] for r in rows} == model.true(valid, knows), (valid, knows)
    finally:
        clock.now = real
        con.close()


def test_forgotten_and_remembered_in_turns() -> None:
    steps = [("new", 0, 0, 1), *[("forget", 0, 0, 1), ("unforget", 0, 0, 1)] * 3]
    test_memories_as_of_is_what_a_replay_says.hypothesis.inner_test(steps)


def played(con: sqlagent.Connection, steps: list[tuple[str, int, int, int]]) -> Model:
    """The steps, done to the database and to the model."""
    model, now = Model(), 1
    for verb, which, delay, wait in steps:
        now += wait  # none: several in one millisecond
        clock.now = lambda now=now: at(now)  # type: ignore[misc]
        facts = model.facts
        key = sorted(facts)[which % len(facts)] if facts else 0
        fact = facts.get(key)
        if verb == "new":
            con.execute("SELECT remember('ada', ?)", (f"fact {len(facts)}",))
            facts[max(facts, default=0) + 1] = Fact(now)
        elif fact is None:
            continue
        elif verb == "supersede" and fact.superseded_by is None and not fact.archived:
            start = max(now + delay - 1, fact.start)
            sql = "SELECT supersede(?, 'said anew', valid_from => ?)"
            (new,) = con.execute(sql, (key, at(start))).fetchone()
            model.before[key] = fact
            facts[key] = fact._replace(end=min(start, fact.end or start), superseded_by=new)
            facts[new] = Fact(start)
        elif verb == "unsupersede" and fact.superseded_by is not None:
            con.execute("SELECT unsupersede(?)", (key,))
            was = model.before[key]
            facts[key] = fact._replace(end=was.end, superseded_by=None)
            new = fact.superseded_by
            facts[new] = facts[new]._replace(archived=True)
            model.void.add(new)
        elif verb == "archive" and not fact.archived:
            con.execute("UPDATE memories SET archived_at = ? WHERE memory_id = ?", (at(now), key))
            facts[key] = fact._replace(archived=True)
        elif verb == "forget" and not fact.archived:

            def forget(handle: Any, key: int = key) -> int:
                one = operations.begin(handle, "ada", "forget")
                operations.change(handle, one, "archived", [key], {"archived_at": clock.now()})
                return one

            model.forgotten.append((con.database.write(forget), key))
            facts[key] = fact._replace(archived=True)
        elif verb == "unforget" and model.forgotten:
            one, key = model.forgotten.pop()
            con.execute("SELECT undo(?)", (one,))
            if key not in model.void:
                facts[key] = facts[key]._replace(archived=False)
        model.keep(now)
    return model


def test_a_correction_of_the_same_time_was_never_true(words: sqlagent.Connection) -> None:
    words.execute(
        "INSERT INTO memories (agent_id, content, valid_from, created_at) "
        "VALUES ('ada', '艾达住在巴黎', '2024-01-01', '2024-01-02')"
    )
    words.execute("SELECT supersede(1, '艾达住在柏林', valid_from => '2024-01-01')")
    assert contents(words, "2024-06-01") == {"艾达住在柏林"}
    assert contents(words, "2024-06-01", "2024-12-31") == {"艾达住在巴黎"}


def test_what_begins_later_is_not_true_yet(words: sqlagent.Connection) -> None:
    words.execute("SELECT remember('ada', 'Ada works at Acme')")
    words.execute("SELECT supersede(1, 'Ada works at Beta', valid_from => '2099-01-01')")
    said = "SELECT content FROM recall('ada', 'where does Ada work')"
    assert words.execute(said).fetchall() == [("Ada works at Acme",)]
    assert contents(words, "2098-12-31 23:59:59.999") == {"Ada works at Acme"}
    assert contents(words, "2099-01-01") == {"Ada works at Beta"}


def test_an_earlier_end_of_its_own_stays(words: sqlagent.Connection) -> None:
    words.execute(
        "INSERT INTO memories (agent_id, content, valid_from, valid_to, created_at) "
        "VALUES ('ada', 'a flat', '2020-01-01', '2021-01-01', '2020-01-01')"
    )
    words.execute("SELECT supersede(1, 'a house', valid_from => '2023-01-01')")
    assert contents(words, "2020-06-01") == {"a flat"}
    assert contents(words, "2022-01-01") == set()
    assert contents(words, "2023-06-01") == {"a house"}


def test_the_newer_one_takes_over_what_it_is_of(words: sqlagent.Connection) -> None:
    words.execute(
        "SELECT remember('ada', 'the old one', kind => 'semantic', tier => 'long_term', "
        "importance => 0.9, emotion => -0.5, speaker => 'Bo', session_id => 's', user_id => 'u', "
        "source => 'chat', expires_at => '2099-01-01', metadata => '{\"a\": 1}')"
    )
    words.execute("UPDATE memories SET pinned = true, access_count = 7")
    words.execute("SELECT supersede(1, 'the new one')")
    columns = (
        "kind, tier, importance, emotion, pinned, speaker, session_id, user_id, metadata, source, "
        "expires_at, access_count"
    )
    assert words.execute(f"SELECT {columns} FROM memories WHERE memory_id = 2").fetchall() == [
        ("semantic", "long_term", 0.9, -0.5, True, "Bo", "s", "u", '{"a": 1}', None, None, 0)
    ]


def test_a_plain_client_supersedes_too(
    words: sqlagent.Connection, fresh_db: Path, shell: Callable[[object, str], str]
) -> None:
    shell(
        fresh_db,
        "INSERT INTO memories (agent_id, content, created_at) VALUES "
        "('ada', 'Ada lives in Paris', '2024-01-01'), ('ada', 'Ada lives in Berlin', '2025-01-01');"
        "UPDATE memories SET superseded_by = 2, valid_to = '2025-01-01 00:00:00.000' "
        "WHERE memory_id = 1;",
    )
    assert words.execute("SELECT content FROM recall('ada', 'Ada lives')").fetchall() == [
        ("Ada lives in Berlin",)
    ]
    assert contents(words, "2024-06-01") == {"Ada lives in Paris"}
    assert contents(words, "2025-06-01") == {"Ada lives in Berlin"}
    assert contents(words, "2025-06-01", "2024-12-31") == {"Ada lives in Paris"}
    assert words.execute("SELECT unsupersede(1)").fetchall() == [(2,)]
    assert contents(words, "2025-06-01") == {"Ada lives in Paris", "Ada lives in Berlin"}
    words.execute("SELECT undo(max(operation_id)) FROM sqlagent_operations")
    assert contents(words, "2025-06-01") == {"Ada lives in Berlin"}


def test_an_operation_on_more_than_it_is_undone_whole_or_not(words: sqlagent.Connection) -> None:
    words.execute("SELECT remember('ada', 'one'), remember('ada', 'two')")

    def merge(handle: Any) -> None:
        one = operations.begin(handle, "ada", "consolidate")
        operations.change(handle, one, "merged", [1], {"superseded_by": 2})

    words.database.write(merge)
    with pytest.raises(sqlagent.IntegrityError, match=r"superseded by operation 1 \(consolidate"):
        words.execute("SELECT unsupersede(1)")


def test_nothing_is_half_done(words: sqlagent.Connection) -> None:
    words.execute("SELECT remember('ada', 'one')")
    with pytest.raises(sqlagent.IntegrityError, match="content"):
        words.execute("SELECT supersede(1, '')")
    for table, count in (("memories", 1), ("sqlagent_operations", 0)):
        assert words.execute(f"SELECT count(*) FROM {table}").fetchone() == (count,)


def test_an_undone_one_stays_so_when_forgetting_is_undone(words: sqlagent.Connection) -> None:
    words.execute("SELECT remember('ada', 'one')")
    words.execute("SELECT supersede(1, 'two')")

    def forget(handle: Any) -> None:
        one = operations.begin(handle, "ada", "forget")
        operations.change(handle, one, "archived", [2], {"archived_at": clock.now()})

    words.database.write(forget)
    words.execute("SELECT unsupersede(1)")
    assert words.execute("SELECT undo(2)").fetchall() == [(0,)]
    assert words.execute("SELECT content FROM recall('ada', 'one two')").fetchall() == [("one",)]


RACE = """
import sys, sqlagent
con = sqlagent.connect(sys.argv[1], embedding_model="none")
sys.stdin.readline()
done = 0
for memory_id in range(1, 41):
    try:
        con.execute("SELECT supersede(?, ?)", (memory_id, f"by {sys.argv[2]}"))
        done += 1
    except sqlagent.IntegrityError as error:
        assert "is superseded already" in str(error), error
print(done)
"""


def test_of_two_processes_one_supersedes(
    words: sqlagent.Connection, fresh_db: Path, child: Callable[..., Popen[str]]
) -> None:
    for n in range(40):
        words.execute("SELECT remember('ada', ?)", (f"fact {n}",))
    racers = [child(RACE, str(fresh_db), name) for name in "ab"]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    done = []
    for racer in racers:
        assert racer.stdout is not None
        done.append(int(racer.stdout.readline()))
    assert sum(done) == 40
    live = "SELECT count(*) FROM memories WHERE superseded_by IS NULL"
    assert words.execute(live).fetchone() == (40,)
