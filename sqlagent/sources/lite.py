"""Rows of a SQLite table as a feed: the text that is sent, and its rows as Arrow."""

from __future__ import annotations

import array
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw

from sqlagent.sources import Rows, Statistics
from sqlagent.sync.columns import describe, quoted, to_arrow
from sqlagent.values import stored_all

if TYPE_CHECKING:
    from sqlagent.plan.plans import Feed

BATCH_ROWS = 20_000


class TooMany(Exception):
    """More rows than a feed is worth."""


def text_of(feed: Feed, reads: str = "", keyed: bool | None = None) -> str:
    """The SELECT that SQLite is sent; `keyed`: with the keys that a feed may have."""
    keyed = feed.keys is not None if keyed is None else keyed
    reads = reads or ", ".join(map(quoted, feed.columns))
    where = [feed.filter] if feed.filter else []
    if keyed and feed.keys is not None:
        place = len(feed.parameters or ()) + 1
        where.append(f"{quoted(feed.keys.column)} IN carray(?{place})")
    text = f"SELECT {reads} FROM {quoted(feed.table)}"
    if where:
        text += " WHERE " + " AND ".join(f"({w})" if len(where) > 1 else w for w in where)
    return text + (f" LIMIT {feed.limit}" if feed.limit is not None else "")


def read(
    handle: apsw.Connection,
    feed: Feed,
    values: Sequence[Any],
    keys: list[Any] | None,
    *,
    rows_max: int | None = None,
) -> Rows:
    """The rows of a feed, a batch at a time into Arrow. Raises NotColumnar; TooMany at a row more
    than `rows_max`."""
    import pyarrow as pa

    shape = describe(handle, feed.table, feed.columns)
    fields = {f.name: f for f in shape.fields}
    shape = shape._replace(key=None, fields=tuple(fields[c] for c in feed.columns))
    parts = [to_arrow(shape, [])]
    if keys is None or keys:
        reads = ", ".join(["NULL", *(f.read for f in shape.fields)])
        bindings = [*stored_all(values)]
        if keys is not None:
            bindings.append(_array(keys))
        cursor = handle.execute(text_of(feed, reads, keys is not None), bindings)
        count = 0
        while batch := list(islice(cursor, BATCH_ROWS)):
            count += len(batch)
            if rows_max is not None and count > rows_max:
                raise TooMany
            parts.append(to_arrow(shape, batch))
    table = pa.concat_tables(parts).drop_columns(["k"])
    casts = tuple(f.cast.format(f"c{i}") for i, f in enumerate(shape.fields))
    if all(cast == f"c{i}" for i, cast in enumerate(casts)):
        return Rows(table.rename_columns(list(feed.columns)))
    return Rows(table, casts)


def _array(keys: list[Any]) -> Any:
    """Keys, which are all integers or all texts, as SQLite's carray."""
    if isinstance(keys[0], str):
        return apsw.carray(tuple(keys))
    return apsw.carray(array.array("q", keys))


class Access(NamedTuple):
    """How rows of a table are found: see `Statistics.indexed`. `rowid`: it has one."""

    indexed: frozenset[str]
    rowid: bool


def statistics(handle: apsw.Connection, table: str) -> Statistics:
    """What SQLite knows of a table: its own statistics, else the highest rowid."""
    found = access(handle, table)
    return Statistics(rows_of(handle, table, found), found.indexed)


def access(handle: apsw.Connection, table: str) -> Access:
    """The columns of a table that find rows; the same until the schema changes."""
    indexed = {
        str(r[0]).lower()
        for r in handle.execute(
            "SELECT c.name FROM pragma_index_list(?) AS i, pragma_index_info(i.name) AS c"
            " WHERE c.seqno = 0 AND NOT i.partial AND c.name IS NOT NULL", (table,),
        )
    }  # fmt: skip
    kind = handle.execute(
        "SELECT type, wr FROM pragma_table_list(?) WHERE schema = 'main'", (table,)
    ).fetchone()
    if kind is None or kind[0] != "table":
        return Access(frozenset(indexed), False)
    keys = handle.execute(
        "SELECT name, type FROM pragma_table_info(?) WHERE pk", (table,)
    ).fetchall()
    if len(keys) == 1 and str(keys[0][1]).upper() == "INTEGER":
        indexed.add(str(keys[0][0]).lower())
    return Access(frozenset(indexed), not kind[1])


def rows_of(handle: apsw.Connection, table: str, found: Access) -> int | None:
    """About how many rows: as ANALYZE counted, else the highest rowid."""
    try:
        counted = handle.execute(
            "SELECT max(CAST(stat AS INTEGER)) FROM sqlite_stat1 WHERE tbl = ?", (table,)
        ).fetchone()
    except apsw.SQLError:
        counted = None
    if counted and counted[0] is not None:
        return int(counted[0])
    if not found.rowid:
        return None
    highest = handle.execute(f"SELECT max(rowid) FROM {quoted(table)}").fetchone()
    return int(highest[0] or 0) if highest else 0
