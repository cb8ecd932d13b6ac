"""search: the chunks of documents about something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.errors import DataError, ProgrammingError, nearest
from sqlagent.functions import table

ROWS = """
SELECT c.chunk_id, c.document_id, c.ordinal, c.content, d.uri, d.title, c.heading, c.position
FROM chunks c JOIN documents d ON d.document_id = c.document_id
WHERE c.chunk_id IN (SELECT value FROM json_each(?))
"""
FILTERED = """
SELECT c.chunk_id, c.document_id, c.ordinal, c.position, c.heading, c.content, d.uri, d.title,
  d.collection, d.metadata, d.created_at, d.updated_at
FROM chunks c JOIN documents d ON d.document_id = c.document_id
"""


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
) -> Iterator[tuple[Any, ...]]:
    """The chunks of documents about something, best first: words and meaning, fused.

    Arguments:
      query: a question or some words, in any language.
      k: at most so many rows; 0 gives none.
      collection: only documents of this one; all by default.
      alpha: the weight of meaning: 0 is words alone, 1 is vectors alone. By default the setting
        search_alpha, or 0 where the model does not read the query's language.
      filter: an SQL condition over uri, title, collection, metadata, heading, content, created_at
        …, applied before the ranking.

    Returns: score (higher is better), similarity (cosine, NULL without vectors), lexical (BM25
    over the best BM25, 0..1); position is the chunk's first character in its document, from 0.

    Errors: 'unknown collection "x"'; "alpha is a number from 0 to 1, not 2.0".

    Examples:
      SELECT content, uri FROM search('how do I install it?', k => 3);
    """
    from sqlagent.search.ask import ask, document_weights, limit, vectors_of
    from sqlagent.search.ask import search as run
    from sqlagent.search.filters import allowed as passing
    from sqlagent.sync.documents import catch_up

    k = limit(k)
    if alpha is not None and not 0 <= alpha <= 1:
        raise DataError(f"alpha is a number from 0 to 1, not {alpha}")
    if catch_up(ctx) and ctx.handle is not ctx.database._writer:
        ctx = Context(ctx.database, ctx.settings, None)  # the statement's own snapshot is older
    with ctx.reading() as handle:
        if collection is not None:
            known = [r[0] for r in handle.execute("SELECT DISTINCT collection FROM documents")]
            if collection not in known:
                raise ProgrammingError(
                    f'unknown collection "{collection}"', hint=nearest(collection, known)
                )
    if k == 0:
        return
    asked = ask(ctx, "chunks", collection, query, words_alone=alpha == 0)
    weight = float(ctx.settings.get("search_alpha", 0.5)) if alpha is None else alpha
    allowed = None
    if filter is not None:
        allowed = passing(ctx, FILTERED, "chunk_id", filter, ())
    fetch = vectors_of(ctx, "chunk_vectors", "chunk_id", asked.key.dimensions)
    hits = run(asked, query, k, document_weights(ctx, weight), allowed, fetch)
    ids = hits.ids.tolist()
    with ctx.reading() as handle:
        found = {r[0]: r for r in handle.execute(ROWS, ("[" + ",".join(map(str, ids)) + "]",))}
    numbers = (hits.score.tolist(), hits.similarity.tolist(), hits.lexical.tolist())
    for chunk_id, score, similarity, lexical in zip(ids, *numbers, strict=True):
        row = found.get(chunk_id)
        if row is not None:
            own = similarity if similarity == similarity else None
            yield (*row[:4], score, own, lexical, *row[4:])
