"""remember: one memory of an agent."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import Json, Stamp, Vector, scalar


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
    sources: Json | None = None,
) -> int:
    """Keeps one memory of an agent; the next statement recalls it.

    The same said again, by the same speaker, in the same session, of the same kind and user,
    strengthens the memory that is there instead of repeating it; case, punctuation and spacing do
    not count (`SET remember_duplicates`). What `recall` gave to the agent in the last ten minutes
    (`SET recall_loop_minutes`), alone or introduced ("I remember that …"), is not kept again and
    strengthens nothing, unless it names a person as its speaker, in a session. What looks like a
    secret or an instruction slipped in is noted in memory_guards, or refused
    (`SET remember_guard`).

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
      source: where it comes from; 'recall' says that it is what an agent recalled.
      created_at: when it happened; now by default.
      expires_at: from when on it is no longer recalled.
      metadata: JSON about it.
      embedding: its vector, kept as it is; without, the model makes one when it is first needed.
      sources: what it was made from, for provenance: JSON, a list of {"memory_id": 1},
        {"document_id": 1, "position": 0, "length": 9}, {"chunk_id": 1}, {"session_id": "s",
        "turn": 1}; places are optional, positions in characters from 0, turns from 1.

    Returns: the memory_id, of the memory that says it already where there is one. NULL where
    agent_id or content is NULL.

    Errors: an IntegrityError where a value is not one of those above; "content looks like it holds
    what is not to be remembered: secret (password)" under remember_guard 'refuse'; "there is no
    document 7" and the like for sources.

    Cost: about 0.1 ms of CPU, and the wait for the disk, which clients that write at once share.

    Examples:
      SELECT remember('ada', 'The parcel is in locker 17', importance => 0.8);
      SELECT remember('ada', 'The parcel came', sources => '{"memory_id": 1}');
    """
    from sqlagent.memory.entry import New, enter

    now = ctx.now()
    new = New(
        agent_id, content, kind, importance, emotion, tier, speaker, session_id, user_id, source,
        created_at or now, expires_at, metadata,
    )  # fmt: skip
    memory_id = enter(ctx, new, embedding, now)
    if sources is not None:
        from sqlagent.memory import provenance

        provenance.add(ctx.writer, memory_id, sources)
    return memory_id
