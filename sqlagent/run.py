"""Running a plan: each kind of plan has a runner, a callable that the connection keeps by its text.

`runner(connection, cursor, parameters)` fills the cursor with rows, or with the count of a write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent import config
from sqlagent.catalog import Catalog
from sqlagent.context import Context
from sqlagent.engines import schema
from sqlagent.engines.sqlite import Database, Handle, translate
from sqlagent.errors import Error, InterfaceError, NotSupportedError, ProgrammingError
from sqlagent.migrate import refuse_own
from sqlagent.plan.plans import (
    Argument,
    Call,
    Calls,
    Duck,
    Explain,
    Lite,
    Plan,
    Setting,
    Transaction,
)
from sqlagent.values import pick, row_converter, stored, stored_all

if TYPE_CHECKING:
    from sqlagent.connection import Connection, Runner
    from sqlagent.cursor import Cursor

VALUE_TYPES = {int: "BIGINT", float: "DOUBLE", str: "VARCHAR", bytes: "BLOB"}
# What SQLite binds as it is; anything else is stored() first, since numpy's scalars would be bytes.
PLAIN = frozenset((int, float, str, bytes, bool, type(None)))
FIRST_ROWS = 256  # fetched at once; what has more is streamed
OURS = ("sqlagent_functions", "sqlagent_settings")  # tables that are functions


def runner_for(connection: Connection, sql: str) -> tuple[Runner, bool]:
    """What runs a text, and whether it may be kept for the next time."""
    planned = plan_of(connection, sql)
    return make(connection.database, planned), not isinstance(planned.run, Setting)


def plan_of(connection: Connection, sql: str) -> Plan:
    """Parse, rewrite and plan a text, against the file's schema as the transaction sees it."""
    from sqlagent.plan import plan

    database = connection.database
    catalog: Catalog
    if connection.txn is not None:
        catalog = schema.read_catalog(connection.txn)
    else:
        catalog = schema.catalog(database)
    return plan(sql, catalog, connection.settings, database.protected)


def make(database: Database, planned: Plan) -> Runner:
    """The runner of a plan."""
    run = planned.run
    if isinstance(run, Lite):
        if run.ddl:
            refuse_own(planned.sql)
        return (
            LiteWrite(database, run, planned.sql)
            if run.writes
            else LiteRead(database, run, planned.sql)
        )
    if isinstance(run, Calls):
        return RunCalls(database, run, planned.sql)
    if isinstance(run, Transaction):
        return RunTransaction(run)
    if isinstance(run, Setting):
        return RunSetting(run)
    if isinstance(run, Explain):
        from sqlagent.explain import RunExplain

        return RunExplain(database, run, planned.sql)
    if isinstance(run, Call):
        from sqlagent.calls import RunCall

        return RunCall(database, run)
    from sqlagent.run_duck import RunDuck, RunFill

    return (
        RunDuck(database, run, planned.sql)
        if isinstance(run, Duck)
        else RunFill(database, run, planned.sql)
    )


def run_many(connection: Connection, cursor: Cursor, sql: str, parameters: Iterable[Any]) -> None:
    """`executemany`: one transaction around the statement with each set of parameters."""
    runner = connection.plans.get(sql) or connection._runner(sql)
    if isinstance(runner, LiteWrite):
        runner.many(connection, cursor, parameters)
        return
    if not isinstance(runner, RunCalls):
        raise ProgrammingError("executemany is for statements that write")
    own = connection.txn is None
    if own:
        connection.begin()
    count = 0
    try:
        for values in parameters:
            runner(connection, cursor, values)
            count += 1
    except BaseException:
        if own:
            connection.rollback()
        raise
    if own:
        connection.commit()
    cursor._reset()
    cursor.rowcount = count


class Runnable:
    """What the runners of statements on SQLite share."""

    def __init__(self, database: Database, plan: Lite, text: str) -> None:
        self.database = database
        self.plan = plan
        self.text = text
        self.sql = plan.sql
        self.slots = plan.parameters
        self.functions = plan.functions or any(t in OURS for t in plan.tables)
        self.untyped = False
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
            if parameters and not plain(parameters):
                parameters = stored_all(parameters)
            return handle.execute(self.sql, parameters)
        except KeyError as error:  # APSW's, for a name that the mapping does not have
            raise InterfaceError(
                f"no value was given for parameter {error}", sqlstate="07001"
            ) from None

    def first(self, handle: Handle, parameters: Any) -> Any:
        """The first execution also learns the columns, before any row: none may come."""
        cursor = handle.cursor()
        parameters = stored_all(parameters)

        def see(traced: Any, _sql: str, _bindings: Any) -> bool:
            if self.columns is None:
                self.columns = self.described(traced)
            return True

        cursor.exec_trace = see
        cursor.execute(self.sql, parameters)
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
        for at, (name, declared, _, table, origin) in enumerate(description):
            kind = known[at] if len(known) == len(description) else None
            columns.append((name, kind or schema.column_type(table, origin, declared)))
        self.convert = row_converter([kind for _, kind in columns])
        self.untyped = any(kind is None for _, kind in columns)
        return columns

    def columns_of(self, rows: list[tuple[Any, ...]]) -> Any:
        """The columns; where nothing is declared (an expression), the first row says the type."""
        columns = self.columns
        if not self.untyped or not rows or columns is None:
            return columns
        return [
            (name, kind or VALUE_TYPES.get(type(value)))
            for (name, kind), value in zip(columns, rows[0], strict=True)
        ]

    def prepare(self, connection: Connection, handle: Handle) -> None:
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
            handle = database.pool.pop()
        except IndexError:
            handle = database.checkout()
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
            raise translate(error, self.text) from None
        if found is None:
            del running[key]
            database.give_back(handle)
            connection._run(cursor, self.text, parameters)
            return
        cursor._columns = self.columns_of(rows) if self.untyped else self.columns
        if len(rows) == FIRST_ROWS:
            self.stream(connection, cursor, handle, found, rows)
            return
        del running[key]
        if self.functions:
            handle.owner = None
        database.pool.append(handle)
        convert = self.convert
        cursor._iter = iter(rows) if convert is None else map(convert, rows)

    def stale(self, connection: Connection, handle: Handle) -> bool:
        """Somebody else committed: has the schema changed under this plan?"""
        handle.seen = handle.data_version()
        known = self.database.known_catalog
        if known is None or schema.version(handle) == known.version:
            return False
        connection.plans.clear()
        return True

    def stream(
        self, connection: Connection, cursor: Cursor, handle: Handle, found: Any, rows: list[Any]
    ) -> None:
        """Hand out many rows as they are asked for; the reader comes back at the end."""
        database = self.database
        text = self.text

        def give() -> Iterator[tuple[Any, ...]]:
            try:
                yield from rows
                yield from found
            except apsw.Error as error:
                raise translate(error, text) from None
            finally:
                found.close(True)
                if connection.running.pop(id(handle), None) is not None:
                    database.give_back(handle)

        iterator: Any = give()
        if database.memory:  # an open read there would keep writers out
            everything = rows + list(found)
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
            with self.database.read() as handle, limited(connection, handle):
                self.fetch(connection, cursor, handle, parameters)
            return
        with connection.txn_lock:
            handle = open_handle(connection)
            with limited(connection, handle):
                self.fetch(connection, cursor, handle, parameters)

    def fetch(
        self, connection: Connection, cursor: Cursor, handle: Handle, parameters: Any
    ) -> None:
        try:
            self.prepare(connection, handle)
            rows = list(self.start(handle, parameters))
        except BaseException as error:
            fail(connection)
            raise translate(error, self.text) from None
        cursor._columns = self.columns_of(rows)
        cursor._iter = map(self.convert, rows) if self.convert else iter(rows)


class LiteWrite(Runnable):
    """A write on SQLite: by the writer, together with what others write at that moment."""

    def __init__(self, database: Database, plan: Lite, text: str) -> None:
        super().__init__(database, plan, text)
        self.bare = not plan.tables and outside(text)

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        def work(handle: Handle) -> tuple[list[Any], int, int]:
            self.prepare(connection, handle)
            rows = list(self.start(handle, parameters))
            found = rows, handle.changes(), handle.last_insert_rowid()
            self.chunk(handle)
            return found

        write = writing_bare if self.bare else writing
        rows, changes, rowid = write(connection, work, self.text)
        if self.plan.ddl:
            connection.plans.clear()
            self.database.known_catalog = None
            return
        cursor.rowcount = changes
        cursor.lastrowid = rowid
        if self.columns:
            cursor._columns = self.columns_of(rows)
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
            before = handle.total_changes()
            values = sets if slots is None else [pick(slots, p) for p in sets]
            if not all(map(plain, values)):
                values = [stored_all(v) for v in values]
            for _ in handle.executemany(self.sql, values):
                pass
            self.chunk(handle)
            return (
                len(sets)
                if self.plan.ddl
                else max(len(sets), 0) and handle.total_changes() - before
            )

        def guarded(handle: Handle) -> int:
            handle.execute("SAVEPOINT many")
            try:
                done = work(handle)
            except BaseException:
                if handle.in_transaction:
                    handle.execute("ROLLBACK TO many")
                    handle.execute("RELEASE many")
                raise
            handle.execute("RELEASE many")
            return done

        if sets:
            writing(connection, guarded, self.text)
        cursor.rowcount = len(sets)


class RunCalls:
    """`SELECT remember(…)`: bodies of ours that write, in one transaction of the writer."""

    def __init__(self, database: Database, plan: Calls, text: str) -> None:
        from sqlagent.functions import functions, invoke

        self.database = database
        self.plan = plan
        self.text = text
        self.invoke = invoke
        known = functions()
        self.bodies = [known[o.function] if o.function else None for o in plan.outputs]
        self.columns = [
            (o.name, body.returns if body else kind)
            for o, body, kind in zip(
                plan.outputs, self.bodies, plan.types or [None] * len(self.bodies), strict=True
            )
        ]
        self.source = None if plan.source is None else make(database, Plan(text, plan.source))

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        if self.source is None:
            inputs: list[Any] = [()]
        else:
            from sqlagent.cursor import Cursor as Read

            read = Read(connection)
            self.source(connection, read, parameters)
            inputs = read.fetchall()

        def work(handle: Handle) -> list[tuple[Any, ...]]:
            if not handle.functions_ready:
                from sqlagent.engines.sqlite_functions import ensure

                ensure(handle, self.database)
            handle.owner = connection
            context = Context(self.database, connection.settings, handle)
            return [self.row(context, row, parameters) for row in inputs]

        rows = writing(connection, work, self.text, several=True)
        cursor._columns = self.columns
        cursor._iter = iter(rows)
        cursor.rowcount = len(rows)

    def row(self, context: Context, row: tuple[Any, ...], parameters: Any) -> tuple[Any, ...]:
        out = []
        for output, body in zip(self.plan.outputs, self.bodies, strict=True):
            values = [value_of(a, row, parameters) for a in output.arguments]
            out.append(values[0] if body is None else self.invoke(body, context, values))
        return tuple(out)


def value_of(argument: Argument, row: tuple[Any, ...], parameters: Any) -> Any:
    """An argument's value: a column of the source row, a parameter, or a constant."""
    if argument.column is not None:
        return row[argument.column]
    if argument.slot is not None:
        try:
            value = parameters[argument.slot]
            # numpy's scalars as Python's; its arrays are vectors
            return value.item() if type(value).__module__ == "numpy" and not value.shape else value
        except (IndexError, KeyError, TypeError):
            raise InterfaceError(
                f"no value was given for parameter {argument.slot!r}", sqlstate="07001"
            ) from None
    return argument.value


class RunTransaction:
    """BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE."""

    def __init__(self, plan: Transaction) -> None:
        self.plan = plan

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        verb, name = self.plan
        if verb == "begin":
            connection.begin()
        elif verb in ("commit", "rollback"):
            if connection.txn is None:
                raise ProgrammingError(
                    "no transaction is open", hint="BEGIN opens one.", sqlstate="25P01"
                )
            connection._end(verb.upper())
        else:
            quoted = '"' + (name or "").replace('"', '""') + '"'
            text = {"savepoint": "SAVEPOINT ", "release": "RELEASE ", "rollback_to": "ROLLBACK TO "}
            with connection.txn_lock:
                if connection.txn is None:
                    if verb != "savepoint":
                        raise ProgrammingError("no transaction is open", sqlstate="25P01")
                    connection.begin()
                try:
                    open_handle(connection, check=verb != "rollback_to").execute(
                        text[verb] + quoted
                    )
                except apsw.Error as error:
                    raise translate(error) from None
                if verb == "rollback_to":
                    connection.txn_failed = False
                    connection.plans.clear()
                    for service in connection.database.services.values():
                        forget = getattr(service, "transaction_ended", None)
                        if forget is not None:
                            forget()


class RunSetting:
    """SET, RESET, SHOW."""

    def __init__(self, plan: Setting) -> None:
        self.plan = plan

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        verb, name, value = self.plan
        if verb == "show":
            names = (
                list(config.SETTINGS)
                if name is None or name.lower() == "all"
                else [config.check(name, None)[0]]
            )
            cursor._columns = [("name", "VARCHAR"), ("value", "VARCHAR")]
            cursor._iter = iter([(n, config.shown(connection.settings[n])) for n in names])
            return
        if verb == "reset" and (name is None or name.lower() == "all"):
            connection.settings.update(config.defaults())
            connection.slowly = connection.txn is not None
            connection.plans.clear()
            return
        if name is None:
            raise ProgrammingError("SET needs the name of a setting")
        key, checked = config.check(name, None if verb == "reset" else value)
        if key == "synchronous" and connection.txn is not None:
            raise ProgrammingError(
                "synchronous cannot change within a transaction", sqlstate="25001"
            )
        connection.settings[key] = checked
        connection.slowly = connection.txn is not None or bool(
            connection.settings["statement_timeout_ms"]
        )
        connection.plans.clear()
        if key == "memory_limit_mb" and "columns" in connection.database.services:
            connection.database.services["columns"].limit_memory(checked)
        if key == "synchronous":
            database = connection.database
            database.synchronous = checked
            handle = database.hold_bare()
            try:
                handle.execute(f"PRAGMA synchronous = {checked}")
            finally:
                database.let_go()


def open_handle(connection: Connection, check: bool = True) -> Handle:
    """The transaction's connection; refuses where a failed statement ended it or will."""
    handle: Handle | None = connection.txn
    if handle is None:
        raise ProgrammingError("no transaction is open", sqlstate="25P01")
    connection.database.check_open()
    if not handle.in_transaction:
        connection._let_go(handle)
        raise ProgrammingError(
            "the transaction was rolled back by an earlier error", sqlstate="25P02"
        )
    if check and connection.txn_failed:
        raise ProgrammingError(
            "the transaction failed: statements are refused until ROLLBACK", sqlstate="25P02"
        )
    return handle


def fail(connection: Connection) -> None:
    """A statement failed: in PostgreSQL's dialect that ends its transaction."""
    if connection.txn is not None and connection.settings["dialect"] == "postgres":
        connection.txn_failed = True


def writing(
    connection: Connection, work: Callable[[Handle], Any], text: str, *, several: bool = False
) -> Any:
    """Run a write: in the open transaction, or durably by itself. `several`: undone as one."""
    try:
        if connection.txn is None:
            if connection.autocommit:
                def bounded(handle: Handle) -> Any:
                    with limited(connection, handle):
                        return work(handle)

                return connection.database.write(bounded)
            connection.begin()
        with connection.txn_lock:
            handle = open_handle(connection)
            with limited(connection, handle):
                if not several:
                    return work(handle)
                handle.execute("SAVEPOINT one")
                try:
                    result = work(handle)
                except BaseException:
                    if handle.in_transaction:
                        handle.execute("ROLLBACK TO one")
                        handle.execute("RELEASE one")
                    raise
                handle.execute("RELEASE one")
                return result
    except BaseException as error:
        fail(connection)
        translated = translate(error, text)
        if isinstance(translated, Error) and translated.sql is None:
            translated.sql = text
        raise translated from None


def outside(text: str) -> bool:
    """Whether SQLite runs a statement only outside a transaction: VACUUM, a pragma that sets."""
    from sqlagent.parse.lexer import lex

    return lex(text)[0].upper in ("VACUUM", "PRAGMA")


def writing_bare(connection: Connection, work: Callable[[Handle], Any], text: str) -> Any:
    """Run what cannot be in a transaction with the writer, alone."""
    if connection.txn is not None:
        return writing(connection, work, text)  # SQLite says why not
    try:
        handle = connection.database.hold_bare()
        try:
            with limited(connection, handle):
                return work(handle)
        finally:
            connection.database.let_go()
    except BaseException as error:
        raise translate(error, text) from None


class limited:
    """Makes a connection's work reachable by interrupt(), and bounded in time where a limit is
    set."""

    def __init__(self, connection: Connection, handle: Handle) -> None:
        self.connection = connection
        self.handle = handle

    def __enter__(self) -> None:
        self.connection.running[id(self.handle)] = self.handle
        limit = self.connection.settings["statement_timeout_ms"]
        if limit:
            import time

            end = time.monotonic() + limit / 1000
            self.handle.set_progress_handler(lambda: time.monotonic() > end, 2000)

    def __exit__(self, *_: object) -> None:
        self.connection.running.pop(id(self.handle), None)
        if self.connection.settings["statement_timeout_ms"]:
            self.handle.set_progress_handler(None)


def not_here(what: str) -> NotSupportedError:
    """An error for what the surface has and this version does not."""
    return NotSupportedError(f"{what} is not in this version")


__all__ = ["make", "plan_of", "run_many", "runner_for", "stored"]
