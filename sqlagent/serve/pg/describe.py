"""What a statement takes and gives, found without running it.

The columns of a read on SQLite are those of its prepared statement, of one on DuckDB those that
DuckDB's binder finds, of our own functions those that they declare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.errors import Error
from sqlagent.plan.named import spread
from sqlagent.plan.plans import (
    Calls,
    Databases,
    Duck,
    Explain,
    Fill,
    Lite,
    Plan,
    Rehearsal,
    Setting,
    Transaction,
    WriteTable,
    WritingWith,
)  # fmt: skip
from sqlagent.serve.pg.catalog.oids import table_oid
from sqlagent.serve.pg.catalog.types import of_column
from sqlagent.serve.pg.messages import Column
from sqlagent.serve.pg.types import BY_OID, UNKNOWN, logical_of, modifier, pg_type

if TYPE_CHECKING:
    from sqlagent.connection import Connection

_READS = (Setting, Transaction, Databases, Rehearsal)
Found = list[tuple[str, str | None]]


class Description(NamedTuple):
    """`oids` of the parameters; `columns` of the result, None where there are no rows; `writes`
    whether it may change anything."""

    oids: tuple[int, ...]
    columns: tuple[Column, ...] | None
    writes: bool


def describe(connection: Connection, sql: str, declared: tuple[int, ...]) -> Description:
    """Describe a statement; `declared` are the types that the client gave its parameters, 0 where
    it leaves one to be inferred."""
    from sqlagent.run import plan_of

    if connection.foreign is not None and (answer := connection.foreign(connection, sql)):
        return _of_catalogs(connection, answer, declared)
    planned = plan_of(connection, sql)
    oids = parameter_oids(connection, sql, declared)
    columns = columns_of(connection, planned, oids)
    if columns is not None:
        columns = refined(connection, sql, columns)
    return Description(oids, columns, writes(planned.run))


def refined(connection: Connection, sql: str, columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Columns with the types that PostgreSQL gives them: int4 for `'1'::int`, and those of tables
    as they are declared."""
    if all((c.table and c.name != "ctid") or c.type.codec in _PLAIN for c in columns):
        return columns
    from sqlagent.plan.pg_types import output_types

    found = output_types(sql, catalog_of_cached(connection), connection.settings)
    if found is None or len(found) != len(columns):
        return columns
    return tuple(
        column if column.table and kind != "tid" else _refined(column, kind)
        for column, kind in zip(columns, found, strict=True)
    )


# Of these PostgreSQL has but one type that the engine could mean.
_PLAIN = ("bool", "bytea", "date", "time", "interval", "uuid", "numeric")


def _refined(column: Column, kind: Any) -> Column:
    if kind is None or (kind == "tid" and column.kind != "BIGINT"):
        return column
    if isinstance(kind, str):
        made = pg_type(kind)
        return column._replace(type=made, modifier=modifier(kind))
    name, size = of_column(kind)
    return column._replace(type=pg_type(name), modifier=size)


def _of_catalogs(connection: Connection, answer: Any, declared: tuple[int, ...]) -> Description:
    """A question about PostgreSQL's catalogs says itself what it takes and gives."""
    found = answer.parameters()
    given = [*declared, *[0] * (len(found) - len(declared))]
    oids = tuple(oid or pg_type(kind).oid for oid, kind in zip(given, found, strict=False))
    columns = plain(list(answer.describe(connection)))
    return Description(oids, columns, False)


def writes(run: Any) -> bool:
    """Whether a plan may change what is kept."""
    if isinstance(run, Lite):
        return run.writes or run.ddl
    if isinstance(run, Explain):
        return run.analyze and writes(run.plan)
    if isinstance(run, Calls):
        from sqlagent.functions import functions

        known = functions()
        return any(o.function and known[o.function].writes for o in run.outputs)
    return not isinstance(run, (Duck, *_READS))


def parameter_oids(connection: Connection, sql: str, declared: tuple[int, ...]) -> tuple[int, ...]:
    """A type for each parameter: as declared, as its place says, else text."""
    from sqlagent.parse.lexer import lex, statements

    tokens = statements(lex(sql))[0]
    numbers = [int(t.text[1:]) for t in tokens if t.kind == "param" and t.text[1:].isdigit()]
    count = max([len(declared), *numbers])
    given = [*declared, *[0] * (count - len(declared))]
    if not any(oid in (0, UNKNOWN.oid) for oid in given):
        return tuple(given)
    from sqlagent.plan.parameter_types import parameter_types

    found = parameter_types(sql, catalog_of_cached(connection), connection.settings)
    return tuple(
        oid if oid not in (0, UNKNOWN.oid) else pg_type(found.get(place)).oid
        for place, oid in enumerate(given)
    )


def catalog_of(connection: Connection, *, own: bool = False) -> Any:
    """The file's schema as the connection sees it; `own`: with what is its alone by the names that
    the file has for that."""
    from sqlagent.engines import schema

    within = connection.txn is not None
    whole = schema.read_catalog(connection.txn) if within else schema.catalog(connection.database)
    gate = None if own else connection.gate
    return whole if gate is None else gate.rights.catalog(whole)


def columns_of(
    connection: Connection, planned: Plan, oids: tuple[int, ...]
) -> tuple[Column, ...] | None:
    """The columns of a plan's result; None where it has no rows."""
    run = planned.run
    if isinstance(run, Lite) and not run.source:
        return lite_columns(connection, planned, run)
    if isinstance(run, Duck):
        if run.lite is not None and run.lite.types and None not in run.lite.types:
            return lite_columns(connection, planned, run.lite)
        found = read_columns(connection, planned.sql, oids) or []
        given = spread(run.names, len(found))
        return plain([(new or n, k) for new, (n, k) in zip(given, found, strict=True)])
    if isinstance(run, WritingWith):
        from sqlagent.run import plan_of

        shadow = plan_of(connection, run.shadow) if run.rows else None
        return shadow and columns_of(connection, shadow, oids)
    if isinstance(run, Fill) and run.returning is not None:
        return lite_columns(connection, Plan(run.returning.sql, run.returning), run.returning)
    if isinstance(run, Calls):
        from sqlagent.run.calls import RunCalls

        return plain(RunCalls(connection.database, run, planned.sql).columns)
    if isinstance(run, Explain):
        return plain([("plan", "VARCHAR")])
    if isinstance(run, Setting):
        return plain([("name", "VARCHAR"), ("value", "VARCHAR")]) if run.verb == "show" else None
    if isinstance(run, Lite | WriteTable) or type(run).__name__ in ("Typed", "Remote", "Call"):
        return plain(read_columns(connection, planned.sql, oids))
    return None


def plain(found: Found | None) -> tuple[Column, ...] | None:
    """Columns that belong to no table."""
    if not found:
        return None
    return tuple(Column(name, kind, pg_type(kind), modifier(kind)) for name, kind in found)


def lite_columns(connection: Connection, planned: Plan, run: Lite) -> tuple[Column, ...] | None:
    """The columns of a statement that SQLite has prepared, and not begun."""
    import apsw

    from sqlagent.engines.sqlite import translate
    from sqlagent.run.lite import LiteRead

    if run.ddl:
        return None
    read = LiteRead(connection.database, run, planned.sql)
    origins: list[tuple[Any, ...]] = []

    def see(traced: Any, _sql: str, _bindings: Any) -> bool:
        read.columns = read.described(traced)
        try:
            origins.extend(traced.description_full)
        except apsw.ExecutionCompleteError:
            pass
        return False  # which ends it before its first step

    def look(handle: Any) -> None:
        read.prepare(connection, handle)
        cursor = handle.cursor()
        cursor.exec_trace = see
        try:
            cursor.execute(read.sql, bindings(read, connection))
        except apsw.ExecTraceAbort:
            pass
        except apsw.Error as error:
            raise translate(error, read.shown) from None
        finally:
            cursor.close(True)

    if connection.txn is not None:
        with connection.txn_lock:
            look(connection.txn)
    else:
        with connection.database.read(native=read.native) as handle:
            look(handle)
            if read.functions:
                handle.owner = None
    columns = read.columns
    if not columns:
        return None
    if any(kind is None for _, kind in columns):
        columns = read.inferred(connection, columns)
    return tuple(
        _with_origin(connection, name, kind, origin)
        for (name, kind), origin in zip(columns, origins, strict=True)
    )


def bindings(read: Any, connection: Connection) -> Any:
    """NULL for each parameter of a statement that is not going to run."""
    import apsw

    if read.slots is not None:
        return (None,) * len(read.slots)

    class Nothing(dict[str, Any]):
        def __missing__(self, key: str) -> None:
            return None

    from sqlagent.parse.lexer import lex

    params = [t.text for t in lex(read.sql) if t.kind == "param"]
    if any(not (p == "?" or p[1:].isdigit()) for p in params):
        return Nothing()
    numbered = [int(p[1:]) for p in params if len(p) > 1]
    del apsw
    return (None,) * max([len([p for p in params if p == "?"]), *numbered])


def _with_origin(
    connection: Connection, name: str, kind: str | None, origin: tuple[Any, ...]
) -> Column:
    """A column with the table column that it is."""
    table, number = 0, 0
    size = modifier(kind)
    made = pg_type(kind)
    if origin[3] and origin[4]:
        known = catalog_of_cached(connection).tables.get(str(origin[3]).lower())
        if known is not None:
            names = [c.name for c in known.columns]
            if origin[4] in names:
                table, number = table_oid(known.name), names.index(origin[4]) + 1
                declared, size = of_column(known.columns[number - 1])
                made = pg_type(declared)
    return Column(name, kind, made, size, table, number)


def catalog_of_cached(connection: Connection) -> Any:
    """The catalog without reading it anew for each column of a statement in a transaction."""
    known = connection.database.known_catalog
    return known if known is not None and not connection.redefined else catalog_of(connection)


def read_columns(connection: Connection, sql: str, oids: tuple[int, ...]) -> Found | None:
    """The columns of a read as the engine would name them: its first 0 rows."""
    values = [blank(oid) for oid in oids]
    try:
        return _read(connection, sql, values)
    except Error:
        if "" not in values:
            raise
    # An empty text may be no unit of date_trunc(), no format and no pattern; NULL is any.
    return _read(connection, sql, [None if v == "" else v for v in values])


def _read(connection: Connection, sql: str, values: list[Any]) -> Found | None:
    try:
        cursor = connection.execute(f"SELECT * FROM (\n{sql}\n) AS q LIMIT 0", values)
    except Error:
        return _bound(connection, sql, values)
    try:
        found = cursor._described()
        return None if found is None else list(found)
    finally:
        cursor.close()


def _bound(connection: Connection, sql: str, values: list[Any]) -> Found | None:
    """The columns by DESCRIBE, for a statement that cannot stand in FROM."""
    cursor = connection.execute(f"DESCRIBE {sql}", values)
    return [(str(row[0]), str(row[1])) for row in cursor.fetchall()]


_BLANKS: dict[str, Any] = {
    "BIGINT": 0, "DOUBLE": 0.0, "DECIMAL": 0.0, "BOOLEAN": False, "VARCHAR": "", "BLOB": b"",
    "JSON": "null", "UUID": "00000000-0000-0000-0000-000000000000",
    "TIMESTAMP": "2000-01-01 00:00:00", "DATE": "2000-01-01", "TIME": "00:00:00",
    "INTERVAL": "0 days",
}  # fmt: skip


def blank(oid: int) -> Any:
    """A value of a parameter's type."""
    kind = logical_of(BY_OID.get(oid, UNKNOWN))
    return [] if kind.endswith("[]") else _BLANKS.get(kind, "")
