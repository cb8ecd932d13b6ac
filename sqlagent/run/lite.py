"""Statements on SQLite: reads on pooled readers, writes by the writer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent.engines import schema
from sqlagent.engines.sqlite import Database, Handle, translate
from sqlagent.engines.sqlite_errors import inexact, not_exact
from sqlagent.errors import Error, InterfaceError
from sqlagent.plan.named import spread
from sqlagent.plan.plans import Duck, Lite
from sqlagent.run.stat import UNCOUNTED, Stat, now_ms
from sqlagent.run.writing import (
    fail,
    limited,
    open_handle,
    outdated,
    outside,
    writing,
    writing_bare,
)
from sqlagent.types import affinity
from sqlagent.values import pick, row_converter, stored_all, stored_in

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor

VALUE_TYPES = {int: "BIGINT", float: "DOUBLE", str: "VARCHAR", bytes: "BLOB"}
STORED = {"INTEGER": "BIGINT", "REAL": "DOUBLE", "TEXT": "VARCHAR", "BLOB": "BLOB"}
# What SQLite binds as it is; anything else is stored() first, since numpy's scalars would be bytes.
PLAIN = frozenset((int, float, str, bytes, bool, type(None)))
FIRST_ROWS = 256  # fetched at once; what has more is streamed
OURS = ("sqlagent_functions", "sqlagent_settings")  # tables that are functions


class Runnable:
    """What the runners of statements on SQLite share."""

    def __init__(self, database: Database, plan: Lite, text: str) -> None:
        self.database = database
        self.plan = plan
        self.text = text
        self.sql = plan.sql
        self.shown = text if plan.sql == text else None  # what a position is of
        self.slots = plan.parameters
        self.functions = plan.functions or any(t in OURS for t in plan.tables)
        self.native = plan.native
        self.untyped = False
        self.stat: Stat = UNCOUNTED
        self.known: Any = None  # what `run.experience` knows of its shape
        self.free = False  # DuckDB may run it too
        self.hot = False  # known columns, parameters as they come, no functions of ours
        self.columns: list[tuple[str, str | None]] | None = None
        self.convert: Callable[[tuple[Any, ...]], Any] | None = None

    def start(self, handle: Handle, parameters: Any) -> Any:
        """Execute on a connection; an APSW cursor before its first row is fetched."""
        if self.slots is not None:
            parameters = pick(self.slots, parameters)
        try:
            if self.columns is None:
                return self.first(handle, parameters)
            if parameters and (self.plan.stores or not plain(parameters)):
                parameters = self.store(parameters)
            return handle.execute(self.sql, parameters)
        except KeyError as error:  # APSW's, for a name that the mapping does not have
            raise InterfaceError(
                f"no value was given for parameter {error}", sqlstate="07001"
            ) from None

    def store(self, parameters: Any) -> Any:
        """Parameters in the forms that the file keeps."""
        if self.plan.stores:
            return stored_in(parameters, self.plan.stores)
        return stored_all(parameters)

    def first(self, handle: Handle, parameters: Any) -> Any:
        """The first execution also learns the columns, before any row: none may come."""
        cursor = handle.cursor()
        parameters = self.store(parameters)

        def see(traced: Any, _sql: str, _bindings: Any) -> bool:
            if self.columns is None:
                self.columns = self.described(traced)
            return True

        cursor.exec_trace = see
        # A cached statement tells the types that the table had when it was prepared.
        cursor.execute(self.sql, parameters, can_cache=False)
        if self.columns is None:
            self.columns = []
        return cursor

    def described(self, traced: Any) -> list[tuple[str, str | None]]:
        """The columns of a statement that starts: planned types, else what the table declares."""
        try:
            description = traced.description_full
        except apsw.ExecutionCompleteError:
            return []
        known = self.plan.types or ()
        columns = []
        if self.native:
            columns = [(name, STORED.get(affinity(kind)) if kind else None)
                       for name, kind, *_ in description]  # fmt: skip
            self.untyped = any(kind is None for _, kind in columns)
            return columns
        given = spread(self.plan.names, len(description))
        for at, (name, declared, _, table, origin) in enumerate(description):
            kind = known[at] if len(known) == len(description) else None
            kind = kind or schema.column_type(table, origin, declared)
            columns.append((given[at] or name, kind))
        self.convert = row_converter([kind for _, kind in columns])
        self.untyped = any(kind is None for _, kind in columns)
        return columns

    def columns_of(self, connection: Connection, rows: list[tuple[Any, ...]]) -> Any:
        """The columns; where nothing is declared (an expression), the first row says the type.

        Where that is NULL or missing, the parser finds it out, if anybody asks.
        """
        columns = self.columns
        if not self.untyped or columns is None:
            return columns
        first = rows[0] if rows else (None,) * len(columns)
        found = [
            (name, kind or VALUE_TYPES.get(type(value)))
            for (name, kind), value in zip(columns, first, strict=True)
        ]
        if any(kind is None for _, kind in found):
            return lambda: self.inferred(connection, found)
        return found

    def inferred(
        self, connection: Connection, columns: list[tuple[str, str | None]]
    ) -> list[tuple[str, str | None]]:
        """The columns with the types that the statement's text says."""
        from sqlagent.plan.route import described

        own = connection.txn  # in memory nobody else could read while it writes
        catalog = (
            schema.catalog(self.database) if own is None
            else schema.seen_by(self.database, own, connection.redefined)
        )  # fmt: skip
        if connection.returned:
            catalog = catalog._replace(tables=catalog.tables | connection.returned)
        kinds = described(self.text, catalog, connection.settings)
        if kinds is None or len(kinds) != len(columns):
            return columns
        return [(name, kind or new) for (name, kind), new in zip(columns, kinds, strict=True)]

    def prepare(self, connection: Connection, handle: Handle) -> None:
        if handle.native is not self.native:
            handle.speak(self.native)
        if self.functions:
            handle.owner = connection
            if not handle.functions_ready:
                from sqlagent.engines.sqlite_functions import ensure

                ensure(handle, self.database)


def plain(parameters: Any) -> bool:
    """Whether all of a set of parameters can be bound as they are."""
    values = parameters.values() if isinstance(parameters, dict) else parameters
    return isinstance(parameters, tuple | list | dict) and PLAIN.issuperset(map(type, values))


class LiteRead(Runnable):
    """A read on SQLite: on a pooled reader, or on the writer inside a transaction."""

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        if connection.slowly:
            self.slowly(connection, cursor, parameters)
            return
        database = self.database
        try:
            handle = (database.native_pool if self.native else database.pool).pop()
        except IndexError:
            handle = database.checkout(native=self.native)
        running = connection.running
        key = id(handle)
        running[key] = handle
        try:
            if self.hot:
                try:
                    found = handle.execute(self.sql, parameters)
                except TypeError:
                    found = self.start(handle, parameters)
            else:
                if self.functions:
                    self.prepare(connection, handle)
                found = self.start(handle, parameters)
                self.hot = self.slots is None and not self.functions
            rows = list(islice(found, FIRST_ROWS))
            if handle.data_version() != handle.seen and self.stale(connection, handle):
                found = None
        except BaseException as error:
            del running[key]
            database.give_back(handle)
            if self.plan.exact is not None and self.exactly(connection, cursor, parameters, error):
                return
            raise translate(error, self.shown) from None
        if found is None:
            del running[key]
            database.give_back(handle)
            connection._run(cursor, self.text, parameters)
            return
        cursor._columns = self.columns_of(connection, rows) if self.untyped else self.columns
        if len(rows) == FIRST_ROWS:
            self.stream(connection, cursor, handle, found, rows)
            return
        del running[key]
        if self.functions:
            handle.owner = None
        (database.native_pool if self.native else database.pool).append(handle)
        stat = self.stat
        stat.calls = calls = stat.calls + 1
        if calls >= stat.due:
            self.due(connection)
        convert = self.convert
        cursor._iter = iter(rows) if convert is None else map(convert, rows)

    def due(self, connection: Connection) -> None:
        """The next run is to be timed."""
        if connection.plans.get(self.text) is self:
            from sqlagent.run.offer import Timed

            connection.plans[self.text] = Timed(self)

    def exactly(
        self, connection: Connection, cursor: Cursor, parameters: Any, error: BaseException
    ) -> bool:
        """After a row that SQLite cannot say exactly, ask DuckDB; whether that was it."""
        if not inexact(error):
            return False
        if self.plan.exact is True:  # the user chose SQLite
            if "integer overflow" in str(error):  # of a sum, which DuckDB makes wider
                raise not_exact("a sum of more than 64 bits", self.text) from None
            return False
        from sqlagent.run.duck import RunDuck

        exact = self.plan.exact
        if isinstance(exact, str):
            from sqlagent.run import plan_of

            try:
                exact = plan_of(connection, exact, route="duckdb").run
            except Error:
                return False  # DuckDB cannot say it either: SQLite's error stands
            if not isinstance(exact, Duck):
                return False
        plan = exact._replace(names=self.plan.names)
        RunDuck(self.database, plan, self.text)(connection, cursor, parameters)
        return True

    def stale(self, connection: Connection, handle: Handle) -> bool:
        """Somebody else committed: has the schema changed under this plan?"""
        handle.seen = handle.data_version()
        known = self.database.known_catalog
        if known is None or schema.version(handle) == known.version:
            return False
        self.database.schema_changed()
        return True

    def stream(
        self,
        connection: Connection,
        cursor: Cursor,
        handle: Handle,
        found: Any,
        rows: list[Any],
        ended: Callable[[], None] | None = None,
    ) -> None:
        """Hand out many rows as they are asked for; the reader comes back at the end, after
        `ended()`."""
        database = self.database
        text = self.shown
        self.stat.calls += 1

        def give() -> Iterator[tuple[Any, ...]]:
            try:
                yield from rows
                yield from found
            except apsw.Error as error:
                raise translate(error, text) from None
            finally:
                found.close(True)
                if ended is not None:
                    ended()
                if connection.running.pop(id(handle), None) is not None:
                    database.give_back(handle)

        iterator: Any = give()
        if database.memory:  # an open read there would keep writers out
            everything = rows + list(found)
            if ended is not None:
                ended()
            connection.running.pop(id(handle), None)
            database.give_back(handle)
            cursor._iter = map(self.convert, everything) if self.convert else iter(everything)
            return
        cursor._close = iterator.close
        first = next(iterator)  # started, so that closing it gives the reader back
        whole = chain((first,), iterator)
        cursor._iter = map(self.convert, whole) if self.convert else whole

    def slowly(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        """Inside a transaction, or under a time limit."""
        if connection.txn is None:
            self.bounded(connection, cursor, parameters)
            return
        with connection.txn_lock:
            handle = open_handle(connection)
            with limited(connection, handle):
                self.fetch(connection, cursor, handle, parameters)

    def bounded(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        """Under a time limit, which holds until the last row has been handed out."""
        database = self.database
        handle = database.checkout(native=self.native)
        bounds = limited(connection, handle)
        streamed = False
        bounds.__enter__()
        try:
            self.prepare(connection, handle)
            found = self.start(handle, parameters)
            rows = list(islice(found, FIRST_ROWS))
            cursor._columns = self.columns_of(connection, rows)
            if len(rows) < FIRST_ROWS:
                cursor._iter = map(self.convert, rows) if self.convert else iter(rows)
                return
            streamed = True
            self.stream(connection, cursor, handle, found, rows, bounds.release)
        except BaseException as error:
            exact = not streamed and self.plan.exact is not None
            if exact and self.exactly(connection, cursor, parameters, error):
                return
            raise translate(error, self.shown) from None
        finally:
            if not streamed:
                bounds.__exit__()
                if handle.in_transaction:
                    handle.execute("ROLLBACK")
                database.give_back(handle)

    def fetch(
        self, connection: Connection, cursor: Cursor, handle: Handle, parameters: Any
    ) -> None:
        try:
            self.prepare(connection, handle)
            rows = list(self.start(handle, parameters))
        except BaseException as error:
            if self.plan.exact is not None and self.exactly(connection, cursor, parameters, error):
                return
            fail(connection)
            raise translate(error, self.shown) from None
        cursor._columns = self.columns_of(connection, rows)
        cursor._iter = map(self.convert, rows) if self.convert else iter(rows)


class LiteWrite(Runnable):
    """A write on SQLite: by the writer, together with what others write at that moment."""

    def __init__(self, database: Database, plan: Lite, text: str) -> None:
        super().__init__(database, plan, text)
        self.bare = not plan.tables and outside(text)
        # A set of parameters is a row of INSERT … VALUES; of another write it may be any number.
        words = set(text.upper().replace("(", " ").split())
        self.counted = "INSERT" not in words or bool(words & {"OR", "CONFLICT", "SELECT"})

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        if self.plan.defined and outdated(connection):
            connection._run(cursor, self.text, parameters)
            return

        def work(handle: Handle) -> tuple[list[Any], int, int]:
            self.prepare(connection, handle)
            rows = list(self.start(handle, parameters))
            found = rows, handle.changes(), handle.last_insert_rowid()
            self.chunk(handle)
            return found

        stat = self.stat
        stat.calls = calls = stat.calls + 1
        start = now_ms() if calls >= stat.due else 0.0
        write = writing_bare if self.bare else writing
        rows, changes, rowid = write(connection, work, self.shown)
        if self.plan.ddl:
            connection.schema_changed()
            return
        if start:
            stat.took(now_ms() - start, changes)
        cursor.rowcount = changes
        cursor.lastrowid = rowid
        if self.columns:
            cursor._columns = self.columns_of(connection, rows)
            cursor._iter = map(self.convert, rows) if self.convert else iter(rows)

    def chunk(self, handle: Handle) -> None:
        """In memory a search cannot write while it reads: documents get their chunks at once."""
        if self.database.memory and "documents" in self.plan.tables:
            from sqlagent.sync.documents import chunk_pending

            while chunk_pending(handle):
                pass

    def many(self, connection: Connection, cursor: Cursor, parameters: Iterable[Any]) -> None:
        """The statement with each set of parameters, in one transaction."""
        sets = parameters if isinstance(parameters, list) else list(parameters)
        slots = self.slots

        def work(handle: Handle) -> int:
            self.prepare(connection, handle)
            values = sets if slots is None else [pick(slots, p) for p in sets]
            if self.plan.stores or not all(map(plain, values)):
                values = [self.store(v) for v in values]
            changed = 0
            if self.counted:
                for each in values:
                    for _ in handle.execute(self.sql, each):
                        pass
                    changed += handle.changes()
            else:
                for _ in handle.executemany(self.sql, values):
                    pass
                changed = len(values)
            self.chunk(handle)
            return changed

        cursor.rowcount = writing(connection, work, self.text, several=True) if sets else 0
