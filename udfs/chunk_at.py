"""chunk_at: what a citation names, also after its document was changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import table

NOW = """
SELECT c.chunk_id, c.document_id, d.uri, d.title, c.heading, c.position, c.content, NULL,
  d.content_hash
FROM chunks c JOIN documents d ON d.document_id = c.document_id WHERE c.chunk_id = ?
"""
THEN = """
SELECT c.chunk_id, c.document_id, v.uri, v.title, c.heading, c.position, c.content, v.replaced_at,
  v.content_hash
FROM chunk_versions c JOIN document_versions v ON v.version_id = c.version_id WHERE c.chunk_id = ?
"""


@table(
    "chunk_id BIGINT",
    "document_id BIGINT",
    "uri VARCHAR",
    "title VARCHAR",
    "heading VARCHAR",
    "position BIGINT",
    "content VARCHAR",
    "replaced_at TIMESTAMP",
    "content_hash VARCHAR",
)
def chunk_at(ctx: Context, chunk_id: int) -> Iterator[tuple[Any, ...]]:
    """A chunk by its id, as it is or as it was when its document last had it.

    No chunk_id is given twice, so a citation that was kept (of context(), cite(), or search())
    still says where its text stood.

    Arguments:
      chunk_id: the chunk.

    Returns: one row; replaced_at is when the document got a text without it, NULL where it still
      has it; content_hash (SHA-256) and position are those of the document's text at the time. No
      rows for one that never was, whose document was deleted or erased, and for NULL.

    Cost: two look-ups.

    Examples:
      SELECT content, replaced_at FROM chunk_at(1);
    """
    with ctx.reading() as handle:
        row = handle.execute(NOW, (chunk_id,)).fetchone()
        if row is None:
            row = handle.execute(THEN, (chunk_id,)).fetchone()
    if row is not None:
        yield row
