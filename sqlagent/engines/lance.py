"""Lance: a collection's vectors as a dataset on disk, searched without being held in memory.

A dataset is derived: `agent.db.d/lance/<name>.lance` beside `<name>.json`, its token, which says of
which file, of which place in the change log and of which version of the dataset it is. Whatever is
missing, damaged or not ours is built anew from the vectors. `<name>.lock` orders the processes: a
search shares it, a change has it alone, so nothing is removed under a search of ours.

Imports numpy, and lancedb (2 s, 130 MB) with the first dataset that it opens, so it is imported
only where `vector_engine` is 'lance', or a dataset is there to be followed or removed.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from sqlagent.errors import BusyError, OperationalError
from sqlagent.index.near import distances
from sqlagent.migrate import sha256
from sqlagent.search.kinds import USER, Key
from sqlagent.search.scopes import LOG_ENDS, LOG_MAX
from sqlagent.sync.log import fingerprint
from sqlagent.sync.snapshot import file_id

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database, Handle

BATCH_BYTES = 64 << 20  # of vectors, that are on their way to Lance at once
SPARE = 16  # candidates beyond k: float32 sums order the nearest only roughly
LISTED = 10_000  # ids of a filter that Lance is given as a list: it takes 10 us for each
COMPACT_AFTER = 100  # changes; each leaves a fragment, and 100 of them double a search's time
KEPT_S = 60  # versions younger than this stay, for other programs that are reading them
AHEAD = 1_000  # entries of the log about other things, after which the token moves on
ODD_MAX = 1_000
OPEN_MAX = 32
T = TypeVar("T")


class Damaged(Exception):
    """Lance cannot read or write a dataset (it has no class of its own to say so)."""


class Token(NamedTuple):
    """What a dataset is of."""

    file_id: str | None
    collection: str
    dimensions: int
    seq: int
    mark: str | None  # the log's entry at seq: a copy that went its own way has another
    version: int | None  # of the dataset; None while a change is under way
    born: str  # tells a dataset from another that was built in its place
    changes: int  # since it was compacted
    odd: list[int]  # vectors that Lance's float32 sums cannot compare: always compared by us


class Lance:
    """The Lance datasets of a file."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.folder = os.path.join(database.folder or "", "lance")
        self.lock = threading.Lock()
        self.known: dict[str, tuple[tuple[str, int | None], Any]] = {}

    def nearest(
        self,
        key: Key,
        vector: bytes,
        metric: str,
        k: int,
        allowed: frozenset[int] | None,
        fetch: Callable[[Any], Any],
    ) -> tuple[list[int], list[float]] | None:
        """Ids and exact distances of the k nearest; None where this engine cannot answer: no
        folder can be written, the file is read-only and its dataset not up to date, or lengths
        are beyond float32."""
        query = np.frombuffer(vector, "<f4")
        if k == 0 or (allowed is not None and not allowed):
            return [], []
        if odd(query[None])[0]:
            return None

        def work(name: str, token: Token) -> list[int] | None:
            if len(token.odd) > ODD_MAX:
                return None
            ids = candidates(self.table(name, token), query, metric, k, allowed)
            ids += token.odd if allowed is None else [i for i in token.odd if i in allowed]
            return ids

        try:
            found = self.using(key, work)
        except OSError:
            return None
        if found is None:
            return None
        ids = np.unique(np.array(found, np.int64))
        far = distances(fetch(ids), query, metric)
        order = np.lexsort((ids, far))[:k]
        return ids[order].tolist(), far[order].tolist()

    def using(self, key: Key, work: Callable[[str, Token], T]) -> T | None:
        """What `work(name, token)` gives while the dataset is up to date and stays as it is.

        None where it would have to be written and cannot be. A damaged one is built anew, once.
        """
        name = file_name(key.scope or "")
        problem: Damaged | None = None
        for anew in (False, True):
            try:
                if not anew:
                    with self.locked(name, fcntl.LOCK_SH):
                        with self.database.snapshot() as handle:
                            token = self.fresh(handle, name, key)
                        if token is not None:
                            return work(name, token)
                if self.database.read_only:
                    return None
                with self.locked(name, fcntl.LOCK_EX):
                    with self.database.snapshot() as handle:
                        token = self.follow(handle, name, key, anew)
                    return work(name, token)
            except Damaged as error:
                problem = error
        raise OperationalError(
            f'the Lance dataset of "{key.scope}" cannot be used: {problem}',
            hint="SET vector_engine = 'auto' searches without it.",
        )

    @contextmanager
    def locked(self, name: str, kind: int) -> Iterator[None]:
        """Hold a dataset's lock, among processes and threads; BusyError after the timeout."""
        path = os.path.join(self.folder, name + ".lock")
        end = time.monotonic() + self.database.timeout
        file = self.lock_file(path, kind)
        while file is None:
            if time.monotonic() > end:
                raise BusyError(
                    f"a Lance dataset was busy for {self.database.timeout:g} s",
                    hint="Another process builds it; SET vector_engine = 'auto' searches without.",
                )
            time.sleep(0.002)
            file = self.lock_file(path, kind)
        try:
            yield
        finally:
            os.close(file)

    def lock_file(self, path: str, kind: int) -> int | None:
        """A descriptor that holds the lock; None where somebody else does."""
        flags = os.O_RDONLY
        if not self.database.read_only:
            os.makedirs(self.folder, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT
        file = os.open(path, flags, 0o666)
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            # The folder may have been deleted since: a lock on what is no more locks nobody out.
            if os.path.samestat(os.fstat(file), os.stat(path)):
                return file
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(file)
            raise
        os.close(file)
        return None

    # Following the file --------------------------------------------------------------------------

    def read(self, handle: Handle, name: str, key: Key) -> Token | None:
        """The token of a dataset, where it is of this file's history and can be followed."""
        try:
            with open(os.path.join(self.folder, name + ".json"), encoding="utf-8") as file:
                token = Token(**json.load(file))
            low, high = handle.execute(LOG_ENDS).fetchone()
            own = (file_id(handle), key.scope, key.dimensions, fingerprint(handle, token.seq))
            told = (token.file_id, token.collection, token.dimensions, token.mark)
            within = (low or 0) <= token.seq + 1 and 0 <= (high or 0) - token.seq <= LOG_MAX
            return token if own == told and within else None
        except (OSError, ValueError, TypeError, OverflowError):
            return None

    def fresh(self, handle: Handle, name: str, key: Key) -> Token | None:
        """The token, where the dataset lacks nothing that the handle sees."""
        token = self.read(handle, name, key)
        if token is None or token.version is None or dirty(handle, key, token.seq):
            return None
        high = handle.execute(LOG_ENDS).fetchone()[1] or 0
        return token if self.database.read_only or high - token.seq <= AHEAD else None

    def follow(self, handle: Handle, name: str, key: Key, anew: bool) -> Token:
        """Take in what changed since, or all; only for whoever has the lock alone."""
        token = None if anew else self.read(handle, name, key)
        high = handle.execute(LOG_ENDS).fetchone()[1] or 0
        if token is None:
            return self.build(handle, name, key, high)
        ids = dirty(handle, key, token.seq)
        if ids or token.version is None:
            table = self.table(name, token)
            # A process that dies now leaves this token: all since seq is then taken in again.
            self.write(name, token._replace(version=None))
            token = self.change(handle, key, token, table, ids)
            self.keep(name, token, table)
        token = token._replace(seq=high, mark=fingerprint(handle, high))
        self.write(name, token)
        return token

    def change(self, handle: Handle, key: Key, token: Token, table: Any, ids: list[int]) -> Token:
        """The rows of these ids as they are now; what is no more is removed."""
        strange = set(token.odd) - set(ids)
        step = rows_at_once(token.dimensions)
        for start in range(0, len(ids), step):
            gone = set(ids[start : start + step])
            for batch, more in batches(handle, key, ids[start : start + step]):
                strange |= more
                gone.difference_update(batch["vector_id"].to_pylist())
                with lances():
                    merge = table.merge_insert("vector_id").when_matched_update_all()
                    merge.when_not_matched_insert_all().execute(batch)
            if gone:
                with lances():
                    table.delete(listed(gone))
        changes = token.changes + 1
        with lances():
            if changes >= COMPACT_AFTER:
                # Nobody else writes it: what no version names was left by a process that died.
                table.optimize(
                    cleanup_older_than=timedelta(seconds=KEPT_S), delete_unverified=True
                )
                changes = 0
            version = int(table.version)
        return token._replace(version=version, changes=changes, odd=sorted(strange))

    def build(self, handle: Handle, name: str, key: Key, high: int) -> Token:
        """A new dataset, of all vectors of the collection."""
        self.drop(name)
        width = key.dimensions or 0
        with lances():
            import lancedb

            table = lancedb.connect(self.folder).create_table(name, schema=schema(width))
        strange: set[int] = set()
        for batch, more in batches(handle, key):
            strange |= more
            with lances():
                table.add(batch)
        token = Token(
            file_id=file_id(handle), collection=key.scope or "", dimensions=width, seq=high,
            mark=fingerprint(handle, high), version=int(table.version),
            born=os.urandom(8).hex(), changes=0, odd=sorted(strange),
        )  # fmt: skip
        self.write(name, token)
        self.keep(name, token, table)
        return token

    def table(self, name: str, token: Token) -> Any:
        """The dataset at the token's version, open. Raises Damaged."""
        with self.lock:
            known = self.known.get(name)
        if known is not None and known[0] == (token.born, token.version):
            return known[1]
        with lances():
            import lancedb

            # A new connection: one that was used before may remember what was there before.
            table = lancedb.connect(self.folder).open_table(name)
            if token.version not in (None, table.version):
                raise Damaged("another program has written it")
        if token.version is not None:
            self.keep(name, token, table)
        return table

    def keep(self, name: str, token: Token, table: Any) -> None:
        """Keep a dataset open."""
        with self.lock:
            self.known.pop(name, None)
            while len(self.known) >= OPEN_MAX:
                del self.known[next(iter(self.known))]
            self.known[name] = ((token.born, token.version), table)

    def write(self, name: str, token: Token) -> None:
        """Put a token in place of the one before."""
        handle, path = tempfile.mkstemp(dir=self.folder, prefix=name, suffix=".new")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(token._asdict(), file)
            os.replace(path, os.path.join(self.folder, name + ".json"))
        except BaseException:
            with suppress(OSError):
                os.unlink(path)
            raise

    # The datasets that there are -----------------------------------------------------------------

    def names(self) -> set[str]:
        """The names of what is in the folder."""
        try:
            found = os.listdir(self.folder)
        except OSError:
            return set()
        return {n.rpartition(".")[0] for n in found if n.endswith((".lance", ".json"))}

    def drop(self, name: str) -> None:
        """Remove a dataset, its token first; only for whoever has the lock alone."""
        with self.lock:
            self.known.pop(name, None)
        for path in (os.path.join(self.folder, name + end) for end in (".json", ".lance")):
            with suppress(FileNotFoundError):
                if os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path)
                else:
                    os.unlink(path)

    def sync(self) -> int:
        """Bring up to date what is there, remove what has no collection any more; how many."""
        if self.database.read_only:
            return 0
        there = self.names()
        with self.database.read() as handle:
            rows = handle.execute("SELECT collection, dimensions FROM collections").fetchall()
        for collection, dimensions in rows:
            if file_name(collection) in there:
                self.using(Key("vectors", collection, USER, dimensions), lambda name, token: token)
        for name in there - {file_name(row[0]) for row in rows}:
            with self.locked(name, fcntl.LOCK_EX):
                self.drop(name)
        return len(there)

    def rebuild(self) -> None:
        """Remove all datasets; the next search builds its own anew."""
        if not self.database.read_only:
            for name in self.names():
                with self.locked(name, fcntl.LOCK_EX):
                    self.drop(name)

    def close(self) -> None:
        with self.lock:
            self.known.clear()


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


def dirty(handle: Handle, key: Key, since: int) -> list[int]:
    """The ids of a collection that the log names after a place."""
    sql = (
        "SELECT DISTINCT pk FROM sqlagent_change_log "
        "WHERE seq > ? AND tbl = 'vectors' AND scope = ? ORDER BY pk"
    )
    return [r[0] for r in handle.execute(sql, (since, key.scope))]


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
    values: tuple[Any, ...] = (key.scope, 4 * width)
    if ids is not None:
        sql += " AND vector_id IN (SELECT value FROM json_each(?))"
        values += ("[" + ",".join(map(str, ids)) + "]",)
    encoding = handle.execute("PRAGMA encoding").fetchone()[0]
    cursor = handle.execute(sql, values)
    while rows := list(islice(cursor, rows_at_once(width))):
        numbers, vectors, *texts = zip(*rows, strict=True)
        matrix = np.frombuffer(b"".join(vectors), "<f4").reshape(len(rows), width)
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


def listed(ids: Any) -> str:
    """The condition that a row is one of these."""
    return f"vector_id IN ({','.join(map(str, sorted(ids)))})"


def candidates(
    table: Any, query: Any, metric: str, k: int, allowed: frozenset[int] | None
) -> list[int]:
    """The ids of some more than the k nearest (of those that are allowed), by a scan of all."""
    want, where = k + SPARE, None
    with lances():
        rows = int(table.count_rows())
        if allowed is not None and len(allowed) <= LISTED:
            where = listed(allowed)
        elif allowed is not None:  # a long list costs more than to look further
            want = 2 * want * max(1, rows // len(allowed))
        while rows:
            search = table.search(query, vector_column_name="vector")
            search = search.distance_type("dot" if metric == "ip" else metric)
            search = search.select(["vector_id", "_distance"]).limit(min(want, rows))
            if where is not None:
                search = search.where(where, prefilter=True)
            ids: list[int] = search.to_arrow()["vector_id"].to_pylist()
            if where is not None or allowed is None:
                return ids
            ids = [i for i in ids if i in allowed]
            if len(ids) >= k + SPARE or want >= rows:
                return ids
            want *= 8
    return []


def lance(database: Database) -> Lance:
    """The file's datasets, made known on first use."""
    found: Any = database.services.get("lance")
    if found is None:
        with database.lock:
            found = database.services.setdefault("lance", Lance(database))
    return found  # type: ignore[no-any-return]  # services hold whatever hangs on a file
