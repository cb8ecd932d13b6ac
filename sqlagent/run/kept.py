"""A read whose result may be kept, and found the next time: around the runner that knows how.

What is handed out of a kept result is never what is kept where the caller could change it: tuples
of values that cannot change are shared, lists and dictionaries are copied, an Arrow table cannot be
changed.
"""

from __future__ import annotations

import glob
import os
import stat
import time
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlagent.engines.sqlite import Database
from sqlagent.plan.plans import Duck
from sqlagent.plan.steady import unsteady
from sqlagent.run.results import LEAST_MS, SHARE, Entry, results, weight
from sqlagent.values import pick

if TYPE_CHECKING:
    from sqlagent.connection import Connection, Runner
    from sqlagent.cursor import Cursor

BATCH_ROWS = 2048
SETTLED_S = 2.0  # a file that changed later than this may change again without its times showing it
# Parameters that say by their text and type what they are; any other value is not looked up.
PLAIN = (int, float, str, bytes, bool, type(None))
NOTHING = object()


class Kept:
    """The runner of a read on columns that is steady (`plan.steady`)."""

    def __init__(self, database: Database, plan: Duck, inner: Runner) -> None:
        self.database = database
        self.plan = plan
        self.inner = inner
        self.results = results(database)

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        settings = connection.settings
        key = None
        if settings["result_cache"] and connection.txn is None:
            key = key_of(connection, self.plan, parameters)
        if key is None:
            self.inner(connection, cursor, parameters)
            return
        commit, found = self.results.find(key)
        if found is None:
            start = time.perf_counter()
            self.inner(connection, cursor, parameters)
            spent = time.perf_counter() - start
            limit = settings["result_cache_mb"] << 20
            _Taking(self, key, commit, limit, cursor, parameters, spent)
            return
        _Giving(self, connection, cursor, parameters, key, commit, found)


class _Taking:
    """Keeps the rows of a cursor as they are handed out; all of them, or nothing."""

    def __init__(
        self,
        kept: Kept,
        key: Any,
        commit: int,
        limit: int,
        cursor: Cursor,
        parameters: Any,
        spent_s: float,
    ) -> None:
        self.kept, self.key, self.commit, self.limit = kept, key, commit, limit
        self.spent_s = spent_s
        self.columns = cursor._described()
        self.source, self.table = cursor._iter, cursor._table
        if self.source is None:
            return
        cursor._iter = self.rows(self.source)
        if self.table is not None:
            cursor._table = self.arrow

    def rows(self, source: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """The rows as they come, and to keep, while they fit."""
        entry = Entry(self.columns)
        rows: list[tuple[Any, ...]] | None = []
        nested = is_nested(self.columns)
        while True:
            start = time.perf_counter()
            batch = list(islice(source, BATCH_ROWS))
            self.spent_s += time.perf_counter() - start
            if rows is not None:
                entry.bytes += weight(self.columns, batch)
                if entry.bytes > self.limit // SHARE:
                    rows = None
                else:
                    rows += map(fresh, batch) if nested else batch
            if len(batch) < BATCH_ROWS:
                break
            yield from batch
        if rows is not None:
            entry.rows = rows
            self.keep(entry)
        yield from batch

    def arrow(self) -> Any:
        """The rows as an Arrow table, kept too."""
        start = time.perf_counter()
        table = self.table()
        self.spent_s += time.perf_counter() - start
        entry = Entry(self.columns)
        entry.table, entry.bytes = table, table.nbytes
        self.keep(entry)
        return table

    def keep(self, entry: Entry) -> None:
        if self.spent_s * 1000 >= LEAST_MS:
            self.kept.results.keep(self.key, self.commit, entry, self.limit)


class _Giving:
    """Hands a kept result to a cursor; in the other form than it is kept in, by running it."""

    def __init__(
        self,
        kept: Kept,
        connection: Connection,
        cursor: Cursor,
        parameters: Any,
        key: Any,
        commit: int,
        entry: Entry,
    ) -> None:
        self.kept, self.connection, self.parameters = kept, connection, parameters
        self.key, self.commit, self.entry = key, commit, entry
        self.begun = False  # whether a row was fetched, where `iterator` does not tell
        cursor._columns = entry.columns
        if entry.rows is None:
            cursor._iter = self.run_rows()
        elif is_nested(entry.columns):
            cursor._iter = self.copies(entry.rows)
        else:
            cursor._iter = iter(entry.rows)
        self.iterator = cursor._iter
        cursor._table = self.arrow

    def run_rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows of what is kept as an Arrow table."""
        self.begun = True
        own = self.run()
        entry = self.entry
        rows = list(own._iter or ())
        size = entry.bytes + weight(entry.columns, rows)
        limit = self.connection.settings["result_cache_mb"] << 20
        if size <= limit // SHARE:
            both = Entry(entry.columns)
            both.table, both.bytes = entry.table, size
            both.rows = [fresh(r) for r in rows] if is_nested(entry.columns) else rows
            self.kept.results.keep(self.key, self.commit, both, limit)
        yield from rows

    def arrow(self) -> Any:
        """The rows that are left, as an Arrow table."""
        entry = self.entry
        if self.untouched():
            if entry.table is not None:
                return entry.table
            own = self.run()
            if own._table is not None:
                table = own._table()
                both = Entry(entry.columns)
                both.rows, both.table, both.bytes = entry.rows, table, entry.bytes + table.nbytes
                limit = self.connection.settings["result_cache_mb"] << 20
                self.kept.results.keep(self.key, self.commit, both, limit)
                return table
        from sqlagent.arrow import table_of

        return table_of(entry.columns or (), list(self.iterator))

    def copies(self, rows: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Rows whose values the caller may change."""
        self.begun = True
        yield from map(fresh, rows)

    def untouched(self) -> bool:
        """Whether no row has been fetched yet."""
        left = getattr(self.iterator, "__length_hint__", None)
        return not self.begun and (left is None or left() == len(self.entry.rows or ()))

    def run(self) -> Cursor:
        """The statement, run again."""
        from sqlagent.cursor import Cursor as Own

        own = Own(self.connection)
        self.kept.inner(self.connection, own, self.parameters)
        return own


def wrapped(database: Database, plan: Duck, inner: Runner) -> Runner:
    """`inner`, with its results kept where the same text may give the same rows again."""
    from sqlagent.run.choice import Choice
    from sqlagent.run.duck import RunDuck

    slow = isinstance(inner, Choice | RunDuck)  # not a read that SQLite runs at once
    return Kept(database, plan, inner) if slow and reason(plan) is None else inner


def reason(plan: Duck) -> str | None:
    """Why results of a plan are never kept; None: they may be."""
    if not plan.tables and not plan.files and not plan.feeds and not plan.natives:
        return "it reads no table"
    own = next((t for t in plan.tables if t.startswith("sqlagent_")), None)
    if own is not None:
        return f"{own} tells how the engine is doing now"
    return unsteady(plan.sql)


def key_of(connection: Connection, plan: Duck, parameters: Any) -> Any:
    """What tells a result from all others of the same commit; None where nothing can."""
    values: tuple[Any, ...] = ()
    if plan.parameters is not None or parameters:
        try:
            picked = pick(plan.parameters, parameters)
        except Exception:  # the runner says what is wrong with them
            return None
        given = picked.items() if isinstance(picked, dict) else enumerate(picked)
        if not all(type(v) in PLAIN for _, v in given):
            return None
        given = picked.items() if isinstance(picked, dict) else enumerate(picked)
        # 1, 1.0 and True are equal to Python; NaN is not equal to itself: repr tells all apart.
        values = tuple((k, type(v), v if not isinstance(v, float) else repr(v)) for k, v in given)
    state = (
        sources(connection, plan, parameters) if plan.files or plan.feeds or plan.natives else ()
    )
    return None if state is None else (plan.sql, values, state)


def sources(connection: Connection, plan: Duck, parameters: Any) -> tuple[Any, ...] | None:
    """The state of all that a plan reads beside the file; None where it cannot be known."""
    state: list[Any] = []
    for name in plan.files:
        try:
            path = name if isinstance(name, str) else parameters[name]
        except (KeyError, IndexError, TypeError):
            return None
        stamp = file_state(path)
        if stamp is None:
            return None
        state.append((path, stamp))
    for alias in sorted({*(f.source for f in plan.feeds), *plan.natives} - {""}):
        source = connection.sources.get(alias.lower())
        token = None if source is None else source.token()
        if token is None:
            return None
        state.append((alias, id(source), token))
    return tuple(state)


def file_state(path: Any) -> tuple[int, ...] | None:
    """What changes when a file does; None for a glob, an address, or a file that just changed."""
    if not isinstance(path, str) or glob.has_magic(path) or "://" in path:
        return None
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    if abs(time.time() - max(found.st_mtime, found.st_ctime)) < SETTLED_S:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def fresh(value: Any) -> Any:
    """A value, or a row, with lists and dictionaries of its own."""
    if isinstance(value, list):
        return [fresh(v) for v in value]
    if isinstance(value, tuple):
        return tuple(fresh(v) for v in value)
    if isinstance(value, dict):
        return {k: fresh(v) for k, v in value.items()}
    return value


def is_nested(columns: Any) -> bool:
    """Whether a value may be a list or a dictionary, which a caller could change."""
    return any(
        kind is None or kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION"))
        for _, kind in columns or ()
    )
