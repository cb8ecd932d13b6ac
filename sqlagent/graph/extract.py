"""Filling the graph from memories and documents: what each says, noted with where it says it.

For one memory or chunk the relations that rest on it are made to be those that it says: so doing it
twice changes nothing, and a text that was changed takes back what it no longer says.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlagent.errors import ProgrammingError
from sqlagent.graph.entities import checked
from sqlagent.graph.relate import entity
from sqlagent.graph.rules import TOGETHER, Triple, triples
from sqlagent.memory.truth import missing

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

SOURCE: Final = "extract_graph"  # of what it made itself
ONE_MEMORY = "WHERE memory_id = :value"
# What was forgotten tells nothing any more.
ALL_MEMORIES = "WHERE agent_id = :value AND archived_at IS NULL ORDER BY memory_id"
MEMORIES = """
SELECT memory_id, NULL, content, speaker, user_id, valid_from, valid_to FROM memories
"""
CHUNKS = """
SELECT NULL, chunk_id, content, NULL, NULL, NULL, NULL FROM chunks
WHERE document_id = :value ORDER BY ordinal
"""
RESTING = """
SELECT s.relation_id FROM relation_sources s JOIN relations r ON r.relation_id = s.relation_id
WHERE (s.memory_id = ?1 OR s.chunk_id = ?2) AND r.source = 'extract_graph'
"""
KNOWN = """
SELECT relation_id, source FROM relations WHERE subject_id = ? AND predicate = ? AND object_id = ?
"""
# Stated before by somebody, who did not say what it rests on: it rests on that, too.
STATED = """
INSERT INTO relation_sources (relation_id)
SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM relation_sources WHERE relation_id = ?1)
"""
REST = """
INSERT INTO relation_sources (relation_id, memory_id, chunk_id)
SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM relation_sources
  WHERE relation_id = ?1 AND memory_id IS ?2 AND chunk_id IS ?3)
"""
NEW = """
INSERT INTO relations (subject_id, predicate, object_id, source, memory_id, chunk_id, valid_from,
  valid_to) VALUES (?, ?, ?, 'extract_graph', ?, ?, ?, ?) RETURNING relation_id
"""
# A relation is true for as long as what it rests on, where it rests on one memory alone.
PERIOD = """
UPDATE relations SET valid_from = ?2, valid_to = ?3
WHERE relation_id = ?1 AND source = 'extract_graph'
  AND (valid_from IS NOT ?2 OR valid_to IS NOT ?3)
  AND (SELECT count(*) FROM relation_sources WHERE relation_id = ?1) = 1
"""
# Named together by one text 1/2, by two 2/3, by three 3/4.
WEIGHT = """
UPDATE relations SET weight = n / (n + 1.0) FROM (
  SELECT s.relation_id AS id, count(*) AS n FROM relation_sources s
  WHERE s.relation_id IN (SELECT value FROM json_each(?)) GROUP BY s.relation_id)
WHERE relation_id = id AND weight <> n / (n + 1.0)
"""


class Text(NamedTuple):
    """A memory or a chunk that may tell relations."""

    memory_id: int | None
    chunk_id: int | None
    content: str
    speaker: str | None
    user_id: str | None
    valid_from: str | None
    valid_to: str | None

    @property
    def never(self) -> bool:
        """Whether it was true at no time: it ends before it begins."""
        start, end = self.valid_from, self.valid_to
        return start is not None and end is not None and end <= start

    @property
    def key(self) -> tuple[int | None, int | None, str]:
        """What a reply of a model is kept under: it is of no use once the text is another."""
        return self.memory_id, self.chunk_id, self.content


def texts(handle: Handle, scope: str, value: Any) -> list[Text]:
    """What a memory, a document or an agent tells; ProgrammingError where there is none such."""
    named = {"value": value}
    if scope == "agent":
        return [Text(*row) for row in handle.execute(MEMORIES + ALL_MEMORIES, named)]
    if scope == "memory":
        found = [Text(*row) for row in handle.execute(MEMORIES + ONE_MEMORY, named)]
        if not found:
            raise missing(value)
        return found
    known = "SELECT 1 FROM documents WHERE document_id = ?"
    if handle.execute(known, (value,)).fetchone() is None:
        raise ProgrammingError(f"there is no document {value}", sqlstate="02000")
    return [Text(*row) for row in handle.execute(CHUNKS, named)]


def extract(
    handle: Handle,
    scope: str,
    value: Any,
    replies: dict[Any, list[Triple]] | None = None,
    once: bool = False,
) -> int:
    """Fill the graph; how many relations rest on what was read.

    `replies` are a model's. Where one is set, a text is read `once`: a model may say it otherwise
    the next time, and the rules less than it.
    """
    resting = set[int]()
    for text in texts(handle, scope, value):
        told = (replies or {}).get(text.key)
        if told is None and once and (known := read_before(handle, text)):
            resting |= known
            continue
        if text.never:
            told = []
        elif told is None:
            told = triples(text.content, text.speaker, text.user_id)
        resting |= learn(handle, text, told)
    return len(resting)


def read_before(handle: Handle, text: Text) -> set[int]:
    """The relations that were read from a text; none once it is another."""
    return {row[0] for row in handle.execute(RESTING, (text.memory_id, text.chunk_id))}


def learn(handle: Handle, text: Text, told: Iterable[Triple]) -> set[int]:
    """Make the relations that rest on a text to be these; their ids."""
    before = read_before(handle, text)
    now, together = set[int](), list[int]()
    for triple in told:
        relation_id = write(handle, text, triple)
        now.add(relation_id)
        if triple.predicate == TOGETHER:
            together.append(relation_id)
    for relation_id in sorted(before - now):
        handle.execute(
            "DELETE FROM relation_sources "
            "WHERE relation_id = ? AND memory_id IS ? AND chunk_id IS ?",
            (relation_id, text.memory_id, text.chunk_id),
        )
    if together:
        handle.execute(WEIGHT, (_listed([*together, *(before - now)]),))
    return now


def write(handle: Handle, text: Text, triple: Triple) -> int:
    """One relation that a text tells, where it is not there, and that it rests on the text."""
    checked(triple.predicate, "predicate")
    subject = named(handle, triple.subject, triple.subject_kind)
    object = named(handle, triple.object, triple.object_kind)
    row = handle.execute(KNOWN, (subject, triple.predicate, object)).fetchone()
    period = text.valid_from, text.valid_to
    if row is None:
        values = (subject, triple.predicate, object, text.memory_id, text.chunk_id, *period)
        return int(handle.execute(NEW, values).fetchone()[0])  # a trigger notes what it rests on
    relation_id = int(row[0])
    handle.execute(STATED, (relation_id,))
    handle.execute(REST, (relation_id, text.memory_id, text.chunk_id))
    handle.execute(PERIOD, (relation_id, *period))
    return relation_id


def named(handle: Handle, name: str, kind: str | None) -> int:
    """The entity of a name; a kind is given to one that has none, and taken from none."""
    row = handle.execute("SELECT entity_id, kind FROM entities WHERE name = ?", (name,)).fetchone()
    if row is not None and row[1] is not None:
        return int(row[0])
    return entity(handle, name, kind, SOURCE)


def _listed(ids: Iterable[int]) -> str:
    import json

    return json.dumps(list(ids))
