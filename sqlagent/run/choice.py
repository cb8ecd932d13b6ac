"""A read that SQLite and DuckDB can both run: by need, then by cost, then by experience.

The engine that the cost model prefers runs first; the other is tried after two runs, and again at
growing intervals while that costs at most a fiftieth of the time spent. A trial is interrupted once
it has taken 4 times the known time and 5 ms, and the statement runs where it is known to be fast:
that is how much a run can be slower than the worse choice. Making columns is like buying what was
rented: it is done when as much has been spent on SQLite as it costs, at once where one statement
costs more, and in the middle of a statement that takes longer than planned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import chain, islice
from operator import length_hint
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.engines.sqlite import Database, translate
from sqlagent.errors import Error, InterruptedError
from sqlagent.plan.plans import Duck
from sqlagent.run.experience import Experience, Known
from sqlagent.run.lite import FIRST_ROWS, LiteRead
from sqlagent.run.stat import now_ms, quick
from sqlagent.run.writing import outdated

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor
    from sqlagent.run.duck import RunDuck

TRIAL_TIMES, TRIAL_MS = 4.0, 5.0
TRIALS = 2  # runs of each engine before they are compared
TRIAL_ROWS = 10_000  # a result of more is handed out as it comes, so a trial could not be undone
GAP = 32  # runs between later trials, at first
SHARE = 0.02  # of the time spent, for later trials
PLAN_MS = 3.0  # planning a text a second time, for the other engine
AGAIN = 10  # times that an analysis is thought to be asked for: columns are made for these too
FIRST_MS = 250.0  # a read on SQLite may take so long before columns are considered in its middle
CHUNK = 1024
TIMED = 4  # of runs of so many rows, once their usual time is known, every fourth is timed
FEW = 1000  # rows more or less that change nothing
LOOKED_MS = 1000.0  # table sizes are compared no more often


class Decision(NamedTuple):
    """Where a run goes; `limit` is after how many milliseconds the other engine takes over."""

    engine: str
    why: str
    limit: float | None = None
    trial: bool = False


class Choice:
    """The runner of a read that more than one engine may run; also times what one alone can."""

    def __init__(
        self,
        experience: Experience,
        known: Known,
        text: str,
        lite: LiteRead | None,
        duck: RunDuck | None,
        free: bool,
    ) -> None:
        self.experience = experience
        self.known = known
        self.text = text
        self.lite = lite
        self.duck = duck
        self._estimate: float | None = None
        self.free = free  # either engine may run it
        self.given = "sqlite" if duck is None else "duckdb"  # by rule
        self.planned = duck is not None  # whether DuckDB's plan was asked for

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        if connection.slowly:
            self.simply(connection, cursor, parameters)
            return
        if outdated(connection):
            connection._run(cursor, self.text, parameters)
            return
        decision = self.decide()
        if decision.engine == "duckdb":
            self.on_duckdb(connection, cursor, parameters, decision)
        else:
            self.on_sqlite(connection, cursor, parameters, decision)

    def simply(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        """In a transaction, where its own rows are seen; under a time limit, the better engine."""
        engine = self.given
        if connection.txn is None and self.free:
            decision = self.decide()
            engine = self.given if decision.trial else decision.engine
        if engine == "duckdb" and (duck := self.duckdb(connection)) is not None:
            duck(connection, cursor, parameters)
        else:
            assert self.lite is not None  # DuckDB's plan was given, or SQLite's
            self.lite(connection, cursor, parameters)

    @property
    def estimate(self) -> float:
        """Milliseconds on SQLite, by its query plan."""
        if self._estimate is None:
            assert self.lite is not None
            lite = self.lite
            self._estimate = self.experience.statistics.lite_ms(lite.sql, self.known.tables)
        return self._estimate

    # Deciding -----------------------------------------------------------------------------------

    def decide(self) -> Decision:
        """Where the next run goes, and why."""
        known = self.known
        if not self.free:
            return Decision(self.given, "only one engine can run it")
        if known.bar is not None:
            return Decision("sqlite", known.bar)
        self.look()
        lite, duck = known.stats["sqlite"], known.stats["duckdb"]
        statistics = self.experience.statistics
        build = statistics.build_ms(known.tables)
        if build:
            return self.unbuilt(build, lite.usual, duck.usual)
        ours, theirs = lite.usual, duck.usual
        if ours is None and theirs is None:
            theirs = statistics.duck_ms(known.tables)
            engine = "sqlite" if self.estimate < theirs else "duckdb"
            return Decision(
                engine,
                f"by cost: sqlite {self.estimate:.3g} ms, duckdb {theirs:.3g} ms, estimated",
                max(FIRST_MS, 2 * theirs) if engine == "sqlite" else None,
            )
        return self.experienced(ours, theirs)

    def unbuilt(self, build: float, ours: float | None, theirs: float | None) -> Decision:
        """There are no columns yet: are they worth making?"""
        statistics, credits = self.experience.statistics, self.experience.credits
        here = self.estimate if ours is None else ours
        there = statistics.duck_ms(self.known.tables) if theirs is None else theirs
        missing = statistics.unbuilt(self.known.tables)
        spent = sum(credits.get(table, 0.0) for table in missing)
        cost = f"sqlite {here:.3g} ms, duckdb {there:.3g} ms and {build:.3g} ms to make columns"
        if AGAIN * (here - there) + spent >= build:
            return Decision(
                "duckdb", f"by cost: {cost}, of which {spent:.3g} ms would have been saved so far"
            )
        limit = max(FIRST_MS, 2 * here, build + there - spent)
        return Decision("sqlite", f"by cost: {cost}", limit)

    def experienced(self, ours: float | None, theirs: float | None) -> Decision:
        """One engine has run it, or both."""
        known = self.known
        lite, duck = known.stats["sqlite"], known.stats["duckdb"]
        if ours is None or (theirs is not None and theirs < ours):
            engine, other, best = "duckdb", "sqlite", theirs
        else:
            engine, other, best = "sqlite", "duckdb", ours
        assert best is not None
        stat, rival = known.stats[engine], known.stats[other]
        seen = ", ".join(
            f"{name} {s.usual:.3g} ms ({len(s.samples)} of {s.calls} runs)"
            for name, s in (("sqlite", lite), ("duckdb", duck)) if s.usual is not None
        )  # fmt: skip
        limit = TRIAL_TIMES * best + TRIAL_MS
        if stat.rows > TRIAL_ROWS and theirs is None:  # too many for a trial that could be undone
            there = self.experience.statistics.duck_ms(known.tables)
            if 2 * there < best and known.stats["duckdb"].calls < TRIALS + TIMED:
                return Decision("duckdb", f"by cost: {seen}, duckdb {there:.3g} ms, estimated")
        if len(stat.samples) < TRIALS:
            return Decision(engine, f"by experience: {seen}")
        if stat.rows <= TRIAL_ROWS and (self.planned or other == "sqlite" or best > PLAN_MS):
            unknown = len(rival.samples) < TRIALS and not known.gap
            if unknown or self.due(best, rival.usual):
                return Decision(other, f"by experience: {seen}; a trial", limit, trial=True)
        return Decision(engine, f"by experience: {seen}")

    def due(self, best: float, other: float | None) -> bool:
        """Whether the slower engine should be tried again."""
        known = self.known
        if known.runs - known.at_run < max(known.gap, GAP):
            return False
        cost = TRIAL_TIMES * best + TRIAL_MS
        cost = cost if other is None else min(cost, other)
        return known.explored + cost - best <= SHARE * known.spent

    def look(self) -> None:
        """Forget times that were taken when the tables had other sizes."""
        known, now = self.known, now_ms()
        if now - known.checked < LOOKED_MS:
            return
        known.checked = now
        rows = self.experience.statistics.rows(known.tables)
        before = known.table_rows
        if before < 0:
            known.table_rows = rows
        elif rows > 2 * before + FEW or before > 2 * rows + FEW:
            self.relearn(rows)

    def relearn(self, rows: int | None = None) -> None:
        """Begin anew."""
        known = self.known
        known.gap, known.at_run, known.settled = 0, known.runs, None
        if rows is not None:
            known.table_rows = rows
            for stat in known.stats.values():
                stat.forget()

    # Running ------------------------------------------------------------------------------------

    def duckdb(self, connection: Connection) -> RunDuck | None:
        """DuckDB's runner; made from the text at its first use, None where there cannot be one."""
        if not self.planned:
            from sqlagent.run import plan_of
            from sqlagent.run.duck import RunDuck

            self.planned = True
            try:
                run = plan_of(connection, self.text, route="duckdb").run
                if isinstance(run, Duck):
                    self.duck = RunDuck(self.experience.database, run, self.text)
            except Error:
                pass
            if self.duck is None:
                self.known.bar = "DuckDB cannot say it"
        return self.duck

    def on_duckdb(
        self, connection: Connection, cursor: Cursor, parameters: Any, decision: Decision
    ) -> None:
        """Run on DuckDB; a trial that takes too long ends on SQLite."""
        duck = self.duckdb(connection)
        if duck is None:
            self.on_sqlite(connection, cursor, parameters, Decision("sqlite", ""))
            return
        start = now_ms()  # planning is done once, and is no part of a usual run
        known, statistics = self.known, self.experience.statistics
        missing = statistics.unbuilt(known.tables) if self.free else []
        if missing and statistics.replicas() is None:
            from sqlagent.run.duck import engine

            engine(duck.database, connection.settings["memory_limit_mb"])
            start = now_ms()
        if decision.trial and decision.limit is not None:
            try:
                result = duck.start(connection, parameters, decision.limit / 1000)
                rows = list(duck.rows(connection, result))
            except Error as error:
                took = now_ms() - start
                if isinstance(error, InterruptedError) and took < decision.limit:
                    raise  # the user's doing
                self.on_sqlite(connection, cursor, parameters, Decision("sqlite", ""))
                if isinstance(error, InterruptedError):
                    self.beaten("duckdb", took)
                else:  # and SQLite had nothing against it
                    known.bar = "DuckDB refused a value"
                return
            cursor._columns, cursor._iter = result.columns, iter(rows)
            self.ran("duckdb", now_ms() - start, len(rows), trial=True)
            return
        duck(connection, cursor, parameters)
        spent = now_ms() - start
        if cursor._table is None:  # a table has values that columns cannot hold
            known.bar = "a table has what columns cannot hold"
            return
        if missing:
            statistics.built(missing, spent)
            for table in missing:
                self.experience.credits.pop(table, None)
            known.stats["duckdb"].calls += 1
            return
        table = cursor._table

        def arrow() -> Any:
            began = now_ms()
            found = table()
            self.ran("duckdb", spent + now_ms() - began, found.num_rows)
            return found

        batches = cursor._batches

        def rest(rows: int) -> Any:
            took, total = spent, 0
            began = now_ms()
            for batch in batches(rows):
                took += now_ms() - began
                total += batch.num_rows
                yield batch
                began = now_ms()
            self.ran("duckdb", took, total)

        cursor._table = arrow
        cursor._batches = rest
        cursor._iter = self.timed(cursor._iter, "duckdb", spent)

    def on_sqlite(
        self, connection: Connection, cursor: Cursor, parameters: Any, decision: Decision
    ) -> None:
        """Run on SQLite; what takes too long is interrupted, and runs on DuckDB."""
        lite = self.lite
        assert lite is not None  # else DuckDB alone can run it
        start = now_ms()
        if decision.limit is None:
            lite(connection, cursor, parameters)
        elif not bounded(lite, connection, cursor, parameters, decision):
            took = now_ms() - start
            if decision.trial:
                self.beaten("sqlite", took)
            else:
                self.experience.credit(self.known.tables, took)
            self.on_duckdb(connection, cursor, parameters, Decision("duckdb", ""))
            return
        spent = now_ms() - start
        self.known.sample = lite, parameters
        if cursor._close is None:
            self.ran("sqlite", spent, length_hint(cursor._iter), trial=decision.trial)
            self.step_aside(connection)
        elif not decision.trial and self.untimed("sqlite"):
            pass  # the rows go to the user as they are
        else:
            cursor._iter = self.timed(cursor._iter, "sqlite", spent, decision.trial)

    def step_aside(self, connection: Connection) -> None:
        """Leave the place to SQLite's runner where no statement on DuckDB is as fast."""
        lite, stat = self.lite, self.known.stats["sqlite"]
        if self.free and lite is not None and quick(stat):
            lite.known, lite.stat, lite.free = self.known, stat, True
            if connection.plans.get(self.text) is self:
                connection.plans[self.text] = lite

    def untimed(self, engine: str) -> bool:
        """Whether a run of many rows goes by without its time, which costs some of it to take."""
        known, stat = self.known, self.known.stats[engine]
        usual = stat.usual
        full = len(stat.samples) == stat.samples.maxlen and stat.rows >= CHUNK
        if usual is None or not full or known.runs % TIMED == 0:
            return False
        stat.calls += 1
        known.runs += 1
        known.spent += usual
        return True

    def timed(self, rows: Any, engine: str, spent: float, trial: bool = False) -> Iterator[Any]:
        """Rows as they come; notes the time that the engine took once they are all there."""
        return chain.from_iterable(self.chunks(rows, engine, spent, trial))

    def chunks(
        self, rows: Any, engine: str, spent: float, trial: bool
    ) -> Iterator[list[tuple[Any, ...]]]:
        total = 0
        while True:
            start = now_ms()
            chunk = list(islice(rows, CHUNK))
            spent += now_ms() - start
            total += len(chunk)
            if len(chunk) < CHUNK:
                self.ran(engine, spent, total, trial)
                yield chunk
                return
            yield chunk

    # Learning -----------------------------------------------------------------------------------

    def ran(self, engine: str, took: float, rows: int, trial: bool = False) -> None:
        """A run has ended, in `took` milliseconds."""
        known = self.known
        stat = known.stats[engine]
        stat.calls += 1
        stat.took(took, rows)
        known.runs += 1
        known.spent += took
        if not self.free or known.bar is not None:
            return
        if trial:
            best = known.stats["sqlite" if engine == "duckdb" else "duckdb"].usual or 0.0
            self.tried(took - best)
            return
        tables = known.tables
        statistics = self.experience.statistics
        if engine == "sqlite" and (missing := statistics.unbuilt(tables)):
            there = known.stats["duckdb"].usual or statistics.duck_ms(tables)
            if took > there:
                self.share(missing, took - there)
            return
        usual = stat.usual
        if known.settled is None:
            if len(stat.samples) >= TRIALS:
                known.settled = usual
        elif (
            usual is not None and known.runs - known.at_run >= GAP
            and not known.settled / 2 <= usual <= 2 * known.settled
            and known.explored <= 2 * SHARE * known.spent
        ):  # fmt: skip
            known.stats["sqlite" if engine == "duckdb" else "duckdb"].forget()
            self.relearn()

    def share(self, missing: list[str], saved: float) -> None:
        """What columns would have saved counts for each table by its size."""
        statistics = self.experience.statistics
        total = statistics.rows(missing) or 1
        for table in missing:
            self.experience.credit([table], saved * statistics.rows([table]) / total)

    def beaten(self, engine: str, took: float) -> None:
        """A trial was interrupted: the engine takes at least so long."""
        stat = self.known.stats[engine]
        stat.calls += 1
        stat.took(took, 0)
        self.known.runs += 1
        self.known.spent += took
        self.tried(took)
        self.known.gap = max(self.known.gap, GAP)

    def tried(self, lost: float) -> None:
        """A trial has ended, `lost` milliseconds slower than the other engine."""
        known = self.known
        known.explored += max(0.0, lost)
        known.at_run, known.settled = known.runs, None
        if all(len(s.samples) >= TRIALS for s in known.stats.values()):
            known.gap = max(GAP, 2 * known.gap) if lost > 0 else GAP


def bounded(
    lite: LiteRead, connection: Connection, cursor: Cursor, parameters: Any, decision: Decision
) -> bool:
    """Run on SQLite; False where its first rows (in a trial, all) did not come in time."""
    database: Database = lite.database
    handle = database.checkout(native=lite.native)
    end = time.monotonic() + (decision.limit or 0.0) / 1000
    first = TRIAL_ROWS if decision.trial else FIRST_ROWS
    late: list[bool] = []

    def check() -> bool:
        if time.monotonic() > end:
            late.append(True)
        return bool(late)

    connection.running[id(handle)] = handle
    handle.set_progress_handler(check, 10_000)
    streamed = again = False
    try:
        lite.prepare(connection, handle)
        found = lite.start(handle, parameters)
        rows = list(islice(found, first))
        handle.set_progress_handler(None)
        if handle.data_version() != handle.seen and lite.stale(connection, handle):
            again = True
            return True
        cursor._columns = lite.columns_of(connection, rows)
        if len(rows) == first:
            streamed = True
            lite.stream(connection, cursor, handle, found, rows)
        else:
            convert: Callable[[Any], Any] | None = lite.convert
            cursor._iter = iter(rows if convert is None else list(map(convert, rows)))
        return True
    except BaseException as error:
        if late:
            return False
        if lite.exactly(connection, cursor, parameters, error):
            return True
        raise translate(error, lite.text) from None
    finally:
        if not streamed:
            handle.set_progress_handler(None)
            connection.running.pop(id(handle), None)
            database.give_back(handle)
        if again:  # the schema has changed under the plan
            connection._run(cursor, lite.text, parameters)
