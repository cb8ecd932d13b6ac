"""Provenance: what a memory was made from, down to the text of a document or the turn of a session.

A row of `memory_sources` names another memory, a place in a document (characters from 0; all of it
where none is given), or a turn of a session: the how-manieth of its memories in the order of time,
from 1 (the whole session where none is given). A memory's id says which one more surely: turns
count anew where one is deleted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlagent.errors import DataError, ProgrammingError
from sqlagent.memory.truth import missing

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

NAMES = ("memory_id", "document_id", "chunk_id", "position", "length", "session_id", "turn")
SHAPES = (
    '{"memory_id": 1}, {"document_id": 1, "position": 0, "length": 9}, '
    '{"session_id": "s", "turn": 1}'
)
INSERT = """
INSERT INTO memory_sources (memory_id, source_memory_id, document_id, chunk_id, position, length,
  session_id, turn)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
WHERE NOT EXISTS (SELECT 1 FROM memory_sources WHERE memory_id = ?1 AND source_memory_id IS ?2
  AND document_id IS ?3 AND chunk_id IS ?4 AND position IS ?5 AND length IS ?6
  AND session_id IS ?7 AND turn IS ?8)
"""
SOURCES = """
SELECT s.source_memory_id, s.document_id, s.position, s.length, s.session_id, s.turn, s.chunk_id
FROM memory_sources s WHERE s.memory_id = ? ORDER BY s.source_row_id
"""
MEMORY = "SELECT content, session_id, speaker FROM memories WHERE memory_id = ?"
CHUNK = "SELECT document_id, position, length(content) FROM chunks WHERE chunk_id = ?"
# The characters of a place; substr counts from 1.
DOCUMENT = """
SELECT uri, CASE WHEN ?2 IS NULL AND ?3 IS NULL THEN content
  WHEN ?3 IS NULL THEN substr(content, 1 + ?2) ELSE substr(content, 1 + ifnull(?2, 0), ?3) END,
  length(content)
FROM documents WHERE document_id = ?1
"""
TURNS = """
SELECT turn, memory_id, speaker, content FROM (
  SELECT row_number() OVER (ORDER BY created_at, memory_id) AS turn, memory_id, speaker, content
  FROM memories WHERE agent_id = :agent AND session_id = :session)
WHERE :turn IS NULL OR turn = :turn ORDER BY turn
"""


def add(handle: Handle, memory_id: int, sources: str) -> int:
    """Say what a memory was made from; how many rows of memory_sources that made.

    `sources` is JSON: a list of (or one of) {"memory_id": …}, {"document_id": …, "position": …,
    "length": …}, {"chunk_id": …}, {"session_id": …, "turn": …}; the memory itself, where what was
    said is a repeat of its source, is left out. Raises DataError for another shape or a place
    beyond the document, ProgrammingError for what does not exist.
    """
    agent = handle.execute(
        "SELECT agent_id FROM memories WHERE memory_id = ?", (memory_id,)
    ).fetchone()
    if agent is None:
        raise missing(memory_id)
    given = json.loads(sources)
    count = 0
    for source in given if isinstance(given, list) else [given]:
        columns = _checked(handle, agent[0], source)
        if columns[0] == memory_id:
            continue
        handle.execute(INSERT, (memory_id, *columns))
        count += int(handle.changes())
    return count


def _checked(handle: Handle, agent_id: str, source: Any) -> tuple[Any, ...]:
    """The columns of a source after memory_id, as they are kept."""
    named = set(source) if isinstance(source, dict) else set()
    kinds = named & {"memory_id", "document_id", "chunk_id", "session_id"}
    if len(kinds - {"chunk_id"}) > 1 or not kinds or named - set(NAMES):
        raise DataError(f"a source is one of {SHAPES}, not {json.dumps(source)[:80]}")
    for name in named - {"session_id"}:
        value = source[name]
        if isinstance(value, bool) or not isinstance(value, int):
            raise DataError(f"{name} of a source is a whole number, not {value!r}")
    if "memory_id" in kinds:
        return _of_memory(handle, agent_id, source)
    if "session_id" in kinds:
        return _of_session(handle, agent_id, source)
    return _of_document(handle, source)


def _alone(source: dict[str, Any], *names: str) -> None:
    if more := set(source) - set(names):
        raise DataError(f"a source with {names[0]} has no {', '.join(sorted(more))}")


def _of_memory(handle: Handle, agent_id: str, source: dict[str, Any]) -> tuple[Any, ...]:
    _alone(source, "memory_id")
    other = source["memory_id"]
    row = handle.execute("SELECT agent_id FROM memories WHERE memory_id = ?", (other,)).fetchone()
    if row is None:
        raise missing(other)
    if row[0] != agent_id:
        raise DataError(f"a source is a memory of the same agent, {agent_id!r}, not {row[0]!r}")
    return other, None, None, None, None, None, None


def _of_session(handle: Handle, agent_id: str, source: dict[str, Any]) -> tuple[Any, ...]:
    _alone(source, "session_id", "turn")
    session, turn = source["session_id"], source.get("turn")
    if not isinstance(session, str) or not session:
        raise DataError(f"session_id of a source is a text, not {session!r}")
    named = {"agent": agent_id, "session": session, "turn": turn}
    known = "SELECT 1 FROM sessions WHERE session_id = :session AND agent_id = :agent"
    found = handle.execute(TURNS, named).fetchone() is not None
    if not found and (turn is not None or handle.execute(known, named).fetchone() is None):
        what = f"session {session!r}" if turn is None else f"turn {turn} in session {session!r}"
        raise ProgrammingError(f"there is no {what} of {agent_id!r}", sqlstate="02000")
    return None, None, None, None, None, session, turn


def _of_document(handle: Handle, source: dict[str, Any]) -> tuple[Any, ...]:
    _alone(source, "document_id", "chunk_id", "position", "length")
    document, chunk = source.get("document_id"), source.get("chunk_id")
    position, length = source.get("position"), source.get("length")
    if chunk is not None:
        row = handle.execute(CHUNK, (chunk,)).fetchone()
        if row is None or document not in (None, row[0]):
            where = "" if document is None else f" of document {document}"
            raise ProgrammingError(f"there is no chunk {chunk}{where}", sqlstate="02000")
        document = row[0]
        if position is None and length is None:
            _, position, length = row
    row = handle.execute(DOCUMENT, (document, None, None)).fetchone()
    if row is None:
        raise ProgrammingError(f"there is no document {document}", sqlstate="02000")
    end = (position or 0) + (length or 0)
    if (position or 0) < 0 or (length or 0) < 0 or end > row[2]:
        raise DataError(
            f"a place is within the {row[2]} characters of document {document}, "
            f"not {position or 0} to {end}"
        )
    return None, document, chunk, position, length, None, None


def trace(handle: Handle, memory_id: int) -> Iterator[tuple[Any, ...]]:
    """The sources of a memory, theirs, and so on, the nearest first; each memory is followed once.

    Rows are depth (from 1), memory_id, kind, source_memory_id, document_id, uri, position, length,
    session_id, turn, speaker, content.
    """
    agent = handle.execute(
        "SELECT agent_id FROM memories WHERE memory_id = ?", (memory_id,)
    ).fetchone()
    if agent is None:
        raise missing(memory_id)
    followed, level, depth = {memory_id}, [memory_id], 1
    while level:
        further: list[int] = []
        for one in level:
            for source in handle.execute(SOURCES, (one,)).fetchall():
                for row in _row(handle, agent[0], *source):
                    yield depth, one, *row
                    if row[1] is not None and row[1] not in followed:
                        followed.add(row[1])
                        further.append(row[1])
        level, depth = further, depth + 1


def _row(
    handle: Handle, agent: str, source: int | None, document: int | None, position: int | None,
    length: int | None, session: str | None, turn: int | None, chunk: int | None,
) -> Iterator[tuple[Any, ...]]:  # fmt: skip
    """A source as it can be shown; what is gone since is shown without its text."""
    if source is not None:
        content, said_in, speaker = handle.execute(MEMORY, (source,)).fetchone() or (None,) * 3
        yield "memory", source, None, None, None, None, said_in, None, speaker, content
        return
    if document is not None:
        if chunk is not None and position is None and length is None:
            found = handle.execute(CHUNK, (chunk,)).fetchone()
            if found is not None and found[0] == document:
                position, length = found[1:]
        values = (document, position, length)
        uri, text, _ = handle.execute(DOCUMENT, values).fetchone() or (None, None, None)
        if text is not None:
            position, length = position or 0, len(text)
        yield "document", None, document, uri, position, length, None, None, None, text
        return
    named = {"agent": agent, "session": session, "turn": turn}
    turns = handle.execute(TURNS, named).fetchall()
    for number, said, speaker, content in turns:
        yield "turn", said, None, None, None, None, session, number, speaker, content
    if not turns:
        yield "turn", None, None, None, None, None, session, turn, None, None
