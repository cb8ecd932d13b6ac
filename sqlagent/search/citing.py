"""Each sentence of an answer against the documents: what supports it, and where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlagent.chunking import sentences
from sqlagent.context import Context
from sqlagent.errors import DataError
from sqlagent.search import support
from sqlagent.search.chunks import Found, collections_of, ranked

WIDEST = 3  # sentences of a passage that are read together
CLOSEST = 8  # passages of a sentence that are compared by meaning
SENTENCES_MAX = 500  # of an answer


class Passage(NamedTuple):
    """Some sentences of a chunk; `start` counts from the chunk's first character."""

    chunk: Found
    start: int
    text: str
    covered: float


def cite(
    context: Context,
    answer: str,
    query: str | None,
    collection: str | None,
    k: int,
    filter: str | None,
) -> Iterator[tuple[Any, ...]]:
    """The rows of `cite()`; see there."""
    from sqlagent.sync.documents import catch_up

    if k < 1:
        raise DataError(f"k is a whole number from 1, not {k}")
    spans = sentences(answer)
    if len(spans) > SENTENCES_MAX:
        raise DataError(f"an answer has at most {SENTENCES_MAX} sentences, not {len(spans)}")
    if catch_up(context) and context.handle is not context.database._writer:
        context = Context(context.database, context.settings, None)
    with context.reading() as handle:
        names = collections_of(handle, collection)
    shared = ranked(context, query, k, names, None, filter, False) if query else []
    for ordinal, (start, end) in enumerate(spans):
        text = answer[start:end]
        claim = support.claim(text)
        if support.empty(claim):
            yield ordinal, start, text, None, None, None, None, None, None, 0.0
            continue
        found = {one.chunk_id: one for one in shared}
        for one in ranked(context, claim, k, names, None, filter, False):
            found.setdefault(one.chunk_id, one)
        best = judged(context, claim, list(found.values()))
        if best is None:
            yield ordinal, start, text, False, None, None, None, None, None, 0.0
            continue
        passage, supported, score = best
        one = passage.chunk
        at = one.position + passage.start
        named = (one.chunk_id, one.document_id, one.uri, passage.text, at)
        yield ordinal, start, text, supported, *named, score


def judged(context: Context, claim: str, found: list[Found]) -> tuple[Passage, bool, float] | None:
    """The passage that supports a claim best, whether it does, and how much of it it has, 0..1;
    where none does, the nearest. None where no chunk was found."""
    one = support.said(claim)
    passages = sorted(
        (p for chunk in found for p in passages_of(one, chunk)),
        key=lambda p: (-p.covered, len(p.text)),
    )[:CLOSEST]
    if not passages:
        return None
    cosines = similar(context, claim, [p.text for p in passages])
    best: tuple[Passage, bool, float] | None = None
    for passage, cosine in zip(passages, cosines, strict=True):
        head = " ".join(filter(None, (passage.chunk.title, passage.chunk.heading)))
        around = support.said(f"{head}\n{passage.chunk.content}")
        differs = support.differs(one, support.said(passage.text), around)
        supported = not differs and support.supports(passage.covered, cosine)
        score = passage.covered if cosine is None else (passage.covered + max(0.0, cosine)) / 2
        if best is None or (supported, score) > (best[1], best[2]):
            best = passage, supported, score
    return best


def passages_of(one: support.Said, chunk: Found) -> Iterator[Passage]:
    """The runs of one to three sentences of a chunk; a longer one only if it has more words."""
    spans = sentences(chunk.content)
    for first, (start, end) in enumerate(spans):
        had = -1.0
        for last in range(first, min(first + WIDEST, len(spans))):
            end = spans[last][1]
            covered = support.coverage(one, support.said(chunk.content[start:end]))
            if covered > had:
                yield Passage(chunk, start, chunk.content[start:end], covered)
                had = covered


def similar(context: Context, claim: str, texts: list[str]) -> list[float | None]:
    """The cosines of the claim with texts; None for each where no model reads its language."""
    from sqlagent.models import model_of

    model = model_of(context.settings)
    if model is not None:
        from sqlagent.embedding import is_supported

        if is_supported(model, claim):
            vectors = model.encode([claim, *texts])
            return [float(c) for c in vectors[1:] @ vectors[0]]
    return [None] * len(texts)
