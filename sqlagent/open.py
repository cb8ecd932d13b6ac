"""Opening a file: is it SQLite, is it ours, is its schema of this version."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent import blank, migrate
from sqlagent.engines.live import any_open, protected
from sqlagent.engines.sqlite import Handle, translate
from sqlagent.errors import MigrationError, OperationalError

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.engines.sqlite import Database

_hooked = False


def prepare(connection: Connection) -> None:
    """Create or migrate the connection's file; leaves it as it was where that cannot be done."""
    database = connection.database
    path = database.path
    database.synchronous = connection.settings["synchronous"]
    _guard_stdlib()
    if database.memory:
        with database.lock:
            handle = database.writer()
            handle.execute("PRAGMA journal_mode = MEMORY").fetchall()
            blank.fill(handle)
            migrate.upgrade(handle, None, connection.messages.append)
        return
    if os.path.isdir(path):
        raise OperationalError(f'"{path}" is a folder, not a file', sqlstate="58P01")
    if not os.path.isdir(os.path.dirname(path)):
        raise OperationalError(
            f'the folder of "{path}" does not exist', sqlstate="58P01", hint="Create it first."
        )
    if database.read_only and not os.path.exists(path):
        raise OperationalError(
            f'"{path}" does not exist', sqlstate="58P01",
            hint="A read-only connection does not create it.",
        )  # fmt: skip
    with database.lock:
        if not database.read_only and not os.path.exists(path):
            blank.make(path)
        handle = database.checkout()
        try:
            current = _is_current(handle)
            if database.read_only:
                if not current:
                    raise MigrationError(
                        "the file has not this version's schema, and is opened read-only",
                        hint="Open it once without read_only=True.",
                    )
            elif not current or not _is_wal(handle):
                _upgrade(connection)
        except apsw.Error as error:
            raise translate(error) from None
        finally:
            database.give_back(handle)
    if not database.read_only:
        _go_on(database)
        if connection.settings["portal"] != "off":
            from sqlagent.portal.keeper import keep

            keep(database)


def _go_on(database: Database) -> None:
    """Finish what a process that died was erasing, as far as that needs no waiting."""
    with database.read() as handle:
        left = handle.execute("SELECT 1 FROM sqlagent_erasures WHERE finished_at IS NULL").get
    if left:
        from sqlagent.sync.scrub import scrub

        scrub(database, 0.0)


def _is_current(handle: Handle) -> bool:
    migrations = migrate.known()
    return bool(migrate.applied(handle)) and not migrate.pending(handle, migrations)


def _is_wal(handle: Handle) -> bool:
    """Whether readers and a writer can work at once; a crash or another client may have left it
    so."""
    return bool(handle.execute("PRAGMA journal_mode").fetchall() == [("wal",)])


def _upgrade(connection: Connection) -> None:
    database = connection.database
    handle = database.hold_bare()
    try:
        migrate.pending(handle, migrate.known())  # refuse before anything is touched
        migrate.upgrade(handle, database.path, connection.messages.append)
        if not _is_wal(handle):
            handle.execute("PRAGMA journal_mode = WAL").fetchall()
    finally:
        database.let_go()


def _guard_stdlib() -> None:
    """Refuse a second SQLite library on a live file of ours, as far as Python can see one.

    Python's sqlite3 in this process would drop the POSIX locks of ours when it closes the file.
    """
    global _hooked
    if _hooked:
        return
    _hooked = True
    import sys

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "sqlite3.connect" and any_open() and arguments:
            name = arguments[0]
            text = os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else ""
            if text and protected(text) is not None:
                raise OperationalError(
                    f'"{text}" is open here: a second SQLite library in one process loses rows',
                    hint="Use the sqlagent connection, or open it from another process.",
                )

    sys.addaudithook(watch)
