"""cite: which chunks support each sentence of an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import table


@table(
    "ordinal BIGINT",
    "position BIGINT",
    "sentence VARCHAR",
    "supported BOOLEAN",
    "chunk_id BIGINT",
    "document_id BIGINT",
    "uri VARCHAR",
    "quote VARCHAR",
    "quote_position BIGINT",
    "score DOUBLE",
)
def cite(
    ctx: Context,
    answer: str,
    query: str | None = None,
    collection: str | None = None,
    k: int = 8,
    filter: str | None = None,
) -> Iterator[tuple[Any, ...]]:
    """Checks each sentence of an answer against the documents: what supports it, where, or nothing.

    A passage supports a sentence if it has its numbers, times, names and negations, no contrary of
    its words, and most of its words; fewer of them where it is near in meaning too. That is no
    proof: a sentence which says the same in quite other words is reported without support.

    Arguments:
      answer: a text, of a model for instance; marks such as [1] are passed over.
      query: the question that it answers: what is found for it is looked at as well.
      collection: as that of search().
      k: how many chunks are looked at for a sentence, from 1.
      filter: as that of search().

    Returns: a row for each sentence, in order: ordinal, from 0; position of its first character;
      supported, NULL for one that says nothing ("Yes."); the chunk and document, the quote, and
      where in the document it begins, of the passage that supports it, or else of the nearest one;
      score, how much of the sentence's words and meaning that has, 0..1. No rows where answer is
      NULL or empty.

    Errors: "k is a whole number from 1, not 0"; 'unknown collection "x"'; "an answer has at most
      500 sentences, not 600".

    Cost: that of a search() for each sentence.

    Examples:
      SELECT sentence, supported, uri, quote FROM cite('Install it with one command. It is free.');
      SELECT count(*) FROM cite('It is free.', query => 'price?') WHERE NOT supported;
    """
    from sqlagent.search import citing

    yield from citing.cite(ctx, answer, query, collection, k, filter)
