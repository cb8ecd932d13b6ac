"""How a memory comes in: guards first, then what says the same is strengthened, or a row is made.

All of it runs in the writer's transaction, so of two processes that say the same at once one makes
the memory and the other strengthens it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlagent.errors import IntegrityError
from sqlagent.memory import fingerprints, guards, judging, strength
from sqlagent.memory.duplicates import fold, read
from sqlagent.memory.fingerprints import Said

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Handle

RAISE = "UPDATE memories SET importance = ?2 WHERE memory_id = ?1 AND importance < ?2"
INSERT = """
INSERT INTO memories (agent_id, content, kind, importance, emotion, tier, speaker, session_id,
  user_id, source, created_at, expires_at, metadata)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
VECTOR = "INSERT OR REPLACE INTO memory_vectors (memory_id, model, vector) VALUES (?, 'user', ?)"
LONG_CJK = 4000  # above this many characters the trigger leaves the spacing of CJK text to us


class New(NamedTuple):
    """A memory that comes in, its fields in the order of INSERT."""

    agent_id: str
    content: str
    kind: str
    importance: float
    emotion: float
    tier: str
    speaker: str | None
    session_id: str | None
    user_id: str | None
    source: str | None
    created_at: str
    expires_at: str | None
    metadata: str | None


def enter(ctx: Context, new: New, embedding: bytes | None, now: str) -> int:
    """The memory_id of what is new, or of what says it already. Raises IntegrityError for a value
    that cannot be, and for what a guard refuses."""
    handle, settings = ctx.writer, ctx.settings
    said = Said(new.agent_id, new.content, new.kind, new.user_id, new.speaker, new.session_id, now)
    folded = fold(new.content)
    hashed = fingerprints.fold_hash(new.agent_id, new.content, folded)
    minutes = settings["recall_loop_minutes"]
    if minutes:
        came_from = guards.loop(ctx.database, handle, said, folded, minutes)
        if came_from is None and new.source == "recall":
            came_from = guards.marked(handle, said, hashed)
        if came_from is not None:
            guards.count(handle, new.agent_id, came_from, "loop", now)
            return came_from
    suspicions = (
        guards.suspicions(new.content, folded) if settings["remember_guard"] != "off" else ()
    )
    if suspicions and settings["remember_guard"] == "refuse":
        raise refusal(suspicions)
    policy = settings["remember_duplicates"]
    near = policy == "near"
    if policy != "keep":
        known = _known(handle, said, hashed, near)
        if known is not None:
            strength.use(handle, known, at=now)
            handle.execute(RAISE, (known, new.importance))
            guards.count(handle, new.agent_id, known, "repeat", now)
            if embedding is not None:
                handle.execute(VECTOR, (known, embedding))
            return known
    memory_id = insert(handle, new, embedding)
    if new.tier == "working":
        from sqlagent.memory.tiers import bound

        bound(ctx, new.agent_id, new.session_id)
    if near:
        fingerprints.note(handle, new.agent_id, memory_id, new.content, near)
    else:
        handle.execute(fingerprints.FOLD, (hashed, memory_id))
    for guard, reason in suspicions:
        guards.count(handle, new.agent_id, memory_id, guard, now, reason)
    judging.on_new(ctx, memory_id)
    return memory_id


def _known(handle: Handle, said: Said, hashed: int, near: bool) -> int | None:
    """The memory that says it already."""
    known, behind = fingerprints.folded(handle, said, hashed)
    if known is None and behind:
        fingerprints.fill(handle, said.agent, False, fingerprints.FILL)
        known, behind = fingerprints.folded(handle, said, hashed)
        if known is None and behind:
            known = fingerprints.exact(handle, said)
    if known is None and near:
        fingerprints.fill(handle, said.agent, True, fingerprints.FILL_BANDS)
        known = fingerprints.near(handle, said, read(said.content))
    return known


def insert(handle: Handle, new: New, embedding: bytes | None) -> int:
    handle.execute(INSERT, new)
    memory_id = int(handle.last_insert_rowid())
    if len(new.content) > LONG_CJK:
        from sqlagent.fulltext import space

        handle.execute(
            "UPDATE memories_fts SET content = ? WHERE rowid = ?", (space(new.content), memory_id)
        )
    if embedding is not None:
        handle.execute(VECTOR, (memory_id, embedding))
    return memory_id


def refusal(suspicions: list[tuple[str, str]]) -> IntegrityError:
    """The error for a text that `SET remember_guard = 'refuse'` keeps out; it quotes nothing."""
    said = " and ".join(f"{guard} ({kind})" for guard, kind in suspicions)
    return IntegrityError(
        f"content looks like it holds what is not to be remembered: {said}",
        hint="SET remember_guard = 'note' keeps it, and notes it in memory_guards",
        sqlstate="23514",
    )
