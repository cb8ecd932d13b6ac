"""measure_recall: how much of the truth each way of searching a collection finds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.errors import DataError
from sqlagent.functions import table


@table("way VARCHAR", "recall DOUBLE", "milliseconds DOUBLE", "queries BIGINT", "used BOOLEAN")
def measure_recall(
    ctx: Context, collection: str, k: int = 10, queries: int = 50
) -> Iterator[tuple[Any, ...]]:
    """Recall and time of each way of searching a collection, on its own rows.

    Rows from all over the collection are asked for, each moved a fifth of the way to another; a
    scan says what is nearest. CALL measure_recall('points', 10) is the same.

    Arguments:
      collection: as put_vector() named it.
      k: how many nearest rows are looked for, 1..1000.
      queries: how many rows are asked for, 1..1000.

    Returns: a row for each way: 'exact', a scan of the file; 'memory', all vectors in memory;
    'codes', one-bit codes and the vectors of the nearest; 'lance', an index of Lance. recall is the
    share of the k nearest that it finds, 0..1; milliseconds are of CPU, a query; used says that
    knn() goes this way now. No rows where collection is NULL.

    Errors: 'unknown collection "x"'; "k is a whole number from 1 to 1000, not 0".

    Cost: a scan of the collection, and as many searches as queries by each way.

    Examples:
      SELECT way, recall FROM measure_recall('points', k => 10);
    """
    for name, value in (("k", k), ("queries", queries)):
        if not 1 <= value <= 1000:
            raise DataError(f"{name} is a whole number from 1 to 1000, not {value}")
    from sqlagent.search.measuring import rows

    return rows(ctx, collection, k, queries)
