"""The facets of large collections: what their rows' metadata hold, in columns of codes.

Built by one scan when a filter is first asked about a path, together with whatever other paths the
first rows show; kept in the derived folder; followed by the change log. They are a cache: a file
that is missing, damaged, or not of this collection's history is built anew from the rows.
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sqlagent.index import facetfile
from sqlagent.index.facets import Facets, Growing, Path
from sqlagent.migrate import sha256
from sqlagent.search.conditions import CREATED, plain
from sqlagent.search.kinds import CHOSEN, listed
from sqlagent.search.mapped import mapped
from sqlagent.search.scopes import LOG_ENDS
from sqlagent.sync.log import fingerprint
from sqlagent.sync.scrub import erased_since

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database, Handle

DIRTY = """
SELECT DISTINCT pk FROM sqlagent_change_entries WHERE seq > ? AND tbl = 'vectors' AND scope = ?
"""
DIRTY_MAX = 20_000  # changed rows from which all are read again
SHARE = """
SELECT EXISTS (SELECT 1 FROM vectors WHERE collection = ?
  LIMIT 1 OFFSET (SELECT max(vector_id) / 8 FROM vectors))
"""
SAVE_AFTER = 0.1  # share of the rows that changed since the file was written
KEPT_MAX = 16  # collections
BATCH = 4_000  # rows whose texts stay in the processor's cache
FIRST = "SELECT metadata FROM vectors WHERE collection = ? LIMIT 200"
GUESSED_MAX = 6  # paths that are read though nothing was asked about them yet
OFTEN = 0.1  # of the first rows have such a path
LONG = 64  # characters of a text that is content, and no property
DEEP = 3


class Kept(NamedTuple):
    """Facets as of a place in the log."""

    facets: Facets
    seq: int
    changed: int  # rows, since they were written to a file


class Store:
    """The facets of a file's collections: a service of the database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.lock = threading.RLock()
        self.known: OrderedDict[str, Kept] = OrderedDict()

    def get(self, handle: Handle, collection: str, paths: frozenset[Path]) -> tuple[Facets, int]:
        """The facets of a collection at these paths at least, as a snapshot's handle sees it, and
        its place in the log."""
        with self.lock:
            low, high = handle.execute(LOG_ENDS).fetchone()
            low, high = low or 0, high or 0
            kept = self.known.pop(collection, None)
            if kept is not None and kept.seq > high:  # another thread saw more than this snapshot
                self.known[collection] = kept
                return self.read(handle, collection, sorted(paths)), high
            kept = kept or self.load(handle, collection, low, high)
            kept = None if kept is None else self.follow(handle, collection, kept, low, high)
            if kept is None:
                some = paths | guessed(handle, collection)
                kept = Kept(self.read(handle, collection, sorted(some)), high, 0)
                self.save(handle, collection, kept)
            elif not paths <= kept.facets.columns.keys():
                some = paths | kept.facets.columns.keys()
                kept = Kept(self.more(handle, collection, kept.facets, some), high, 0)
                self.save(handle, collection, kept)
            elif kept.changed > SAVE_AFTER * max(1, len(kept.facets.ids)):
                kept = kept._replace(changed=0)
                self.save(handle, collection, kept)
            self.known[collection] = kept
            while len(self.known) > KEPT_MAX:
                self.known.popitem(last=False)
            return kept.facets, high

    def read(self, handle: Handle, collection: str, paths: Sequence[Path]) -> Facets:
        """The facets by a scan of the rows."""
        columns = [Growing() for _ in paths]
        numbers: list[Any] = []
        shown, values = asked(paths)
        # The index of a collection gives its rows in another order, a page of the file for each.
        large = handle.execute(SHARE, (collection,)).fetchone()[0]
        where = "coalesce(collection, '') = ?" if large else "collection = ? ORDER BY +vector_id"
        sql = f"SELECT vector_id{shown} FROM vectors WHERE {where}"
        with mapped(handle):
            cursor = handle.execute(sql, (*values, collection))
            while rows := list(islice(cursor, BATCH)):
                told, *found = zip(*rows, strict=True)
                numbers.append(np.array(told, np.int64))
                for column, fragments in zip(columns, found, strict=True):
                    column.add(fragments)
        ids = np.concatenate(numbers) if numbers else np.zeros(0, np.int64)
        made = {path: column.column() for path, column in zip(paths, columns, strict=True)}
        return Facets(ids, None, made)

    def more(
        self, handle: Handle, collection: str, facets: Facets, paths: frozenset[Path]
    ) -> Facets:
        """Facets with more paths: what is known is kept where the rows are the same."""
        new = self.read(handle, collection, sorted(paths - facets.columns.keys()))
        if facets.alive is None and np.array_equal(new.ids, facets.ids):
            return Facets(facets.ids, None, {**facets.columns, **new.columns})
        return self.read(handle, collection, sorted(paths))

    def follow(
        self, handle: Handle, collection: str, kept: Kept, low: int, high: int
    ) -> Kept | None:
        """Take in what changed since; None where that cannot be told, or is too much."""
        if kept.seq == high:
            return kept
        if low > kept.seq + 1:
            return None
        told = handle.execute(DIRTY, (kept.seq, collection))
        dirty = [r[0] for r in islice(told, DIRTY_MAX + 1)]
        if len(dirty) > DIRTY_MAX or None in dirty:
            return None
        if not dirty:
            return kept._replace(seq=high)
        paths = sorted(kept.facets.columns)
        shown, values = asked(paths, "?3")
        sql = (
            f"SELECT vector_id{shown} FROM vectors WHERE vector_id "
            f"{CHOSEN.replace(':ids', '?1')} AND coalesce(collection, '') = ?2"
        )
        rows = handle.execute(sql, (listed(dirty), collection, *values)).fetchall()
        facets = kept.facets.replaced(rows, np.array(sorted(dirty), np.int64), paths)
        return Kept(facets, high, kept.changed + len(dirty))

    # The folder -----------------------------------------------------------------------------------

    def files(self, collection: str) -> list[tuple[int, str]]:
        """(place in the log, path) of what is in the folder, the newest first."""
        if self.database.folder is None:
            return []
        folder, start = os.path.join(self.database.folder, "vectors"), named(collection)
        try:
            names = [n for n in os.listdir(folder) if n.startswith(start)]
        except OSError:
            return []
        places = [(n.removeprefix(start).removesuffix(".facets"), n) for n in names]
        return sorted(
            ((int(p), os.path.join(folder, n)) for p, n in places if p.isdigit()), reverse=True
        )

    def load(self, handle: Handle, collection: str, low: int, high: int) -> Kept | None:
        """What another process left, where it is whole and of this history."""
        for place, path in self.files(collection):
            if low <= place <= high:
                with suppress(OSError, ValueError, KeyError, TypeError):
                    token = self.token(handle, collection, place)
                    return Kept(facetfile.load(FilePath(path), token), place, 0)
        return None

    def save(self, handle: Handle, collection: str, kept: Kept) -> None:
        """Keep facets for the next process; a folder that cannot be written is no error."""
        database = self.database
        if database.read_only or database.folder is None:
            return
        folder = os.path.join(database.folder, "vectors")
        path = os.path.join(folder, f"{named(collection)}{kept.seq}.facets")
        with suppress(OSError):
            os.makedirs(folder, exist_ok=True)
            facetfile.save(kept.facets, FilePath(path), self.token(handle, collection, kept.seq))
            for _, old in self.files(collection):
                if old != path:
                    os.unlink(old)
            with database.read() as reader:
                if erased_since(reader, kept.seq):  # the folder may have been cleaned before
                    os.unlink(path)

    @staticmethod
    def token(handle: Handle, collection: str, seq: int) -> str:
        """What a file must say to belong to this place of this file's history."""
        file_id = handle.execute(
            "SELECT value FROM sqlagent_meta WHERE name = 'file_id'"
        ).fetchone()[0]
        return f"{file_id}/{collection}/{fingerprint(handle, seq)}"

    def rebuild(self) -> None:
        """Forget all facets, on disk too."""
        with self.lock:
            for collection in self.known:
                for _, path in self.files(collection):
                    os.unlink(path)
            self.known.clear()

    def close(self) -> None:
        with self.lock:
            self.known.clear()


def named(collection: str) -> str:
    """How the names of a collection's files begin."""
    return sha256(collection.encode("utf-8", "surrogatepass"))[:24] + "-"


def asked(paths: Sequence[Path], first: str = "") -> tuple[str, list[str]]:
    """(what a SELECT shows of some paths, the values of its parameters)."""
    shown = ""
    values: list[str] = []
    for path in paths:
        if path == CREATED:
            shown += ", json_quote(CAST(created_at AS TEXT))"
        else:
            mark = f"?{int(first[1:]) + len(values)}" if first else "?"
            shown += f", metadata -> {mark}"
            values.append("$" + "".join(f'."{key}"' for key in path))
    return shown, values


def guessed(handle: Handle, collection: str) -> frozenset[Path]:
    """Paths that the first rows have, and that filters may be about."""
    texts = [r[0] for r in handle.execute(FIRST, (collection,)) if r[0] is not None]
    seen: Counter[Path] = Counter()
    long: set[Path] = set()
    for text in texts:
        for path, value in inside(json.loads(text)):
            seen[path] += 1
            if isinstance(value, str) and len(value) > LONG:
                long.add(path)
    often = (p for p, n in seen.most_common() if n >= OFTEN * len(texts) and p not in long)
    return frozenset(islice(often, GUESSED_MAX))


def inside(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The paths of what an object holds, but for objects and lists."""
    if not isinstance(value, dict):
        if path and not isinstance(value, list):
            yield path, value
        return
    for key, part in value.items():
        if len(path) < DEEP and plain(key):
            yield from inside(part, (*path, key))


def store(database: Database) -> Store:
    """The file's facets, made known on first use."""
    found: Any = database.services.get("facets")
    if found is None:
        with database.lock:
            found = database.services.setdefault("facets", Store(database))
    return found  # type: ignore[no-any-return]  # services hold whatever hangs on a file
