"""Carrying steps out, in the transaction of the writer: what changed since they were planned is
left alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent import clock
from sqlagent.memory import operations
from sqlagent.memory.consolidate import rows
from sqlagent.memory.consolidate.episodes import EPISODES_MIN
from sqlagent.memory.consolidate.rows import Memory
from sqlagent.memory.consolidate.steps import Part, Step

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

BATCH_PARTS = 500  # memories of a batch, about: CALL holds the writer for no more
LINK = """
INSERT OR IGNORE INTO memory_links (memory_id, related_id, relation, weight, created_at,
  operation_id) VALUES (?, ?, 'duplicate_of', ?, ?, ?)
"""
SOURCE = """
INSERT INTO memory_sources (memory_id, source_memory_id, position, length, session_id, created_at,
  operation_id) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
DISTILLED = """
INSERT INTO memories (agent_id, kind, tier, content, importance, emotion, stability_days,
  created_at, expires_at, valid_from, valid_to, speaker, source, user_id, metadata)
VALUES (?, 'semantic', 'long_term', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
COUNT_MAX = (1 << 63) - 1
# What the memory that stays gets of those that go: the most of one, the sum of another.
INHERITED: dict[str, Callable[[list[Any]], Any]] = {
    "importance": max, "stability_days": max, "massed": sum, "last_access_at": max,
    "access_count": lambda counts: min(sum(counts), COUNT_MAX),
}  # fmt: skip


class Done(NamedTuple):
    """What an operation did: memories merged, sources distilled, parts that had changed."""

    operation_id: int | None
    merged: int
    distilled: int
    skipped: int


def batches(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Steps in lists of about BATCH_PARTS memories; a step is never torn."""
    batch: list[Step] = []
    size = 0
    for step in steps:
        batch.append(step)
        size += len(step.parts) + 1
        if size >= BATCH_PARTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def apply(handle: Handle, agent_id: str, steps: Sequence[Step], detail: Mapping[str, Any]) -> Done:
    """Carry steps out as one operation; none is begun where nothing is left to do."""
    now = clock.now()
    ids = {p.memory.memory_id for s in steps for p in s.parts}
    ids.update(s.into.memory_id for s in steps if s.into is not None)
    live = rows.again(handle, agent_id, sorted(ids), now)
    held = [step for step in (still(s, live) for s in steps) if step is not None]
    planned = sum(len(s.parts) for s in steps)
    if not held:
        return Done(None, 0, 0, planned)
    merged = sum(len(s.parts) for s in held if s.action == "merge")
    distilled = sum(len(s.parts) for s in held if s.action == "distil")
    counts = {"merged": merged, "distilled": distilled, "skipped": planned - merged - distilled}
    operation_id = operations.begin(handle, agent_id, rows.OPERATION, **detail, **counts)
    for step in held:
        if step.action == "merge":
            merge(handle, operation_id, step, now)
        else:
            distil(handle, operation_id, agent_id, step, now)
    return Done(operation_id, *counts.values())


def still(step: Step, live: Mapping[int, Memory]) -> Step | None:
    """The step as it holds now: without what changed since; None where too little is left."""
    into = step.into
    if into is not None:
        now = live.get(into.memory_id)
        if now is None or (now.content, now.key) != (into.content, into.key):
            return None
        into = now
    parts = []
    for part in step.parts:
        memory = live.get(part.memory.memory_id)
        if memory is None or (memory.content, memory.key) != (part.memory.content, part.memory.key):
            continue
        if memory.stays if step.action == "merge" else memory.told is not None:
            continue
        parts.append(part._replace(memory=memory))
    least = EPISODES_MIN if step.action == "distil" and into is None else 1
    return step._replace(into=into, parts=parts) if len(parts) >= least else None


def merge(handle: Handle, operation_id: int, step: Step, now: str) -> None:
    """Archive the parts, and let the memory that stays have what they had."""
    stays = step.into
    assert stays is not None  # a merge always has one
    gone = [p.memory for p in step.parts]
    for part in step.parts:
        memory_id = part.memory.memory_id
        operations.change(
            handle, operation_id, "merged", [memory_id], {"archived_at": now}, part.reason
        )
        handle.execute(LINK, (memory_id, stays.memory_id, part.similarity, now, operation_id))
        add_source(handle, operation_id, stays.memory_id, part, now)
    columns = {}
    for name, join in INHERITED.items():
        values = [v for m in (stays, *gone) if (v := getattr(m, name)) is not None]
        if values and (value := join(values)) != getattr(stays, name):
            columns[name] = value
    if columns:
        ids = ", ".join(str(m.memory_id) for m in gone[:8]) + (", …" if len(gone) > 8 else "")
        operations.change(
            handle, operation_id, "kept", [stays.memory_id], columns,
            f"stands for {len(gone)} more: {ids}",
        )  # fmt: skip


def distil(handle: Handle, operation_id: int, agent_id: str, step: Step, now: str) -> None:
    """Make the semantic memory, unless there is one, and note what it was made from."""
    if step.into is None:
        memory_id = make(handle, agent_id, step, now)
        operations.made(handle, operation_id, memory_id, "distilled", step.parts[0].reason)
    else:
        memory_id = step.into.memory_id
    for part in step.parts:
        add_source(handle, operation_id, memory_id, part, now)


def make(handle: Handle, agent_id: str, step: Step, now: str) -> int:
    """Insert the semantic memory of a step; its id. It is true from the first episode on."""
    members = [p.memory for p in step.parts]
    first = members[0]
    times = sorted(m.created_at for m in members)
    metadata = {"episodes": len(members), "from": times[0], "to": times[-1]}
    handle.execute(
        DISTILLED,
        (
            agent_id, step.content, max(m.importance for m in members),
            round(sum(m.emotion for m in members) / len(members), 4),
            max(m.stability_days for m in members), now, first.expires_at, min(times[0], now),
            first.valid_to, first.speaker, rows.SOURCE, first.user_id, json.dumps(metadata),
        ),
    )  # fmt: skip
    return int(handle.last_insert_rowid())


def add_source(handle: Handle, operation_id: int, memory_id: int, part: Part, now: str) -> None:
    """Note that a memory was made from another one."""
    source = part.memory
    handle.execute(
        SOURCE,
        (memory_id, source.memory_id, part.position, part.length, source.session_id, now,
         operation_id),
    )  # fmt: skip


def undo_run(handle: Handle, agent_id: str) -> int:
    """Undo the last run that is not undone, all its batches, the newest first; how many memories
    were put back or taken back."""
    open_ = handle.execute(
        "SELECT operation_id, ifnull(detail ->> '$.run', operation_id) FROM sqlagent_operations "
        "WHERE agent_id = ? AND operation = ? AND undone_at IS NULL ORDER BY operation_id DESC",
        (agent_id, rows.OPERATION),
    ).fetchall()
    if not open_:
        return 0
    run = open_[0][1]
    return sum(operations.undo(handle, number) for number, of in open_ if of == run)
