"""Columns kept on disk, so that the next process loads a table instead of building it.

One Parquet file a table, in `agent.db.d/columns/`, named `<table>-<shape>-<seq>-<sum>.parquet`: the
state of the table at log entry `seq`. The shape's hash covers the file's id, the columns and what
the log says at `seq`, so a snapshot of another file's history is never taken; the sum covers the
bytes.
Whatever is missing, damaged or not ours is as if it were not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sqlagent.sync import log
from sqlagent.sync.columns import Shape, literal, quoted

if TYPE_CHECKING:
    import apsw
    import duckdb

ROWS_MIN = 50_000  # a smaller table is built as fast as it is loaded
FORMAT = "1"
STALE_S = 3600  # a temporary file older than this belongs to a process that died


def file_id(connection: apsw.Connection) -> str | None:
    """What tells this file from others; None where it has no such row."""
    known = connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'sqlagent_meta'"
    ).get
    if not known:
        return None
    row = connection.execute("SELECT value FROM sqlagent_meta WHERE name = 'file_id'").fetchone()
    return None if row is None else str(row[0])


def _hash(*parts: object) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=10).hexdigest()


def _sum(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def identity(connection: apsw.Connection, shape: Shape, seq: int) -> str | None:
    """The hash that a snapshot of this table at `seq` bears; None: the log cannot prove one."""
    mark = log.fingerprint(connection, seq)
    own = file_id(connection)
    if mark is None or own is None:
        return None
    columns = [(f.name, f.type) for f in shape.fields]
    return _hash(FORMAT, own, shape.name, shape.key_column, shape.hidden, columns, mark)


class Snapshots:
    """The snapshots in one derived folder. None of the methods raises for what the disk does."""

    def __init__(self, folder: str | None) -> None:
        self.folder = None if folder is None else Path(folder) / "columns"

    def find(
        self, connection: apsw.Connection, shape: Shape, low: int, high: int
    ) -> tuple[Path, int] | None:
        """The newest sound snapshot of a table and its `seq`; the log must reach back to it."""
        found = []
        for path in self._of(shape.name):
            parts = path.name.split("-")
            with contextlib.suppress(ValueError, IndexError):
                seq = int(parts[2])
                if low <= seq <= high and parts[1] == identity(connection, shape, seq):
                    found.append((seq, path))
        for seq, path in sorted(found, reverse=True):
            try:
                if _sum(path) == path.stem.split("-")[3]:
                    return path, seq
            except OSError:
                continue
        return None

    def save(
        self, cursor: duckdb.DuckDBPyConnection, shape: Shape, source: str, proof: str, seq: int
    ) -> None:
        """Write the copy `source` of a table, as of `seq`; the older ones of it go."""
        if self.folder is None:
            return
        import duckdb

        older = self._of(shape.name)
        temporary = self.folder / f"tmp-{os.getpid()}-{time.monotonic_ns()}.parquet"
        names = [n for n, _ in shape.columns()]
        listed = ", ".join(f"{quoted(n)} AS c{i}" for i, n in enumerate(names))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            cursor.execute(
                f"COPY (SELECT {listed} FROM {source}) TO {literal(str(temporary))}"
                " (FORMAT parquet, COMPRESSION zstd)"
            )
            name = f"{_hash(shape.name)}-{proof}-{seq}-{_sum(temporary)}.parquet"
            temporary.replace(self.folder / name)
            for path in older:
                if path.name != name:
                    _remove(path)
        except (OSError, duckdb.Error):
            _remove(temporary)

    def load(self, shape: Shape, path: Path) -> str:
        """DuckDB's SELECT of a snapshot as the columns of the copy."""
        casts = [f"CAST(c{i} AS {t})" for i, (_, t) in enumerate(shape.columns())]
        return f"SELECT {', '.join(casts)} FROM read_parquet({literal(str(path))})"

    def clear(self) -> None:
        """Remove every snapshot, and what a dead process left."""
        for path in self._all():
            _remove(path)

    def drop(self, table: str) -> None:
        """Remove the snapshots of a table."""
        for path in self._of(table):
            _remove(path)

    def tidy(self) -> None:
        """Remove temporary files of processes that died."""
        for path in self._all():
            with contextlib.suppress(OSError):
                if path.name.startswith("tmp-") and path.stat().st_mtime < time.time() - STALE_S:
                    _remove(path)

    def size(self, table: str) -> int:
        """Bytes on disk of a table's snapshots."""
        total = 0
        for path in self._of(table):
            with contextlib.suppress(OSError):
                total += path.stat().st_size
        return total

    @contextlib.contextmanager
    def scratch(self, *, elsewhere: bool = False) -> Iterator[Path]:
        """A new path for a temporary file, removed at the end; `elsewhere`: not in the folder."""
        place = None if elsewhere else self.folder
        if place is not None:
            try:
                place.mkdir(parents=True, exist_ok=True)
            except OSError:
                place = None
        if place is None:
            place = Path(tempfile.gettempdir())
        path = place / f"tmp-sqlagent-{os.getpid()}-{time.monotonic_ns()}.db"
        try:
            yield path
        finally:
            _remove(path)

    def _all(self) -> list[Path]:
        if self.folder is None:
            return []
        try:
            return list(self.folder.iterdir())
        except OSError:
            return []

    def _of(self, table: str) -> list[Path]:
        prefix = _hash(table) + "-"
        return [p for p in self._all() if p.name.startswith(prefix) and p.name.endswith(".parquet")]


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
