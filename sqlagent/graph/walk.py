"""What lies around an entity: its neighbours by depth, and the relations among them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlagent.graph.edges import Choice, Step, steps
from sqlagent.graph.entities import IN, names

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

AMONG = f"""
SELECT r.relation_id, s.name, r.predicate, o.name, r.weight, r.valid_from, r.valid_to,
  r.source, r.memory_id, r.chunk_id, r.subject_id, r.object_id
FROM relations r JOIN entities s ON s.entity_id = r.subject_id
  JOIN entities o ON o.entity_id = r.object_id
WHERE r.subject_id {IN} AND (r.valid_from IS NULL OR r.valid_from <= ?2)
  AND (r.valid_to IS NULL OR r.valid_to > ?2) AND (?3 IS NULL OR r.predicate = ?3)
"""


def reached(handle: Handle, start: int, depth: int, choice: Choice) -> dict[int, tuple[int, Step]]:
    """Every entity within so many hops but the start: its least depth, and the step that leads
    there. Of several the heaviest, then the first by predicate and direction."""
    found: dict[int, tuple[int, Step]] = {}
    frontier = [start]
    seen = {start}
    for hop in range(1, depth + 1):
        best: dict[int, Step] = {}
        for step in steps(handle, frontier, choice):
            end = step[1]
            if end in seen:
                continue
            other = best.get(end)
            if (
                other is None
                or step[4] > other[4]
                or (step[4] == other[4] and _before(step, other))
            ):
                best[end] = step
        if not best:
            break
        for end, step in best.items():
            found[end] = (hop, step)
        frontier = list(best)
        seen.update(frontier)
    return found


def _before(step: Step, other: Step) -> bool:
    """Which of two steps of one weight is shown."""
    return (step.predicate, step.direction != "out", step.relation_id) < (
        other.predicate, other.direction != "out", other.relation_id,
    )  # fmt: skip


def neighbors(handle: Handle, start: int, depth: int, choice: Choice) -> list[tuple[Any, ...]]:
    """The rows of neighbors(): the nearest first, of these the heaviest."""
    found = reached(handle, start, depth, choice)
    called = names(handle, found)
    rows = [
        (called[one], hop, step.predicate, step.direction, step.weight)
        for one, (hop, step) in found.items()
        if one in called
    ]
    rows.sort(key=lambda r: (r[1], -r[4], r[0]))
    return rows


def subgraph(handle: Handle, start: int, depth: int, choice: Choice) -> list[tuple[Any, ...]]:
    """The relations both of whose ends lie within so many hops, those nearest the start first."""
    near = {one: hop for one, (hop, _) in reached(handle, start, depth, choice).items()}
    near[start] = 0
    values = (json.dumps(list(near)), choice.at, choice.predicate)
    rows = [
        (*row[:5], min(near[row[10]], near[row[11]]), *row[5:10])
        for row in handle.execute(AMONG, values)
        if row[11] in near
    ]
    rows.sort(key=lambda r: (r[5], -r[4], r[0]))
    return rows
