"""DuckDB's copies of the file's tables, brought up to the last commit before each query.

All copies are at one entry of the change log, and move on together in one DuckDB transaction, so a
query sees one state of the file. A copy has a physical name of its own in schema `columns` and a
view in `main` that bears the table's name and hides the rowid; a new copy replaces an old one by
replacing the view. (duckdb is imported with this module.)
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw
import duckdb

from sqlagent.errors import Error, OperationalError, ProgrammingError
from sqlagent.sync import build, delta, log, private
from sqlagent.sync.columns import NotColumnar, Shape, declared, describe, quoted, reads
from sqlagent.sync.delta import COMPACT_ROWS, Delta, Replica, Unsound
from sqlagent.sync.parts import Change, Parts
from sqlagent.sync.snapshot import ROWS_MIN, Snapshots, identity

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database, Handle

ATTEMPTS = 5
ATTEMPTS_BESIDE = 40
INSTALL_WAIT_MS = 100


class Overtaken(OperationalError):
    """Copies and a transaction beside them could not be of one commit."""


class Replicas:
    """The copies of one file in one DuckDB instance. Safe for threads."""

    def __init__(self, database: Database, cursor: duckdb.DuckDBPyConnection) -> None:
        self._database = database
        self._cursor = cursor
        self.lock = threading.RLock()
        self._reader: Handle | None = None
        self._replicas: dict[str, Replica] = {}
        self._drafts: list[str] = []  # physical names of copies that nothing refers to yet
        self._refused: dict[str, tuple[NotColumnar, int, int]] = {}
        self._unlogged: set[str] = set()  # tables whose triggers cannot be made
        self._busy: set[str] = set()  # and those whose triggers cannot be made now
        self._seen: tuple[Any, ...] | None = None
        self._schema = -1
        self._numbers = itertools.count(1)
        self.dropped = 0  # copies dropped so far: a query between two steps may have missed one
        self.loads = 0  # tables that came from disk
        self._scanner: bool | None = None  # whether the sqlite scanner is loaded; None: not tried
        self.parts = Parts(database)  # of the tables that are kept as columns
        self._snapshots = Snapshots(database.folder)
        self._snapshots.tidy()

    # What callers use ---------------------------------------------------------------------------

    def fresh(self, tables: Iterable[str], beside: Callable[[], None] | None = None) -> int:
        """Bring the copies of `tables` (and all that exist) up to the last commit: `dropped` then.

        `beside` begins a read transaction of the caller's, anew each time that it is called: the
        copies are then of the very commit that the last one sees.
        Raises NotColumnar for a table that cannot be columns, ProgrammingError for one that is not,
        Overtaken where the two could not be brought together.
        """
        wanted = [t.lower() for t in tables]
        with self.lock:
            seen = self._now()
            known = self._replicas.keys() | self.parts.copies.keys()
            there = seen == self._seen and known.issuperset(wanted)
            if there and beside is None:
                return self.dropped
            self._busy.clear()
            for _ in range(ATTEMPTS if beside is None else ATTEMPTS_BESIDE):
                try:
                    if self._catch_up(wanted, beside):
                        return self.dropped
                except Unsound as error:
                    self._forget([error.name])
                except apsw.Error as error:
                    from sqlagent.engines.sqlite_errors import translate

                    raise translate(error) from None
                except duckdb.Error as error:  # such as memory that ran out
                    from sqlagent.engines import duck_errors

                    raise duck_errors.translate(error) from None
                finally:
                    self._discard_drafts()
            if beside is not None:
                raise Overtaken("others commit faster than two transactions can begin")
            raise OperationalError("the columns could not catch up: the schema keeps changing")

    def names(self) -> list[str]:
        """The tables that have copies."""
        return [*self._replicas, *self.parts.copies]

    def save(self) -> None:
        """Keep the state of large tables on disk, where they have moved on since the last time."""
        with self.lock:
            for replica in self._replicas.values():
                self._save(replica)

    def rebuild(self) -> None:
        """Forget every copy and snapshot; each is made anew at its next use."""
        with self.lock:
            self._forget(list(self._replicas))
            self.parts.forget(self._cursor)
            self._seen = None
            self._refused.clear()
            self._unlogged.clear()
            self._snapshots.clear()

    def status(self) -> list[tuple[str, int, int, int]]:
        """Of each copy: table, rows, log entry it is at, bytes of its values."""
        with self.lock:
            found = []
            for replica in self._replicas.values():
                sizes = " + ".join(_size(n, t) for n, t in replica.shape.columns())
                rows, total = self._cursor.execute(
                    f"SELECT count(*), sum({sizes}) FROM {replica.physical}"
                ).fetchone() or (0, 0)
                found.append((replica.shape.name, rows, replica.seq, int(total or 0)))
            return found

    def close(self) -> None:
        """Close the connection to the file."""
        with self.lock:
            self._replicas.clear()
            self._seen = None
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def private(
        self, tables: Iterable[str], connection: apsw.Connection, cursor: duckdb.DuckDBPyConnection
    ) -> None:
        """Begin a transaction on `cursor` where `tables` are as `connection`, in its own, has them.

        Raises NotColumnar, ProgrammingError.
        """
        with self.lock:  # so that the copies stay where they are until the cursor has seen them
            cursor.execute("BEGIN")
            known = {} if getattr(cursor, "shared", False) else self._replicas
            for table in tables:
                if self.parts.private(cursor, connection, table) is not None:
                    continue
                private.make(cursor, connection, table, known.get(table.lower()), self._schema)

    # What is in the file ------------------------------------------------------------------------

    def _connection(self) -> Handle:
        """A reader of our own: `data_version` counts the commits of all other connections."""
        if self._reader is None:
            self._reader = self._database.open()
            # It never writes the file; what it attaches is its own.
            self._reader.execute("PRAGMA query_only = OFF")
        return self._reader

    def _now(self) -> tuple[Any, ...]:
        """A value that changes with every commit."""
        return tuple(log.rows(self._connection(), "PRAGMA data_version"))

    def _catch_up(self, wanted: Sequence[str], beside: Callable[[], None] | None) -> bool:
        """One attempt; False when triggers were made and the state must be read again, or when
        somebody committed between the beginning of `beside` and ours."""
        reader = self._connection()
        missing = [w for w in wanted if w not in self._replicas]
        with contextlib.ExitStack() as stack:
            path = self._attach(reader, missing, stack)
            seen = self._now()  # before the snapshot is taken: never later than it
            if beside is not None:
                beside()
            reader.execute("BEGIN")
            stack.callback(_end, reader)
            if beside is not None and self._now() != seen:
                return False
            schema = log.number(reader, "schema_version")
            span = log.span(reader)
            if schema != self._schema:
                self._check_shapes(reader, span, schema)
            self._drop_stale(reader, span, seen)
            changes = self.parts.gather(reader, [w for w in wanted if w not in self._replicas])
            stack.callback(self.parts.discard, changes)
            kept = self.parts.copies.keys() | {c.name for c in changes if c.copy is not None}
            wanted = [w for w in wanted if w not in kept]
            missing = [w for w in wanted if w not in self._replicas]
            unready = [m for m in missing if not self._ready(reader, m, span)]
            if unready:
                _end(reader)
                for name in unready:
                    self._install(name)
                return False
            self._check_refused(reader, missing, schema)
            made = [self._make(reader, m, span, schema, path) for m in missing]
            deltas = self._deltas(reader, [*self._replicas.values(), *(m[0] for m in made)], span)
            _end(reader)
            if path is not None:
                reader.execute("DETACH sqlagent_copy")
            self._fill(made, path)
            self._apply([m[0] for m in made], deltas, changes)
        for replica, _, proof in made:
            if proof is not None:
                self._save(replica, proof)
        high = span.high if span is not None else 0
        for replica in self._replicas.values():
            replica.seq = high
        self._seen, self._schema = seen, schema
        return True

    def _attach(
        self, reader: Handle, missing: list[str], stack: contextlib.ExitStack
    ) -> Path | None:
        """A file for copies of large tables, attached before the transaction as SQLite wants it."""
        if not missing or self._database.read_only or not self._can_scan():
            return None
        large = False
        for name in missing:
            with contextlib.suppress(Error, apsw.Error):
                large = large or build.is_large(reader, describe(reader, name), bool(self._scanner))
        if not large:
            return None
        for elsewhere in (False, True):
            path = stack.enter_context(self._snapshots.scratch(elsewhere=elsewhere))
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

        return self._scanner is not False and extensions.path("sqlite_scanner") is not None

    def _check_shapes(self, reader: Handle, span: log.Span | None, schema: int) -> None:
        """After a change of the schema: drop the copies that may no longer be the table's."""
        self._refused.clear()
        changed = log.entries(reader, min((r.seq for r in self._replicas.values()), default=0))
        gone = []
        for name, replica in self._replicas.items():
            shape = replica.shape
            if declared(reader, name) != shape.declared or (
                replica.logged and not (span and log.installed(reader, name))
            ):
                gone.append(name)
            elif shape.hidden and (name in changed or not self._contiguous(replica)):
                # A VACUUM may have given the rows new rowids, and it changes the schema's version.
                gone.append(name)
        self._forget(gone)

    def _contiguous(self, replica: Replica) -> bool:
        """Whether the rowids are 1 … n, which a VACUUM leaves as they are."""
        key = quoted(replica.shape.key_name)
        rows, low, high = self._cursor.execute(
            f"SELECT count(*), min({key}), max({key}) FROM {replica.physical}"
        ).fetchone() or (0, 0, 0)
        return bool(rows == 0 or (low == 1 and high == rows))

    def _drop_stale(self, reader: Handle, span: log.Span | None, seen: tuple[Any, ...]) -> None:
        """Drop the copies that the log cannot bring up to date."""
        gone = []
        if seen != self._seen:
            gone += [n for n, r in self._replicas.items() if not r.logged]
        for name, replica in self._replicas.items():
            if replica.logged and (
                span is None or span.high < replica.seq or span.low > replica.seq + 1
            ):
                gone.append(name)
        self._forget(gone)
        since = min((r.seq for r in self._replicas.values() if r.logged), default=None)
        if since is not None and span is not None and span.high > since:
            for name, (count, vague) in log.entries(reader, since).items():
                found = self._replicas.get(name)
                if found is None or not found.logged:
                    continue
                if vague or found.too_many(count):
                    self._forget([name])

    def _ready(self, reader: Handle, name: str, span: log.Span | None) -> bool:
        """Whether a table can be read now: its changes are logged, or cannot be."""
        return not self._loggable(reader, name, span) or log.installed(reader, name)

    def _loggable(self, reader: Handle, name: str, span: log.Span | None) -> bool:
        if (
            span is None
            or name in self._unlogged | self._busy
            or name.startswith(("sqlagent_", "sqlite_"))
        ):
            return False
        says = declared(reader, name)
        return says is not None and says[1] == "table"

    def _install(self, name: str) -> None:
        """Make the triggers of a user's table, or remember that it cannot be, or not now.

        On a connection of its own that waits for a moment only: a reader must not queue behind a
        writer's long transaction. Until it succeeds, a change of the file reads the table whole.
        """
        if self._database.read_only:
            self._unlogged.add(name)
            return
        writer = self._database.open(write=True)
        try:
            writer.set_busy_timeout(INSTALL_WAIT_MS)
            with writer:  # an outermost `with` begins a transaction
                writer.execute("DELETE FROM sqlagent_change_log WHERE 0")  # takes the write lock
                before = log.number(writer, "schema_version")
                if not log.installed(writer, name):
                    log.install(writer, name)
                after = log.number(writer, "schema_version")
            if before == self._schema:  # nobody else changed the schema: no need to look again
                self._schema = after
            known = self._database.known_catalog
            if known is not None and known.version == before:  # triggers are not in the catalog
                self._database.known_catalog = known._replace(version=after)
        except apsw.BusyError:
            self._busy.add(name)
        except (Error, apsw.Error):
            self._unlogged.add(name)
        finally:
            writer.close()

    def _check_refused(self, reader: Handle, names: list[str], schema: int) -> None:
        """Raise again what a table was refused for, unless it has changed since."""
        for name in names:
            refused = self._refused.get(name)
            if refused is not None:
                error, seq, then = refused
                logged = self._loggable(reader, name, log.span(reader))
                if logged and then == schema and name not in log.entries(reader, seq):
                    raise NotColumnar(error.table, error.reason)
                del self._refused[name]

    # Making copies ------------------------------------------------------------------------------

    def _make(
        self, reader: Handle, name: str, span: log.Span | None, schema: int, path: Path | None
    ) -> tuple[Replica, str | None, str | None]:
        """Read a table into a new copy: (copy, where `_fill` finds a large one, proof to save)."""
        high = span.high if span is not None else 0
        try:
            shape = describe(reader, name)
            logged = self._loggable(reader, name, span)
            physical = self._physical(shape)
            self._drafts.append(physical)
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
            self._refused[name] = (error, high, schema)
            raise

    def _load(self, reader: Handle, replica: Replica, span: log.Span) -> bool:
        """Make a copy from a snapshot on disk, as of its own log entry."""
        found = self._snapshots.find(reader, replica.shape, span.low, span.high)
        if found is None:
            return False
        path, seq = found
        count, vague = log.entries(reader, seq).get(replica.name, (0, False))
        if vague:
            return False
        try:
            build.create(self._cursor, replica.shape, replica.physical)
            self._cursor.execute(
                f"INSERT INTO {replica.physical} {self._snapshots.load(replica.shape, path)}"
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

    def _fill(self, made: list[tuple[Replica, str | None, str | None]], path: Path | None) -> None:
        """Read the large tables that were copied to the file `path`."""
        for replica, table, _ in made:
            if table is not None and path is not None:
                if not self._scanner:
                    from sqlagent.engines import extensions

                    try:
                        extensions.load(self._cursor, "sqlite_scanner")
                    except (duckdb.Error, Error):
                        self._scanner = False
                        raise Unsound(replica.name) from None
                    self._scanner = True
                try:
                    build.from_file(self._cursor, replica.shape, replica.physical, path, table)
                except NotColumnar as error:
                    self._refused[replica.name] = (error, replica.seq, self._schema)
                    raise
                except (duckdb.IOException, duckdb.CatalogException, duckdb.BinderException):
                    raise Unsound(replica.name) from None  # the folder was deleted
            if replica.rows == 0:
                delta.measure(self._cursor, replica)

    # Keeping copies -----------------------------------------------------------------------------

    def _deltas(
        self, reader: Handle, replicas: list[Replica], span: log.Span | None
    ) -> list[Delta]:
        """What the log has for each copy since its own entry."""
        found = []
        changed: dict[int, dict[str, tuple[int, bool]]] = {}
        for replica in replicas:
            if not replica.logged or span is None or span.high <= replica.seq:
                continue
            if replica.seq not in changed:
                changed[replica.seq] = log.entries(reader, replica.seq)
            if replica.name in changed[replica.seq]:
                try:
                    found.append(delta.read(reader, replica))
                except NotColumnar:
                    raise Unsound(replica.name) from None
        return found

    def _apply(self, made: list[Replica], deltas: list[Delta], changes: list[Change]) -> None:
        """All changes in one transaction, so that every query sees all copies at one log entry."""
        if not made and not deltas and not changes:
            return
        cursor = self._cursor
        cursor.execute("BEGIN")
        try:
            counts = [d.apply(cursor) for d in deltas]
            for replica in made:
                self._show(replica)
            self.parts.apply(cursor, changes)
            cursor.execute("COMMIT")
        except BaseException:
            self.parts.undone(changes)
            with contextlib.suppress(duckdb.Error):
                cursor.execute("ROLLBACK")
            raise
        self.parts.applied(changes)
        for replica in made:
            self._replicas[replica.name] = replica
            self._drafts.remove(replica.physical)
        for change, count in zip(deltas, counts, strict=True):
            change.applied(count)
            self._compact(change.replica)

    def _show(self, replica: Replica) -> None:
        """Let the table's name stand for this copy."""
        select = reads(replica.shape).format(replica.physical)
        view = f"main.{quoted(replica.shape.name)}"
        self._cursor.execute(f"CREATE OR REPLACE VIEW {view} AS {select}")

    def _compact(self, replica: Replica) -> None:
        """Make a copy anew, from itself, once it is mostly of rows that are deleted."""
        if replica.deleted < max(COMPACT_ROWS, replica.rows):
            return
        old, replica.physical = replica.physical, self._physical(replica.shape)
        self._cursor.execute("BEGIN")
        self._cursor.execute(f"CREATE TABLE {replica.physical} AS FROM {old}")
        self._show(replica)
        self._cursor.execute(f"DROP TABLE {old}")
        self._cursor.execute("COMMIT")
        replica.deleted = 0

    def _physical(self, shape: Shape) -> str:
        return f"{build.SCHEMA}.{quoted(f'{shape.name} {next(self._numbers)}')}"

    def _discard_drafts(self) -> None:
        while self._drafts:
            draft = self._drafts.pop()
            with contextlib.suppress(duckdb.Error):
                self._cursor.execute(f"DROP TABLE IF EXISTS {draft}")

    def _forget(self, names: Iterable[str]) -> None:
        """Drop copies; a query that runs on one keeps it until it ends."""
        for name in dict.fromkeys(names):
            replica = self._replicas.pop(name, None)
            if replica is not None:
                self.dropped += 1
                self._cursor.execute("BEGIN")
                self._cursor.execute(f"DROP VIEW IF EXISTS main.{quoted(replica.shape.name)}")
                self._cursor.execute(f"DROP TABLE IF EXISTS {replica.physical}")
                self._cursor.execute("COMMIT")

    def _save(self, replica: Replica, proof: str | None = None) -> None:
        if not replica.logged or replica.rows < ROWS_MIN:
            return
        if proof is None:
            with contextlib.suppress(apsw.Error, ProgrammingError):
                proof = identity(self._connection(), replica.shape, replica.seq)
        if proof is not None:
            self._snapshots.save(self._cursor, replica.shape, replica.physical, proof, replica.seq)


def _size(name: str, kind: str) -> str:
    """DuckDB's expression for the bytes of a value."""
    column = quoted(name)
    if kind in ("VARCHAR", "JSON"):
        return f"coalesce(strlen({column}), 0)"
    if kind == "BLOB":
        return f"coalesce(octet_length({column}), 0)"
    if kind.startswith("FLOAT["):
        return f"coalesce(4 * len({column}), 0)"
    return {"BOOLEAN": "1", "DATE": "4", "UUID": "16"}.get(kind, "8")


def _end(reader: Handle) -> None:
    if reader.in_transaction:
        reader.execute("COMMIT")  # what was copied out must reach its file


def _detach(reader: Handle) -> None:
    _end(reader)
    with contextlib.suppress(apsw.Error):
        reader.execute("DETACH sqlagent_copy")
