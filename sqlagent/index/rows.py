"""What goes into an index and what comes out: rows, queries, weights, hits."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]
Ids: TypeAlias = NDArray[np.int64]
Slots: TypeAlias = NDArray[np.intp]
Mask: TypeAlias = NDArray[np.bool_]


class Row(NamedTuple):
    """One memory, chunk or vector.

    `text` is what is indexed: for a memory its date and speaker stand before it. `vector` is
    float32, little-endian. `created_at` is in epoch seconds and, with `id`, orders the turns of a
    session. `prior` is the row's strength, 0 to 1.
    """

    id: int
    text: str
    vector: bytes | None = None
    created_at: float = 0.0
    session: str | None = None
    speaker: str | None = None
    prior: float = 1.0


class Weights(NamedTuple):
    """How the parts of a score are weighed; the defaults are for memories.

    All but `strength` are configuration N of the retrieval notes, picked on the development half
    of LoCoMo (R@10 .830, nDCG@10 .657 there). Strengths that mean nothing cost .003 nDCG@10 at .02,
    .007 at .05 and .014 at .1, so the default only breaks near ties.
    """

    vector: float = 0.7  # times max(0, cosine), flat between .4 and .7
    words: float = 0.3  # times bm25 / best bm25
    context: float = 0.5  # of the two turns before and the one after, beside the row's own words
    speaker: float = 1.4  # factor for the rows of the one speaker that the question names
    session: float = 0.4  # times the mean of the session's three best scores
    length: float = 0.2  # times min(1, ln(1 + characters) / ln 400)
    strength: float = 0.02  # a strength of 0 takes this share away, a strength of 1 adds it
    recency: float = 0.0  # additive; every weight above .05 harmed questions about history
    recency_half_life_s: float = 30 * 86400.0
    relative: float = 0.0  # 1: the vector's part is divided by the best one (max-norm)

    @classmethod
    def fused(cls, alpha: float = 0.5) -> "Weights":
        """For documents: `alpha` of the vectors, the rest of the words, each over its best."""
        if not 0.0 <= alpha <= 1.0:
            raise ValueError(f"expected alpha between 0 and 1, not {alpha!r}")
        return cls(alpha, 1.0 - alpha, 0.0, 1.0, 0.0, 0.0, 0.0, relative=1.0)


MEMORIES = Weights()
DOCUMENTS = Weights.fused()


class Query(NamedTuple):
    """`allowed` holds the ids that pass the filters; None lets all pass."""

    text: str | None = None
    vector: bytes | None = None
    k: int = 10
    allowed: "frozenset[int] | NDArray[Any] | None" = None
    weights: Weights = MEMORIES


class Hits(NamedTuple):
    """The best rows, best first.

    `similarity` is the row's own (NaN when the row or the query has no vector), `lexical` is
    bm25 over the best bm25 among the rows that pass. `parts` add up to `score`.
    """

    ids: Ids
    score: Doubles
    similarity: Doubles
    lexical: Doubles
    parts: dict[str, Doubles]


def vector_of(blob: bytes, dimensions: int) -> Floats:
    """A float32 vector from its bytes; ValueError when it has another length or a NaN in it."""
    if len(blob) != 4 * dimensions:
        raise ValueError(f"expected {dimensions} dimensions, not {len(blob) / 4:g}")
    vector = np.frombuffer(blob, "<f4").astype(np.float32, copy=False)
    if not np.isfinite(vector).all():
        raise ValueError("expected finite numbers in a vector, found NaN or infinity")
    return vector
