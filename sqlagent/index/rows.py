"""What goes into an index and what comes out: rows, queries, weights, hits."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]
Ids: TypeAlias = NDArray[np.int64]
Slots: TypeAlias = NDArray[np.intp]
Mask: TypeAlias = NDArray[np.bool_]
# What is tied to the best rows: of their ids, best first, and their shares of the best score, the
# ids of others and how strongly, in [0, 1].
Linked: TypeAlias = Callable[[list[int], list[float]], dict[int, float]]


class Row(NamedTuple):
    """One memory, chunk or vector.

    `text` is what is indexed and embedded; `head` (of a memory its date and speaker) is indexed
    before it. `vector` is float32, little-endian. `created_at` is in epoch seconds and, with `id`,
    orders the turns of a session. `decay`, `activation` and `retention` are the columns
    decayed_importance, activation and retention of memory_strength; None counts as 0.
    """

    id: int
    text: str
    vector: bytes | None = None
    created_at: float = 0.0
    session: str | None = None
    speaker: str | None = None
    decay: float | None = None
    activation: float | None = None
    retention: float | None = None
    head: str = ""


class Weights(NamedTuple):
    """How the parts of a score are weighed; the defaults are for memories.

    A score is the sum of the parts, each its value times its weight. The weights were fitted to
    the five conversations of LoCoMo's development half, each time on four of them and judged on
    the fifth (a listwise loss over all turns), then rounded: R@5/10/20 .79/.85/.90 and nDCG@10 .70
    there, and no weight's optimum is sharp (a third more or less costs at most .01).
    Decay, activation and retention that mean nothing (random ones) cost nothing up to .02 each,
    and .004 nDCG@10 at .05.
    """

    vector: float = 0.7  # times max(0, cosine), the vector blended with its neighbours'
    words: float = 0.35  # times bm25 / best bm25
    context: float = 0.5  # of the two turns before and the one after, beside the row's own words
    speaker: float = 0.25  # for the rows of the one speaker that the question names
    session: float = 0.3  # times the mean of the session's three best scores of the three above
    length: float = 0.25  # times min(1, ln(1 + characters) / ln 400)
    time: float = 0.25  # for rows that tell a time, where the question asks when; else a share
    date: float = 0.25  # times the nearness of the row to a date that the question names
    answer: float = 0.1  # times what the question before it scores, less its own if it asks
    opening: float = 0.05  # for the first row of a session, where news is told
    decay: float = 0.005  # times d / (1 + d) of the decayed importance
    activation: float = 0.005  # times the logistic of the activation
    retention: float = 0.005  # times the retention
    recency: float = 0.0  # halved with each half-life; above .05 it harms questions about history
    recency_half_life_s: float = 30 * 86400.0
    relative: float = 0.0  # 1: the vector's part is divided by the best one (max-norm)
    coverage: float = 0.0  # times the share of the question's words that a row has, by rarity
    document: float = 0.0  # times the mean cosine of the session's rows, over the best one
    feedback: float = 0.0  # times the cosine with the question and its best documents, likewise
    feedback_documents: int = 0  # how many documents these are; `document` is of them as well
    graph: float = 0.0  # times how strongly the graph ties a row to the best ones
    exact: float = 0.0  # in bm25, of a term in the form that the question has, beside its stem
    floor: float = 0.0  # in bm25, what a term adds at least, times its rarity
    window: float = 0.0  # times the share of the question's words that stand together in a row

    @classmethod
    def fused(
        cls,
        alpha: float = 0.5,
        context: float = 0.2,
        coverage: float = 0.1,
        document: float = 0.5,
        feedback: float = 0.2,
        feedback_documents: int = 5,
        graph: float = 0.0,
        exact: float = 0.5,
        floor: float = 0.25,
        window: float = 0.2,
    ) -> "Weights":
        """For documents: `alpha` of the vectors, the rest of the words, each over its best.

        Of chunks the context is that of the document. The weights were chosen on eight sets,
        English and Chinese (see `benchmarks search_quality`): a third more or less costs at most
        .01.
        `exact`, `floor` and `window` were chosen on halves of the sets and judged on the others:
        .003 of nDCG@10 there, on the mean.
        """
        if not 0.0 <= alpha <= 1.0:
            raise ValueError(f"expected alpha between 0 and 1, not {alpha!r}")
        return cls._make(0.0 for _ in cls._fields)._replace(
            vector=alpha,
            words=1.0 - alpha,
            context=context,
            coverage=coverage,
            document=document,
            feedback=feedback,
            feedback_documents=feedback_documents,
            graph=graph,
            exact=exact,
            floor=floor,
            window=window,
            recency_half_life_s=cls._field_defaults["recency_half_life_s"],
            relative=1.0,
        )


MEMORIES = Weights()
DOCUMENTS = Weights.fused()


class Query(NamedTuple):
    """`allowed` holds the ids that pass the filters; None lets all pass. `linked` says what is
    tied to the best rows; None where there is no graph."""

    text: str | None = None
    vector: bytes | None = None
    k: int = 10
    allowed: "frozenset[int] | NDArray[Any] | None" = None
    weights: Weights = MEMORIES
    linked: Linked | None = None


class Hits(NamedTuple):
    """The best rows, best first.

    `similarity` is the row's own (NaN when the row or the query has no vector), `lexical` is
    bm25 over the best bm25 among the rows that pass. `parts` add up to `score`; each is its
    `values` times its number in `weights`, which have the same keys.
    """

    ids: Ids
    score: Doubles
    similarity: Doubles
    lexical: Doubles
    parts: dict[str, Doubles]
    values: dict[str, Doubles]
    weights: dict[str, float]


def vector_of(blob: bytes, dimensions: int) -> Floats:
    """A float32 vector from its bytes; ValueError when it has another length or a NaN in it."""
    if len(blob) != 4 * dimensions:
        raise ValueError(f"expected {dimensions} dimensions, not {len(blob) / 4:g}")
    vector = np.frombuffer(blob, "<f4").astype(np.float32, copy=False)
    if not np.isfinite(vector).all():
        raise ValueError("expected finite numbers in a vector, found NaN or infinity")
    return vector
