"""A memory is used: its stability grows, as far as the uses are spaced.

`use` is what `reinforce` and a repeat in `remember` share. What a use does to the ranking follows
from the columns that it writes, through the view `memory_strength`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent import clock
from sqlagent.errors import DataError, ProgrammingError
from sqlagent.memory import fsrs, operations

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

# A use t after the one before counts as t / (t + this): 0.016 after a minute, 0.5 after an hour,
# 0.96 after a day.
HALF_A_USE_DAYS = 1 / 24
GRADES = "1 (again), 2 (hard), 3 (good) or 4 (easy)"
AS_IT_IS = """
SELECT CAST(stability_days AS REAL), difficulty,
  julianday(:at) - max(julianday(created_at), ifnull(julianday(last_access_at), 0)),
  julianday(:at) - max(julianday(created_at), ifnull(julianday(last_access_at), 0),
    ifnull(julianday(lapsed_at), 0))
FROM memories WHERE memory_id = :id
"""
USED = """
UPDATE memories SET stability_days = ?, difficulty = ?, massed = massed + ?,
  access_count = min(access_count, 9223372036854775806) + 1,
  last_access_at = CASE WHEN julianday(last_access_at) >= julianday(?) THEN last_access_at
    ELSE ? END
WHERE memory_id = ?
"""
LAPSED = "UPDATE memories SET stability_days = ?, difficulty = ?, lapsed_at = ? WHERE memory_id = ?"


def use(handle: Handle, memory_id: int, grade: int = fsrs.GOOD, at: str | None = None) -> None:
    """A memory was recalled and used, as well as `grade` says, at `at` (now).

    Grade 1 says that it was recalled in vain: it lapses, its stability falls, and it does not count
    as a use. Above that stability never falls, also where FSRS-6 would let a hard recall on the
    same day lower it. Raises DataError for another grade, ProgrammingError for an unknown memory.
    """
    if grade not in (fsrs.AGAIN, fsrs.HARD, fsrs.GOOD, fsrs.EASY):
        raise DataError(f"grade is {GRADES}, not {grade}")
    at = at or clock.now()
    row = handle.execute(AS_IT_IS, {"id": memory_id, "at": at}).fetchone()
    if row is None:
        raise unknown(memory_id)
    stability, difficulty, since_use, since_recall = row
    after = fsrs.recalled(fsrs.Memory(stability, difficulty), max(0.0, since_recall), grade)
    if grade == fsrs.AGAIN:
        handle.execute(LAPSED, (*after, at, memory_id))
        return
    since_use = max(0.0, since_use)
    massed = 1 - since_use / (since_use + HALF_A_USE_DAYS)
    grown = max(stability, after.stability_days)
    handle.execute(USED, (grown, after.difficulty, massed, at, at, memory_id))


def set_one(handle: Handle, memory_id: int, operation: str, column: str, value: Any) -> None:
    """Set a column of one memory, as an operation of its agent; nothing where it has the value."""
    row = handle.execute(
        f"SELECT agent_id, {column} IS ? FROM memories WHERE memory_id = ?", (value, memory_id)
    ).fetchone()
    if row is None:
        raise unknown(memory_id)
    if not row[1]:
        number = operations.begin(handle, row[0], operation)
        operations.change(handle, number, operation, (memory_id,), {column: value})


def unknown(memory_id: int) -> ProgrammingError:
    """The error for a memory that is named and does not exist."""
    return ProgrammingError(
        f"there is no memory {memory_id}",
        hint="SELECT memory_id, content FROM memories lists them",
        sqlstate="02000",
    )
