"""Running a write into a table that is kept as columns.

DuckDB makes the rows from what the writer's transaction sees, and SQLite keeps them as new parts in
that transaction, so a crash leaves what was before or what came after.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import duckdb

from sqlagent.engines import definitions
from sqlagent.engines.duck_errors import translate
from sqlagent.engines.sqlite import Database, Handle
from sqlagent.errors import IntegrityError, NotSupportedError, ProgrammingError
from sqlagent.parse.layout import Field, Layout
from sqlagent.plan.names import ALL, NEW, PART, SETS
from sqlagent.plan.plans import ColumnsWrite, Duck
from sqlagent.run.duck import adapted, check_path, engine, positional
from sqlagent.run.writing import outdated, writing
from sqlagent.sync import parts
from sqlagent.sync.log import quoted
from sqlagent.values import pick

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor

_NEW = f"temp.{quoted(NEW)}"
_TYPES = {"HUGEINT": "DECIMAL(38,0)", "INTEGER": "BIGINT", '"NULL"': "VARCHAR"}


class RunColumns:
    """The runner of a ColumnsWrite. `many` takes all sets of parameters at once, where it can."""

    repeats = True  # executemany may run it for each set

    def __init__(self, database: Database, plan: ColumnsWrite, text: str) -> None:
        self.database = database
        self.plan = plan
        self.text = text
        read = Duck(plan.sql, plan.parameters, plan.tables, plan.files, plan.functions)
        self.read = read._replace(files=positional(read))
        self.many = self.all_sets if plan.sets is not None else None

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        if outdated(connection):
            connection._run(cursor, self.text, parameters)
            return
        values = self.values(self.plan.parameters, parameters)
        for place in self.read.files:
            if isinstance(place, int):
                check_path(values[place])
        duck = engine(self.database, connection.settings["memory_limit_mb"])
        duck.check_files(self.read, values)
        where = self.plan.where
        chosen = self.values(where[1], parameters) if where is not None else []
        sql = self.plan.sql
        if self.plan.verb == "create":
            names = f" AS made ({', '.join(map(quoted, self.plan.columns))})"
            sql = f"CREATE TEMP TABLE {quoted(NEW)} AS FROM ({sql})"
            sql += names if self.plan.columns else ""
        self.run(connection, cursor, lambda own: own.execute(sql, values), chosen)

    @staticmethod
    def values(slots: Any, parameters: Any) -> list[Any]:
        """What one statement of DuckDB's is given."""
        found = pick(slots, parameters)
        several = list(found.values()) if isinstance(found, dict) else list(found)
        return [
            v if v is None or isinstance(v, int | float | str | bytes) else adapted(v)
            for v in several
        ]

    def all_sets(self, connection: Connection, cursor: Cursor, parameters: Iterable[Any]) -> None:
        """An INSERT of every set of parameters, as one part."""
        import pyarrow as pa

        slots = self.plan.parameters or ()
        rows = [self.values(slots, p) for p in parameters]
        if not rows:
            cursor.rowcount = 0
            return
        columns = [list(c) for c in zip(*rows, strict=True)]
        names = [f"p{n}" for n in range(1, len(columns) + 1)]
        try:
            table = pa.table([pa.array(c) for c in columns], names=names)
        except (pa.ArrowInvalid, pa.ArrowTypeError):  # a column of several types: as texts
            texts = [[None if v is None else str(v) for v in c] for c in columns]
            table = pa.table([pa.array(c, pa.string()) for c in texts], names=names)

        def insert(own: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
            own.register(SETS, table)
            return own.execute(self.plan.sets or "")

        self.run(connection, cursor, insert, [])

    def looked_at(self) -> list[str]:
        """The table itself, where rows that are there matter: but not to append without keys."""
        if self.plan.verb == "create":
            return []
        with self.database.read() as handle:
            found = parts.defined(handle, self.plan.table)
        needed = found is not None and (self.plan.verb != "insert" or bool(found.keys))
        return [self.plan.table] if needed else []

    def run(self, connection: Connection, cursor: Cursor, statement: Any, chosen: Any) -> None:
        """The write, in the writer's transaction."""
        duck = engine(self.database, connection.settings["memory_limit_mb"])
        self.database.duck_settings.update(connection.settings)
        if connection.txn is None:
            # What is read anyway is read now: later everybody waits for the writer.
            duck.replicas.fresh([*self.plan.tables, *self.looked_at()])

        def work(handle: Handle) -> tuple[int, list[Any], list[tuple[str, str]]]:
            with duck.writing(connection) as own:
                try:
                    return _Write(self.plan, duck.replicas.parts, own, handle).run(
                        duck, statement, chosen
                    )
                except duckdb.Error as error:
                    raise translated(error, self.plan, self.text) from None

        count, rows, columns = writing(connection, work, self.text, several=True)
        if self.plan.verb == "create":
            connection.schema_changed()
        cursor.rowcount = count
        if columns:
            cursor._columns, cursor._iter = columns, iter(rows)


class _Write:
    """One write, on a cursor of its own in a DuckDB transaction that is always undone: what it
    leaves is in the file."""

    def __init__(
        self,
        plan: ColumnsWrite,
        store: parts.Parts,
        cursor: duckdb.DuckDBPyConnection,
        handle: Handle,
    ) -> None:
        self.plan = plan
        self.store = store
        self.cursor = cursor
        self.handle = handle

    def run(
        self, duck: Any, statement: Any, chosen: list[Any]
    ) -> tuple[int, list[Any], list[tuple[str, str]]]:
        """Its count, and the rows and columns of RETURNING."""
        plan, cursor = self.plan, self.cursor
        duck.replicas.private(plan.tables, self.handle, cursor)
        if plan.verb == "create":
            return self.create(statement), [], []
        found = parts.defined(self.handle, plan.table)
        if found is None:
            raise ProgrammingError(f'table "{plan.table}" does not exist', sqlstate="42P01")
        cursor.execute(f"CREATE TEMP TABLE {quoted(NEW)} ({found.temporary})")
        numbers: dict[int, str] = {}
        touched: list[int] = []
        if plan.verb != "insert" or found.keys:
            numbers = duck.replicas.parts.private(cursor, self.handle, plan.table) or {}
            cursor.execute(
                f"CREATE TEMP VIEW {quoted(ALL)} AS FROM temp.{quoted(plan.table.lower() + ' all')}"
            )
        if plan.verb != "insert":
            touched = self.touched(numbers, chosen)
            if touched:
                cursor.execute(
                    f"INSERT INTO {_NEW} SELECT {parts.listed(found)} FROM temp.{quoted(ALL)}"
                    f" WHERE {quoted(PART)} IN ({', '.join(map(str, touched))})"
                )
        result = statement(cursor)
        rows = result.fetchall()
        columns = [(d[0], str(d[1])) for d in result.description or []]
        returning = not (len(columns) == 1 and columns[0][0] == "Count" and len(rows) == 1)
        count = len(rows) if returning else int(rows[0][0])
        if count:
            self.unique(found, touched)
            self.keep(found, [numbers[n] for n in touched])
        return count, rows if returning else [], columns if returning else []

    def touched(self, numbers: dict[int, str], chosen: list[Any]) -> list[int]:
        """The parts with rows that the statement may change."""
        if self.plan.where is None:
            return list(numbers)
        rows = self.cursor.execute(self.plan.where[0], chosen).fetchall()
        return [int(n) for (n,) in rows]

    def unique(self, found: Layout, touched: list[int]) -> None:
        """Raise IntegrityError where a key would be there twice."""
        for key in found.keys:
            names = ", ".join(quoted(n) for n in key)
            there = " AND ".join(f"{quoted(n)} IS NOT NULL" for n in key)
            twice = self.cursor.execute(
                f"SELECT {names} FROM {_NEW} WHERE {there} GROUP BY ALL HAVING count(*) > 1 LIMIT 1"
            ).fetchone()
            if twice is None:
                rest = f"temp.{quoted(ALL)}"
                if touched:
                    numbers = ", ".join(map(str, touched))
                    rest = f"(FROM {rest} WHERE {quoted(PART)} NOT IN ({numbers}))"
                twice = self.cursor.execute(
                    f"SELECT {names} FROM {_NEW} SEMI JOIN {rest} USING ({names}) LIMIT 1"
                ).fetchone()
            if twice is not None:
                raise IntegrityError(
                    f"duplicate key: {', '.join(key)} = {', '.join(map(repr, twice))}",
                    detail=f'table "{found.name}"', sqlstate="23505",
                )  # fmt: skip

    def keep(self, found: Layout, gone: list[str]) -> None:
        """Put the rows of NEW into the file, in the place of the parts that are gone."""
        for rows, data in self.store.packed(self.cursor, found, _NEW):
            self.handle.execute(
                "INSERT INTO sqlagent_parts (name, rows, data) VALUES (?, ?, ?)",
                (found.name, rows, data),
            )
        self.remove(gone)
        small = parts.small(parts.stamps_of(self.handle, found.name))
        if small:
            self.merge(found, small)

    def remove(self, gone: list[str]) -> None:
        self.handle.executemany(
            "DELETE FROM sqlagent_parts WHERE stamp = ?", [(stamp,) for stamp in gone]
        )

    def merge(self, found: Layout, small: list[str]) -> None:
        """Make one part of many small ones."""
        columns = ", ".join(f"{quoted(f.name)} {f.type}" for f in found.fields)
        self.cursor.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(NEW)} ({columns})")
        for stamp in small:
            path = self.store.unpacked(self.handle, stamp)
            try:
                inner = parts.selected(self.cursor, found, path, 0)
                self.cursor.execute(
                    f"INSERT INTO {_NEW} SELECT * EXCLUDE ({quoted(PART)}) FROM ({inner})"
                    f" AS merged ({parts.listed(found)}, {quoted(PART)})"
                )
            finally:
                path.unlink()
        for rows, data in self.store.packed(self.cursor, found, _NEW):
            self.handle.execute(
                "INSERT INTO sqlagent_parts (name, rows, data) VALUES (?, ?, ?)",
                (found.name, rows, data),
            )
        self.remove(small)

    def create(self, statement: Any) -> int:
        """CREATE TABLE … AS: the SELECT's columns are the table's."""
        plan, cursor = self.plan, self.cursor
        try:
            (count,) = statement(cursor).fetchone() or (0,)
        except duckdb.BinderException as error:
            if plan.columns and "names" in str(error).lower():
                raise ProgrammingError(
                    f'table "{plan.table}" has other names than columns: {error}', sqlstate="42611"
                ) from None
            raise
        described = cursor.execute(f"DESCRIBE {_NEW}").fetchall()
        made = Layout(plan.table, tuple(Field(str(n), kept_as(n, k)) for n, k, *_ in described))
        if plan.replace:
            definitions.undefine(self.handle, plan.table, ("columns",))
            self.handle.execute("DELETE FROM sqlagent_parts WHERE name = ?", (plan.table,))
            self.handle.execute(f"DROP TABLE IF EXISTS {quoted(plan.table)}")
        definitions.define(self.handle, made.definition, replace=True)
        self.keep(made, [])
        return int(count)


def kept_as(name: str, kind: str) -> str:
    """The type of a column that a SELECT made, as the file keeps it."""
    if kind == "UHUGEINT":
        raise NotSupportedError(f'column "{name}" of type {kind} is wider than Parquet keeps')
    if kind.startswith("ENUM"):
        return "VARCHAR"
    return _TYPES.get(kind, kind)


def translated(error: duckdb.Error, plan: ColumnsWrite, text: str) -> BaseException:
    """DuckDB's error, about the user's table and not about the temporary one."""
    found = translate(error, text)
    message = getattr(found, "message", None)
    if message is not None:
        found.message = message.replace(NEW, plan.table)  # type: ignore[attr-defined]  # ours
        if isinstance(error, duckdb.ConstraintException):
            return IntegrityError(
                found.message,  # type: ignore[attr-defined]  # ours
                sqlstate="23502" if "NOT NULL" in str(error) else "23514",
            )
    return found
