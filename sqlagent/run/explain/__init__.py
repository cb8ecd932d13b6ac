"""EXPLAIN: which engine runs what, the SQL it is sent, and why; with ANALYZE also rows and times.

EXPLAIN alone changes nothing: what DuckDB does not have yet is not read for it. ANALYZE runs the
statement, a write too.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sqlagent.engines.sqlite import Database
from sqlagent.plan.plans import Calls, Duck, Explain, Fill, Lite, Plan
from sqlagent.run.explain.operators import profile_of
from sqlagent.run.explain.steps import Step, result_of, steps
from sqlagent.run.explain.text import lines
from sqlagent.run.feeds import steps_of

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor


class RunExplain:
    """The runner of an EXPLAIN."""

    def __init__(self, database: Database, plan: Explain, text: str) -> None:
        self.database = database
        self.plan = plan
        self.text = text

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        run: Any = self.plan.plan
        measured: Step = {}
        if self.plan.analyze:
            run, measured = self.analyze(connection, parameters)
        elif isinstance(run, Lite | Duck):
            from sqlagent.run.offer import decided

            run = decided(connection, Plan(self.plan.sql, run))
        found = steps(self.database, connection, run, parameters, self.text)
        fed = {step.feed.name: step for step in measured.pop("feeds", ())}
        found = [steps_of([fed[n].feed], [fed[n]])[0] if (n := s.get("name")) in fed else s
                 for s in found]  # fmt: skip
        found[0] |= {k: v for k, v in measured.items() if k != "operators"}
        if "operators" in measured:
            duck = next((s for s in found if s["engine"] == "duckdb"), found[0])
            duck["operators"] = measured["operators"]
        if self.plan.format == "json":
            from sqlagent.values import json_text

            shown = [json_text(found)]
        else:
            shown = [line for step in found for line in lines(step)]
        cursor._columns = [("plan", "VARCHAR")]
        cursor._iter = iter([(line,) for line in shown])

    def analyze(self, connection: Connection, parameters: Any) -> tuple[Any, Step]:
        """Run the statement: its plan, rows, and the milliseconds of each part."""
        from sqlagent.cursor import Cursor as Own
        from sqlagent.run import make, plan_of

        measured: Step = {}
        start = time.perf_counter()
        text = self.plan.sql
        run = plan_of(connection, text).run
        if isinstance(run, Lite | Duck):
            from sqlagent.run.offer import decided

            run = decided(connection, Plan(text, run))
        times = {"parse, rewrite and plan": _ms(start)}
        duck = run if isinstance(run, Duck) else getattr(run, "source", None)
        if isinstance(duck, Duck) and connection.txn is None and duck.tables:
            start = time.perf_counter()
            self.catch_up(connection, duck)
            times["columns"] = _ms(start)
        if isinstance(run, Duck):  # as it was before the statement ran
            measured["result"] = result_of(self.database, connection, run, parameters)
        own = Own(connection)
        runner = make(self.database, Plan(text, run))
        start = time.perf_counter()
        if isinstance(duck, Duck):
            from sqlagent.run.duck import engine

            service = engine(self.database, connection.settings["memory_limit_mb"])
            with service.profiled() as profiles:
                runner(connection, own, parameters)
                rows = _count(own)
            found = profile_of(profiles, duck.sql)
            if found is not None:
                measured["operators"] = found["operators"]
                measured["memory_mb"] = found["memory_mb"]
        else:
            runner(connection, own, parameters)
            rows = _count(own)
        times["run"] = _ms(start)
        measured["feeds"] = own._feeds
        measured |= {"rows": rows, "time_ms": times["run"], "times_ms": times}
        if isinstance(run, Calls | Fill):
            measured["wrote"] = rows
        return run, measured

    def catch_up(self, connection: Connection, plan: Duck) -> None:
        """Bring the columns up to date before the statement, so that its own time is its own."""
        from sqlagent.run.duck import engine
        from sqlagent.sync.columns import NotColumnar

        service = engine(self.database, connection.settings["memory_limit_mb"])
        try:
            service.replicas.fresh(plan.tables, plan.views)
        except NotColumnar:
            return  # it then runs on SQLite


def _ms(start: float) -> float:
    return round(1000 * (time.perf_counter() - start), 3)


def _count(own: Cursor) -> int:
    """The rows of a read, or those that a write changed."""
    return len(own.fetchall()) if own._iter is not None else max(own.rowcount, 0)
