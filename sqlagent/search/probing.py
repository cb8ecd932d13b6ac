"""How far a search of an index of Lance must look to keep `min_recall`, measured on its own rows.

Partitions looked into and rows compared are doubled until enough of the nearest are found; what
was found is written beside the dataset, for other processes. It is measured again when as many rows
have changed as half of those that it was measured on.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.engines.lance import Lance, lance
from sqlagent.engines.lance_data import Index, file_name
from sqlagent.search.codes import GROWTH
from sqlagent.search.kinds import Key, space_in
from sqlagent.search.measured import MARGIN, PROMISED, QUESTIONS, Way, recall, truth
from sqlagent.search.scopes import LOG_ENDS

if TYPE_CHECKING:
    from sqlagent.context import Context

NEAREST = 10
PROBES_MAX = 4_096
CANDIDATES_MAX = 2_560  # times k


class Found(NamedTuple):
    """What keeps a recall: partitions and rows (None: nothing does), and of which place in the log
    and how many rows that was told."""

    born: str  # of the dataset
    least: float
    given: list[int]  # what the index itself says
    probes: int | None
    candidates: int | None
    seq: int
    rows: int


class Probing:
    """What the indexes of a file need: a service of the database."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known: dict[str, Found] = {}

    def index(self, context: Context, key: Key, index: Index, fetch: Any) -> Index | None:
        """The index with as many probes and candidates as keep the setting; None where none do."""
        engine, name = lance(context.database), file_name(key.scope or "")
        least = float(context.settings.get("min_recall", PROMISED))
        given = [index.probes, index.candidates]
        with context.database.snapshot() as handle:
            high = handle.execute(LOG_ENDS).fetchone()[1] or 0
            token = engine.read(handle, name, key)
        born = token.born if token is not None and token.built == index.built else ""
        with self.lock:
            found = self.known.get(name) or load(engine, name)
        told = (born, least, given)
        if found is None or told != found[:3] or high - found.seq > (GROWTH - 1) * found.rows:
            found = self.measure(context, key, index, fetch, least)
            with self.lock:
                self.known[name] = found
            save(engine, name, found)
        if found.probes is None or found.candidates is None:
            return None
        return index._replace(probes=found.probes, candidates=found.candidates)

    def measure(self, context: Context, key: Key, index: Index, fetch: Any, least: float) -> Found:
        """Double what is looked at until the recall is kept."""
        engine, measure = lance(context.database), space_in(key).measure
        with context.database.snapshot() as handle:
            high = handle.execute(LOG_ENDS).fetchone()[1] or 0
            told = truth(handle, key, NEAREST, QUESTIONS)
            rows = handle.execute(
                "SELECT count(*) FROM vectors WHERE collection = ?", (key.scope,)
            ).fetchone()[0]
        tried: Index | None = index
        most = index.partitions or PROBES_MAX
        while tried is not None:

            def find(vector: bytes, k: int, tried: Index = tried) -> tuple[list[int], list[float]]:
                return engine.nearest(context, key, vector, measure, k, None, fetch, tried) or (
                    [],
                    [],
                )

            share, _ = recall(told, Way(index.kind, find), NEAREST)
            if share >= min(1.0, least + MARGIN):
                break
            if tried.probes >= most and tried.candidates >= CANDIDATES_MAX:
                tried = None
            else:
                probes = min(2 * tried.probes, max(most, tried.probes))
                tried = tried._replace(
                    probes=probes, candidates=min(2 * tried.candidates, CANDIDATES_MAX)
                )
        with context.database.snapshot() as handle:
            token = engine.read(handle, file_name(key.scope or ""), key)
        return Found(
            token.born if token is not None else "", least, [index.probes, index.candidates],
            None if tried is None else tried.probes,
            None if tried is None else tried.candidates, high, rows,
        )  # fmt: skip

    def close(self) -> None:
        with self.lock:
            self.known.clear()


def path_of(engine: Lance, name: str) -> str:
    """The file beside a dataset that tells what its searches need."""
    return os.path.join(engine.folder, name + ".probes")


def load(engine: Lance, name: str) -> Found | None:
    """What another process measured."""
    try:
        with open(path_of(engine, name), encoding="utf-8") as file:
            return Found(**json.load(file))
    except (OSError, ValueError, TypeError):
        return None


def save(engine: Lance, name: str, found: Found) -> None:
    """Tell other processes; where that cannot be, they measure it themselves."""
    if engine.database.read_only:
        return
    path = path_of(engine, name)
    with suppress(OSError):
        with open(f"{path}.{os.getpid()}.new", "w", encoding="utf-8") as file:
            json.dump(found._asdict(), file)
        os.replace(f"{path}.{os.getpid()}.new", path)


def probed(context: Context, key: Key, index: Index, fetch: Any) -> Index | None:
    """An index as it must be searched to keep the setting min_recall; None where it cannot."""
    found: Any = context.database.services.get("probing")
    if found is None:
        with context.database.lock:
            found = context.database.services.setdefault("probing", Probing())
    kept: Index | None = found.index(context, key, index, fetch)
    return kept
