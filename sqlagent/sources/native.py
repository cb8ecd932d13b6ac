"""Databases that DuckDB attaches by itself: .duckdb files, and PostgreSQL by its extension.

(duckdb is imported with this module.)
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import duckdb

from sqlagent.catalog import Column, Table
from sqlagent.engines.duck_errors import translate
from sqlagent.errors import Error, IntegrityError, NotSupportedError, hidden
from sqlagent.parse.lexer import lex, unquote
from sqlagent.sources import Statistics
from sqlagent.sources.files import Watch
from sqlagent.sources.never_fed import NeverFed

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.engines.duckdb import DuckEngine

# DuckDB's integers are one logical type here, as SQLite's are.
_COLUMNS = """
SELECT c.schema_name, c.table_name, c.column_name, c.data_type, NOT c.is_nullable, v.sql
FROM duckdb_columns() AS c LEFT JOIN duckdb_views() AS v
  ON v.database_oid = c.database_oid AND v.schema_name = c.schema_name
  AND v.view_name = c.table_name
WHERE c.database_name = ? ORDER BY c.schema_name, c.table_name, c.column_index
"""

_DEFINITIONS = """
SELECT view_name, sql FROM duckdb_views() WHERE database_name = $1 AND sql IS NOT NULL
UNION ALL SELECT function_name, macro_definition FROM duckdb_functions()
WHERE database_name = $1 AND macro_definition IS NOT NULL
"""
# Functions that open a file, or run a text.
_OPENS = re.compile(r"(?i)^(read_.*|.*_scan|glob|query|query_table|.*_query|parquet_.*|sniff_csv)$")


class NativeSource(NeverFed):
    """A database under the name `name`, which DuckDB knows as `native`."""

    def __init__(
        self,
        connection: Connection,
        name: str,
        path: str,
        kind: str,
        engine: DuckEngine,
        options: dict[str, Any],
    ) -> None:
        self.name = name
        self._connection = weakref.ref(connection)  # which holds it
        self.kind = kind
        self.path = hidden(path)
        self.engine = engine
        self.read_only = bool(options.get("read_only"))
        self.native: str | None = engine.natives.attach(name, path, kind, options)
        on_disk = kind == "duckdb" and path != ":memory:"
        self.watch = Watch(name, path) if on_disk else None
        self.default = "public" if kind == "postgres" else "main"

    def check(self) -> None:
        """Raise OperationalError where the file is no longer there."""
        if self.watch is not None:
            self.watch.check()

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        """A cursor; the open transaction's, where that writes here: it sees its own tables."""
        connection = self._connection()
        held = None if connection is None else connection.other
        own = held if held is not None and held.name == self.name.lower() else None
        cursor = own.cursor if own is not None else self.engine.cursor()
        try:
            yield cursor
        except duckdb.Error as error:
            raise self.translated(error) from None
        finally:
            if own is None:
                cursor.close()

    def table(self, name: str) -> Table | None:
        """A table by its name, or by schema.name."""
        lowered = name.lower()
        for _ in range(2):
            found = self._all()
            table = found.get(lowered) or found.get(f"{self.default}.{lowered}")
            if table is not None or self.kind != "postgres":
                break
            with self._reading() as cursor:  # DuckDB remembers what a server had
                cursor.execute("CALL pg_clear_cache()")
        return table

    def tables(self) -> list[str]:
        start = f"{self.default}."
        return [k.removeprefix(start) for k in self._all()]

    def _all(self) -> dict[str, Table]:
        """All tables by lower-case schema.name."""
        self.check()
        with self._reading() as cursor:
            rows = cursor.execute(_COLUMNS, [self.native]).fetchall()
        found: dict[str, Table] = {}
        for schema, table, column, kind, not_null, sql in rows:
            key = f"{schema}.{table}".lower()
            kept = found.get(key) or Table(
                table, "view" if sql and self.kind == "duckdb" else "table", (), None, sql
            )
            columns = (*kept.columns, Column(column, logical(kind), bool(not_null)))
            found[key] = kept._replace(columns=columns)
        return found

    def translated(self, error: BaseException) -> BaseException:
        """An error as ours, without passwords."""
        found = translate(error)
        if isinstance(found, Error):
            found.message = hidden(found.message)
            if self.kind == "postgres" and " violates " in found.message:
                message = found.message.partition("ERROR:")[2].strip() or found.message
                return IntegrityError(message)
        return found

    def paths(self, view: str) -> list[str]:
        """What may be the path of a file in the definition of a view, and of what it calls.

        Raises NotSupportedError for one that reads a file whose path is computed: it may be one
        that SQLite has open here, which DuckDB must not touch.
        """
        if self.kind != "duckdb":
            return []
        with self._reading() as cursor:
            rows = cursor.execute(_DEFINITIONS, [self.native]).fetchall()
        texts: dict[str, str] = {}
        for name, text in rows:
            texts[name.lower()] = texts.get(name.lower(), "") + " " + text
        found: list[str] = []
        wanted = [view.lower()]
        while wanted:
            tokens = lex(texts.pop(wanted.pop(), ""))
            for token, after, first in zip_longest(tokens, tokens[1:], tokens[2:]):
                name = token.name.lower()
                if token.kind in ("string", "quoted"):
                    found.append(unquote(token) if token.kind == "string" else token.name)
                if name in texts:
                    wanted.append(name)
                called = after is not None and after.text == "(" and first is not None
                if called and _OPENS.search(name) and first.kind != "string":
                    raise NotSupportedError(
                        f'"{view}" in "{self.name}" reads a file by a path that is computed',
                        detail=f"{name}() is only let pass with a constant path",
                    )
        return list(dict.fromkeys(found))

    def statistics(self, table: str) -> Statistics:
        schema, _, bare = table.rpartition(".")
        with self._reading() as cursor:
            row = cursor.execute(
                "SELECT estimated_size FROM duckdb_tables() WHERE database_name = ? "
                "AND lower(table_name) = ? AND lower(schema_name) = ?",
                [self.native, bare.lower(), (schema or self.default).lower()],
            ).fetchone()
        return Statistics(None if row is None else row[0])

    def hold(self, connection: Connection) -> Any:
        """A cursor for what the open transaction writes there."""
        from sqlagent.run.native import HeldNative

        return HeldNative(connection, self)

    def close(self) -> None:
        native, self.native = self.native, None
        if native is not None and not self.engine.closed:
            self.engine.natives.detach(native)


def logical(kind: str) -> str:
    """DuckDB's type as a logical one."""
    return "BIGINT" if kind in _INTEGERS else "DOUBLE" if kind == "FLOAT" else kind


_INTEGERS = {"INTEGER", "SMALLINT", "TINYINT", "UINTEGER", "USMALLINT", "UTINYINT"}
__all__ = ["NativeSource"]
