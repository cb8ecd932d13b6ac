"""What happens to a memory that contradicts an older one, by the policies of 'contradiction'.

Of the policies that hold for the new memory the one of the highest priority decides: 'keep' leaves
both, 'supersede' lets the newer one take the older one's place, 'ask' links them until somebody
decides. Nothing runs, and nothing is kept for it, while no enabled policy says other than 'keep'.

`sqlagent_claims` has the hashed keys of every memory that was read, so a new one is compared with
those that share a key. Which memories are still to be read, the change log says, so what any client
wrote is judged by the next remember() or CALL sync(). What was there before the first policy is
only read.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from sqlagent.errors import Error
from sqlagent.memory import truth

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Handle
    from sqlagent.memory.contradictions import Memory, Pair

BATCH = 2000  # so many memories are read by one remember(); CALL sync() goes on to the end
CANDIDATES = 50  # so many memories, the newest, are compared with a new one
CONSUMER = "contradictions"
ASKED_FOR = """
SELECT 1 FROM memory_policies WHERE event = 'contradiction' AND enabled AND action <> 'keep' LIMIT 1
"""
POLICIES = """
SELECT name, action, condition FROM memory_policies
WHERE event = 'contradiction' AND enabled AND (agent_id IS NULL OR agent_id = ?)
  AND (user_id IS NULL OR user_id = ?) AND (kind IS NULL OR kind = ?)
ORDER BY priority DESC, policy_id
"""
# What a condition may speak of.
ROW = """
SELECT m.*, s.age_days, s.decayed_importance, s.activation, s.retention, s.strength
FROM memories m JOIN memory_strength s ON s.memory_id = m.memory_id WHERE m.memory_id = ?
"""
UNREAD = """
SELECT m.memory_id FROM memories m WHERE m.archived_at IS NULL AND m.superseded_by IS NULL
  AND NOT EXISTS (SELECT 1 FROM sqlagent_claims c WHERE c.memory_id = m.memory_id)
ORDER BY m.memory_id DESC LIMIT ?
"""
LOGGED = """
SELECT l.seq, l.pk, l.op FROM sqlagent_change_entries l
WHERE l.seq > ? AND l.tbl = 'memories' ORDER BY l.seq LIMIT ?
"""
ONE = """
SELECT memory_id, content, speaker, user_id, agent_id, kind, pinned,
  created_at >= (SELECT min(created_at) FROM memory_policies
    WHERE event = 'contradiction' AND enabled AND action <> 'keep')
FROM memories WHERE memory_id = ? AND archived_at IS NULL AND superseded_by IS NULL
"""
SHARING = """
SELECT m.memory_id, m.content, m.speaker, m.user_id, m.pinned,
  (coalesce(m.valid_from, m.created_at), m.memory_id)
    > (SELECT coalesce(n.valid_from, n.created_at), n.memory_id FROM memories n
       WHERE n.memory_id = :id)
FROM memories m
WHERE m.memory_id IN (SELECT c.memory_id FROM sqlagent_claims c
    WHERE c.claim_key IN (SELECT value FROM json_each(:keys)) AND c.memory_id <> :id
    ORDER BY c.memory_id DESC LIMIT :most)
  AND m.agent_id = :agent AND m.archived_at IS NULL AND m.superseded_by IS NULL
  AND (m.valid_to IS NULL OR m.valid_to > :now) AND (m.expires_at IS NULL OR m.expires_at > :now)
ORDER BY m.memory_id
"""
DECIDED = """
SELECT 1 FROM memory_links WHERE relation IN ('contradicts', 'compatible')
  AND (memory_id = ?1 AND related_id = ?2 OR memory_id = ?2 AND related_id = ?1)
"""
LINK = """
INSERT INTO memory_links (memory_id, related_id, relation, weight) VALUES (?, ?, 'contradicts', ?)
"""
SEEN = "INSERT OR REPLACE INTO sqlagent_sync (consumer, seq) VALUES (?, ?)"


class New(NamedTuple):
    """The memory that is judged."""

    memory: Memory
    agent_id: str
    kind: str
    pinned: bool


def asked_for(handle: Handle) -> bool:
    """Whether a policy decides other than to keep both."""
    return handle.execute(ASKED_FOR).fetchone() is not None


def on_new(context: Context, memory_id: int) -> int:
    """Judge a memory that was just written, and some that were not judged yet; how many pairs were
    decided."""
    if not asked_for(context.writer):
        return 0
    count, _ = catch_up(context, BATCH, memory_id)
    return count


def catch_up(context: Context, most: int, last: int | None = None) -> tuple[int, int]:
    """Judge what the change log says is new, `last` at last; how many pairs were decided, and how
    many memories read."""
    handle = context.writer
    low, high = handle.execute(
        "SELECT (SELECT min(seq) FROM sqlagent_change_entries),"
        " (SELECT max(seq) FROM sqlagent_change_entries)"
    ).fetchone()
    row = handle.execute("SELECT seq FROM sqlagent_sync WHERE consumer = ?", (CONSUMER,)).fetchone()
    decided, read = 0, 0
    if row is None or row[0] + 1 < (low or 0) or row[0] > (high or 0):
        ids = [r[0] for r in handle.execute(UNREAD, (most,))]
        for memory_id in reversed(ids):
            if memory_id != last:
                decided += _read(context, memory_id, old=row is None)
        read = len(ids)
        if len(ids) < most:
            handle.execute(SEEN, (CONSUMER, high or 0))
    else:
        entries = handle.execute(LOGGED, (row[0], most)).fetchall()
        inserted = {pk for _, pk, op in entries if op == "i"}
        changed = {pk for _, pk, op in entries if op in "iu"}
        for memory_id in sorted(changed - {last}):
            decided += _read(context, memory_id, again=memory_id in inserted)
        read = len(entries)
        if read or high != row[0]:
            handle.execute(SEEN, (CONSUMER, entries[-1][0] if read == most else high))
    if last is not None:
        decided += _read(context, last, again=True)
    return decided, read


def _read(context: Context, memory_id: int, *, old: bool = False, again: bool = False) -> int:
    """Read the claims of a memory, keep their keys, and judge it; how many pairs were decided."""
    from sqlagent.memory.claims import claims  # the rules, with many patterns to compile
    from sqlagent.memory.contradictions import Memory

    handle = context.writer
    row = handle.execute(ONE, (memory_id,)).fetchone()
    if row is None:
        return 0
    known = "SELECT 1 FROM sqlagent_claims WHERE claim_key = 0 AND memory_id = ?"
    if not again and handle.execute(known, (memory_id,)).fetchone():
        return 0
    new = New(Memory(*row[:4]), row[4], row[5], bool(row[6]))
    keys = sorted({_hash(new.agent_id, c.key) for c in claims(*new.memory[1:])})
    handle.execute("DELETE FROM sqlagent_claims WHERE memory_id = ?", (memory_id,))
    handle.executemany(
        "INSERT INTO sqlagent_claims VALUES (?, ?)", [(key, memory_id) for key in (0, *keys)]
    )
    return 0 if not keys or (old and not row[7]) else _judge(context, new, keys)


def _hash(agent_id: str, key: tuple[str, ...]) -> int:
    digest = hashlib.blake2b("\0".join((agent_id, *key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True) or 1


def _judge(context: Context, new: New, keys: list[int]) -> int:
    from sqlagent.memory.contradictions import Memory, pairs

    handle, memory_id = context.writer, new.memory.memory_id
    named = {"keys": "[" + ",".join(map(str, keys)) + "]", "id": memory_id,
             "agent": new.agent_id, "now": context.now(), "most": CANDIDATES}  # fmt: skip
    policy: tuple[str, str] | None = None
    decided = 0
    for row in handle.execute(SHARING, named).fetchall():
        other, is_newer = Memory(*row[:4]), bool(row[5])
        both = [new.memory, other] if is_newer else [other, new.memory]
        pair = next(iter(pairs(both)), None)
        if pair is None or handle.execute(DECIDED, (memory_id, other.memory_id)).fetchone():
            continue
        policy = policy or _policy(context, new)
        if policy is None or policy[1] == "keep":
            return decided
        pinned = new.pinned if is_newer else bool(row[4])
        _decide(handle, pair, *policy, pinned=pinned)
        decided += 1
        if is_newer and policy[1] == "supersede" and not pinned:
            break  # it was said before, and is no longer so
    return decided


def _policy(context: Context, new: New) -> tuple[str, str] | None:
    """The name and action of the policy that decides about a new memory."""
    from sqlagent.search.filters import allowed

    memory_id = new.memory.memory_id
    values = (new.agent_id, new.memory.user_id, new.kind)
    for name, action, condition in context.writer.execute(POLICIES, values).fetchall():
        if condition.strip().lower() == "true":
            return name, action
        try:
            holds = allowed(context, ROW, "memory_id", condition, (memory_id,))
        except Error as error:
            raise type(error)(
                f'the condition of policy "{name}": {error.message}', hint=error.hint,
                sql=condition, position=0,
            ) from None  # fmt: skip
        if holds:
            return name, action
    return None


def _decide(handle: Handle, pair: Pair, name: str, action: str, *, pinned: bool) -> None:
    """Do what a policy says; of a pinned memory only a person says that it is no longer so."""
    old, new = pair.old.memory_id, pair.new.memory_id
    handle.execute(LINK, (old, new, pair.score))
    if action == "supersede" and not pinned:
        truth.supersede_by(handle, old, new, reason=f"policy {name}: {pair.reason}")


def keep_both(handle: Handle, memory_id: int, other_id: int) -> int:
    """Decide that two memories both hold; how many links say so now: 1."""
    from sqlagent.memory import links
    from sqlagent.memory.contradictions import COMPATIBLE, CONTRADICTS

    handle.execute(
        "DELETE FROM memory_links WHERE relation = ?3 "
        "AND (memory_id = ?1 AND related_id = ?2 OR memory_id = ?2 AND related_id = ?1)",
        (memory_id, other_id, CONTRADICTS),
    )
    links.add(handle, min(memory_id, other_id), max(memory_id, other_id), COMPATIBLE)
    return 1
