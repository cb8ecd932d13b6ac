"""EXPLAIN: which engine runs what, the SQL it is sent, and why; with ANALYZE also rows and
times."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent.engines.sqlite import Database, translate
from sqlagent.plan.plans import (
    Calls,
    ColumnsWrite,
    Define,
    Duck,
    Explain,
    Fill,
    Lite,
    Merge,
    Native,
    Plan,
    Remote,
)
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
        run = self.plan.plan
        if isinstance(run, Lite | Duck):
            from sqlagent.run.offer import decided

            run = decided(connection, Plan(self.plan.sql, run))
        steps = self.steps(connection, run, parameters)
        if self.plan.analyze:
            from sqlagent.cursor import Cursor as Own
            from sqlagent.run import make

            own = Own(connection)
            start = time.perf_counter()
            make(self.database, Plan(self.text, run))(connection, own, parameters)
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
            if run.source:
                step["source"] = run.source
            step["plan"] = self.lite_plan(connection, run, parameters)
            return [step]
        if isinstance(run, Duck):
            step = {"engine": "duckdb", "does": "read", "why": run.why, "sql": run.sql}
            step["tables"] = list(run.tables)
            step["files"] = [str(f) for f in run.files]
            from sqlagent.run.feeds import across_step, steps_of

            fed = [
                {"engine": "sqlite", "does": "feed", "tables": list(run.tables),
                 "why": "the columns of these tables follow their rows in the file"}
            ] if run.tables else []  # fmt: skip
            first = [across_step(run)] if run.across and connection.txn is None else []
            return [*first, step, *steps_of(run.feeds), *fed]
        if isinstance(run, Native | Remote):
            from sqlagent.run.attached import explained

            return explained(self, connection, run, parameters)
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
        if isinstance(run, ColumnsWrite):
            step = {"engine": "duckdb", "does": "write", "why": run.why, "sql": run.sql}
            return [step | {"tables": list(run.tables)}]
        if isinstance(run, Merge):
            texts = [sql for sql, _ in run.stage] + list(run.apply)
            return [{"engine": "sqlite", "does": "write", "why": run.why, "sql": "; ".join(texts)}]
        if isinstance(run, Define):
            return [{"engine": "sqlite", "does": "write", "why": run.why, "sql": list(run.sql)}]
        return [{"engine": "sqlagent", "does": type(run).__name__.lower(), "why": ""}]

    def lite_plan(self, connection: Connection, run: Lite, parameters: Any) -> list[str]:
        """SQLite's own query plan."""
        if run.ddl:
            return []
        database = connection.sources[run.source].database if run.source else self.database
        own = connection.held(run.source) if run.source else connection.txn
        handle = own or database.checkout()
        try:
            if handle.native is not run.native:
                handle.speak(run.native)
            if run.functions:
                from sqlagent.engines.sqlite_functions import ensure

                ensure(handle, database)
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
            if handle is not own:
                database.give_back(handle)


def text_of(step: Step) -> list[str]:
    """A step as lines."""
    head = f"{step['engine']}: {step['does']}"
    if "rows" in step:
        head += f" ({step['rows']} rows, {step['time_ms']} ms)"
    lines = [head]
    for name in ("why", "source", "tables", "files", "functions", "sql"):
        value = step.get(name)
        if value:
            lines.append(f"  {name}: {', '.join(value) if isinstance(value, list) else value}")
    lines += [f"  plan: {line}" for line in step.get("plan", ())]
    return lines
