"""CALL check(): is the file whole, and does everything derived agree with the rows?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent import migrate

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.engines.sqlite import Handle

Finding = tuple[str, bool, str]

# Each counts the rows that should not be.
COUNTS = {
    "memories without full text": """
SELECT count(*) FROM memories WHERE memory_id NOT IN (SELECT rowid FROM memories_fts)""",
    "full text without its memory": """
SELECT count(*) FROM memories_fts WHERE rowid NOT IN (SELECT memory_id FROM memories)""",
    "chunks without full text": """
SELECT count(*) FROM chunks WHERE chunk_id NOT IN (SELECT rowid FROM chunks_fts)""",
    "full text without its chunk": """
SELECT count(*) FROM chunks_fts WHERE rowid NOT IN (SELECT chunk_id FROM chunks)""",
    "vectors without their memory": """
SELECT count(*) FROM memory_vectors WHERE memory_id NOT IN (SELECT memory_id FROM memories)""",
    "vectors without their chunk": """
SELECT count(*) FROM chunk_vectors WHERE chunk_id NOT IN (SELECT chunk_id FROM chunks)""",
    "chunks without their document": """
SELECT count(*) FROM chunks WHERE document_id NOT IN (SELECT document_id FROM documents)""",
    "vectors of other dimensions than their collection": """
SELECT count(*) FROM vectors v LEFT JOIN collections c ON c.collection = v.collection
WHERE c.dimensions IS NULL OR length(v.vector) <> CASE c.element_type
  WHEN 'float32' THEN 4 * c.dimensions WHEN 'float16' THEN 2 * c.dimensions
  WHEN 'int8' THEN c.dimensions ELSE (c.dimensions + 7) / 8 END""",
    "states whose newest version is not in the history": """
SELECT count(*) FROM states s WHERE NOT EXISTS (
  SELECT 1 FROM state_versions v WHERE v.agent_id = s.agent_id AND v.state_type = s.state_type
    AND ifnull(v.session_id, '') = ifnull(s.session_id, '') AND v.version = s.version)""",
    "erasures that are not finished": """
SELECT count(*) FROM sqlagent_erasures WHERE finished_at IS NULL""",
    "memories superseded by one that is not there": """
SELECT count(*) FROM memories m WHERE superseded_by IS NOT NULL
  AND superseded_by NOT IN (SELECT memory_id FROM memories)""",
}

FLOATS = """
SELECT v.vector, c.element_type FROM vectors v JOIN collections c ON c.collection = v.collection
WHERE c.element_type IN ('float32', 'float16')"""


def findings(connection: Connection, handle: Handle) -> Iterator[Finding]:
    """(name, ok, detail) of every check; the detail says what was found."""
    try:
        problems = [r[0] for r in handle.execute("PRAGMA integrity_check(20)")]
    except apsw.CorruptError as error:
        problems = [str(error)]
    yield "integrity", problems == ["ok"], "; ".join(problems)
    if problems != ["ok"]:
        return  # what the rest would count cannot be trusted
    todo = migrate.pending(handle, migrate.known())
    yield "schema", not todo, f"version {migrate.known()[-1].version}"
    for name, sql in COUNTS.items():
        count = handle.execute(sql).fetchone()[0]
        yield name, count == 0, str(count)
    count = sum(not_slices(handle))
    yield "chunks that are not that slice of their document", count == 0, str(count)
    for name, damaged in states(handle):
        yield name, not damaged, "; ".join(damaged[:20]) or "0"
    count = sum(not_finite(*r) for r in handle.execute(FLOATS))
    yield "vectors with values that are not finite", count == 0, str(count)
    yield from columns(connection, handle)


def not_slices(handle: Handle) -> Iterator[int]:
    """How many chunks of each document are not that slice of it; SQLite's substr stops at a NUL."""
    chunks = "SELECT position, content FROM chunks WHERE document_id = ?"
    documents = "SELECT document_id, content FROM documents WHERE content_hash IS NOT NULL"
    for document_id, text in handle.execute(documents):
        found = handle.execute(chunks, (document_id,))
        yield sum(not text.startswith(content, position) for position, content in found)


def states(handle: Handle) -> Iterator[tuple[str, list[str]]]:
    """Versions that are not what was saved, and parts that are missing, each named."""
    from sqlagent.states import read

    damaged = []
    for row in handle.execute(f"SELECT {read.FIELDS} FROM sqlagent_state_versions"):
        version = read.Version(*row)
        if not read.proved(version, read.unproved(handle, version)):
            session = f" of session {version.session_id}" if version.session_id else ""
            damaged.append(
                f"version {version.version} of state {version.state_type} of agent"
                f" {version.agent_id}{session}"
            )
    yield "versions of states that are damaged", damaged


def not_finite(vector: bytes, element_type: str) -> bool:
    """Whether a vector has a NaN or an infinity, which a foreign client can write."""
    import math
    import struct

    size, code = (2, "e") if element_type == "float16" else (4, "f")
    values = struct.unpack_from(f"<{len(vector) // size}{code}", vector)
    return not math.isfinite(sum(values))


def columns(connection: Connection, handle: Handle) -> Iterator[Finding]:
    """Whether the columns that analytics use have as many rows as their tables."""
    service: Any = connection.database.services.get("columns")
    if service is None:
        return
    service.sync()
    for table, rows, *_ in service.status():
        quoted = '"' + table.replace('"', '""') + '"'
        count = handle.execute(f"SELECT count(*) FROM {quoted}").fetchone()[0]
        yield f"columns of {table}", count <= rows, f"{rows} rows, {count} in the file"
