"""Tables that are kept as columns: their Parquet parts in the file, and DuckDB's copy of them.

The file is the truth. DuckDB has a table of all rows of a table's parts, with the number of the
part that each came from, and moves on in the same transaction as the copies of ordinary tables:
parts that are gone are deleted, new ones are read. A part never changes, so its stamp says all.
(duckdb is imported with this module.)
"""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw
import duckdb

from sqlagent.plan.names import ALL, PART
from sqlagent.sync.log import literal, quoted

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database
    from sqlagent.parse.layout import Layout

PART_ROWS = 500_000
PART_BYTES = 256 << 20  # a part that comes out larger is made again as two
# So many parts of a like size become one, so a row is written again once for each power of it.
MERGED = 16


@dataclass
class Copy:
    """DuckDB's copy of a table: its physical name, and the number of each part by stamp."""

    layout: Layout
    physical: str
    parts: dict[str, int] = field(default_factory=dict)


@dataclass
class Change:
    """What is between a copy and the file: stamps that are gone, and files of new parts."""

    name: str
    copy: Copy | None  # None: the table is gone
    fresh: bool = False  # the copy is to be made
    gone: list[str] = field(default_factory=list)
    come: list[tuple[str, Path]] = field(default_factory=list)


class Parts:
    """The copies of one file in one DuckDB instance; `Replicas` calls it under its lock."""

    def __init__(self, database: Database) -> None:
        self._folder = database.folder
        self.copies: dict[str, Copy] = {}
        self._numbers = iter(range(1, 1 << 62))

    def gather(self, reader: apsw.Connection, wanted: Iterable[str]) -> list[Change]:
        """What has changed for the copies that exist and the tables that are wanted, as the
        reader's snapshot has it."""
        changes = []
        for name in dict.fromkeys([*self.copies, *wanted]):
            found = defined(reader, name)
            copy = self.copies.get(name)
            if found is None:
                if copy is not None:
                    changes.append(Change(name, None))
                continue
            change = Change(name, copy)
            if copy is None or copy.layout != found:
                physical = f"columns.{quoted(f'{name} parts {next(self._numbers)}')}"
                change = Change(name, Copy(found, physical), fresh=True)
            assert change.copy is not None
            stamps = stamps_of(reader, name)
            change.gone = [s for s in change.copy.parts if s not in stamps]
            for stamp in stamps:
                if stamp not in change.copy.parts:
                    change.come.append((stamp, self.unpacked(reader, stamp)))
            if change.fresh or change.gone or change.come:
                changes.append(change)
        return changes

    def apply(self, cursor: duckdb.DuckDBPyConnection, changes: list[Change]) -> None:
        """Make the copies what the file has, in the transaction of `cursor`."""
        for change in changes:
            old = self.copies.get(change.name)
            if old is not None and (change.copy is None or change.fresh):
                cursor.execute(f"DROP VIEW IF EXISTS main.{quoted(change.name)}")
                cursor.execute(f"DROP TABLE {old.physical}")
            copy = change.copy
            if copy is None:
                continue
            if change.fresh:
                columns = ", ".join(f"{quoted(f.name)} {f.type}" for f in copy.layout.fields)
                cursor.execute(f"CREATE TABLE {copy.physical} ({columns}, {quoted(PART)} BIGINT)")
                cursor.execute(
                    f"CREATE OR REPLACE VIEW main.{quoted(change.name)} AS"
                    f" SELECT {listed(copy.layout)} FROM {copy.physical}"
                )
            if change.gone:
                numbers = ", ".join(str(copy.parts[s]) for s in change.gone)
                cursor.execute(f"DELETE FROM {copy.physical} WHERE {quoted(PART)} IN ({numbers})")
            for stamp, path in change.come:
                number = next(self._numbers)
                cursor.execute(
                    f"INSERT INTO {copy.physical} {selected(cursor, copy.layout, path, number)}"
                )
                copy.parts[stamp] = -number  # negative until the transaction is committed

    def applied(self, changes: list[Change]) -> None:
        """The transaction was committed: the copies are what they were made."""
        for change in changes:
            if change.copy is None:
                self.copies.pop(change.name, None)
                continue
            for stamp in change.gone:
                change.copy.parts.pop(stamp, None)
            for stamp, _ in change.come:
                change.copy.parts[stamp] = abs(change.copy.parts[stamp])
            self.copies[change.name] = change.copy

    def undone(self, changes: list[Change]) -> None:
        """The transaction was not: no part that was to come is there."""
        for change in changes:
            if change.copy is not None:
                for stamp, _ in change.come:
                    change.copy.parts.pop(stamp, None)

    def discard(self, changes: list[Change]) -> None:
        """The files of new parts are not needed any more."""
        for change in changes:
            for _, path in change.come:
                with contextlib.suppress(OSError):
                    path.unlink()

    def forget(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Drop all copies; each is read again from the file at its next use."""
        for name, copy in list(self.copies.items()):
            cursor.execute(f"DROP VIEW IF EXISTS main.{quoted(name)}")
            cursor.execute(f"DROP TABLE IF EXISTS {copy.physical}")
            del self.copies[name]

    # Inside a transaction -----------------------------------------------------------------------

    def private(
        self, cursor: duckdb.DuckDBPyConnection, connection: apsw.Connection, table: str
    ) -> dict[int, str] | None:
        """A TEMP view of `table` as `connection` sees it: the stamp of each number, or None for a
        table that is not kept as columns. ALL, once made, shows the parts too."""
        name = table.lower()
        found = defined(connection, name)
        if found is None:
            return None
        copy = self.copies.get(name)
        known = copy.parts if copy is not None and copy.layout == found else {}
        stamps = stamps_of(connection, name)
        numbers = {known[s]: s for s in stamps if s in known}
        columns = listed(found)
        sources = []
        if copy is not None and numbers:
            inside = f" WHERE {quoted(PART)} IN ({', '.join(map(str, numbers))})"
            kept = "" if len(numbers) == len(known) else inside
            sources.append(f"SELECT {columns}, {quoted(PART)} FROM {copy.physical}{kept}")
        rows = f"temp.{quoted(f'{name} parts')}"
        declared_columns = ", ".join(f"{quoted(f.name)} {f.type}" for f in found.fields)
        new = [s for s in stamps if s not in known]
        if new or not sources:
            cursor.execute(
                f"CREATE OR REPLACE TEMP TABLE {rows} ({declared_columns}, {quoted(PART)} BIGINT)"
            )
            sources.append(f"SELECT {columns}, {quoted(PART)} FROM {rows}")
        for stamp in new:
            path = self.unpacked(connection, stamp)
            try:
                number = next(self._numbers)
                cursor.execute(f"INSERT INTO {rows} {selected(cursor, found, path, number)}")
                numbers[number] = stamp
            finally:
                path.unlink()
        everything = " UNION ALL ".join(sources)
        cursor.execute(f"CREATE OR REPLACE TEMP VIEW {quoted(f'{name} all')} AS {everything}")
        cursor.execute(
            f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS"
            f" SELECT {columns} FROM temp.{quoted(f'{name} all')}"
        )
        return numbers

    # Files --------------------------------------------------------------------------------------

    def scratch(self) -> Path:
        """A name for a file of a part, beside the file or in the system's temporary folder."""
        folder = Path(self._folder) / "spill" if self._folder is not None else None
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError:
                folder = None
        handle, name = tempfile.mkstemp(".parquet", f"part-{os.getpid()}-", folder)
        os.close(handle)
        return Path(name)

    def unpacked(self, reader: apsw.Connection, stamp: str) -> Path:
        """A part as a Parquet file."""
        path = self.scratch()
        row = reader.execute("SELECT data FROM sqlagent_parts WHERE stamp = ?", (stamp,)).fetchone()
        assert row is not None  # the stamp comes from the same snapshot
        path.write_bytes(row[0])
        return path

    def packed(
        self, cursor: duckdb.DuckDBPyConnection, made: Layout, source: str
    ) -> Iterator[tuple[int, bytes]]:
        """The rows of the table `source` as parts: (rows, Parquet)."""
        low, high = cursor.execute(f"SELECT min(rowid), max(rowid) FROM {source}").fetchone() or (
            None, None,
        )  # fmt: skip
        if low is None or high is None:
            return
        outputs = ", ".join(
            f"CAST({quoted(f.name)} AS {f.type}) AS c{n}" for n, f in enumerate(made.fields)
        )
        todo = [(a, min(a + PART_ROWS, high + 1)) for a in range(low, high + 1, PART_ROWS)]
        todo.reverse()
        while todo:
            start, end = todo.pop()
            path = self.scratch()
            try:
                (rows,) = cursor.execute(
                    f"COPY (SELECT {outputs} FROM {source} WHERE rowid >= {start}"
                    f" AND rowid < {end}) TO {literal(str(path))}"
                    " (FORMAT parquet, COMPRESSION zstd)"
                ).fetchone() or (0,)
                if path.stat().st_size > PART_BYTES and end - start > 1:
                    middle = (start + end) // 2
                    todo += [(middle, end), (start, middle)]
                elif rows:
                    yield rows, path.read_bytes()
            finally:
                path.unlink()


def defined(connection: apsw.Connection, name: str) -> Layout | None:
    """The layout of a table that is kept as columns; None for any other."""
    try:
        row = connection.execute(
            "SELECT sql FROM sqlagent_definitions WHERE name = ? AND kind = 'columns'", (name,)
        ).fetchone()
    except apsw.SQLError:  # a file that no sqlagent has made or migrated
        return None
    if row is None:
        return None
    from sqlagent.parse.layout import layout  # lazily: it imports sqlglot

    return layout(row[0])


def stamps_of(connection: apsw.Connection, name: str) -> dict[str, int]:
    """The rows of each part, by stamp."""
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT stamp, rows FROM sqlagent_parts WHERE name = ? ORDER BY part_id", (name,)
    ).fetchall()
    return {str(stamp): int(count) for stamp, count in rows}


def listed(made: Layout) -> str:
    """The columns of a table, by name."""
    return ", ".join(quoted(f.name) for f in made.fields)


def selected(cursor: duckdb.DuckDBPyConnection, made: Layout, path: Path, number: int) -> str:
    """The SELECT of a part's rows, with its number; columns that it has not yet have their
    default."""
    file = f"read_parquet({literal(str(path))})"
    have = len(cursor.execute(f"SELECT * FROM {file} LIMIT 0").description)
    outputs = [
        f"CAST(c{n} AS {f.type})" if n < have else f"CAST({f.default or 'NULL'} AS {f.type})"
        for n, f in enumerate(made.fields)
    ]
    return f"SELECT {', '.join(outputs)}, {number} FROM {file}"


def small(stamps: dict[str, int]) -> list[str]:
    """The parts that should become one, if there are enough of a like size."""
    sizes: dict[int, list[str]] = {}
    for stamp, rows in stamps.items():
        if rows * 2 < PART_ROWS:
            sizes.setdefault(int(math.log(rows, MERGED)), []).append(stamp)
    return next((sizes[n] for n in sorted(sizes) if len(sizes[n]) >= MERGED), [])


__all__ = ["ALL", "Parts", "defined", "listed", "small", "stamps_of"]
