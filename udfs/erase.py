"""erase: an agent, a user, a memory or a document, gone for good."""

from __future__ import annotations

import json
from typing import Any

from sqlagent.context import Context
from sqlagent.errors import ProgrammingError
from sqlagent.functions import scalar


def finished(connection: Any, receipt: str) -> str:
    """The receipt once the files are rid of what was erased."""
    from sqlagent.memory.erase import finish

    return finish(connection, receipt)


@scalar("JSON", writes=True, after=finished)
def erase(
    ctx: Context,
    agent_id: str | None = None,
    user_id: str | None = None,
    memory_id: int | None = None,
    document_id: int | None = None,
    copies: bool = False,
) -> str:
    """Erases for good: no byte of it is left in the file, its write-ahead log, its free pages, the
    full text, or any file in the derived folder. It cannot be undone; forget() can.

    With an agent go its memories, states, their history, snapshots and sessions. With a user, the
    memories of that user, whichever agent has them. With a document, its chunks. With memories go
    their vectors, sources, links, feedback, what operations noted of them, relations that were
    learnt from them, the memories that were made from them (their texts quote them) and the copies
    of the same text of the same agent and user. What one superseded stays superseded; what
    superseded it, or what it superseded, is another memory and stays. So do your own tables,
    vectors that you put into collections, the states of agents that were forked from an erased one,
    what your views and macros say, and what the shell remembers that you typed.

    The rows go in one transaction. Then the full text is made anew, the file is vacuumed, its log
    cut to nothing, and what is derived on disk removed, to be made again when it is wanted. What
    cannot be done now (another process reads an older state, the disk is full) is named under
    "pending"; the next connection, CALL sync() or erase() goes on with it, after a crash too.
    "finished_at" in sqlagent_erasures says that nothing is pending.

    The receipt has nothing of the content. Its "hash" is the SHA-256 of the sorted lines
    `table/key` of all rows that went: who has a backup can tell from it which rows these were, and
    nobody can guess a text by it, as one could by a hash of texts. "subject" is the SHA-256 of
    "salt", a NUL and the id; the file keeps these, not the id of an agent or a user.

    A filesystem may keep blocks that it has freed, and a drive cells that it has replaced:
    against those only encryption helps. Backups of yours are yours to remove; those that sqlagent
    made before an upgrade are named under "copies".

    Arguments:
      agent_id: erase this agent.
      user_id: or this user.
      memory_id: or this memory.
      document_id: or this document; exactly one of the four is given.
      copies: erase the copies that were made before upgrades of the file too.

    Returns: a receipt as JSON: erasure_id, scope, id, subject, salt, erased_at, rows (how many, by
      table), total, hash, files (rewritten or removed), pending, finished_at, copies (left).

    Errors: "erase takes one of agent_id, user_id, memory_id, document_id, not none of them"; "there
      is no memory 7", "there is nothing of user 'bob' to erase"; "erase() cannot run in a
      transaction".

    Cost: that of a VACUUM, so it grows with the file, and needs as much free disk; writers wait.
      VACUUM may renumber the rowids of your tables that have no INTEGER PRIMARY KEY.

    Examples:
      SELECT erase(user_id => user_id) FROM memories WHERE user_id = 'bob' LIMIT 1;
    """
    from sqlagent.memory import erase as erasing

    given = {
        "agent": agent_id, "user": user_id, "memory": memory_id, "document": document_id
    }  # fmt: skip
    named = [(scope, value) for scope, value in given.items() if value is not None]
    if len(named) != 1:
        told = " and ".join(f"{scope}_id" for scope, _ in named) or "none of them"
        raise ProgrammingError(
            f"erase takes one of agent_id, user_id, memory_id, document_id, not {told}",
            hint="Such as SELECT erase(memory_id => 7)",
            sqlstate="22023",
        )
    receipt = erasing.erase(ctx.writer, *named[0], copies)
    return json.dumps(receipt, ensure_ascii=False)
