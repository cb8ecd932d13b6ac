"""Learning the weights of recall from feedback: what was useful should rank above what was not.

Each part's weight is multiplied by a factor. The factors maximise the likelihood of a pairwise
logistic model (Burges et al. 2005, RankNet, on a linear score) over pairs of a useful memory and
another that the same question returned; a quadratic penalty on their logarithms pulls them to 1,
the defaults, and each stays within 1/4 and 4. They are kept only where they rank questions that
they were not learnt from better than the defaults do.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sqlagent.index import Hits, Linked, Weights

FACTOR_MAX: Final = 4.0
PENALTY: Final = 1.0  # of the squared logarithms, beside a mean loss of a question of about ln 2
SHARPNESS: Final = 20.0  # a score that is higher by 0.05 is likelier by e to 1
OTHERS: Final = 20  # the best memories that nobody judged stand for what was of no use
JUDGED: Final = 3.0  # times as much counts one that was judged to be of no use
FOLDS: Final = 4
STEPS: Final = 200
STEP: Final = 0.1
SURE_ORDER: Final = 1.2  # standard errors by which the order of pairs must be better
SURE_NDCG: Final = 0.5  # and nDCG, which says less: what came first is what could be judged
TOP: Final = 10

Array = NDArray[np.float64]


class Question(NamedTuple):
    """A question with its judgements. `search(weights, k)` asks it again."""

    text: str
    useful: frozenset[int]
    useless: frozenset[int]
    search: Callable[[Weights, int], Hits]


class Pairs(NamedTuple):
    """Differences of the parts (a row a pair) and how much each pair counts."""

    differences: Array
    counts: Array


def learn(questions: Sequence[Question], base: Weights, parts: Sequence[str]) -> Weights | None:
    """Better weights than `base` for these parts; None where there are none that prove better."""
    parts = [p for p in parts if getattr(base, p, 0.0) > 0.0]
    pairs = [pairs_of(question, base, parts) for question in questions]
    if not parts or not any(len(p.counts) for p in pairs):
        return None
    fold = [zlib.crc32(question.text.encode()) % FOLDS for question in questions]
    before = [quality(question, base) for question in questions]
    plain = dict.fromkeys(parts, 1.0)
    order: list[float] = []
    ndcg: list[float] = []
    for f in range(FOLDS):
        by = factors([p for p, of in zip(pairs, fold, strict=True) if of != f], parts)
        weights = scaled(base, by)
        for n in (n for n, of in enumerate(fold) if of == f):
            order.append(ordered(pairs[n], by) - ordered(pairs[n], plain))
            ndcg.append(quality(questions[n], weights) - before[n])
    weights = scaled(base, factors(pairs, parts))
    kept = sum(quality(question, weights) for question in questions) >= sum(before)
    return weights if kept and sure(order) > SURE_ORDER and sure(ndcg) > SURE_NDCG else None


def sure(differences: Sequence[float]) -> float:
    """How many standard errors a sum of differences is above 0."""
    spread = math.sqrt(sum(d * d for d in differences))
    return sum(differences) / spread if spread else 0.0


def ordered(pairs: Pairs, by: dict[str, float]) -> float:
    """The share of a question's pairs that are in the right order, 0..1."""
    margin = pairs.differences @ np.array(list(by.values()))
    return float(((margin > 0.0) + 0.5 * (margin == 0.0)) @ pairs.counts)


def pairs_of(question: Question, base: Weights, parts: Sequence[str]) -> Pairs:
    """Each useful memory beside each that the question returned and nobody found useful."""
    hits = question.search(base, 10 * OTHERS)
    ids = hits.ids.tolist()
    useful = [n for n, i in enumerate(ids) if i in question.useful]
    others = [n for n, i in enumerate(ids) if i in question.useless]
    unsaid = [n for n, i in enumerate(ids[:OTHERS]) if i not in question.useful]
    counts = dict.fromkeys(unsaid, 1.0) | dict.fromkeys(others, JUDGED)
    if not useful or not counts:
        return Pairs(np.zeros((0, len(parts))), np.zeros(0))
    zero = np.zeros(len(ids))
    table = np.stack([hits.parts.get(part, zero) for part in parts], axis=1)
    differences = table[useful][:, None, :] - table[list(counts)][None, :, :]
    each = np.tile(np.array(list(counts.values())), len(useful))
    return Pairs(differences.reshape(-1, len(parts)), each / each.sum())


def factors(pairs: Sequence[Pairs], parts: Sequence[str]) -> dict[str, float]:
    """The factors of the parts by projected gradient descent on their logarithms.

    Only their ratios decide a ranking, so the geometric mean of those that tell anything apart
    stays 1. Words and vectors stand in for each other: where the questions have only one of them,
    its factor is that of both.
    """
    used = [p for p in pairs if len(p.counts)]
    found = dict.fromkeys(parts, 1.0)
    if not used:
        return found
    differences = np.concatenate([p.differences for p in used])
    counts = np.concatenate([p.counts for p in used]) / len(used)
    telling = np.asarray(differences.any(axis=0))
    if not telling.any():
        return found
    differences = differences[:, telling]
    logs = np.zeros(differences.shape[1])
    bound, penalty = math.log(FACTOR_MAX), PENALTY * 10.0 / (10.0 + len(used))
    for _ in range(STEPS):
        many = np.exp(logs)
        margin = np.clip(SHARPNESS * (differences @ many), -500.0, 500.0)
        pull = counts / (1.0 + np.exp(margin))
        slope = -SHARPNESS * (pull @ differences) * many + 2.0 * penalty * logs
        logs = logs - STEP * slope
        logs = np.clip(logs - logs.mean(), -bound, bound)
    told = [part for part, tells in zip(parts, telling.tolist(), strict=True) if tells]
    found.update(zip(told, np.exp(logs).tolist(), strict=True))
    for one, other in (("vector", "words"), ("words", "vector")):
        if one in found and one not in told and other in told:
            found[one] = found[other]
    return found


def scaled(base: Weights, by: dict[str, float]) -> Weights:
    """The weights with each part's multiplied, to four digits that count."""
    changed: dict[str, Any] = {
        part: float(f"{getattr(base, part) * factor:.4g}") for part, factor in by.items()
    }
    return base._replace(**changed)


def quality(question: Question, weights: Weights) -> float:
    """nDCG@10 of the useful memories."""
    found = question.search(weights, TOP).ids.tolist()
    gain = sum(1.0 / math.log2(n + 2.0) for n, i in enumerate(found) if i in question.useful)
    best = sum(1.0 / math.log2(n + 2.0) for n in range(min(TOP, len(question.useful))))
    return gain / best if best else 0.0


def asked_again(
    asked: Any, text: str, fetch: Any, linked: Linked | None = None
) -> Callable[[Weights, int], Hits]:
    """A question's search, for `Question.search`."""
    from sqlagent.search.ask import search

    return lambda weights, k: search(asked, text, k, weights, None, fetch, linked)
