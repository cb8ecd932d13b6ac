"""What recall(), explain_recall() and recall_parts() have in common: who asks, the filters, the
hits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.errors import DataError
from sqlagent.index import Hits, ScopeIndex, Weights
from sqlagent.index.rows import Ids
from sqlagent.search.ask import Asked, ask, limit, search, vectors_of
from sqlagent.search.budget import best_set
from sqlagent.search.kinds import listed
from sqlagent.search.learned import weights_for
from sqlagent.search.linking import Linking, linking

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Handle

KINDS = ("episodic", "semantic", "procedural", "working")
TIERS = ("working", "short_term", "long_term")
# A set for a budget is chosen among so many more: near-duplicates and what is too long leave gaps.
POOL, POOL_TIMES = 100, 4

# Each filter: which memories of the agent pass it. One that is not asked for is not in the query.
CONDITIONS = {
    "kind": "kind = :kind",
    "tier": "tier = :tier",
    "user_id": "user_id = :user_id",
    "session_id": "session_id = :session_id",
    "speaker": "speaker = :speaker",
    "from_at": "created_at >= :from_at",
    "to_at": "created_at < :to_at",
}
ROWS = """
SELECT m.memory_id, m.kind, m.content, s.strength, m.created_at
FROM memories m JOIN memory_strength s ON s.memory_id = m.memory_id
WHERE m.memory_id IN (SELECT value FROM json_each(?1)) AND +m.agent_id = ?2
"""


class Asking(NamedTuple):
    """A question to an agent's memories with its filters, as the SQL functions take them."""

    agent_id: str
    query: str
    k: int = 10
    kind: str | None = None
    tier: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    speaker: str | None = None
    from_at: str | None = None
    to_at: str | None = None
    filter: str | None = None
    as_of: str | None = None
    known_at: str | None = None
    token_budget: int | None = None
    embedding: bytes | None = None

    def checked(self) -> Asking:
        """Itself with k as the surface has it; DataError for a value that cannot be."""
        if self.kind is not None and self.kind not in KINDS:
            raise DataError(f"kind is one of {', '.join(KINDS)}, not {self.kind!r}")
        if self.tier is not None and self.tier not in TIERS:
            raise DataError(f"tier is one of {', '.join(TIERS)}, not {self.tier!r}")
        if self.token_budget is not None and self.token_budget < 0:
            raise DataError(f"token_budget is a whole number from 0, not {self.token_budget}")
        if self.from_at is not None and self.to_at is not None and self.to_at < self.from_at:
            raise DataError(
                f"to_at is not before from_at, which is {self.from_at}, not {self.to_at}",
                hint="The window holds what was created from from_at until just before to_at.",
            )
        return self._replace(k=limit(self.k))

    @property
    def timed(self) -> bool:
        """Whether it asks for what was true, or known, at a time."""
        return self.as_of is not None or self.known_at is not None

    def times(self, context: Context) -> tuple[str, str]:
        """When it is to be true, and as it was known when: now, where nothing else is said."""
        now = context.now()
        return self.as_of or now, self.known_at or now

    def filters(self) -> dict[str, Any]:
        """The plain filters that are asked for, by name."""
        values = self._asdict()
        return {name: values[name] for name in CONDITIONS if values[name] is not None}


class Answer(NamedTuple):
    """The hits of a question, and what they were found with."""

    asked: Asked
    hits: Hits
    weights: Weights
    allowed: Ids | None
    fetch: Any
    linked: Linking | None = None

    def all(self, asking: Asking) -> Hits:
        """The hits of the whole scope, to see where one stands."""
        everything = max(1, len(self.asked.scope))
        return search(
            self.asked, asking.query, everything, self.weights, self.allowed, self.fetch,
            self.linked,
        )  # fmt: skip


def allowed(context: Context, asking: Asking, index: ScopeIndex) -> Ids | None:
    """The ids of what passes the plain filters and is true then; None where none is asked for."""
    ids: Ids | None = None
    if asking.filters():
        ids = passed(context, asking, index)
    if asking.timed:
        from sqlagent.search.held import holding

        ids = both(ids, holding(context, asking.agent_id, *asking.times(context)))
    return ids


def passed(context: Context, asking: Asking, index: ScopeIndex) -> Ids:
    """The ids that pass the plain filters, kept with the index: it is replaced when a row changes.

    They are read on a snapshot that is not older than the index, save in a transaction that wrote,
    which sees its own rows.
    """
    import numpy as np

    filters = asking.filters()
    where = " AND ".join(["agent_id = :agent_id", *(CONDITIONS[name] for name in filters)])
    sql = f"SELECT memory_id FROM memories WHERE {where}"

    def read(handle: Handle) -> Ids:
        rows = handle.execute(sql, asking._asdict()).fetchall()
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    own = context.handle
    if own is not None and own is context.database._writer and own.in_transaction:
        return read(own)

    def newest() -> Ids:
        with context.database.snapshot() as handle:
            return read(handle)

    return index.kept(("filters", *filters.items()), newest)


def both(ids: Ids | None, others: Ids) -> Ids:
    """The ids that are in both, where there are any of the first; each has an id once."""
    import numpy as np

    return others if ids is None else np.intersect1d(ids, others, assume_unique=True)


def answer(context: Context, asking: Asking, every: bool = False) -> Answer | None:
    """The best memories for a question: k of them, or more to choose from under a budget.

    None where the agent has nothing, or none is wanted. The filters are checked in any case. Of
    `every` part the value is reckoned, the graph's too where it has no weight.
    """
    chosen: Ids | None = None
    if asking.filter is not None:
        from sqlagent.search.held import passing

        chosen = passing(context, asking.agent_id, asking.filter)
    if asking.k == 0:
        return None
    which = "all memories" if asking.timed else "memories"

    def passing_of(index: ScopeIndex) -> Ids | None:
        ids = allowed(context, asking, index)
        return ids if chosen is None else both(ids, chosen)

    asked = ask(
        context, which, asking.agent_id, asking.query, embedding=asking.embedding,
        allowed=passing_of,
    )  # fmt: skip
    if not len(asked.scope):
        return None
    fetch = vectors_of(context, "memory_vectors", "memory_id", asked.key.dimensions)
    weights = weights_for(context, asking.agent_id)
    ids = passing_of(asked.scope)
    k = asking.k
    if asking.token_budget is not None:
        k = min(max(POOL_TIMES * k, POOL), 1 << 30)
    at, _ = asking.times(context)
    linked = linking(context, asking.agent_id, at, every or weights.graph > 0.0)
    hits = search(asked, asking.query, k, weights, ids, fetch, linked)
    return Answer(asked, hits, weights, ids, fetch, linked)


class Picked(NamedTuple):
    """What recall returns: the ids best first, their rows, and why others are left out."""

    ids: list[int]
    rows: dict[int, tuple[Any, ...]]
    left_out: dict[int, str]


def picked(context: Context, asking: Asking, found: Answer) -> Picked:
    """Of the hits those that are still there, or the best set of them under a budget."""
    ids = found.hits.ids.tolist()
    with context.reading() as handle:
        rows = {r[0]: r for r in handle.execute(ROWS, (listed(ids), asking.agent_id))}
    ids = [memory_id for memory_id in ids if memory_id in rows]
    if asking.token_budget is None:
        return Picked(ids, rows, {})
    fitting = best_set(((i, rows[i][2]) for i in ids), asking.k, asking.token_budget)
    return Picked(fitting.taken, rows, fitting.left_out)
