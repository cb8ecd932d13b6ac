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
import shutil
import tempfile
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from sqlagent.elements import Space
from sqlagent.engines.lance_data import (
    Damaged,
    Index,
    batches,
    candidates,
    file_name,
    lances,
    listed,
    odd,
    rows_at_once,
    schema,
    train,
)
from sqlagent.engines.lance_lock import locked
from sqlagent.errors import OperationalError
from sqlagent.index.near import distances
from sqlagent.search import codes
from sqlagent.search.indexes import defined
from sqlagent.search.kinds import Key, key_of, space_in
from sqlagent.search.scopes import LOG_ENDS, LOG_MAX
from sqlagent.sync.log import fingerprint
from sqlagent.sync.snapshot import file_id

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Database, Handle

FEW = 2_000  # ids of a filter whose vectors the file gives: 11 us each, 1.2 us a row of a scan
COMPACT_AFTER = 100  # changes; each leaves a fragment, and 100 of them double a search's time
KEPT_S = 60  # versions younger than this stay, for other programs that are reading them
AHEAD = 1_000  # entries of the log about other things, after which the token moves on
ODD_MAX = 1_000
OPEN_MAX = 32
T = TypeVar("T")


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
    built: str = ""  # what is built over the vectors: its kind and options


class Lance:
    """The Lance datasets of a file."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.folder = os.path.join(database.folder or "", "lance")
        self.lock = threading.Lock()
        self.known: dict[str, tuple[tuple[str, int | None], Any]] = {}

    def nearest(
        self,
        context: Context,
        key: Key,
        vector: bytes,
        metric: str,
        k: int,
        allowed: frozenset[int] | None,
        fetch: Callable[[Any], Any],
        index: Index | None = None,
    ) -> tuple[list[int], list[float]] | None:
        """Ids and exact distances of the k nearest; None where this engine cannot answer: no
        folder can be written, the file is read-only and its dataset not up to date, or lengths
        are beyond float32."""
        query = np.frombuffer(vector, "<f4")
        if k == 0 or (allowed is not None and not allowed):
            return [], []
        if allowed is not None and len(allowed) <= FEW:
            with context.reading() as handle:
                parts = list(codes.batches(handle, key, sorted(allowed)))
            if not parts:
                return [], []
            ids, rows = (np.concatenate(part) for part in zip(*parts, strict=True))
            return best(ids, distances(rows, query, metric), k)
        if odd(query[None])[0]:
            return None

        def work(name: str, token: Token) -> list[int] | None:
            if len(token.odd) > ODD_MAX:
                return None
            ids = candidates(
                self.table(name, token), query, metric, k, allowed, index if token.built else None
            )
            ids += token.odd if allowed is None else [i for i in token.odd if i in allowed]
            return ids

        try:
            found = self.using(key, work, index)
        except OSError:
            return None
        if found is None:
            return None
        ids = np.unique(np.array(found, np.int64))
        return best(ids, distances(fetch(ids), query, metric), k)

    def using(
        self, key: Key, work: Callable[[str, Token], T], index: Index | None = None
    ) -> T | None:
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
                        if token is not None and (not index or token.built == index.built):
                            return work(name, token)
                if self.database.read_only:
                    return None
                with self.locked(name, fcntl.LOCK_EX):
                    with self.database.snapshot() as handle:
                        token = self.follow(handle, name, key, anew)
                    if index and token.built != index.built:
                        token = self.indexed(name, key, token, index)
                    return work(name, token)
            except Damaged as error:
                problem = error
        raise OperationalError(
            f'the Lance dataset of "{key.scope}" cannot be used: {problem}',
            hint="SET vector_engine = 'auto' searches without it.",
        )

    def locked(self, name: str, kind: int) -> AbstractContextManager[None]:
        """Hold a dataset's lock, shared or alone (fcntl.LOCK_SH or LOCK_EX)."""
        database = self.database
        return locked(self.folder, name, kind, database.timeout, create=not database.read_only)

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
            with lances():
                table.checkout_latest()
                if token.version not in (None, table.version):
                    raise Damaged("another program has written it")
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
                table.optimize(cleanup_older_than=timedelta(seconds=KEPT_S), delete_unverified=True)
                changes = 0
            version = int(table.version)
        return token._replace(version=version, changes=changes, odd=sorted(strange))

    def indexed(self, name: str, key: Key, token: Token, index: Index) -> Token:
        """The dataset with an index of this kind, where it has rows enough to train one."""
        table = self.table(name, token)
        self.write(name, token._replace(version=None))
        with lances():
            train(table, space_in(key).measure, index)
            version = int(table.version)
        token = token._replace(version=version, built=index.built)
        self.write(name, token)
        self.keep(name, token, table)
        return token

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
        ends = (".json", ".probes", ".lance")
        for path in (os.path.join(self.folder, name + end) for end in ends):
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
            rows = handle.execute(
                "SELECT collection, dimensions, metric, element_type FROM collections"
            ).fetchall()
        for collection, *space in rows:
            with self.database.read() as handle:
                own = defined(handle, collection)
            trained = own is not None and own.kind in ("ivf_pq", "hnsw_sq")
            if trained or file_name(collection) in there:
                index = Index(own.kind, **own.options) if own is not None and trained else None
                self.using(key_of(collection, Space(*space)), lambda name, token: token, index)
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


def dirty(handle: Handle, key: Key, since: int) -> list[int]:
    """The ids of a collection that the log names after a place."""
    sql = (
        "SELECT DISTINCT pk FROM sqlagent_change_entries "
        "WHERE seq > ? AND tbl = 'vectors' AND scope = ? ORDER BY pk"
    )
    return [r[0] for r in handle.execute(sql, (since, key.scope))]


def best(ids: Any, far: Any, k: int) -> tuple[list[int], list[float]]:
    """The k nearest, in order."""
    order = np.lexsort((ids, far))[:k]
    return ids[order].tolist(), far[order].tolist()


def lance(database: Database) -> Lance:
    """The file's datasets, made known on first use."""
    found: Any = database.services.get("lance")
    if found is None:
        with database.lock:
            found = database.services.setdefault("lance", Lance(database))
    return found  # type: ignore[no-any-return]  # services hold whatever hangs on a file
