"""Guards on the way in: what `recall` gave comes back, and what should not be kept is noted.

What recall returned to an agent is known in the process that ran it, for `recall_loop_minutes`. A
text is a loop where it is one of those, folded, or is made of them and of words that only introduce
them ("I remember that …"). Whoever is named as speaker in a session, and is no assistant, says it
anew, so that is none. A loop in another process is known where the text says so: source 'recall'.
"""

from __future__ import annotations

import re
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.memory import guard_words as known

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database, Handle
    from sqlagent.memory.fingerprints import Said

SERVICE = "returned"
RETURNED_MAX = 256  # ids that are known of an agent
AGENTS_MAX = 1024
QUOTED_MIN = 8  # characters of a folded text that is looked for within another
ASSISTANTS = frozenset(
    ("assistant", "agent", "ai", "bot", "model", "system", "tool", "memory", "recall")
)
EVENT = """
INSERT INTO memory_guards (agent_id, memory_id, guard, reason, first_at, at)
VALUES (?1, ?2, ?3, ?4, ?5, ?5)
ON CONFLICT (memory_id, guard) DO UPDATE SET count = count + 1, at = excluded.at
"""
# Words that introduce what is remembered, and say nothing themselves; folded.
_INTRODUCES = (
    r"\b(?:i|you|we|he|she|they|user|assistant|agent|me|my|the|a|that|this|it|as|of|to|and|also|is|are"
    r"|was|were|in|on|from|by|about|with|for|now|again|so|ok|yes|here|what|which|well"
    r"|remember(?:ed|s|ing)?|recall(?:ed|s|ing)?|know|knew|said|says|say|told|mentioned|stated|noted"
    r"|note|memory|memories|reminder|remind|according|based|earlier|before|previously|previous"
    r"|conversation|context|fact|facts|have|has|had|stored|learned|learnt|aware|following|relevant"
    r"|retrieved|id|score|#|\d+)\b"
    r"|我|你|他|她|它|用户|助手|的|了|是|说|说过|记得|记住|想起|回忆|记忆|根据|之前|以前|提到|提过|知道|曾|过"
    r"|以下|如下|相关|内容|信息|还|也|和|与|并|且|覚えて|思い出|います|ました|記憶|こと|と|を|は|が|の"
)

_HERE = "\0"
_SAID = re.compile(r"\b(?:said|told|mentioned|remember|recall|noted|stated)|说|记得|提到").search


class Known(NamedTuple):
    """What recall returned to an agent, as it is looked for: until when that holds, the folded
    texts by memory_id, and how each begins."""

    adds: int
    oldest: float
    folds: dict[int, str]
    starts: frozenset[str]


class Returned:
    """What recall returned lately: of each agent, ids with the time, and their folded texts once
    somebody remembers something."""

    def __init__(self) -> None:
        self.ids: dict[str, deque[tuple[float, tuple[int, ...]]]] = {}
        self.known: dict[str, Known] = {}
        self.adds = 0

    def close(self) -> None:
        """Forget all, with the database."""
        self.ids.clear()
        self.known.clear()

    def add(self, agent: str, ids: tuple[int, ...]) -> None:
        returned = self.ids.get(agent)
        if returned is None:
            if len(self.ids) >= AGENTS_MAX:  # the one that was added first
                oldest = next(iter(self.ids))
                self.ids.pop(oldest, None)
                self.known.pop(oldest, None)
            returned = self.ids[agent] = deque(maxlen=RETURNED_MAX // 4)
        returned.append((time.monotonic(), ids[:RETURNED_MAX]))
        self.adds += 1

    def recent(self, handle: Handle, agent: str, minutes: float) -> Known:
        """The texts of what recall returned in the last `minutes`."""
        since = time.monotonic() - 60 * minutes
        known = self.known.get(agent)
        if known is None or known.adds != self.adds or known.oldest < since:
            known = self.known[agent] = self._read(handle, agent, since, known)
        return known

    def _read(self, handle: Handle, agent: str, since: float, known: Known | None) -> Known:
        from sqlagent.memory.duplicates import fold  # recall, which imports this, needs it not

        wanted: dict[int, None] = {}
        adds, oldest = self.adds, float("inf")
        for at, ids in reversed(tuple(self.ids.get(agent, ()))):
            if at < since or len(wanted) >= RETURNED_MAX:
                break
            oldest = at
            wanted.update(dict.fromkeys(ids))
        folds = {} if known is None else {i: t for i, t in known.folds.items() if i in wanted}
        missing = [i for i in wanted if i not in folds]
        rows = handle.execute(
            "SELECT memory_id, content FROM memories WHERE +agent_id = ?2 "
            "AND memory_id IN (SELECT value FROM json_each(?1))",
            ("[" + ",".join(map(str, missing)) + "]", agent),
        )
        folds |= {memory_id: fold(content) for memory_id, content in rows}
        return Known(adds, oldest, folds, frozenset(t[:QUOTED_MIN] for t in folds.values()))


def returned(database: Database, agent_id: str, ids: Any) -> None:
    """Note what recall gave to an agent: memory_ids, best first; some microseconds."""
    if not ids:
        return
    service = database.services.get(SERVICE)
    if service is None:
        service = database.services.setdefault(SERVICE, Returned())
    service.add(agent_id, tuple(ids))


def loop(database: Database, handle: Handle, said: Said, folded: str, minutes: float) -> int | None:
    """The memory a text comes from, where recall returned it lately and nobody says it anew."""
    service = database.services.get(SERVICE)
    if service is None or said.agent not in service.ids or not folded:
        return None
    speaks = said.speaker is not None and said.speaker.casefold() not in ASSISTANTS
    if speaks and said.speaker != said.agent and said.session is not None:
        return None
    return _source(service.recent(handle, said.agent, minutes), said, folded, handle)


def _source(known: Known, said: Said, folded: str, handle: Handle) -> int | None:
    starts = {folded[at : at + QUOTED_MIN] for at in range(max(1, len(folded) - QUOTED_MIN + 1))}
    if known.starts.isdisjoint(starts):
        return None  # nothing that was returned stands in it
    from sqlagent.memory.duplicates import fold, folded_equal

    rest, first = folded, None
    for memory_id, text in known.folds.items():
        found = _stands(rest, text) if len(text) >= QUOTED_MIN and text != folded else -1
        if text == folded or found >= 0:
            content = handle.execute(
                "SELECT content FROM memories WHERE memory_id = ?", (memory_id,)
            ).fetchone()
            if content is None or fold(content[0]) != text:
                continue  # deleted or rewritten since recall gave it
            if text != folded:
                rest = rest[:found] + _HERE + rest[found + len(text) :]
                first = first or memory_id
            elif content[0] == said.content or folded_equal(content[0], said.content):
                return memory_id
    if first is None:
        return None
    *before, after = rest.split(_HERE)
    # What follows may say whose words they were; a word alone ("again") says something new.
    if re.sub(_INTRODUCES, "", after).strip(" ?") or (after.strip(" ?") and not _SAID(after)):
        return None
    return None if re.sub(_INTRODUCES, "", " ".join(before)).strip(" ?") else first


def _stands(rest: str, text: str) -> int:
    """Where a folded text stands within another as words of its own; -1 where it does not."""
    at = rest.find(text)
    while at >= 0:
        end = at + len(text)
        if _apart(rest[at - 1 : at], text[0]) and _apart(text[-1], rest[end : end + 1]):
            return at
        at = rest.find(text, at + 1)
    return -1


def _apart(one: str, other: str) -> bool:
    """Whether a word ends between two characters: there is a space, an end, or no spaces at all."""
    return one in ("", " ", _HERE) or other in ("", " ", _HERE) or max(one, other) >= "\u2e80"


def marked(handle: Handle, said: Said, hashed: int) -> int | None:
    """The live memory of the agent, by whomever and wherever, that a text marked as recalled is."""
    from sqlagent.memory.duplicates import folded_equal

    for memory_id, content in handle.execute(
        "SELECT m.memory_id, m.content FROM memory_fingerprints f CROSS JOIN memories m "
        "ON m.memory_id = f.memory_id WHERE f.fold = ? AND m.agent_id = ? "
        "AND m.archived_at IS NULL AND m.superseded_by IS NULL ORDER BY m.memory_id LIMIT 64",
        (hashed, said.agent),
    ):
        if content == said.content or folded_equal(content, said.content):
            return int(memory_id)
    return None


def suspicions(content: str, folded: str) -> list[tuple[str, str]]:
    """What a text should perhaps not hold: ('secret' or 'injection', its kind)."""
    words = folded.split()
    east = not content.isascii()
    long = max(map(len, content.split()), default=0) >= known.LONG_WORD
    found = []
    if long or east or not known.SECRETS.isdisjoint(words) or known.LONG_NUMBER.search(content):
        from sqlagent.memory import secrets

        kinds = {finding.kind for finding in secrets.find(content)}
        if kinds:
            found.append(("secret", ", ".join(sorted(kinds))))
    if long or east or "<" in content or not known.INJECTIONS.isdisjoint(words):
        from sqlagent.memory import injections

        kind = injections.find(content)
        if kind is not None:
            found.append(("injection", kind))
    return found


def count(
    handle: Handle, agent_id: str, memory_id: int, guard: str, now: str, reason: str | None = None
) -> None:
    """Count an event of a guard: one row a memory and guard."""
    handle.execute(EVENT, (agent_id, memory_id, guard, reason, now))
