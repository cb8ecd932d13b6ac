"""A read over several SQLite files that SQLite runs by itself: no row passes to another engine.

A reader of the file attaches the others, by the one SQLite library of this process, for the length
of the statement.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import apsw

from sqlagent.engines.sqlite import Database, Handle, translate
from sqlagent.errors import OperationalError
from sqlagent.plan.plans import Duck, Lite
from sqlagent.run.lite import FIRST_ROWS, Runnable
from sqlagent.run.writing import limited

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor

SLOW_MS = 50.0  # above it, a statement over files at rest is better off with rows that are kept
PATIENCE = 2


class Stale(OperationalError):
    """A table that is read has other columns than when the statement was planned."""


class Across(Runnable):
    """The runner of `Duck.across`. `may` says whether it is worth it this time."""

    def __init__(self, database: Database, duck: Duck, plan: Lite, text: str) -> None:
        super().__init__(database, plan, text)
        self.aliases = tuple(dict.fromkeys(f.source for f in duck.feeds if f.source))
        self.searched = frozenset(duck.searched)
        self.named = [(f.source, f.table.lower()) for f in duck.feeds]
        self.named += [("main", t) for t in (*duck.tables, *plan.tables)]
        self.unfit: bool | None = None  # SQLite would scan a lot, or compare by a collation
        self.slow = 0  # runs so far that were slow, of files that had not changed
        self.tokens: tuple[Any, ...] = ()

    def may(self, connection: Connection) -> bool:
        """Whether SQLite can run it now, and is not known to be slow at it."""
        if connection.txn is not None or self.unfit or self.database.memory:
            return False
        return self.slow < PATIENCE or self.tokens != self.seen(connection)

    def seen(self, connection: Connection) -> tuple[Any, ...]:
        """The commits of the attached files, as far as they are known."""
        return tuple(connection.sources[a].token() for a in self.aliases)

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        start = time.perf_counter()
        stack = contextlib.ExitStack()
        try:
            handle = stack.enter_context(contextlib.closing(self.database.open(uri=True)))
            stack.enter_context(limited(connection, handle))
            for alias in self.aliases:
                self.attach(connection, handle, alias)
            self.prepare(connection, handle)
            self.columns = None  # a file that somebody else changes may have others
            found = self.start(handle, parameters)
            if self.unfit is None:
                self.unfit = self.scanned(handle, parameters) or self.collated(connection, handle)
            if self.unfit:
                stack.close()
                connection._run(cursor, self.text, parameters)
                return
            rows = list(islice(found, FIRST_ROWS))
        except BaseException as error:
            stack.close()
            raise translate(error, self.text) from None
        cursor._columns = self.columns_of(connection, rows)
        iterator: Any = self.give(stack, rows, found)
        if len(rows) < FIRST_ROWS:
            iterator = iter(rows)
            stack.close()
            self.judge(connection, 1000 * (time.perf_counter() - start))
        else:
            cursor._close = iterator.close
            iterator = chain((next(iterator),), iterator)
        cursor._iter = map(self.convert, iterator) if self.convert else iterator

    def attach(self, connection: Connection, handle: Handle, alias: str) -> None:
        """ATTACH a file that is there: one that has gone is not to be made anew."""
        source = connection.sources[alias]
        check = getattr(source, "check", None)
        if check is not None:
            check()
        database = source.database
        mode = "ro" if database.read_only else "rw"
        uri = f"file:{quote(os.path.abspath(database.path))}?mode={mode}"
        handle.execute(f"ATTACH ? AS {_quoted(alias)}", (uri,))

    def scanned(self, handle: Handle, parameters: Any) -> bool:
        """Whether SQLite's plan scans a table that an index should serve."""
        if not self.searched:
            return False
        from sqlagent.values import pick, stored_all

        values = pick(self.slots, parameters)
        plan = handle.execute("EXPLAIN QUERY PLAN " + self.sql, stored_all(values)).fetchall()
        scans = {m[1].lower() for row in plan if (m := re.match(r"SCAN (\S+)", str(row[3])))}
        return not scans.isdisjoint(self.searched)

    def collated(self, connection: Connection, handle: Handle) -> bool:
        """Whether a table has a collation of its own, where DuckDB compares bytes."""
        if connection.settings["dialect"] == "sqlite":
            return False
        return any(
            handle.execute(
                f"SELECT 1 FROM {_quoted(source or 'main')}.sqlite_schema WHERE type = 'table'"
                " AND lower(name) = ? AND instr(upper(sql), 'COLLATE')", (table,),
            ).fetchone() is not None
            for source, table in self.named
        )  # fmt: skip

    def judge(self, connection: Connection, ms: float) -> None:
        """Learn from a run: a slow one of files that rest wants its rows kept in DuckDB."""
        tokens = self.seen(connection)
        if tokens != self.tokens:
            self.slow = 0
        self.tokens = tokens
        if ms > SLOW_MS and None not in tokens:
            self.slow += 1

    def give(
        self, stack: contextlib.ExitStack, rows: list[Any], found: Any
    ) -> Iterator[tuple[Any, ...]]:
        """Many rows, as they are asked for."""
        try:
            yield from rows
            yield from found
        except apsw.Error as error:
            raise translate(error, self.text) from None
        finally:
            found.close(True)
            stack.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
