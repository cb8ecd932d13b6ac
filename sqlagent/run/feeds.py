"""Feeds are read: each source on a thread of its own, those that wait for keys after the others.

All feeds of one source see one commit, and those of the file itself the commit that the columns
beside them are at. (duckdb and pyarrow are imported with this module.)
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import pyarrow as pa

from sqlagent.errors import InterfaceError
from sqlagent.plan.plans import Duck, Feed, Keys, Slots
from sqlagent.run.across import Stale
from sqlagent.run.writing import open_handle
from sqlagent.sources import Rows
from sqlagent.sources.file import FileSource
from sqlagent.sources.lite import TooMany, text_of
from sqlagent.sync import build
from sqlagent.sync.columns import NotColumnar, quoted
from sqlagent.sync.replicas import Overtaken

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.engines.duckdb import DuckEngine

KEPT_ROWS = 1_000_000  # beyond, rows stay in Arrow: a copy would take as much memory again
# Of a table's rows, the part above which columns are better, made already or not.
BUILT, UNBUILT = 200, 10
KEYS_MIN = 500
SKIPS_MAX = 1024


class FeedStep(NamedTuple):
    """What reading one feed came to: `keys` is how many it was asked for, None: all rows."""

    feed: Feed
    sql: str
    rows: int
    bytes: int
    ms: float
    keys: int | None
    columns: bool = False  # it was read from columns after all


class Past(NamedTuple):
    """What earlier runs of a plan taught: for `skip` more runs columns are taken at once, since
    `fallen` times so far they were better after all."""

    skip: int = 0
    fallen: int = 0


class _Columns(Exception):
    """The file's own tables are better read as columns."""


class Realising:
    """Gives a DuckDB cursor the feeds of a plan; `steps` then says what each came to."""

    def __init__(
        self,
        connection: Connection,
        engine: DuckEngine,
        plan: Duck,
        parameters: Any,
        past: Past | None = None,
    ) -> None:
        self.connection = connection
        self.engine = engine
        self.plan = plan
        self.parameters = parameters
        self.steps: list[FeedStep] = []
        self.begun = False
        self.past = past or Past()
        self.sources: Mapping[str, Any] = {"": FileSource(connection), **connection.sources}

    def __call__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        own = any(feed.source == "" for feed in self.plan.feeds) and not self._built()
        if own and self.past.skip:
            own, self.past = False, self.past._replace(skip=self.past.skip - 1)
        try:
            self._realise(cursor, own)
        except (_Columns, NotColumnar, Overtaken):
            if not own:
                raise
            fallen = self.past.fallen + 1
            self.past = Past(min(2**fallen, SKIPS_MAX), fallen)
            if self.begun:
                cursor.rollback()
            self._realise(cursor, False)

    def _built(self) -> bool:
        """Whether all that is read are tables of the file whose columns are made already."""
        plan = self.plan
        there = {name.lower() for name in self.engine.replicas.names()}
        return (
            not plan.files and not plan.natives
            and all(f.source == "" and f.table.lower() in there for f in plan.feeds)
        )  # fmt: skip

    # One attempt --------------------------------------------------------------------------------

    def _realise(self, cursor: duckdb.DuckDBPyConnection, own: bool) -> None:
        """Read all feeds; where not `own`, those of the file are views of its columns."""
        self.steps, self.begun = [], False
        with contextlib.ExitStack() as stack:
            snapshots: dict[str, Any] = {}
            for name in dict.fromkeys(f.source for f in self.plan.feeds):
                if name:
                    source = self._source(name)
                    snapshots[name] = stack.enter_context(source.snapshot(self.connection))
            for feed in self.plan.feeds:
                self._check(feed)
            self._begin(cursor, own, snapshots, stack)
            waiting = list(self.plan.feeds)
            there: set[str] = set()
            if not own:
                for feed in [f for f in waiting if f.source == ""]:
                    self._view(cursor, feed)
                    there.add(feed.name)
                    waiting.remove(feed)
            while waiting:
                ready = [f for f in waiting if f.keys is None or there.issuperset(f.keys.after)]
                free = [f for f in ready if f.keys is None]
                ready = free or ready
                work = [(f, self._key_values(cursor, f)) for f in ready]
                for feed, keys, rows, ms in self._read(work, snapshots):
                    size = self._give(cursor, feed, rows)
                    sql = text_of(feed, keyed=keys is not None)
                    count = None if keys is None else len(keys)
                    self.steps.append(
                        FeedStep(feed, sql, rows.table.num_rows, size, round(ms, 3), count)
                    )
                    there.add(feed.name)
                waiting = [f for f in waiting if f.name not in there]

    def _source(self, name: str) -> Any:
        found = self.sources.get(name)
        if found is None:
            raise InterfaceError(f'"{name}" is no longer attached')
        return found

    def _check(self, feed: Feed) -> None:
        """Raise Stale where a table is no longer as it was planned."""
        if feed.known is None or (feed.source == "" and self.connection.txn is not None):
            return
        now = self._source(feed.source).table(feed.table)
        if now != feed.known:
            raise Stale(f'table "{feed.table}" has changed', hint="Run the statement again.")

    def _begin(
        self,
        cursor: duckdb.DuckDBPyConnection,
        own: bool,
        snapshots: dict[str, Any],
        stack: contextlib.ExitStack,
    ) -> None:
        """Begin on DuckDB with fresh columns, and on the file at the same commit."""
        tables = list(self.plan.tables)
        tables += [t for f in self.plan.feeds if f.keys for t in f.keys.tables]
        if not own:
            tables += [f.table for f in self.plan.feeds if f.source == ""]
        tables = list(dict.fromkeys(t.lower() for t in tables))
        replicas = self.engine.replicas
        if self.connection.txn is not None:
            stack.enter_context(self.connection.txn_lock)
            self.begun = True
            replicas.private(tables, open_handle(self.connection), cursor)
            if own:
                snapshots[""] = open_handle(self.connection)
            return

        def beside() -> None:
            again.close()
            source = self.sources[""]
            snapshots[""] = again.enter_context(source.snapshot(self.connection))

        again = stack.enter_context(contextlib.ExitStack())
        with replicas.lock:
            if tables:
                replicas.fresh(tables, beside=beside if own else None)
            elif own:
                beside()
            cursor.execute("BEGIN")
            self.begun = True
            for table in tables:  # what is seen now stays until the transaction ends
                cursor.execute(f"SELECT 1 FROM main.{quoted(table)} LIMIT 0")

    # Keys ---------------------------------------------------------------------------------------

    def _key_values(self, cursor: duckdb.DuckDBPyConnection, feed: Feed) -> list[Any] | None:
        """The keys of a feed; None where it is better off without."""
        keys = feed.keys
        if keys is None:
            return None
        most = keys.at_most
        if feed.source == "":
            most = min(most, max(KEYS_MIN, (feed.rows or 0) // self._worth(feed)))
        found = self._keys(cursor, keys, most)
        if feed.source == "" and (found is None or len(found) > most):
            if feed.filter is None:
                raise _Columns
            return None
        return None if found is None or len(found) > most else found

    def _keys(self, cursor: duckdb.DuckDBPyConnection, keys: Keys, most: int) -> list[Any] | None:
        """Up to `most` + 1 keys; None where they are not of the column's type."""
        try:
            table = cursor.execute(
                f"SELECT * FROM ({keys.sql}) LIMIT {most + 1}", list(self._values(keys.parameters))
            ).to_arrow_table()
        except (duckdb.BinderException, duckdb.CatalogException):
            return None  # the other side depends on a row around it
        values = table.column(0)
        kind = values.type
        if pa.types.is_integer(kind):
            found = values.drop_null().to_pylist()
            return sorted(k for k in found if -(2**63) <= k < 2**63)
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return sorted(values.drop_null().to_pylist())
        return None

    def _worth(self, feed: Feed) -> int:
        """The part of the table's rows above which columns are better."""
        return BUILT if feed.table.lower() in self.engine.replicas.names() else UNBUILT

    def _values(self, slots: Slots) -> Sequence[Any]:
        """The user's values in the order of some slots, which need not be all there are."""
        if not slots:
            return ()
        given = self.parameters
        values: Any = given if isinstance(given, Mapping | list | tuple) else tuple(given)
        return [values[slot] for slot in slots]

    # Rows ---------------------------------------------------------------------------------------

    def _read(
        self, work: list[tuple[Feed, list[Any] | None]], snapshots: dict[str, Any]
    ) -> Iterator[tuple[Feed, list[Any] | None, Rows, float]]:
        """Read some feeds: those of one source one after the other, the sources side by side."""
        by_source: dict[str, list[tuple[Feed, list[Any] | None]]] = {}
        for feed, keys in work:
            by_source.setdefault(feed.source, []).append((feed, keys))

        def of(name: str) -> list[tuple[Feed, list[Any] | None, Rows, float]]:
            return [self._one(f, k, snapshots[name]) for f, k in by_source[name]]

        if len(by_source) == 1:
            yield from of(next(iter(by_source)))
            return
        with ThreadPoolExecutor(len(by_source)) as pool:
            for found in [pool.submit(of, name) for name in by_source]:
                yield from found.result()

    def _one(
        self, feed: Feed, keys: list[Any] | None, snapshot: Any
    ) -> tuple[Feed, list[Any] | None, Rows, float]:
        start = time.perf_counter()
        values = self._values(feed.parameters)
        plain = feed
        if not all(map(_is, values, feed.expects)):
            plain, values = feed._replace(filter=None, parameters=None, limit=None), ()
        more = {}
        if feed.source == "":
            more["rows_max"] = max(100 * KEYS_MIN, (feed.rows or 0) // self._worth(feed))
            if plain is not feed and keys is None:
                raise _Columns
        try:
            rows = self._source(feed.source).read(
                plain, values, keys, connection=self.connection, snapshot=snapshot, **more
            )
        except TooMany:
            raise _Columns from None
        return plain, keys, rows, 1000 * (time.perf_counter() - start)

    def _give(self, cursor: duckdb.DuckDBPyConnection, feed: Feed, rows: Rows) -> int:
        """Let the feed's name stand for its rows; their size in bytes. Raises NotColumnar."""
        name, table, casts = quoted(feed.name), rows.table, rows.casts
        if casts is None and table.num_rows > KEPT_ROWS:
            cursor.register(feed.name, table)
            return int(table.nbytes)
        listed = ", ".join(
            f"{c} AS {quoted(n)}" if casts else quoted(n)
            for c, n in zip(casts or feed.columns, feed.columns, strict=True)
        )
        raw = f"{feed.name} rows"
        cursor.register(raw, table)
        try:
            cursor.execute(f"CREATE TEMP TABLE {name} AS SELECT {listed} FROM {quoted(raw)}")
        except (duckdb.DataError, duckdb.InvalidInputException) as error:
            raise NotColumnar(feed.table, build.reason(error)) from None
        return int(table.nbytes)

    def _view(self, cursor: duckdb.DuckDBPyConnection, feed: Feed) -> None:
        """A feed of the file that is its columns after all."""
        cursor.execute(
            f"CREATE TEMP VIEW {quoted(feed.name)} AS SELECT"
            f" {', '.join(map(quoted, feed.columns))} FROM {quoted(feed.table)}"
        )
        self.steps.append(FeedStep(feed, "", 0, 0, 0.0, None, True))


def _is(value: Any, expected: str) -> bool:
    """Whether a parameter is what its filter expects of it."""
    if expected == "text":
        return value is None or isinstance(value, str)
    return value is None or isinstance(value, int | float)


def steps_of(feeds: Sequence[Feed], done: Sequence[FeedStep] = ()) -> list[dict[str, Any]]:
    """A step of EXPLAIN for each feed; with what reading it came to where it was read."""
    came = {step.feed.name: step for step in done}
    steps = []
    for feed in feeds:
        where = feed.source or "the file"
        step: dict[str, Any] = {"engine": "sqlite", "does": "feed", "source": where}
        step["name"] = feed.name
        step["tables"] = [f"{feed.source}.{feed.table}" if feed.source else feed.table]
        step["why"] = _why(feed)
        step["columns"] = list(feed.columns)
        step["sql"] = text_of(feed)
        if feed.filter is not None:
            step["filter"] = feed.filter
        if feed.limit is not None:
            step["limit"] = feed.limit
        if feed.keys is not None:
            step["keys"] = {"column": feed.keys.column, "sql": feed.keys.sql,
                            "at_most": feed.keys.at_most}  # fmt: skip
        if feed.rows is not None:
            step["estimate"] = feed.rows
        found = came.get(feed.name)
        if found is not None:
            step["rows"], step["time_ms"], step["bytes"] = found.rows, found.ms, found.bytes
            step["sql"] = found.sql or step["sql"]
            if found.keys is not None:
                step["keys_found"] = found.keys
            if found.columns:
                step["why"] = "so many rows are better read from columns"
        steps.append(step)
    return steps


def across_step(run: Duck) -> dict[str, Any]:
    """The step of EXPLAIN for a statement that SQLite runs by itself over several files."""
    sources = list(dict.fromkeys(f.source or "the file" for f in run.feeds))
    return {
        "engine": "sqlite", "does": "read", "source": ", ".join(sources),
        "tables": [f"{f.source}.{f.table}" if f.source else f.table for f in run.feeds],
        "why": "SQLite runs it by itself over its files; where it would scan what an index should"
        " serve, or has been slow, DuckDB is fed instead",
        "sql": run.across.sql if run.across is not None else "",
    }  # fmt: skip


def _why(feed: Feed) -> str:
    parts = []
    if feed.keys is not None:
        parts.append("only rows with the keys of the other side of the join")
    if feed.filter is not None:
        parts.append("only rows that pass the statement's own conditions")
    if feed.limit is not None:
        parts.append(f"{feed.limit} rows are enough")
    if feed.source == "":
        parts.append("an index finds them sooner than columns could be made")
    return "; ".join(parts) or f"{feed.source} is not DuckDB's to open"
