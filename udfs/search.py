"""search: the chunks of documents about something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import table


@table(
    "chunk_id BIGINT",
    "document_id BIGINT",
    "ordinal BIGINT",
    "content VARCHAR",
    "score DOUBLE",
    "similarity DOUBLE",
    "lexical DOUBLE",
    "uri VARCHAR",
    "title VARCHAR",
    "heading VARCHAR",
    "position BIGINT",
)
def search(
    ctx: Context,
    query: str,
    k: int = 10,
    collection: str | None = None,
    alpha: float | None = None,
    filter: str | None = None,
    rerank: bool = False,
    expand: str = "chunk",
) -> Iterator[tuple[Any, ...]]:
    """The chunks of documents about something, best first: words and meaning, fused.

    A chunk is found by its own words and meaning, by those of the chunks around it, by the meaning
    of its whole document, and by how much of the question it covers. A word counts for more in the
    form that the question has (`national`, not `nation`), and words of the question for more where
    they stand together. Where there are vectors, the question is asked once more together with what
    its best documents say. Of chunks that nearly repeat each other only the best comes.

    Arguments:
      query: a question or some words, in any language.
      k: at most so many rows; 0 gives none.
      collection: only documents of this one; of several, with commas between or as a JSON list; all
        by default.
      alpha: the weight of meaning: 0 is words alone, 1 is vectors alone. By default the setting
        search_alpha, or 0 where the model does not read the query's language.
      filter: an SQL condition over uri, title, collection, metadata, heading, content, created_at
        …, applied before the ranking.
      rerank: whether a cross-encoder (setting rerank_model, the extra [models]) reads the question
        with each of the best rerank_candidates chunks, and puts them in its order.
      expand: 'section' gives the whole section in place of a chunk, 'document' the whole document;
        each once, at the place of its best chunk.

    Returns: score (higher is better; the cross-encoder's with rerank), similarity (cosine, NULL
    without vectors), lexical (BM25 over the best BM25, 0..1); position is the first character of
    content in its document, from 0.

    Errors: 'unknown collection "x"'; "alpha is a number from 0 to 1, not 2.0"; "expand is 'chunk',
      'section' or 'document', not 'page'"; "rerank needs sentence-transformers, which is not
      installed".

    Cost: linear in the chunks of the collection, some ms for 10,000; a reranker takes some ms a
      chunk, once for a question.

    Source: feedback: Rocchio, Relevance feedback in information retrieval (1971); BM25: Robertson,
      Walker, Jones, Hancock-Beaulieu and Gatford, Okapi at TREC-3 (1994), with the floor of Lv and
      Zhai, Lower-bounding term frequency normalization (2011); forms beside stems: Hull, Stemming
      algorithms (1996); the best passage: Callan, Passage-level evidence in document retrieval
      (1994).

    Examples:
      SELECT content, uri FROM search('how do I install it?', k => 3);
      SELECT heading, content FROM search('how do I install it?', k => 1, expand => 'section');
    """
    from sqlagent.search import chunks

    yield from chunks.search(ctx, query, k, collection, alpha, filter, rerank, expand)
