"""Relations as arrays, for what looks at the whole graph: read once, in the order of their ids."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle
    from sqlagent.graph.edges import Choice

READ = """
SELECT r.subject_id, r.object_id, r.weight FROM relations r
WHERE (r.valid_from IS NULL OR r.valid_from <= :at) AND (r.valid_to IS NULL OR r.valid_to > :at)
  AND (:predicate IS NULL OR r.predicate = :predicate) AND r.weight > 0
"""


class Graph(NamedTuple):
    """`ids` are the entities that have a relation, in order; the ends are places in it."""

    ids: NDArray[np.int64]
    subject: NDArray[np.int64]
    object: NDArray[np.int64]
    weight: NDArray[np.float64]


def read(handle: Handle, choice: Choice) -> Graph:
    """The relations of a choice; those of no weight, or less, tie nothing and are left out."""
    named = {"at": choice.at, "predicate": choice.predicate}
    rows = handle.execute(READ, named).fetchall()
    table = np.array(rows, np.float64).reshape(-1, 3)  # ids are whole up to 2^53
    ends = table[:, :2].astype(np.int64)
    ids, places = np.unique(ends, return_inverse=True)
    places = places.reshape(-1, 2)
    return Graph(ids, places[:, 0], places[:, 1], table[:, 2].copy())


def called(handle: Handle, graph: Graph) -> list[str | None]:
    """The name of each entity, by its place."""
    listed = json.dumps(graph.ids.tolist())
    sql = (
        "SELECT e.name FROM json_each(?) j LEFT JOIN entities e ON e.entity_id = j.value "
        "ORDER BY j.key"
    )
    return [row[0] for row in handle.execute(sql, (listed,))]
