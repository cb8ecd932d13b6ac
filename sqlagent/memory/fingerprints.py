"""Finding a memory by what it says: hashes of the folded text, and bands of its near-duplicates.

Whoever inserts a memory leaves a row of `memory_fingerprints` at level 0; `fill` brings rows of an
agent to level 1 (`fold`) or 2 (the bands too). A hash proposes rows and the texts decide, so 32
bits are enough and a collision does no harm.

A band hashes what near-duplicates must share (their numbers, times and negations) with two minima
of eight permutations of the units. Of texts that share the part s of their units, one of the four
bands is equal with probability 1 - (1 - s²)⁴: 0.99 where one word in eight is more.
Source: Broder (1997), and the banding of Leskovec et al., "Mining of Massive Datasets", 3.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from sqlagent.memory.duplicates import Reading, fold, folded_equal, read, same_read

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

FILL = 32  # rows that one remember() fills at most: a millisecond
FILL_BANDS = 16
BATCH = 2000  # rows that CALL sync() fills in one transaction
PROPOSED = 64  # rows that a hash may propose

# `= +?`: for a bare variable, SQLite (with STAT4) prepares a join anew at each run, to see whether
# the bound value makes another plan better: 17 µs in place of 2.
OPEN = """
SELECT f.memory_id, m.content
FROM memory_fingerprints f CROSS JOIN memories m ON m.memory_id = f.memory_id
WHERE f.agent_id = +? AND f.level = {level} ORDER BY f.memory_id DESC LIMIT ?
"""
OPEN_AT = (OPEN.format(level=0), OPEN.format(level=1))  # each has an index of its own
AGENTS = "SELECT DISTINCT agent_id FROM memory_fingerprints WHERE level = {level} LIMIT 64"
AGENTS_AT = (AGENTS.format(level=0), AGENTS.format(level=1))
FOLD = "UPDATE memory_fingerprints SET level = 1, fold = ? WHERE memory_id = ?"
BANDS = """
UPDATE memory_fingerprints SET level = 2, fold = ?, band_1 = ?, band_2 = ?, band_3 = ?, band_4 = ?
WHERE memory_id = ?
"""
# What a repeat agrees in, of a memory that holds: the fields of Said by their places.
LIVE = """
  m.agent_id = +?1 AND m.kind = +?3 AND m.user_id IS +?4 AND m.speaker IS +?5
  AND m.session_id IS +?6
  AND m.archived_at IS NULL AND m.superseded_by IS NULL AND m.valid_to IS NULL
  AND (m.expires_at IS NULL OR m.expires_at > +?7)
"""
# A NULL says that rows of the agent are still to be filled. The order is the index's, by memory_id.
BY_FOLD = f"""
SELECT * FROM (SELECT m.memory_id, m.content
  FROM memory_fingerprints f CROSS JOIN memories m ON m.memory_id = f.memory_id
  WHERE f.fold = +?8 AND {LIVE} LIMIT {PROPOSED})
UNION ALL SELECT NULL, NULL WHERE EXISTS (
  SELECT 1 FROM memory_fingerprints WHERE agent_id = +?1 AND level = 0)
"""
_BAND = "SELECT memory_id FROM memory_fingerprints WHERE band_{0} = +?{1}"
BY_BAND = f"""
SELECT m.memory_id, m.content FROM memories m
WHERE m.memory_id IN ({" UNION ".join(_BAND.format(n, 7 + n) for n in range(1, 5))})
  AND {LIVE.replace("m.agent_id", "+m.agent_id", 1)} LIMIT {PROPOSED}
"""
# An exact repeat among memories that are not filled yet.
EXACT = f"""
SELECT m.memory_id FROM memories m
WHERE length(m.content) = length(+?2) AND substr(m.content, 1, 24) = substr(+?2, 1, 24)
  AND substr(m.content, -24) = substr(+?2, -24) AND m.content = +?2 AND {LIVE}
ORDER BY m.memory_id LIMIT 1
"""
_PERMUTATIONS = (
    (0x9E3779B1, 0x85EBCA6B), (0xC2B2AE35, 0x27D4EB2F), (0x165667B1, 0xD3A2646C),
    (0xFD7046C5, 0xB55A4F09), (0x8DA6B343, 0xD8163841), (0xCB1AB31F, 0x2C1B3C6D),
    (0x297A2D39, 0x7FEB352D), (0x846CA68B, 0x68E31DA4),
)  # fmt: skip


class Said(NamedTuple):
    """Who said what: a repeat agrees in all of it."""

    agent: str
    content: str
    kind: str
    user: str | None
    speaker: str | None
    session: str | None
    now: str


def fold_hash(agent: str, content: str, folded: str) -> int:
    """The hash of an agent's folded text; of the text itself where nothing is left of it."""
    return crc32((folded or content).encode(errors="surrogatepass"), crc32(agent.encode()))


def bands(agent: str, reading: Reading) -> tuple[int, ...] | tuple[None, ...]:
    """Four hashes, one of which near-duplicates are likely to share; None for a text of fillers."""
    if not reading.units:
        return (None,) * 4
    seed = crc32(" ".join((agent, *reading.hard)).encode(errors="surrogatepass"))
    hashes = [crc32(unit.encode(errors="surrogatepass")) for unit in set(reading.units)]
    low = [min([(h * a + b) & 0xFFFFFFFF for h in hashes]) for a, b in _PERMUTATIONS]
    return tuple(
        crc32(b"%d %d %d" % (at, low[at], low[at + 1]), seed) for at in range(0, len(low), 2)
    )


def note(handle: Handle, agent: str, memory_id: int, content: str, near: bool) -> None:
    """Fill the fingerprint of one memory."""
    handle.execute(*_filled(agent, memory_id, content, near))


def _filled(agent: str, memory_id: int, content: str, near: bool) -> tuple[str, tuple[Any, ...]]:
    if not near:
        return FOLD, (fold_hash(agent, content, fold(content)), memory_id)
    reading = read(content)
    hashed = fold_hash(agent, content, reading.fold)
    return BANDS, (hashed, *bands(agent, reading), memory_id)


def fill(handle: Handle, agent: str, near: bool, most: int) -> int:
    """Fill rows of an agent that are not yet, the newest first, `most` so many; how many were."""
    count = 0
    for level in (0, 1) if near else (0,):
        rows = handle.execute(OPEN_AT[level], (agent, most - count)).fetchall()
        for memory_id, content in rows:
            note(handle, agent, memory_id, content, near)
        count += len(rows)
        if count >= most:
            break
    return count


def folded(handle: Handle, said: Said, hashed: int) -> tuple[int | None, bool]:
    """The memory that says it already, but for case, punctuation and spacing, the exact one first;
    and whether rows of the agent are still to be filled."""
    found, behind = None, False
    for memory_id, content in handle.execute(BY_FOLD, (*said, hashed)).fetchall():
        if memory_id is None:
            behind = True
        elif content == said.content:
            return int(memory_id), behind
        elif found is None and folded_equal(content, said.content):
            found = int(memory_id)
    return found, behind


def exact(handle: Handle, said: Said) -> int | None:
    """The memory that says it already, letter by letter, filled or not."""
    row = handle.execute(EXACT, said).fetchone()
    return None if row is None else int(row[0])


def near(handle: Handle, said: Said, reading: Reading) -> int | None:
    """The memory that nearly says it, and differs in nothing that counts: the likest."""
    found = bands(said.agent, reading)
    if found[0] is None:
        return None
    best: tuple[float, int] | None = None
    for memory_id, content in handle.execute(BY_BAND, (*said, *found)).fetchall():
        other = read(content)
        if same_read(reading, other):
            shared = len(reading.features & other.features)
            score = (shared / max(1, len(reading.features | other.features)), -memory_id)
            best = score if best is None else max(best, score)
    return None if best is None else -best[1]


def fill_open(handle: Handle, near: bool) -> int:
    """Fill a batch of the rows that are not filled yet, whosever they are; how many were."""
    left = BATCH
    for level in (0, 1) if near else (0,):
        for (agent,) in handle.execute(AGENTS_AT[level]).fetchall():
            left -= fill(handle, agent, near, left)
            if left <= 0:
                return BATCH
    return BATCH - left
