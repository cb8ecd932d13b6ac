"""What consolidating an agent would do, step by step: from its memories alone, nothing written."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent import clock
from sqlagent.errors import DataError
from sqlagent.memory.consolidate import rows
from sqlagent.memory.consolidate.episodes import Cluster, clusters, recurs
from sqlagent.memory.consolidate.extract import place, told
from sqlagent.memory.consolidate.merges import Merge, merges
from sqlagent.memory.consolidate.rows import Memory
from sqlagent.memory.consolidate.texts import said, specifics

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle
    from sqlagent.memory.consolidate.vectors import Vectors

HAS_VECTORS = """
SELECT 1 FROM memory_vectors v JOIN memories m ON m.memory_id = v.memory_id
WHERE m.agent_id = ? LIMIT 1
"""


class Part(NamedTuple):
    """A memory that a step is about: one that goes, or a source (with the place in it, in
    characters, that says it best)."""

    memory: Memory
    similarity: float
    reason: str
    position: int | None = None
    length: int | None = None


class Step(NamedTuple):
    """`action` is 'merge' (parts go into `into`) or 'distil' (parts are told by `into`, or by a new
    memory with this `content` where it is None)."""

    action: str
    into: Memory | None
    content: str
    parts: list[Part]


def checked(similarity: float, kind: str | None) -> None:
    """Raise DataError for a similarity or a kind that cannot be."""
    if not 0.5 <= similarity <= 1.0:
        raise DataError(f"similarity is a number from 0.5 to 1, not {similarity!r}")
    if kind is not None and kind not in rows.KINDS:
        raise DataError(f"kind is one of {', '.join(rows.KINDS)}, not {kind!r}")


def plan(handle: Handle, agent_id: str, similarity: float, kind: str | None) -> list[Step]:
    """The steps for an agent, as the handle's snapshot has it: first what is merged, by the memory
    that stays, then what is distilled."""
    checked(similarity, kind)
    memories = list(rows.read(handle, agent_id, kind, clock.now()))
    found = merges(memories, similarity)
    gone = {m.gone.memory_id for m in found}
    left = [m for m in memories if m.memory_id not in gone]
    steps = list(merging(found))
    if kind in (None, "episodic"):
        facts = left if kind is None else rows.read(handle, agent_id, "semantic", clock.now())
        known = known_of(facts)
        for cluster in clusters(left, vectors_of(handle, agent_id)):
            steps += distilling(cluster, known)
    return steps


def merging(found: Sequence[Merge]) -> Iterator[Step]:
    """A step for each memory that others go into."""
    groups: dict[int, list[Merge]] = defaultdict(list)
    for one in found:
        groups[one.stays.memory_id].append(one)
    for group in groups.values():
        stays = group[0].stays
        parts = [
            Part(
                m.gone, m.similarity,
                f"says the same as memory {stays.memory_id}, similarity {m.similarity:.2f}",
            )
            for m in group
        ]  # fmt: skip
        yield Step("merge", stays, stays.content, parts)


class Known(NamedTuple):
    """An agent's semantic memories, by their id and by what they say."""

    by_id: dict[int, Memory]
    by_fact: dict[tuple[Any, ...], Memory]


def known_of(memories: Iterable[Memory]) -> Known:
    """The semantic ones of these memories; of two that say the same the one that was first."""
    facts = [m for m in memories if m.kind == "semantic"]
    by_fact = {fact_key(m, m.content): m for m in reversed(facts)}
    return Known({m.memory_id: m for m in facts}, by_fact)


def fact_key(memory: Memory, content: str) -> tuple[Any, ...]:
    """What two memories have in common that state one fact, whatever their kinds."""
    return (*memory.key[1:], said(content).hard)


def vectors_of(handle: Handle, agent_id: str) -> Vectors | None:
    """The vectors of an agent's episodes; None, and numpy stays unloaded, where it has none."""
    if handle.execute(HAS_VECTORS, (agent_id,)).fetchone() is None:
        return None
    from sqlagent.memory.consolidate.vectors import Vectors

    return Vectors.read(handle, agent_id)


def distilling(cluster: Cluster, known: Known) -> Iterator[Step]:
    """The steps for recurring episodes: new memories, or more sources of those that tell them.

    What names somebody tells only episodes that do so, too.
    """
    fresh = [m for m in cluster.members if m.told is None]
    tellers = Counter(m.told for m in cluster.members if m.told is not None)
    for number in sorted(tellers, key=lambda n: (-tellers[n], n)):
        into = known.by_id.get(number)
        named = None if into is None else specifics(into.content)
        some = [] if named is None else [m for m in fresh if named <= specifics(m.content)]
        if into is not None and some:
            yield sourced(cluster, some, into, into.content)
            fresh = [m for m in fresh if m not in some]
    if tellers and not recurs(fresh):
        return
    cluster = cluster._replace(members=fresh)
    for part, sentence in told(cluster):
        into = known.by_fact.get(fact_key(part.members[0], sentence.text))
        content = sentence.text if into is None else into.content
        yield sourced(part, part.members, into, content)


def sourced(cluster: Cluster, members: list[Memory], into: Memory | None, content: str) -> Step:
    """The step that makes members of a cluster sources."""
    days = len({m.created_at[:10] for m in cluster.members})
    reason = (
        f"one of {len(cluster.members)} episodes on {days} days, "
        f"{cluster.members[0].created_at[:10]} to {cluster.members[-1].created_at[:10]}"
    )
    parts = [
        Part(m, cluster.similarity, reason, *place(m, cluster.centroid))
        for m in sorted(members, key=lambda m: m.memory_id)
    ]
    return Step("distil", into, content, parts)
