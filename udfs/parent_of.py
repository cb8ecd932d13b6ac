"""parent_of: the section and the document of a chunk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import table


@table(
    "document_id BIGINT",
    "uri VARCHAR",
    "title VARCHAR",
    "collection VARCHAR",
    "heading VARCHAR",
    "position BIGINT",
    "content VARCHAR",
    "first_ordinal BIGINT",
    "last_ordinal BIGINT",
)
def parent_of(ctx: Context, chunk_id: int) -> Iterator[tuple[Any, ...]]:
    """The section that a chunk belongs to, whole, and its document.

    Arguments:
      chunk_id: the chunk, as search() gives it.

    Returns: one row: the document and its collection; heading, the path of headings over the chunk;
      content, the text of the section under it (of the document, where it has no headings), which
      begins at position in the document, from 0; the ordinals of its first and last chunk. No rows
      where chunk_id is NULL.

    Errors: "there is no chunk 7".

    Cost: that of reading the document.

    Examples:
      SELECT uri, heading, content FROM parent_of(1);
      SELECT p.heading, p.content FROM search('install', k => 3) s, parent_of(s.chunk_id) p;
    """
    from sqlagent.search import sections

    yield from sections.parent(ctx, chunk_id)
