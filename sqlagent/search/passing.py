"""Which vectors of a collection pass a filter: found once, and kept up by the change log.

A condition over a row's own columns that uses neither clock nor chance holds for a row until the
row changes. So of a condition that was asked before, only rows that the log names are looked at
again. Whatever else a condition uses is asked anew each time.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sqlagent.plan.steady import unsteady
from sqlagent.search.filters import allowed, expression
from sqlagent.search.kinds import listed
from sqlagent.search.scopes import LOG_ENDS

if TYPE_CHECKING:
    from sqlagent.context import Context

COLUMNS = "vector_id, id, metadata, created_at, collection"
# The index of a collection gives its rows in the order of their ids, a page of the file for each;
# where they are a good part of the table, a scan of it is several times as fast.
SCANNED = f"SELECT {COLUMNS} FROM vectors WHERE coalesce(collection, '') = ?"
INDEXED = f"SELECT {COLUMNS} FROM vectors WHERE collection = ?"
CHANGED = (
    f"SELECT {COLUMNS} FROM vectors WHERE vector_id IN (SELECT value FROM json_each(?2)) "
    "AND coalesce(collection, '') = ?1"
)
LARGE = 20_000  # rows of a collection from which a scan of the table is thought of
SHARE = 8  # and of each so many rows of the table, one at least is the collection's
ROWS = """
SELECT (SELECT max(vector_id) FROM vectors), EXISTS (
  SELECT 1 FROM vectors WHERE collection = ?1 LIMIT 1 OFFSET ?2)
"""
DIRTY = """
SELECT DISTINCT pk FROM sqlagent_change_entries WHERE seq > ? AND tbl = 'vectors' AND scope = ?
"""
STAGE = "sqlagent rows"  # of a collection, as DuckDB is handed them
TYPES = {
    "vector_id": "BIGINT", "id": "VARCHAR", "metadata": "JSON", "created_at": "TIMESTAMP",
    "collection": "VARCHAR",
}  # fmt: skip
BATCH = 50_000
# What only the clock changes can be told by values, though not kept.
CLOCK = re.compile(
    r"\b(?:now\s*\(\s*\)|today\s*\(\s*\)|current_timestamp|current_date)", re.IGNORECASE
)
DIRTY_MAX = 20_000  # changed rows from which all are looked at again
KEPT_BYTES = 16 << 20


class Kept(NamedTuple):
    """The sorted vector_ids that pass, as of a place in the log."""

    ids: Any
    seq: int


class Passing:
    """The conditions that were asked of a file's collections: a service of the database."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known: OrderedDict[Any, Kept] = OrderedDict()

    def ids(self, context: Context, collection: str, condition: str) -> Any:
        """The sorted vector_ids of the rows for which a condition holds."""
        own = context.handle
        private = own is not None and own is context.database._writer and own.in_transaction
        if private:
            return self.asked(context, collection, condition)
        if unsteady(f"SELECT {condition}") is not None:
            clock = unsteady(f"SELECT {CLOCK.sub('NULL', condition)}") is None
            found = self.faceted(context, collection, condition) if clock else None
            return found[0] if found else self.asked(context, collection, condition)
        from sqlagent.engines import schema

        with context.reading() as handle:  # the snapshot that the condition is asked on, or before
            low, high = handle.execute(LOG_ENDS).fetchone()
            key = collection, condition, schema.version(handle)
            with self.lock:
                kept = self.known.get(key)
            dirty: list[int] | None = None
            if kept is not None and kept.seq <= (high or 0) and (low or 0) <= kept.seq + 1:
                rows = handle.execute(DIRTY, (kept.seq, collection))
                dirty = [r[0] for r in rows] if kept.seq != high else []
        if kept is None or dirty is None or len(dirty) > DIRTY_MAX or None in dirty:
            found = self.faceted(context, collection, condition)
            if found is not None:
                ids, high = found
            else:
                ids = self.asked(context, collection, condition)
        elif dirty:
            now = chosen(context, CHANGED, condition, (collection, listed(dirty)))
            rest = kept.ids[~np.isin(kept.ids, np.array(dirty))]
            ids = np.union1d(rest, np.fromiter(now, np.int64, len(now)))
        else:
            ids = kept.ids
        self.keep(key, Kept(ids, high or 0))
        return ids

    def faceted(self, context: Context, collection: str, condition: str) -> tuple[Any, int] | None:
        """The same of a large collection by its facets, and of which place in the log; None where
        they cannot tell."""
        if context.database.memory or about_ids(condition):
            return None
        with context.reading() as handle:
            if not handle.execute(ROWS, (collection, LARGE)).fetchone()[1]:
                return None
        from sqlagent.search.faceted import by_facets

        text = expression(condition, "filter")
        try:
            return by_facets(context, collection, text, chosen, INDEXED, CHANGED)
        except UnicodeDecodeError:  # a foreign client's text that is none
            return None

    def asked(self, context: Context, collection: str, condition: str) -> Any:
        """The same by looking at every row of the collection."""
        source = INDEXED
        if not about_ids(condition):
            with context.reading() as handle:
                newest, large = handle.execute(ROWS, (collection, LARGE)).fetchone()
                if large:
                    least = int(newest or 0) // SHARE
                    large = handle.execute(ROWS, (collection, least)).fetchone()[1]
            source = SCANNED if large else INDEXED
        found = chosen(context, source, condition, (collection,))
        return np.sort(np.fromiter(found, np.int64, len(found)))

    def keep(self, key: Any, kept: Kept) -> None:
        with self.lock:
            before = self.known.get(key)
            if before is not None and before.seq > kept.seq:
                return
            self.known[key] = kept
            self.known.move_to_end(key)
            total = sum(k.ids.nbytes for k in self.known.values())
            while total > KEPT_BYTES and len(self.known) > 1:
                total -= self.known.popitem(last=False)[1].ids.nbytes

    def close(self) -> None:
        with self.lock:
            self.known.clear()


def chosen(context: Context, source: str, condition: str, values: Any) -> frozenset[int]:
    """The vector_ids of a source's rows for which a condition holds."""

    def elsewhere() -> list[Any]:
        return on_duckdb(context, source, condition, values)

    return allowed(context, source, "vector_id", condition, values, on_duckdb=elsewhere)


def about_ids(condition: str) -> bool:
    """Whether a condition is about ids alone, which the index of a collection has."""
    from sqlagent.search.conditions import leaves, parsed

    return all(leaf.named for leaf in leaves(parsed(expression(condition, "filter"))))


def on_duckdb(context: Context, source: str, condition: str, values: Any) -> list[Any]:
    """Rows of the vector_ids that pass a condition that only DuckDB can say.

    The rows are handed over without their vectors, which as columns would take as long as all else.
    """
    import duckdb
    import pyarrow as pa

    from sqlagent.catalog import Column, Table
    from sqlagent.engines import schema
    from sqlagent.engines.duck_errors import translate
    from sqlagent.errors import ProgrammingError
    from sqlagent.parse.lexer import lex
    from sqlagent.plan import plan
    from sqlagent.plan.plans import Duck
    from sqlagent.run.duck import engine

    named = {token.name.lower() for token in lex(condition)}
    types = {n: kind for n, kind in TYPES.items() if n == "vector_id" or n in named}
    columns = tuple(Column(name, kind) for name, kind in types.items())
    database = context.database
    catalog = schema.catalog(database)
    tables = {**catalog.tables, STAGE: Table(STAGE, "table", columns, None)}
    settings = {**context.settings, "dialect": "duckdb", "route": "duckdb"}
    text = f'SELECT vector_id FROM "{STAGE}" WHERE ({condition}\n)'
    run = plan(text, catalog._replace(tables=tables), settings, database.protected).run
    if not isinstance(run, Duck) or run.parameters or set(run.tables) - {STAGE}:
        raise ProgrammingError("filter is one condition", sql=condition, position=0)
    shown = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in types.items())
    found: list[Any] = []
    with context.reading() as handle, engine(database).session() as duck:
        cursor = handle.execute(f"SELECT {', '.join(types)} FROM ({source})", values)
        while rows := list(islice(cursor, BATCH)):
            numbers, *texts = zip(*rows, strict=True)
            arrays = [pa.array(numbers, pa.int64()), *(pa.array(t, pa.string()) for t in texts)]
            duck.register("sqlagent batch", pa.table(arrays, names=list(types)))
            duck.execute(
                f'CREATE OR REPLACE TEMP VIEW "{STAGE}" AS SELECT {shown} FROM "sqlagent batch"'
            )
            try:
                found += duck.execute(run.sql).fetchall()
            except duckdb.Error as error:
                raise translate(error, condition) from None
    return found


def passing(context: Context, collection: str, condition: str) -> Any:
    """The sorted vector_ids of a collection's rows for which a condition holds."""
    found: Any = context.database.services.get("passing")
    if found is None:
        with context.database.lock:
            found = context.database.services.setdefault("passing", Passing())
    return found.ids(context, collection, condition)
