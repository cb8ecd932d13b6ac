"""Migrations: the schema of a file, brought forward one numbered `.sql` at a time.

What is pending runs in one transaction together with its rows in `sqlagent_migrations`, so a crash
leaves a file as it was or at this version, never between. The checksum of what ran is kept: an
edited migration, a file that a newer version made, and a file whose history has a gap are refused,
and left as they were. Before an existing file is changed a copy is made beside it, and named.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from sqlagent.errors import MigrationError, ProgrammingError

try:  # without hashlib, whose import costs a third of our start
    from _sha256 import sha256 as _digest
except ImportError:
    from hashlib import sha256 as _digest

if TYPE_CHECKING:
    import apsw

TABLE = """CREATE TABLE IF NOT EXISTS sqlagent_migrations (
  version INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  checksum TEXT NOT NULL,
  applied_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
)"""


class Migration(NamedTuple):
    """One numbered file of `migrations/`."""

    version: int
    name: str
    sql: str
    checksum: str


def sha256(data: bytes) -> str:
    """The hexadecimal SHA-256."""
    return str(_digest(data).hexdigest())


def known() -> list[Migration]:
    """The migrations of this version, in order."""
    return list(_known())


@lru_cache(maxsize=1)
def _known() -> tuple[Migration, ...]:
    """Read once in a process: a server opens many connections."""
    import sqlagent.migrations as package

    folder = next(iter(package.__path__))
    found = []
    for name in sorted(n for n in os.listdir(folder) if n.endswith(".sql")):
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
        found.append(Migration(int(name[:4]), name, data.decode("utf-8"), sha256(data)))
    return tuple(found)


def applied(connection: apsw.Connection) -> list[tuple[int, str, str]]:
    """(version, name, checksum) of what the file has had; empty for a file that is not ours."""
    row = connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'sqlagent_migrations'"
    ).fetchone()
    if row is None:
        return []
    return [
        (int(v), str(n), str(c))
        for v, n, c in connection.execute(
            "SELECT version, name, checksum FROM sqlagent_migrations ORDER BY version"
        )
    ]


def pending(connection: apsw.Connection, migrations: list[Migration]) -> list[Migration]:
    """What is still to run; raises MigrationError where the file's history is not ours."""
    have = applied(connection)
    newest = migrations[-1].version
    if have and have[-1][0] > newest:
        raise MigrationError(
            f"the file has schema version {have[-1][0]}, this sqlagent knows {newest}",
            hint="Open it with the newer sqlagent that made it: pip install --upgrade sqlagent",
        )
    for (version, name, checksum), migration in zip(have, migrations, strict=False):
        if version != migration.version:
            raise MigrationError(
                f"migration {migration.version} is missing from the file, which has {version}",
                hint="Restore the copy that was made before the upgrade.",
            )
        if checksum != migration.checksum:
            raise MigrationError(
                f"migration {name} was edited after it ran on this file",
                detail=f"it ran with checksum {checksum[:12]}, now it is {migration.checksum[:12]}",
                hint="Migrations are forward only: put the change into a new one.",
            )
    return migrations[len(have) :]


def own_names(migrations: list[Migration]) -> set[str]:
    """The lower-case names that the migrations make: tables, indexes, views, triggers."""
    import re

    ours: set[str] = set()
    full_text: set[str] = set()
    for m in migrations:
        made = r"(?mi)^CREATE (?:UNIQUE |VIRTUAL )?(?:TABLE|INDEX|VIEW|TRIGGER) (\w+)"
        ours |= {name.lower() for name in re.findall(made, m.sql)}
        full_text |= set(re.findall(r"(?mi)^CREATE VIRTUAL TABLE (\w+) USING fts5", m.sql))
    for name in full_text:
        ours |= {f"{name}_{part}" for part in ("data", "idx", "content", "docsize", "config")}
    return ours


def taken_names(connection: apsw.Connection, migrations: list[Migration]) -> list[tuple[str, str]]:
    """(type, name) of what an ordinary file has under names of ours: tables, or table functions."""
    from sqlagent.functions import functions

    ours = own_names(migrations) | {n for n, f in functions().items() if f.kind == "table"}
    found = [
        (str(kind), str(name))
        for kind, name in connection.execute("SELECT type, name FROM sqlite_master ORDER BY name")
    ]
    return [(k, n) for k, n in found if n.lower() in ours or n.lower().startswith("sqlagent_")]


def copy_before(path: str, version: int) -> str:
    """A copy of the file as it was last committed, by the backup API, beside it; returns its
    path."""
    import apsw

    number, target = 0, f"{path}.before-v{version}"
    while os.path.exists(target):
        number += 1
        target = f"{path}.before-v{version}.{number}"
    partial = target + ".partial"
    # A connection of its own: the caller's holds the write lock, and cannot be copied from.
    source, copy = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY), apsw.Connection(partial)
    try:
        with copy.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(1000)
        copy.close()
        os.replace(partial, target)
    except BaseException:
        copy.close()
        os.unlink(partial)
        raise
    finally:
        source.close()
    return target


def upgrade(
    connection: apsw.Connection, path: str | None, say: Callable[[str], None]
) -> list[Migration]:
    """Bring the file to this version, all or nothing; `path` None makes no copy. Returns what ran.

    The caller holds no transaction. Two processes may call it at once: the second waits for the
    first, finds nothing to do, and makes no second copy.
    """
    migrations = known()
    connection.execute("BEGIN IMMEDIATE")
    try:
        todo = pending(connection, migrations)
        if todo:
            empty = connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None
            if not empty and todo[0] is migrations[0]:
                refuse_taken(connection, migrations)
            if path is not None and not empty:
                copy = copy_before(path, todo[0].version - 1)
                say(f"a copy of the file as it was is in {copy}")
        for migration in todo:
            run(connection, migration)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return todo


def refuse_taken(connection: apsw.Connection, migrations: list[Migration]) -> None:
    """Raise a MigrationError where an ordinary file has a name of ours."""
    taken = taken_names(connection, migrations)
    if taken:
        raise MigrationError(
            f'the file has a {taken[0][0]} "{taken[0][1]}" of its own, a name that sqlagent needs',
            detail="taken: " + ", ".join(name for _, name in taken),
            hint="Rename it, or ATTACH the file to an agent's own file.",
        )


def run(connection: apsw.Connection, migration: Migration) -> None:
    """Run one migration in the caller's transaction, and write down that it ran."""
    import apsw

    try:
        connection.execute(TABLE)
        connection.execute(migration.sql).fetchall()
    except apsw.SQLError as error:
        raise MigrationError(
            f"migration {migration.name} does not run: {error}",
            hint="The file is as it was before it.",
        ) from error
    connection.execute(
        "INSERT INTO sqlagent_migrations (version, name, checksum) VALUES (?, ?, ?)",
        (migration.version, migration.name, migration.checksum),
    )


def refuse_own(sql: str) -> None:
    """Refuse a DROP or ALTER of what the migrations made: nothing would work after it."""
    import re

    head = r"(?is)(?:\s|--[^\n]*\n|/\*.*?\*/)*(DROP|ALTER)\s+(?:TABLE|VIEW|INDEX|TRIGGER)\s+"
    name = r"(?:IF\s+EXISTS\s+)?(?:main\s*\.\s*)?[\"`\[]?(\w+)"
    found = re.match(head + name, sql)
    if found is None:
        return
    target = found[2].lower()
    if target in own_names(known()) or target.startswith("sqlagent_"):
        raise ProgrammingError(
            f'"{found[2]}" is of sqlagent itself and cannot be changed',
            sql=sql,
            position=found.start(2),
            hint="Keep what is yours in its metadata, or in a table of your own.",
            sqlstate="42501",
        )
