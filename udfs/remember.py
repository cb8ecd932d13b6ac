"""remember: one memory of an agent."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import Json, Stamp, Vector, scalar

REPEAT = """
SELECT memory_id FROM memories
WHERE agent_id = ?1 AND length(content) = length(?2)
  AND substr(content, 1, 24) = substr(?2, 1, 24) AND substr(content, -24) = substr(?2, -24)
  AND content = ?2 AND kind = ?3 AND ifnull(user_id, '') = ifnull(?4, '')
  AND ifnull(speaker, '') = ifnull(?5, '') AND ifnull(session_id, '') = ifnull(?6, '')
  AND archived_at IS NULL AND superseded_by IS NULL AND valid_to IS NULL
  AND (expires_at IS NULL OR expires_at > ?7)
ORDER BY memory_id LIMIT 1
"""
STRENGTHEN = """
UPDATE memories SET access_count = access_count + 1, last_access_at = ?2,
  importance = max(importance, ?3)
WHERE memory_id = ?1
"""
INSERT = """
INSERT INTO memories (agent_id, content, kind, importance, emotion, tier, speaker, session_id,
  user_id, source, created_at, expires_at, metadata)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
VECTOR = "INSERT OR REPLACE INTO memory_vectors (memory_id, model, vector) VALUES (?, 'user', ?)"
LONG_CJK = 4000  # above this many characters the trigger leaves the spacing of CJK text to us


@scalar("BIGINT", writes=True)
def remember(
    ctx: Context,
    agent_id: str,
    content: str,
    kind: str = "episodic",
    importance: float = 0.5,
    emotion: float = 0.0,
    tier: str = "short_term",
    speaker: str | None = None,
    session_id: str | None = None,
    user_id: str | None = None,
    source: str | None = None,
    created_at: Stamp | None = None,
    expires_at: Stamp | None = None,
    metadata: Json | None = None,
    embedding: Vector | None = None,
) -> int:
    """Keeps one memory of an agent; the next statement recalls it.

    The same text said again (by the same speaker, in the same session, of the same kind and user)
    strengthens the memory that is there instead of repeating it.

    Arguments:
      agent_id: whose memory it is.
      content: what is to be remembered.
      kind: 'episodic' (the default), 'semantic', 'procedural' or 'working'.
      importance: 0..1.
      emotion: -1 (bad) .. 1 (good).
      tier: 'working', 'short_term' (the default) or 'long_term'.
      speaker: who said it.
      session_id: the conversation that it is from.
      user_id: the user whom it is about.
      source: where it comes from.
      created_at: when it happened; now by default.
      expires_at: from when on it is no longer recalled.
      metadata: JSON about it.
      embedding: its vector, kept as it is; without, the model makes one when it is first needed.

    Returns: the memory_id. NULL where agent_id or content is NULL.

    Errors: an IntegrityError where a value is not one of those above.

    Cost: about 0.1 ms of CPU, and the wait for the disk, which clients that write at once share.

    Examples:
      SELECT remember('ada', 'The parcel is in locker 17', importance => 0.8);
    """
    handle = ctx.writer
    now = ctx.now()
    repeat = handle.execute(
        REPEAT, (agent_id, content, kind, user_id, speaker, session_id, now)
    ).fetchone()
    if repeat is not None:
        handle.execute(STRENGTHEN, (repeat[0], now, importance))
        if embedding is not None:
            handle.execute(VECTOR, (repeat[0], embedding))
        return int(repeat[0])
    handle.execute(
        INSERT,
        (agent_id, content, kind, importance, emotion, tier, speaker, session_id, user_id, source,
         created_at or now, expires_at, metadata),
    )  # fmt: skip
    memory_id = handle.last_insert_rowid()
    if len(content) > LONG_CJK:
        from sqlagent.fulltext import space

        handle.execute(
            "UPDATE memories_fts SET content = ? WHERE rowid = ?", (space(content), memory_id)
        )
    if embedding is not None:
        handle.execute(VECTOR, (memory_id, embedding))
    return int(memory_id)
