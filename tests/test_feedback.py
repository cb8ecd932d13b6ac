"""recall_feedback: weights are learnt where that helps, what was of use is reinforced."""

from __future__ import annotations

import datetime
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sqlagent
from sqlagent.search import learning
from sqlagent.search.parts import PARTS

ADD = "INSERT INTO recall_feedback (agent_id, query, memory_id, useful) VALUES (?, ?, ?, ?)"
WEIGHTS = "SELECT part, weight FROM recall_weights WHERE agent_id = ?"
USED = "SELECT DISTINCT part, weight FROM explain_recall('ada', 'which kayak')"
THINGS = (
    "kayak", "ferry", "boiler", "passport", "violin", "tomato", "invoice", "bridge", "parrot",
    "lamp", "anchor", "candle",
)  # fmt: skip
DEEDS = ("walked", "talked", "slept", "stayed", "waited")


def learnt(con: sqlagent.Connection, agent: str = "ada") -> dict[str, Any]:
    return dict(con.execute(WEIGHTS, (agent,)).fetchall())


def remember_long_and_short(con: sqlagent.Connection, agent: str = "ada") -> dict[str, int]:
    """Of each thing a long text, which is useful, and a short one, which words alone prefer."""
    long = {}
    rng = random.Random(5)
    for thing in THINGS:
        filler = " ".join(rng.choice(DEEDS) for _ in range(8))
        for text in (
            f"the {thing} and what we did: {filler}, the {thing}",
            f"{thing} {rng.randrange(99)}",
        ):
            sql = "SELECT remember(?, ?)"
            (memory_id,) = con.execute(sql, (agent, text)).fetchone()
            long.setdefault(thing, memory_id)
    return long


def judge(con: sqlagent.Connection, long: dict[str, int], agent: str = "ada") -> None:
    """Feedback that length does not matter, on twenty and more memories."""
    for thing, memory_id in long.items():
        con.execute(ADD, (agent, f"which {thing}", memory_id, True))
        con.execute(ADD, (agent, f"which {thing}", memory_id + 1, False))


def test_a_plain_insert_counts_and_useful_is_the_default(words: sqlagent.Connection) -> None:
    words.execute("SELECT remember('ada', 'The parcel is in locker 17')")
    words.execute("INSERT INTO recall_feedback (agent_id, query, memory_id) VALUES ('ada', 'q', 1)")
    row = words.execute("SELECT useful, created_at IS NOT NULL FROM recall_feedback").fetchone()
    assert row == (True, True)


@pytest.mark.parametrize(
    "values", [("ada", "q", 2, 1), ("bob", "q", 1, 1), ("ada", "", 1, 1), ("ada", "q", 1, 7),
               ("ada", None, 1, 1), ("", "q", 1, 1)],
)  # fmt: skip
def test_what_cannot_be_is_refused(words: sqlagent.Connection, values: Any) -> None:
    words.execute("SELECT remember('ada', 'The parcel is in locker 17')")
    with pytest.raises(sqlagent.IntegrityError):
        words.execute(ADD, values)
    assert words.execute("SELECT count(*) FROM recall_feedback").fetchone() == (0,)


def test_what_was_useful_is_reinforced_once(words: sqlagent.Connection) -> None:
    long = remember_long_and_short(words)
    used = "SELECT access_count FROM memories WHERE memory_id = ?"
    judge(words, {"kayak": long["kayak"]})
    for _ in range(3):
        words.execute("SELECT * FROM recall('ada', 'kayak')").fetchall()
        words.execute("CALL sync()")
    assert words.execute(used, (long["kayak"],)).fetchone() == (1,)
    assert words.execute(used, (long["kayak"] + 1,)).fetchone() == (0,)
    left = "SELECT count(*) FROM recall_feedback WHERE useful AND reinforced_at IS NULL"
    assert words.execute(left).fetchone() == (0,)


def first(con: sqlagent.Connection, thing: str, agent: str = "ada") -> int:
    sql = "SELECT memory_id FROM recall(?, ?, k => 1)"
    return int(con.execute(sql, (agent, f"which {thing}")).fetchone()[0])


def test_weights_are_learnt_where_they_help(words: sqlagent.Connection) -> None:
    long = remember_long_and_short(words)
    assert [thing for thing in THINGS if first(words, thing) == long[thing]] == []
    judge(words, long)
    assert [thing for thing in THINGS if first(words, thing) != long[thing]] == []
    found = learnt(words)
    assert set(found) == set(PARTS)
    row = "SELECT DISTINCT judgements FROM recall_weights WHERE agent_id = 'ada'"
    assert words.execute(row).fetchall() == [(24,)]
    used = dict(words.execute(USED).fetchall())
    assert used["length"] == found["length"] > 0.25 and used["words"] == found["words"] < 0.35
    # None is learnt beyond what is allowed.
    assert found["length"] <= 4 * 0.25 and found["words"] >= 0.35 / 4
    assert not words.execute("CALL check()").fetchall() or all(
        ok for _, ok, _ in words.execute("CALL check()").fetchall()
    )


def test_off_is_off_and_a_setting_of_ones_own_stands(words: sqlagent.Connection) -> None:
    long = remember_long_and_short(words)
    words.execute("SET recall_learning = 'off'")
    judge(words, long)
    assert first(words, "kayak") != long["kayak"] and learnt(words) == {}
    words.execute("SET recall_learning = 'on'")
    assert first(words, "kayak") == long["kayak"] and learnt(words) != {}
    words.execute("SET recall_learning = 'off'")
    assert first(words, "kayak") != long["kayak"]
    words.execute("SET recall_learning = 'on'")
    words.execute("SET recall_words_weight = 3.0")
    assert first(words, "kayak") != long["kayak"]


def test_too_little_is_not_learnt_from(words: sqlagent.Connection) -> None:
    long = remember_long_and_short(words)
    for _ in range(3):  # many judgements on few questions
        judge(words, {thing: long[thing] for thing in THINGS[:4]})
    words.execute("CALL sync()")
    assert first(words, "kayak") != long["kayak"] and learnt(words) == {}
    assert learnt(words, "") == {}


def test_an_agent_with_little_feedback_learns_from_all(words: sqlagent.Connection) -> None:
    long = {agent: remember_long_and_short(words, agent) for agent in ("ada", "ben", "chi")}
    for agent, things in (("ada", THINGS[:6]), ("ben", THINGS[6:])):
        judge(words, {thing: long[agent][thing] for thing in things}, agent)
    assert first(words, "kayak", "chi") == long["chi"]["kayak"]
    assert learnt(words, "chi") == learnt(words, "ada") == {} and learnt(words, "") != {}


def test_what_contradicts_itself_leaves_the_defaults(words: sqlagent.Connection) -> None:
    long = remember_long_and_short(words)
    for n, (thing, memory_id) in enumerate(long.items()):
        words.execute(ADD, ("ada", f"which {thing}", memory_id, n % 2))
        words.execute(ADD, ("ada", f"which {thing}", memory_id + 1, (n + 1) % 2))
    before = words.execute(USED).fetchall()
    words.execute("CALL sync()")
    assert set(learnt(words)) == set(PARTS) and set(learnt(words).values()) == {None}
    assert words.execute(USED).fetchall() == before


def test_a_users_own_weight_is_used_and_left_alone(words: sqlagent.Connection) -> None:
    long = remember_long_and_short(words)
    words.execute("INSERT INTO recall_weights (agent_id, part, weight) VALUES ('ada', 'length', 9)")
    words.execute("INSERT INTO recall_weights (part, weight) VALUES ('words', 0.3)")
    used = dict(words.execute(USED).fetchall())
    assert (used["length"], used["words"]) == (9.0, 0.3)
    assert first(words, "kayak") == long["kayak"]
    judge(words, long)
    words.execute("CALL sync()")
    row = "SELECT weight, judgements FROM recall_weights WHERE agent_id = 'ada' AND part = 'length'"
    assert words.execute(row).fetchall() == [(9.0, 0)]
    with pytest.raises(sqlagent.IntegrityError):
        words.execute("INSERT INTO recall_weights (part, weight) VALUES ('words', -1)")


def test_feedback_taken_back_takes_the_weights_with_it(words: sqlagent.Connection) -> None:
    long = remember_long_and_short(words)
    judge(words, long)
    words.execute("CALL sync()")
    assert learnt(words) != {}
    words.execute("DELETE FROM recall_feedback WHERE query = 'which kayak'")
    assert learnt(words) == {}
    words.execute("CALL sync()")
    assert learnt(words) != {}  # of the 22 that are left
    words.execute("DELETE FROM memories WHERE agent_id = 'ada'")
    assert words.execute("SELECT count(*) FROM recall_feedback").fetchone() == (0,)
    assert learnt(words) == {}


def test_a_plain_client_gives_feedback(fresh_db: Any, shell: Any) -> None:
    con = sqlagent.connect(fresh_db, embedding_model="none")
    long = remember_long_and_short(con)
    script = "".join(
        "INSERT INTO recall_feedback (agent_id, query, memory_id, useful) VALUES "
        f"('ada', 'which {thing}', {memory_id}, 1), ('ada', 'which {thing}', {memory_id + 1}, 0);"
        for thing, memory_id in long.items()
    )
    shell(fresh_db, script)
    assert first(con, "kayak") == long["kayak"]
    con.close()


def test_feedback_is_a_table_like_any_other(fresh_db: Any, shell: Any) -> None:
    """Both engines see what any client wrote, times are in the file's form."""
    con = sqlagent.connect(fresh_db, embedding_model="none")
    con.execute("SELECT remember('ada', '茶在柜子里')")
    shell(
        fresh_db,
        "INSERT INTO recall_feedback (agent_id, query, memory_id, created_at) "
        "VALUES ('ada', '茶在哪里', 1, '2024-05-05T10:00:00Z');",
    )
    at = datetime.datetime(2024, 5, 5, 10)
    for route in ("sqlite", "duckdb"):
        con.execute(f"SET route = '{route}'")
        rows = con.execute("SELECT query, useful, created_at FROM recall_feedback").fetchall()
        assert rows == [("茶在哪里", True, at)]
    con.execute("SELECT * FROM recall('ada', '茶')").fetchall()
    assert con.execute("SELECT access_count FROM memories").fetchone() == (1,)
    con.close()


def test_two_processes_reinforce_once(fresh_db: Any, child: Any) -> None:
    con = sqlagent.connect(fresh_db, embedding_model="none")
    memory_id = con.execute("SELECT remember('ada', 'the parcel')").fetchone()[0]
    con.execute("BEGIN")
    for n in range(200):
        con.execute(ADD, ("ada", f"question {n % 3}", memory_id, True))
    con.execute("COMMIT")
    con.close()
    code = (
        "import sys, sqlagent\n"
        "con = sqlagent.connect(sys.argv[1], embedding_model='none')\n"
        "con.execute('CALL sync()').fetchall()\n"
        "con.execute(\"SELECT * FROM recall('ada', 'parcel')\").fetchall()\n"
    )
    for process in [child(code, fresh_db) for _ in range(3)]:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    con = sqlagent.connect(fresh_db)
    assert con.execute("SELECT access_count FROM memories").fetchone() == (200,)
    con.close()


def test_nothing_is_learnt_inside_a_transaction(words: sqlagent.Connection) -> None:
    long = remember_long_and_short(words)
    words.execute("BEGIN")
    judge(words, long)
    assert first(words, "kayak") != long["kayak"] and learnt(words) == {}
    words.execute("COMMIT")
    assert first(words, "kayak") == long["kayak"]


@given(
    st.lists(st.lists(st.floats(-1, 1), min_size=3, max_size=3), max_size=30),
)
def test_factors_stay_within_bounds(rows: list[list[float]]) -> None:
    table = np.array(rows).reshape(-1, 3)
    pairs = [learning.Pairs(table, np.full(len(table), 1 / max(1, len(table))))]
    found = learning.factors(pairs, ("vector", "words", "length"))
    assert all(1 / 4.001 <= factor <= 4.001 for factor in found.values())
