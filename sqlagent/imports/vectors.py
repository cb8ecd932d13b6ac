"""COPY vectors FROM …: many vectors at once, checked and written without a Python object a number.

Arrow's numbers are the bytes that the file keeps, so a batch is one matrix: checked by numpy, cut
into rows, handed to SQLite. While a batch is loaded the triggers of `vectors` stand back on this
one connection: what they would look up for each row is done once, and the change log is written
in one go.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import apsw
import numpy as np

from sqlagent import clock
from sqlagent.elements import Space, encoded, space_of
from sqlagent.imports.load import load
from sqlagent.migrate import known, own_names
from sqlagent.sync.log import NEWEST

if TYPE_CHECKING:
    import pyarrow as pa

    from sqlagent.engines.sqlite import Handle

Refuse = Callable[[int, str, str | None, str], None]  # record, reason, column, content
CONTENT = 2_000  # characters of a rejected record that are kept
ROWID_MAX = 1 << 62  # above it SQLite picks numbers at random
LOG = f"""
INSERT INTO sqlagent_change_entries (seq, tbl, pk, op, scope, at)
WITH RECURSIVE n (pk) AS (SELECT ?1 UNION ALL SELECT pk + 1 FROM n WHERE pk < ?2)
SELECT ({NEWEST}) + 1 + pk - ?1, 'vectors', pk, 'i', ?3, ?4 FROM n
"""


class Loader:
    """Writes batches of vectors in the writer's transaction; `refuse` hears of what is bad."""

    def __init__(
        self, handle: Handle, names: list[str], collection: str | None, refuse: Refuse
    ) -> None:
        """`names` are the columns of the batches that come, as the table has them; `collection`
        is where all go, else a column says so."""
        self.handle, self.refuse, self.collection = handle, refuse, collection
        self.others = [n for n in names if n not in ("collection", "id", "vector")]
        columns = ", ".join(f'"{n}"' for n in ("collection", "id", "vector", *self.others))
        marks = ", ".join("?" * (3 + len(self.others)))
        self.insert = f"INSERT INTO vectors ({columns}) VALUES ({marks})"
        self.spaces: dict[str, Space] = {}
        self.quick = "vector_id" not in names and self.newest() < ROWID_MAX and own_triggers(handle)
        self.done = 0

    def newest(self) -> int:
        found = self.handle.execute("SELECT max(vector_id) FROM vectors").fetchone()[0]
        return int(found or 0)

    def load(self, batch: pa.RecordBatch, numbers: Sequence[int]) -> None:
        """One batch, with the numbers of its records."""
        import pyarrow as pa

        ids = batch.column("id").cast(pa.string()).to_pylist()
        whose: list[Any]
        if self.collection is not None:
            whose = [self.collection] * len(ids)
        else:
            whose = batch.column("collection").cast(pa.string()).to_pylist()
        others = [batch.column(n).to_pylist() for n in self.others]
        bad: dict[int, tuple[str, str | None]] = {}
        for place, (name, own) in enumerate(zip(whose, ids, strict=True)):
            if not name or not own:
                missing = "id" if name else "collection"
                bad[place] = (f"{missing} is NULL or empty", missing)
        lists = Lists(batch.column("vector"))
        for place in lists.empty.tolist():
            bad.setdefault(place, ("vector is NULL or empty", "vector"))
        for name in dict.fromkeys(whose):
            if not name:
                continue
            places = [n for n, w in enumerate(whose) if w == name and n not in bad]
            if places:
                self.group(str(name), np.array(places), lists, ids, others, bad)
        for place in sorted(bad):
            reason, column = bad[place]
            record = {
                "collection": whose[place],
                "id": ids[place],
                "vector": lists.shown(place),
                **{n: str(v[place]) for n, v in zip(self.others, others, strict=True)},
            }
            text = json.dumps(record, ensure_ascii=False)
            self.refuse(numbers[place], reason, column, text)

    def group(
        self,
        collection: str,
        places: Any,
        lists: Lists,
        ids: list[Any],
        others: list[list[Any]],
        bad: dict[int, tuple[str, str | None]],
    ) -> None:
        """The rows of one collection in a batch."""
        space = self.spaces.get(collection) or space_of(self.handle, collection)
        there = space is not None
        if space is None:
            space = Space(int(lists.lengths[places[0]]))
        fits = lists.lengths[places] == space.dimensions
        for place in places[~fits].tolist():
            wanted, came = space.dimensions, int(lists.lengths[place])
            bad[place] = (f"expected {wanted} dimensions, not {came}", "vector")
        places = places[fits]
        rows, wrong = encoded(space, lists.matrix(places, space.dimensions))
        for place, reason in wrong.items():
            bad[int(places[place])] = (reason, "vector")
        if len(wrong) == len(places):
            return
        if not there:
            self.handle.execute(
                "INSERT INTO collections (collection, dimensions) VALUES (?, ?)",
                (collection, space.dimensions),
            )
        self.spaces[collection] = space
        flat, size = np.ascontiguousarray(rows).data.cast("B"), space.size
        chosen = [
            (
                place,
                collection,
                ids[place],
                flat[at * size : (at + 1) * size],
                *(column[place] for column in others),
            )
            for at, place in enumerate(places.tolist())
            if at not in wrong
        ]

        def refuse(row: tuple[Any, ...], reason: str) -> None:
            bad[row[0]] = (reason, None)

        self.write(collection, chosen, refuse)

    def write(self, collection: str, rows: list[Any], refuse: Any) -> None:
        """Rows of one collection that are known to be sound."""
        if not self.quick:
            self.done += load(self.handle, self.insert, rows, refuse)
            return
        before = self.newest()
        with without_triggers(self.handle):
            done = load(self.handle, self.insert, rows, refuse)
        if done:
            numbers = before + 1, before + done
            self.handle.execute(LOG, (*numbers, collection, clock.now()))
        self.done += done


@contextmanager
def without_triggers(handle: Handle) -> Iterator[None]:
    """No trigger runs on this connection meanwhile; SQLite compiles its statements anew for it."""
    before = handle.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, -1)
    handle.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    try:
        yield
    finally:
        handle.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, before)


def own_triggers(handle: Handle) -> bool:
    """Whether no trigger hangs on the vectors but those whose work is done here."""
    found = handle.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = 'vectors' "
        "UNION ALL SELECT name FROM sqlite_temp_schema WHERE type = 'trigger'"
    )
    return own_names(known()).issuperset(str(name).lower() for (name,) in found)


class Lists:
    """A column of lists of numbers, as Arrow has it: of equal length, or each of its own."""

    def __init__(self, column: pa.Array) -> None:
        import pyarrow as pa

        count = len(column)
        nulls = np.asarray(column.is_null().to_numpy(zero_copy_only=False), np.bool_)
        if pa.types.is_fixed_size_list(column.type):
            width = column.type.list_size
            self.starts = (np.arange(count) + column.offset) * width
            self.lengths = np.full(count, width)
            values = column.values
        else:
            offsets = column.offsets.to_numpy().astype(np.int64)
            self.starts, self.lengths = offsets[:-1], np.diff(offsets)
            values = column.values
        if values.type != pa.float32():
            values = values.cast(pa.float32(), safe=False)
        if values.null_count:
            values = values.fill_null(float("nan"))
        self.values = values.to_numpy()
        self.lengths = np.where(nulls, 0, self.lengths)
        self.empty = np.flatnonzero(self.lengths == 0)

    def matrix(self, places: Any, width: int) -> Any:
        """The rows at these places, each of this length."""
        starts = self.starts[places]
        if not len(starts):
            return np.zeros((0, width), np.float32)
        if (np.diff(starts) == width).all():
            low = int(starts[0])
            return self.values[low : low + len(starts) * width].reshape(-1, width)
        return self.values[starts[:, None] + np.arange(width)]

    def shown(self, place: int) -> Any:
        """A row as text that is not too long."""
        start = int(self.starts[place])
        text = str(self.values[start : start + int(self.lengths[place])][:CONTENT].tolist())
        return text[:CONTENT]


def split(reader: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Batches of at most so many rows."""
    for batch in reader:
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)
