"""Operations on memories: what one did, row by row, so that it can be shown and undone whole.

An operation is one row of `sqlagent_operations` and, for each memory that it touched, one of
`sqlagent_operation_rows` with the changed columns as they were and as they became. Undoing puts a
column back where it still holds what the operation put there: what was changed since then, by
whomever, stays. A memory that the operation made is archived, not deleted. Links and sources that
it wrote (`operation_id`) go.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlagent import clock
from sqlagent.errors import IntegrityError, ProgrammingError

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

# The columns that an operation may change: never what was said, or by whom.
CHANGEABLE = (
    "tier", "importance", "pinned", "stability_days", "expires_at", "valid_from", "valid_to",
    "superseded_by", "archived_at", "kind", "access_count", "last_access_at", "massed",
)  # fmt: skip
BEGIN = """
INSERT INTO sqlagent_operations (agent_id, operation, detail, created_at) VALUES (?, ?, ?, ?)
"""
ROW = """
INSERT INTO sqlagent_operation_rows (operation_id, memory_id, action, reason, before, after)
VALUES (?, ?, ?, ?, ?, ?)
"""
# A memory that the operation made stays, archived, with what it was made from: who erases a source
# must find it.
SOURCES_GONE = """
DELETE FROM memory_sources WHERE operation_id = ?1 AND memory_id NOT IN (
  SELECT memory_id FROM sqlagent_operation_rows WHERE operation_id = ?1 AND before IS NULL)
"""
# An undone operation made this memory: it stays archived when something else is undone.
TAKEN_BACK = """
SELECT 1 FROM sqlagent_operation_rows r
JOIN sqlagent_operations o ON o.operation_id = r.operation_id
WHERE r.memory_id = ? AND r.before IS NULL AND o.undone_at IS NOT NULL
"""


def begin(handle: Handle, agent_id: str, operation: str, **detail: Any) -> int:
    """Open an operation of an agent, such as 'forget'; its id. `detail` is kept as JSON."""
    text = json.dumps(detail, ensure_ascii=False, sort_keys=True) if detail else None
    handle.execute(BEGIN, (agent_id, operation, text, clock.now()))
    return int(handle.last_insert_rowid())


def change(
    handle: Handle,
    operation_id: int,
    action: str,
    memory_ids: Iterable[int],
    columns: Mapping[str, Any],
    reason: str | None = None,
) -> int:
    """Set `columns` of memories, and keep how they were; how many there were.

    A memory may be changed once in an operation.
    """
    names = list(columns)
    if unknown := set(names) - set(CHANGEABLE):
        raise ValueError(f"an operation changes {', '.join(CHANGEABLE)}, not {unknown}")
    read = f"SELECT {', '.join(names)} FROM memories WHERE memory_id = ?"
    write = f"UPDATE memories SET {', '.join(f'{n} = ?' for n in names)} WHERE memory_id = ?"
    after = json.dumps(dict(columns), ensure_ascii=False)
    count = 0
    for memory_id in memory_ids:
        row = handle.execute(read, (memory_id,)).fetchone()
        if row is None:
            continue
        before = json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False)
        handle.execute(ROW, (operation_id, memory_id, action, reason, before, after))
        handle.execute(write, (*columns.values(), memory_id))
        count += 1
    return count


def change_all(
    handle: Handle,
    operation_id: int,
    action: str,
    columns: Mapping[str, Any],
    chosen: str,
    values: Mapping[str, Any],
) -> int:
    """As `change`, for the rows (memory_id, reason) of the query `chosen`, in two statements.

    `values` are the named parameters of the query, whose text is the caller's own.
    """
    names = list(columns)
    if unknown := set(names) - set(CHANGEABLE):
        raise ValueError(f"an operation changes {', '.join(CHANGEABLE)}, not {unknown}")
    after = json.dumps(dict(columns), ensure_ascii=False)
    before = ", ".join(f"'{name}', m.{name}" for name in names)
    handle.execute(
        f"INSERT INTO sqlagent_operation_rows "
        f"SELECT :_operation, c.memory_id, :_action, c.reason, json_object({before}), :_after "
        f"FROM ({chosen}) c JOIN memories m ON m.memory_id = c.memory_id",
        {**values, "_operation": operation_id, "_action": action, "_after": after},
    )
    count = int(handle.changes())
    handle.execute(
        f"UPDATE memories SET {', '.join(f'{n} = ?' for n in names)} WHERE memory_id IN (SELECT "
        "memory_id FROM sqlagent_operation_rows WHERE operation_id = ? AND action = ? "
        "AND after = ?)",
        (*columns.values(), operation_id, action, after),
    )
    return count


def made(
    handle: Handle, operation_id: int, memory_id: int, action: str, reason: str | None = None
) -> None:
    """Note that the operation made this memory: undoing it archives the memory."""
    handle.execute(ROW, (operation_id, memory_id, action, reason, None, None))


def undo(handle: Handle, operation_id: int) -> int:
    """Undo an operation; how many memories were put back or taken back.

    Raises ProgrammingError for one that does not exist, IntegrityError for one undone before.
    """
    found = handle.execute(
        "SELECT operation, undone_at FROM sqlagent_operations WHERE operation_id = ?",
        (operation_id,),
    ).fetchone()
    if found is None:
        raise ProgrammingError(
            f"there is no operation {operation_id}",
            hint="SELECT * FROM sqlagent_operations lists them",
            sqlstate="02000",
        )
    if found[1] is not None:
        raise IntegrityError(f"operation {operation_id} ({found[0]}) was undone at {found[1]}")
    now = clock.now()
    rows = handle.execute(
        "SELECT memory_id, before, after FROM sqlagent_operation_rows WHERE operation_id = ?",
        (operation_id,),
    ).fetchall()
    count = 0
    for memory_id, before, after in rows:
        count += _put_back(handle, memory_id, before, after, now)
    handle.execute("DELETE FROM memory_links WHERE operation_id = ?", (operation_id,))
    handle.execute(SOURCES_GONE, (operation_id,))
    handle.execute(
        "UPDATE sqlagent_operations SET undone_at = ? WHERE operation_id = ?", (now, operation_id)
    )
    return count


def _put_back(handle: Handle, memory_id: int, before: Any, after: Any, now: str) -> int:
    if before is None:
        handle.execute(
            "UPDATE memories SET archived_at = ifnull(archived_at, ?) WHERE memory_id = ?",
            (now, memory_id),
        )
        return int(handle.changes())
    was, became = json.loads(before), json.loads(after)
    names = [n for n in was if n in CHANGEABLE]
    if was.get("archived_at", 0) is None and handle.execute(TAKEN_BACK, (memory_id,)).fetchone():
        names.remove("archived_at")
        if not names:
            return 0
    sets = ", ".join(f"{n} = CASE WHEN {n} IS ? THEN ? ELSE {n} END" for n in names)
    values = [v for n in names for v in (became[n], was[n])]
    handle.execute(f"UPDATE memories SET {sets} WHERE memory_id = ?", (*values, memory_id))
    return int(handle.changes())


def undo_last(handle: Handle, agent_id: str, operation: str) -> int:
    """Undo the newest operation of this name that is not undone; 0 where there is none."""
    row = handle.execute(
        "SELECT max(operation_id) FROM sqlagent_operations "
        "WHERE agent_id = ? AND operation = ? AND undone_at IS NULL",
        (agent_id, operation),
    ).fetchone()
    return 0 if row[0] is None else undo(handle, row[0])


def undo_all(handle: Handle, agent_id: str, operation: str) -> int:
    """Undo every operation of this name that is not undone, the newest first; how many memories."""
    rows = handle.execute(
        "SELECT operation_id FROM sqlagent_operations "
        "WHERE agent_id = ? AND operation = ? AND undone_at IS NULL ORDER BY operation_id DESC",
        (agent_id, operation),
    ).fetchall()
    return sum(undo(handle, operation_id) for (operation_id,) in rows)
