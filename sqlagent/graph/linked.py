"""What the graph ties to a few memories or chunks: by a link, or by an entity that both tell of.

Activation spreads from the seeds (J. Anderson, A spreading activation theory of memory, 1983): each
hop halves it, and an entity of n relations passes on 1 / sqrt(n) of it, so that what everything
tells of ties little together. Each of what is reached has the strongest of its ways, in [0, 1].

A relation is known to an agent where it rests on a memory of that agent, or where somebody stated
it: a way never leads over what another agent remembers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

HOPS: Final = 2
FADES: Final = 0.5  # what a hop leaves
DEGREE_MAX: Final = 64  # relations of an entity on either side; one with more ties nothing together
ENTITIES_MAX: Final = 24  # that are walked on from at each hop: the most active ones
SEED_RELATIONS_MAX: Final = 100
LINKS_MAX: Final = 50

# What rests on the seeds. The ids are given to the index by CROSS JOIN.
TOLD = """
SELECT s.{column}, r.relation_id, r.subject_id, r.object_id, r.weight
FROM json_each(:ids) j CROSS JOIN relation_sources s ON s.{column} = j.value
CROSS JOIN relations r ON r.relation_id = s.relation_id
WHERE (r.valid_from IS NULL OR r.valid_from <= :at) AND (r.valid_to IS NULL OR r.valid_to > :at)
LIMIT :most
"""
TOUCHING = """
SELECT relation_id, subject_id, object_id, weight FROM relations WHERE {end} = :id
  AND (valid_from IS NULL OR valid_from <= :at) AND (valid_to IS NULL OR valid_to > :at)
LIMIT :most
"""
RESTING = """
SELECT s.relation_id, s.memory_id, s.chunk_id, m.agent_id
FROM json_each(?) j CROSS JOIN relation_sources s ON s.relation_id = j.value
LEFT JOIN memories m ON m.memory_id = s.memory_id
"""
LINKS = """
SELECT l.memory_id, l.related_id, l.relation, l.weight, true
FROM json_each(?1) j CROSS JOIN memory_links l ON l.memory_id = j.value
UNION ALL
SELECT l.related_id, l.memory_id, l.relation, l.weight, false
FROM json_each(?1) j CROSS JOIN memory_links l ON l.related_id = j.value
LIMIT ?2
"""
NAMED = """
SELECT r.relation_id, a.name, r.predicate, b.name
FROM json_each(?) j CROSS JOIN relations r ON r.relation_id = j.value
JOIN entities a ON a.entity_id = r.subject_id JOIN entities b ON b.entity_id = r.object_id
"""


class Seed(NamedTuple):
    """Where a walk begins: a memory or a chunk, and how active it is, 0..1."""

    id: int
    share: float


class Way(NamedTuple):
    """How one thing is reached: from which seed, over which relations or by which link."""

    value: float
    seed: int
    relations: tuple[int, ...] = ()
    link: str = ""  # what a link between memories says
    forwards: bool = True


class Active(NamedTuple):
    """An entity that is reached: how strongly, and over what."""

    value: float
    seed: int
    relations: tuple[int, ...]


def linked(
    handle: Handle, seeds: Sequence[Seed], at: str, agent_id: str | None = None
) -> dict[int, Way]:
    """What is tied to the seeds, by its id: memories of an agent, or chunks where none is named.

    `at` is when the relations have to be true. The seeds are among what is reached, by others.
    """
    found: dict[int, Way] = {}
    if agent_id is not None:
        by_links(handle, seeds, found)
    by_entities(handle, seeds, at, agent_id, found)
    return found


def by_links(handle: Handle, seeds: Sequence[Seed], found: dict[int, Way]) -> None:
    """Over links between memories, which count from both of their ends."""
    shares = {seed.id: seed.share for seed in seeds}
    rows = handle.execute(LINKS, (json.dumps(list(shares)), LINKS_MAX)).fetchall()
    for seed, other, relation, weight, forwards in rows:
        value = FADES * shares[seed] * bounded(weight)
        keep(found, other, Way(value, seed, (), relation, bool(forwards)))


def by_entities(
    handle: Handle, seeds: Sequence[Seed], at: str, agent_id: str | None, found: dict[int, Way]
) -> None:
    """Over the entities that the seeds tell of, and those that these are tied to."""
    column = "chunk_id" if agent_id is None else "memory_id"
    shares = {seed.id: seed.share for seed in seeds}
    named = {"ids": json.dumps(list(shares)), "at": at, "most": SEED_RELATIONS_MAX}
    active: dict[int, Active] = {}
    for seed, relation, subject, object, weight in handle.execute(
        TOLD.format(column=column), named
    ):
        value = shares[seed] * bounded(weight)
        for entity in (subject, object):
            raise_to(active, entity, Active(value, seed, (relation,)))
    walked: set[int] = set()
    for hop in range(1, HOPS + 1):
        edge = sorted(
            ((e, a) for e, a in active.items() if e not in walked and a.value > 0),
            key=lambda pair: (-pair[1].value, pair[0]),
        )[:ENTITIES_MAX]
        if not edge:
            return
        walked.update(entity for entity, _ in edge)
        touching = {entity: steps(handle, entity, at) for entity, _ in edge}
        every = {row[0] for rows in touching.values() for row in rows}
        resting = sources(handle, every, agent_id)
        for entity, here in edge:
            rows = [row for row in touching[entity] if row[0] in resting]
            spread = FADES * here.value / math.sqrt(max(1, len(rows)))
            for relation, subject, object, weight in rows:
                value = spread * bounded(weight)
                way = here.relations
                if relation not in way:
                    way = (*way, relation)
                for one in resting[relation]:
                    if one != here.seed:
                        keep(found, one, Way(value, here.seed, way))
                if hop < HOPS:
                    other = object if subject == entity else subject
                    raise_to(active, other, Active(value, here.seed, way))


def steps(handle: Handle, entity: int, at: str) -> list[tuple[int, int, int, float]]:
    """The relations of an entity; none of one that has too many."""
    found: dict[int, tuple[int, int, int, float]] = {}
    for end in ("subject_id", "object_id"):
        named = {"id": entity, "at": at, "most": DEGREE_MAX + 1}
        rows = handle.execute(TOUCHING.format(end=end), named).fetchall()
        if len(rows) > DEGREE_MAX:
            return []
        found.update((row[0], row) for row in rows)
    return list(found.values())


def sources(handle: Handle, relations: Iterable[int], agent_id: str | None) -> dict[int, list[int]]:
    """The memories or chunks that each relation rests on; none that only others know is there."""
    listed = list(relations)
    found: dict[int, list[int]] = {}
    resting: dict[int, list[Any]] = {relation: [] for relation in listed}
    for relation, *row in handle.execute(RESTING, (json.dumps(listed),)):
        resting[relation].append(row)
    for relation, rows in resting.items():
        if agent_id is None:
            ids = [chunk for _, chunk, _ in rows if chunk is not None]
        else:
            ids = [memory for memory, _, whose in rows if memory is not None and whose == agent_id]
        stated = not rows or any(memory is None and chunk is None for memory, chunk, _ in rows)
        if ids or stated or (agent_id is not None and any(chunk for _, chunk, _ in rows)):
            found[relation] = ids
    return found


def bounded(weight: float) -> float:
    """A weight as a share: what weighs more than 1 ties no more than all."""
    return min(1.0, max(0.0, weight))


def keep(found: dict[int, Way], one: int, way: Way) -> None:
    """The stronger of two ways, of equals the shorter one."""
    known = found.get(one)
    if way.value > 0 and (
        known is None
        or (way.value, -len(way.relations), -way.seed)
        > (known.value, -len(known.relations), -known.seed)
    ):
        found[one] = way


def raise_to(active: dict[int, Active], entity: int, reached: Active) -> None:
    """The stronger of two activations."""
    known = active.get(entity)
    if known is None or reached.value > known.value:
        active[entity] = reached


def told(handle: Handle, ways: dict[int, Way], what: str) -> dict[int, str]:
    """Each way in words: "Ann —works_at→ Acme, Acme —located_in→ Porto, from memory 12"."""
    relations = {relation for way in ways.values() for relation in way.relations}
    names = {
        row[0]: f"{row[1]} —{row[2]}→ {row[3]}"
        for row in handle.execute(NAMED, (json.dumps(list(relations)),))
    }
    said = {}
    for one, way in ways.items():
        if way.link:
            arrow = f"—{way.link}→ it" if way.forwards else f"it —{way.link}→"
            link = f"{what} {way.seed} {arrow}" if way.forwards else f"{arrow} {what} {way.seed}"
            said[one] = f"a link: {link}"
        else:
            path = ", ".join(names.get(r, f"relation {r}") for r in way.relations)
            said[one] = f"{path}; from {what} {way.seed}"
    return said
