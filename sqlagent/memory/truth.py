"""Truth over time: what was true at one time as it was known at another, and what took its place.

Valid time is in the memory: it holds from `valid_from` (where that is NULL, `created_at`) until
before `valid_to`, and not from `expires_at` on. Transaction time is `created_at`, and what the
operations on it say: a column's value as known at a time is the one that it had before the first
operation, or undoing of one, that came later. A column that a plain client changes has no such
history: its value now counts as known ever since, with two exceptions, `archived_at`, which says
when it came, and a `superseded_by`, which is known from when the newer memory was.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlagent.errors import DataError, IntegrityError, ProgrammingError
from sqlagent.memory import operations

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

# All columns of the memories of :agent that were true at :valid as known at :known, the five that
# change with the knowledge as they were known then. A SELECT, so it stands in parentheses too.
TRUE = """
WITH turned (memory_id, moment, operation_id, back, was) AS (
  SELECT r.memory_id, o.created_at, o.operation_id, 0, r.before
  FROM sqlagent_operations o JOIN sqlagent_operation_rows r ON r.operation_id = o.operation_id
  WHERE o.agent_id = :agent AND o.created_at > :known AND r.before IS NOT NULL
  UNION ALL
  SELECT r.memory_id, o.undone_at, o.operation_id, 1, r.after
  FROM sqlagent_operations o JOIN sqlagent_operation_rows r ON r.operation_id = o.operation_id
  WHERE o.agent_id = :agent AND o.undone_at > :known AND r.before IS NOT NULL
), first_turn (memory_id, name, value, place) AS (
  SELECT t.memory_id, j.key, j.value,
    row_number() OVER (PARTITION BY t.memory_id, j.key ORDER BY moment, operation_id, back)
  FROM turned t, json_each(t.was) j
  WHERE j.key IN ('valid_from', 'valid_to', 'expires_at', 'superseded_by', 'archived_at')
), knew (memory_id, was) AS MATERIALIZED (
  SELECT memory_id, json_group_object(name, value) FROM first_turn WHERE place = 1
  GROUP BY memory_id
), known AS (
  SELECT m.memory_id, m.agent_id, m.kind, m.tier, m.content, m.importance, m.emotion, m.pinned,
    m.access_count, m.last_access_at, m.created_at, m.speaker, m.source, m.user_id, m.session_id,
    m.metadata,
    iif(json_type(w.was, '$.valid_from') IS NULL, m.valid_from, w.was ->> '$.valid_from')
      AS valid_from,
    iif(json_type(w.was, '$.valid_to') IS NULL, m.valid_to, w.was ->> '$.valid_to') AS valid_to,
    iif(json_type(w.was, '$.expires_at') IS NULL, m.expires_at, w.was ->> '$.expires_at')
      AS expires_at,
    iif(json_type(w.was, '$.superseded_by') IS NULL, m.superseded_by, w.was ->> '$.superseded_by')
      AS superseded_by,
    iif(json_type(w.was, '$.archived_at') IS NULL, m.archived_at, w.was ->> '$.archived_at')
      AS archived_at
  FROM memories m LEFT JOIN knew w ON w.memory_id = m.memory_id
  WHERE m.agent_id = :agent AND m.created_at <= :known
), closed AS (
  SELECT k.memory_id, k.agent_id, k.kind, k.tier, k.content, k.importance, k.emotion, k.pinned,
    k.access_count, k.last_access_at, k.created_at, k.speaker, k.source, k.user_id, k.session_id,
    k.metadata, k.valid_from, k.expires_at, k.archived_at,
    iif(n.created_at > :known, NULL, k.superseded_by) AS superseded_by,
    CASE
      WHEN k.superseded_by IS NULL THEN k.valid_to
      WHEN n.created_at > :known
        THEN nullif(k.valid_to, coalesce(n.valid_from, n.created_at))
      WHEN n.memory_id IS NULL THEN coalesce(k.valid_to, '')
      ELSE min(coalesce(k.valid_to, n.valid_from, n.created_at),
        coalesce(n.valid_from, n.created_at))
    END AS valid_to
  FROM known k LEFT JOIN memories n ON n.memory_id = k.superseded_by
)
SELECT * FROM closed
WHERE coalesce(valid_from, created_at) <= :valid AND (valid_to IS NULL OR valid_to > :valid)
  AND (expires_at IS NULL OR expires_at > :valid)
  AND (archived_at IS NULL OR archived_at > :known)
"""
OLD = """
SELECT agent_id, valid_from, valid_to, superseded_by, archived_at FROM memories
WHERE memory_id = ?
"""
# What is said anew has its own strength, sources and end; all else is as it was.
INSERT = """
INSERT INTO memories (agent_id, content, kind, tier, importance, emotion, pinned, speaker, user_id,
  session_id, metadata, created_at, valid_from)
SELECT agent_id, ?2, kind, tier, importance, emotion, pinned, speaker, user_id, session_id,
  metadata, ?3, ?4
FROM memories WHERE memory_id = ?1
"""
# The operation, not undone, that gave a memory the successor that it has.
CAUSE = """
SELECT o.operation_id, o.operation
FROM sqlagent_operation_rows r JOIN sqlagent_operations o ON o.operation_id = r.operation_id
WHERE r.memory_id = ?1 AND o.undone_at IS NULL AND r.after ->> '$.superseded_by' = ?2
ORDER BY o.operation_id DESC LIMIT 1
"""
LONG_CJK = 4000  # above this many characters the trigger leaves the spacing of CJK text to us


# The same for some memories only. The planner does not know that they are few.
_OF_AGENT = "WHERE m.agent_id = :agent AND"
TRUE_OF = TRUE.replace(
    _OF_AGENT,
    "WHERE m.memory_id IN (SELECT value FROM json_each(:among)) AND +m.agent_id = :agent AND",
)


def true_ids(
    handle: Handle,
    agent_id: str,
    valid_at: str,
    known_at: str,
    among: Iterable[int] | None = None,
) -> frozenset[int]:
    """The memories of an agent, or of some of them, that were true at a time as known at
    another."""
    named = {"agent": agent_id, "valid": valid_at, "known": known_at}
    text = TRUE
    if among is not None:
        text, named["among"] = TRUE_OF, "[" + ",".join(map(str, among)) + "]"
    return frozenset(r[0] for r in handle.execute(f"SELECT memory_id FROM ({text})", named))


def missing(memory_id: int) -> ProgrammingError:
    """The error for a memory that is named and does not exist."""
    return ProgrammingError(f"there is no memory {memory_id}", sqlstate="02000")


def supersede(handle: Handle, memory_id: int, content: str, valid_from: str | None = None) -> int:
    """Say a memory anew: the new one holds from `valid_from`, and the old one until then.

    Returns the new memory_id. Raises ProgrammingError where there is no such memory, IntegrityError
    where it is superseded or archived, DataError for a time before the old one holds.
    """
    row = _open(handle, memory_id)
    operation_id = operations.begin(handle, row[0], "supersede", memory_id=memory_id)
    now = _moment(handle, operation_id)
    start = _start(memory_id, row, valid_from, now)
    handle.execute(INSERT, (memory_id, content, now, start))
    new_id = int(handle.last_insert_rowid())
    if len(content) > LONG_CJK:
        from sqlagent.fulltext import space

        handle.execute(
            "UPDATE memories_fts SET content = ? WHERE rowid = ?", (space(content), new_id)
        )
    operations.made(handle, operation_id, new_id, "made", f"takes the place of memory {memory_id}")
    _close(handle, operation_id, memory_id, row, new_id, start)
    return new_id


def supersede_by(
    handle: Handle,
    memory_id: int,
    new_id: int,
    valid_from: str | None = None,
    reason: str | None = None,
) -> int:
    """Let a memory that exists take the place of another; the id of the one that takes it.

    The old one holds until `valid_from`, or until the new one begins to hold.
    """
    if memory_id == new_id:
        raise DataError(f"memory {memory_id} cannot supersede itself")
    row, new = _open(handle, memory_id), _open(handle, new_id)
    if row[0] != new[0]:
        raise DataError(
            f"a memory is superseded by one of the same agent, {row[0]!r}, not {new[0]!r}"
        )
    operation_id = operations.begin(
        handle, row[0], "supersede", memory_id=memory_id, superseded_by=new_id
    )
    if valid_from is None:
        valid_from = handle.execute(
            "SELECT max(coalesce(n.valid_from, n.created_at), ifnull(m.valid_from, '')) "
            "FROM memories n, memories m WHERE n.memory_id = ? AND m.memory_id = ?",
            (new_id, memory_id),
        ).fetchone()[0]
    start = _start(memory_id, row, valid_from, valid_from)
    _close(handle, operation_id, memory_id, row, new_id, start, reason)
    return new_id


def _open(handle: Handle, memory_id: int) -> Any:
    """The row of a memory that may be superseded."""
    row = handle.execute(OLD, (memory_id,)).fetchone()
    if row is None:
        raise missing(memory_id)
    if row[3] is not None:
        raise IntegrityError(
            f"memory {memory_id} is superseded already, by memory {row[3]}",
            hint=f"SELECT supersede({row[3]}, …), or unsupersede({memory_id}) first",
        )
    if row[4] is not None:
        raise IntegrityError(
            f"memory {memory_id} was archived at {row[4]}",
            hint="What is archived is not true now; remember() says it anew.",
        )
    return row


def _moment(handle: Handle, operation_id: int) -> str:
    """When the operation began: what it makes and closes is known from that very moment."""
    return str(
        handle.execute(
            "SELECT created_at FROM sqlagent_operations WHERE operation_id = ?", (operation_id,)
        ).fetchone()[0]
    )


def _start(memory_id: int, row: Any, valid_from: str | None, now: str) -> str:
    start = valid_from or now
    if row[1] is not None and start < row[1]:
        raise DataError(
            f"valid_from is not before that of memory {memory_id}, {row[1]}, but {start}",
            hint="The same time says that the old memory was never true.",
        )
    return start


def _close(
    handle: Handle,
    operation_id: int,
    memory_id: int,
    row: Any,
    new_id: int,
    start: str,
    reason: str | None = None,
) -> None:
    """End the old memory where the new one begins, unless it ended before."""
    end = start if row[2] is None else min(row[2], start)
    operations.change(
        handle, operation_id, "superseded", [memory_id], {"superseded_by": new_id, "valid_to": end},
        reason or f"memory {new_id} holds from {start}",
    )  # fmt: skip


def unsupersede(handle: Handle, memory_id: int) -> int:
    """Undo the supersession of a memory whole; the id of what had taken its place.

    Raises ProgrammingError where there is no such memory, IntegrityError where it is not
    superseded, or was so by an operation on more than it.
    """
    row = handle.execute(OLD, (memory_id,)).fetchone()
    if row is None:
        raise missing(memory_id)
    new_id = row[3]
    if new_id is None:
        raise IntegrityError(f"memory {memory_id} is not superseded")
    cause = handle.execute(CAUSE, (memory_id, new_id)).fetchone()
    if cause is None:
        _unlink(handle, memory_id, row)
    elif cause[1] != "supersede":
        raise IntegrityError(
            f"memory {memory_id} was superseded by operation {cause[0]} ({cause[1]})",
            hint=f"SELECT undo({cause[0]}) undoes all of it",
        )
    else:
        operations.undo(handle, cause[0])
    return int(new_id)


def _unlink(handle: Handle, memory_id: int, row: Any) -> None:
    """Take back a supersession by a plain client; the end too, where it is the other's start."""
    start = handle.execute(
        "SELECT coalesce(valid_from, created_at) FROM memories WHERE memory_id = ?", (row[3],)
    ).fetchone()
    ended = start is not None and row[2] == start[0]
    columns = {"superseded_by": None, **({"valid_to": None} if ended else {})}
    operation_id = operations.begin(handle, row[0], "unsupersede", memory_id=memory_id)
    operations.change(
        handle, operation_id, "restored", [memory_id], columns,
        f"memory {row[3]} no longer takes its place",
    )  # fmt: skip
