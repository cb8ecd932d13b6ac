"""What EXPLAIN says of feeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlagent.plan.plans import Duck, Feed
from sqlagent.sources.lite import text_of


class FeedStep(NamedTuple):
    """What reading one feed came to: `keys` is how many it was asked for, None: all rows."""

    feed: Feed
    sql: str
    rows: int
    bytes: int
    ms: float
    keys: int | None
    columns: bool = False  # it was read from columns after all


def steps_of(feeds: Sequence[Feed], done: Sequence[FeedStep] = ()) -> list[dict[str, Any]]:
    """A step of EXPLAIN for each feed; with what reading it came to where it was read."""
    came = {step.feed.name: step for step in done}
    steps = []
    for feed in feeds:
        where = feed.source or "the file"
        step: dict[str, Any] = {"engine": "sqlite", "does": "feed", "source": where}
        step["name"] = feed.name
        step["tables"] = [f"{feed.source}.{feed.table}" if feed.source else feed.table]
        step["why"] = _why(feed)
        step["columns"] = list(feed.columns)
        step["sql"] = text_of(feed)
        if feed.filter is not None:
            step["filter"] = feed.filter
        if feed.limit is not None:
            step["limit"] = feed.limit
        if feed.keys is not None:
            step["keys"] = {"column": feed.keys.column, "sql": feed.keys.sql,
                            "at_most": feed.keys.at_most}  # fmt: skip
        if feed.rows is not None:
            step["estimate"] = feed.rows
        found = came.get(feed.name)
        if found is not None:
            step["rows"], step["time_ms"], step["bytes"] = found.rows, found.ms, found.bytes
            step["sql"] = found.sql or step["sql"]
            if found.keys is not None:
                step["keys_found"] = found.keys
            if found.columns:
                step["why"] = "so many rows are better read from columns"
        steps.append(step)
    return steps


def across_step(run: Duck) -> dict[str, Any]:
    """The step of EXPLAIN for a statement that SQLite runs by itself over several files."""
    sources = list(dict.fromkeys(f.source or "the file" for f in run.feeds))
    return {
        "engine": "sqlite", "does": "read", "source": ", ".join(sources),
        "tables": [f"{f.source}.{f.table}" if f.source else f.table for f in run.feeds],
        "why": "SQLite runs it by itself over its files; where it would scan what an index should"
        " serve, or has been slow, DuckDB is fed instead",
        "sql": run.across.sql if run.across is not None else "",
    }  # fmt: skip


def _why(feed: Feed) -> str:
    parts = []
    if feed.keys is not None:
        parts.append("only rows with the keys of the other side of the join")
    if feed.filter is not None:
        parts.append("only rows that pass the statement's own conditions")
    if feed.limit is not None:
        parts.append(f"{feed.limit} rows are enough")
    if feed.source == "":
        parts.append("an index finds them sooner than columns could be made")
    return "; ".join(parts) or f"{feed.source} is not DuckDB's to open"
