"""What a client sees of the catalog: `duckdb_tables()`, `information_schema` and their like.

A DuckDB of its own in memory has a table without rows for each table and view that the user may
see, and answers the statements that ask for nothing but the catalog; so a client that attaches
gets from it what it would get from DuckDB. It can reach no file and no setting, and it holds no
data. (duckdb and pyarrow are imported when it is first asked.)
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

from sqlagent.errors import Error, NotSupportedError
from sqlagent.serve.quack.kinds import Kind, kind_of
from sqlagent.sync.log import quoted

if TYPE_CHECKING:
    import duckdb
    import pyarrow

    from sqlagent.catalog import Table
    from sqlagent.connection import Connection

Columns = list[tuple[str, Kind]]
ASKS = re.compile(r"\bduckdb_\w+\s*\(|\binformation_schema\s*\.", re.IGNORECASE)
FUNCTIONS = frozenset(
    f"duckdb_{name}"
    for name in (
        "tables", "views", "columns", "schemas", "databases", "constraints", "indexes", "types",
        "functions", "sequences", "keywords",
    )
)  # fmt: skip
# What may be called beside them that sqlglot has no class of its own for.
HARMLESS = frozenset(["current_schema", "current_database", "current_schemas", "version"])
MEMORY_MB = 256


def wants(text: str) -> bool:
    """Whether a text seems to ask for the catalog."""
    return ASKS.search(text) is not None


class Shadow:
    """The catalog of one file for one user. Safe for threads."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._seen: Any = None
        self._tables: dict[str, tuple[str, Columns]] = {}
        self._root: duckdb.DuckDBPyConnection | None = None

    def columns(self, connection: Connection, table: str) -> Columns | None:
        """The columns of a table or view, as clients are told of them; None: there is none."""
        with self._lock:
            self._refresh(connection)
            found = self._tables.get(table.lower())
            return None if found is None else found[1]

    def run(self, connection: Connection, text: str) -> tuple[list[str], list[Kind], pyarrow.Table]:
        """A statement on the catalog. Raises NotSupportedError where it asks for more."""
        _check(text)
        import duckdb

        from sqlagent.engines.duck_errors import translate

        with self._lock:
            self._refresh(connection)
            assert self._root is not None
            cursor = self._root.cursor()
            cursor.execute(f"USE {quoted(self._name)}")
        try:
            cursor.execute(text)
            described = [(d[0], str(d[1])) for d in cursor.description or ()]
            table = cursor.to_arrow_table()
        except duckdb.Error as error:
            raise translate(error, text) from None
        finally:
            cursor.close()
        return [n for n, _ in described], [kind_of(k) for _, k in described], table

    def close(self) -> None:
        """Free its DuckDB."""
        with self._lock:
            self._forget()

    def _refresh(self, connection: Connection) -> None:
        """See the tables as the file has them now."""
        catalog = visible(connection)
        if catalog.version == self._seen:
            return
        self._forget()
        root = self._root = self._opened()
        self._tables = {}
        tables = [
            table
            for name, table in catalog.tables.items()
            if table.columns and not name.startswith("sqlite_")
        ]
        for table in sorted(tables, key=_is_view):  # a view is described over the tables
            kinds = [c.type for c in table.columns]
            if _is_view(table) and None in kinds:
                kinds = _described(connection, root, table.name) or kinds
            columns = [(c.name, kind_of(k)) for c, k in zip(table.columns, kinds, strict=True)]
            listed = ", ".join(f"{quoted(n)} {k.name}" for n, k in columns)
            root.execute(f"CREATE TABLE {quoted(table.name)} ({listed})")
            self._tables[table.name.lower()] = (table.name, columns)
        root.execute("SET temp_directory = ''")
        root.execute("SET enable_external_access = false")
        root.execute("SET lock_configuration = true")
        self._seen = catalog.version

    def _forget(self) -> None:
        """Let it go; a statement that another thread runs on it keeps it until it ends."""
        self._root = None

    def _opened(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        root = duckdb.connect(
            ":memory:",
            config={
                "threads": 1, "autoinstall_known_extensions": False,
                "autoload_known_extensions": False, "memory_limit": f"{MEMORY_MB}MB",
            },
        )  # fmt: skip
        root.execute(f"ATTACH ':memory:' AS {quoted(self._name)}")
        root.execute(f"USE {quoted(self._name)}")
        return root


def _is_view(table: Table) -> bool:
    return table.kind in ("view", "query", "materialized")


def _described(
    connection: Connection, root: duckdb.DuckDBPyConnection, view: str
) -> list[str | None] | None:
    """The types of a view's columns, as DuckDB says them over tables without rows; None where it
    cannot: they are then text."""
    import duckdb

    from sqlagent.plan.plans import Duck
    from sqlagent.run import plan_of
    from sqlagent.types import widened

    try:
        run = plan_of(connection, f"SELECT * FROM {quoted(view)}", route="duckdb").run
        if not isinstance(run, Duck):
            return None
        return [widened(str(row[1])) for row in root.execute(f"DESCRIBE {run.sql}").fetchall()]
    except (Error, duckdb.Error):
        return None


def visible(connection: Connection) -> Any:
    """The tables and views that the connection's user may see."""
    from sqlagent.engines import schema

    catalog = schema.catalog(connection.database)
    rights = getattr(connection.gate, "rights", None)
    return catalog if rights is None else rights.catalog(catalog)


def _check(text: str) -> None:
    """Refuse a statement that asks for more than the catalog."""
    from sqlglot import exp, parse
    from sqlglot.errors import SqlglotError

    try:
        trees = [t for t in parse(text, dialect="duckdb") if t is not None]
    except SqlglotError:
        return  # DuckDB says what is wrong with it
    for tree in trees:
        ctes = {c.alias_or_name.lower() for c in tree.find_all(exp.CTE)}
        for table in tree.find_all(exp.Table):
            if isinstance(table.this, exp.Identifier):
                if table.db.lower() == "information_schema" or table.name.lower() in ctes:
                    continue
                raise NotSupportedError(
                    f'"{table.name}" and the catalog cannot be read in one statement',
                    hint="Ask for the catalog by itself.",
                )
        asked = {str(a.this).lower() for a in tree.find_all(exp.Anonymous)}
        if not isinstance(tree, exp.Query) or asked - FUNCTIONS - HARMLESS:
            more = ", ".join(sorted(asked - FUNCTIONS - HARMLESS)) or type(tree).__name__.upper()
            raise NotSupportedError(f"{more} cannot be part of a statement on the catalog")


__all__ = ["Shadow", "visible", "wants"]
