"""Time in words: who tells one, who asks for one, which date a question names, how near it is."""

import calendar
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlagent.index import Query, Row, ScopeIndex, terms
from sqlagent.index.times import Day, asks, asks_when, bounded, days_in, nearness, tells_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I went there yesterday", True),
        ("We moved in 2019", True),
        ("Back in March, I think", True),
        ("two weeks ago", True),
        ("I like tea", False),
        ("It cost 4019 euros", False),
        ("昨天我跑完了马拉松", True),
        ("我們去年結婚", True),
        ("会议在5月举行", True),
        ("先週京都に行った", True),
        ("작년에 이사했어요", True),
        ("他喜欢喝绿茶", False),
    ],
)
def test_tells_time(text: str, expected: bool) -> None:
    assert tells_time(terms(text), text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("When did Ada move?", True),
        ("how long has Bob lived here", True),
        ("On which day did they meet?", True),
        ("In what month was that", True),
        ("And since when?", True),
        ("Ada, when did you move?", True),
        ("Do you remember when we met?", True),
        ("What time is it?", True),
        ("Who cried when the ferry left?", False),
        ("What kind of day planner does he use?", False),
        ("Whenever it rains", False),
        ("小林什么时候结婚？", True),
        ("他们哪一年认识的", True),
        ("你等了多久？", True),
        ("彼はいつ来ますか", True),
        ("언제 왔어요?", True),
        ("他为什么学法语？", False),
        ("", False),
    ],
)
def test_asks_when(text: str, expected: bool) -> None:
    assert asks_when(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How are you?", True),
        ('He asked "why?"', True),
        ("Have you seen this? [shared image: a boat]", True),
        ("你好吗？", True),
        ("Why? Because.", False),
        ("A boat [what is it?] in the bay", False),
        ("]", False),
        ("", False),
    ],
)
def test_asks(text: str, expected: bool) -> None:
    assert asks(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What happened on 8 May 2023?", [Day(2023, 5, 8)]),
        ("on May 8th, 2023", [Day(2023, 5, 8)]),
        ("on the 8th of May", [Day(None, 5, 8)]),
        ("in August 2022", [Day(2022, 8, None)]),
        ("in Sept. 2022", [Day(2022, 9, None)]),
        ("between 2023-05-08 and 2023/6/1", [Day(2023, 5, 8), Day(2023, 6, 1)]),
        ("in 2021 or 2022", [Day(2021, None, None), Day(2022, None, None)]),
        ("2023年5月8日发生了什么", [Day(2023, 5, 8)]),
        ("5月8号", [Day(None, 5, 8)]),
        ("2023년 5월", [Day(2023, 5, None)]),
        ("2021年发生了什么", [Day(2021, None, None)]),
        ("She may march on", []),
        ("In May we sail", [Day(None, 5, None)]),
        ("on 31 February 2023", [Day(2023, None, None)]),
        ("on 2023-13-01", [Day(2023, None, None)]),
        ("room 12, flat 2023b", []),
        ("tea", []),
    ],
)
def test_days_in(text: str, expected: list[Day]) -> None:
    assert days_in(text) == expected


def at(*when: int) -> float:
    return float(calendar.timegm((*when, 12, 0, 0)))


def test_nearness() -> None:
    times = np.array([at(2023, 5, 8), at(2023, 5, 13), at(2023, 5, 30), at(2022, 5, 8)])
    day = nearness(times, [Day(2023, 5, 8)])
    assert day == pytest.approx([1.0, np.exp(-1.0), 0.0, 0.0])
    assert nearness(times, [Day(None, 5, 8)]) == pytest.approx([1.0, np.exp(-1.0), 0.0, 1.0])
    assert nearness(times, [Day(2023, 5, None)]).tolist() == [1, 1, 1, 0]
    assert nearness(times, [Day(None, 5, None)]).tolist() == [1, 1, 1, 1]
    assert nearness(times, [Day(2022, None, None)]).tolist() == [0, 0, 0, 0.25]
    both = nearness(times, [Day(2022, None, None), Day(2023, 5, 8)])
    assert both == pytest.approx([1.0, np.exp(-1.0), 0.0, 0.25])
    assert nearness(times, [Day(None, 2, 29)]).tolist() == [0, 0, 0, 0]
    assert nearness(times[:0], [Day(2023, 5, 8)]).tolist() == []


DATES = st.builds(
    Day, st.none() | st.integers(1900, 2099), st.integers(1, 12), st.none() | st.integers(1, 28)
)


@given(st.lists(st.floats(-1e11, 1e11), max_size=6), st.lists(DATES, max_size=3))
def test_nearness_is_bounded(times: list[float], days: list[Day]) -> None:
    near = nearness(np.array(times, np.float64), days)
    assert len(near) == len(times) and ((near >= 0) & (near <= 1)).all()


@given(*[st.none() | st.floats(allow_nan=False)] * 3)
def test_strengths_are_bounded(decay: Any, activation: Any, retention: Any) -> None:
    assert all(0.0 <= value <= 1.0 for value in bounded(decay, activation, retention))


@given(st.text(max_size=40))
def test_any_text_will_do(text: str) -> None:
    days_in(text), asks(text), asks_when(text), tells_time(terms(text), text)


def test_the_answer_follows_the_question() -> None:
    rows = [
        Row(1, "What do you drink?", None, 1.0, "s"),
        Row(2, "Oolong mostly", None, 2.0, "s"),
        Row(3, "So do I, I drink a lot", None, 3.0, "s"),
        *(Row(i, "the ferry was late", None, float(i), "s") for i in range(4, 12)),
    ]
    hits = ScopeIndex.build(rows, dimensions=None).search(Query("who drinks what"))
    answer = dict(zip(hits.ids.tolist(), hits.values["answer"], strict=True))
    assert answer[2] > 0 > answer[1] and answer[3] == 0


def test_who_tells_a_time_comes_first_where_one_is_asked_for() -> None:
    rows = [Row(1, "I sold the kayak"), Row(2, "I sold the kayak on Monday")]
    rows += [Row(i, "the ferry was late again today") for i in range(3, 12)]
    index = ScopeIndex.build(rows, dimensions=None)
    assert index.search(Query("when was the kayak sold")).ids.tolist() == [2, 1]
    asked = index.search(Query("when was the kayak sold")).values["time"]
    unasked = index.search(Query("who sold the kayak")).values["time"]
    assert max(asked) == 1.0 and max(unasked) == pytest.approx(0.3)


def test_rows_of_the_date_that_a_question_names_come_first() -> None:
    rows = [Row(i, "we went sailing", None, at(2023, i, 5)) for i in range(1, 13)]
    index = ScopeIndex.build(rows, dimensions=None)
    assert index.search(Query("where did we sail in June 2023?", k=1)).ids.tolist() == [6]
    assert index.search(Query("2023年8月我们 went 去哪里", k=1)).ids.tolist() == [8]
    assert "date" not in index.search(Query("where did we sail?")).parts


def test_strength_moves_a_score_by_no_more_than_its_weights() -> None:
    weak, strong = (0.0, -50.0, 0.0), (1e9, 50.0, 1.0)
    rows = [Row(1, "red kayak", None, 1.0, None, None, *weak)]
    rows += [Row(2, "red ferry", None, 1.0, None, None, *strong)]
    rows += [Row(i, "tea", None, 1.0, None, None, *strong) for i in range(3, 9)]
    hits = ScopeIndex.build(rows, dimensions=None).search(Query("red kayak"))
    assert hits.ids.tolist() == [1, 2]
    names = ("decay", "activation", "retention")
    assert [sum(hits.parts[name][at] for name in names) for at in (0, 1)] == pytest.approx(
        [0.0, sum(hits.weights[name] for name in names)], abs=1e-6
    )
