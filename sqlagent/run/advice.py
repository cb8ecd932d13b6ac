"""advise(): the indexes that the logged statements want, measured by trying them on a copy.

The copy has the tables of those statements, with their indexes, in a file of the derived folder
(or in memory); it is removed afterwards. The file itself is only read.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw

from sqlagent.catalog import Catalog
from sqlagent.engines import schema
from sqlagent.errors import Error, ProgrammingError
from sqlagent.parse.lexer import is_name, lex, quote_name
from sqlagent.plan.plans import Duck, Lite
from sqlagent.run.experience import experience
from sqlagent.run.statistics import aliases, explained
from sqlagent.values import pick, stored_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlagent.engines.sqlite import Database, Handle
    from sqlagent.run.candidates import Candidate

STATEMENTS_MAX = 20  # those that cost the most are tried
CANDIDATES_MAX = 30
ROWS_MAX = 5_000_000  # of all tables that are copied
SECONDS_MAX = 60.0
RUN_MS_MIN = 0.2  # statements that take less are fast enough
GAIN = 0.7  # an index is advised where a statement takes less than so much of its time before
SAVED_MS_MIN = 0.2  # and saves so much each time
UNUSED_CALLS = 100  # a table's statements must have run so often before an index counts as unused
TRIES = 3

TOP = """
SELECT shape, calls, milliseconds FROM sqlagent_query_log
WHERE engine = 'sqlite' AND milliseconds >= ? AND shape LIKE 'select%' AND tables <> ''
ORDER BY total_milliseconds DESC LIMIT ?"""
INDEXES = """
SELECT m.name, m.tbl_name, m.sql FROM sqlite_master m, pragma_index_list(m.tbl_name) i
WHERE m.type = 'index' AND m.sql IS NOT NULL AND i.name = m.name AND NOT i."unique" """


class Advice(NamedTuple):
    """A row of advise(); times are in milliseconds, of all the shapes together."""

    action: str
    statement: str
    table: str
    columns: str
    calls: int
    before_ms: float | None
    after_ms: float | None
    size_kb: int | None
    shapes: list[str]
    reason: str


class Trial(NamedTuple):
    """A statement to try: in SQLite's words, with values."""

    shape: str
    calls: int
    sql: str
    values: Any
    tables: tuple[str, ...]


def advise(database: Database, settings: Mapping[str, Any]) -> list[Advice]:
    """All advice for the file now."""
    found = experience(database)
    if not database.memory and not database.held:
        found.flush()
    with database.read() as handle:
        catalog = schema.read_catalog(handle)
        trials = list(statements(database, handle, catalog, settings))
        used, calls = usage(database, handle, catalog, settings)
        old = handle.execute(INDEXES).fetchall()
    wanted = tried(database, catalog, trials) if trials else []
    ours = own(catalog)
    unused = [
        Advice(
            "drop", f"DROP INDEX {quote_name(name)}", table, indexed(sql), calls[table.lower()],
            None, None, None, [], "no logged statement uses it, and every write keeps it up",
        )
        for name, table, sql in old
        if name not in used and table.lower() not in ours
        and calls.get(table.lower(), 0) >= UNUSED_CALLS
    ]  # fmt: skip
    return wanted + unused


def own(catalog: Catalog) -> set[str]:
    """The lower-case names of our own tables, whose indexes are as they are."""
    from sqlagent import migrate

    return migrate.own_names(migrate.known()) & set(catalog.tables)


def indexed(sql: str) -> str:
    """The columns of a CREATE INDEX, as it has them."""
    return sql[sql.index("(") + 1 : sql.rindex(")")].replace('"', "")


# What is tried ------------------------------------------------------------------------------------


def statements(
    database: Database, handle: Handle, catalog: Catalog, settings: Mapping[str, Any]
) -> Iterator[Trial]:
    """The reads on SQLite that cost the most, with values that were used, or that tables have."""
    known = experience(database).shapes
    rows = {
        text: (int(calls), float(took))
        for text, calls, took in handle.execute(TOP, (RUN_MS_MIN, 2 * STATEMENTS_MAX)).fetchall()
    }
    for text, one in list(known.items()):  # what is in memory alone: a file read-only, or none
        stat = one.stats["sqlite"]
        if text not in rows and stat.calls and (stat.usual or 0.0) >= RUN_MS_MIN:
            rows[text] = (stat.calls, stat.usual or 0.0)
    ranked = sorted(rows.items(), key=lambda r: -r[1][0] * r[1][1])
    count = 0
    for text, (calls, _) in ranked:
        remembered = known.get(text)
        if remembered is not None and remembered.sample is not None:
            lite, parameters = remembered.sample
            values = parameters if lite.slots is None else pick(lite.slots, parameters)
            plan: Lite | None = lite.plan
        else:
            plan = planned(database, catalog, text, settings)
            values = None if plan is None else likely(handle, plan, catalog)
        if plan is None or plan.functions or plan.writes or not text.startswith("select"):
            continue
        if any(catalog.tables[t].kind != "table" for t in plan.tables if t in catalog.tables):
            continue  # a view's tables are not named in it
        yield Trial(text, calls, plan.sql, values, plan.tables)
        count += 1
        if count == STATEMENTS_MAX:
            return


def planned(
    database: Database, catalog: Catalog, text: str, settings: Mapping[str, Any]
) -> Lite | None:
    """A shape as SQLite's statement, its values as parameters; None where it cannot be."""
    from sqlagent.plan import plan

    try:
        run = plan(text, catalog, {**settings, "route": "sqlite"}, database.protected).run
    except Error:
        return None
    lite = run.lite if isinstance(run, Duck) else run
    return lite if isinstance(lite, Lite) else None


def likely(handle: Handle, plan: Lite, catalog: Catalog) -> list[Any]:
    """Values for the parameters of a shape: of the column that each is compared with."""
    tokens = lex(plan.sql)
    alias = aliases(plan.sql, plan.tables)
    values: list[Any] = []
    for place, token in enumerate(tokens):
        if token.kind != "param":
            continue
        before = [t for t in tokens[max(0, place - 4) : place] if is_name(t)]
        value: Any = 10 if before and before[-1].upper in ("LIMIT", "OFFSET") else 1
        for name in reversed(before):
            table = next(
                (t for t in dict.fromkeys(alias.values()) if catalog.tables[t].column(name.name)),
                None,
            ) if set(alias.values()) <= set(catalog.tables) else None  # fmt: skip
            if table is not None:
                value = middle(handle, table, name.name, value)
                break
        values.append(value)
    return values


def middle(handle: Handle, table: str, column: str, default: Any) -> Any:
    """A value from somewhere in a table."""
    row = handle.execute(
        f"SELECT {quote_name(column)} FROM (SELECT {quote_name(column)} FROM {quote_name(table)} "
        f"WHERE {quote_name(column)} IS NOT NULL LIMIT 1000) ORDER BY 1 LIMIT 1 OFFSET 400"
    ).fetchone()
    return default if row is None else row[0]


def usage(
    database: Database, handle: Handle, catalog: Catalog, settings: Mapping[str, Any]
) -> tuple[set[str], dict[str, int]]:
    """The indexes that logged statements use, and how often each table's statements ran."""
    used: set[str] = set()
    calls: dict[str, int] = {}
    uncertain: set[str] = set()
    rows = handle.execute("SELECT shape, calls, tables FROM sqlagent_query_log").fetchall()
    for text, count, tables in rows:
        for table in filter(None, tables.split(",")):
            calls[table] = calls.get(table, 0) + int(count)
        plan = planned(database, catalog, text, settings)
        if plan is None or plan.functions:
            uncertain |= set(tables.split(","))  # it may use any of theirs
            continue
        with contextlib.suppress(apsw.Error, KeyError):
            for *_, detail in explained(handle, plan.sql):
                used |= set(re.findall(r"INDEX (\S+)", detail))
    indexes = handle.execute(INDEXES).fetchall()
    used |= {name for name, table, _ in indexes if table.lower() in uncertain}
    return used, calls


# The trial ----------------------------------------------------------------------------------------


def tried(database: Database, catalog: Catalog, trials: list[Trial]) -> list[Advice]:
    """The indexes with a real gain, the best first; each is tried beside those before it."""
    from sqlagent.run.candidates import candidates

    end = time.monotonic() + SECONDS_MAX
    tables = sorted({t for trial in trials for t in trial.tables if t in catalog.tables})
    if experience(database).statistics.rows(tables) > ROWS_MAX:
        return []
    wanted: dict[Candidate, None] = {}
    for trial in trials:
        wanted |= dict.fromkeys(candidates(trial.sql, catalog))
    found = []
    with copied(database, tables, end) as copy:
        if copy is None:
            return []
        times = {t.shape: timed(copy, t, end) for t in trials}
        left = list(wanted)[:CANDIDATES_MAX]
        while left and time.monotonic() < end:
            best: tuple[float, Candidate, dict[str, float], int] | None = None
            for candidate in list(left):
                result = gain(copy, candidate, trials, times, end)
                if result is None:
                    left.remove(candidate)
                elif best is None or result[0] > best[0]:
                    best = (result[0], candidate, result[1], result[2])
            if best is None:
                break
            _, candidate, after, pages = best
            left.remove(candidate)
            copy.execute(candidate.create(candidate.name)).fetchall()
            found.append(advice(copy, candidate, trials, times, after, pages, catalog))
            times |= after
    return found


def gain(
    copy: apsw.Connection, candidate: Candidate, trials: list[Trial], times: dict[str, float],
    end: float,
) -> tuple[float, dict[str, float], int] | None:  # fmt: skip
    """(milliseconds saved in all calls, times with the index, its pages); None without a gain."""
    before = copy.pragma("page_count") - copy.pragma("freelist_count")
    try:
        copy.execute(candidate.create("sqlagent_trial")).fetchall()
    except apsw.Error:
        return None
    try:
        pages = copy.pragma("page_count") - copy.pragma("freelist_count") - before
        saved, after = 0.0, {}
        for trial in trials:
            if candidate.table.lower() not in trial.tables:
                continue
            try:
                plan = " ".join(str(r[-1]) for r in explained(copy, trial.sql))  # type: ignore[arg-type]  # any connection will do
            except apsw.Error:
                continue
            if "sqlagent_trial" not in plan:
                continue
            now = timed(copy, trial, end)
            old = times[trial.shape]
            if now <= GAIN * old and old - now >= SAVED_MS_MIN:
                after[trial.shape] = now
                saved += (old - now) * trial.calls
        return (saved, after, pages) if after else None
    finally:
        copy.execute("DROP INDEX sqlagent_trial").fetchall()


def advice(
    copy: apsw.Connection, candidate: Candidate, trials: list[Trial], before: dict[str, float],
    after: dict[str, float], pages: int, catalog: Catalog,
) -> Advice:  # fmt: skip
    """A candidate as a row."""
    helped = [t for t in trials if t.shape in after]
    old, new = sum(before[t.shape] for t in helped), sum(after[t.shape] for t in helped)
    calls = sum(t.calls for t in helped)
    return Advice(
        "create", candidate.create(candidate.name), candidate.table, ", ".join(candidate.columns),
        calls, round(old, 3), round(new, 3), pages * copy.pragma("page_size") // 1024,
        [t.shape for t in helped],
        f"{old / max(new, 0.001):.1f} times as fast, measured on a copy; {calls} runs logged",
    )  # fmt: skip


def timed(copy: apsw.Connection, trial: Trial, end: float) -> float:
    """The best of some runs, in milliseconds; infinite where it fails or time is up."""
    best = float("inf")
    copy.set_progress_handler(lambda: time.monotonic() > end, 10_000)
    try:
        for _ in range(TRIES):
            start = time.perf_counter()
            for _row in copy.execute(trial.sql, stored_all(trial.values or ())):
                pass
            best = min(best, 1000 * (time.perf_counter() - start))
    except (apsw.Error, KeyError, ProgrammingError):
        return float("inf")
    finally:
        copy.set_progress_handler(None)
    return best


@contextlib.contextmanager
def copied(database: Database, tables: list[str], end: float) -> Iterator[apsw.Connection | None]:
    """A copy of some tables with their indexes; None where it took too long."""
    path = ":memory:"
    if database.folder is not None:
        os.makedirs(database.folder, exist_ok=True)
        path = os.path.join(database.folder, f"advice-{os.getpid()}-{time.monotonic_ns()}.db")
    copy = apsw.Connection(path)
    try:
        copy.execute("PRAGMA journal_mode = off; PRAGMA synchronous = off").fetchall()
        copy.execute("PRAGMA case_sensitive_like = on").fetchall()
        copy.set_progress_handler(lambda: time.monotonic() > end, 10_000)
        try:
            with database.read() as handle:
                for table in tables:
                    copy_table(handle, copy, table)
        except apsw.InterruptError:
            yield None
            return
        copy.set_progress_handler(None)
        yield copy
    finally:
        copy.close()
        if path != ":memory:":
            with contextlib.suppress(OSError):
                os.unlink(path)


def copy_table(handle: Handle, copy: apsw.Connection, table: str) -> None:
    """One table: its definition, rows and indexes; what ANALYZE knows of it stays behind."""
    made = handle.execute(
        "SELECT sql FROM sqlite_master WHERE tbl_name = ? COLLATE NOCASE AND sql IS NOT NULL "
        "AND type IN ('table', 'index') ORDER BY type DESC",
        (table,),
    ).fetchall()
    columns = [
        quote_name(name) for name, hidden in handle.execute(
            "SELECT name, hidden FROM pragma_table_xinfo(?)", (table,)
        ) if not hidden
    ]  # fmt: skip
    if not made or not columns:
        return
    copy.execute(made[0][0]).fetchall()
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    copy.execute("BEGIN")
    copy.executemany(
        f"INSERT OR REPLACE INTO {quote_name(table)} ({names}) VALUES ({marks})",
        handle.execute(f"SELECT {names} FROM {quote_name(table)}"),
    )
    copy.execute("COMMIT")
    for (sql,) in made[1:]:
        copy.execute(sql).fetchall()
