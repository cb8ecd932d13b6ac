"""A new file, made whole: an image of the schema, written beside its place and linked to it.

The migrations take 30 ms of CPU and several syncs. They run once in a process, in memory; each new
file is then a copy of what they left, with its own id and its own times. It appears under its name
when all of it is on the disk, and only where nothing of that name is: who else made it meanwhile
keeps it. Where that cannot be done the migrations run in the file itself, as in any older one.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import NamedTuple

import apsw

from sqlagent import migrate

# What the migrations write that is another in each file, and never the image's.
ID = "SELECT value FROM sqlagent_meta WHERE name = 'file_id'"
TIMES = (("sqlagent_migrations", "applied_at"), ("memory_policies", "created_at"))
TIME = "2000-01-01 00:00:00.000"  # in the image, in place of each time
NOW = "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now'), lower(hex(randomblob(16)))"
WAL = b"\2\2"  # the versions of the format to write and to read, at byte 18 of the header


class Image(NamedTuple):
    """A file with our schema and nothing else, the id in it, and how often it has `TIME`."""

    data: bytes
    file_id: str
    times: int


def image() -> Image | None:
    """The image of this version's schema; None where its own values cannot be told from others."""
    return _image(tuple(migrate.known()))


@lru_cache(maxsize=1)
def _image(migrations: tuple[migrate.Migration, ...]) -> Image | None:
    made = apsw.Connection(":memory:")
    try:
        made.execute("BEGIN")
        for migration in migrations:
            migrate.run(made, migration)
        made.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        times = 0
        for table, column in TIMES:
            made.execute(f"UPDATE {table} SET {column} = ?", (TIME,))
            times += made.changes()
        file_id = str(made.execute(ID).get)
        made.execute("COMMIT")
        data = made.serialize("main")
    finally:
        made.close()
    if data.count(TIME.encode()) != times or data.count(file_id.encode()) != 1:
        return None
    return Image(data, file_id, times)


def fresh() -> bytes | None:
    """The bytes of a new file; None where there is no image."""
    found = image()
    if found is None:
        return None
    connection = apsw.Connection(":memory:")
    now, file_id = map(str, connection.execute(NOW).fetchall()[0])
    connection.close()
    data = found.data.replace(TIME.encode(), now.encode(), found.times)
    return data.replace(found.file_id.encode(), file_id.encode(), 1)


def fill(handle: apsw.Connection) -> None:
    """Put the schema into an empty database in memory that only the caller has."""
    data = fresh()
    if data is None:
        return
    with apsw.Connection(":memory:") as source:
        source.deserialize("main", data)
        with handle.backup("main", source, "main") as copy:
            copy.step()
    source.close()


def make(path: str) -> bool:
    """Make the file `path` where there is none; whether it was made.

    False leaves all as it was: there is a file, or a journal that SQLite has yet to see, or the
    place takes no file or no link. What is wrong there SQLite will say.
    """
    if any(os.path.lexists(path + suffix) for suffix in ("", "-journal", "-wal", "-shm")):
        return False
    data = fresh()
    if data is None:
        return False
    partial = f"{path}.new-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        # As SQLite creates it: the umask says who else may read it.
        file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            # Closed before SQLite opens it: a later close would drop its locks.
            with os.fdopen(file, "wb") as out:
                out.write(data[:18] + WAL + data[20:])
                out.flush()
                os.fsync(out.fileno())
            os.link(partial, path)
        finally:
            os.unlink(partial)
        _sync(os.path.dirname(path))
    except OSError:
        return os.path.exists(path)
    return True


def _sync(folder: str) -> None:
    """Make the names in a folder durable."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
