"""What is known of statements that ran: times by shape and engine, kept in `sqlagent_query_log`.

In memory first. It reaches the file with CALL sync(), when the log or advise() is read, and when
the file is closed after work worth remembering; never in read-only, and never by waiting for
another writer on closing. A shape (`sqlagent.parse.shape`) has no literals.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent import clock
from sqlagent.engines import schema
from sqlagent.errors import Error
from sqlagent.parse.shape import shape
from sqlagent.run.stat import Stat
from sqlagent.run.statistics import Statistics

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database, Handle
    from sqlagent.run.lite import LiteRead

SHAPES_MAX = 1000  # kept in memory, and in the file
CLOSING_MS = 50.0  # work since the last flush that makes it worth a commit on closing

READ = """
SELECT engine, milliseconds, rows, timed, table_rows FROM sqlagent_query_log WHERE shape = ?"""
WRITE = """
INSERT INTO sqlagent_query_log
  (shape, engine, calls, rows, milliseconds, timed, best_milliseconds, total_milliseconds,
   tables, table_rows, at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT (shape, engine) DO UPDATE SET
  calls = calls + excluded.calls, rows = excluded.rows, milliseconds = excluded.milliseconds,
  timed = timed + excluded.timed,
  best_milliseconds = min(ifnull(best_milliseconds, 1e999), excluded.best_milliseconds),
  total_milliseconds = total_milliseconds + excluded.total_milliseconds,
  tables = excluded.tables, table_rows = excluded.table_rows, at = excluded.at"""
TRIM = """
DELETE FROM sqlagent_query_log WHERE shape IN (
  SELECT shape FROM sqlagent_query_log GROUP BY shape ORDER BY max(at) DESC, shape
  LIMIT -1 OFFSET ?)"""


class Known:
    """What is known of one shape. Times are in milliseconds."""

    __slots__ = (
        "at_run",
        "bar",
        "checked",
        "explored",
        "gap",
        "logged",
        "runs",
        "sample",
        "settled",
        "shape",
        "slow",
        "spent",
        "stats",
        "table_rows",
        "tables",
    )  # fmt: skip

    def __init__(self, text: str, tables: tuple[str, ...]) -> None:
        self.shape = text
        self.tables = tables
        self.stats = {"sqlite": Stat(), "duckdb": Stat()}
        self.table_rows = -1  # when its times were learnt
        self.checked = 0.0  # when the sizes of its tables were last looked at
        self.runs = 0  # by choice
        self.spent = 0.0  # in them
        self.explored = 0.0  # of that, more than the better engine would have taken
        self.at_run = 0  # the run after which the other engine was last tried
        self.gap = 0  # how many runs must pass before it is tried again
        self.settled: float | None = None  # the usual time when the choice was made
        self.slow = False  # SQLite took longer than its plan promised
        self.bar: str | None = None  # why DuckDB cannot run it after all
        self.sample: tuple[LiteRead, Any] | None = None  # a run, with values; never in the file
        self.logged = False  # a connection with `query_log` on ran it


class Experience:
    """The shapes of one file, in memory; a service of its `Database`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.statistics = Statistics(database)
        self.shapes: OrderedDict[str, Known] = OrderedDict()
        self.credits: dict[str, float] = {}  # ms that columns of a table would have saved so far
        self.lock = threading.Lock()
        self._names: tuple[Any, frozenset[str]] = (None, frozenset())

    def names(self) -> frozenset[str]:
        """The lower-case names of the file's tables and columns."""
        catalog = self.database.known_catalog or schema.catalog(self.database)
        if self._names[0] is not catalog:
            found = {c.name.lower() for t in catalog.tables.values() for c in t.columns}
            self._names = (catalog, frozenset(found | set(catalog.tables)))
        return self._names[1]

    def known(self, sql: str, tables: Iterable[str]) -> Known:
        """What is known of the shape of a text, from the file too."""
        text = shape(sql, self.names())
        with self.lock:
            found = self.shapes.get(text)
            if found is not None:
                self.shapes.move_to_end(text)
                return found
        found = Known(text, tuple(t.lower() for t in tables))
        self._load(found)
        with self.lock:
            found = self.shapes.setdefault(text, found)
            while len(self.shapes) > SHAPES_MAX:
                self.shapes.popitem(last=False)
        return found

    def _load(self, known: Known) -> None:
        """Begin with what the file has of it."""
        try:
            with self.database.read() as handle:
                rows = handle.execute(READ, (known.shape,)).fetchall()
        except (apsw.Error, Error):
            return  # another client has changed the table: learn anew
        for engine, usual, count, timed, table_rows in rows:
            stat = known.stats.get(engine)
            if stat is not None and isinstance(usual, float) and usual >= 0:
                # Two, so that one odd run cannot outweigh what was learnt before.
                stat.samples.extend([usual] * min(int(timed or 0), 2))
                stat.rows = int(count or 0)
                known.table_rows = int(table_rows) if table_rows is not None else -1

    def credit(self, tables: Iterable[str], milliseconds: float) -> None:
        """So much would have been saved, had these tables columns."""
        for table in tables:
            self.credits[table] = self.credits.get(table, 0.0) + milliseconds

    # The file -----------------------------------------------------------------------------------

    def pending(self) -> list[tuple[Any, ...]]:
        """Rows for WRITE: what has run since the last flush."""
        found = []
        with self.lock:
            shapes = list(self.shapes.values())
        for known in shapes:
            if not known.logged:
                continue
            for engine, stat in known.stats.items():
                calls, timed = stat.calls - stat.flushed[0], stat.timed - stat.flushed[1]
                if calls <= 0:
                    continue
                usual = stat.usual
                total = stat.untimed + max(0, calls - timed) * (usual or 0.0)
                best = stat.best if stat.timed else usual
                found.append(
                    (
                        known.shape, engine, calls, stat.rows, usual, timed, best, total,
                        ",".join(known.tables),
                        known.table_rows if known.table_rows >= 0 else None, clock.now(),
                        (stat, stat.calls, stat.timed),
                    )
                )  # fmt: skip
        return found

    def flush(self) -> int:
        """Write what has run since the last time into the file; how many rows."""
        if self.database.read_only or self.database.closed:
            return 0
        rows = self.pending()
        if rows:
            self.database.write(lambda handle: write(handle, rows))
            flushed(rows)
        return len(rows)

    def close(self) -> None:
        """Keep what was learnt, where that is worth a commit and nobody else is writing."""
        database = self.database
        if database.read_only or database.memory or database.forked:
            return
        rows = self.pending()
        if sum(row[7] or 0.0 for row in rows) < CLOSING_MS:
            return
        handle = None
        try:
            handle = database.open(write=True)
            handle.set_busy_timeout(0)
            handle.execute("PRAGMA synchronous = normal")  # losing it to a power cut does no harm
            handle.execute("BEGIN IMMEDIATE")
            write(handle, rows)
            handle.execute("COMMIT")
            flushed(rows)
        except (apsw.Error, Error):
            pass  # somebody writes, or the disk is full: it is learnt anew
        finally:
            if handle is not None:
                handle.close()


def write(handle: Handle, rows: list[tuple[Any, ...]]) -> None:
    """Add rows of `pending` to the log, and keep it bounded."""
    handle.executemany(WRITE, [row[:11] for row in rows])
    handle.execute(TRIM, (SHAPES_MAX,)).fetchall()


def flushed(rows: list[tuple[Any, ...]]) -> None:
    """They are in the file now."""
    for row in rows:
        stat, calls, timed = row[11]
        stat.flushed = (calls, timed)
        stat.untimed = 0.0


def experience(database: Database) -> Experience:
    """The file's experience, made on first use."""
    found: Any = database.services.get("experience")
    if found is None:
        with database.lock:
            found = database.services.get("experience")
            if found is None:
                found = database.services["experience"] = Experience(database)
    return found  # type: ignore[no-any-return]  # services are of many kinds
