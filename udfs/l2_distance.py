"""l2_distance of two vectors."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.distance import l2
from sqlagent.functions import Vector, scalar


@scalar("DOUBLE")
def l2_distance(ctx: Context, a: Vector, b: Vector) -> float:
    """The Euclidean distance between two vectors.

    Arguments:
      a, b: vectors of the same dimensions, as FLOAT[n], a list of numbers, its JSON text, or
        float32 bytes.

    Returns: from 0; NULL for NULL.

    Errors: "expected 3 dimensions, not 2".

    Examples:
      SELECT l2_distance([1.0, 0.0], [0.6, 0.8]);
    """
    return l2(a, b)
