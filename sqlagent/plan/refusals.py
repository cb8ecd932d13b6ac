"""Why a write cannot be, said in one way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlagent.errors import NotSupportedError

if TYPE_CHECKING:
    from sqlagent.plan.route import Router

WRITES = "writes go to the file, by SQLite"


def refused(router: Router, reason: str) -> NotSupportedError:
    """The error of a write that SQLite cannot say, and DuckDB may not run."""
    return NotSupportedError(
        f"a write runs on SQLite, which cannot say this: {reason}",
        hint="INSERT … SELECT reads with DuckDB and writes with SQLite",
        sql=router.sql, position=router.tokens[0].start,
    )  # fmt: skip
