"""recall(): an agent's own memories, all that are valid and none that are not, best first."""

from __future__ import annotations

import datetime
import time
from typing import Any

import pytest

import sqlagent

TEXTS = [
    "The parcel is in locker 17",
    "Her favourite tea is jasmine",
    "The boiler was repaired by Mr Quimby",
    "客户王芳喜欢喝龙井茶",
    "会议改到星期三下午",
    "カメラは青い箱の中にある",
]


def contents(con: sqlagent.Connection, query: str, agent: str = "ada", **more: Any) -> list[str]:
    named = "".join(f", {name} => ?" for name in more)
    sql = f"SELECT content FROM recall(?, ?{named})"
    return [text for (text,) in con.execute(sql, (agent, query, *more.values()))]


@pytest.fixture
def told(words: sqlagent.Connection) -> sqlagent.Connection:
    """Ada was told a few things, in three languages; Bob one."""
    for text in TEXTS:
        words.execute("SELECT remember('ada', ?)", (text,))
    words.execute("SELECT remember('bob', 'The parcel is with the neighbour')")
    return words


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("parcel", 0), ("Where is the PARCEL?", 0), ("teas", 1), ("repairing boilers", 2),
        ("龙井", 3), ("龙井茶", 3), ("王芳", 3), ("会议", 4), ("星期三", 4),
        ("カメラ", 5), ("青い箱", 5),
    ],
)  # fmt: skip
def test_words_in_every_language(told: sqlagent.Connection, query: str, wanted: int) -> None:
    assert contents(told, query)[0] == TEXTS[wanted]


def test_columns_and_their_ranges(con: sqlagent.Connection) -> None:
    for text in TEXTS[:3]:
        con.execute("SELECT remember('ada', ?)", (text,))
    cursor = con.execute("SELECT * FROM recall('ada', 'who repaired the boiler')")
    names = [c[0] for c in cursor.description or []]
    wanted = "memory_id kind content score similarity lexical strength created_at"
    assert " ".join(names) == wanted
    rows = cursor.fetchall()
    assert rows[0][2] == TEXTS[2] and len(rows) == 3
    scores = [r[3] for r in rows]
    assert scores == sorted(scores, reverse=True)
    for _, kind, _, _, similarity, lexical, strength, created in rows:
        assert kind == "episodic" and -1 <= similarity <= 1
        assert 0 <= lexical <= 1 and 0 <= strength <= 1
        assert abs(datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - created).days == 0
    assert rows[0][5] == 1.0


def test_meaning_finds_what_no_word_does(con: sqlagent.Connection) -> None:
    for text in TEXTS[:3]:
        con.execute("SELECT remember('ada', ?)", (text,))
    assert contents(con, "what does she like to drink", k=1) == [TEXTS[1]]
    assert contents(con, "who fixed the heating", k=1) == [TEXTS[2]]
    con.execute("SET embedding_model = 'none'")
    assert contents(con, "who fixed heating") == []


def test_agents_are_kept_apart(told: sqlagent.Connection) -> None:
    assert contents(told, "parcel", "bob") == ["The parcel is with the neighbour"]
    assert contents(told, "parcel", "nobody") == []
    assert contents(told, "neighbour") == []
    assert contents(told, "parcel", "ADA") == []


def test_what_was_just_written_is_recalled_by_the_next_statement(told: sqlagent.Connection) -> None:
    for n in range(30):
        told.execute("SELECT remember('ada', ?)", (f"The code is swordfish{n}",))
        assert contents(told, f"swordfish{n}") == [f"The code is swordfish{n}"]
    told.execute("INSERT INTO memories (agent_id, content) VALUES ('ada', 'plain insert')")
    assert contents(told, "plain insert") == ["plain insert"]
    told.execute("UPDATE memories SET content = 'changed text' WHERE content = 'plain insert'")
    assert contents(told, "plain insert") == [] and contents(told, "changed") == ["changed text"]
    told.execute("DELETE FROM memories WHERE content = 'changed text'")
    assert contents(told, "changed") == []


@pytest.mark.parametrize(
    "change",
    [
        "archived_at = '2020-01-01'",
        "expires_at = '2020-01-01'",
        "valid_to = '2020-01-01T00:00:00Z'",
        "valid_from = '2099-01-01'",
        "superseded_by = 2",
        "agent_id = 'eve'",
    ],
)
def test_what_is_not_valid_is_not_recalled(told: sqlagent.Connection, change: str) -> None:
    assert contents(told, "parcel") == [TEXTS[0]]
    told.execute(f"UPDATE memories SET {change} WHERE memory_id = 1")
    assert contents(told, "parcel") == []
    told.execute(
        "UPDATE memories SET archived_at = NULL, expires_at = NULL, valid_to = NULL, "
        "valid_from = NULL, superseded_by = NULL, agent_id = 'ada' WHERE memory_id = 1"
    )
    assert contents(told, "parcel") == [TEXTS[0]]


def soon(seconds: float) -> str:
    at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def test_expiry_and_validity_come_with_time_alone(told: sqlagent.Connection) -> None:
    """Nothing is written while the clock passes the moment; the index must notice by itself."""
    told.execute("SELECT remember('ada', 'the password is kestrel', expires_at => ?)", (soon(0.5),))
    told.execute(
        "INSERT INTO memories (agent_id, content, valid_from) "
        "VALUES ('ada', 'the word is osprey', ?)",
        (soon(0.5),),
    )
    assert contents(told, "kestrel") == ["the password is kestrel"]
    assert contents(told, "osprey") == []
    time.sleep(0.6)
    assert contents(told, "kestrel") == []
    assert contents(told, "osprey") == ["the word is osprey"]


def test_as_of_is_half_open(told: sqlagent.Connection) -> None:
    told.execute(
        "INSERT INTO memories (agent_id, content, created_at, valid_from, valid_to) VALUES "
        "('ada', 'lives in Oslo', '2020-01-01', '2020-01-01', '2021-01-01'), "
        "('ada', 'lives in Bergen', '2020-06-01', '2021-01-01', NULL)"
    )
    assert contents(told, "lives") == ["lives in Bergen"]
    for at, wanted in [
        ("2019-12-31 23:59:59.999", []),
        ("2020-01-01", ["lives in Oslo"]),
        ("2020-12-31T23:59:59.999Z", ["lives in Oslo"]),
        ("2021-01-01T00:00:00Z", ["lives in Bergen"]),
        ("2021-01-01T01:00:00+01:00", ["lives in Bergen"]),
        (datetime.datetime(2020, 5, 5), ["lives in Oslo"]),
    ]:
        assert contents(told, "lives", as_of=at) == wanted, at


def test_filters_apply_before_the_ranking(words: sqlagent.Connection) -> None:
    sql = "SELECT remember('ada', ?, kind => ?, user_id => ?, session_id => ?)"
    for n in range(60):
        kind = "semantic" if n % 20 == 7 else "episodic"
        words.execute(sql, (f"tea note {n}", kind, f"u{n % 2}", f"s{n % 30}"))
    assert set(contents(words, "tea", k=3, kind="semantic")) == {
        f"tea note {n}" for n in (7, 27, 47)
    }
    assert len(contents(words, "tea", k=99, user_id="u1")) == 30
    assert set(contents(words, "tea", k=5, session_id="s3")) == {"tea note 3", "tea note 33"}
    assert contents(words, "tea", user_id="nobody") == []
    assert contents(words, "tea", kind="semantic", session_id="s7") == ["tea note 7"]


def test_token_budget_fits(told: sqlagent.Connection) -> None:
    for n in range(20):
        told.execute("SELECT remember('ada', ?)", (f"a note about the boiler number {n}",))
    for budget in (0, 1, 8, 20, 50, 10_000):
        sql = (
            "SELECT content, token_count(content) "
            "FROM recall('ada', 'boiler', k => 50, token_budget => ?)"
        )
        rows = told.execute(sql, (budget,)).fetchall()
        assert sum(n for _, n in rows) <= budget
        assert len({c for c, _ in rows}) == len(rows)
    assert len(contents(told, "boiler", k=50, token_budget=10_000)) == 21
    assert len(contents(told, "boiler", k=4, token_budget=10_000)) == 4


def test_embeddings_of_ones_own(words: sqlagent.Connection) -> None:
    for n, text in enumerate(("north", "east", "south")):
        vector = [1.0 if n == at else 0.0 for at in range(3)]
        words.execute("SELECT remember('ada', ?, embedding => ?)", (text, vector))
    assert contents(words, "nothing in common", embedding=[0.1, 1.0, 0.2], k=1) == ["east"]
    assert contents(words, "north", embedding=[1.0, 0.0, 0.0], k=1) == ["north"]
    sql = "SELECT content, similarity FROM recall('ada', 'x', embedding => [0.0, 0.0, 2.0], k => 1)"
    assert words.execute(sql).fetchall() == [("south", pytest.approx(1.0, abs=1e-3))]
    words.execute("SELECT remember('ada', 'north', embedding => [0.0, 1.0, 0.0])")
    words.execute("UPDATE memories SET content = 'westward' WHERE content = 'east'")
    (count,) = words.execute("SELECT count(*) FROM memory_vectors").fetchone()
    assert count == 2  # the text changed: its vector is no longer of it
    words.execute("CALL rebuild('vectors')")
    assert words.execute("SELECT count(*) FROM memory_vectors").fetchone() == (2,)


def test_a_repeat_strengthens_and_a_plain_insert_repeats(words: sqlagent.Connection) -> None:
    first = words.execute("SELECT remember('ada', 'The lamp is green')").fetchone()
    assert words.execute("SELECT remember('ada', 'The lamp is green')").fetchone() == first
    row = "SELECT count(*), max(access_count) FROM memories"
    assert words.execute(row).fetchone() == (1, 1)
    for other in ("speaker => 'Bo'", "session_id => 's'", "kind => 'semantic'", "user_id => 'u'"):
        assert (
            words.execute(f"SELECT remember('ada', 'The lamp is green', {other})").fetchone()
            != first
        )
    words.execute("INSERT INTO memories (agent_id, content) VALUES ('ada', 'The lamp is green')")
    assert words.execute(row).fetchone() == (6, 1)
    assert len(contents(words, "lamp")) == 6


def test_the_speaker_is_part_of_what_is_recalled(words: sqlagent.Connection) -> None:
    words.execute("SELECT remember('ada', 'I bought a bicycle', speaker => 'Melanie')")
    words.execute("SELECT remember('ada', 'I bought a kayak', speaker => 'Caroline')")
    assert contents(words, "What did Melanie buy? bought")[0] == "I bought a bicycle"
    assert contents(words, "What did Caroline buy? bought")[0] == "I bought a kayak"


def test_an_uncommitted_memory_is_ones_own_alone(con: sqlagent.Connection) -> None:
    con.execute("SELECT remember('ada', 'an old fact about ferries')")
    other = sqlagent.connect(con.database.path)
    con.execute("BEGIN")
    con.execute("SELECT remember('ada', 'a new fact about ferries')")
    assert len(contents(con, "ferries")) == 2 and len(contents(other, "ferries")) == 1
    con.execute("UPDATE memories SET content = 'an older fact about ferries' WHERE memory_id = 1")
    assert set(contents(con, "ferries")) == {
        "an older fact about ferries",
        "a new fact about ferries",
    }
    con.execute("ROLLBACK")
    assert contents(con, "ferries") == contents(other, "ferries") == ["an old fact about ferries"]
    other.close()


def test_long_chinese_texts_are_found_too(words: sqlagent.Connection) -> None:
    text = "敏捷的棕色狐狸跳过懒狗。" * 600 + "龙井茶"
    words.execute("SELECT remember('ada', ?)", (text,))
    assert contents(words, "龙井茶") == [text]
    found = "SELECT count(*) FROM memories_fts WHERE memories_fts MATCH '\"龙 井 茶\"'"
    assert words.execute(found).fetchone() == (1,)


def test_the_limit_and_order_of_the_statement(told: sqlagent.Connection) -> None:
    for n in range(12):
        told.execute("SELECT remember('ada', ?)", (f"boiler {n}",))
    rows = told.execute("SELECT content FROM recall('ada', 'boiler', k => 12) LIMIT 3").fetchall()
    assert len(rows) == 3
    rows = told.execute(
        "SELECT memory_id FROM recall('ada', 'boiler', k => 12) ORDER BY memory_id DESC LIMIT 2"
    ).fetchall()
    every = told.execute("SELECT memory_id FROM recall('ada', 'boiler', k => 12)").fetchall()
    assert rows == sorted(every, reverse=True)[:2]
    rows = told.execute(
        "SELECT memory_id FROM recall('ada', 'boiler', k => 12) LIMIT 2 OFFSET 3"
    ).fetchall()
    assert rows == every[3:5]
    total = told.execute(
        "SELECT count(*), max(score) >= min(score) FROM recall('ada', 'boiler', k => 5)"
    )
    assert total.fetchall() == [(5, True)]


def test_many_agents_in_one_file(words: sqlagent.Connection) -> None:
    words.execute("SET search_cache_mb = 1")
    rows = [(f"a{n % 200}", f"note {n} about tea {n // 200}") for n in range(2000)]
    words.executemany("INSERT INTO memories (agent_id, content) VALUES (?, ?)", rows)
    for n in range(200):
        assert len(contents(words, "tea", f"a{n}", k=99)) == 10
