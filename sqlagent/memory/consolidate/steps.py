"""What consolidating an agent would do, step by step: from its memories alone, nothing written."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent import clock
from sqlagent.errors import DataError
from sqlagent.memory.consolidate import rows
from sqlagent.memory.consolidate.episodes import Cluster, clusters
from sqlagent.memory.consolidate.extract import extract, place
from sqlagent.memory.consolidate.merges import Merge, merges
from sqlagent.memory.consolidate.rows import Memory
from sqlagent.memory.consolidate.texts import said

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle


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
        steps += (s for c in clusters(left) for s in distilling(c, known))
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


def distilling(cluster: Cluster, known: Known) -> Iterator[Step]:
    """The step for recurring episodes: a new memory, or more sources of the one that tells them."""
    fresh = [m for m in cluster.members if m.told is None]
    told = Counter(m.told for m in cluster.members if m.told is not None)
    if not fresh:
        return
    into, content = None, ""
    if told:
        number = max(told, key=lambda n: (told[n], -n))
        into = known.by_id.get(number)
        if into is None:
            return
        content = into.content
    else:
        sentence = extract(cluster)
        if sentence is None:
            return
        content = sentence.text
        into = known.by_fact.get(fact_key(cluster.members[0], content))
        if into is not None:
            content = into.content
    days = len({m.created_at[:10] for m in cluster.members})
    reason = (
        f"one of {len(cluster.members)} episodes on {days} days, "
        f"{cluster.members[0].created_at[:10]} to {cluster.members[-1].created_at[:10]}"
    )
    parts = [
        Part(m, cluster.similarity, reason, *place(m, cluster.centroid))
        for m in sorted(fresh, key=lambda m: m.memory_id)
    ]
    yield Step("distil", into, content, parts)
