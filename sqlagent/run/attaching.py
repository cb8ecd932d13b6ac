"""ATTACH, DETACH, SHOW DATABASES: what a connection names beside its own file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sqlagent.errors import (
    DataError,
    Error,
    NotSupportedError,
    ProgrammingError,
    hidden,
    nearest,
)  # fmt: skip
from sqlagent.plan.plans import Attach, Databases, Detach
from sqlagent.values import pick

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor

ATTACHED_MAX = 64
SCANS_MAX = 8  # files named by their path that a connection keeps open
# Names that mean something already wherever a schema may be named.
TAKEN = frozenset((
    "main", "temp", "public", "system", "memory", "columns", "information_schema", "pg_catalog",
    "sqlite",
))  # fmt: skip


class RunAttach:
    """ATTACH."""

    def __init__(self, plan: Attach, text: str) -> None:
        self.plan = plan
        self.text = text

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        plan = self.plan
        try:
            path = plan.path if plan.slot is None else pick((plan.slot,), parameters)[0]
            if not isinstance(path, str):
                raise DataError(f"a path is text, not {path!r:.60}")
            outside(connection, "ATTACH")
            name = plan.name or stem(path)
            if plan.exists and name.lower() in connection.sources:
                return
            free(connection, name, path)
            from sqlagent.sources.opening import opened

            source = opened(connection, path, name, plan.kind, dict(plan.options))
        except Error as error:
            if error.position is None:
                error.sql, error.position = hidden(self.text), plan.position
            raise
        connection.sources[name.lower()] = source
        connection.plans.clear()


def outside(connection: Connection, verb: str) -> None:
    """Raise inside a transaction: what it reads must not change under it."""
    if connection.txn is not None:
        raise ProgrammingError(
            f"{verb} cannot run within a transaction", hint="COMMIT or ROLLBACK first.",
            sqlstate="25001",
        )  # fmt: skip


def stem(path: str) -> str:
    """The name for a database whose ATTACH gives none: its file's, without folder and ending."""
    if "://" in path:
        return path.rstrip("/").rpartition("/")[2].partition("?")[0] or "postgres"
    found = os.path.basename(path.rstrip("/")).split(".")[0].strip("*? ")
    if not found:
        raise ProgrammingError(
            f'no name for the database can be made of "{path}"', hint="ATTACH … AS name"
        )
    return found


def free(connection: Connection, name: str, path: str) -> None:
    """Raise ProgrammingError where the name is taken, or the file is attached already."""
    lowered = name.lower()
    if not name or lowered.startswith(("sqlagent", "sqlite_", "pg_", "feed ", "file ")):
        raise ProgrammingError(f'"{name}" cannot name a database: it is reserved')
    if lowered in TAKEN:
        raise ProgrammingError(
            f'"{name}" cannot name a database: it is a schema already', sqlstate="42P04"
        )
    if lowered in connection.sources:
        raise ProgrammingError(
            f'a database "{name}" is attached already', sqlstate="42P04",
            hint=f"DETACH {name} first, or attach it under another name.",
        )  # fmt: skip
    if len(connection.sources) >= ATTACHED_MAX:
        raise NotSupportedError(f"at most {ATTACHED_MAX} databases can be attached at once")
    known = same_file(connection, path)
    if known is not None:
        what = "attached already" if known != "main" else "this connection's own file"
        raise ProgrammingError(
            f'"{path}" is {what}', hint=f"Its tables are {known}.…", sqlstate="42P04"
        )


def same_file(connection: Connection, path: str) -> str | None:
    """The name under which the connection knows a file already."""
    try:
        wanted = os.stat(path)
    except (OSError, ValueError):
        return None
    known = [("main", connection.database.path)]
    known += [(s.name, s.path) for s in connection.sources.values()]
    for name, own in known:
        try:
            seen = os.stat(own)
        except (OSError, ValueError):
            continue
        if (seen.st_dev, seen.st_ino) == (wanted.st_dev, wanted.st_ino):
            return name
    return None


def scanned(connection: Connection, path: str) -> str | None:
    """The alias of a SQLite file that a statement reads by its path: see `Catalog.scanned`."""
    known = same_file(connection, path)
    if known is not None:
        return "" if known == "main" else known.lower()
    from sqlagent.sources import files

    if not os.path.isfile(path):
        raise files.missing(path)
    if files.kind_of(path) != "sqlite":
        return None
    from sqlagent.sources.scan import ScanSource

    scans = [k for k, s in connection.sources.items() if isinstance(s, ScanSource)]
    if len(scans) >= SCANS_MAX:
        connection.sources.pop(scans[0]).close()
        connection.plans.clear()
    name = f"file {os.path.basename(path)}"
    while name.lower() in connection.sources:
        name += " again"
    connection.sources[name.lower()] = ScanSource(connection, name, os.path.abspath(path))
    return name.lower()


class RunDetach:
    """DETACH: statements that still stream from the database keep the rows they began with."""

    def __init__(self, plan: Detach, text: str) -> None:
        self.plan = plan
        self.text = text

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        name, exists, position = self.plan
        source = connection.sources.get(name.lower())
        if source is None:
            if exists:
                return
            raise ProgrammingError(
                f'no database "{name}" is attached',
                hint=nearest(name, [s.name for s in connection.sources.values()]),
                sql=self.text, position=position, sqlstate="3D000",
            )  # fmt: skip
        outside(connection, "DETACH")
        del connection.sources[name.lower()]
        connection.plans.clear()
        source.close()


class RunDatabases:
    """SHOW DATABASES and PRAGMA database_list."""

    def __init__(self, plan: Databases) -> None:
        self.plan = plan

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        own = connection.database
        rows: list[tuple[Any, ...]] = [("main", "file", "" if own.memory else own.path)]
        rows += [
            (s.name, s.kind, s.path) for s in connection.sources.values()
            if not s.name.startswith("file ")
        ]  # fmt: skip
        if self.plan.pragma:
            # SQLite numbers main 0 and temp 1.
            rows = [(n and n + 1, name, path) for n, (name, _, path) in enumerate(rows)]
            cursor._columns = [("seq", "BIGINT"), ("name", "VARCHAR"), ("file", "VARCHAR")]
        else:
            names = ("database_name", "type", "path")
            cursor._columns = [(n, "VARCHAR") for n in names]
        cursor._iter = iter(rows)
