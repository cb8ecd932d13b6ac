"""Searching documents: from a question to chunks, one for what says the same, in their places."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from sqlagent.context import Context
from sqlagent.errors import DataError, ProgrammingError, nearest

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

LISTED = "(SELECT value FROM json_each(?))"
ROWS = f"""
SELECT c.chunk_id, c.document_id, c.ordinal, c.content, d.uri, d.title, c.heading, c.position
FROM chunks c JOIN documents d ON d.document_id = c.document_id WHERE c.chunk_id IN {LISTED}
"""
FILTERED = """
SELECT c.chunk_id, c.document_id, c.ordinal, c.position, c.heading, c.content, d.uri, d.title,
  d.collection, d.metadata, d.created_at, d.updated_at
FROM chunks c JOIN documents d ON d.document_id = c.document_id
"""
OF_COLLECTIONS = f"""
SELECT c.chunk_id FROM documents d JOIN chunks c ON c.document_id = d.document_id
WHERE d.collection IN {LISTED}
"""
EXPANSIONS = ("chunk", "section", "document")
COMPARED = 64  # so many of the best are compared for near-duplicates; the rest for equal texts
SPARE = 10  # more than k are looked at, so that what is left out is made up for


class Found(NamedTuple):
    """A chunk that was found. `position` counts characters from 0 in the document."""

    chunk_id: int
    document_id: int
    ordinal: int
    content: str
    score: float
    similarity: float | None
    lexical: float
    uri: str | None
    title: str | None
    heading: str | None
    position: int


def search(
    context: Context,
    query: str,
    k: int,
    collection: str | None = None,
    alpha: float | None = None,
    filter: str | None = None,
    rerank: bool = False,
    expand: str = "chunk",
) -> Iterator[Found]:
    """The rows of `search()`; see there. Raises DataError and ProgrammingError before any row."""
    from sqlagent.search.ask import limit
    from sqlagent.sync.documents import catch_up

    k = limit(k)
    if alpha is not None and not 0 <= alpha <= 1:
        raise DataError(f"alpha is a number from 0 to 1, not {alpha}")
    if expand not in EXPANSIONS:
        raise DataError(
            f"expand is 'chunk', 'section' or 'document', not {expand!r:.60}",
            hint=nearest(expand, EXPANSIONS),
        )
    if catch_up(context) and context.handle is not context.database._writer:
        # The statement's own snapshot is older.
        context = Context(context.database, context.settings, None)
    with context.reading() as handle:
        names = collections_of(handle, collection)
    if k == 0:
        return
    found = ranked(context, query, k, names, alpha, filter, rerank)
    if expand == "chunk":
        yield from found
    else:
        from sqlagent.search.sections import expanded

        yield from expanded(context, found, expand)


def collections_of(handle: Handle, text: str | None) -> list[str]:
    """The collections that are named: one, several with commas, or a JSON list; none for all.

    Raises ProgrammingError for one that does not exist.
    """
    if text is None:
        return []
    exists = "SELECT 1 FROM documents WHERE collection = ? LIMIT 1"
    if handle.execute(exists, (text,)).fetchone():
        return [text]
    names = [text]
    if text.startswith("["):
        try:
            listed = json.loads(text)
        except ValueError:
            listed = None
        if isinstance(listed, list) and listed and all(isinstance(n, str) for n in listed):
            names = listed
    elif "," in text:
        names = [name.strip() for name in text.split(",")]
    for name in names:
        if not handle.execute(exists, (name,)).fetchone():
            known = [r[0] for r in handle.execute("SELECT DISTINCT collection FROM documents")]
            raise ProgrammingError(f'unknown collection "{name}"', hint=nearest(name, known))
    return list(dict.fromkeys(names))


def ranked(
    context: Context,
    query: str,
    k: int,
    names: list[str],
    alpha: float | None,
    filter: str | None,
    rerank: bool,
) -> list[Found]:
    """At most k chunks, best first, none that nearly repeats one above it."""
    from sqlagent.search.ask import ask, document_weights, vectors_of
    from sqlagent.search.ask import search as run
    from sqlagent.search.filters import allowed as passing
    from sqlagent.search.linking import linking

    scope = names[0] if len(names) == 1 else None
    allowed: frozenset[int] | None = None
    if len(names) > 1:
        with context.reading() as handle:
            rows = handle.execute(OF_COLLECTIONS, (json.dumps(names),))
            allowed = frozenset(row[0] for row in rows)
    if filter is not None:
        chosen = passing(context, FILTERED, "chunk_id", filter, ())
        allowed = chosen if allowed is None else allowed & chosen
    asked = ask(
        context, "chunks", scope, query, words_alone=alpha == 0, allowed=lambda _: allowed
    )  # fmt: skip
    weight = float(context.settings.get("search_alpha", 0.5)) if alpha is None else alpha
    fetch = vectors_of(context, "chunk_vectors", "chunk_id", asked.key.dimensions)
    weights = document_weights(context, weight)
    linked = linking(context, None, context.now(), weights.graph > 0.0)
    pool = k
    if rerank:
        from sqlagent.search.rerank import pool_of

        pool = max(k, pool_of(context))
    wanted = pool + SPARE
    while True:
        hits = run(asked, query, wanted, weights, allowed, fetch, linked)
        numbers = (hits.ids, hits.score, hits.similarity, hits.lexical)
        rows = list(zip(*(column.tolist() for column in numbers), strict=True))
        with context.reading() as handle:
            found = apart(_rows(handle, rows))
        if len(found) >= pool or len(rows) < wanted:
            break
        wanted *= 2
    if rerank:
        from sqlagent.search.rerank import reranked

        found = reranked(context, query, found[:pool])
    return found[:k]


def _rows(handle: Handle, hits: list[tuple[int, float, float, float]]) -> Iterator[Found]:
    ids = "[" + ",".join(str(hit[0]) for hit in hits) + "]"
    known = {row[0]: row for row in handle.execute(ROWS, (ids,))}
    for chunk_id, score, similarity, lexical in hits:
        row = known.get(chunk_id)
        if row is not None:
            own = similarity if similarity == similarity else None
            yield Found(
                row[0], row[1], row[2], row[3], score, own, lexical, row[4], row[5], row[6], row[7]
            )


def apart(found: Iterator[Found]) -> list[Found]:
    """Less what nearly repeats one before it, by what `memory.duplicates` calls the same."""
    from sqlagent.search.twins import Twins

    twins, seen, kept = Twins(), set[str](), list[Found]()
    for one in found:
        text = one.content.strip()
        if text in seen:
            continue
        if len(kept) < COMPARED:
            if twins.of(text) is not None:
                continue
            twins.add(text, one.chunk_id)
        seen.add(text)
        kept.append(one)
    return kept
