"""Asking an index: the query's vector, what is still to be embedded, the filters, the hits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.errors import DataError
from sqlagent.index import (
    DOCUMENTS,
    MEMORIES,
    Hits,
    Linked,
    Query,
    ScopeIndex,
    Weights,
    strip_names,
)
from sqlagent.models import model_of
from sqlagent.search.kinds import Key, listed
from sqlagent.search.questions import marked
from sqlagent.search.scopes import Scopes, scopes

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlagent.context import Context
    from sqlagent.embedding import Model

_OF_DOCUMENTS = (
    "relative", "coverage", "document", "exact", "feedback", "feedback_documents", "floor",
    "window",
)  # fmt: skip
_OTHERS = ("recency_half_life_s", *_OF_DOCUMENTS)
SET = tuple(f for f in Weights._fields if f not in _OTHERS)
EMBED_NOW = 64  # so many missing vectors are made while the question waits; more in the background


class Asked(NamedTuple):
    """The index that was asked, and with what."""

    scope: ScopeIndex
    key: Key
    vector: bytes | None


def limit(k: int) -> int:
    """k as the surface has it: none for 0, an error below it, as many as there are above."""
    if k < 0:
        raise DataError(f"k is a whole number from 0, not {k}")
    return min(k, 1 << 30)


def ask(
    context: Context,
    kind: str,
    scope: str | None,
    query: str,
    *,
    embedding: bytes | None = None,
    words_alone: bool = False,
    allowed: Callable[[ScopeIndex], Any] | None = None,
) -> Asked:
    """The index of a scope, with vectors where there is a model, and the query's own vector.

    `allowed` gives the ids that pass the filters, None for all.
    """
    model: Model | None = None
    if embedding is None and not words_alone:
        from sqlagent.embedding import is_supported

        model = model_of(context.settings)
        if model is not None and not is_supported(model, query):
            model = None  # an English model on a Chinese question only blurs the words
    elif embedding is not None and context.settings.get("embedding_model") != "none":
        model = model_of(context.settings)  # rows of its model are comparable
        if model is not None and model.dimensions != len(embedding) // 4:
            model = None
    dimensions = (
        len(embedding) // 4 if embedding is not None else model.dimensions if model else None
    )
    key = Key(kind, scope, model.name if model else None, dimensions)
    if dimensions is None:
        key = any_key(context, kind, scope)
    found = scopes(context.database)
    index = found.index(context, key)
    if model is not None:
        index = with_vectors(context, found, key, index, model, query, allowed)
    vector = embedding
    if vector is None and model is not None and len(index):
        vector = model.encode_one(marked(strip_names(query, index.speakers)))
    return Asked(index, key, vector)


def any_key(context: Context, kind: str, scope: str | None) -> Key:
    """For a question of words alone: an index with vectors serves too, so none is built twice."""
    if context.settings.get("embedding_model") != "none":
        known = scopes(context.database).by_scope.get((kind.rsplit(" ", 1)[-1], scope), [])
        for key in known:
            if key.kind == kind:
                return key
    return Key(kind, scope, None, None)


def with_vectors(
    context: Context,
    found: Scopes,
    key: Key,
    index: ScopeIndex,
    model: Model,
    query: str,
    allowed: Callable[[ScopeIndex], Any] | None,
) -> ScopeIndex:
    """The index with vectors of what was written without: a few at once, many in the background.

    Where there are many, those come first that the question's words find among what passes its
    filters: what was loaded a moment ago is ranked by its meaning too.
    """
    missing = index.missing_vectors()
    if not len(missing):
        return index
    import numpy as np

    from sqlagent.sync.embed import background, embed_rows

    if len(missing) > EMBED_NOW:
        if not context.database.read_only:
            background(context.database, context.settings)
        weights = MEMORIES if index.turns else DOCUMENTS
        passing = None if allowed is None else allowed(index)
        worded = index.search(Query(query, None, EMBED_NOW, passing, weights)).ids
        best = worded[np.isin(worded, missing)]
        missing = np.concatenate([best, np.setdiff1d(missing, best)[: EMBED_NOW - len(best)]])
    return embed_rows(context, found, key, index, model, [int(i) for i in missing])


def memory_weights(context: Context) -> Weights:
    """The weights of `recall`, from the settings; what is not set has its default."""
    settings = context.settings
    known = {part: settings.get(f"recall_{part}_weight") for part in SET}
    given: dict[str, Any] = {part: float(w) for part, w in known.items() if w is not None}
    return MEMORIES._replace(**given)


def document_weights(context: Context, alpha: float) -> Weights:
    """The weights of `search`, from the settings, with this share of meaning."""
    parts = ("context", "coverage", "document", "exact", "feedback", "graph", "window")
    known = {part: context.settings.get(f"search_{part}_weight") for part in parts}
    most = context.settings.get("search_feedback_documents", DOCUMENTS.feedback_documents)
    shares = {part: float(weight) for part, weight in known.items() if weight is not None}
    return Weights.fused(alpha, **shares, feedback_documents=int(most))


def search(
    asked: Asked,
    query: str,
    k: int,
    weights: Weights,
    allowed: Any,
    fetch: Any,
    linked: Linked | None = None,
) -> Hits:
    """The hits of a question."""
    return asked.scope.search(Query(query, asked.vector, k, allowed, weights, linked), fetch)


def vectors_of(context: Context, table: str, column: str, dimensions: int | None) -> Any:
    """A function that fetches the float32 vectors of ids, in their order, for an exact
    comparison."""

    def fetch(ids: Any) -> Any:
        import numpy as np

        width = dimensions or 0
        none = bytes(4 * width)
        wanted = [int(i) for i in ids]
        sql = (
            f"SELECT {column}, vector FROM {table} "
            f"WHERE {column} IN (SELECT value FROM json_each(?))"
        )
        with context.reading() as handle:
            found = dict(handle.execute(sql, (listed(wanted),)))
        vectors = [found.get(i, none) for i in wanted]
        joined = b"".join(v if len(v) == len(none) else none for v in vectors)
        return np.frombuffer(joined, "<f4").reshape(len(wanted), width)

    return fetch
