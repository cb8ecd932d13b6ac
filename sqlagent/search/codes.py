"""One-bit codes of large collections: built once, kept in the derived folder, followed by the
change log.

Some rows are asked for while the codes are built, which tells how many candidates they need. Where
bits tell too little and the collection is not too large, all of it is scanned instead.

The codes are a cache: a file that is missing, damaged, or not of this collection's history is built
anew from the vectors.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from sqlagent.elements import decoded
from sqlagent.index.codes import BinaryCodes
from sqlagent.index.sample import RUNGS, Sample
from sqlagent.index.vectors import CAN_CODE
from sqlagent.migrate import sha256
from sqlagent.search.kinds import CHOSEN, Key, listed, space_in
from sqlagent.search.mapped import mapped
from sqlagent.search.scopes import LOG_ENDS, LOG_MAX, scopes

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Database, Handle

CODES_FROM = 50_000  # vectors in a collection from which codes are faster and smaller than floats
BATCH = 4096
SAVE_AFTER = 0.1  # share of the rows that changed since the file was written
TYPICAL = 4_096  # rows that tell the mean
QUESTIONS = 24  # rows that are asked for, to see how many candidates the codes need
SCANNED_BYTES = 100_000_000  # of int8 codes or floats that are scanned where bits do not serve
CANDIDATE_BYTES = 32_768  # are scanned in the time that it takes to fetch and compare a candidate
GROWTH = 1.5  # times as many rows as when it was measured: it is measured again
COUNT = "SELECT count(*) FROM vectors WHERE collection = ?"
# Fibonacci hashing: the rows with the lowest numbers lie evenly all over the collection, and an
# index gives them, whatever other collections lie between.
SAMPLED = """
SELECT vector_id FROM vectors WHERE collection = ?
ORDER BY ((vector_id & 2147483647) * 2654435769) & 4294967295 LIMIT ?
"""


class Coded:
    """The codes of one collection, and how far they are."""

    def __init__(self, codes: BinaryCodes, seq: int) -> None:
        self.codes = codes
        self.seq = seq
        self.changed = 0


class Codes:
    """The coded collections of a file."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.lock = threading.RLock()
        self.known: dict[Key, Coded] = {}
        self.small: dict[Key, int] = {}  # the log's place at which a collection was still small
        self.scanned: dict[Key, tuple[int, int]] = {}  # that place, and the rows: bits do not serve

    def files(self, key: Key) -> tuple[str, str]:
        """The folder of codes, and how the names of this collection's files begin."""
        name = sha256(f"{key.scope}\0{key.dimensions}\0{key.model}".encode())[:24]
        return os.path.join(self.database.folder or "", "vectors"), name + "-"

    def kept_files(self, key: Key) -> list[tuple[int, str]]:
        """(place in the log, path) of what is in the folder, the newest first."""
        folder, start = self.files(key)
        try:
            names = os.listdir(folder)
        except OSError:
            return []
        found = []
        for name in names:
            place = name.removeprefix(start).removesuffix(".codes")
            if name.startswith(start) and place.isdigit():
                found.append((int(place), os.path.join(folder, name)))
        return sorted(found, reverse=True)

    def get(self, context: Context, key: Key, metric: str) -> BinaryCodes | None:
        """The codes, up to date; None where the collection is small, or is better scanned."""
        with self.lock, self.database.snapshot() as handle:
            low, high = handle.execute(LOG_ENDS).fetchone()
            high = high or 0
            kept = self.known.get(key)
            if kept is None:
                if not self.large(handle, key, high) or self.is_scanned(handle, key, high):
                    return None
                token = self.token(handle, key, metric)
                kept = self.load(handle, key, token, low or 0, high)
                if kept is None:
                    kept = self.build(handle, key, metric, token, high)
                self.known[key] = kept
            elif kept.seq > high or kept.seq + 1 < (low or 0) or high - kept.seq > LOG_MAX:
                token = self.token(handle, key, metric)
                kept = self.known[key] = self.build(handle, key, metric, token, high)
            self.follow(handle, key, kept, high)
            if len(kept.codes) > GROWTH * kept.codes.measured:
                token = self.token(handle, key, metric)
                kept = self.known[key] = self.build(handle, key, metric, token, high)
            if self.better_scanned(kept.codes):
                self.scanned[key] = high, kept.codes.measured
                del self.known[key]
                return None
            if kept.changed > SAVE_AFTER * max(1, len(kept.codes)):
                self.save(handle, key, kept, self.token(handle, key, metric))
            return kept.codes

    def large(self, handle: Handle, key: Key, high: int) -> bool:
        """Whether a collection is worth codes; asked again after as many changes as could
        matter."""
        seen = self.small.get(key)
        if seen is not None and high - seen < CODES_FROM // 2:
            return False
        row = handle.execute(
            "SELECT 1 FROM vectors WHERE collection = ? LIMIT 1 OFFSET ?", (key.scope, CODES_FROM)
        ).fetchone()
        if row is None:
            self.small[key] = high
            return False
        self.small.pop(key, None)
        return True

    def is_scanned(self, handle: Handle, key: Key, high: int) -> bool:
        """Whether codes were found not to serve, and the collection has not outgrown that."""
        seen, rows = self.scanned.get(key, (0, 0))
        if high >= seen and high - seen < (GROWTH - 1) * rows:
            return True
        if rows and high >= seen:  # that many changes; perhaps of other tables
            count = handle.execute(COUNT, (key.scope,)).fetchone()[0]
            if count <= GROWTH * rows:
                self.scanned[key] = high, rows
                return True
        self.scanned.pop(key, None)
        return False

    @staticmethod
    def better_scanned(codes: BinaryCodes) -> bool:
        """Whether bits tell so little, and the rows are so few, that all of them are compared."""
        each = codes.dimensions * (1 if CAN_CODE and codes.metric == "cosine" else 4)
        most = min(SCANNED_BYTES, CANDIDATE_BYTES * codes.rerank)
        return codes.rerank > RUNGS[0] and len(codes) * each <= most

    def token(self, handle: Handle, key: Key, metric: str) -> str:
        """What a codes file must say to belong to this collection of this file."""
        file_id = handle.execute(
            "SELECT value FROM sqlagent_meta WHERE name = 'file_id'"
        ).fetchone()[0]
        return f"{file_id}/{key.scope}/{key.dimensions}/{metric}/{key.model}"

    def mark(self, handle: Handle, seq: int) -> str:
        """The log's entry at a place: a copy of the file that went its own way has another."""
        row = handle.execute(
            "SELECT tbl, pk, op, at FROM sqlagent_change_entries WHERE seq = ?", (seq,)
        ).fetchone()
        return "" if row is None else "/".join(map(str, row))

    def load(self, handle: Handle, key: Key, token: str, low: int, high: int) -> Coded | None:
        """The codes that another process left, where they are whole and of this history."""
        for place, path in self.kept_files(key):
            if low <= place <= high and high - place <= LOG_MAX:
                try:
                    told = f"{token}|{self.mark(handle, place)}"
                    return Coded(BinaryCodes.load(path, told), place)
                except (OSError, ValueError):
                    continue
        return None

    def save(self, handle: Handle, key: Key, kept: Coded, token: str) -> None:
        """Keep the codes for the next process; a folder that cannot be written is no error."""
        if self.database.read_only:
            return
        kept.changed = 0
        folder, start = self.files(key)
        path = os.path.join(folder, f"{start}{kept.seq}.codes")
        try:
            os.makedirs(folder, exist_ok=True)
            kept.codes.save(path, f"{token}|{self.mark(handle, kept.seq)}")
            for _, old in self.kept_files(key):
                if old != path:
                    os.unlink(old)
        except OSError:
            return

    def build(self, handle: Handle, key: Key, metric: str, token: str, high: int) -> Coded:
        ids, rows = typical(handle, key)
        asked = Sample(ids[:QUESTIONS], rows[:QUESTIONS], metric)
        count = handle.execute(COUNT, (key.scope,)).fetchone()[0]
        with mapped(handle):
            codes = BinaryCodes.build(
                batches(handle, key), key.dimensions or 0, metric, asked, rows, count
            )
        kept = Coded(codes, high)
        self.save(handle, key, kept, token)
        # From the file they are mapped, and no memory of the process's own.
        found = self.load(handle, key, token, high, high)
        return kept if found is None else found

    def follow(self, handle: Handle, key: Key, kept: Coded, high: int) -> None:
        """Take in what changed since."""
        if high == kept.seq:
            return
        dirty = [
            r[0]
            for r in handle.execute(
                "SELECT DISTINCT pk FROM sqlagent_change_entries "
                "WHERE seq > ? AND tbl = 'vectors' AND scope = ?",
                (kept.seq, key.scope),
            )
        ]
        if dirty:
            codes = kept.codes.remove(dirty)
            for ids, matrix in batches(handle, key, dirty):
                codes = codes.append(ids, matrix)
            kept.codes = codes
            kept.changed += len(dirty)
        kept.seq = high

    def rebuild(self) -> None:
        """Forget all codes, on disk too."""
        with self.lock:
            for key in (*self.known, *self.scanned):
                for _, path in self.kept_files(key):
                    os.unlink(path)
            self.known.clear()
            self.small.clear()
            self.scanned.clear()

    def close(self) -> None:
        with self.lock:
            self.known.clear()


def batches(handle: Handle, key: Key, ids: list[int] | None = None) -> Iterator[tuple[Any, Any]]:
    """(ids, float32 matrix) of a collection's vectors, all or these; what is not finite is left
    out."""
    space = space_in(key)
    where = "collection = :scope AND length(vector) = :bytes"
    named: dict[str, Any] = {"scope": key.scope, "bytes": space.size}
    if ids is not None:
        where = f"vector_id {CHOSEN} AND +{where}"
        named["ids"] = listed(ids)
    cursor = handle.execute(f"SELECT vector_id, vector FROM vectors WHERE {where}", named)
    while rows := list(islice(cursor, BATCH)):
        matrix = decoded(space, [r[1] for r in rows])
        numbers = np.array([r[0] for r in rows], np.int64)
        sound = np.isfinite(matrix).all(axis=1)
        yield (numbers, matrix) if sound.all() else (numbers[sound], matrix[sound])


def typical(handle: Handle, key: Key) -> tuple[Any, Any]:
    """(ids, float32 matrix) of some rows of a collection, from all over it."""
    ids = [r[0] for r in handle.execute(SAMPLED, (key.scope, TYPICAL))]
    place = {number: at for at, number in enumerate(ids)}
    parts = list(batches(handle, key, ids))
    if not parts:
        return np.zeros(0, np.int64), np.zeros((0, key.dimensions or 0), "<f4")
    numbers, rows = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort([place[n] for n in numbers.tolist()])  # each part of them from all over
    return numbers[order], rows[order]


def coded(context: Context, key: Key, metric: str) -> BinaryCodes | None:
    """The codes of a collection that is large enough for them and served by them, else None."""
    database = context.database
    with scopes(database).lock:
        entry = scopes(database).entries.get(key)
        if entry is not None and len(entry.index) < CODES_FROM:
            return None
    found: Any = database.services.get("codes")
    if found is None:
        with database.lock:
            found = database.services.setdefault("codes", Codes(database))
    codes: BinaryCodes | None = found.get(context, key, metric)
    if codes is not None:
        with scopes(database).lock:
            if key in scopes(database).entries:
                scopes(database).drop(key)  # it has outgrown the floats
    return codes
