"""Chunks of documents: made with the document, or by the next search where a foreign client wrote
it.

A document whose `content_hash` is NULL has no chunks of its text yet; a partial index lists those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlagent.errors import BusyError
from sqlagent.migrate import sha256

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Handle

BATCH = 50
PENDING = """
SELECT document_id, content, chunk_size, overlap FROM documents
WHERE content_hash IS NULL ORDER BY document_id LIMIT ?
"""
INSERT = """
INSERT INTO chunks (document_id, ordinal, position, content, heading, overlap_prev, overlap_next)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
KEPT = """
SELECT c.content, c.heading, v.model, v.vector FROM chunks c
JOIN chunk_vectors v ON v.chunk_id = c.chunk_id WHERE c.document_id = ?
"""


def write_chunks(handle: Handle, document_id: int, content: str, size: int, overlap: int) -> int:
    """Replace the chunks of a document; a chunk whose text stays keeps its vector. How many."""
    from sqlagent.chunking import best, chunks

    vectors = {(r[0], r[1]): r[2:] for r in handle.execute(KEPT, (document_id,))}
    handle.execute("DELETE FROM chunks WHERE document_id = ?", (document_id,))
    made = chunks(content, size, overlap, best(content))
    for c in made:
        values = (document_id, c.ordinal, c.position, c.content, c.heading)
        handle.execute(INSERT, (*values, c.overlap_prev, c.overlap_next))
        kept = vectors.get((c.content, c.heading))
        if kept is not None:
            handle.execute(
                "INSERT INTO chunk_vectors (chunk_id, model, vector) VALUES (?, ?, ?)",
                (handle.last_insert_rowid(), *kept),
            )
    return len(made)


def chunk_pending(handle: Handle, most: int = BATCH) -> int:
    """Make the chunks of some documents that have none yet, in the caller's transaction."""
    rows = handle.execute(PENDING, (most,)).fetchall()
    for document_id, content, size, overlap in rows:
        write_chunks(handle, document_id, content, size, overlap)
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
