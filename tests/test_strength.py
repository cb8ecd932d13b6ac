"""How strong a memory is: FSRS-6 and ACT-R as published, and what no use and no day may do."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent.memory import fsrs

LOOSE = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SHARE = st.floats(0, 1)
DAYS = st.floats(0, 4000)
STAMP = "strftime('%Y-%m-%d %H:%M:%f', 'now', ?)"


def test_the_first_states_are_the_published_ones() -> None:
    found = [fsrs.first(grade) for grade in (1, 2, 3, 4)]
    assert [m.stability_days for m in found] == [0.212, 1.2931, 2.3065, 8.2956]
    wanted = [6.4133, 5.11217071, 2.11810397, 1.0]
    assert [m.difficulty for m in found] == pytest.approx(wanted, abs=1e-8)


def test_six_reviews_give_the_published_state() -> None:
    """The reference implementation's own vector: again, then good after 0, 1, 3, 8, 21 days."""
    memory = fsrs.first(fsrs.AGAIN)
    for elapsed in (0, 1, 3, 8, 21):
        memory = fsrs.recalled(memory, elapsed, fsrs.GOOD)
    assert memory == pytest.approx((53.62691, 6.3574867), abs=1e-4)


def test_without_the_steps_of_a_day_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fsrs, "W", (*fsrs.W[:17], 0.0, 0.0, 0.0, fsrs.W[20]))
    memory = fsrs.first(fsrs.AGAIN)
    for elapsed in (0, 1, 3, 8, 21):
        memory = fsrs.recalled(memory, elapsed, fsrs.GOOD)
    assert memory.stability_days == pytest.approx(53.335106, abs=1e-4)


def test_the_published_intervals() -> None:
    """Good six times, again twice, good five times, each when it is due; learning steps of 10
    minutes count as no day."""
    grades = [3] * 6 + [1] * 2 + [3] * 5
    memory = fsrs.first(grades[0])
    intervals, waits = [0], 0
    for number, grade in enumerate(grades[1:], 1):
        memory = fsrs.recalled(memory, waits, grade)
        waits = 0 if grade == fsrs.AGAIN else max(1, round(memory.stability_days))
        intervals.append(waits)
        assert 1 <= memory.difficulty <= 10, number
    assert intervals == [0, 2, 11, 46, 163, 498, 0, 0, 2, 4, 7, 12, 21]


def test_ten_easy_recalls_at_once_end_at_the_lowest_difficulty() -> None:
    memory = fsrs.first(fsrs.EASY)
    for _ in range(9):
        memory = fsrs.recalled(memory, 0, fsrs.EASY)
    assert memory.difficulty == 1.0


def test_a_thousand_lapses_stay_above_the_least_stability() -> None:
    memory = fsrs.first(fsrs.AGAIN)
    for _ in range(1000):
        memory = fsrs.recalled(memory, 1, fsrs.AGAIN)
        assert memory.stability_days >= fsrs.STABILITY_MIN


@given(st.floats(0.001, 36500), st.floats(1, 10), DAYS, st.sampled_from((2, 3, 4)))
@LOOSE
def test_a_recall_moves_as_fsrs_says(s: float, d: float, days: float, grade: int) -> None:
    memory = fsrs.Memory(s, d)
    after = fsrs.recalled(memory, days, grade)
    assert fsrs.STABILITY_MIN <= after.stability_days <= fsrs.STABILITY_MAX
    assert 1 <= after.difficulty <= 10
    if days >= 1 or grade >= 3:
        assert after.stability_days >= s * (1 - 1e-12)
    assert fsrs.recalled(memory, days, 1).stability_days <= s
    if days >= 1:  # the longer ago, the more a recall adds
        assert fsrs.recalled(memory, days + 1, grade).stability_days >= after.stability_days


@pytest.mark.parametrize("route", ["sqlite", "duckdb"])
@pytest.mark.parametrize(
    ("uses", "age", "last", "d", "wanted"),
    [
        # One recent use exactly, the first one spread: the values of ACTRModels.jl's tests.
        (1, 2.0, 2.0, 0.5, -0.346573),
        (1, 5.0, 5.0, 0.5, -0.80471),
        (2, 14.0, 2.0, 0.5, 0.09076),
        (2, 14.0, 2.0, 0.8, -0.220564),
    ],
)
def test_activation_is_the_published_one(
    words: sqlagent.Connection, route: str, uses: int, age: float, last: float, d: float,
    wanted: float,
) -> None:  # fmt: skip
    words.execute(f"SET route = '{route}'")
    sql = "SELECT activation(?, ?, ?, d => ?)"
    assert words.execute(sql, (uses, age, last, d)).fetchone()[0] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("route", ["sqlite", "duckdb"])
def test_evenly_spread_uses_are_near_the_exact_sum(words: sqlagent.Connection, route: str) -> None:
    """Petrov (2006): the approximation is good where the uses are spread evenly."""
    words.execute(f"SET route = '{route}'")
    for uses in (5, 20, 100):
        exact = math.log(sum(i**-0.5 for i in range(1, uses + 1)))
        found = words.execute("SELECT activation(?, ?, 1.0)", (uses, float(uses))).fetchone()[0]
        assert found == pytest.approx(exact, abs=0.08)


def twin(con: sqlagent.Connection, earlier: float = 0.0) -> None:
    """Memory 2, as memory 1 is but for being so many days older."""
    shifted = "strftime('%Y-%m-%d %H:%M:%f', {}, ?)"
    con.execute(
        "INSERT INTO memories (memory_id, agent_id, content, importance, access_count, "
        "stability_days, created_at, last_access_at) SELECT 2, agent_id, content, importance, "
        f"access_count, stability_days, {shifted.format('created_at')}, "
        f"{shifted.format('last_access_at')} FROM memories",
        2 * (f"-{earlier:.6f} days",),
    )


def strengths(con: sqlagent.Connection) -> list[float]:
    """Of all memories, in one moment: a later one would find them weaker."""
    rows = con.execute("SELECT strength FROM memory_strength ORDER BY memory_id").fetchall()
    assert all(0 <= value <= 1 for (value,) in rows)
    return [float(value) for (value,) in rows]


def one(con: sqlagent.Connection, **columns: Any) -> None:
    """The only memory, with these columns; `age` and `used` are days ago."""
    con.execute("DELETE FROM memories")
    times = {"created_at": columns.pop("age")}
    if (used := columns.pop("used", None)) is not None:
        times["last_access_at"] = used
    names = ["memory_id", "agent_id", "content", *columns, *times]
    marks = ["1", "'ada'", "'x'", *["?"] * len(columns), *[STAMP] * len(times)]
    con.execute(
        f"INSERT INTO memories ({', '.join(names)}) VALUES ({', '.join(marks)})",
        (*columns.values(), *(f"-{days:.6f} days" for days in times.values())),
    )


@given(SHARE, st.integers(0, 1000), DAYS, SHARE, DAYS, st.floats(0.01, 1000))
@LOOSE
def test_strength_never_rises_with_age(
    words: sqlagent.Connection, importance: float, count: int, age: float, share: float,
    later: float, stability: float,
) -> None:  # fmt: skip
    row = {"importance": importance, "access_count": count, "stability_days": stability}
    one(words, **row, age=age, used=age * share)
    twin(words, earlier=later)
    young, old = strengths(words)
    assert old <= young + 1e-12


@given(SHARE, st.integers(0, 50), DAYS, SHARE, st.sampled_from((2, 3, 4)), st.floats(0, 60))
@LOOSE
def test_strength_never_falls_with_a_used_recall(
    words: sqlagent.Connection, importance: float, count: int, age: float, share: float,
    grade: int, later: float,
) -> None:  # fmt: skip
    """At once, and at any time after: the row without the use and with it are aged alike."""
    row = {"importance": importance, "access_count": count}
    one(words, **row, age=age + later, used=age * share + later)
    twin(words)
    ago = f"SELECT reinforce(1, ?, at => {STAMP})"
    words.execute(ago, (grade, f"-{later:.6f} days"))
    used, unused = strengths(words)
    assert used >= unused - 1e-12


def test_a_lapse_lowers_strength_and_counts_no_use(words: sqlagent.Connection) -> None:
    one(words, importance=0.5, access_count=4, stability_days=30.0, age=100.0, used=20.0)
    twin(words)
    words.execute("SELECT reinforce(1, grade => 1)")
    lapsed, before = strengths(words)
    assert lapsed < before
    assert words.execute("SELECT DISTINCT access_count FROM memories").fetchall() == [(4,)]


def test_ten_uses_in_a_minute_are_little_more_than_one(words: sqlagent.Connection) -> None:
    def used(*at: str) -> tuple[float, float]:
        one(words, importance=0.5, age=90.0)
        for moment in at:
            words.execute(f"SELECT reinforce(1, at => {STAMP})", (moment,))
        uses = words.execute("SELECT uses FROM memory_strength").fetchone()[0]
        days = words.execute("SELECT stability_days FROM memories").fetchone()[0]
        return float(uses), float(days)

    once = used("-30 days")
    burst = used(*(f"-{30 * 86400 - 6 * i} seconds" for i in range(10)))
    spaced = used(*(f"-{80 - 5 * i} days" for i in range(10)))
    assert once[0] - 1e-3 <= burst[0] < once[0] + 0.05
    assert once[1] - 1e-3 <= burst[1] < once[1] * 1.05
    assert spaced[0] > 9 and spaced[1] > 2 * once[1]


def test_both_engines_see_the_same_strength(words: sqlagent.Connection) -> None:
    words.execute(
        "INSERT INTO memories (agent_id, content, importance, access_count, massed, "
        "stability_days, created_at, last_access_at) SELECT 'ada', '第' || i, i / 40.0, i, "
        "i / 3.0, 0.5 + i, strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || (10 + i * i) || ' days'), "
        "CASE WHEN i % 3 = 0 THEN NULL ELSE strftime('%Y-%m-%d %H:%M:%f', 'now', "
        "'-' || (5 + i) || ' days') END FROM range(40) t(i)"
    )
    found = {}
    for route in ("sqlite", "duckdb"):
        words.execute(f"SET route = '{route}'")
        found[route] = words.execute(
            "SELECT age_days, idle_days, uses, decayed_importance, activation, retention, strength "
            "FROM memory_strength ORDER BY memory_id"
        ).fetchall()
    for a, b in zip(*found.values(), strict=True):
        assert a == pytest.approx(b, rel=1e-4, abs=1e-4)  # the statements are a moment apart


def test_the_view_is_the_functions_of_its_row(words: sqlagent.Connection) -> None:
    one(words, importance=0.7, access_count=5, massed=1.5, stability_days=9.0, age=50.0, used=4.0)
    sql = (
        "SELECT s.activation - activation(s.uses + 1, s.age_days, s.idle_days), "
        "s.retention - retention(s.idle_days, m.stability_days), s.uses "
        "FROM memory_strength s JOIN memories m USING (memory_id)"
    )
    assert words.execute(sql).fetchone() == pytest.approx((0, 0, 3.5), abs=1e-9)


def test_a_plain_client_reads_and_writes_it(words: sqlagent.Connection, shell: Any) -> None:
    one(words, importance=0.5, access_count=3, age=10.0)
    path = words.database.path
    shell(path, "UPDATE memories SET access_count = 10, massed = 2.5;")
    assert shell(path, "SELECT uses, strength BETWEEN 0 AND 1 FROM memory_strength;") == "7.5|1"
    shell(path, "UPDATE memories SET access_count = 1;")
    assert shell(path, "SELECT uses FROM memory_strength;") == "0.0"
