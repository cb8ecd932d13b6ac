"""ATTACH: from a path to the source that it becomes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlagent.engines import live
from sqlagent.errors import NotSupportedError, OperationalError, ProgrammingError, nearest
from sqlagent.sources import files

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.sources import Source

# What each kind takes beside TYPE; files of rows pass theirs on to DuckDB's reader.
OPTIONS = {
    "sqlite": {"read_only"},
    "agent": {"read_only"},
    "duckdb": {"read_only", "encryption_key", "block_size", "row_group_size", "storage_version"},
    "lance": {"read_only"},
    "postgres": {"read_only", "schema"},
}
ROWS = ("parquet", "csv", "json")
MADE = ("sqlite", "duckdb")  # kinds whose file is made where there is none, if TYPE names them


def opened(
    connection: Connection, path: str, name: str, kind: str | None, options: Mapping[str, Any]
) -> Source:
    """The source at `path`. Raises OperationalError where it cannot be opened."""
    if "\0" in path:
        raise ProgrammingError("a path has no NUL character")
    found = kind or files.kind_of(path)
    if found not in ROWS:
        for word in options:
            if word not in OPTIONS[found]:
                raise ProgrammingError(
                    f'ATTACH of {found} has no option "{word}"', hint=nearest(word, OPTIONS[found])
                )
    read_only = bool(options.get("read_only", False))
    if found in ROWS:
        from sqlagent.sources.rows import RowsSource

        return RowsSource(name, path, found, options)
    if found == "postgres":
        return _native(connection, path, name, found, dict(options))
    if found == "lance":
        from sqlagent.sources.lance import LanceSource

        return LanceSource(name, os.path.abspath(path))
    if path != ":memory:":
        path = _checked(path, kind, found, read_only)
    if found == "duckdb":
        return _native(connection, path, name, found, dict(options))
    return _sqlite(connection, path, name, kind, read_only)


def _checked(path: str, kind: str | None, found: str, read_only: bool) -> str:
    """The absolute path of a file that is there, or may be made."""
    if os.path.isdir(path):
        raise OperationalError(f'"{path}" is a folder, not a file', sqlstate="58P01")
    if os.path.exists(path):
        if kind is not None and live.protected(path) is None:
            head = files.header(path)
            duck = head[8:12] == b"DUCK"
            if head and not (duck if kind == "duckdb" else head.startswith(b"SQLite format 3\0")):
                raise OperationalError(f'"{path}" is no {kind} file', sqlstate="58030")
        elif kind == "duckdb":
            raise NotSupportedError(f'"{path}" is open here as SQLite: it is no duckdb file')
    elif kind not in MADE or read_only or not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise files.missing(path)
    return os.path.realpath(path)


def _native(
    connection: Connection, path: str, name: str, kind: str, options: dict[str, Any]
) -> Source:
    from sqlagent.run.duck import engine
    from sqlagent.sources.native import NativeSource

    duck = engine(connection.database, connection.settings["memory_limit_mb"])
    return NativeSource(connection, name, path, kind, duck, options)


def _sqlite(
    connection: Connection, path: str, name: str, kind: str | None, read_only: bool
) -> Source:
    """An ordinary SQLite file, or another agent's where it has our schema."""
    from sqlagent.sources.sqlite import SqliteSource

    source = SqliteSource(connection, name, path, read_only=read_only)
    if kind == "sqlite" or (kind is None and "sqlagent_migrations" not in source.catalog().tables):
        return source
    source.close()
    from sqlagent.sources.agent import AgentSource

    return AgentSource(connection, name, path, read_only=read_only)
