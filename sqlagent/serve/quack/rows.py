"""The rows of a cursor as Arrow, some megabytes at a time.

(pyarrow is imported with this module.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sqlagent.arrow import arrow_type, table_of
from sqlagent.errors import DataError
from sqlagent.serve.quack import vectors
from sqlagent.serve.quack.kinds import Kind, kind_of

if TYPE_CHECKING:
    from sqlagent.cursor import Cursor

FEW = 256  # rows that are fetched before it is known how large they are
BATCH_B = 8 << 20
BATCH_ROWS = 12 * vectors.CHUNK_ROWS  # what DuckDB's own server puts into an answer
FIRST_ROWS = 2048  # a multiple of what the engine reads ahead: after them Arrow may take over
Columns = Sequence[tuple[str, str | None]]
# What Arrow has no type for, or not DuckDB's: it goes by way of Python's values.
ODD = ("HUGEINT", "MAP(", "UUID", "INTERVAL", "ZONE", "BIT", "UNION", "ENUM", "VARIANT")


def tables(cursor: Cursor, columns: Columns) -> Iterator[tuple[pa.Table, bool]]:
    """The rows in tables of some megabytes, and of each whether it is the last for sure.

    At least one comes, also without rows. Few rows are fetched at once where they are large.
    """
    # Who limits the rows of a cursor takes its table away.
    streams = cursor._batches is not None and cursor._table is not None
    streams = streams and not any(w in (kind or "") for _, kind in columns for w in ODD)
    count, read = FEW, 0
    while True:
        rows = cursor.fetchmany(count)
        found, last = table(columns, rows), len(rows) < count
        yield found, last
        if last:
            return
        read += len(rows)
        each = max(1, found.nbytes // len(rows))
        count = max(1, min(BATCH_ROWS, BATCH_B // each))
        if streams and read == FIRST_ROWS:
            for more in cursor._batches(count):
                yield more, False
            return
        if streams and read < FIRST_ROWS:
            count = min(count, FIRST_ROWS - read)


def table(columns: Columns, rows: list[tuple[Any, ...]]) -> pa.Table:
    """Rows as Arrow; a MAP, which is a dictionary in Python, as its pairs, and a HUGEINT as its 16
    bytes: no number of Arrow's holds all of them."""
    odd = [i for i, (_, k) in enumerate(columns) if k == "HUGEINT" or (k or "").startswith("MAP(")]
    if not odd:
        return table_of(columns, rows)
    values: list[list[Any]] = [list(c) for c in zip(*rows, strict=True)] or [[] for _ in columns]
    arrays = []
    for own, (name, kind) in zip(values, columns, strict=True):
        if kind == "HUGEINT":
            numbers = [None if v is None else v.to_bytes(16, "little", signed=True) for v in own]
            arrays.append(pa.array(numbers, vectors.BYTES16))
        elif (kind or "").startswith("MAP("):
            pairs = [None if v is None else list(v.items()) for v in own]
            arrays.append(pa.array(pairs, vectors.target_of(kind_of(kind))))
        else:
            arrays.append(table_of([(name, kind)], [(v,) for v in own]).column(0))
    return pa.Table.from_arrays(arrays, names=[name for name, _ in columns])


def kind_of_column(array: pa.ChunkedArray, declared: str | None) -> Kind:
    """The type that a column has on the wire: the declared one, if its values are of it."""
    if declared is None:
        return vectors.kind_of_arrow(array.type)
    kind = kind_of(declared)
    if array.type in (pa.null(), arrow_type(declared), vectors.target_of(kind)):
        return kind
    try:
        vectors.fitted(array.combine_chunks(), kind, "")
    except DataError:
        return vectors.kind_of_arrow(array.type)
    return kind


def batch(table: pa.Table, kinds: Sequence[Kind], names: Sequence[str]) -> pa.RecordBatch:
    """A table in one piece, its columns fitted to their types. Raises DataError."""
    arrays = [
        vectors.fitted(c.combine_chunks() if c.num_chunks != 1 else c.chunk(0), k, n)
        for c, k, n in zip(table.columns, kinds, names, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, [str(i) for i in range(len(arrays))])
