"""inner_product of two vectors."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.distance import dot
from sqlagent.functions import Vector, scalar


@scalar("DOUBLE")
def inner_product(ctx: Context, a: Vector, b: Vector) -> float:
    """The inner product (dot product) of two vectors.

    Arguments:
      a, b: vectors of the same dimensions, as FLOAT[n], a list of numbers, its JSON text, or
        float32 bytes.

    Returns: a number; NULL for NULL.

    Errors: "expected 3 dimensions, not 2".

    Examples:
      SELECT inner_product([1.0, 0.0], [0.6, 0.8]);
    """
    return dot(a, b)
