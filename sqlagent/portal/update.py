"""The contents of a portal, brought to what one read transaction of the file sees.

(duckdb and pyarrow are imported with this module.)
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw
import duckdb

from sqlagent import clock
from sqlagent.engines import extensions, schema
from sqlagent.portal import FORMAT, contents, views
from sqlagent.portal.tables import PortalMaker, Tables, probe
from sqlagent.sync import log
from sqlagent.sync.columns import quoted
from sqlagent.sync.delta import Unsound
from sqlagent.sync.making import end
from sqlagent.sync.parts import Parts
from sqlagent.sync.ready import Ready
from sqlagent.sync.scrub import erased_since
from sqlagent.sync.snapshot import file_id

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.engines.sqlite import Handle

BEHIND_MAX = 50_000  # entries of the log after which its place is noted, though nothing changed
OURS = "SELECT view_name FROM duckdb_views() WHERE NOT internal AND schema_name = 'main'"


class Update:
    """One update of the portal that `root` has open. `texts` are tables whose values are not of
    their declared types, and why; `seq` is the log entry that it is of, once it has run.

    Raises NotColumnar for one more such table, Unsound where it must be made from nothing.
    """

    def __init__(
        self, connection: Connection, root: duckdb.DuckDBPyConnection, texts: dict[str, str]
    ) -> None:
        self.connection = connection
        self.database = connection.database
        self.root = root
        self.texts = texts
        self.seq = 0
        self.ready = Ready(self.database)
        self.maker = PortalMaker(self.database, root, self.ready)
        self.state: dict[str, Any] = dict(
            root.execute("SELECT name, value FROM sqlagent.state").fetchall()
        )

    def run(self) -> bool:
        """Whether there was something to do."""
        reader = self.database.open()
        try:
            with contextlib.suppress(apsw.Error):
                reader.execute("PRAGMA query_only = OFF")  # for what it attaches, see `Maker`
            names = contents.names(reader)
            span = log.span(reader) or log.Span(0, 0)
            for name in names:
                if contents.wants_log(reader, name) and not self.ready.ready(reader, name, span):
                    self.ready.install(name, -1)
            with contextlib.ExitStack() as stack:
                return self._within(reader, names, stack)
        finally:
            reader.close()

    def _within(self, reader: Handle, names: list[str], stack: contextlib.ExitStack) -> bool:
        root = self.root
        have = {
            row[0].lower() for row in root.execute("SELECT name FROM sqlagent.tables").fetchall()
        }
        path = self.maker.attach(reader, [n for n in names if n not in have], stack)
        if path is not None:
            extensions.load(root, "sqlite_scanner")  # before the transaction
            self.maker.scanner = True
        reader.execute("BEGIN")
        stack.callback(end, reader)
        span = log.span(reader) or log.Span(0, 0)
        self.seq = span.high
        if have and not self._continues(reader, span):
            raise Unsound("portal")
        version = log.number(reader, "schema_version")
        told = {
            "file": file_id(reader), "format": FORMAT, "seq": str(span.high),
            "mark": str(log.fingerprint(reader, span.high)), "written_at": clock.now(),
            "version": contents.version(reader, version, self.database.path),
        }  # fmt: skip
        root.execute("BEGIN")
        tables = Tables(root, self.maker, Parts(self.database))
        self._bring(reader, tables, span, version, path, names)
        moved = self.state.get("version") != told["version"]
        behind = span.high - int(self.state.get("seq", 0)) > BEHIND_MAX
        if have and not (tables.changed or moved or behind):
            root.execute("ROLLBACK")
            return False
        root.execute("COMMIT")  # a view that fails would end the transaction of all
        if moved:
            self._over(tables, contents.left_out(reader))
        root.execute("BEGIN")
        tables.save()
        self.state |= told
        root.execute("DELETE FROM sqlagent.state")
        root.execute(
            "INSERT INTO sqlagent.state SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[])",
            [list(self.state), list(self.state.values())],
        )
        root.execute("COMMIT")
        return True

    def _continues(self, reader: Handle, span: log.Span) -> bool:
        """Whether the portal is of an earlier state of this very file, and of nothing erased."""
        seq = int(self.state.get("seq", 0))
        return (
            self.state.get("file") == file_id(reader)
            and self.state.get("format") == FORMAT
            and seq <= span.high
            and self.state.get("mark") == str(log.fingerprint(reader, seq))
            and not erased_since(reader, seq)
        )

    def _bring(
        self,
        reader: Handle,
        tables: Tables,
        span: log.Span,
        version: int,
        path: Path | None,
        names: list[str],
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
            logged = self.ready.loggable(reader, name, span) and log.installed(reader, name)
            made = tables.bring(reader, name, span, logged, version, path)
            if made is not None:
                large.append((made, "" if logged else probe(reader, made[0].shape)))
        if large:
            end(reader)  # what was copied out must reach its file
            reader.execute("DETACH sqlagent_copy")
            self.maker.fill([made for made, _ in large], path, version)
            for made, seen in large:
                tables.keep(made[0], span.high, seen)

    def _over(self, tables: Tables, left: dict[str, str]) -> None:
        """The views and macros, anew; `left` are the tables that are left out, and why."""
        catalog = schema.catalog(self.database)
        self.state = {n: v for n, v in self.state.items() if not n.startswith("left ")}
        stay = {known.name for known in tables.known.values()} | {"sqlagent_portal"}
        for (name,) in self.root.execute(OURS).fetchall():
            if name not in stay:
                self.root.execute(f"DROP VIEW IF EXISTS main.{quoted(name)}")
        lance = os.path.join(str(self.database.folder), "lance")
        left |= views.views(self.connection, self.root, catalog)
        left |= views.macros(self.root, catalog, self.database.path, lance)
        self.state |= {f"left {name}": why for name, why in left.items()}
        self.root.execute(views.PORTAL)
