"""CREATE INDEX … ON vectors USING …: how a collection is to be searched.

The definition is a row of `sqlagent_vector_indexes`, beside an index of SQLite's own of that name
that holds no row: so names are unique, any client sees it, and a plain DROP INDEX takes it back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.elements import space_of
from sqlagent.errors import DataError, ProgrammingError, nearest
from sqlagent.sync.log import quoted

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Handle

KINDS = ("exact", "codes", "ivf_pq", "hnsw_sq")
OPTIONS = {
    "exact": (), "codes": (), "hnsw_sq": ("partitions", "probes", "candidates"),
    "ivf_pq": ("partitions", "probes", "candidates", "sub_vectors"),
}  # fmt: skip
OF = """
SELECT v.name, v.kind, v.options FROM sqlagent_vector_indexes v WHERE v.collection = ? AND EXISTS (
  SELECT 1 FROM sqlite_schema s WHERE s.type = 'index' AND s.name = v.name)
"""
ORPHANS = """
DELETE FROM sqlagent_vector_indexes WHERE name NOT IN (
  SELECT name FROM sqlite_schema WHERE type = 'index')
"""
TAKEN = "SELECT 1 FROM sqlite_schema WHERE lower(name) = lower(?)"
INSERT = "INSERT INTO sqlagent_vector_indexes (name, collection, kind, options) VALUES (?, ?, ?, ?)"


class Defined(NamedTuple):
    """An index that a collection has."""

    name: str
    kind: str
    options: dict[str, int]


def defined(handle: Handle, collection: str) -> Defined | None:
    """The index of a collection; None where it has none."""
    row = handle.execute(OF, (collection,)).fetchone()
    return None if row is None else Defined(row[0], row[1], json.loads(row[2]))


def create(context: Context, name: str, collection: str, kind: str, options: str | None) -> str:
    """Write a definition down. Raises ProgrammingError, DataError."""
    handle = context.writer
    if kind not in KINDS:
        raise ProgrammingError(
            f'unknown index kind "{kind}"', sqlstate="42704",
            hint=nearest(kind, KINDS) or f"There are {', '.join(KINDS)}.",
        )  # fmt: skip
    given = checked(kind, json.loads(options or "{}"))
    if space_of(handle, collection) is None:
        names = [r[0] for r in handle.execute("SELECT collection FROM collections")]
        raise ProgrammingError(
            f'unknown collection "{collection}"', hint=nearest(collection, names), sqlstate="42704"
        )
    if kind in ("ivf_pq", "hnsw_sq"):
        import importlib.util

        if importlib.util.find_spec("lancedb") is None:
            raise DataError(f"{kind} needs Lance", hint="pip install 'sqlagent[lance]'")
    handle.execute(ORPHANS)
    known = defined(handle, collection)
    if known is not None:
        raise ProgrammingError(
            f'collection "{collection}" has the index "{known.name}"', sqlstate="42P07",
            hint=f"DROP INDEX {known.name}",
        )  # fmt: skip
    if handle.execute(TAKEN, (name,)).fetchone():
        raise ProgrammingError(f'there is a "{name}" already', sqlstate="42P07")
    handle.execute(f"CREATE INDEX {quoted(name)} ON vectors (vector_id) WHERE vector_id IS NULL")
    handle.execute(INSERT, (name, collection, kind, json.dumps(given)))
    return name


def checked(kind: str, options: Any) -> dict[str, int]:
    """The options of a kind. Raises DataError."""
    if not isinstance(options, dict):
        raise DataError("options are a JSON object")
    for name, value in options.items():
        if name not in OPTIONS[kind]:
            raise DataError(
                f"unknown option {name!r:.60} of {kind}",
                hint=nearest(name, OPTIONS[kind])
                or f"There are {', '.join(OPTIONS[kind]) or 'none'}.",
            )
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 100_000:
            raise DataError(f"{name} is a whole number from 1 to 100000, not {value!r:.60}")
    return options
