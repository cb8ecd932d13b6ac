"""EXPLAIN: which engine runs what, the SQL it is sent, and why; with ANALYZE also rows and
times."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent.engines.sqlite import Database, translate
from sqlagent.plan.plans import Calls, Duck, Explain, Fill, Lite, Plan
from sqlagent.values import pick

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor

Step = dict[str, Any]


class RunExplain:
    """The runner of an EXPLAIN."""

    def __init__(self, database: Database, plan: Explain, text: str) -> None:
        self.database = database
        self.plan = plan
        self.text = text

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        steps = self.steps(connection, self.plan.plan, parameters)
        if self.plan.analyze:
            from sqlagent.cursor import Cursor as Own
            from sqlagent.run import make

            own = Own(connection)
            start = time.perf_counter()
            make(self.database, Plan(self.text, self.plan.plan))(connection, own, parameters)
            rows = len(own.fetchall()) if own._iter is not None else max(own.rowcount, 0)
            steps[0]["rows"] = rows
            steps[0]["time_ms"] = round(1000 * (time.perf_counter() - start), 3)
        if self.plan.format == "json":
            from sqlagent.values import json_text

            lines = [json_text(steps)]
        else:
            lines = [line for step in steps for line in text_of(step)]
        cursor._columns = [("plan", "VARCHAR")]
        cursor._iter = iter([(line,) for line in lines])

    def steps(self, connection: Connection, run: Any, parameters: Any) -> list[Step]:
        """What each engine is sent."""
        if isinstance(run, Lite):
            step: Step = {"engine": "sqlite", "does": "write" if run.writes else "read"}
            step |= {"why": run.why, "sql": run.sql, "tables": list(run.tables)}
            step["plan"] = self.lite_plan(connection, run, parameters)
            return [step]
        if isinstance(run, Duck):
            step = {"engine": "duckdb", "does": "read", "why": run.why, "sql": run.sql}
            step["tables"] = list(run.tables)
            step["files"] = [str(f) for f in run.files]
            from sqlagent.run.feed_steps import across_step, steps_of

            fed = [
                {"engine": "sqlite", "does": "feed", "tables": list(run.tables),
                 "why": "the columns of these tables follow their rows in the file"}
            ] if run.tables else []  # fmt: skip
            first = [across_step(run)] if run.across and connection.txn is None else []
            return [*first, step, *steps_of(run.feeds), *fed]
        if isinstance(run, Calls):
            names = [o.function for o in run.outputs if o.function]
            step = {"engine": "sqlite", "does": "write", "functions": names}
            step["why"] = run.why or "functions that write run in a transaction of the writer"
            source = self.steps(connection, run.source, parameters) if run.source else []
            return [step, *source]
        if isinstance(run, Fill):
            step = {"engine": "sqlite", "does": "write", "sql": run.create or run.insert}
            step["why"] = "its rows come from DuckDB"
            return [step, *self.steps(connection, run.source, parameters)]
        return [{"engine": "sqlagent", "does": type(run).__name__.lower(), "why": ""}]

    def lite_plan(self, connection: Connection, run: Lite, parameters: Any) -> list[str]:
        """SQLite's own query plan."""
        if run.ddl:
            return []
        handle = connection.txn or self.database.checkout()
        try:
            if run.functions:
                from sqlagent.engines.sqlite_functions import ensure

                ensure(handle, self.database)
            values = pick(run.parameters, parameters) if parameters else ()
            sql = "EXPLAIN QUERY PLAN " + run.sql
            try:
                rows = handle.execute(sql, values).fetchall()
            except apsw.BindingsError as error:  # explained without values: any will do
                wanted = re.search(r"uses (\d+)", str(error))
                if wanted is None:
                    raise
                rows = handle.execute(sql, (None,) * int(wanted[1])).fetchall()
            return [str(r[3]) for r in rows]
        except Exception as error:
            raise translate(error, self.text) from None
        finally:
            if handle is not connection.txn:
                self.database.give_back(handle)


def text_of(step: Step) -> list[str]:
    """A step as lines."""
    head = f"{step['engine']}: {step['does']}"
    if "rows" in step:
        head += f" ({step['rows']} rows, {step['time_ms']} ms)"
    lines = [head]
    for name in ("why", "tables", "files", "functions", "sql"):
        value = step.get(name)
        if value:
            lines.append(f"  {name}: {', '.join(value) if isinstance(value, list) else value}")
    lines += [f"  plan: {line}" for line in step.get("plan", ())]
    return lines
