"""A collection's vectors as Lance has them, and how they are searched there.

Imports numpy; lancedb is at work only in what it is handed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sqlagent.elements import decoded
from sqlagent.migrate import sha256
from sqlagent.search.kinds import Key, space_in

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

BATCH_BYTES = 64 << 20  # of vectors that are on their way to Lance at once
SPARE = 16  # candidates beyond k: float32 sums order the nearest only roughly
TRAINED = 5_000  # rows from which an index is built
PARTITION_ROOTS = 4
LISTED = 10_000  # ids of a filter that Lance is given as a list at least: it takes 10 us for each,
LISTED_SHARE = 0.05  # and 1.2 us for each row of a scan


class Index(NamedTuple):
    """CREATE INDEX … USING kind WITH (…): what is built over a dataset, and how it is searched."""

    kind: str  # ivf_pq or hnsw_sq
    partitions: int | None = None  # as many as the square root of the rows tells
    sub_vectors: int | None = None  # of ivf_pq: bytes of a code; one for eight dimensions
    probes: int = 20  # partitions that a search looks into
    candidates: int = 20  # times k rows that are compared by their vectors

    @property
    def built(self) -> str:
        """What is built; the rest says how it is searched."""
        return f"{self.kind} {self.partitions} {self.sub_vectors}"


class Damaged(Exception):
    """Lance cannot read or write a dataset (it has no class of its own to say so)."""


@contextmanager
def lances() -> Iterator[None]:
    """Whatever Lance raises, as Damaged."""
    try:
        yield
    except Damaged:
        raise
    except Exception as error:
        raise Damaged(str(error).split("\n")[0]) from error


def file_name(collection: str) -> str:
    """A name for files, and for tables of Lance, by which a reader knows the collection.

    >>> file_name("my docs/2026")
    'my_docs_2026_d1b9d2bf1b2e'
    """
    readable = re.sub(r"[^0-9A-Za-z]+", "_", collection)[:40].strip("_")
    return f"{readable or 'collection'}_{sha256(collection.encode())[:12]}"


def schema(dimensions: int) -> Any:
    """The columns of a dataset."""
    import pyarrow as pa

    kinds = {
        "vector_id": pa.int64(),
        "id": pa.string(),
        "vector": pa.list_(pa.float32(), dimensions),
        "metadata": pa.string(),
        "created_at": pa.string(),
    }
    return pa.schema(list(kinds.items()))


def rows_at_once(dimensions: int) -> int:
    """How many vectors are sent to Lance together."""
    return max(1, BATCH_BYTES // (4 * dimensions))


def batches(
    handle: Handle, key: Key, ids: list[int] | None = None
) -> Iterator[tuple[Any, set[int]]]:
    """(Arrow table, the odd ids in it) of a collection's vectors, all or these; what is not finite
    is left out."""
    import pyarrow as pa

    width = key.dimensions or 0
    # As bytes: other programs may have written texts that are not valid.
    sql = (
        "SELECT vector_id, vector, CAST(id AS BLOB), CAST(metadata AS BLOB), "
        "CAST(created_at AS BLOB) FROM vectors WHERE collection = ? AND length(vector) = ?"
    )
    space = space_in(key)
    values: tuple[Any, ...] = (key.scope, space.size)
    if ids is not None:
        sql += " AND vector_id IN (SELECT value FROM json_each(?))"
        values += ("[" + ",".join(map(str, ids)) + "]",)
    encoding = handle.execute("PRAGMA encoding").fetchone()[0]
    cursor = handle.execute(sql, values)
    while rows := list(islice(cursor, rows_at_once(width))):
        numbers, vectors, *texts = zip(*rows, strict=True)
        matrix = decoded(space, list(vectors))
        flat = pa.array(matrix.reshape(-1), pa.float32())
        columns = [
            pa.array(numbers, pa.int64()),
            *([None if v is None else v.decode(encoding, "replace") for v in t] for t in texts),
        ]
        columns.insert(2, pa.FixedSizeListArray.from_arrays(flat, width))
        table = pa.table(columns, schema=schema(width))
        sound, strange = np.isfinite(matrix).all(axis=1), odd(matrix)
        if not sound.all():
            table = table.filter(pa.array(sound))
        yield table, {numbers[i] for i in np.flatnonzero(strange & sound)}


def odd(matrix: Any) -> Any:
    """Which rows have a length whose square float32 cannot hold well: zeros, above all.

    Under cosine Lance leaves out a vector of zeros, and is wrong about the very short.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        square = np.einsum("ij,ij->i", matrix, matrix)
    return ~((square > 1e-20) & (square < 1e20))


def train(table: Any, metric: str, index: Index) -> None:
    """Build an index; of fewer rows than a codebook has entries, nothing: they are scanned."""
    rows = int(table.count_rows())
    if rows < TRAINED:
        return
    width = table.schema.field("vector").type.list_size
    from lancedb.index import HnswSq, IvfPq

    given: dict[str, Any] = {
        "distance_type": "dot" if metric == "ip" else metric,
        "num_partitions": index.partitions or max(1, round(rows**0.5 / PARTITION_ROOTS)),
    }
    if index.kind == "ivf_pq":
        most = next(n for n in range(max(1, width // 8), 0, -1) if width % n == 0)
        given["num_sub_vectors"] = index.sub_vectors or most
    kind = IvfPq if index.kind == "ivf_pq" else HnswSq
    table.create_index("vector", config=kind(**given), replace=True)


def listed(ids: Any) -> str:
    """The condition that a row is one of these."""
    return f"vector_id IN ({','.join(map(str, sorted(ids)))})"


def candidates(
    table: Any,
    query: Any,
    metric: str,
    k: int,
    allowed: frozenset[int] | None,
    index: Index | None = None,
) -> list[int]:
    """The ids of some more than the k nearest (of those that are allowed), by a scan of all or an
    index; rows that came after the index are always scanned."""
    want, where = k + SPARE, None
    if index is not None:
        want = max(want, index.candidates * k)
    with lances():
        rows = int(table.count_rows())
        if allowed is not None and len(allowed) <= max(LISTED, LISTED_SHARE * rows):
            where = listed(allowed)
        elif allowed is not None:  # most of what is found passes
            want = 2 * want * max(1, rows // len(allowed))
        while rows:
            search = table.search(query, vector_column_name="vector")
            search = search.distance_type("dot" if metric == "ip" else metric)
            if index is not None:
                search = search.nprobes(index.probes)
                if index.kind == "hnsw_sq":
                    search = search.ef(max(2 * want, 100))
            search = search.select(["vector_id", "_distance"]).limit(min(want, rows))
            if where is not None:
                search = search.where(where, prefilter=True)
            column = search.to_arrow()["vector_id"]
            if column.null_count:
                raise Damaged("it has rows without an id")
            ids: list[int] = column.to_pylist()
            if where is not None or allowed is None:
                return ids
            ids = [i for i in ids if i in allowed]
            if len(ids) >= k + SPARE or want >= rows:
                return ids
            want *= 8
    return []
