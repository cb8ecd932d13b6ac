"""The rows that can be among the first k of a scan of a collection that a distance orders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlagent.elements import space_of
from sqlagent.errors import Error
from sqlagent.functions import sql_literal
from sqlagent.search.near import nearest_ids
from sqlagent.values import stored

if TYPE_CHECKING:
    from sqlagent.context import Context

SPARE = 16  # rows beyond k: whether the k-th has equals shows among them
SLACK = 1e-9  # of distances that count as equal
K_MAX = 10_000  # a scan is as fast for more
EVERY = "SELECT vector_id FROM vectors WHERE collection = ?"


def ordered(
    context: Context,
    collection: str,
    vector: bytes,
    k: int,
    metric: str,
    condition: str | None,
    values: tuple[Any, ...],
) -> Iterator[tuple[int]]:
    """(vector_id,) of these rows; of all where a search could miss one that a scan has."""
    found = searched(context, collection, vector, k, metric, condition, values)
    if found is not None:
        return iter([(i,) for i in found])
    with context.reading() as handle:
        rows: list[tuple[int]] = handle.execute(EVERY, (collection,)).fetchall()
    return iter(rows)


def searched(
    context: Context,
    collection: str,
    vector: bytes,
    k: int,
    metric: str,
    condition: str | None,
    values: tuple[Any, ...],
) -> list[int] | None:
    """The ids by a search; None where it cannot be known to hold all that a scan finds."""
    with context.reading() as handle:
        space = space_of(handle, collection)
    if space is None or not 0 < k <= K_MAX:
        return None
    if (space.metric, space.element_type, space.size) != (metric, "float32", len(vector)):
        return None
    try:
        if condition is not None:
            literals = [_literal(value) for value in values]
            condition = condition.format(*literals)
        ids, far = nearest_ids(context, collection, space, vector, condition, k=k + SPARE)
    except Error:
        return None  # such as a filter over what knn() does not have: the scan says what is wrong
    if len(ids) < k:
        return None  # rows that no search counts, such as those with NaN, come last in a scan
    last = far[k - 1]
    if metric == "cosine" and last > 1.0 - SLACK:
        return None  # of zeros the cosine is NULL, which comes after all
    if len(ids) == k + SPARE and far[-1] <= last + SLACK * max(1.0, abs(last)):
        return None  # more are as near as the k-th than were looked at
    return ids


def _literal(value: Any) -> str:
    value = stored(value)
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'::BLOB"
    return sql_literal(value)
