"""What an agent's memory looks like from outside: how much of it is live, repeated, unused, or
should perhaps not be there. Linear in the agent's memories, but for what nearly repeats, which is
looked for among the few that share a band.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from sqlagent.memory.duplicates import Reading, fold, folded_equal, read, same_read
from sqlagent.memory.fingerprints import bands
from sqlagent.memory.guards import suspicions

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

EXAMPLES = 5
OVERSIZED = 4000  # characters: far more than a vector is made of
COMPARED = 64  # earlier memories of a band that one is compared with
READ = 2048  # texts that are kept as they were read

ALL = """
SELECT m.memory_id, m.content, m.access_count = 0 AND m.last_access_at IS NULL,
  CASE WHEN m.archived_at IS NOT NULL THEN 'archived' WHEN m.superseded_by IS NOT NULL
      THEN 'superseded' WHEN m.expires_at <= :now THEN 'expired'
    WHEN m.valid_to <= :now OR coalesce(m.valid_from, m.created_at) > :now THEN 'not_valid'
    ELSE 'live' END,
  EXISTS (SELECT 1 FROM memory_vectors v WHERE v.memory_id = m.memory_id)
FROM memories m WHERE m.agent_id = :agent ORDER BY m.memory_id
"""
# Of a text with CJK that is too long for the trigger, whether its characters stand apart by now.
TEXT = "SELECT content FROM memories_fts WHERE rowid = ?"
TEXTLESS = """
SELECT m.memory_id FROM memories m WHERE m.agent_id = ?
  AND NOT EXISTS (SELECT 1 FROM memories_fts_docsize d WHERE d.id = m.memory_id)
"""
GUARDED = "SELECT memory_id, count FROM memory_guards WHERE agent_id = ? AND guard = ?"
_CJK_PAIR = re.compile("[\u2e80-\U0003ffff]{2}")
_INTRODUCED = re.compile(
    r"^(?:(?:i|you|we|the user|user|he|she|they) )?(?:have )?(?:also )?"
    r"(?:remember(?:ed|s)?|recall(?:ed|s)?|know|said|told me|mentioned|noted|stated"
    r"|according to (?:my |the )?memor(?:y|ies)|from (?:my )?memory)"
    r"(?: earlier| before)?(?: that)? "
    r"|^(?:我|你|用户|助手)?(?:记得|想起|回忆起|说过|提到过?|根据记忆)(?:你|我|用户)?(?:说过?)?"
)


class Measure(NamedTuple):
    """A row of memory_health."""

    measure: str
    found: int
    of: int | None
    detail: str
    ids: list[int]


class Tally:
    """Counts of what was found, and the first memories that it was found in."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.ids: defaultdict[str, list[int]] = defaultdict(list)
        self.kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, what: str, memory_id: int, kinds: str = "") -> None:
        self.counts[what] += 1
        if len(self.ids[what]) < EXAMPLES:
            self.ids[what].append(memory_id)
        for kind in kinds.split(", ") if kinds else ():
            self.kinds[what][kind] += 1

    def measure(self, what: str, of: int | None, detail: str) -> Measure:
        kinds = self.kinds.get(what)
        if kinds:
            detail += ": " + ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items()))
        return Measure(what, self.counts[what], of, detail, self.ids[what])


def health(handle: Handle, agent_id: str, now: str) -> Iterator[Measure]:
    """Every measure of an agent's memories, but for contradictions; nothing of any content."""
    rows = handle.execute(ALL, {"agent": agent_id, "now": now}).fetchall()
    tally, total = Tally(), len(rows)
    live: list[tuple[int, str]] = []
    for memory_id, content, unused, state, vector in rows:
        tally.add(state, memory_id)
        for guard, kinds in suspicions(content, fold(content)):
            tally.add(guard + "s", memory_id, kinds)
        if len(content) > OVERSIZED:
            tally.add("oversized", memory_id)
            if not _spaced(handle, memory_id, content):
                tally.add("without_full_text", memory_id)
        if state == "live":
            live.append((memory_id, content))
            if unused:
                tally.add("never_recalled", memory_id)
            if not vector:
                tally.add("without_vectors", memory_id)
    for (memory_id,) in handle.execute(TEXTLESS, (agent_id,)):
        tally.add("without_full_text", memory_id)
    _repeats(live, tally)
    of = len(live)
    yield Measure("memories", total, None, "all that there are", [])
    yield tally.measure("live", total, "what recall may return now")
    yield tally.measure("archived", total, "forgotten, and can come back")
    yield tally.measure("superseded", total, "replaced by a newer one")
    yield tally.measure("expired", total, "past expires_at")
    yield tally.measure("not_valid", total, "not valid yet, or no longer")
    yield tally.measure("duplicates", of, "say what an earlier one says, but for case and signs")
    yield tally.measure("near_duplicates", of, "nearly say what an earlier one says")
    yield tally.measure("never_recalled", of, "never used since they were made")
    repeats = _guarded(handle, agent_id, "repeat")
    yield Measure("repeats", repeats[0], None, "said again, and strengthened", repeats[1])
    kept, loops = tally.ids["recall_loops"], _guarded(handle, agent_id, "loop")
    detail = (
        f"text of recall that came back: {loops[0]} kept out, {tally.counts['recall_loops']} kept"
    )
    count = loops[0] + tally.counts["recall_loops"]
    yield Measure("recall_loops", count, None, detail, (kept + loops[1])[:EXAMPLES])
    yield tally.measure("secrets", total, "look like secrets")
    yield tally.measure("injections", total, "look like instructions to a model")
    yield tally.measure("without_vectors", of, "found by words alone; CALL sync() embeds them")
    yield tally.measure("without_full_text", total, "not found by words; CALL rebuild('text')")
    yield tally.measure("oversized", total, f"longer than {OVERSIZED} characters")


def _spaced(handle: Handle, memory_id: int, content: str) -> bool:
    """Whether a long text is in the full text as it must be: each CJK character a word."""
    if not _CJK_PAIR.search(content):
        return True
    row = handle.execute(TEXT, (memory_id,)).fetchone()
    return row is None or not _CJK_PAIR.search(row[0])  # where it is none, it is counted already


def _guarded(handle: Handle, agent_id: str, guard: str) -> tuple[int, list[int]]:
    rows = handle.execute(GUARDED, (agent_id, guard)).fetchall()
    return sum(r[1] for r in rows), [r[0] for r in rows[:EXAMPLES]]


def _repeats(live: list[tuple[int, str]], tally: Tally) -> None:
    """Which memories say, or nearly say, what an earlier one says."""
    reading = lru_cache(maxsize=READ)(read)
    texts: dict[str, str] = {}
    banded: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    for memory_id, content in live:
        new = read(content)
        folded = new.fold or content
        earlier = texts.get(folded)
        if earlier is not None and (earlier == content or folded_equal(earlier, content)):
            tally.add("duplicates", memory_id)
            continue
        introduced = _INTRODUCED.match(folded)
        if introduced and folded[introduced.end() :] in texts:
            tally.add("recall_loops", memory_id)
            continue
        texts.setdefault(folded, content)
        mine = [band for band in bands("", new) if band is not None]
        bits = _bits(new)
        # What is the same has no unit in the place of another: one has all units of the other.
        others = dict.fromkeys(
            text for band in mine for has, text in banded[band] if bits & has in (bits, has)
        )
        if any(same_read(new, reading(other)) for other in others):
            tally.add("near_duplicates", memory_id)
            continue  # an earlier one stands for it
        for band in mine:
            if len(banded[band]) < COMPARED:
                banded[band].append((bits, content))


def _bits(reading: Reading) -> int:
    """The units of a text as a set of 256: a superset has all bits of its subsets."""
    bits = 0
    for unit in reading.units:
        bits |= 1 << (crc32(unit.encode(errors="surrogatepass")) & 255)
    return bits


def as_row(measure: Measure) -> tuple[Any, ...]:
    """A measure as memory_health gives it; the share is NULL where there is nothing to share."""
    share = measure.found / measure.of if measure.of else None
    ids = "[" + ", ".join(map(str, measure.ids)) + "]"
    return measure.measure, measure.found, share, measure.detail, ids
