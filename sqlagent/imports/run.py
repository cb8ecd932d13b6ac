"""The runner of COPY … FROM (see the package)."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import duckdb

from sqlagent import clock
from sqlagent.catalog import Catalog, Table
from sqlagent.engines import schema
from sqlagent.engines.duck_errors import translate
from sqlagent.engines.sqlite import Database, Handle
from sqlagent.errors import DataError, NotSupportedError, ProgrammingError, nearest
from sqlagent.imports import documents, grow, match, rules, source
from sqlagent.imports.fit import kept
from sqlagent.imports.load import Row, load
from sqlagent.imports.match import Pair
from sqlagent.plan.plans import Import
from sqlagent.run.duck import Interruptible, engine
from sqlagent.run.writing import writing
from sqlagent.sync.log import literal, quoted
from sqlagent.values import pick, stored

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor

BATCH = 10_000
COLUMNS = [("imported", "BIGINT"), ("rejected", "BIGINT"), ("seconds", "DOUBLE")]
REJECT = (
    "INSERT INTO sqlagent_import_rejects (source, reason, import_id, table_name, record, "
    "column_name, value, rule, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
HINT = "ON_ERROR reject keeps such records, with the reason, in sqlagent_import_rejects."


class RunImport:
    """COPY … FROM: one file or pattern into one table, in one transaction."""

    collects = False  # whether the option COLLECTION is for this table

    def __init__(self, database: Database, plan: Import, text: str) -> None:
        self.database = database
        self.plan = plan
        self.text = text
        self.rejecting = plan.options.get("on_error") == "reject"

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        start = time.perf_counter()
        path = self.path(parameters)
        if documents.meant(self.plan, path):
            return documents.bring(connection, cursor, self.plan, path)
        if "collection" in self.plan.options and not self.collects:
            raise ProgrammingError(
                "COLLECTION is for vectors, and for files that become documents", sql=self.text,
                hint="COPY documents FROM 'folder/**/*.md' (COLLECTION 'handbook')",
            )  # fmt: skip
        files = self.files(path)
        catalog = self.catalog(connection)
        table = self.table(catalog)
        duck = engine(self.database, connection.settings["memory_limit_mb"])
        handle = Interruptible()
        connection.running[id(handle)] = handle
        try:
            with duck.session() as own:
                handle.started(own.interrupt)
                try:
                    done = self.bring(connection, own, files, catalog, table)
                except duckdb.Error as error:
                    raise translate(error, self.text) from None
        finally:
            connection.running.pop(id(handle), None)
        cursor._columns = COLUMNS
        cursor._iter = iter([(*done, round(time.perf_counter() - start, 3))])
        cursor.rowcount = done[0]

    # Before anything is read --------------------------------------------------------------------

    def path(self, parameters: Any) -> str:
        """The path or pattern, of the statement or of a parameter."""
        path: Any = self.plan.path
        if self.plan.slot is not None:
            (path,) = pick((self.plan.slot,), parameters)
        elif parameters:
            pick((), parameters)
        if not isinstance(path, str) or not path:
            raise DataError(f"a path is text, not {path!r:.60}")
        return path

    def files(self, path: str) -> list[str]:
        """The files, none of which is live here."""
        live = self.database.protected(path)
        found = [] if live else source.files_of(path)
        live = live or next(filter(None, map(self.database.protected, found)), None)
        if live is not None:
            raise NotSupportedError(
                f'"{os.path.basename(live)}" is open here: DuckDB must not open it too',
                hint="INSERT INTO t SELECT … FROM its tables by name",
            )
        return found

    def catalog(self, connection: Connection) -> Catalog:
        """The schema as the transaction sees it."""
        if connection.txn is not None:
            return schema.read_catalog(connection.txn)
        found: Catalog = schema.catalog(self.database)
        return found

    def table(self, catalog: Catalog) -> Table | None:
        """The target; None where it is to be made. Raises ProgrammingError."""
        name, options = self.plan.table, self.plan.options
        found = catalog.tables.get(name.lower())
        if found is not None and found.kind != "table":
            raise NotSupportedError(f'"{name}" is a {found.kind}: nothing can be copied into it')
        if found is None and not (options.get("create") or options.get("evolve")):
            near = nearest(name, catalog.tables)
            raise ProgrammingError(
                f'unknown table "{name}"', sql=self.text, position=self.plan.position,
                hint=near or f"CREATE makes it of the file's columns: COPY {name} FROM … (CREATE)",
                sqlstate="42P01",
            )  # fmt: skip
        return found

    # The import ---------------------------------------------------------------------------------

    def bring(
        self,
        connection: Connection,
        own: duckdb.DuckDBPyConnection,
        files: list[str],
        catalog: Catalog,
        table: Table | None,
    ) -> tuple[int, int]:
        """Read, check, write: (records in, records rejected)."""
        plan, options = self.plan, self.plan.options
        connection.report(f"reading {os.path.basename(files[0])}", 0)
        read = source.read(own, files, plan)
        pairs = match.match(plan, read, table)
        if options.get("evolve"):
            pairs = match.widened(own, pairs)
        match.check_may_grow(pairs, table)
        self.rules(connection, own, catalog, pairs, table)
        self.stop_at(own, read, len(read.broken))

        def work(handle: Handle) -> tuple[int, int]:
            if table is None:
                grow.create(handle, plan.table, pairs)
            else:
                grow.grow(handle, table.name, pairs)
            count = self.insert(connection, own, handle, pairs)
            self.chunk(handle)
            return count, self.keep(own, handle, read, pairs)

        done: tuple[int, int] = writing(connection, work, self.text, several=True)
        if table is None or any(p.new or p.wider for p in pairs):
            connection.schema_changed()
        return done

    def rules(
        self,
        connection: Connection,
        own: duckdb.DuckDBPyConnection,
        catalog: Catalog,
        pairs: list[Pair],
        table: Table | None,
    ) -> None:
        """Find the records that a rule keeps out."""
        options = self.plan.options
        rules.prepare(own, pairs)
        rules.types(own, pairs)
        settings = {"dialect": connection.settings["dialect"]}
        duck = engine(self.database)
        protected = self.database.protected
        rules.conditions(own, duck, catalog, pairs, options.get("check", ()), settings, protected)
        if "key" in options:
            rules.keys(own, duck, catalog, pairs, options["key"], table, settings, protected)

    def stop_at(self, own: duckdb.DuckDBPyConnection, read: source.Source, broken: int) -> None:
        """Raise DataError at the first reject, or where there are more than may be."""
        (found,) = own.execute("SELECT count(DISTINCT n) FROM rejects").fetchall()[0]
        count = int(found) + broken
        if not count:
            return
        limit = self.plan.options.get("max_rejects")
        if self.rejecting and (limit is None or count <= limit):
            return
        if read.broken:
            first = read.broken[0]
            at = f"line {first.line} of {os.path.basename(first.file)}: {first.reason}"
        else:
            n, reason, file = own.execute(
                f"SELECT r.n, r.reason, s.{source.FILE} FROM rejects r JOIN stage s "
                'ON r.n = s."sqlagent n" ORDER BY r.n LIMIT 1'
            ).fetchall()[0]
            at = f"record {n} of {os.path.basename(file)}: {reason}"
        if self.rejecting:
            raise DataError(
                f"{count:,} records are rejected, more than MAX_REJECTS {limit}; the first: {at}",
                sqlstate="22P04",
            )
        raise DataError(at, detail="nothing was imported", hint=HINT, sqlstate="22P04")

    def insert(
        self,
        connection: Connection,
        own: duckdb.DuckDBPyConnection,
        handle: Handle,
        pairs: list[Pair],
    ) -> int:
        """Insert the records that no rule keeps out; those that SQLite does go to `rejects`."""
        names = [quoted(p.column) for p in pairs]
        marks = ", ".join("?" * len(pairs))
        insert = f"INSERT INTO {quoted(self.plan.table)} ({', '.join(names)}) VALUES ({marks})"
        values = ", ".join(kept(n, p.kind) for n, p in zip(names, pairs, strict=True))
        nested = any(p.kind.startswith("FLOAT[") for p in pairs)
        refused: list[tuple[int, str]] = []

        def refuse(row: Row, reason: str) -> None:
            if not self.rejecting:
                raise DataError(
                    f"record {row[0]}: {reason}", detail="nothing was imported", hint=HINT,
                    sqlstate="23000",
                )  # fmt: skip
            refused.append((row[0], reason))
            limit = self.plan.options.get("max_rejects")
            if limit is not None and len(refused) > limit:
                raise DataError(f"more records are rejected than MAX_REJECTS {limit}: {reason}")

        own.execute(
            f'SELECT "sqlagent n", {values} FROM "{rules.RECORDS}" '
            'WHERE "sqlagent n" NOT IN (SELECT n FROM rejects) ORDER BY "sqlagent n"'
        )
        done = 0
        while rows := own.fetchmany(BATCH):
            if nested:
                rows = [tuple(map(stored, row)) for row in rows]
            done += load(handle, insert, rows, refuse)
            connection.report(self.plan.table, done)
        for at in range(0, len(refused), 500):
            listed = ", ".join(
                f"({n}, NULL, NULL, 'constraint', {literal(why)})"
                for n, why in refused[at : at + 500]
            )
            own.execute(f"INSERT INTO rejects VALUES {listed}")
        return done

    def keep(
        self,
        own: duckdb.DuckDBPyConnection,
        handle: Handle,
        read: source.Source,
        pairs: list[Pair],
    ) -> int:
        """Write the rejects with their reasons: how many records they are."""
        name = f"{clock.now()} {os.urandom(4).hex()}"
        table = self.plan.table
        handle.executemany(
            REJECT,
            [(b.file, b.reason, name, table, b.line, None, None, "record",
              _json(b.text)) for b in read.broken],
        )  # fmt: skip
        content = ", ".join(f"{quoted(p.source)} := s.{quoted(p.source)}" for p in pairs)
        own.execute(
            f"SELECT s.{source.FILE}, r.reason, r.n, r.column_name, r.value, r.rule, "
            f"CAST(to_json(struct_pack({content})) AS VARCHAR) "
            'FROM rejects r JOIN stage s ON r.n = s."sqlagent n" ORDER BY r.n'
        )
        while rows := own.fetchmany(BATCH):
            handle.executemany(REJECT, [(r[0], r[1], name, table, *r[2:]) for r in rows])
        (count,) = own.execute("SELECT count(DISTINCT n) FROM rejects").fetchall()[0]
        return int(count) + len(read.broken)

    def chunk(self, handle: Handle) -> None:
        """In memory a search cannot write while it reads: documents get their chunks at once."""
        if self.database.memory and self.plan.table.lower() == "documents":
            from sqlagent.sync.documents import chunk_pending

            while chunk_pending(handle):
                pass


def _json(text: str) -> str:
    from sqlagent.values import json_text

    return json_text({"text": text[:10_000]})


def runner(database: Database, plan: Import, text: str) -> RunImport:
    """The runner for the table."""
    if plan.table.lower() == "vectors":
        from sqlagent.imports.vectors_run import RunVectors

        return RunVectors(database, plan, text)
    return RunImport(database, plan, text)
