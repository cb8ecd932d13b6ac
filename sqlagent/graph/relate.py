"""Stating a relation, and taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlagent.errors import DataError, ProgrammingError
from sqlagent.graph.entities import checked
from sqlagent.memory.truth import missing

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

# What is not said of a relation that is there stays; a new beginning begins a whole new period.
UPSERT = """
INSERT INTO relations (subject_id, predicate, object_id, weight, source, memory_id, chunk_id,
  valid_from, valid_to)
VALUES (:subject_id, :predicate, :object_id, ifnull(:weight, 1.0), :source, :memory_id, :chunk_id,
  :valid_from, :valid_to)
ON CONFLICT (subject_id, predicate, object_id) DO UPDATE SET
  weight = ifnull(:weight, weight), source = ifnull(:source, source),
  memory_id = ifnull(:memory_id, memory_id), chunk_id = ifnull(:chunk_id, chunk_id),
  valid_to = iif(:valid_from IS NULL, ifnull(:valid_to, valid_to), :valid_to),
  valid_from = ifnull(:valid_from, valid_from)
RETURNING relation_id, valid_from, valid_to
"""
# Said by itself, it rests on itself: it does not go with what said it before.
STATED = """
INSERT INTO relation_sources (relation_id)
SELECT ?1 WHERE EXISTS (SELECT 1 FROM relation_sources WHERE relation_id = ?1)
  AND NOT EXISTS (SELECT 1 FROM relation_sources
    WHERE relation_id = ?1 AND memory_id IS NULL AND chunk_id IS NULL)
"""
REMOVE = """
DELETE FROM relations WHERE predicate = ?2
  AND subject_id = (SELECT entity_id FROM entities WHERE name = ?1)
  AND object_id = (SELECT entity_id FROM entities WHERE name = ?3)
"""


class Relation(NamedTuple):
    """What relate() is told; None is not said."""

    subject: str
    predicate: str
    object: str
    weight: float | None = None
    source: str | None = None
    memory_id: int | None = None
    chunk_id: int | None = None
    valid_from: str | None = None
    valid_to: str | None = None
    subject_kind: str | None = None
    object_kind: str | None = None


def relate(handle: Handle, said: Relation) -> int:
    """Write a relation, with its entities where they are not there; the relation_id.

    Raises DataError and ProgrammingError before anything is written.
    """
    for argument in ("subject", "predicate", "object"):
        checked(getattr(said, argument), argument)
    for argument in ("subject_kind", "object_kind"):
        kind = getattr(said, argument)
        if kind is not None:
            checked(kind, argument)
    ordered(said.valid_from, said.valid_to)
    if said.memory_id is not None:
        known = "SELECT 1 FROM memories WHERE memory_id = ?"
        if handle.execute(known, (said.memory_id,)).fetchone() is None:
            raise missing(said.memory_id)
    if said.chunk_id is not None:
        known = "SELECT 1 FROM chunks WHERE chunk_id = ?"
        if handle.execute(known, (said.chunk_id,)).fetchone() is None:
            raise ProgrammingError(f"there is no chunk {said.chunk_id}", sqlstate="02000")
    values = {
        **said._asdict(),
        "subject_id": entity(handle, said.subject, said.subject_kind),
        "object_id": entity(handle, said.object, said.object_kind),
    }
    relation_id, valid_from, valid_to = handle.execute(UPSERT, values).fetchone()
    ordered(valid_from, valid_to)  # together with what was known
    if said.memory_id is None and said.chunk_id is None:
        handle.execute(STATED, (relation_id,))
    return int(relation_id)


def ordered(valid_from: str | None, valid_to: str | None) -> None:
    """A period has a length; DataError where it ends before it begins."""
    if valid_from is not None and valid_to is not None and valid_to <= valid_from:
        raise DataError(f"valid_to is after valid_from, which is {valid_from}, not {valid_to}")


def entity(handle: Handle, name: str, kind: str | None = None, source: str | None = None) -> int:
    """The id of an entity, which comes into being by its name; a kind that is said is its kind."""
    row = handle.execute("SELECT entity_id, kind FROM entities WHERE name = ?", (name,)).fetchone()
    if row is None:
        handle.execute(
            "INSERT INTO entities (name, kind, source) VALUES (?, ?, ?)", (name, kind, source)
        )
        return int(handle.last_insert_rowid())
    if kind is not None and row[1] != kind:
        handle.execute("UPDATE entities SET kind = ? WHERE entity_id = ?", (kind, row[0]))
    return int(row[0])


def unrelate(handle: Handle, subject: str, predicate: str, object: str) -> int:
    """Delete a relation; how many there were: 1 or 0. Its entities stay."""
    handle.execute(REMOVE, (subject, predicate, object))
    return int(handle.changes())
