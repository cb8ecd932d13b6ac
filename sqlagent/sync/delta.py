"""What changed in a table since its copy's log entry, read from SQLite and applied to DuckDB.

(duckdb and pyarrow are imported with this module.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from sqlagent.sync import build
from sqlagent.sync.columns import NotColumnar, Shape, quoted, to_arrow
from sqlagent.sync.materialized import CAME, GONE

if TYPE_CHECKING:
    import apsw

    from sqlagent.sync.materialized import Held

REBUILD_SHARE = 0.3  # of a table's rows changed: reading it whole is cheaper
REBUILD_ROWS = 1000  # and never for fewer than these
COMPACT_ROWS = (
    50_000  # deleted rows that DuckDB keeps and passes over, before the copy is made anew
)
DIRTY = """
SELECT pk FROM sqlagent_change_entries WHERE seq > ?1 AND tbl = ?2 COLLATE NOCASE
UNION SELECT state_id FROM sqlagent_state_versions
WHERE version_id > ?1 AND state_id IS NOT NULL AND 'states' = ?2 COLLATE NOCASE
"""


class Replica:
    """One table's copy, and what is known of it."""

    __slots__ = ("deleted", "high", "logged", "physical", "rows", "seq", "shape")

    def __init__(self, shape: Shape, physical: str, seq: int, logged: bool) -> None:
        self.shape = shape
        self.physical = physical  # quoted, with its schema
        self.seq = seq  # the log entry that it is at
        self.logged = logged
        self.rows = 0
        self.high = 0  # no rowid is above it
        self.deleted = 0  # rows that DuckDB still has, marked as deleted

    @property
    def name(self) -> str:
        return self.shape.name.lower()

    def too_many(self, count: int) -> bool:
        """Whether so many entries of the log make it cheaper to read the table whole."""
        return count > REBUILD_ROWS + REBUILD_SHARE * self.rows


class Unsound(Exception):
    """A copy must be dropped and made anew; raised while it is being brought up to date."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Unkept(Exception):
    """The views over the table `name` must be let go: one cannot follow a change of it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Delta:
    """To do: take the rows of `keys` away, where any can be there (`deletes`), and add `rows`."""

    __slots__ = ("deletes", "keys", "replica", "rows")

    def __init__(self, replica: Replica, keys: list[int], rows: pa.Table) -> None:
        self.replica = replica
        self.keys = keys
        self.rows = rows
        self.deletes = min(keys) <= replica.high

    def gone(self) -> pa.Table:
        """The rowids to take away, as `k`."""
        return pa.table({"k": pa.array(self.keys, pa.int64())})

    def apply(self, cursor: duckdb.DuckDBPyConnection, views: Sequence[Held] = ()) -> int:
        """Change the copy and the views that follow it, in the caller's transaction; how many rows
        went. Raises Unsound."""
        replica = self.replica
        shape, physical = replica.shape, replica.physical
        count = 0
        if self.deletes:
            cursor.register("sqlagent_keys", self.gone())
            chosen = f"{quoted(shape.key_name)} IN (SELECT k FROM sqlagent_keys)"
            if views:
                cursor.execute(
                    f"CREATE TEMP TABLE {GONE} AS SELECT * FROM {physical} WHERE {chosen}"
                )
            (count,) = cursor.execute(f"DELETE FROM {physical} WHERE {chosen}").fetchone() or (0,)
            cursor.unregister("sqlagent_keys")
        if views:
            build.create(cursor, shape, CAME, temp=True)
        if self.rows.num_rows:
            cursor.register("sqlagent_rows", self.rows)
            try:
                build.insert(cursor, shape, CAME if views else physical, "sqlagent_rows")
            except NotColumnar:
                raise Unsound(replica.name) from None
            cursor.unregister("sqlagent_rows")
        if views:
            cursor.execute(f"INSERT INTO {physical} FROM {CAME}")
            try:
                for view in views:
                    view.change(cursor, self)
            except duckdb.Error:
                raise Unkept(replica.name) from None
            cursor.execute(f"DROP TABLE IF EXISTS {GONE}")
            cursor.execute(f"DROP TABLE {CAME}")
        return count

    def applied(self, count: int) -> None:
        """Once it is committed: what is known of the copy now; `count` is of `apply`."""
        self.replica.deleted += count
        self.replica.rows += self.rows.num_rows - count
        self.replica.high = max(self.replica.high, *self.keys)


def read(connection: apsw.Connection, replica: Replica) -> Delta:
    """What `connection` sees of the rows that the log names since the copy's entry.

    Raises NotColumnar. The log must name rows of the table, and no entry may be without a rowid.
    """
    since = (replica.seq, replica.shape.name)
    keys = [row[0] for row in connection.execute(DIRTY, since)]
    shape = replica.shape
    try:
        rows: list[tuple[Any, ...]] = connection.execute(
            f"{shape.select} WHERE {shape.key} IN ({DIRTY})", since
        ).fetchall()
    except UnicodeDecodeError:
        raise NotColumnar(shape.name, "a text is not UTF-8") from None
    return Delta(replica, keys, to_arrow(shape, rows))


def measure(cursor: duckdb.DuckDBPyConnection, replica: Replica) -> None:
    """Count the rows of a new copy, and find its highest rowid."""
    highest = f"max({quoted(replica.shape.key_name)})" if replica.shape.key is not None else "NULL"
    rows, high = cursor.execute(
        f"SELECT count(*), {highest} FROM {replica.physical}"
    ).fetchone() or (0, None)
    replica.rows, replica.high = rows, high if high is not None else -(1 << 63)
    replica.deleted = 0
