"""What a path is: the kind of database that ATTACH finds there, told by the file's own bytes.

The bytes are read through SQLite's own file layer: a descriptor of ours on a file that this
process has open would, when it is closed, drop SQLite's locks on it.
"""

from __future__ import annotations

import glob
import os
from typing import Any

import apsw

from sqlagent.engines.live import protected
from sqlagent.errors import NotSupportedError, OperationalError

ENDS = {
    ".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".json": "json", ".ndjson": "json",
    ".jsonl": "json",
}  # fmt: skip
PACKED = (".gz", ".zst")
SERVERS = ("postgres://", "postgresql://")


def kind_of(path: str) -> str:
    """The kind of database at `path`. Raises OperationalError where there is none."""
    if path.startswith(SERVERS):
        return "postgres"
    if path == ":memory:":
        return "duckdb"
    bare = path
    for end in PACKED:
        bare = bare.removesuffix(end)
    ended = ENDS.get(os.path.splitext(bare)[1].lower())
    if glob.has_magic(path) and not os.path.exists(path):
        if ended is None:
            raise NotSupportedError(
                f'the kind of the files "{path}" is not known from their names',
                hint="Add (TYPE parquet), (TYPE csv) or (TYPE json).",
            )
        return ended
    if os.path.isdir(path):
        if path.rstrip("/").endswith(".lance") or any(
            name.endswith(".lance") for name in os.listdir(path)
        ):
            return "lance"
        raise OperationalError(
            f'the folder "{path}" holds no Lance datasets', sqlstate="58P01",
            hint="Files are attached by a glob, such as 'folder/*.parquet'.",
        )  # fmt: skip
    if not os.path.exists(path):
        raise missing(path)
    if protected(path) is not None:
        return "sqlite"
    head = header(path)
    if head.startswith(b"SQLite format 3\0"):
        return "sqlite"
    if head[8:12] == b"DUCK":
        return "duckdb"
    if head.startswith(b"PAR1"):
        return "parquet"
    if ended is not None:
        return ended
    if not head:
        raise OperationalError(
            f'"{path}" is empty: it may become a database of any kind', sqlstate="58P01",
            hint="Add (TYPE sqlite) or (TYPE duckdb).",
        )  # fmt: skip
    raise OperationalError(
        f'"{path}" is no database that can be attached', sqlstate="58030",
        hint="Add its TYPE: sqlite, duckdb, parquet, csv, json, lance or postgres.",
    )  # fmt: skip


def header(path: str) -> bytes:
    """The first 16 bytes of a file, fewer where it has no more."""
    try:
        file = apsw.VFSFile("", path, [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY, 0])
    except apsw.Error:
        raise OperationalError(f'"{path}" cannot be read', sqlstate="58030") from None
    try:
        size = file.xFileSize()
        return bytes(file.xRead(min(16, size), 0)) if size else b""
    finally:
        file.xClose()


def missing(path: str) -> OperationalError:
    """The error for a path where nothing is."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        return OperationalError(f'the folder of "{path}" does not exist', sqlstate="58P01")
    return OperationalError(
        f'"{path}" does not exist', sqlstate="58P01",
        hint="(TYPE sqlite) or (TYPE duckdb) makes a new file.",
    )  # fmt: skip


class Watch:
    """The file that was attached, to be told from none, or another, under its name later."""

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.path = path
        self.seen = self._stat()

    def _stat(self) -> Any:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def check(self) -> None:
        """Raise OperationalError where the file is gone, or another has taken its place."""
        found = self._stat()
        if self.seen is None:  # made after it was attached
            self.seen = found
        elif found != self.seen:
            what = "is gone" if found is None else "was replaced by another file"
            raise OperationalError(
                f'the file of "{self.name}" {what}: {self.path}', sqlstate="58P01",
                hint=f"DETACH {self.name}, and ATTACH it again when it is there.",
            )  # fmt: skip
