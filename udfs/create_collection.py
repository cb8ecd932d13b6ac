"""create_collection: a space for vectors, before the first of them."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.elements import METRICS, TYPES, Space, space_of
from sqlagent.errors import DataError, ProgrammingError, nearest
from sqlagent.functions import scalar

INSERT = """
INSERT INTO collections (collection, dimensions, metric, element_type) VALUES (?, ?, ?, ?)
"""


@scalar("VARCHAR", writes=True)
def create_collection(
    ctx: Context,
    collection: str,
    dimensions: int,
    metric: str | None = None,
    element_type: str = "float32",
) -> str:
    """Makes a collection of vectors; one that put_vector() makes has float32 and cosine.

    Arguments:
      collection: its name; one that is there already, of the same definition, stays as it is.
      dimensions: 1..65536.
      metric: 'cosine' (the default), 'l2' or 'ip'; of bits 'hamming', and no other.
      element_type: 'float32', 'float16', 'int8' or 'binary': how each number is kept, in 4, 2 and
        1 bytes or one bit. int8 takes whole numbers from -128 to 127 as they are; under cosine
        others are scaled by the greatest of their vector to 127. A bit is 1 where a number is
        above 0.

    Returns: the name. NULL where a required argument is NULL.

    Errors: "dimensions is a whole number from 1 to 65536, not 0"; 'collection "x" has 3
    dimensions, cosine, float32: not 4 dimensions, cosine, float32'.

    Examples:
      SELECT create_collection('faces', 128, metric => 'l2', element_type => 'float16');
    """
    if not collection:
        raise DataError("collection is a text that is not empty")
    if not 1 <= dimensions <= 65536:
        raise DataError(f"dimensions is a whole number from 1 to 65536, not {dimensions}")
    _one_of("element_type", element_type, TYPES)
    wanted = "hamming" if element_type == "binary" else "cosine"
    metric = wanted if metric is None else metric
    _one_of("metric", metric, METRICS)
    if (metric == "hamming") != (element_type == "binary"):
        raise DataError(
            f"metric {metric} is not for {element_type}",
            hint="The metric of binary is hamming, that of numbers cosine, l2 or ip.",
        )
    space = Space(dimensions, metric, element_type)
    known = space_of(ctx.writer, collection)
    if known is None:
        ctx.writer.execute(INSERT, (collection, *space))
    elif known != space:
        raise ProgrammingError(
            f'collection "{collection}" has {_said(known)}: not {_said(space)}', sqlstate="42P07"
        )
    return collection


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise DataError(
            f"{name} is one of {', '.join(known)}, not {value!r:.60}", hint=nearest(value, known)
        )


def _said(space: Space) -> str:
    return f"{space.dimensions} dimensions, {space.metric}, {space.element_type}"
