"""The parts of a score beside words and vector: who spoke, the session, the time, the strength.

Each has a value for a row, and a weight; a score is the sum of their products. So no part gates
another, and one whose weight is small can move no score by more than its weight.
"""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from .near import top
from .rows import Doubles, Floats, Linked, Mask, Query, Slots, Weights
from .times import asks_when, days_in, nearness
from .words import names_in

if TYPE_CHECKING:
    from .links import Links
    from .scope import ScopeIndex

_UNASKED: Final = 0.3  # the value of telling a time where the question does not ask when
_SEEDS: Final = 5  # the best rows, from which the graph is walked
_STEADY: Final = ("length", "time", "opening", "decay", "activation", "retention")


class Parts:
    """The parts of one query's scores among the rows of a mask; `base` is what words and vector
    give each slot.

    Of an index that is not of turns (of documents) only the parts with a weight are reckoned.
    """

    def __init__(self, index: "ScopeIndex", query: Query, base: Floats, mask: Mask) -> None:
        weights, text = query.weights, query.text or ""
        self.index, self.weights, self.base = index, weights, base
        every = index.turns
        self.spoken = _spoken(index, text, mask) if every or weights.speaker else None
        self.time = 1.0 if text and asks_when(text) else _UNASKED
        self.days = days_in(text) if text and (every or weights.date) else []
        self.links = index.links if every else None
        self.sessions: Floats | None = None
        self.graph: Floats | None = None
        if self.links is not None:
            self.sessions = _sessions(index, self._with_speaker(base.copy()))

    def _with_speaker(self, score: Floats) -> Floats:
        if self.spoken is not None:
            score += self.spoken * np.float32(self.weights.speaker)
        return score

    def score(self) -> Floats:
        """The score of every slot, in single precision."""
        index, weights = self.index, self.weights
        score = self._with_speaker(self.base + self._steady())
        if self.sessions is not None and weights.session:
            score += (self.sessions * np.float32(weights.session)).take(_joined(index))
        if self.links is not None and weights.answer:
            asking = _asking(index, self.links)
            asked = self.base[asking] * np.float32(weights.answer)
            score[asking] -= asked
            score[self.links.after[asking]] += asked
        if self.days and weights.date:
            score += np.float32(weights.date) * self._dated(slice(0, index.used)).astype(np.float32)
        if weights.recency:
            score += np.float32(weights.recency) * _recent(index, weights, slice(0, index.used))
        return score

    def link(self, linked: Linked, score: Floats, candidates: Mask, mask: Mask) -> Mask:
        """Add what the graph ties to the best rows to the scores; the candidates, with these."""
        index = self.index
        seeds = top(score, _SEEDS, candidates)
        ids = index.store.columns.ids
        seeds = seeds[np.lexsort((ids[seeds], -score[seeds]))][:_SEEDS]
        best = float(score[seeds].max(initial=0.0))
        if best <= 0.0:
            return candidates
        shares = np.clip(score[seeds] / best, 0.0, 1.0).tolist()
        tied = linked(ids[seeds].tolist(), shares)
        slots = [s for s in index.store.find(tied, index.alive) if mask[s]] if tied else []
        if not slots:
            return candidates
        self.graph = np.zeros(index.used, np.float32)
        self.graph[slots] = [tied[one] for one in ids[slots].tolist()]
        score += self.graph * np.float32(self.weights.graph)
        return candidates | (self.graph > 0.0) if self.weights.graph else candidates

    def _steady(self) -> Floats:
        """What does not depend on the question, save on whether it asks for a time."""
        index, weights = self.index, self.weights
        shares = [
            getattr(weights, name) * (self.time if name == "time" else 1.0) for name in _STEADY
        ]

        def make() -> Floats:
            total = np.zeros(index.used, np.float32)
            for name, share in zip(_STEADY, shares, strict=True):
                if share:
                    total += np.float32(share) * _column(index, name)
            return total

        return index.kept(("steady", *shares), make)

    def values(self, slots: Slots) -> dict[str, Doubles]:
        """The value of each part that there is, for these slots."""
        index, weights, values = self.index, self.weights, dict[str, Doubles]()
        every = index.turns
        if self.spoken is not None:
            values["speaker"] = self.spoken[slots].astype(np.float64)
        if self.sessions is not None:
            values["session"] = self.sessions[_joined(index)[slots]].astype(np.float64)
        for name in _STEADY:
            if (every or getattr(weights, name)) and (name != "opening" or self.links is not None):
                values[name] = _column(index, name)[slots].astype(np.float64)
        if "time" in values:
            values["time"] *= self.time
        if self.links is not None:
            values["answer"] = _answers(index, self.links, self.base, slots)
        if self.days:
            values["date"] = self._dated(slots)
        if self.graph is not None:
            values["graph"] = self.graph[slots].astype(np.float64)
        if every or weights.recency:
            values["recency"] = _recent(index, weights, slots)
        return values

    def _dated(self, slots: "Slots | slice") -> Doubles:
        return nearness(self.index.store.columns.created[slots], self.days)


def _column(index: "ScopeIndex", name: str) -> "Floats | Mask":
    """The values of a part that belongs to the row alone."""
    columns, used, links = index.store.columns, index.used, index.links
    if name == "time":
        return columns.tells_time[:used]
    if name != "opening":
        column: Floats = getattr(columns, name)
        return column[:used]
    if links is None:
        return np.zeros(used, np.bool_)
    first: Mask = (links.before == 0) & (links.after != 0)
    return first


def _spoken(index: "ScopeIndex", text: str, mask: Mask) -> Mask | None:
    """The rows, of those in the mask, of the one speaker whom the question names."""
    if not text or not index.speakers:
        return None
    named = names_in(text, index.speakers)
    if len(named) != 1:
        return None
    code = index.store.speakers.of[named.pop()]
    spoken: Mask = index.store.columns.speaker[: index.used] == code
    return spoken & mask


def _joined(index: "ScopeIndex") -> NDArray[np.int64]:
    """The session of each slot; 0 for a row with no neighbour, which has no context either."""

    def make() -> NDArray[np.int64]:
        session, links = index.store.columns.session[: index.used], index.links
        if links is None:
            return np.zeros_like(session)
        return np.where((links.before | links.after) == 0, 0, session)

    return index.kept("joined", make)


def _asking(index: "ScopeIndex", links: "Links") -> Slots:
    """The rows that are questions and have a row behind them."""
    asks = index.store.columns.asks[: index.used]
    return index.kept("asking", lambda: np.flatnonzero(asks & (links.after != 0)))


def _answers(index: "ScopeIndex", links: "Links", base: Floats, slots: Slots) -> Doubles:
    """What the question before a row scores by words and meaning, less the row's own if it is
    itself a question with an answer."""
    asks, before = index.store.columns.asks, links.before[slots]
    out: Doubles = base[before].astype(np.float64) * (asks[before] & (before > 0))
    out -= base[slots].astype(np.float64) * (asks[slots] & (links.after[slots] > 0))
    return out


def _sessions(index: "ScopeIndex", left: Floats) -> Floats:
    """A third of the sum of each session's three best scores, by session; `left` is used up."""
    store = index.store
    session = store.columns.session[: index.used]
    starts, _, names = store.segments
    late = session[store.base :]
    total = np.zeros(len(store.sessions.of), np.float32)
    top = np.zeros(len(total), np.float32)
    for _ in range(3):
        top.fill(0.0)
        top[names] = np.maximum.reduceat(left[: store.base], starts)
        if len(late):
            np.maximum.at(top, late, left[store.base :])
        top[0] = 0.0
        total += top
        top[top == 0.0] = -1.0
        at = np.flatnonzero(left == top.take(session))
        if len(late):
            at = at[np.unique(session[at], return_index=True)[1]]
        elif len(at):  # the base is in the order of its sessions
            at = at[np.diff(session[at], prepend=-1) != 0]
        left[at] = 0.0
    return total / np.float32(3.0)


def _recent(index: "ScopeIndex", weights: Weights, slots: "Slots | slice") -> Doubles:
    """1 for the newest row of the scope, halved with each half-life before it."""
    created = index.store.columns.created[: index.used]
    newest = float(created.max(initial=-np.inf, where=index.alive))
    age = np.maximum(newest - created[slots], 0.0)
    out: Doubles = 0.5 ** (age / weights.recency_half_life_s)
    return out
