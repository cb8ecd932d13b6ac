"""Bringing the portal up to the last commit.

A copy of the portal that is there is brought up to date, table by table, from one read transaction,
and takes its place with one rename: a client has the old one or the new one, never half of either.
(duckdb is imported when there is something to do.)
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
import stat
import time
from typing import TYPE_CHECKING, Any

from sqlagent import clock
from sqlagent.errors import OperationalError
from sqlagent.portal import FORMAT, path_of
from sqlagent.sync.scrub import erased_since

if TYPE_CHECKING:
    import duckdb

    from sqlagent.connection import Connection
    from sqlagent.engines.sqlite import Handle

BEHIND_MAX = 50_000  # entries of the log after which its place is noted, though nothing changed
MEMORY_MB = 1024
WASTE_MIN = 64  # free blocks of 256 KB, from which on more than are used have it made anew
SLACK_S = 0.02  # the clock that stamps files is coarse


def refresh(connection: Connection, *, wait: bool = True) -> bool:
    """Bring the portal of a connection's file up to the last commit; whether it was written.

    Nothing is done for a database in memory or opened read-only. With `wait=False` it is left to
    another process that is at it. Raises OperationalError where the disk fails.
    """
    database = connection.database
    folder = database.folder
    if folder is None or database.read_only:
        return False
    try:
        with _alone(folder, wait) as mine:
            return mine and _Refresh(connection, folder).run()
    except OSError as error:
        raise OperationalError(f"the portal cannot be written: {error}") from None


def remove(folder: str) -> None:
    """Remove the portal; it is made anew by the next refresh."""
    for path in (path_of(folder), *glob.glob(glob.escape(folder) + "/portal-*.tmp*")):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


@contextlib.contextmanager
def _alone(folder: str, wait: bool) -> Any:
    """Hold the lock of who writes the portal."""
    os.makedirs(folder, exist_ok=True)
    lock = os.open(os.path.join(folder, "portal.lock"), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(lock)


def _wasted(root: duckdb.DuckDBPyConnection) -> bool:
    """Whether most of the file is room that nothing uses."""
    row = root.execute("SELECT used_blocks, free_blocks FROM pragma_database_size()").fetchone()
    return row is not None and row[1] > max(WASTE_MIN, row[0])


class _Refresh:
    """One refresh, by whoever has the lock."""

    def __init__(self, connection: Connection, folder: str) -> None:
        self.connection = connection
        self.database = connection.database
        self.folder = folder
        self.target = path_of(folder)
        self.work = os.path.join(folder, f"portal-{os.getpid()}.tmp")
        self.began = 0.0
        self.seq = 0
        self.texts: dict[str, str] = {}  # tables whose values do not fit their types, and why

    def run(self) -> bool:
        from sqlagent.sync.columns import NotColumnar
        from sqlagent.sync.delta import Unsound

        self._tidy()
        try:
            fresh = True
            for _ in range(100):
                try:
                    return self._attempt(copy=fresh)
                except NotColumnar as error:
                    self.texts[error.table.lower()] = error.reason
                except Unsound:
                    fresh = False  # from nothing
            raise OperationalError("the tables keep changing what they are")
        finally:
            self._tidy()

    def _attempt(self, copy: bool) -> bool:
        import duckdb

        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.work)
        self.began = time.time() - SLACK_S
        if copy and os.path.exists(self.target):
            shutil.copyfile(self.target, self.work)
        try:
            root = self._open()
        except duckdb.Error:  # damaged, or of a newer DuckDB: it is derived
            os.unlink(self.work)
            root = self._open()
        try:
            written = self._update(root)
            if written:
                root.execute("CHECKPOINT")
            wasted = written and copy and _wasted(root)
        finally:
            root.close()
        if wasted:
            return self._attempt(copy=False)
        if written:
            self._place()
        if os.path.exists(self.target):  # as new as what it was made from, see `keeper`
            os.utime(self.target, (self.began, self.began))
        return written

    def _open(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        from sqlagent.portal.tables import SCHEMA

        root = duckdb.connect(
            self.work,
            config={
                "threads": 1, "memory_limit": f"{MEMORY_MB}MB", "temp_directory": "",
                "autoinstall_known_extensions": False, "autoload_known_extensions": False,
            },
        )  # fmt: skip
        try:
            root.execute(SCHEMA)
        except BaseException:
            root.close()
            raise
        return root

    def _place(self) -> None:
        """Let the new one take the old one's place; nobody writes it, and who may read the file
        may read it."""
        mode = stat.S_IMODE(os.stat(self.database.path).st_mode) & 0o444
        os.chmod(self.work, mode)
        os.replace(self.work, self.target)
        with self.database.read() as reader:
            if erased_since(reader, self.seq):  # meanwhile: the folder may be clean already
                os.unlink(self.target)

    def _tidy(self) -> None:
        for path in glob.glob(glob.escape(self.folder) + "/portal-*.tmp*"):
            with contextlib.suppress(OSError):
                os.unlink(path)

    # The contents -------------------------------------------------------------------------------

    def _update(self, root: duckdb.DuckDBPyConnection) -> bool:
        from sqlagent.portal import contents
        from sqlagent.portal.tables import PortalMaker, Tables
        from sqlagent.sync import log
        from sqlagent.sync.making import end
        from sqlagent.sync.parts import Parts
        from sqlagent.sync.ready import Ready
        from sqlagent.sync.snapshot import file_id

        ready = Ready(self.database)
        maker = PortalMaker(self.database, root, ready)
        reader = self.database.open()
        try:
            with contextlib.suppress(Exception):
                reader.execute("PRAGMA query_only = OFF")  # for what it attaches, see `Maker`
            names = contents.names(reader)
            span = log.span(reader) or log.Span(0, 0)
            for name in names:
                if not contents.is_columns(reader, name) and not ready.ready(reader, name, span):
                    ready.install(name, -1)
            with contextlib.ExitStack() as stack:
                state = dict(root.execute("SELECT name, value FROM sqlagent.state").fetchall())
                have = {
                    r[0].lower()
                    for r in root.execute("SELECT name FROM sqlagent.tables").fetchall()
                }
                path = maker.attach(reader, [n for n in names if n not in have], stack)
                if path is not None:
                    from sqlagent.engines import extensions

                    extensions.load(root, "sqlite_scanner")
                    maker.scanner = True
                reader.execute("BEGIN")
                stack.callback(end, reader)
                span = log.span(reader) or log.Span(0, 0)
                self.seq = span.high
                schema = log.number(reader, "schema_version")
                same = (
                    state.get("file") == file_id(reader)
                    and state.get("format") == FORMAT
                    and int(state.get("seq", 0)) <= span.high
                    and state.get("mark") == str(log.fingerprint(reader, int(state.get("seq", 0))))
                    and not erased_since(reader, int(state.get("seq", 0)))
                )
                if have and not same:
                    from sqlagent.sync.delta import Unsound

                    raise Unsound("portal")
                root.execute("BEGIN")
                tables = Tables(root, maker, Parts(self.database))
                self._bring(reader, tables, ready, span, schema, path, names)
                version = contents.version(reader, schema, self.database.path)
                moved = state.get("version") != version
                behind = span.high - int(state.get("seq", 0)) > BEHIND_MAX
                if not tables.changed and not moved and not behind and have:
                    root.execute("ROLLBACK")
                    return False
                if moved or tables.changed:
                    self._over(root, tables, state, schema, moved)
                tables.save()
                state |= {
                    "file": file_id(reader), "format": FORMAT, "seq": str(span.high),
                    "mark": str(log.fingerprint(reader, span.high)), "version": version,
                    "written_at": clock.now(),
                }  # fmt: skip
                root.execute("DELETE FROM sqlagent.state")
                root.execute(
                    "INSERT INTO sqlagent.state SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[])",
                    [list(state), list(state.values())],
                )
                root.execute("COMMIT")
            return True
        finally:
            reader.close()

    def _bring(
        self, reader: Handle, tables: Any, ready: Any, span: Any, schema: int, path: Any, names: Any
    ) -> None:
        """Every table to what the reader sees; those that are gone, away."""
        for gone in [n for n in tables.known if n not in names]:
            tables.drop(gone)
        large = []
        for name in names:
            known = tables.known.get(name)
            why = self.texts.get(name) or (known.note if known is not None else None)
            if why:
                tables.as_text(reader, name, why)
                continue
            logged = ready.loggable(reader, name, span)
            made = tables.bring(reader, name, span, logged, schema, path)
            if made is not None:
                large.append((made, logged))
        if large:
            from sqlagent.portal.tables import probe
            from sqlagent.sync.making import end

            seen = [("" if logged else probe(reader, m[0].shape)) for m, logged in large]
            end(reader)  # what was copied out must reach its file
            reader.execute("DETACH sqlagent_copy")
            tables.maker.fill([m for m, _ in large], path, schema)
            for (made, _), mark in zip(large, seen, strict=True):
                tables.keep(made[0], span.high, mark)

    def _over(
        self, root: Any, tables: Any, state: dict[str, Any], schema: int, moved: bool
    ) -> None:
        """The views and macros, anew where a definition or a table is another."""
        from sqlagent.engines import schema as schemas
        from sqlagent.portal import views

        catalog = schemas.catalog(self.database)
        for name in [n for n in state if n.startswith("left ")]:
            del state[name]
        root.execute("COMMIT")  # a view that fails would end the transaction of all
        before = {
            row[0]
            for row in root.execute(
                "SELECT view_name FROM duckdb_views() WHERE NOT internal AND schema_name = 'main'"
            ).fetchall()
        }
        stay = {k.name for k in tables.known.values()} | {"sqlagent_portal"}
        for name in before - stay:
            root.execute(f'DROP VIEW IF EXISTS main."{name.replace(chr(34), chr(34) * 2)}"')
        lance = os.path.join(self.folder, "lance")
        left = views.views(self.connection, root, catalog)
        left |= views.macros(root, catalog, self.database.path, lance)
        state |= {f"left {name}": why for name, why in left.items()}
        root.execute(views.PORTAL)
        root.execute("BEGIN")
