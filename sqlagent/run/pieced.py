"""Reads of `state_versions`, whose texts are put together row by row: SQLite does that best."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlagent.engines import schema
from sqlagent.plan.plans import Duck, Lite, Plan

if TYPE_CHECKING:
    from sqlagent.connection import Connection

VIEW = "state_versions"


def on_sqlite(connection: Connection, planned: Plan) -> Lite | None:
    """What SQLite runs of a read of that view, by itself or through others; None for any other
    read, and where only DuckDB can say it. By cost it would often be DuckDB, which puts every text
    together at once, in memory."""
    run: Any = planned.run
    if connection.settings["route"] != "auto" or not isinstance(run, Lite | Duck):
        return None
    lite = run if isinstance(run, Lite) else run.lite
    if lite is None or lite.writes or not reads(connection, lite.tables):
        return None
    return lite


def reads(connection: Connection, tables: tuple[str, ...]) -> bool:
    """Whether the view is among some tables and views, or under one of them."""
    database = connection.database
    catalog = database.known_catalog or schema.catalog(database)  # the plan was just made by it
    waiting, seen = [t.lower() for t in tables], set[str]()
    while waiting:
        name = waiting.pop()
        if name == VIEW:
            return True
        found = catalog.tables.get(name)
        if name not in seen and found is not None and found.kind == "view" and found.sql:
            waiting += re.findall(r"\w+", found.sql.lower())
        seen.add(name)
    return False
