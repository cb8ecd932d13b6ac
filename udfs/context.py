"""context: what documents say about a question, ready for a prompt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.errors import DataError
from sqlagent.functions import table


@table("content VARCHAR", "tokens BIGINT", "citations JSON")
def context(
    ctx: Context,
    query: str,
    token_budget: int = 2000,
    collection: str | None = None,
    k: int = 20,
    filter: str | None = None,
    rerank: bool = False,
    expand: str = "chunk",
) -> Iterator[tuple[Any, ...]]:
    """What the documents say about a question, as one section of a prompt with numbered sources.

    Arguments:
      query: the question.
      token_budget: how many tokens content has at most, by token_count(), from 0.
      collection, k, filter, rerank, expand: as those of search(); at most k sources are looked at.

    Returns: one row. content: the sources, best first, each a line `[1] uri: title > heading` and
      its text, with an empty line between them; one that does not fit is passed over, and where
      none fits the first sentences of the best are taken; '' where nothing is found or fits.
      tokens: how many it has. citations: JSON, for each number its chunk_id, document_id, uri,
      title, heading, position and length in the document, and score. No rows where query is NULL.

    Errors: "token_budget is a whole number from 0, not -1"; those of search().

    Cost: that of search(), and of counting the tokens of k chunks.

    Examples:
      SELECT content FROM context('how do I install it?', token_budget => 500);
      SELECT c.content, tokens FROM context('how do I install it?', expand => 'section') c;
    """
    from sqlagent.search import chunks
    from sqlagent.search.prompt import prompt_of

    if token_budget < 0:
        raise DataError(f"token_budget is a whole number from 0, not {token_budget}")
    found = chunks.search(ctx, query, k, collection, None, filter, rerank, expand)
    yield tuple(prompt_of(found, token_budget))
