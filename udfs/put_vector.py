"""put_vector: a vector under an id of the user's."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.elements import Space, one_encoded, space_of
from sqlagent.errors import DataError
from sqlagent.functions import Json, Stored, scalar

PUT = """
INSERT INTO vectors (collection, id, vector, metadata) VALUES (?, ?, ?, ?)
ON CONFLICT (collection, id) DO UPDATE SET vector = excluded.vector, metadata = excluded.metadata
"""


@scalar("VARCHAR", writes=True)
def put_vector(
    ctx: Context, collection: str, id: str, vector: Stored, metadata: Json | None = None
) -> str:
    """Keeps a vector in a collection, or replaces the one under that id; the next knn() finds it.

    Arguments:
      collection: comes into being with its first vector, whose dimensions are then those of all:
        float32 under cosine, unless create_collection() said otherwise before.
      id: the user's own.
      vector: finite numbers, as a list, its JSON text, or float32 bytes; or bytes as the
        collection keeps them. Zeros have no place under cosine.
      metadata: JSON about it, for the filters of knn().

    Returns: the id. NULL where an argument is NULL.

    Errors: "expected 3 dimensions, not 2"; "vector has a value that is not finite";
      "a vector of zeros has no direction: the collection's metric is cosine".

    Examples:
      SELECT put_vector('points', 'a', [1.0, 0.0, 0.0], metadata => '{"colour": "red"}');
    """
    if not collection or not id:
        raise DataError("collection and id are texts that are not empty")
    handle = ctx.writer
    space = space_of(handle, collection)
    if space is None:
        if len(vector) % 4:
            raise DataError(f"vector is float32 values of 4 bytes each, not {len(vector)} bytes")
        space = Space(len(vector) // 4)
    try:
        kept = one_encoded(space, vector)
    except DataError as error:
        raise DataError(error.message, detail=f"collection {collection}", hint=error.hint) from None
    handle.execute(PUT, (collection, id, kept, metadata))
    return id
