"""Running a plan on DuckDB: reads over fresh columns, and writes whose rows come from one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent.context import Context
from sqlagent.engines.duckdb import DuckEngine, DuckResult, StalePlan
from sqlagent.engines.sqlite import Database, Handle, translate
from sqlagent.errors import DataError, Error, NotSupportedError, ProgrammingError
from sqlagent.functions import functions
from sqlagent.plan.named import spread
from sqlagent.plan.plans import Duck, Fill
from sqlagent.run.across import Across, Stale
from sqlagent.run.attached import source_of, writing_to
from sqlagent.run.lite import LiteRead
from sqlagent.run.returning import Returning
from sqlagent.run.writing import fail, open_handle, outdated
from sqlagent.types import widened
from sqlagent.values import pick, stored

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor

BATCH = 20_000


def engine(database: Database, memory_mb: int | None = None) -> DuckEngine:
    """The file's DuckDB, made on first use; it takes 0.1 s and 40 MB."""
    found: Any = database.services.get("columns")
    if found is None:
        with database.lock:
            found = database.services.get("columns")
            if found is None:
                found = DuckEngine(database, memory_mb=memory_mb)
                settings = database.duck_settings
                found.register(functions(), lambda: Context(database, settings, None))
                database.services["columns"] = found
    return found  # type: ignore[no-any-return]


class RunDuck:
    """A read on DuckDB."""

    def __init__(self, database: Database, plan: Duck, text: str) -> None:
        self.database = database
        self.plan = plan._replace(files=positional(plan))
        self.text = text
        lite = plan.lite
        if lite is not None and lite.exact is True:  # this is what says the row that SQLite cannot
            lite = lite._replace(exact=plan._replace(lite=None))
        self.lite = None if lite is None else LiteRead(database, lite, text)
        self.past: Any = None  # what earlier runs taught of feeds
        self.across: Across | None = None
        if plan.across is not None:
            self.across = Across(database, plan, plan.across, text)

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        if connection.txn is not None and self.lite is not None:
            self.lite(connection, cursor, parameters)  # where the transaction's own rows are
            return
        if outdated(connection):
            connection._run(cursor, self.text, parameters)
            return
        if self.across is not None and self.across.may(connection):
            self.across(connection, cursor, parameters)
            return
        try:
            result = self.start(connection, parameters)
        except Stale:
            connection.plans.clear()
            connection._run(cursor, self.text, parameters)
            return
        except NotSupportedError as error:  # NotColumnar, or what DuckDB has not learnt yet
            if self.lite is None:
                error.sql = error.sql or self.text
                raise
            self.lite(connection, cursor, parameters)
            return
        except StalePlan:
            self.database.schema_changed()
            connection._run(cursor, self.text, parameters)
            return
        except apsw.Error as error:  # a function of ours that read the file
            fail(connection)
            raise translate(error, self.text) from None
        except Error as error:
            fail(connection)
            if self.plan.exact and isinstance(error, DataError | ProgrammingError):
                raise NotSupportedError(
                    f"SQLite goes on where DuckDB fails: {error.message}", sql=self.text,
                    hint="SET route = 'auto'",
                ) from None  # fmt: skip
            if error.sql is None or error.sql != self.text:
                error.sql, error.position = self.text, None
            raise
        given = spread(self.plan.names, len(result.columns))
        columns = [
            (new or name, widened(kind))
            for new, (name, kind) in zip(given, result.columns, strict=True)
        ]
        cursor._columns = columns
        if shared_by(connection) is not None:  # the next statement is to use its cursor
            cursor._iter = iter(list(result.rows()))
            return
        cursor._iter = self.rows(connection, result)
        cursor._table = lambda: unified(result.arrow(), columns)
        cursor._batches = lambda rows: (
            unified(table_of(batch), columns) for batch in result.record_batches(rows)
        )
        cursor._close = result.close
        cursor._feeds = result.feeds

    def start(
        self,
        connection: Connection,
        parameters: Any,
        within: float | None = None,
        shared: Any = None,
    ) -> DuckResult:
        """Run it, `within` so many seconds; in a transaction, over what that transaction sees: on
        the cursor `shared` where DuckDB writes in it."""
        shared = shared or shared_by(connection)
        for name in self.plan.natives:
            connection.sources[name].check()
        duck = engine(self.database, connection.settings["memory_limit_mb"])
        self.database.duck_settings.update(connection.settings)
        given = parameters
        values = pick(self.plan.parameters, parameters)
        values = list(values.values()) if isinstance(values, dict) else list(values)
        values = [
            v if v is None or isinstance(v, int | float | str | bytes) else adapted(v)
            for v in values
        ]
        for place in self.plan.files:
            if isinstance(place, int):
                check_path(values[place])
        limit = within or connection.settings["statement_timeout_ms"] / 1000 or None
        handle = Interruptible()
        connection.running[id(handle)] = handle
        try:
            if self.plan.feeds or shared is not None:
                from sqlagent.run.feeds import Realising

                feeding = Realising(connection, duck, self.plan, given, self.past)
                result = duck.run_prepared(
                    self.plan,
                    values,
                    feeding,
                    timeout_s=limit,
                    started=handle.started,
                    cursor=shared,
                )
                result.feeds, self.past = feeding.steps, feeding.past
                return result
            if connection.txn is not None:
                with connection.txn_lock:
                    own = open_handle(connection)
                    return duck.run_private(
                        self.plan, values, own, timeout_s=limit, started=handle.started
                    )
            return duck.run(self.plan, values, timeout_s=limit, started=handle.started)
        finally:
            connection.running.pop(id(handle), None)

    def rows(self, connection: Connection, result: DuckResult) -> Iterator[tuple[Any, ...]]:
        """The rows of a result, which `Connection.interrupt` reaches until the last has come."""
        return chain.from_iterable(self.batches(connection, result))

    def batches(
        self, connection: Connection, result: DuckResult
    ) -> Iterator[list[tuple[Any, ...]]]:
        handle = Interruptible()
        handle.started(result._cursor.interrupt)
        connection.running[id(handle)] = handle
        try:
            yield from result.batches()
        finally:
            connection.running.pop(id(handle), None)


def shared_by(connection: Connection) -> Any:
    """The cursor of the attached database of DuckDB's that the transaction writes, if it does."""
    return None if connection.other is None else getattr(connection.other, "cursor", None)


def positional(plan: Duck) -> tuple[str | int, ...]:
    """The files of a plan, a parameter among them by its place in the plan's own order."""
    if plan.parameters is None:
        return plan.files
    places = [at for at, slot in enumerate(plan.parameters) if slot in plan.files]
    return (*(name for name in plan.files if isinstance(name, str)), *places)


def check_path(value: Any) -> None:
    """Raise DataError where a parameter that names a file is not a text or a list of texts."""
    values = value if isinstance(value, list | tuple) else (value,)
    if not all(isinstance(v, str) for v in values):
        raise DataError(f"a path is text, not {value!r:.60}")


def adapted(value: Any) -> Any:
    """A parameter as DuckDB takes it: numpy's scalars and arrays as Python's."""
    if type(value).__module__ == "numpy":
        return value.tolist()
    return value


def table_of(batch: Any) -> Any:
    """A batch of Arrow as a table."""
    import pyarrow as pa

    return pa.Table.from_batches([batch])


def unified(table: Any, columns: list[tuple[str, str]]) -> Any:
    """DuckDB's Arrow table in the types and names that SQLite's rows have too."""
    from sqlagent.arrow import alike

    return alike(table, columns)


class Interruptible:
    """What `Connection.interrupt` reaches while DuckDB runs."""

    def __init__(self) -> None:
        self.stop: Any = None

    def started(self, interrupt: Any) -> None:
        self.stop = interrupt

    def interrupt(self) -> None:
        if self.stop is not None:
            self.stop()


class RunFill:
    """`INSERT … SELECT` and `CREATE TABLE … AS` whose rows DuckDB makes; one transaction."""

    def __init__(self, database: Database, plan: Fill, text: str) -> None:
        self.database = database
        self.plan = plan
        self.text = text
        self.source = RunDuck(database, plan.source, text)
        self.returning = None if plan.returning is None else Returning(database, plan.returning)

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        if outdated(connection):
            connection._run(cursor, self.text, parameters)
            return
        if not self.plan.atomic or connection.txn is not None:
            self.fill(connection, cursor, parameters)
            return
        connection.begin()
        try:
            self.fill(connection, cursor, parameters)
        except BaseException:
            connection.rollback()
            raise
        if connection.autocommit:
            connection.commit()

    def fill(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        """Read, and write what was read."""
        plan = self.plan
        target = source_of(connection, plan.target) if plan.target else None
        try:
            result = self.source.start(connection, parameters)
        except Error as error:
            fail(connection)
            if error.sql != self.text:
                error.sql, error.position = self.text, None
            raise
        try:
            columns = result.columns
            marks = ", ".join("?" * len(columns))
            insert = plan.insert
            made = plan.create is not None
            if insert.startswith("INSERT") and " VALUES (" not in insert:
                insert = f"{insert} VALUES ({marks})"
            wanted = insert.rpartition(" VALUES (")[2].partition(")")[0].count("?")
            if insert.startswith("INSERT") and wanted != len(columns):
                raise ProgrammingError(
                    f"{wanted} columns are to be written, but the rows have {len(columns)}",
                    sql=self.text,
                    sqlstate="42601",
                )
            keeps = [nested if made and is_nested(kind) else stored for _, kind in columns]
            given: list[tuple[Any, ...]] = []

            def one_by_one(handle: Handle) -> int:
                assert self.returning is not None  # it is what this is for
                rows = (
                    tuple(keep(v) for keep, v in zip(keeps, row, strict=True))
                    for row in result.rows()
                )
                given[:], changed = self.returning.write(connection, handle, rows, len(columns))
                return changed

            def work(handle: Handle) -> int:
                if plan.create is not None:
                    if plan.replace:
                        handle.execute(f"DROP TABLE IF EXISTS {quoted(plan.table)}")
                    handle.execute(definition(plan.create, plan.table, columns))
                if plan.functions:
                    from sqlagent.run.calls import context_of

                    context_of(self.database, connection, handle)
                done = 0
                batch: list[tuple[Any, ...]] = []
                for row in result.rows():
                    batch.append(tuple(keep(v) for keep, v in zip(keeps, row, strict=True)))
                    if len(batch) == BATCH:
                        handle.executemany(insert, batch)
                        done += len(batch)
                        connection.report(plan.table, done)
                        batch = []
                if batch:
                    handle.executemany(insert, batch)
                return done + len(batch)

            bulk: Callable[[Handle], int] | None = None
            if self.returning is not None:
                bulk = one_by_one
            if bulk is None and target is None and not made:
                from sqlagent.run.fill_vectors import vectors_work

                bulk = vectors_work(insert, result, connection)
            cursor.rowcount = writing_to(connection, target, bulk or work, self.text, several=True)
            if self.returning is not None:
                self.returning.give(connection, cursor, given)
        finally:
            result.close()
        if plan.create is not None:
            if target is None:
                connection.schema_changed()
            else:
                connection.plans.clear()
                target.database.known_catalog = None


def is_nested(kind: str) -> bool:
    """Whether a type of DuckDB's is kept in the file as JSON."""
    return kind.endswith("[]") or kind.startswith(("STRUCT", "MAP", "UNION"))


def nested(value: Any) -> Any:
    """A list, struct or map as JSON text."""
    import json

    return None if value is None else json.dumps(value, ensure_ascii=False, default=str)


def definition(create: str, table: str, columns: list[tuple[str, str]]) -> str:
    """`CREATE TABLE t` or `CREATE TABLE t (names)` with the types of the source's columns."""
    from sqlagent.parse.lexer import is_name, lex

    head, _, given = create.partition(quoted(table))
    names = [token.name for token in lex(given) if is_name(token)]
    if names and len(names) != len(columns):
        raise ProgrammingError(
            f'table "{table}" has {len(names)} names for {len(columns)} columns', sqlstate="42611"
        )
    kinds = [kind for _, kind in columns]
    named = list(zip(names, kinds, strict=True)) if names else columns
    return f"{head}{quoted(table)} ({declared(named)})"


def quoted(name: str) -> str:
    """An identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'


TYPES = {
    "HUGEINT": "BIGINT", "UBIGINT": "BIGINT", "UINTEGER": "BIGINT", "FLOAT": "DOUBLE",
    "TIMESTAMP_NS": "TIMESTAMP", "TIMESTAMP_S": "TIMESTAMP", "TIMESTAMP_MS": "TIMESTAMP",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP", "ENUM": "VARCHAR", "INTEGER": "INTEGER",
}  # fmt: skip


def declared(columns: list[tuple[str, str]]) -> str:
    """DuckDB's columns as a SQLite table declares them."""
    parts = []
    for name, kind in columns:
        if is_nested(kind):
            kind = "JSON"
        elif kind.endswith("]"):
            raise NotSupportedError(f'column "{name}" of type {kind} cannot be kept in the file')
        elif kind.startswith("ENUM"):
            kind = "VARCHAR"
        parts.append(f"{quoted(name)} {TYPES.get(kind, kind)}")
    return ", ".join(parts)
