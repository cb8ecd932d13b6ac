"""chunk_context: a chunk with the chunks before and after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import table


@table(
    "chunk_id BIGINT",
    "document_id BIGINT",
    "ordinal BIGINT",
    "position BIGINT",
    "content VARCHAR",
    "heading VARCHAR",
    "overlap_prev BIGINT",
    "overlap_next BIGINT",
    "asked BOOLEAN",
)
def chunk_context(
    ctx: Context, chunk_id: int, before: int = 1, after: int = 1
) -> Iterator[tuple[Any, ...]]:
    """A chunk with its neighbours in the document, in order.

    Arguments:
      chunk_id: the chunk, as search() gives it.
      before: how many chunks before it, from 0.
      after: how many chunks after it, from 0.

    Returns: the columns of chunks, and asked, true for the chunk itself; fewer rows at the ends of
      a document. Each content less its first overlap_prev characters, but for the first row, is the
      text without repeats. No rows where chunk_id is NULL.

    Errors: "there is no chunk 7"; "before is a whole number from 0, not -1".

    Cost: that of the rows.

    Examples:
      SELECT ordinal, content, asked FROM chunk_context(1, before => 1, after => 2);
    """
    from sqlagent.search import sections

    yield from sections.beside(ctx, chunk_id, before, after)
