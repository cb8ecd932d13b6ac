"""Relations as steps that a walk may take, read from the file by the ends that it has reached.

The two indexes on relations answer for whichever client wrote them, and inside a transaction for
what it wrote: two hops among a million relations cost less than keeping a copy up to date would.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.errors import DataError
from sqlagent.graph.entities import checked
from sqlagent.graph.limit import go_on

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Handle

DIRECTIONS = ("out", "in", "both")
PIECE = 5000  # ends asked for at once: between two questions a walk can be interrupted
# The end that is known is given to the index by CROSS JOIN; without, SQLite may read all relations.
STEPS = """
SELECT r.{here}, r.{there}, r.relation_id, r.predicate, r.weight
FROM json_each(:ids) AS j CROSS JOIN relations AS r ON r.{here} = j.value
WHERE (r.valid_from IS NULL OR r.valid_from <= :at) AND (r.valid_to IS NULL OR r.valid_to > :at)
"""
ONE = " AND r.predicate = :predicate"


class Step(NamedTuple):
    """A relation taken from one end to the other; `direction` is 'in' where against its own."""

    start: int
    end: int
    relation_id: int
    predicate: str
    weight: float
    direction: str


class Choice(NamedTuple):
    """Which relations count: those of a predicate, true at a time, taken in a direction."""

    at: str
    predicate: str | None = None
    direction: str = "both"

    def turned(self) -> Choice:
        """The same relations, walked back."""
        back = {"out": "in", "in": "out", "both": "both"}
        return self._replace(direction=back[self.direction])


def chosen(context: Context, predicate: str | None, direction: str, as_of: str | None) -> Choice:
    """The arguments of a walk, checked; raises DataError."""
    if direction not in DIRECTIONS:
        raise DataError(f"direction is one of {', '.join(DIRECTIONS)}, not {direction!r}")
    if predicate is not None:
        checked(predicate, "predicate")
    return Choice(as_of or context.now(), predicate, direction)


def whole(value: int, name: str, least: int = 0) -> int:
    """A number of hops or rows; raises DataError for one below the least."""
    if value < least:
        raise DataError(f"{name} is a whole number from {least}, not {value}")
    return value


def steps(handle: Handle, ids: Iterable[int], choice: Choice) -> list[Step]:
    """The steps that lead away from these entities."""
    ends = list(ids)
    found: list[Step] = []
    for at in range(0, len(ends), PIECE):
        go_on(handle)
        named: dict[str, Any] = {"ids": json.dumps(ends[at : at + PIECE]), "at": choice.at}
        for way, here, there in (
            ("out", "subject_id", "object_id"),
            ("in", "object_id", "subject_id"),
        ):
            if choice.direction not in (way, "both"):
                continue
            sql = STEPS.format(here=here, there=there)
            if choice.predicate is not None:
                sql, named = sql + ONE, {**named, "predicate": choice.predicate}
            found += [Step._make((*row, way)) for row in handle.execute(sql, named)]
    return found
