"""What keeps a record out, found for all records at once: types, conditions, keys.

Each rule fills the temporary table `rejects (n, column_name, value, rule, reason)`; a record may
be there several times, once a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import duckdb

from sqlagent.catalog import Catalog, Column, Table
from sqlagent.engines.duck_errors import translate
from sqlagent.errors import Error, NotSupportedError, ProgrammingError
from sqlagent.imports.fit import typed
from sqlagent.imports.match import Pair
from sqlagent.parse.lexer import lex
from sqlagent.sync.log import literal, quoted

if TYPE_CHECKING:
    from sqlagent.engines.duckdb import DuckEngine

RECORDS = "sqlagent records"  # the records under the names and types of the table's columns
SHOWN = 200  # characters of a value in a reason


def prepare(cursor: duckdb.DuckDBPyConnection, pairs: Sequence[Pair]) -> None:
    """The view of typed records, and the empty table of rejects."""
    columns = ", ".join(f"{typed(p.source, p.read, p.kind)} AS {quoted(p.column)}" for p in pairs)
    cursor.execute(f'CREATE TEMP VIEW "{RECORDS}" AS SELECT "sqlagent n", {columns} FROM stage')
    cursor.execute(
        "CREATE TEMP TABLE rejects (n BIGINT, column_name VARCHAR, value VARCHAR, rule VARCHAR, "
        "reason VARCHAR)"
    )


def types(cursor: duckdb.DuckDBPyConnection, pairs: Sequence[Pair]) -> None:
    """Values that are not of their column's type."""
    for pair in pairs:
        name = quoted(pair.source)
        text = f"left(CAST({name} AS VARCHAR), {SHOWN})"
        before = literal(f'column "{pair.column}": ')
        cursor.execute(
            f"INSERT INTO rejects SELECT \"sqlagent n\", {literal(pair.column)}, {text}, 'type', "
            f"{before} || '''' || {text} || ''' is no {pair.kind}' FROM stage "
            f"WHERE {name} IS NOT NULL AND {typed(pair.source, pair.read, pair.kind)} IS NULL"
        )


def conditions(
    cursor: duckdb.DuckDBPyConnection,
    engine: DuckEngine,
    catalog: Catalog,
    pairs: Sequence[Pair],
    checks: Sequence[str],
    settings: dict[str, Any],
    protected: Any,
) -> None:
    """Records of which a condition is false; as in SQL's CHECK, NULL passes.

    Raises ProgrammingError for a condition that is none.
    """
    for check in checks:
        closed(check)
        sql = f'SELECT "sqlagent n" FROM "{RECORDS}" WHERE NOT ({check}\n)'
        _run(cursor, engine, catalog, pairs, sql, settings, protected, f"the CHECK {check!r}",
             f"NULL, NULL, 'check', {literal(f'the check fails: {check}')}")  # fmt: skip


def closed(check: str) -> None:
    """Raise ProgrammingError for a text that is more than one expression."""
    depth = 0
    for token in lex(check):
        depth += (token.text == "(") - (token.text == ")")
        if depth < 0 or token.text == ";":
            break
    else:
        if not depth:
            return
    raise ProgrammingError(f"the CHECK {check!r} is no condition", sqlstate="42601")


def keys(
    cursor: duckdb.DuckDBPyConnection,
    engine: DuckEngine,
    catalog: Catalog,
    pairs: Sequence[Pair],
    key: Sequence[str],
    table: Table | None,
    settings: dict[str, Any],
    protected: Any,
) -> None:
    """Records whose key an earlier record has, or a row of the table. A NULL is equal to none."""
    columns = {p.column.lower(): p.column for p in pairs}
    unknown = [k for k in key if k.lower() not in columns]
    if unknown:
        raise ProgrammingError(f'the file has no column "{unknown[0]}" for the KEY')
    named = [quoted(columns[k.lower()]) for k in key]
    listed = ", ".join(named)
    complete = " AND ".join(f"{n} IS NOT NULL" for n in named)
    shown = " || ', ' || ".join(f"CAST({n} AS VARCHAR)" for n in named)
    label = literal(", ".join(key))
    cursor.execute(
        f"INSERT INTO rejects SELECT \"sqlagent n\", {label}, {shown}, 'key', "
        "'the key (' || " + label + " || ') repeats that of record ' || first FROM (SELECT *, "
        f'min("sqlagent n") OVER (PARTITION BY {listed}) AS first FROM "{RECORDS}" '
        f'WHERE {complete}) WHERE "sqlagent n" > first'
    )
    if table is None:
        return
    same = " AND ".join(f"r.{n} = t.{n}" for n in named)
    sql = (
        f'SELECT r."sqlagent n" FROM "{RECORDS}" r '
        f"WHERE EXISTS (SELECT 1 FROM {quoted(table.name)} t WHERE {same})"
    )
    reason = literal(f"a row of the table has its key ({', '.join(key)})")
    _run(cursor, engine, catalog, pairs, sql, settings, protected, "the KEY",
         f"{label}, NULL, 'key', {reason}")  # fmt: skip


def _run(
    cursor: duckdb.DuckDBPyConnection,
    engine: DuckEngine,
    catalog: Catalog,
    pairs: Sequence[Pair],
    sql: str,
    settings: dict[str, Any],
    protected: Any,
    what: str,
    values: str,
) -> None:
    """Add the records that `sql`, in the user's dialect, selects: `values` are the rest."""
    from sqlagent.plan import plan
    from sqlagent.plan.plans import Duck

    columns = (Column("sqlagent n", "BIGINT", True), *(Column(p.column, p.kind) for p in pairs))
    tables = {**catalog.tables, RECORDS: Table(RECORDS, "table", columns, None)}
    try:
        found = plan(
            sql, catalog._replace(tables=tables), {**settings, "route": "duckdb"}, protected
        )
        run = found.run
        if not isinstance(run, Duck) or run.parameters:
            raise NotSupportedError("it cannot be said over columns")
        others = [t for t in run.tables if t != RECORDS]
        engine.replicas.fresh(others)
        cursor.execute(f"INSERT INTO rejects SELECT n, {values} FROM ({run.sql}) AS bad(n)")
    except duckdb.Error as error:
        raise ProgrammingError(f"{what} cannot be checked: {translate(error, '')}") from None
    except Error as error:
        raise ProgrammingError(
            f"{what} cannot be checked: {error.message}", detail=error.detail, hint=error.hint
        ) from None
