"""The columns of the portal's tables, brought to the commit that a reader sees.

What a portal knows of its tables is in its own schema `sqlagent`: of each the shape, the log entry
that it is at, and, where its changes are not logged, a probe that tells whether it must be read
again. (duckdb and pyarrow are imported with this module.)
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb

from sqlagent.errors import ProgrammingError
from sqlagent.plan.names import PART
from sqlagent.sync import build, delta, log
from sqlagent.sync.columns import (
    HIDDEN,
    Field,
    NotColumnar,
    Shape,
    declared,
    describe,
    quoted,
)
from sqlagent.sync.delta import Replica, Unsound
from sqlagent.sync.making import Maker
from sqlagent.sync.parts import Parts, defined, listed, selected, stamps_of

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

# The engine's own tables that hold an agent's data; the others are how the engine works, or secret.
OWN = frozenset(
    f"sqlagent_{name}"
    for name in (
        "state_versions", "state_parts", "state_blocks", "operations", "operation_rows", "claims",
        "query_log", "migrations", "definitions", "import_rejects", "erasures", "vector_indexes",
    )
)  # fmt: skip
FEW = 5_000  # rows of an unlogged table that are all looked at to see whether one changed
SCHEMA = """
CREATE SCHEMA IF NOT EXISTS columns;
CREATE SCHEMA IF NOT EXISTS sqlagent;
CREATE TABLE IF NOT EXISTS sqlagent.state (name VARCHAR, value VARCHAR);
CREATE TABLE IF NOT EXISTS sqlagent.tables (name VARCHAR, shape VARCHAR, seq BIGINT, high BIGINT,
  probe VARCHAR, rows BIGINT, note VARCHAR);
"""


class Known(NamedTuple):
    """What the portal has of a table, see SCHEMA."""

    name: str
    shape: str
    seq: int
    high: int
    probe: str
    rows: int
    note: str | None = None


class PortalMaker(Maker):
    """Makes copies under the tables' own names, in place of those that were there."""

    def physical(self, shape: Shape) -> str:
        name = f"{build.SCHEMA}.{quoted(shape.name)}"
        self._cursor.execute(f"DROP VIEW IF EXISTS main.{quoted(shape.name)}")
        self._cursor.execute(f"DROP TABLE IF EXISTS {name}")
        return name


def shape_of(shape: Shape) -> str:
    """What tells a table's columns from others."""
    told = repr((shape.name, shape.key_column, shape.hidden, shape.fields))
    return hashlib.blake2b(told.encode(), digest_size=10).hexdigest()


def probe(reader: Handle, shape: Shape) -> str:
    """What changes when an unlogged table does: a hash of the rows of a small one; of a large one,
    of which rows there are."""
    key, name = shape.key or "NULL", quoted(shape.name)
    told: Any = reader.execute(f"SELECT count(*), min({key}), max({key}) FROM {name}").fetchone()
    if told[0] <= FEW:
        told = reader.execute(f"SELECT * FROM {name}").fetchall()
    return hashlib.blake2b(repr(told).encode("utf-8", "replace"), digest_size=10).hexdigest()


class Tables:
    """The tables of one portal that is being brought up to date."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, maker: PortalMaker, parts: Parts) -> None:
        self.cursor = cursor
        self.maker = maker
        self.parts = parts
        self.changed = 0
        self.known = {
            row[0].lower(): Known(*row)
            for row in cursor.execute(
                "SELECT name, shape, seq, high, probe, rows, note FROM sqlagent.tables"
            ).fetchall()
        }

    def bring(
        self,
        reader: Handle,
        name: str,
        span: log.Span,
        logged: bool,
        schema: int,
        path: Path | None,
    ) -> tuple[Replica, str | None, str | None] | None:
        """Bring one table to what the reader sees; a large one that is still to be filled is
        returned."""
        if defined(reader, name) is not None:
            self._of_parts(reader, name)
            return None
        shape = describe(reader, name)
        if self._follow(reader, shape, span, logged):
            return None
        self.changed += 1
        made = self.maker.make(reader, name, span, schema, path)
        replica = made[0]
        if made[1] is not None:
            return made
        if shape.name.lower() in log.entries(reader, replica.seq):  # it is of a snapshot on disk
            self._apply(delta.read(reader, replica))
        self.keep(replica, span.high, "" if logged else probe(reader, shape))
        return None

    def keep(self, replica: Replica, seq: int, seen: str, note: str | None = None) -> None:
        """Note what the portal has of a table now, and let the table's name stand for it."""
        if replica.rows == 0:
            delta.measure(self.cursor, replica)
        shape = replica.shape
        self._note(Known(shape.name, shape_of(shape), seq, replica.high, seen, replica.rows, note))
        hidden = f" EXCLUDE ({quoted(HIDDEN)})" if shape.hidden else ""
        self.cursor.execute(
            f"CREATE OR REPLACE VIEW main.{quoted(shape.name)} AS"
            f" SELECT *{hidden} FROM {replica.physical}"
        )

    def drop(self, name: str) -> None:
        """A table is gone."""
        found = self.known.pop(name.lower())
        self.changed += 1
        self.cursor.execute(f"DROP VIEW IF EXISTS main.{quoted(found.name)}")
        self.cursor.execute(f"DROP TABLE IF EXISTS columns.{quoted(found.name)}")

    def save(self) -> None:
        """Write down what is known of all tables."""
        columns = [list(c) for c in zip(*self.known.values(), strict=True)] or [[]] * 7
        self.cursor.execute("DELETE FROM sqlagent.tables")
        self.cursor.execute(
            "INSERT INTO sqlagent.tables SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]),"
            " unnest(?::BIGINT[]), unnest(?::BIGINT[]), unnest(?::VARCHAR[]),"
            " unnest(?::BIGINT[]), unnest(?::VARCHAR[])",
            columns,
        )

    def _note(self, known: Known) -> None:
        self.known[known.name.lower()] = known

    def _follow(self, reader: Handle, shape: Shape, span: log.Span, logged: bool) -> bool:
        """Whether what is there could be brought up to date, by what the log says."""
        known = self.known.get(shape.name.lower())
        if known is None or known.shape != shape_of(shape) or known.note:
            return False
        if not logged:
            return known.probe == probe(reader, shape)
        if span.high < known.seq or span.low > known.seq + 1:
            return False
        count, vague = log.entries(reader, known.seq).get(known.name.lower(), (0, False))
        if not count:
            return True
        replica = Replica(shape, f"{build.SCHEMA}.{quoted(shape.name)}", known.seq, True)
        replica.rows, replica.high = known.rows, known.high
        if vague or replica.too_many(count) or shape.key is None:
            return False
        try:
            self._apply(delta.read(reader, replica))
        except Unsound as error:
            raise NotColumnar(shape.name, "a value is not of its declared type") from error
        self.changed += 1
        self._note(known._replace(seq=span.high, high=replica.high, rows=replica.rows))
        return True

    def _apply(self, change: delta.Delta) -> None:
        change.applied(change.apply(self.cursor))

    def as_text(self, reader: Handle, name: str, why: str) -> None:
        """A table whose values are not of the types that it declares."""
        self.changed += 1
        shape = _texts(reader, name)
        physical = self.maker.physical(shape)
        build.create(self.cursor, shape, physical)
        build.from_rows(self.cursor, shape, physical, reader.execute(shape.select))
        self.keep(Replica(shape, physical, 0, False), 0, "", why)

    def _of_parts(self, reader: Handle, name: str) -> None:
        """A table that is kept as columns in the file: its parts."""
        layout = defined(reader, name)
        assert layout is not None
        stamps = stamps_of(reader, name)
        seen = repr((sorted(stamps), [(f.name, f.type) for f in layout.fields]))
        known = self.known.get(name.lower())
        if known is not None and known.probe == seen:
            return
        self.changed += 1
        physical = f"{build.SCHEMA}.{quoted(name)}"
        self.cursor.execute(f"DROP VIEW IF EXISTS main.{quoted(name)}")
        self.cursor.execute(f"DROP TABLE IF EXISTS {physical}")
        columns = ", ".join(f"{quoted(f.name)} {f.type}" for f in layout.fields)
        self.cursor.execute(f"CREATE TABLE {physical} ({columns})")
        for stamp in stamps:
            file = self.parts.unpacked(reader, stamp)
            try:
                rows = selected(self.cursor, layout, file, 0)
                named = f"({rows}) AS t({listed(layout)}, {quoted(PART)})"
                self.cursor.execute(f"INSERT INTO {physical} SELECT {listed(layout)} FROM {named}")
            finally:
                file.unlink()
        self._note(Known(name, "", 0, 0, seen, sum(stamps.values())))
        self.cursor.execute(
            f"CREATE OR REPLACE VIEW main.{quoted(name)} AS SELECT * FROM {physical}"
        )


def _texts(reader: Handle, name: str) -> Shape:
    """The shape of a table in which every column is text."""
    says = declared(reader, name)
    if says is None:
        raise ProgrammingError(f'table "{name}" does not exist', sqlstate="42P01")
    own, _, _, info = says
    fields = []
    for column in (quoted(c[0]) for c in info):
        text = f"CAST({column} AS TEXT)"
        read = f"CASE typeof({column}) WHEN 'blob' THEN hex({column}) ELSE {text} END"
        fields.append(Field(column[1:-1].replace('""', '"'), "VARCHAR", "TEXT", read, "{0}"))
    return Shape(own, None, None, tuple(fields), says)


__all__ = ["OWN", "SCHEMA", "Known", "PortalMaker", "Tables"]
