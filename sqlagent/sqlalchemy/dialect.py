"""The dialect `sqlagent`: our connections, statements in our SQL, reflection of SQLite's file."""

from __future__ import annotations

import json
import re
from typing import Any

from sqlalchemy import pool, types
from sqlalchemy.dialects.sqlite.base import SQLiteDialect, SQLiteExecutionContext
from sqlalchemy.dialects.sqlite.json import JSONIndexType, JSONPathType
from sqlalchemy.engine import default, reflection
from sqlalchemy.engine.url import URL
from sqlalchemy.types import TypeEngine

from sqlagent.sqlalchemy.compiler import Compiler, DDLCompiler, TypeCompiler
from sqlagent.sqlalchemy.types import Day, Exact, named

LEVELS = ("READ COMMITTED", "SERIALIZABLE", "AUTOCOMMIT")
FTS = re.compile(r"_fts_(data|idx|content|docsize|config)$")
DEFINITIONS = "SELECT name, sql, columns FROM sqlagent_definitions WHERE kind = 'view'"
TRUTH = {"1": True, "true": True, "on": True, "yes": True}


class SqlAgentDialect(SQLiteDialect):
    """An agent's file as SQLAlchemy sees it.

    Isolation levels: 'READ COMMITTED', the default, takes the writer with the first write of a
    transaction; 'SERIALIZABLE' with its beginning; 'AUTOCOMMIT' commits each statement.
    """

    name = "sqlagent"
    driver = "sqlagent"
    supports_statement_cache = True
    supports_native_boolean = True
    supports_native_decimal = True
    supports_native_uuid = True
    supports_native_enum = False
    supports_sane_rowcount = True
    supports_sane_rowcount_returning = False
    supports_sane_multi_rowcount = True
    supports_empty_insert = False
    supports_default_values = True
    div_is_floordiv = False  # 5 / 2 is 2.5
    insertmanyvalues_max_parameters = 32_766
    returns_native_bytes = True
    default_paramstyle = "qmark"
    statement_compiler = Compiler
    ddl_compiler = DDLCompiler
    type_compiler_cls = TypeCompiler
    colspecs: dict[Any, Any] = {  # noqa: RUF012  # declared so by SQLAlchemy
        types.Date: Day,
        types.Numeric: Exact,
        types.Float: types.Float,
        types.JSON.JSONIndexType: JSONIndexType,
        types.JSON.JSONPathType: JSONPathType,
    }
    # Those of SQLite are taken: sqlite_where=…
    construct_arguments: list[Any] = []  # noqa: RUF012  # declared so by SQLAlchemy
    execution_ctx_cls = SQLiteExecutionContext

    def __init__(
        self,
        json_serializer: Any = None,
        json_deserializer: Any = None,
        own_tables: bool = True,
        **options: Any,
    ) -> None:
        # SQLite's own asks for the version of Python's sqlite3, which is not what we run on.
        default.DefaultDialect.__init__(self, **options)
        self._json_serializer = json_serializer
        self._json_deserializer = json_deserializer
        self.native_datetime = True
        self.own_tables = own_tables

    @classmethod
    def import_dbapi(cls) -> Any:
        """The DB-API module."""
        import sqlagent

        return sqlagent

    @classmethod
    def get_pool_class(cls, url: URL) -> type[pool.Pool]:
        """One connection for all where nothing is kept: two would see two databases."""
        memory = url.database in (None, "", ":memory:")
        return pool.StaticPool if memory else pool.QueuePool

    def create_connect_args(self, url: URL) -> Any:
        """sqlagent.connect(path, setting=…)."""
        options: dict[str, Any] = {"autocommit": False}
        for name, value in url.query.items():
            text = value if isinstance(value, str) else value[-1]
            if name == "read_only":
                options[name] = TRUTH.get(text.lower(), False)
            elif name == "own_tables":
                self.own_tables = TRUTH.get(text.lower(), False)
            elif name == "timeout":
                options[name] = float(text)
            else:
                options[name] = text
        return [url.database or ":memory:"], options

    def _get_server_version_info(self, connection: Any) -> tuple[int, ...]:
        import apsw

        return tuple(int(n) for n in apsw.sqlite_lib_version().split("."))

    # Transactions ---------------------------------------------------------------------------------

    def get_isolation_level_values(self, dbapi_connection: Any) -> Any:
        """The levels that there are."""
        return [*LEVELS]

    def get_isolation_level(self, dbapi_connection: Any) -> Any:
        """The level of a connection."""
        if dbapi_connection.autocommit:
            return "AUTOCOMMIT"
        return getattr(dbapi_connection, "isolation_level", LEVELS[0])

    def set_isolation_level(self, dbapi_connection: Any, level: str) -> None:
        """Give a connection a level."""
        dbapi_connection.autocommit = level == "AUTOCOMMIT"
        dbapi_connection.isolation_level = level

    def detect_autocommit_setting(self, dbapi_conn: Any) -> bool:
        """Whether a connection commits each statement."""
        return bool(dbapi_conn.autocommit)

    def do_begin(self, dbapi_connection: Any) -> None:
        """A transaction begins: at the first write, or now."""
        if self.get_isolation_level(dbapi_connection) == "SERIALIZABLE":
            dbapi_connection.begin()

    def do_ping(self, dbapi_connection: Any) -> bool:
        """Whether a connection is usable."""
        return not dbapi_connection.closed

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        """Whether an error says that the connection is gone."""
        return "the connection is closed" in str(e)

    def set_engine_execution_options(self, engine: Any, opts: Any) -> None:
        """Options that hold for all connections of an engine."""
        default.DefaultDialect.set_engine_execution_options(self, engine, opts)

    # Reflection -----------------------------------------------------------------------------------

    @reflection.cache
    def get_table_names(self, connection: Any, schema: Any = None, *args: Any, **kw: Any) -> Any:
        """The tables; without the engine's own where the URL says own_tables=false."""
        names = super().get_table_names(connection, schema, *args, **kw)  # type: ignore[no-untyped-call]  # SQLAlchemy's are
        return self._listed(names)

    @reflection.cache
    def get_view_names(self, connection: Any, schema: Any = None, *args: Any, **kw: Any) -> Any:
        """The views; as get_table_names."""
        names = super().get_view_names(connection, schema, *args, **kw)  # type: ignore[no-untyped-call]  # the same
        more = self._definitions(connection) if schema in (None, "main") else {}
        return sorted({*self._listed(names), *more})

    @reflection.cache
    def get_columns(self, connection: Any, table_name: str, schema: Any = None, **kw: Any) -> Any:
        """The columns of a table or view, also of one that only we keep."""
        known = self._definition(connection, table_name, schema)
        if known is None:
            return super().get_columns(connection, table_name, schema, **kw)  # type: ignore[no-untyped-call]  # the same
        return [
            {"name": name, "type": named(kind or ""), "nullable": not fixed, "default": None}
            for name, kind, fixed in json.loads(known[1] or "[]")
        ]

    @reflection.cache
    def has_table(self, connection: Any, table_name: str, schema: Any = None, **kw: Any) -> Any:
        """Whether there is a table or view of that name."""
        if self._definition(connection, table_name, schema) is not None:
            return True
        return super().has_table(connection, table_name, schema, **kw)  # type: ignore[no-untyped-call]  # the same

    @reflection.cache
    def get_view_definition(
        self, connection: Any, view_name: str, schema: Any = None, **kw: Any
    ) -> Any:
        """The text that made a view."""
        known = self._definition(connection, view_name, schema)
        if known is not None:
            return known[0]
        return super().get_view_definition(connection, view_name, schema, **kw)  # type: ignore[no-untyped-call]  # the same

    @reflection.cache
    def _get_table_sql(
        self, connection: Any, table_name: str, schema: Any = None, **kw: Any
    ) -> Any:
        known = self._definition(connection, table_name, schema)
        if known is not None:
            return known[0]
        return super()._get_table_sql(connection, table_name, schema, **kw)  # type: ignore[no-untyped-call]  # the same

    def _definition(self, connection: Any, name: str, schema: Any) -> tuple[str, str] | None:
        return self._definitions(connection).get(name) if schema in (None, "main") else None

    @staticmethod
    def _definitions(connection: Any) -> dict[str, tuple[str, str]]:
        """Views in our SQL, which the file keeps beside SQLite's own: name → (text, columns)."""
        rows = connection.exec_driver_sql(DEFINITIONS).fetchall()
        return {name: (sql, columns) for name, sql, columns in rows}

    def _listed(self, names: list[str]) -> list[str]:
        """Names without those of the full-text indexes' inner tables, and of ours if so asked."""
        from sqlagent import migrate

        ours = migrate.own_names(migrate.known())
        if self.own_tables:
            return [n for n in names if n.lower() not in ours or not FTS.search(n)]
        return [n for n in names if n.lower() not in ours and not n.startswith("sqlagent_")]

    def _resolve_type_affinity(self, type_: str) -> TypeEngine[Any]:
        return named(type_)
