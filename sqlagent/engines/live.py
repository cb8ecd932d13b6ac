"""The files that this process has open: one `Database` each, whatever their names."""

from __future__ import annotations

import os
import threading

from sqlagent.engines.sqlite import Database

_live: dict[str, Database] = {}
_live_lock = threading.RLock()  # the collector may close a connection while another opens


def any_open() -> bool:
    """Whether a file is open at all."""
    return bool(_live)


def protected(path: str) -> str | None:
    """See `Database.protected`; for every file that this process has open."""
    text = path[7:] if path.startswith("file://") else path.removeprefix("file:")
    text = os.path.expanduser(text.split("?")[0]) if path.startswith("file:") else path
    import glob

    names = [text]
    if glob.has_magic(text):
        names += glob.glob(text, recursive=True)
    for name in names:
        try:
            seen = os.stat(name)
        except (OSError, ValueError):
            continue
        for database in list(_live.values()):
            for suffix in ("", "-wal", "-shm"):
                try:
                    own = os.stat(database.path + suffix)
                except OSError:
                    continue
                if (own.st_dev, own.st_ino) == (seen.st_dev, seen.st_ino):
                    return database.path
    return None


def attach(path: str, *, read_only: bool, timeout: float) -> Database:
    """The process's Database for a file, made at the first use; `release` undoes it."""
    if path == ":memory:":
        database = Database(path, timeout=timeout)
        database.users = 1
        return database
    real = os.path.realpath(path)
    key = f"{real}{'?ro' if read_only else ''}"
    with _live_lock:
        found = _live.get(key)
        if found is None:
            found = Database(real, read_only=read_only, timeout=timeout)
            _live[key] = found
        found.users += 1
        return found


def release(database: Database) -> None:
    """A connection is done with the file; the last one closes it."""
    with _live_lock:
        database.users -= 1
        if database.users > 0:
            return
        for key, value in list(_live.items()):
            if value is database:
                del _live[key]
    database.close()


def _forked() -> None:
    """In a child process: nothing that the parent has open is the child's."""
    global _live_lock
    _live_lock = threading.RLock()  # the collector may close a connection while another opens
    for database in _live.values():
        database.disown()
    _live.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
