"""The graph in recall() and search(): what it ties to what was found, at a bounded weight."""

from __future__ import annotations

from typing import Any

import pytest

import sqlagent

ASKED = "where does Ann work?"
NOTHING = "a plain remark about the weather, number {}"


@pytest.fixture
def tied(words: sqlagent.Connection) -> sqlagent.Connection:
    """Ann works at Acme (1), Acme is in Porto (2), Porto has a harbour (3), and some remarks."""
    for text in ("Ann has her desk at Acme", "the firm sits in Porto", "ships come to the harbour"):
        words.execute("SELECT remember('ada', ?)", (text,))
    for n in range(20):
        words.execute("SELECT remember('ada', ?)", (NOTHING.format(n),))
    words.execute("SELECT relate('Ann', 'works_at', 'Acme', memory_id => 1)")
    words.execute("SELECT relate('Acme', 'located_in', 'Porto', memory_id => 2)")
    words.execute("SELECT relate('Porto', 'has', 'a harbour', memory_id => 3)")
    words.execute("SET recall_graph_weight = 0.2")
    return words


def recalled(con: sqlagent.Connection, asked: str = ASKED, agent: str = "ada") -> dict[int, float]:
    return dict(con.execute("SELECT memory_id, score FROM recall(?, ?)", (agent, asked)).fetchall())


def reasons(con: sqlagent.Connection, asked: str = ASKED, agent: str = "ada") -> dict[int, Any]:
    sql = (
        "SELECT memory_id, value, weight, contribution, reason FROM explain_recall(?, ?) "
        "WHERE part = 'graph'"
    )
    return {row[0]: row[1:] for row in con.execute(sql, (agent, asked)).fetchall()}


def test_what_is_linked_to_what_was_found_comes_with_its_path(tied: sqlagent.Connection) -> None:
    found = recalled(tied)
    assert list(found) == [1, 2, 3]  # no word of 2 and 3 is in the question
    told = reasons(tied)
    assert told[1][3] == "nothing ties it to the best memories"
    assert told[2][3] == "Ann —works_at→ Acme, Acme —located_in→ Porto; from memory 1"
    assert told[3][3].endswith("Acme —located_in→ Porto, Porto —has→ a harbour; from memory 1")
    assert 0 < told[3][0] < told[2][0] <= 1
    assert all(v * w == pytest.approx(c) and w == 0.2 for v, w, c, _ in told.values())


def test_contributions_still_add_up(tied: sqlagent.Connection) -> None:
    sums = dict(
        tied.execute(
            "SELECT memory_id, sum(contribution) FROM explain_recall('ada', ?) GROUP BY 1", (ASKED,)
        ).fetchall()
    )
    assert sums == pytest.approx(recalled(tied))
    parts = "SELECT memory_id, graph FROM recall_parts('ada', ?)"
    with_weight = dict(tied.execute(parts, (ASKED,)).fetchall())
    assert with_weight == pytest.approx({i: told[0] for i, told in reasons(tied).items()})


def test_without_a_weight_it_is_a_value_alone(tied: sqlagent.Connection) -> None:
    tied.execute("SET recall_graph_weight = 0")
    assert list(recalled(tied)) == [1] and reasons(tied) == {}
    told = tied.execute("SELECT memory_id, graph FROM recall_parts('ada', ?)", (ASKED,)).fetchall()
    assert told == [(1, 0.0)]


def test_a_link_between_memories_ties_them_from_both_ends(words: sqlagent.Connection) -> None:
    for text in ("the parcel is in locker 17", "Ben has the key", "unrelated"):
        words.execute("SELECT remember('ada', ?)", (text,))
    words.execute("SELECT link(1, 2, relation => 'opened_by', weight => 5)")
    words.execute("SET recall_graph_weight = 0.2")
    assert list(recalled(words, "parcel")) == [1, 2]
    value, _, _, reason = reasons(words, "parcel")[2]
    assert value == 0.5 and reason == "a link: memory 1 —opened_by→ it"
    assert reasons(words, "key")[1][3] == "a link: it —opened_by→ memory 2"


def test_filters_hold_for_what_is_tied(tied: sqlagent.Connection) -> None:
    sql = "SELECT memory_id FROM recall('ada', ?, filter => 'memory_id <> 2')"
    assert tied.execute(sql, (ASKED,)).fetchall() == [(1,), (3,)]
    tied.execute("UPDATE memories SET archived_at = '2024-01-01 00:00:00.000' WHERE memory_id = 2")
    assert 2 not in recalled(tied)


def test_a_way_never_leads_over_what_another_agent_knows(tied: sqlagent.Connection) -> None:
    for text in ("Ann has a desk", "Lena sells bread", "Otto bakes it"):
        tied.execute("SELECT remember('bob', ?)", (text,))
    first = tied.execute("SELECT min(memory_id) FROM memories WHERE agent_id = 'bob'").fetchone()[0]
    tied.execute("SELECT relate('Ann', 'likes', 'tea', memory_id => ?)", (first,))
    # Bob's third memory tells of Porto, which is tied to Ann only by what Ada knows.
    tied.execute("SELECT relate('Porto', 'has', 'Otto', memory_id => ?)", (first + 2,))
    assert list(recalled(tied, "Ann desk", "bob")) == [first]
    tied.execute("SELECT relate('Acme', 'located_in', 'Porto')")  # said aloud, it is for everybody
    tied.execute("SELECT relate('Ann', 'works_at', 'Acme')")
    assert list(recalled(tied, "Ann desk", "bob")) == [first]  # three hops
    tied.execute("SELECT relate('Ann', 'lives_in', 'Porto')")
    assert list(recalled(tied, "Ann desk", "bob")) == [first, first + 2]
    assert 3 in recalled(tied) and first + 2 not in recalled(tied)


def test_what_everything_tells_of_ties_nothing(words: sqlagent.Connection) -> None:
    words.execute("SET recall_graph_weight = 0.2")
    words.execute("BEGIN")
    for n in range(1, 101):
        words.execute("SELECT remember('ada', ?)", (f"thing{n} is what it is",))
        words.execute("SELECT relate('Hub', 'has', ?, memory_id => ?)", (f"thing {n}", n))
    words.execute("COMMIT")
    assert list(recalled(words, "thing7")) == [7]


def test_a_relation_of_another_time_ties_nothing(tied: sqlagent.Connection) -> None:
    tied.execute("UPDATE relations SET valid_to = '2020-01-01 00:00:00.000' WHERE memory_id = 2")
    assert list(recalled(tied)) == [1]


def test_cycles_and_loops_end(tied: sqlagent.Connection) -> None:
    tied.execute("SELECT relate('Porto', 'twin_of', 'Ann', memory_id => 2)")
    tied.execute("SELECT relate('Ann', 'is', 'Ann', memory_id => 1)")
    assert list(recalled(tied)) == [1, 2, 3]


def test_chinese(words: sqlagent.Connection) -> None:
    for text in ("王芳认识李雷", "他喜欢喝龙井茶", "今天下雨"):
        words.execute("SELECT remember('ada', ?)", (text,))
    words.execute("SELECT relate('王芳', '认识', '李雷', memory_id => 1)")
    words.execute("SELECT relate('李雷', '喜欢', '龙井茶', memory_id => 2)")
    words.execute("SET recall_graph_weight = 0.2")
    assert list(recalled(words, "王芳")) == [1, 2]
    assert reasons(words, "王芳")[2][3] == "王芳 —认识→ 李雷, 李雷 —喜欢→ 龙井茶; from memory 1"


def test_inside_a_transaction_it_sees_its_own(tied: sqlagent.Connection) -> None:
    tied.execute("BEGIN")
    tied.execute("SELECT remember('ada', 'Lena is there too')")
    new = tied.execute("SELECT max(memory_id) FROM memories").fetchone()[0]
    tied.execute("SELECT relate('Lena', 'knows', 'Ann', memory_id => ?)", (new,))
    assert new in recalled(tied)
    tied.execute("ROLLBACK")
    assert new not in recalled(tied)


@pytest.mark.parametrize("weight", ["-1", "'much'"])
def test_a_weight_that_cannot_be(tied: sqlagent.Connection, weight: str) -> None:
    for setting in ("recall_graph_weight", "search_graph_weight"):
        with pytest.raises(sqlagent.ProgrammingError, match=f"{setting} is a number from 0"):
            tied.execute(f"SET {setting} = {weight}")


def test_search_takes_the_graph_in(words: sqlagent.Connection) -> None:
    texts = {"a": "Ann has her desk at Acme.", "b": "The firm sits in Porto.", "c": "It rained."}
    for uri, text in texts.items():
        words.execute("SELECT index_document(?, uri => ?)", (text, uri))
    chunks = dict(
        words.execute(
            "SELECT d.uri, c.chunk_id FROM chunks c JOIN documents d USING (document_id)"
        ).fetchall()
    )
    sql = "SELECT uri FROM search('Ann')"
    assert words.execute(sql).fetchall() == [("a",)]
    words.execute("SELECT relate('Ann', 'works_at', 'Acme', chunk_id => ?)", (chunks["a"],))
    words.execute("SELECT relate('Acme', 'in', 'Porto', chunk_id => ?)", (chunks["b"],))
    assert words.execute(sql).fetchall() == [("a",)]
    words.execute("SET search_graph_weight = 0.2")
    assert words.execute(sql).fetchall() == [("a",), ("b",)]
    scores = [s for (s,) in words.execute("SELECT score FROM search('Ann')").fetchall()]
    assert 0 < scores[1] <= 0.2 < scores[0]
