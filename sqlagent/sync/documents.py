"""Chunks of documents: made with the document, or by the next search where a foreign client wrote
it.

A document whose `content_hash` is NULL has no chunks of its text yet; a partial index lists those.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlagent.errors import BusyError
from sqlagent.migrate import sha256

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Handle

BATCH = 50
PENDING = """
SELECT document_id, content, chunk_size, overlap, uri FROM documents
WHERE content_hash IS NULL ORDER BY document_id LIMIT ?
"""
INSERT = """
INSERT INTO chunks
  (chunk_id, document_id, ordinal, position, content, heading, overlap_prev, overlap_next)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
# The document's chunks, now and before, the newest first: the last of one text counts.
KNOWN = """
SELECT chunk_id, content, heading FROM chunk_versions WHERE document_id = ?1
UNION ALL SELECT chunk_id, content, heading FROM chunks WHERE document_id = ?1
ORDER BY chunk_id
"""
VECTORS = """
SELECT c.chunk_id, v.model, v.vector FROM chunks c
JOIN chunk_vectors v ON v.chunk_id = c.chunk_id WHERE c.document_id = ?
"""
# No id is given twice, also not that of a chunk that was deleted: a citation may still name it.
NEXT_ID = """
SELECT 1 + max(ifnull((SELECT max(chunk_id) FROM chunks), 0),
  ifnull((SELECT max(chunk_id) FROM chunk_versions), 0),
  ifnull((SELECT CAST(value AS INTEGER) FROM sqlagent_meta WHERE name = 'last_chunk_id'), 0))
"""
LAST_ID = "INSERT OR REPLACE INTO sqlagent_meta (name, value) VALUES ('last_chunk_id', ?)"
NOT_OLD = """
DELETE FROM chunk_versions WHERE chunk_id IN (SELECT value FROM json_each(?))
"""


def write_chunks(
    handle: Handle,
    document_id: int,
    content: str,
    size: int,
    overlap: int,
    uri: str | None = None,
    *,
    new: bool = False,
) -> int:
    """Replace the chunks of a document; one whose text stays, or comes back, keeps its id, and its
    vector, whatever white space is around it. How many.

    What the document no longer has is in chunk_versions: the trigger on its text put it there.
    `new` says that there is nothing to replace.
    """
    from sqlagent.chunking import best, each

    vectors: dict[int, Any] = {}
    known: dict[tuple[str, str | None], list[int]] = {}
    if not new:
        vectors = {r[0]: r[1:] for r in handle.execute(VECTORS, (document_id,))}
        for chunk_id, text, heading in handle.execute(KNOWN, (document_id,)):
            ids = known.setdefault((text.strip(), heading), [])
            if chunk_id not in ids:
                ids.append(chunk_id)
        handle.execute("DELETE FROM chunks WHERE document_id = ?", (document_id,))
    (next_id,) = handle.execute(NEXT_ID).fetchone()
    again: list[int] = []
    count = 0

    def rows() -> Iterator[tuple[Any, ...]]:  # one at a time: a document may be large
        nonlocal next_id, count
        for c in each(content, size, overlap, best(content, uri)):
            ids = known.get((c.content.strip(), c.heading), []) if known else []
            if ids:
                chunk_id = ids.pop()
                again.append(chunk_id)
            else:
                chunk_id, next_id = next_id, next_id + 1
            count += 1
            values = (chunk_id, document_id, c.ordinal, c.position, c.content, c.heading)
            yield (*values, c.overlap_prev, c.overlap_next)

    handle.executemany(INSERT, rows())
    if again:
        handle.executemany(
            "INSERT INTO chunk_vectors (chunk_id, model, vector) VALUES (?, ?, ?)",
            [(chunk_id, *vectors[chunk_id]) for chunk_id in again if chunk_id in vectors],
        )
        handle.execute(NOT_OLD, ("[" + ",".join(map(str, again)) + "]",))
    handle.execute(LAST_ID, (str(next_id - 1),))
    return count


def chunk_pending(handle: Handle, most: int = BATCH) -> int:
    """Make the chunks of some documents that have none yet, in the caller's transaction."""
    rows = handle.execute(PENDING, (most,)).fetchall()
    for document_id, content, size, overlap, uri in rows:
        write_chunks(handle, document_id, content, size, overlap, uri)
        handle.execute(
            "UPDATE documents SET content_hash = ? WHERE document_id = ?",
            (sha256(content.encode()), document_id),
        )
    return len(rows)


def catch_up(context: Context) -> int:
    """Before a search: chunk what foreign clients wrote. How many documents."""
    own, database = context.handle, context.database
    with context.reading() as handle:
        if not handle.execute(PENDING, (1,)).fetchone():
            return 0
    done = 0
    if own is not None and own is database._writer:
        while count := chunk_pending(own):
            done += count
        return done
    if database.read_only:
        return 0
    try:
        while count := database.write(chunk_pending, 1.0):
            done += count
    except BusyError:
        pass  # another's transaction is open: they are found after it
    return done
