"""What runs a statement: SQLite's runner as it is for a point read, else one that chooses."""

from __future__ import annotations

from operator import length_hint
from typing import TYPE_CHECKING, Any, cast

from sqlagent.plan.plans import Duck, Lite, Plan
from sqlagent.run.experience import Known, experience
from sqlagent.run.lite import LiteRead, LiteWrite
from sqlagent.run.pieced import on_sqlite
from sqlagent.run.stat import NEVER, POINT_MS, UNCOUNTED, now_ms, quick

if TYPE_CHECKING:
    from sqlagent.connection import Connection, Runner
    from sqlagent.cursor import Cursor
    from sqlagent.run.duck import RunDuck

SLOW_MS = 2.0  # a read that was taken for a point read, and takes so long twice, may choose
LOG = "sqlagent_query_log"


def offer(connection: Connection, planned: Plan, runner: Any) -> Runner:
    """What runs a plan of this connection: `runner`, counted, or a choice of engines."""
    run, database = planned.run, connection.database
    assert isinstance(run, Lite | Duck)  # the others run in one way alone
    if beyond(run):
        return runner  # type: ignore[no-any-return]
    if LOG in run.tables and not (isinstance(run, Lite) and run.writes):
        return Flushed(runner)
    own = all(t.startswith("sqlagent_") or t.startswith("sqlite_") for t in run.tables)
    if isinstance(run, Lite) and (run.ddl or own):
        return runner  # type: ignore[no-any-return]
    if (lite := on_sqlite(connection, planned)) is not None:
        from sqlagent.run import _make

        return runner if lite is run else _make(database, Plan(planned.sql, lite))
    if connection.txn is not None:  # sizes cannot be asked for, and everything runs as is ruled
        return runner if isinstance(runner, LiteWrite) else Later(planned, runner)
    known = experience(database).known(planned.sql, run.tables)
    known.logged = known.logged or connection.settings["query_log"] == "on"
    if isinstance(runner, LiteWrite):
        runner.known, runner.stat = known, known.stats["sqlite"]
        return runner
    return read(connection, planned, runner, known)


def read(connection: Connection, planned: Plan, runner: Any, known: Known) -> Runner:
    """What runs a read."""
    run = planned.run
    found = experience(connection.database)
    lite: LiteRead | None = runner if isinstance(runner, LiteRead) else runner.lite
    free = lite is not None and may_choose(connection, run, known)
    if lite is not None:
        lite.known, lite.stat, lite.free = known, known.stats["sqlite"], free
        if isinstance(run, Lite) and not free:
            return Timed(lite)
        if free and not known.slow:
            cost = found.statistics.lite_ms(lite.sql, known.tables)
            if cost < POINT_MS or quick(lite.stat):
                return Timed(lite)
    from sqlagent.run.choice import Choice

    if lite is not None:
        lite.stat = UNCOUNTED  # the choice counts
    duck = None if isinstance(runner, LiteRead) else runner
    return Choice(found, known, planned.sql, lite, duck, free)


def beyond(run: Lite | Duck) -> bool:
    """Whether a read reaches other databases, or tables by feeds: the planner has chosen then."""
    if isinstance(run, Lite):
        return bool(run.source)
    return bool(run.feeds or run.natives or run.across)


def may_choose(connection: Connection, run: Any, known: Known) -> bool:
    """Whether both engines may run a read of this plan, with the same rows."""
    lite = run if isinstance(run, Lite) else run.lite
    settings = connection.settings
    if settings["route"] != "auto" or settings["dialect"] == "sqlite":
        return False
    if run is not lite and run.views:
        return False  # its rows are there already
    if run is not lite and lite is not None and (lite.types is None or None in lite.types):
        return False  # SQLite would have to guess what DuckDB calls it
    if lite is None or lite.functions or not run.tables or (run is not lite and run.files):
        return False
    # Which rows a LIMIT without an order gives is the engine's: always the same one, then.
    words = known.shape.split()
    return ("limit" not in words and "fetch" not in words) or "order" in words


def decided(connection: Connection, planned: Plan) -> Lite | Duck:
    """The plan that a statement would run by now, and why: for EXPLAIN."""
    from sqlagent.run import _make

    run = planned.run
    assert isinstance(run, Lite | Duck)  # EXPLAIN asks for no other
    if connection.txn is not None:
        kept = run.lite if isinstance(run, Duck) else None
        return run if kept is None else kept._replace(why="the transaction's own rows are there")
    writes = isinstance(run, Lite) and (run.writes or run.ddl)
    if writes or beyond(run) or LOG in run.tables:
        return run
    if (alone := on_sqlite(connection, planned)) is not None:
        return alone._replace(why="SQLite puts the texts of versions together")
    known = experience(connection.database).known(planned.sql, run.tables)
    runner = _make(connection.database, planned)
    lite = runner if isinstance(runner, LiteRead) else getattr(runner, "lite", None)
    if lite is None or not may_choose(connection, run, known):
        return run
    from sqlagent.run.choice import Choice

    choice = Choice(
        experience(connection.database), known, planned.sql, lite,
        None if runner is lite else cast("RunDuck", runner), True,
    )  # fmt: skip
    if choice.estimate < POINT_MS and not known.slow:
        why = run.why if isinstance(run, Lite) else f"by cost: sqlite {choice.estimate:.3g} ms"
        return lite.plan._replace(why=why)
    decision = choice.decide()
    duck = choice.duckdb(connection) if decision.engine == "duckdb" else None
    chosen = lite.plan if duck is None else duck.plan
    return chosen._replace(why=f"{run.why}; {decision.why}" if run.why else decision.why)


class Timed:
    """Times the next run of a read on SQLite, then leaves its place to the read itself."""

    def __init__(self, lite: LiteRead) -> None:
        self.lite = lite

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        lite = self.lite
        plans, text, stat = connection.plans, lite.text, lite.stat
        if plans.get(text) is self:
            plans[text] = lite
        if connection.slowly:
            lite(connection, cursor, parameters)
            return
        stat.due = NEVER
        start = now_ms()
        try:
            lite(connection, cursor, parameters)
        finally:
            took = now_ms() - start
            stat.took(took, length_hint(cursor._iter) if cursor._iter is not None else 0)
        lite.known.sample = lite, parameters
        if lite.free and took >= SLOW_MS and len(stat.samples) > 1 and stat.samples[-2] >= SLOW_MS:
            lite.known.slow = True
            if plans.get(text) is lite:
                del plans[text]
        elif stat.calls >= stat.due - 1:
            lite.due(connection)


class Later:
    """A read that was planned in a transaction: it is counted and chooses once that has ended."""

    def __init__(self, planned: Plan, runner: Any) -> None:
        self.planned = planned
        self.runner = runner

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        runner = self.runner
        if connection.txn is None:
            runner = offer(connection, self.planned, runner)
            if connection.plans.get(self.planned.sql) is self:
                connection.plans[self.planned.sql] = runner
        runner(connection, cursor, parameters)


class Flushed:
    """A read of the query log: what is only in memory goes to the file first."""

    def __init__(self, runner: Any) -> None:
        self.runner = runner

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        if connection.txn is None:
            experience(connection.database).flush()
        self.runner(connection, cursor, parameters)
