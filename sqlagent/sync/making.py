"""Making the copies of tables: from their rows, by way of a file, or from a snapshot on disk.

(duckdb is imported with this module.)
"""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import duckdb

from sqlagent.errors import Error, ProgrammingError
from sqlagent.sync import build, delta, log
from sqlagent.sync.columns import NotColumnar, Shape, describe, quoted
from sqlagent.sync.delta import Replica, Unsound
from sqlagent.sync.ready import Ready
from sqlagent.sync.scrub import erased_since
from sqlagent.sync.snapshot import ROWS_MIN, Snapshots, identity

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database, Handle


class Maker:
    """Makes copies that nothing refers to yet: drafts, until they are shown."""

    def __init__(self, database: Database, cursor: duckdb.DuckDBPyConnection, ready: Ready) -> None:
        self._database = database
        self._cursor = cursor
        self._ready = ready
        self._numbers = itertools.count(1)
        self.drafts: list[str] = []  # physical names of copies that nothing refers to yet
        self.refused: dict[str, tuple[NotColumnar, int, int]] = {}
        self.loads = 0  # tables that came from disk
        self.scanner: bool | None = None  # whether the sqlite scanner is loaded; None: not tried
        self.snapshots = Snapshots(database.folder)
        self.snapshots.tidy()

    def attach(
        self, reader: Handle, missing: list[str], stack: contextlib.ExitStack
    ) -> Path | None:
        """A file for copies of large tables, attached before the transaction as SQLite wants it."""
        database = self._database
        # What a connection to memory attaches is in memory too: no scanner could read it.
        if not missing or database.read_only or database.memory or not self._can_scan():
            return None
        large = False
        for name in missing:
            with contextlib.suppress(Error, apsw.Error):
                large = large or build.is_large(reader, describe(reader, name), bool(self.scanner))
        if not large:
            return None
        for elsewhere in (False, True):
            path = stack.enter_context(self.snapshots.scratch(elsewhere=elsewhere))
            try:
                reader.execute("ATTACH ? AS sqlagent_copy", (str(path),))
            except apsw.Error:
                continue
            stack.callback(_detach, reader)
            for pragma in ("page_size = 65536", "journal_mode = off", "synchronous = off"):
                reader.execute(f"PRAGMA sqlagent_copy.{pragma}").fetchall()
            return path
        return None

    def _can_scan(self) -> bool:
        from sqlagent.engines import extensions

        return self.scanner is not False and extensions.path("sqlite_scanner") is not None

    def check_refused(self, reader: Handle, names: list[str], schema: int) -> None:
        """Raise again what a table was refused for, unless it has changed since."""
        for name in names:
            refused = self.refused.get(name)
            if refused is not None:
                error, seq, then = refused
                logged = self._ready.loggable(reader, name, log.span(reader))
                if logged and then == schema and name not in log.entries(reader, seq):
                    raise NotColumnar(error.table, error.reason)
                del self.refused[name]

    def make(
        self, reader: Handle, name: str, span: log.Span | None, schema: int, path: Path | None
    ) -> tuple[Replica, str | None, str | None]:
        """Read a table into a new copy: (copy, where `_fill` finds a large one, proof to save)."""
        high = span.high if span is not None else 0
        try:
            shape = describe(reader, name)
            logged = self._ready.loggable(reader, name, span)
            physical = self.physical(shape)
            self.drafts.append(physical)
            replica = Replica(shape, physical, high, logged)
            if logged and span is not None and self._load(reader, replica, span):
                return replica, None, None
            build.create(self._cursor, shape, physical)
            proof = identity(reader, shape, high) if logged else None
            if path is not None and build.is_large(reader, shape, True):
                table = f"t{next(self._numbers)}"
                build.copy_out(reader, shape, f"sqlagent_copy.{table}")
                return replica, table, proof
            build.from_rows(self._cursor, shape, physical, reader.execute(shape.select))
            return replica, None, proof
        except NotColumnar as error:
            self.refused[name] = (error, high, schema)
            raise

    def _load(self, reader: Handle, replica: Replica, span: log.Span) -> bool:
        """Make a copy from a snapshot on disk, as of its own log entry."""
        found = self.snapshots.find(reader, replica.shape, span.low, span.high)
        if found is None:
            return False
        path, seq = found
        count, vague = log.entries(reader, seq).get(replica.name, (0, False))
        if vague:
            return False
        try:
            build.create(self._cursor, replica.shape, replica.physical)
            self._cursor.execute(
                f"INSERT INTO {replica.physical} {self.snapshots.load(replica.shape, path)}"
            )
        except duckdb.Error:  # the file went, or the disk failed: build it
            self._cursor.execute(f"DROP TABLE IF EXISTS {replica.physical}")
            return False
        replica.seq = seq
        self.loads += 1
        delta.measure(self._cursor, replica)
        if replica.too_many(count):
            self._cursor.execute(f"DROP TABLE {replica.physical}")
            replica.seq = span.high
            return False
        return True

    def fill(
        self, made: list[tuple[Replica, str | None, str | None]], path: Path | None, schema: int
    ) -> None:
        """Read the large tables that were copied to the file `path`."""
        for replica, table, _ in made:
            if table is not None and path is not None:
                if not self.scanner:
                    from sqlagent.engines import extensions

                    try:
                        extensions.load(self._cursor, "sqlite_scanner")
                    except (duckdb.Error, Error):
                        self.scanner = False
                        raise Unsound(replica.name) from None
                    self.scanner = True
                try:
                    build.from_file(self._cursor, replica.shape, replica.physical, path, table)
                except NotColumnar as error:
                    self.refused[replica.name] = (error, replica.seq, schema)
                    raise
                except (duckdb.IOException, duckdb.CatalogException, duckdb.BinderException):
                    raise Unsound(replica.name) from None  # the folder was deleted
            if replica.rows == 0:
                delta.measure(self._cursor, replica)

    def physical(self, shape: Shape) -> str:
        """A new name for a copy."""
        return f"{build.SCHEMA}.{quoted(f'{shape.name} {next(self._numbers)}')}"

    def discard_drafts(self) -> None:
        """Drop the copies that nothing came to refer to."""
        while self.drafts:
            draft = self.drafts.pop()
            with contextlib.suppress(duckdb.Error):
                self._cursor.execute(f"DROP TABLE IF EXISTS {draft}")

    def save(self, reader: Handle, replica: Replica, proof: str | None = None) -> None:
        """Keep a large copy on disk; `proof` is its identity where it is known."""
        if not replica.logged or replica.rows < ROWS_MIN:
            return
        if proof is None:
            with contextlib.suppress(apsw.Error, ProgrammingError):
                proof = identity(reader, replica.shape, replica.seq)
        if proof is not None:
            self.snapshots.save(self._cursor, replica.shape, replica.physical, proof, replica.seq)
            if erased_since(reader, replica.seq):  # in between: the folder may be clean already
                self.snapshots.drop(replica.shape.name)


def end(reader: Handle) -> None:
    """End the transaction of a reader, where there is one."""
    if reader.in_transaction:
        reader.execute("COMMIT")  # what was copied out must reach its file


def _detach(reader: Handle) -> None:
    end(reader)
    with contextlib.suppress(apsw.Error):
        reader.execute("DETACH sqlagent_copy")
