"""DuckDB as the engine of analytics: one instance in memory a file and process, fresh columns.

It never opens the live file: its rows come by `sqlagent.sync`. Only text that the planner made from
a parse tree reaches it, and the files that a statement names are checked once more before it runs.
(duckdb is imported with this module.)
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from sqlagent.engines import duck_asked, duck_functions
from sqlagent.engines.direct import Direct
from sqlagent.engines.duck_errors import translate
from sqlagent.engines.duck_result import DuckResult
from sqlagent.engines.natives import Natives
from sqlagent.errors import DataError, InterfaceError, NotSupportedError, ProgrammingError
from sqlagent.sync.replicas import Replicas

if TYPE_CHECKING:
    import apsw

    from sqlagent.engines.sqlite import Database
    from sqlagent.functions import Function
    from sqlagent.plan.plans import Duck

__all__ = ["DuckEngine", "DuckResult"]
STORE = "sqlagent"  # the database in memory that holds the columns
STALE_S = 86_400  # a spill folder that nobody has written for so long is of a process that died


class StalePlan(Exception):
    """The schema has changed since the statement was planned: it must be planned anew."""


class DuckEngine:
    """The DuckDB side of a `Database`. Safe for threads: each statement has a cursor of its own."""

    def __init__(self, database: Database, *, memory_mb: int | None = None) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._local = threading.local()
        self._running: set[duckdb.DuckDBPyConnection] = set()
        self._closed = False
        config: dict[str, Any] = {
            "threads": os.cpu_count() or 1,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "temp_directory": str(_spill(database.folder)),
        }
        if memory_mb is not None:
            config["memory_limit"] = f"{memory_mb}MB"
        self._root = duckdb.connect(":memory:", config=config)
        self._root.execute("SET GLOBAL TimeZone = 'UTC'")  # not known before ICU is there
        # Compressed, columns take a third of the memory, and texts are grouped by their dictionary.
        self._root.execute(f"ATTACH ':memory:' AS {STORE} (COMPRESS)")
        self._root.execute(f"USE {STORE}")
        self._root.execute("CREATE SCHEMA columns")
        duck_asked.register(self._root)
        self.replicas = Replicas(database, self._new())
        self.natives = Natives(self.cursor)
        self._direct = Direct()

    @property
    def closed(self) -> bool:
        """Whether the instance is gone."""
        return self._closed

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor of the caller's own, to close; nothing interrupts it."""
        with self._lock:
            self._check_open()
            return self._new()

    # Running ------------------------------------------------------------------------------------

    def run(
        self,
        plan: Duck,
        values: Sequence[Any] = (),
        *,
        timeout_s: float | None = None,
        started: Callable[[Callable[[], None]], None] | None = None,
    ) -> DuckResult:
        """Run a plan over columns that hold all that was committed before. Close the result.

        `values` are in the plan's positional order. `started` is given a callable that interrupts
        this statement only.
        """
        self.check_files(plan, values)
        self._check_open()
        dropped = self.replicas.fresh(plan.tables, plan.views)
        self._check_views(plan)
        direct = self._direct.text(plan, self.replicas.copies)
        if direct is not None:
            try:
                return self._start(self._cursor(), direct, values, timeout_s, started)
            except (DataError, ProgrammingError):
                pass  # a copy was dropped meanwhile, or the error is to be of the plan's own text
        try:
            return self._start(self._cursor(), plan.sql, values, timeout_s, started)
        except ProgrammingError:
            if self.replicas.dropped == dropped:
                raise
        # Another thread dropped a copy between the two steps, to make it anew. Now none can.
        with self.replicas.lock:
            self.replicas.fresh(plan.tables, plan.views)
            self._check_views(plan)
            return self._start(self._cursor(), plan.sql, values, timeout_s, started)

    def run_private(
        self,
        plan: Duck,
        values: Sequence[Any],
        connection: apsw.Connection,
        *,
        timeout_s: float | None = None,
        started: Callable[[Callable[[], None]], None] | None = None,
    ) -> DuckResult:
        """Run a plan over what `connection`, in a transaction, sees: its own writes too."""
        self.check_files(plan, values)
        cursor = self._cursor()
        try:
            self.replicas.private(plan.tables, connection, cursor, plan.views)
        except BaseException as error:
            self._finish(cursor)
            cursor.close()
            raise translate(error, plan.sql) from None
        return self._start(cursor, plan.sql, values, timeout_s, started)

    @contextlib.contextmanager
    def writing(self, connection: Any) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor for a write into columns, whose transaction is undone at the end: what it is to
        leave is in the file. `connection.interrupt` reaches it."""
        cursor = self._cursor()
        connection.running[id(cursor)] = cursor
        try:
            yield cursor
        finally:
            connection.running.pop(id(cursor), None)
            self._finish(cursor)
            with contextlib.suppress(duckdb.Error):
                cursor.execute("ROLLBACK")
            cursor.close()

    def run_prepared(
        self,
        plan: Duck,
        values: Sequence[Any],
        prepare: Callable[[duckdb.DuckDBPyConnection], None],
        *,
        timeout_s: float | None = None,
        started: Callable[[Callable[[], None]], None] | None = None,
        cursor: Any = None,
    ) -> DuckResult:
        """Run a plan on a cursor, a new one or `cursor`, to which `prepare` gives what it reads."""
        self.check_files(plan, values)
        cursor = cursor or self._cursor()
        if started is not None:
            started(cursor.interrupt)
        try:
            prepare(cursor)
        except BaseException as error:
            self._finish(cursor)
            cursor.close()
            raise translate(error, plan.sql) from None
        return self._start(cursor, plan.sql, values, timeout_s, started)

    def plan_json(self, plan: Duck, values: Sequence[Any]) -> str | None:
        """DuckDB's own plan of a statement, as JSON, over what is there; None: it cannot be."""
        self.check_files(plan, values)
        cursor = self._cursor()
        try:
            sql = f"EXPLAIN (FORMAT json) {plan.sql}"
            row = (cursor.execute(sql, list(values)) if values else cursor.execute(sql)).fetchone()
            return None if row is None else str(row[-1])
        except duckdb.Error:
            return None
        finally:
            self._finish(cursor)
            cursor.close()

    @contextlib.contextmanager
    def profiled(self) -> Iterator[list[dict[str, Any]]]:
        """Within, DuckDB's profile of each statement that this thread runs is kept in the list."""
        found: list[dict[str, Any]] = []
        self._local.profiles = found
        try:
            yield found
        finally:
            self._local.profiles = None

    @contextlib.contextmanager
    def session(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor for several statements, with temporary tables of its own that go with it."""
        cursor = self._cursor()
        try:
            yield cursor
        finally:
            self._finish(cursor)
            cursor.close()

    def register(
        self, functions: Mapping[str, Function], context_factory: Callable[[], Any]
    ) -> None:
        """Make our functions known to every statement; `context_factory()` is a call's context."""
        with self._lock:
            duck_functions.register(self._root, functions, context_factory)

    def _start(
        self,
        cursor: duckdb.DuckDBPyConnection,
        sql: str,
        values: Sequence[Any],
        timeout_s: float | None,
        started: Callable[[Callable[[], None]], None] | None,
    ) -> DuckResult:
        if started is not None:
            started(cursor.interrupt)
        return DuckResult(cursor, sql, values, lambda: self._finish(cursor), timeout_s)

    def _check_views(self, plan: Duck) -> None:
        """Refuse a plan whose views may be defined otherwise by now."""
        if plan.views and plan.views[0].version != self.replicas.schema:
            raise StalePlan

    def _new(self) -> duckdb.DuckDBPyConnection:
        """A cursor for which the columns are the database."""
        cursor = self._root.cursor()
        cursor.execute(f"USE {STORE}")
        return cursor

    def _check_open(self) -> None:
        if self._closed:
            raise InterfaceError("the connection is closed")

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            self._check_open()
            cursor = self._new()
            self._running.add(cursor)
        if getattr(self._local, "profiles", None) is not None:
            cursor.execute("PRAGMA enable_profiling = 'no_output'")
        return cursor

    def _finish(self, cursor: duckdb.DuckDBPyConnection) -> None:
        with self._lock:
            self._running.discard(cursor)
        profiles = getattr(self._local, "profiles", None)
        if profiles is not None:
            import json

            with contextlib.suppress(duckdb.Error, ValueError):
                profiles.append(json.loads(cursor.get_profiling_information(format="json")))

    def check_files(self, plan: Duck, values: Sequence[Any]) -> None:
        """Refuse a file that is a live SQLite file: opening it would drop SQLite's locks."""
        for name in plan.files:
            paths = values[name] if isinstance(name, int) else name
            for path in [paths] if isinstance(paths, str) else paths:
                live = self._database.protected(str(path))
                if live is not None:
                    raise NotSupportedError(
                        f'"{os.path.basename(live)}" is open here: DuckDB must not open it too',
                        hint="Query its tables by name",
                    )

    # Columns ------------------------------------------------------------------------------------

    def sync(self) -> dict[str, int]:
        """Bring every copy up to date and keep large ones on disk: {table: rows}."""
        self.replicas.fresh(self.replicas.names())
        self.replicas.save()
        return {name: rows for name, rows, _, _ in self.replicas.status()}

    def rebuild(self) -> None:
        """Forget all columns, on disk too; each table is read again at its next use."""
        self.replicas.rebuild()

    def status(self) -> list[tuple[str, int, int, int]]:
        """Of each copy: table, rows, log entry it is at, bytes of its values."""
        return self.replicas.status()

    # Ending -------------------------------------------------------------------------------------

    def limit_memory(self, memory_mb: int) -> None:
        """How much memory statements may use from now on before they spill, in MB."""
        self._root.execute(f"SET memory_limit = '{int(memory_mb)}MB'")

    def interrupt(self) -> None:
        """Interrupt every statement that runs."""
        with self._lock:
            for cursor in self._running:
                cursor.interrupt()

    def close(self) -> None:
        """Interrupt what runs, and free the instance and its connection to the file."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for cursor in self._running:
                cursor.interrupt()
        self.replicas.close()
        self._root.close()


def _spill(folder: str | None) -> Path:
    """Where DuckDB spills: in the derived folder, or in the system's temporary one."""
    if folder is not None:
        place = Path(folder) / "spill"
        with contextlib.suppress(OSError):
            place.mkdir(parents=True, exist_ok=True)
            _tidy(place)
            return place / str(os.getpid())
    return Path(tempfile.gettempdir()) / f"sqlagent-spill-{os.getpid()}"


def _tidy(place: Path) -> None:
    """Remove what processes that were killed have left: DuckDB removes its own when it ends."""
    for left in place.iterdir():
        with contextlib.suppress(OSError):
            if left.stat().st_mtime < time.time() - STALE_S:
                shutil.rmtree(left)
