"""Near-duplicates: memories that say the same, and the one of them that stays.

Two texts say the same where their words that count are the same in the same order (or a piece of
the sentence moved from its end to its beginning), or where one has all the words of the other, in
order, and few more: none that turns a meaning (`texts.TURNS`), no number, no name. A word that is
replaced by another one is another fact ("the blue drawer", "the red drawer"), however alike the
texts or their vectors are; and "I swam this morning" is another one each day.

Cost: a look-up for each text, and, for what one text has more than another, a pass with a bit mask
over the texts that share its rarest word: 10,000 memories in 0.6 s of CPU, 100,000 in 8.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlagent.memory import duplicates
from sqlagent.memory.consolidate.rows import Memory
from sqlagent.memory.consolidate.texts import WORDS_MAX, Said, deictic, said, turns

SAME_WORDS: Final = 0.99  # they differ in words that change no fact
MOVED: Final = 0.97  # and in their order
MOVED_WORDS: Final = 4, 40  # how many words a text has whose pieces may have moved
_BITS: Final = 64


class Merge(NamedTuple):
    """`gone` goes into `stays`; both say the same to this degree, 0..1."""

    gone: Memory
    stays: Memory
    similarity: float


class Group(NamedTuple):
    """Memories with the same words, the one that stays first."""

    said: Said
    members: list[Memory]


def merges(memories: Iterable[Memory], similarity: float) -> list[Merge]:
    """What goes into what, by the memory that stays; no memory goes into one that goes."""
    groups: dict[tuple[Any, ...], dict[tuple[object, ...], Group]] = defaultdict(dict)
    for memory in memories:
        text = said(memory.content)
        form = (text.read.fold,) if similarity == 1.0 else text.form
        day = memory.created_at[:10] if deictic(memory.content) else None
        group = groups[*memory.key, day].setdefault(form, Group(text, []))
        group.members.append(memory)
    found: list[Merge] = []
    for same in groups.values():
        heads = [headed(group) for group in same.values()]
        if similarity <= MOVED:
            heads = moved(heads)
        found += wider(heads, similarity) if similarity < MOVED else within(heads)
    found.sort(key=lambda m: (m.stays.memory_id, m.gone.memory_id))
    return found


def headed(group: Group) -> Group:
    """A group whose first memory is the one that stays, and is compared with others."""
    if len(group.members) == 1:
        return group
    members = sorted(group.members, key=rank, reverse=True)
    return Group(said(members[0].content), members)


def rank(memory: Memory) -> tuple[Any, ...]:
    """Which of several stays: one that must, the clearest, the most used, the newest."""
    return (
        memory.stays, clear(memory.content), memory.access_count, memory.importance,
        memory.created_at, memory.memory_id,
    )  # fmt: skip


def clear(text: str) -> tuple[bool, bool, int]:
    """How clean a text is: written with a capital, ended by a mark, no spaces to spare."""
    stripped = text.strip()
    begins = not stripped[:1].islower() and not (len(stripped) > 3 and stripped.isupper())
    return begins, stripped[-1:] in ".!?。！？", -len(text)


def moved(heads: list[Group]) -> list[Group]:
    """Groups whose words are the same in a circle are one: "I swim on Sundays", "on Sundays I
    swim"."""
    low, high = MOVED_WORDS
    out: dict[tuple[str, ...], Group] = {}
    alone: list[Group] = []
    for group in heads:
        hard = group.said.hard
        if not low <= len(hard) <= high:
            alone.append(group)
            continue
        circle = min(hard[i:] + hard[:i] for i in range(len(hard)))
        known = out.setdefault(circle, group)
        if known is group:
            continue
        if duplicates.apart(known.said.read, group.said.read):
            alone.append(group)
            continue
        first, second = sorted((known, group), key=lambda g: rank(g.members[0]), reverse=True)
        out[circle] = Group(first.said, first.members + second.members)
    return [*out.values(), *alone]


def within(heads: Iterable[Group]) -> list[Merge]:
    """Each group into its first memory."""
    return [m for group in heads for m in into(group, group.members[0], 1.0)]


def into(group: Group, stays: Memory, share: float) -> list[Merge]:
    """The members of a group that go into a memory whose words theirs are this share of."""
    kept = said(stays.content)
    out = []
    for memory in group.members:
        if memory is stays or memory.stays:
            continue
        text = said(memory.content)
        same = MOVED if text.hard != kept.hard and share == 1.0 else SAME_WORDS
        if duplicates.apart(text.read, kept.read):
            continue
        degree = 1.0 if text.read.fold == kept.read.fold else same * share
        out.append(Merge(memory, stays, round(degree, 4)))
    return out


def wider(heads: list[Group], similarity: float) -> list[Merge]:
    """Each group into the best one that has all its words and few more, else into its first.

    The longest are first, so that what goes into another one is known before anything could go
    into it: consolidating again finds nothing.
    """
    holds = containing(heads, similarity)
    gone: set[int] = set()
    out: list[Merge] = []
    for number in sorted(range(len(heads)), key=lambda n: -len(heads[n].said.hard)):
        group = heads[number]
        best = max(
            (o for o in holds.get(number, ()) if o not in gone),
            key=lambda o: (-len(heads[o].said.hard), rank(heads[o].members[0])),
            default=None,
        )
        if best is None or all(m.stays for m in group.members):
            out += into(group, group.members[0], 1.0)
            continue
        out += into(
            group, heads[best].members[0], len(group.said.hard) / len(heads[best].said.hard)
        )
        gone.add(number)
    return out


def containing(heads: list[Group], similarity: float) -> dict[int, list[int]]:
    """For each group the others that have all its words in order, and few more: `similarity` is the
    least share of the longer one's words."""
    import numpy as np

    hard = [g.said.hard for g in heads]
    often: dict[str, int] = defaultdict(int)
    for text in hard:
        for word in set(text):
            often[word] += 1
    order = sorted(range(len(hard)), key=lambda n: len(hard[n]))
    mask = np.zeros(len(hard), np.uint64)
    length = np.array([len(t) for t in hard], np.int64)
    for number, text in enumerate(hard):
        bits = 0
        for word in text:
            bits |= 1 << (hash(word) % _BITS)
        mask[number] = bits
    postings: dict[str, list[int]] = defaultdict(list)
    for number in order:
        for word in set(hard[number]):
            postings[word].append(number)
    arrays: dict[str, Any] = {}
    found: dict[int, list[int]] = {}
    for number in order:
        text = hard[number]
        size = len(text)
        most = int(size * SAME_WORDS / similarity + 1e-9)
        if most <= size or size < 2 or size > WORDS_MAX:
            continue
        word = min(text, key=lambda w: (often[w], w))
        if often[word] < 2:
            continue
        rows = arrays.get(word)
        if rows is None:
            rows = arrays[word] = np.array(postings[word], np.int64)
        low, high = np.searchsorted(length[rows], (size + 1, most + 1))
        near = rows[low:high]
        near = near[(mask[number] & ~mask[near]) == 0]
        held = [int(n) for n in near if says(heads[n].said, heads[number].said)]
        if held:
            found[number] = held
    return found


def says(long: Said, short: Said) -> bool:
    """Whether a text says what a shorter one does: its words in order, more that turn nothing."""
    more = extra(long.hard, short.hard)
    if more is None or any(map(turns, more)):
        return False
    return not duplicates.apart(long.read, short.read)


def extra(long: Sequence[str], short: Sequence[str]) -> list[str] | None:
    """The words that a text has besides another one's, which it holds in order; None where not."""
    out: list[str] = []
    at = 0
    for word in long:
        if at < len(short) and word == short[at]:
            at += 1
        else:
            out.append(word)
    return out if at == len(short) else None
