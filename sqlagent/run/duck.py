"""Running a plan on DuckDB: reads over fresh columns, and writes whose rows come from one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent.context import Context
from sqlagent.engines.duckdb import DuckEngine, DuckResult, StalePlan
from sqlagent.engines.sqlite import Database, Handle, translate
from sqlagent.errors import DataError, Error, NotSupportedError, ProgrammingError
from sqlagent.functions import functions
from sqlagent.plan.plans import Duck, Fill
from sqlagent.run.lite import LiteRead
from sqlagent.run.writing import fail, open_handle, outdated, writing
from sqlagent.sync.columns import NotColumnar
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
        self.lite = None if plan.lite is None else LiteRead(database, plan.lite, text)

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        if connection.txn is not None and self.lite is not None:
            self.lite(connection, cursor, parameters)  # where the transaction's own rows are
            return
        if outdated(connection):
            connection._run(cursor, self.text, parameters)
            return
        try:
            result = self.start(connection, parameters)
        except NotColumnar:
            if self.lite is None:
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
            if error.sql is None or error.sql != self.text:
                error.sql, error.position = self.text, None
            raise
        cursor._columns = result.columns
        cursor._iter = self.rows(connection, result)
        cursor._table = result.arrow
        cursor._close = result.close

    def start(
        self, connection: Connection, parameters: Any, within: float | None = None
    ) -> DuckResult:
        """Run it, `within` so many seconds; in a transaction, over what that transaction sees."""
        duck = engine(self.database, connection.settings["memory_limit_mb"])
        self.database.duck_settings.update(connection.settings)
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
        handle = Interruptible()
        handle.started(result._cursor.interrupt)
        connection.running[id(handle)] = handle
        try:
            yield from result.rows()
        finally:
            connection.running.pop(id(handle), None)


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

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        if outdated(connection):
            connection._run(cursor, self.text, parameters)
            return
        plan = self.plan
        result = self.source.start(connection, parameters)
        try:
            columns = result.columns
            marks = ", ".join("?" * len(columns))
            insert = plan.insert
            if not insert.rstrip().endswith(")") or "?" not in insert:
                insert = f"{insert} VALUES ({marks})"

            def work(handle: Handle) -> int:
                if plan.create is not None:
                    if plan.replace:
                        handle.execute(f"DROP TABLE IF EXISTS {quoted(plan.table)}")
                    handle.execute(definition(plan.create, plan.table, columns))
                done = 0
                batch: list[tuple[Any, ...]] = []
                for row in result.rows():
                    batch.append(tuple(stored(v) for v in row))
                    if len(batch) == BATCH:
                        handle.executemany(insert, batch)
                        done += len(batch)
                        connection.report(plan.table, done)
                        batch = []
                if batch:
                    handle.executemany(insert, batch)
                return done + len(batch)

            cursor.rowcount = writing(connection, work, self.text, several=True)
        finally:
            result.close()
        if plan.create is not None:
            connection.schema_changed()


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
        if kind.endswith("[]") or kind.startswith(("STRUCT", "MAP", "UNION")):
            kind = "JSON"
        elif kind.endswith("]"):
            raise NotSupportedError(f'column "{name}" of type {kind} cannot be kept in the file')
        elif kind.startswith("ENUM"):
            kind = "VARCHAR"
        parts.append(f"{quoted(name)} {TYPES.get(kind, kind)}")
    return ", ".join(parts)
