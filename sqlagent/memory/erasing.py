"""What goes with an agent, a user, a memory or a document beyond the rows that name it.

The text of what is erased must not survive in what was made from it, says the same, or speaks of
it: so these go too, or lose what they quote.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent import migrate
from sqlagent.memory import erasing_threads
from sqlagent.memory.quoting import quoting, wordless

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

# Deletes rows of a table by a condition, and takes note of their keys; with `read` only that.
Gone = Callable[..., None]
IN = "IN (SELECT value FROM json_each(?))"

MADE_FROM = f"SELECT memory_id FROM memory_sources WHERE source_memory_id {IN}"
FROM_DOCUMENT = f"SELECT memory_id FROM memory_sources WHERE document_id {IN}"
FROM_SESSION = f"SELECT memory_id FROM memory_sources WHERE session_id {IN}"
# Of the same user, or of none: that another user said the same is theirs.
SAME_USER = "(o.user_id IS m.user_id OR o.user_id IS NULL OR m.user_id IS NULL)"
DUPLICATES = f"""
SELECT o.memory_id FROM memory_links l JOIN memories m ON m.memory_id = l.memory_id
  JOIN memories o ON o.memory_id = l.related_id
WHERE l.relation = 'duplicate_of' AND l.memory_id {IN} AND {SAME_USER}
UNION
SELECT o.memory_id FROM memory_links l JOIN memories m ON m.memory_id = l.related_id
  JOIN memories o ON o.memory_id = l.memory_id
WHERE l.relation = 'duplicate_of' AND l.related_id {IN} AND {SAME_USER}
"""
SAME_TEXT = f"""
SELECT o.memory_id FROM memories m JOIN memories o ON o.agent_id = m.agent_id
  AND length(o.content) = length(m.content)
  AND substr(o.content, 1, 24) = substr(m.content, 1, 24)
  AND substr(o.content, -24) = substr(m.content, -24) AND o.content = m.content
WHERE m.memory_id {IN} AND {SAME_USER}
"""


class Chosen(NamedTuple):
    """What goes: memories and documents by id, and whose name it is, if it is an agent or a
    user."""

    memories: set[int]
    documents: set[int]
    chunks: set[int]
    sessions: list[str]
    agent: str | None
    user: str | None


def listed(ids: Iterable[int]) -> str:
    """Ids as a JSON list, in order."""
    return json.dumps(sorted(ids))


def column(handle: Handle, sql: str, *values: Any) -> set[Any]:
    """The first column of a query."""
    return {row[0] for row in handle.execute(sql, values)}


def chosen(handle: Handle, scope: str, value: Any) -> Chosen | None:
    """All that goes with one of these; None where there is nothing."""
    memories: set[int] = set()
    documents: set[int] = set()
    chunks: set[int] = set()
    sessions: list[str] = []
    if scope == "agent":
        memories = column(handle, "SELECT memory_id FROM memories WHERE agent_id = ?", value)
        sessions = sorted(
            column(handle, "SELECT session_id FROM sessions WHERE agent_id = ?", value)
        )
        named = ("agents", "states", "sqlagent_state_versions", "snapshots", "sqlagent_operations")
        known = memories or sessions or any(
            column(handle, f"SELECT 1 FROM {table} WHERE agent_id = ? LIMIT 1", value)
            for table in named
        ) or erasing_threads.known(handle, scope, value)  # fmt: skip
    elif scope == "user":
        memories = column(handle, "SELECT memory_id FROM memories WHERE user_id = ?", value)
        known = memories or erasing_threads.known(handle, scope, value)
    elif scope == "memory":
        known = memories = column(
            handle, "SELECT memory_id FROM memories WHERE memory_id = ?", value
        )
    else:
        known = documents = column(
            handle, "SELECT document_id FROM documents WHERE document_id = ?", value
        )
        chunks = column(handle, "SELECT chunk_id FROM chunks WHERE document_id = ?", value)
    if not known:
        return None
    memories |= column(handle, FROM_DOCUMENT, listed(documents))
    memories |= column(handle, FROM_SESSION, json.dumps(sessions))
    close(handle, memories)
    return Chosen(
        memories, documents, chunks, sessions,
        value if scope == "agent" else None, value if scope == "user" else None,
    )  # fmt: skip


def close(handle: Handle, memories: set[int]) -> None:
    """Add what was made from these, what was merged with them, and what says the very same."""
    edge = set(memories)
    while edge:
        ids = listed(edge)
        edge = column(handle, MADE_FROM, ids) | column(handle, DUPLICATES, ids, ids)
        edge = (edge | column(handle, SAME_TEXT, ids)) - memories
        memories |= edge


# What is to be done by hand -----------------------------------------------------------------------


def before(handle: Handle, found: Chosen, gone: Gone) -> None:
    """While the rows are still there: what hangs on them, and what speaks of them."""
    ids = listed(found.memories)
    rejects(handle, found, gone)
    chains(handle, ids)
    operations(handle, found, ids, gone)
    knowledge(handle, found, ids, gone)
    feedback(handle, ids, gone)
    for scope, value in (("agent", found.agent), ("user", found.user)):
        if value is not None:
            erasing_threads.threads(handle, scope, value, gone)
    if found.agent is not None:
        states(handle, found.agent, gone)


def after(handle: Handle, found: Chosen, gone: Gone) -> None:
    """The memories and documents, with what their triggers remove; then the agent itself."""
    gone("memories", f"memory_id {IN}", listed(found.memories))
    gone("chunks", f"chunk_id {IN}", listed(found.chunks))
    gone("documents", f"document_id {IN}", listed(found.documents))
    if found.agent is not None:
        gone("sessions", "agent_id = ?", found.agent)
        gone("agents", "agent_id = ?", found.agent)
        # The log says which agent's index a row was in: now it says that it may be any's.
        handle.execute(
            "UPDATE sqlagent_change_entries SET scope = NULL "
            "WHERE tbl IN ('memories', 'states', 'sessions') AND scope = ?",
            (found.agent,),
        )
    if handle.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat4'").fetchone():
        # ANALYZE keeps some values of each index there: of ours too, and they are texts.
        names = json.dumps(sorted(migrate.own_names(migrate.known())))
        handle.execute(f"DELETE FROM sqlite_stat4 WHERE lower(tbl) {IN}", (names,))


def states(handle: Handle, agent: str, gone: Gone) -> None:
    """States, their history and their snapshots; agents that were forked from it keep theirs."""
    from sqlagent.states.remove import remove

    for table in ("states", "sqlagent_state_versions", "snapshots"):
        gone(table, "agent_id = ?", agent, read=True)
    remove(handle, agent)


def feedback(handle: Handle, ids: str, gone: Gone) -> None:
    """What was asked when one of these was judged, whichever other memories were judged by it."""
    gone(
        "recall_feedback",
        f"(agent_id, query) IN (SELECT agent_id, query FROM recall_feedback WHERE memory_id {IN})",
        ids,
    )


def chains(handle: Handle, ids: str) -> None:
    """What one of these superseded stays superseded: by the next in the chain, or from that time
    on."""
    columns = "memory_id, superseded_by, ifnull(valid_from, created_at)"
    step = f"SELECT {columns} FROM memories WHERE memory_id {IN}"
    links = {row[0]: row[1:] for row in handle.execute(step, (ids,))}
    older = handle.execute(
        f"SELECT memory_id, superseded_by FROM memories WHERE superseded_by {IN}", (ids,)
    ).fetchall()
    for memory_id, newer in older:
        if memory_id in links:
            continue
        begun, seen = links[newer][1], set()
        while newer in links and newer not in seen:
            seen.add(newer)
            newer = links[newer][0]
        handle.execute(
            "UPDATE memories SET superseded_by = ?, valid_to = ifnull(valid_to, ?) "
            "WHERE memory_id = ?",
            (None if newer in seen else newer, begun, memory_id),
        )


def operations(handle: Handle, found: Chosen, ids: str, gone: Gone) -> None:
    """What was done to these. What else an operation did stays, and can be undone; its reasons and
    its texts go, since they may quote."""
    touched = column(
        handle, f"SELECT operation_id FROM sqlagent_operation_rows WHERE memory_id {IN}", ids
    )
    if found.agent is not None:
        touched |= column(
            handle, "SELECT operation_id FROM sqlagent_operations WHERE agent_id = ?", found.agent
        )
    these = listed(touched)
    gone("sqlagent_operation_rows", f"memory_id {IN}", ids)
    if found.agent is not None:
        gone("sqlagent_operations", "agent_id = ?", found.agent)
        gone(
            "sqlagent_operation_rows",
            f"operation_id {IN} "
            "AND operation_id NOT IN (SELECT operation_id FROM sqlagent_operations)",
            these,
        )
    gone(
        "sqlagent_operations",
        f"operation_id {IN} "
        "AND operation_id NOT IN (SELECT operation_id FROM sqlagent_operation_rows)",
        these,
    )
    for operation_id, detail in handle.execute(
        f"SELECT operation_id, detail FROM sqlagent_operations WHERE operation_id {IN}", (these,)
    ).fetchall():
        kept = None if detail is None else json.dumps(wordless(json.loads(detail)))
        handle.execute(
            "UPDATE sqlagent_operations SET detail = ? WHERE operation_id = ?", (kept, operation_id)
        )
    handle.execute(
        f"UPDATE sqlagent_operation_rows SET reason = NULL WHERE operation_id {IN}", (these,)
    )
    for side in ("before", "after"):  # undoing it must not point at what is not there
        handle.execute(
            f"UPDATE sqlagent_operation_rows "
            f"SET {side} = json_set({side}, '$.superseded_by', NULL) "
            f"WHERE operation_id {IN} AND json_extract({side}, '$.superseded_by') {IN}",
            (these, ids),
        )


def knowledge(handle: Handle, found: Chosen, ids: str, gone: Gone) -> None:
    """Relations that rest on these alone, and entities of which nothing else is known."""
    values = (ids, listed(found.chunks))
    of_these = f"(ifnull(s.memory_id {IN}, 0) OR ifnull(s.chunk_id {IN}, 0))"
    alone = (
        f"EXISTS (SELECT 1 FROM relation_sources s WHERE s.relation_id = relations.relation_id "
        f"AND {of_these}) AND NOT EXISTS (SELECT 1 FROM relation_sources s "
        f"WHERE s.relation_id = relations.relation_id AND NOT {of_these})"
    )
    gone_ids = listed(
        column(
            handle,
            f"SELECT relation_id FROM relations WHERE relation_id IN (SELECT s.relation_id "
            f"FROM relation_sources s WHERE s.memory_id {IN} "
            f"UNION SELECT s.relation_id FROM relation_sources s WHERE s.chunk_id {IN}) "
            f"AND {alone}",
            *values, *values, *values,
        )
    )  # fmt: skip
    ends = column(
        handle,
        f"SELECT subject_id FROM relations WHERE relation_id {IN} "
        f"UNION SELECT object_id FROM relations WHERE relation_id {IN}",
        gone_ids, gone_ids,
    )  # fmt: skip
    lonely = listed(ends)
    gone("relations", f"relation_id {IN}", gone_ids, read=True)
    gone(
        "entities",
        f"entity_id {IN} AND NOT EXISTS (SELECT 1 FROM relations r "
        f"WHERE (r.subject_id = entity_id OR r.object_id = entity_id) "
        f"AND r.relation_id NOT {IN})",
        lonely, gone_ids,
    )  # fmt: skip
    handle.execute(f"DELETE FROM relations WHERE relation_id {IN}", (gone_ids,))
    handle.execute(f"DELETE FROM relation_sources AS s WHERE {of_these}", values)


def rejects(handle: Handle, found: Chosen, gone: Gone) -> None:
    """Records that an import did not take, where they are of these or hold a text of theirs."""
    rows = handle.execute(
        "SELECT reject_id, ifnull(value, ''), ifnull(content, ''), reason "
        "FROM sqlagent_import_rejects"
    ).fetchall()
    if rows:
        texts = column(
            handle,
            f"SELECT content FROM memories WHERE memory_id {IN} "
            f"UNION SELECT content FROM documents WHERE document_id {IN}",
            listed(found.memories), listed(found.documents),
        )  # fmt: skip
        names = {n for n in (found.agent, found.user) if n is not None}
        gone("sqlagent_import_rejects", f"reject_id {IN}", listed(quoting(rows, texts, names)))
