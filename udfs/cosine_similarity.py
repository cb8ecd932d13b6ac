"""cosine_similarity of two vectors."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.distance import cosine
from sqlagent.functions import Vector, scalar


@scalar("DOUBLE")
def cosine_similarity(ctx: Context, a: Vector, b: Vector) -> float | None:
    """The cosine of the angle between two vectors: 1 is the same direction, 0 unrelated, -1
    opposite.

    Arguments:
      a, b: vectors of the same dimensions, as FLOAT[n], a list of numbers, its JSON text, or
        float32 bytes.

    Returns: -1..1; NULL where a vector is NULL or has length 0.

    Errors: "expected 3 dimensions, not 2".

    Examples:
      SELECT cosine_similarity([1.0, 0.0], [0.6, 0.8]);
    """
    return cosine(a, b)
