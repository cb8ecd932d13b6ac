"""Words in the question's own form, words that stand together, and the order that rows keep."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlagent.index import Query, Row, ScopeIndex, Weights
from sqlagent.index.sought import sought
from sqlagent.index.windows import LENGTH, windows
from sqlagent.index.words import forms, query_terms, stem_of
from sqlagent.search.questions import marked

WORDS = Weights.fused(0.0)
FILLER = " ".join(f"filler{n}" for n in range(30))


def found(texts: list[str], question: str, weights: Weights) -> dict[int, float]:
    """The score of each text, by its place from 1 on."""
    index = ScopeIndex.build((Row(n, t) for n, t in enumerate(texts, 1)), dimensions=None)
    hits = index.search(Query(question, k=len(texts), weights=weights))
    return dict(zip(hits.ids.tolist(), hits.score.tolist(), strict=True))


def part(texts: list[str], question: str, name: str) -> dict[int, float]:
    index = ScopeIndex.build((Row(n, t) for n, t in enumerate(texts, 1)), dimensions=None)
    hits = index.search(Query(question, k=len(texts), weights=WORDS))
    return dict(zip(hits.ids.tolist(), hits.values[name].tolist(), strict=True))


def test_a_word_as_it_was_asked_counts_for_more() -> None:
    texts = ["the nation sleeps", "the national anthem", "the nations meet", "other", "things"]
    score = found(texts, "national", WORDS)
    assert set(score) == {1, 2, 3} and max(score, key=lambda i: score[i]) == 2
    plain = found(texts, "national", Weights.fused(0.0, exact=0.0, window=0.0))
    assert plain[1] == pytest.approx(plain[2])
    # All forms of one stem that are asked for are its own.
    both = found(texts, "nation or nations", WORDS)
    assert both[1] == both[3] > both[2]


def test_a_form_that_no_row_has_is_its_stem() -> None:
    texts = ["the boat sleeps", "a red car", "nothing", "here"]
    assert found(texts, "boating", WORDS) == pytest.approx(
        found(texts, "boating", Weights.fused(0.0, exact=0.0)), rel=1e-6
    )


def test_a_long_row_that_holds_a_word_keeps_its_floor() -> None:
    texts = ["quay " + FILLER * 20, "a quay", *["something else"] * 6]
    with_floor = found(texts, "quay", Weights.fused(0.0, floor=1.0))
    without = found(texts, "quay", Weights.fused(0.0, floor=0.0))
    assert with_floor[1] > without[1]


def test_words_that_stand_together_come_first() -> None:
    near = f"{FILLER} silver harbour lights {FILLER}"
    far = f"silver {FILLER} harbour {FILLER} lights"
    values = part([far, near, "silver", "other words"], "silver harbour lights", "window")
    assert values[2] == pytest.approx(1.0) and values[1] < 0.5
    score = found([far, near, "silver", "other words"], "silver harbour lights", WORDS)
    assert score[2] > score[1] > score[3]


def test_chinese_words_stand_together_too() -> None:
    texts = ["渡船" + "在" * 40 + "灯塔", "渡船与灯塔", "别的事情", "一二三四"]
    values = part(texts, "渡船 灯塔", "window")
    assert values[2] > values[1]


TOKENS = ["quay", "quays", "boat", "boats", "boating", "tea", "the", "渡船", "船长", "x"]
ROWS = st.lists(st.lists(st.sampled_from(TOKENS), max_size=25), min_size=1, max_size=12)


@settings(max_examples=80)
@given(ROWS, st.lists(st.sampled_from(TOKENS), min_size=1, max_size=5))
def test_windows_are_those_of_every_place(rows: list[list[str]], asked: list[str]) -> None:
    texts, question = [" ".join(row) for row in rows], " ".join(asked)
    index = ScopeIndex.build((Row(n, t) for n, t in enumerate(texts)), dimensions=None)
    terms = sought(index, question)
    slots = np.arange(1, len(texts) + 1)
    order = index.store.columns.ids[slots]
    values = windows(index, terms, slots)
    held = {
        term: sum(term in map(stem_of, forms(text)) for text in texts)
        for term in query_terms(question)
    }
    rare = {
        term: max(np.log((len(texts) - n + 0.5) / (n + 0.5)), 0.0) or 1e-6
        for term, n in held.items()
        if n
    }
    for row, value in zip(order.tolist(), values.tolist(), strict=True):
        said = [stem_of(form) for form in forms(texts[row])]
        passages = [set(said[at : at + LENGTH]) for at in range(len(said))]
        best = max((sum(rare[t] for t in p if t in rare) for p in passages), default=0.0)
        total = sum(rare.values())
        assert value == pytest.approx(best / total if total else 0.0, rel=1e-4, abs=1e-6)


@settings(max_examples=40)
@given(st.integers(0, 30), st.integers(0, 99), st.integers(1, 40))
def test_rows_keep_the_order_of_their_words(start: int, seed: int, changes: int) -> None:
    """Through builds, changes one by one, large batches and compactions."""
    rng = random.Random(seed)

    def text() -> str:
        return " ".join(rng.choices(TOKENS, k=rng.randint(0, 12)))

    held = {n: text() for n in range(start)}
    index = ScopeIndex.build((Row(n, t, None, 1.0, "s") for n, t in held.items()), dimensions=None)
    for _ in range(changes):
        if rng.random() < 0.1:
            fresh = {rng.randint(0, 600): text() for _ in range(300)}
        else:
            fresh = {rng.randint(0, 40): text() for _ in range(rng.randint(0, 2))}
        gone = {rng.randint(0, 40)} - set(fresh)
        index = index.apply([Row(n, t, None, 1.0, "s") for n, t in fresh.items()], gone)
        held = {n: t for n, t in held.items() if n not in gone} | fresh
    names = list(index.store.vocabulary.of)
    slots = np.flatnonzero(index.alive)
    words, sizes = index.store.sequences.of(slots)
    parts = np.split(words, np.cumsum(sizes)[:-1]) if len(sizes) else []
    ids = index.store.columns.ids[slots].tolist()
    told = {i: [names[code] for code in part.tolist()] for i, part in zip(ids, parts, strict=True)}
    assert told == {i: forms(text) for i, text in held.items()}


def test_a_question_of_thousands_of_words_is_answered() -> None:
    texts = [f"word{n} word{n + 1} tea" for n in range(200)]
    question = " ".join(f"word{n}" for n in range(3000))
    score: Any = found(texts, question, WORDS)
    assert len(score) == 200


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("what is a boat .", "what is a boat?"),
        ("How does it work", "How does it work?"),
        ("Is it here!", "Is it here?"),
        ("what is it?", "what is it?"),
        ("what is it？ ", "what is it？ "),
        ("papers on boats .", "papers on boats ."),
        ("island boats", "island boats"),
        ("doses of tea", "doses of tea"),
        ("in which year did it sink", "in which year did it sink?"),
        ("什么时候开船", "什么时候开船"),
        ("", ""),
        ("what " * 1000, "what " * 1000),
    ],
)
def test_a_question_is_embedded_as_one(text: str, expected: str) -> None:
    assert marked(text) == expected
