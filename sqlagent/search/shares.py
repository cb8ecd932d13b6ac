"""What each part adds to the score of a hit: its value, its weight, and a sentence about it."""

from __future__ import annotations

from typing import NamedTuple

from sqlagent.index import Hits
from sqlagent.index.words import query_terms, terms


class Share(NamedTuple):
    """One part of one hit's score."""

    part: str
    value: float
    weight: float
    contribution: float


def shares(hits: Hits, place: int) -> list[Share]:
    """The parts of the hit at this place of the ranking; their contributions add up to its score,
    to the last bit: what the rounding of a sum leaves over goes to the largest part."""
    found = [
        Share(part, float(hits.values[part][place]), hits.weights[part], float(added[place]))
        for part, added in hits.parts.items()
    ]
    score = float(hits.score[place])
    largest = max(range(len(found)), key=lambda n: abs(found[n].contribution))
    for _ in range(4):
        off = score - sum(share.contribution for share in found)
        if off == 0.0:
            break
        big = found[largest]
        found[largest] = big._replace(contribution=big.contribution + off)
    return found


def values(hits: Hits, parts: tuple[str, ...]) -> list[list[float]]:
    """Of each part its value for every hit; 0 for what there is nothing to reckon from."""
    none = [0.0] * len(hits.ids)
    return [hits.values[part].tolist() if part in hits.values else none for part in parts]


def matched(query: str, text: str) -> list[str]:
    """The words of the question that the text has, as the question writes them where it can."""
    held = set(terms(text))
    words: dict[str, str] = {}
    for word in query.split():
        for term in query_terms(word):
            words.setdefault(term, word.strip(".,;:!?\"'()[]¿¡。，？！、「」").lower())
    common = [term for term in query_terms(query) if term in held]
    # Of Chinese a pair of characters says more than each of the two.
    pairs = "".join(t for t in common if len(t) > 1 and t[0] >= "\u2e80")
    shown = [t for t in common if not (len(t) == 1 and t in pairs)]
    return list(dict.fromkeys(t if t[0] >= "\u2e80" else words.get(t, t) for t in shown))
