"""provenance: what a memory was made from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import table


@table(
    "depth BIGINT",
    "memory_id BIGINT",
    "kind VARCHAR",
    "source_memory_id BIGINT",
    "document_id BIGINT",
    "uri VARCHAR",
    "position BIGINT",
    "length BIGINT",
    "session_id VARCHAR",
    "turn BIGINT",
    "speaker VARCHAR",
    "content VARCHAR",
)
def provenance(ctx: Context, memory_id: int) -> Iterator[tuple[Any, ...]]:
    """What a memory was made from, what that was made from, and so on, down to the exact text.

    The sources are rows of memory_sources: what remember was told by sources, what consolidate
    distilled from, what any client inserts.

    Arguments:
      memory_id: the derived memory.

    Returns: one row a source, the nearest first: depth from 1; memory_id, what was made from it;
    kind: 'memory' (source_memory_id), 'document' (position in characters from 0, length; content is
    exactly that slice) or 'turn' (of session_id, turn from 1 in the order of time, as the memory
    source_memory_id has it). A source that is gone has no content. A memory that is reached twice
    is followed once. No rows for what was made from nothing, and where memory_id is NULL.

    Errors: "there is no memory 7".

    Examples:
      INSERT INTO memory_sources (memory_id, document_id, position, length)
      SELECT m.memory_id, d.document_id, 0, 9 FROM memories m, documents d LIMIT 1;
      SELECT depth, kind, uri, position, content FROM provenance(1);
    """
    from sqlagent.memory.provenance import trace

    with ctx.reading() as handle:
        yield from list(trace(handle, memory_id))
