"""DuckDB's copies of the file's tables, brought up to the last commit before each query.

All copies are at one entry of the change log, and move on together in one DuckDB transaction, so a
query sees one state of the file. A copy has a physical name of its own in schema `columns` and a
view in `main` that bears the table's name and hides the rowid; a new copy replaces an old one by
replacing the view. (duckdb is imported with this module.)
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import apsw
import duckdb

from sqlagent.errors import OperationalError
from sqlagent.sync import delta, log, private
from sqlagent.sync.columns import NotColumnar, declared, quoted, reads
from sqlagent.sync.delta import COMPACT_ROWS, Delta, Replica, Unkept, Unsound
from sqlagent.sync.making import Maker, end
from sqlagent.sync.materialized import Views, plain
from sqlagent.sync.parts import Change, Parts
from sqlagent.sync.ready import Ready

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database, Handle
    from sqlagent.plan.plans import Materialized

ATTEMPTS = 5
ATTEMPTS_BESIDE = 40
SQUEEZE_ROWS = 250_000  # a commit of changes waits while they are compressed: 0.1 s


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
        self._seen: tuple[Any, ...] | None = None
        self._schema = -1
        self._ready = Ready(database)
        self._maker = Maker(database, cursor, self._ready)
        self._views = Views(cursor)
        self._loose = 0  # rows that came since the columns were last compressed
        self.dropped = 0  # copies dropped so far: a query between two steps may have missed one
        self.parts = Parts(database)  # of the tables that are kept as columns

    # What callers use ---------------------------------------------------------------------------

    def fresh(
        self,
        tables: Iterable[str],
        views: Sequence[Materialized] = (),
        beside: Callable[[], None] | None = None,
    ) -> int:
        """Bring the copies of `tables` (and all that exist) up to the last commit, and hold the
        rows of `views`, unless the schema is not that of their plan any more: `dropped` then.

        `beside` begins a read transaction of the caller's, anew each time that it is called: the
        copies are then of the very commit that the last one sees.
        Raises NotColumnar for a table that cannot be columns, ProgrammingError for one that is not,
        and for a view that no longer fits its tables, Overtaken where the two could not be brought
        together.
        """
        wanted = [t.lower() for t in tables]
        with self.lock:
            seen = self._now()
            known = self._replicas.keys() | self.parts.copies.keys()
            there = (
                seen == self._seen
                and known.issuperset(wanted)
                and (not views or self._views.has(views))
            )
            if there and beside is None:
                return self.dropped
            self._ready.busy.clear()
            for _ in range(ATTEMPTS if beside is None else ATTEMPTS_BESIDE):
                try:
                    if self._catch_up(wanted, views, beside):
                        return self.dropped
                except Unsound as error:
                    self._forget([error.name])
                except Unkept as error:
                    with self._moving():
                        for name in self._views.over(error.name):
                            self._views.let_go(name)
                except apsw.Error as error:
                    from sqlagent.engines.sqlite_errors import translate

                    raise translate(error) from None
                except duckdb.Error as error:  # such as memory that ran out
                    from sqlagent.engines import duck_errors

                    raise duck_errors.translate(error) from None
                finally:
                    self._maker.discard_drafts()
            if beside is not None:
                raise Overtaken("others commit faster than two transactions can begin")
            raise OperationalError("the columns could not catch up: the schema keeps changing")

    @property
    def schema(self) -> int:
        """The schema_version of the file that the copies are of."""
        return self._schema

    def views(self) -> list[tuple[str, str, int]]:
        """Of each materialised view whose rows are held: name, how it is kept, rows."""
        with self.lock:
            held = self._views.held.values()
            return [(h.view.name, h.how, len(h)) for h in held]

    def let_go(self, name: str) -> None:
        """Forget the rows of a materialised view, to be made anew when it is wanted."""
        with self.lock, self._moving():
            self._views.forget(name.lower())
            self.dropped += 1

    def progress(self, tables: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Of each of `tables` that has a copy: its rows, and how many log entries it is behind."""
        with self.lock:
            reader = self._connection()
            found = {}
            for name in tables:
                replica = self._replicas.get(name.lower())
                if replica is not None:
                    entries = log.entries(reader, replica.seq) if replica.logged else {}
                    found[name] = (replica.rows, entries.get(replica.name, (0, False))[0])
            return found

    @property
    def loads(self) -> int:
        """How many tables came from disk."""
        return self._maker.loads

    @property
    def copies(self) -> Mapping[str, Replica]:
        """The copies of tables by lower-case name, as they are at this moment."""
        return self._replicas

    def names(self) -> list[str]:
        """The tables that have copies."""
        return [*self._replicas, *self.parts.copies]

    def save(self) -> None:
        """Keep the state of large tables on disk, where they have moved on since the last time."""
        with self.lock:
            for replica in self._replicas.values():
                self._maker.save(self._connection(), replica)

    def rebuild(self) -> None:
        """Forget every copy and snapshot; each is made anew at its next use."""
        with self.lock:
            self._forget(list(self._replicas))
            for name in list(self._views.known):
                self.let_go(name)
            self.parts.forget(self._cursor)
            self._seen = None
            self._maker.refused.clear()
            self._ready.unlogged.clear()
            self._maker.snapshots.clear()

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
        self,
        tables: Iterable[str],
        connection: apsw.Connection,
        cursor: duckdb.DuckDBPyConnection,
        views: Sequence[Materialized] = (),
    ) -> None:
        """Begin a transaction on `cursor` where `tables` are as `connection`, in its own, has them.

        A materialised view is its SELECT there. Raises NotColumnar, ProgrammingError.
        """
        with self.lock:  # so that the copies stay where they are until the cursor has seen them
            cursor.execute("BEGIN")
            known = {} if getattr(cursor, "shared", False) else self._replicas
            for table in tables:
                if self.parts.private(cursor, connection, table) is not None:
                    continue
                private.make(cursor, connection, table, known.get(table.lower()), self._schema)
            for view in views:
                _stand(cursor, view)

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

    def _catch_up(
        self,
        wanted: Sequence[str],
        views: Sequence[Materialized],
        beside: Callable[[], None] | None,
    ) -> bool:
        """One attempt; False when triggers were made and the state must be read again, or when
        somebody committed between the beginning of `beside` and ours."""
        reader = self._connection()
        missing = [w for w in wanted if w not in self._replicas]
        with contextlib.ExitStack() as stack:
            path = self._maker.attach(reader, missing, stack)
            seen = self._now()  # before the snapshot is taken: never later than it
            if beside is not None:
                beside()
            reader.execute("BEGIN")
            stack.callback(end, reader)
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
            unready = [m for m in missing if not self._ready.ready(reader, m, span)]
            if unready:
                end(reader)
                for name in unready:
                    self._schema = self._ready.install(name, self._schema)
                return False
            self._maker.check_refused(reader, missing, schema)
            made = [self._maker.make(reader, m, span, schema, path) for m in missing]
            deltas = self._deltas(reader, [*self._replicas.values(), *(m[0] for m in made)], span)
            end(reader)
            if path is not None:
                reader.execute("DETACH sqlagent_copy")
            self._maker.fill(made, path, schema)
            # A plan of another schema may have views that are defined otherwise by now.
            current = [v for v in views if v.version == schema]
            self._apply([m[0] for m in made], deltas, changes, current)
        for replica, _, proof in made:
            if proof is not None:
                self._maker.save(reader, replica, proof)
        high = span.high if span is not None else 0
        for replica in self._replicas.values():
            replica.seq = high
        self._seen, self._schema = seen, schema
        return True

    def _check_shapes(self, reader: Handle, span: log.Span | None, schema: int) -> None:
        """After a change of the schema: drop the copies that may no longer be the table's."""
        self._maker.refused.clear()
        self._forget_views(reader)
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

    def _forget_views(self, reader: Handle) -> None:
        """Forget the materialised views that somebody dropped."""
        if not self._views.known:
            return
        with contextlib.suppress(apsw.SQLError):
            rows = log.rows(
                reader,
                "SELECT lower(name) FROM sqlagent_definitions WHERE kind = 'materialized view'",
            )
            for name in set(self._views.known) - {r[0] for r in rows}:
                self.let_go(name)

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

    def _apply(
        self,
        made: list[Replica],
        deltas: list[Delta],
        changes: list[Change],
        views: Sequence[Materialized],
    ) -> None:
        """All changes in one transaction, so that every query sees all copies at one log entry."""
        if not made and not deltas and not changes and self._views.has(views):
            return
        with self._moving(changes):
            counts = [d.apply(self._cursor, self._views.follow(d)) for d in deltas]
            for replica in made:
                self._show(replica)
            for part in changes:
                for name in self._views.over(part.name):
                    self._views.let_go(name)
            self.parts.apply(self._cursor, changes)
            known = self._replicas | {r.name: r for r in made}
            self._views.want(views, known)
        self.parts.applied(changes)
        for replica in made:
            self._replicas[replica.name] = replica
            self._maker.drafts.remove(replica.physical)
        for change, count in zip(deltas, counts, strict=True):
            change.applied(count)
            self._compact(change.replica)
        self._loose += sum(r.rows for r in made) + sum(d.rows.num_rows for d in deltas)
        if self._loose >= SQUEEZE_ROWS or any(c.fresh for c in changes):
            self._squeeze()
        if deltas and self._views.worn():
            with self._moving():
                self._views.compact()

    @contextlib.contextmanager
    def _moving(self, changes: list[Change] | None = None) -> Iterator[None]:
        """A transaction of DuckDB, in which what is known of the views moves too."""
        cursor = self._cursor
        cursor.execute("BEGIN")
        try:
            with self._views.moving():
                yield
                cursor.execute("COMMIT")
        except BaseException:
            self.parts.undone(changes or [])
            with contextlib.suppress(duckdb.Error):
                cursor.execute("ROLLBACK")
            raise

    def _show(self, replica: Replica) -> None:
        """Let the table's name stand for this copy."""
        select = reads(replica.shape).format(replica.physical)
        view = f"main.{quoted(replica.shape.name)}"
        self._cursor.execute(f"CREATE OR REPLACE VIEW {view} AS {select}")

    def _compact(self, replica: Replica) -> None:
        """Make a copy anew, from itself, once it is mostly of rows that are deleted."""
        if replica.deleted < max(COMPACT_ROWS, replica.rows):
            return
        old, replica.physical = replica.physical, self._maker.physical(replica.shape)
        self._cursor.execute("BEGIN")
        self._cursor.execute(f"CREATE TABLE {replica.physical} AS FROM {old}")
        self._show(replica)
        self._cursor.execute(f"DROP TABLE {old}")
        self._cursor.execute("COMMIT")
        replica.deleted = 0

    def _squeeze(self) -> None:
        """Compress what has come, now that it is much: DuckDB keeps what comes as it is."""
        self._loose = 0
        with contextlib.suppress(duckdb.Error):  # it can be done the next time
            self._cursor.execute("CHECKPOINT")

    def _forget(self, names: Iterable[str]) -> None:
        """Drop copies; a query that runs on one keeps it until it ends."""
        for name in dict.fromkeys(names):
            replica = self._replicas.pop(name, None)
            if replica is not None:
                self.dropped += 1
                with self._moving():
                    for view in self._views.over(name):
                        self._views.forget(view)
                    self._cursor.execute(f"DROP VIEW IF EXISTS main.{quoted(replica.shape.name)}")
                    self._cursor.execute(f"DROP TABLE IF EXISTS {replica.physical}")


def _stand(cursor: duckdb.DuckDBPyConnection, view: Materialized) -> None:
    """A TEMP view that is the SELECT of a materialised one, over what the cursor sees."""
    for inner in view.views:
        _stand(cursor, inner)
    cursor.execute(f"CREATE OR REPLACE TEMP VIEW {quoted(view.name)} AS {plain(view)}")


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
