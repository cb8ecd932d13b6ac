"""advise: which indexes the statements that ran would want."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import table
from sqlagent.values import json_text


@table(
    "action VARCHAR",
    "statement VARCHAR",
    "table_name VARCHAR",
    "columns VARCHAR",
    "calls BIGINT",
    "before_ms DOUBLE",
    "after_ms DOUBLE",
    "size_kb BIGINT",
    "shapes JSON",
    "reason VARCHAR",
)
def advise(ctx: Context) -> Iterator[tuple[Any, ...]]:
    """Indexes that the statements in sqlagent_query_log want, each tried on a copy, and unused
    ones.

    Returns: action is 'create' or 'drop', statement what would do it (nothing is done:
    `CALL apply_advice()` creates), before_ms and after_ms the times of the statements in shapes,
    one run of each together, calls how often they ran.

    Cost: copies the tables concerned into the derived folder and runs the slowest logged statements
    there; at most a minute.

    Examples:
      SELECT count(*) AS wanted FROM advise() WHERE action = 'create';
    """
    from sqlagent.run.advice import advise as found

    for row in found(ctx.database, ctx.settings):
        yield (*row[:8], json_text(row.shapes), row.reason)
