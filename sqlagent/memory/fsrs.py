"""FSRS-6, the Free Spaced Repetition Scheduler: how stability and difficulty change with a recall.

Stability is the days after which a memory is retained with probability 0.9; difficulty, 1..10, is
how little a recall adds to it. A recall after some time adds much, one on the same day next to
nothing: that is the spacing effect. The parameters are the published defaults, fitted to reviews
of people.

Source: Ye et al., https://github.com/open-spaced-repetition/fsrs4anki/wiki/The-Algorithm
"""

from __future__ import annotations

from math import exp
from typing import NamedTuple

AGAIN, HARD, GOOD, EASY = 1, 2, 3, 4
W = (
    0.212, 1.2931, 2.3065, 8.2956, 6.4133, 0.8334, 3.0194, 0.001, 1.8722, 0.1666, 0.796, 1.4835,
    0.0614, 0.2629, 1.6483, 0.6014, 1.8729, 0.5425, 0.0912, 0.0658, 0.1542,
)  # fmt: skip
STABILITY_MIN, STABILITY_MAX = 0.001, 36500.0
SAME_DAY = 1.0  # days: a recall sooner after the last one changes stability by its own formula


class Memory(NamedTuple):
    """What FSRS keeps of a memory."""

    stability_days: float
    difficulty: float


def first(grade: int) -> Memory:
    """A memory after it was met once."""
    return Memory(W[grade - 1], _difficulty(_first_difficulty(grade)))


def retention(elapsed_days: float, stability_days: float) -> float:
    """The probability that a memory is retained, by the curve of FSRS-6."""
    factor = 0.9 ** (-1 / W[20]) - 1
    return float((1 + factor * max(0.0, elapsed_days) / stability_days) ** -W[20])


def recalled(memory: Memory, elapsed_days: float, grade: int) -> Memory:
    """A memory after a recall, so many days after the one before it."""
    stability = min(max(memory.stability_days, STABILITY_MIN), STABILITY_MAX)
    difficulty = _difficulty(memory.difficulty)
    if elapsed_days < SAME_DAY:
        growth = exp(W[17] * (grade - 3 + W[18])) * stability ** -W[19]
        after = stability * (max(1.0, growth) if grade >= GOOD else growth)
    else:
        forgotten = 1 - retention(elapsed_days, stability)
        if grade == AGAIN:
            after = min(
                W[11] * difficulty ** -W[12] * ((stability + 1) ** W[13] - 1)
                * exp(W[14] * forgotten),
                stability / exp(W[17] * W[18]),
            )  # fmt: skip
        else:
            growth = exp(W[8]) * (11 - difficulty) * stability ** -W[9]
            growth *= exp(W[10] * forgotten) - 1
            after = stability * (1 + growth * {HARD: W[15], EASY: W[16]}.get(grade, 1.0))
    step = (10 - difficulty) * -W[6] * (grade - 3) / 9
    reverted = W[7] * _first_difficulty(EASY) + (1 - W[7]) * (difficulty + step)
    return Memory(min(max(after, STABILITY_MIN), STABILITY_MAX), _difficulty(reverted))


def _first_difficulty(grade: int) -> float:
    return W[4] - exp(W[5] * (grade - 1)) + 1


def _difficulty(value: float) -> float:
    return min(max(value, 1.0), 10.0)
