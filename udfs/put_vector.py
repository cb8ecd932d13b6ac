"""put_vector: a vector under an id of the user's."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.errors import DataError
from sqlagent.functions import Json, Vector, scalar

DIMENSIONS = "SELECT dimensions FROM collections WHERE collection = ?"
PUT = """
INSERT INTO vectors (collection, id, vector, metadata) VALUES (?, ?, ?, ?)
ON CONFLICT (collection, id) DO UPDATE SET vector = excluded.vector, metadata = excluded.metadata
"""


@scalar("VARCHAR", writes=True)
def put_vector(
    ctx: Context, collection: str, id: str, vector: Vector, metadata: Json | None = None
) -> str:
    """Keeps a vector in a collection, or replaces the one under that id; the next knn() finds it.

    Arguments:
      collection: comes into being with its first vector, whose dimensions are then those of all.
        Its metric is cosine, unless a row of `collections` said 'l2' or 'ip' before.
      id: the user's own.
      vector: finite numbers, as a list, its JSON text, or float32 bytes.
      metadata: JSON about it, for the filters of knn().

    Returns: the id. NULL where an argument is NULL.

    Errors: "expected 3 dimensions, not 2"; "vector has a value that is not finite".

    Examples:
      SELECT put_vector('points', 'a', [1.0, 0.0, 0.0], metadata => '{"colour": "red"}');
    """
    if not collection or not id:
        raise DataError("collection and id are texts that are not empty")
    handle = ctx.writer
    known = handle.execute(DIMENSIONS, (collection,)).fetchone()
    if known is not None and known[0] != len(vector) // 4:
        raise DataError(
            f"expected {known[0]} dimensions, not {len(vector) // 4}",
            detail=f"collection {collection}",
        )
    handle.execute(PUT, (collection, id, vector, metadata))
    return id
