"""The best set for a token budget: it fits, holds the best, repeats nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sqlagent
from sqlagent.search.budget import best_set

WORDS = ("kayak", "ferry", "boiler", "passport", "violin", "tomato", "invoice", "bridge", "lamp")
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8), max_size=30)


def count(text: str) -> int:
    return len(text.split())


@given(TEXTS, st.integers(0, 12), st.integers(0, 40))
def test_it_fits_holds_the_best_and_is_maximal(texts: list[list[str]], k: int, budget: int) -> None:
    rows = [(n, " ".join(words)) for n, words in enumerate(texts)]
    found = best_set(rows, k, budget, count)
    sizes = {n: count(text) for n, text in rows}
    left = budget - sum(sizes[n] for n in found.taken)
    assert left >= 0 and len(found.taken) <= k and len(set(found.taken)) == len(found.taken)
    assert found.taken == sorted(found.taken)  # best first
    fits = [n for n, _ in rows if sizes[n] <= budget]
    if k and fits:
        assert fits[0] in found.taken
    assert set(found.taken) | set(found.left_out) == set(sizes)
    if len(found.taken) < k:  # nothing that was left out has room and says something new
        for n, reason in found.left_out.items():
            assert sizes[n] > left or "near-duplicate" in reason


@given(TEXTS, st.integers(0, 40), st.integers(0, 40))
def test_near_duplicates_of_what_was_taken_are_left_out(
    texts: list[list[str]], budget: int, copies: int
) -> None:
    rows = [(n, " ".join(words)) for n, words in enumerate(texts)]
    again = [(n + 100, text.upper() + "!") for n, text in rows[:copies]]
    found = best_set(rows + again, 1000, budget, count)
    taken = {n % 100 for n in found.taken}
    assert len(taken) == len(found.taken)


def told(con: sqlagent.Connection, budget: int, query: str = "boiler", k: int = 100) -> list[Any]:
    sql = "SELECT memory_id, content, token_count(content) FROM recall('ada', ?, k => ?, "
    return con.execute(sql + "token_budget => ?)", (query, k, budget)).fetchall()


@pytest.fixture
def noted(words: sqlagent.Connection) -> sqlagent.Connection:
    for n in range(40):
        what = " and ".join(WORDS[i % 10] for i in range(n % 5, n % 5 + n % 4 + 1))
        words.execute(
            "SELECT remember('ada', ?, created_at => ?)",
            (f"boiler note {n}: {what}", f"2024-01-{1 + n * 7 % 28:02d} 00:00:{n:02d}"),
        )
    return words


def test_a_budget_is_used_and_never_exceeded(noted: sqlagent.Connection) -> None:
    for budget in (0, 1, 7, 8, 20, 60, 150, 333, 10_000):
        rows = told(noted, budget)
        total = sum(tokens for *_, tokens in rows)
        assert total <= budget
        assert total >= 0.8 * budget or budget < 20 or len(rows) == 40
    assert len(told(noted, 10_000, k=3)) == 3


def test_the_order_is_that_of_time_and_a_growing_set_keeps_it(noted: sqlagent.Connection) -> None:
    sql = "SELECT memory_id FROM memories ORDER BY created_at, memory_id"
    order = [memory_id for (memory_id,) in noted.execute(sql)]
    before = told(noted, 150)
    assert [m for m, *_ in before] == [m for m in order if m in {m for m, *_ in before}]
    # What is said later comes at the end: the prompt's beginning stays as it was.
    noted.execute("SELECT remember('ada', 'boiler mended', created_at => '2025-01-01')")
    after = told(noted, 150 + 20, "boiler mended")
    assert after[-1][1] == "boiler mended"
    assert told(noted, 10_000)[:-1] == told(noted, 10_000, "boiler note")[:40]


def test_duplicates_do_not_cost_the_best_one(words: sqlagent.Connection) -> None:
    for end in ("", ".", "!", " ", " …"):
        text = f"The passport of Ada expires in June 2031{end}"
        words.execute("INSERT INTO memories (agent_id, content) VALUES ('ada', ?)", (text,))
    words.execute("SELECT remember('ada', 'Ada has a passport photo')")
    rows = told(words, 100, "when does the passport of Ada expire")
    assert len(rows) == 2
    for text in ("客户王芳喜欢喝龙井茶", "客户王芳喜欢喝龙井茶。", "客户李芳喜欢喝龙井茶"):
        words.execute("SELECT remember('ada', ?)", (text,))
    assert len(told(words, 100, "龙井茶")) == 2
