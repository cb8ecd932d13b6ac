"""What can be searched: how the rows of a scope are read from the file, and as what they are
indexed."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.elements import Space, one_decoded
from sqlagent.index import Row

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

USER = "user"  # the model of a vector that a user gave


class Key(NamedTuple):
    """Which index: of the table `kind`, a scope in it (None: all), and the vectors it holds."""

    kind: str  # 'memories', 'all memories', 'chunks', 'vectors'
    scope: str | None
    model: str | None
    dimensions: int | None

    @property
    def table(self) -> str:
        return self.kind.rsplit(" ", 1)[-1]


# What takes a memory's place may begin to hold only later: until then the memory does.
LIVE = """m.archived_at IS NULL AND (m.superseded_by IS NULL OR m.valid_to > :now AND EXISTS (
    SELECT 1 FROM memories n WHERE n.memory_id = m.superseded_by AND n.valid_from > :now))
  AND (m.valid_to IS NULL OR m.valid_to > :now) AND (m.valid_from IS NULL OR m.valid_from <= :now)
  AND (m.expires_at IS NULL OR m.expires_at > :now)"""

MEMORIES = """
SELECT m.memory_id, m.content, m.created_at, m.session_id, m.speaker,
  s.decayed_importance, s.activation, s.retention, v.vector, v.model
FROM memories m JOIN memory_strength s ON s.memory_id = m.memory_id
LEFT JOIN memory_vectors v ON v.memory_id = m.memory_id
WHERE {where}
"""
CHUNKS = """
SELECT c.chunk_id, c.content, d.title, c.heading, v.vector, v.model, c.document_id, c.ordinal
FROM {source} chunks c ON {on} LEFT JOIN chunk_vectors v ON v.chunk_id = c.chunk_id
"""
VECTORS = "SELECT v.vector_id, v.vector FROM vectors v WHERE {where}"

# The next moments at which some memory comes to count or ceases to; NULL where none will.
NEXT_CHANGE = """
SELECT min(valid_to) FILTER (WHERE valid_to > :now),
  min(valid_from) FILTER (WHERE valid_from > :now),
  min(expires_at) FILTER (WHERE expires_at > :now)
FROM memories WHERE {where}
"""
CHANGED_BY_TIME = """
SELECT memory_id FROM memories WHERE agent_id = :scope AND (
  (valid_to > :since AND valid_to <= :now) OR (valid_from > :since AND valid_from <= :now)
  OR (expires_at > :since AND expires_at <= :now))
"""

# The rows of some ids. The planner does not know that they are few, so the condition on the scope
# gets a + wherever it stands beside this one, which keeps its index out of the plan.
CHOSEN = "IN (SELECT value FROM json_each(:ids))"

MONTHS = calendar.month_name


def epoch(text: str) -> float:
    """Seconds since the epoch of a time as the file keeps it."""
    if len(text) < 19:
        return 0.0
    parts = (text[0:4], text[5:7], text[8:10], text[11:13], text[14:16], text[17:19])
    try:
        seconds = calendar.timegm(tuple(map(int, parts)))
    except ValueError:
        return 0.0
    return seconds + (float("0" + text[19:]) if text[19:20] == "." else 0.0)


def dated(text: str) -> str:
    """The date of a time, as people write and ask for it."""
    try:
        return f"{int(text[8:10])} {MONTHS[int(text[5:7])]} {text[0:4]}"
    except (ValueError, IndexError):
        return text


def memory_head(created_at: str, speaker: str | None) -> str:
    """Who said a memory and when, as far as it was said by anyone."""
    return f"[{dated(created_at)}] {speaker}: " if speaker else ""


def memory_text(content: str, created_at: str, speaker: str | None) -> str:
    """A memory as its words are indexed: who said it and when stand before what was said."""
    return memory_head(created_at, speaker) + content


def memory_meaning(content: str, created_at: str, speaker: str | None) -> str:
    """A memory as it is embedded: what was said alone.

    A name and a date in the text pull each question that holds them: without them R@10 of LoCoMo
    rose from .843 to .851. Who is asked about, and when, are parts of the score instead.
    """
    return content


def chunk_text(content: str, title: str | None, heading: str | None) -> str:
    """A chunk as it is indexed and embedded: the title and headings travel with it."""
    head = " > ".join(part for part in (title, heading) if part)
    return f"{head}\n{content}" if head else content


def rows(handle: Handle, key: Key, now: str, ids: Iterable[int] | None = None) -> Iterator[Row]:
    """The rows of a scope as they are now, all of them or those of these ids."""
    named: dict[str, Any] = {"scope": key.scope, "now": now}
    some = ids is not None
    if some:
        named["ids"] = listed(ids or ())
    if key.table == "memories":
        where = f"m.memory_id {CHOSEN} AND +m.agent_id = :scope" if some else "m.agent_id = :scope"
        if key.kind == "memories":
            where += " AND " + LIVE
        for r in handle.execute(MEMORIES.format(where=where), named):
            head = memory_head(r[2], r[4])
            vector = fits(key, r[8], r[9])
            yield Row(r[0], r[1], vector, epoch(r[2]), r[3], r[4], r[5], r[6], r[7], head)
    elif key.table == "chunks":
        source, on = "documents d JOIN", "c.document_id = d.document_id"
        if key.scope is not None:
            on += " AND +d.collection = :scope" if some else " AND d.collection = :scope"
        if some:
            on += f" AND c.chunk_id {CHOSEN}"
        for r in handle.execute(CHUNKS.format(source=source, on=on), named):
            text = chunk_text(r[1], r[2], r[3])
            yield Row(r[0], text, fits(key, r[4], r[5]), float(r[7]), str(r[6]))
    else:
        space = space_in(key)
        where = (
            f"v.vector_id {CHOSEN} AND +v.collection = :scope" if some else "v.collection = :scope"
        )
        for r in handle.execute(VECTORS.format(where=where), named):
            yield Row(r[0], "", own(space, r[1]))


def key_of(collection: str, space: Space) -> Key:
    """The key of a collection's index: another where it is made anew with another definition."""
    return Key("vectors", collection, f"{space.metric} {space.element_type}", space.dimensions)


def space_in(key: Key) -> Space:
    """The space that a key of a collection was made of."""
    metric, _, element_type = (key.model or "").partition(" ")
    return Space(key.dimensions or 0, metric, element_type)


def own(space: Space, blob: bytes) -> bytes | None:
    """A collection's vector as float32 bytes; None for what a foreign client wrote wrongly."""
    if len(blob) != space.size:
        return None
    data = one_decoded(space, blob)
    return data if finite(data) else None


def listed(ids: Iterable[int]) -> str:
    """Ids as the JSON list that CHOSEN reads."""
    return "[" + ",".join(map(str, ids)) + "]"


def fits(key: Key, vector: bytes | None, model: str | None) -> bytes | None:
    """The vector, where it is of the index's model or the user's own, and of its dimensions."""
    if vector is None or key.dimensions is None or len(vector) != 4 * key.dimensions:
        return None
    if model not in (key.model, USER) or not finite(vector):
        return None
    return vector


def finite(vector: bytes) -> bool:
    """Whether all values are numbers; a foreign client may have written others."""
    import numpy as np

    return bool(np.isfinite(np.frombuffer(vector, "<f4")).all())
