"""The rows of checkpoints: written and removed with the writer's handle, inside its transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.langgraph.values import Codec, Listed, Part

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

KNOWN = """
SELECT digest, value_id FROM langgraph_values
WHERE thread_id = ? AND digest IN (SELECT value FROM json_each(?))
"""
NEW = """
INSERT INTO langgraph_values (thread_id, digest, encoding, value, encoded) VALUES (?, ?, ?, ?, ?)
"""
CHECKPOINT = """
INSERT INTO langgraph_checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id,
  agent_id, user_id, run_id, source, step, created_at, metadata, checkpoint, channels, encoding,
  encoded)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
  ifnull(strftime('%Y-%m-%d %H:%M:%f', ?10), strftime('%Y-%m-%d %H:%M:%f', 'now')),
  ?11, ?12, ?13, ?14, ?15)
ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id) DO UPDATE SET
  parent_checkpoint_id = excluded.parent_checkpoint_id, agent_id = excluded.agent_id,
  user_id = excluded.user_id, run_id = excluded.run_id, source = excluded.source,
  step = excluded.step, created_at = excluded.created_at, metadata = excluded.metadata,
  checkpoint = excluded.checkpoint, channels = excluded.channels, encoding = excluded.encoding,
  encoded = excluded.encoded
"""
CHANNELS = """
SELECT channels, agent_id, user_id FROM langgraph_checkpoints
WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?
"""
WRITE = """
INSERT INTO langgraph_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path,
  channel, encoding, value, encoded)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) DO UPDATE SET
  task_path = excluded.task_path, channel = excluded.channel, encoding = excluded.encoding,
  value = excluded.value, encoded = excluded.encoded
WHERE excluded.idx < 0
"""
# A list's elements are used by whoever uses the list.
UNUSED = """
WITH used AS (
  SELECT DISTINCT json_extract(e.value, '$[0]') AS value_id
  FROM langgraph_checkpoints AS c, json_each(c.channels) AS e WHERE c.thread_id = ?1)
DELETE FROM langgraph_values WHERE thread_id = ?1 AND value_id NOT IN (
  SELECT value_id FROM used UNION
  SELECT j.value FROM used JOIN langgraph_values AS v ON v.value_id = used.value_id
    AND v.encoding = 'list', json_each(v.value) AS j)
"""
# Writes of a checkpoint that never came go too.
REMOVE = (
    "DELETE FROM langgraph_checkpoints WHERE thread_id = ?",
    "DELETE FROM langgraph_writes WHERE thread_id = ?",
)
REMOVE_RUNS = """
DELETE FROM langgraph_checkpoints WHERE run_id IN (SELECT value FROM json_each(?))
RETURNING thread_id
"""
COPY_CHECKPOINTS = """
SELECT checkpoint_ns, checkpoint_id, parent_checkpoint_id, agent_id, user_id, run_id, source, step,
  created_at, metadata, checkpoint, channels, encoding, encoded
FROM langgraph_checkpoints WHERE thread_id = ?
"""
COPY_WRITES = """
INSERT INTO langgraph_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path,
  channel, encoding, value, encoded)
SELECT ?2, checkpoint_ns, checkpoint_id, task_id, idx, task_path, channel, encoding, value, encoded
FROM langgraph_writes WHERE thread_id = ?1
ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) DO UPDATE SET
  task_path = excluded.task_path, channel = excluded.channel, encoding = excluded.encoding,
  value = excluded.value, encoded = excluded.encoded
"""
Key = tuple[str, str, str]  # thread_id, checkpoint_ns, checkpoint_id


def keep(
    handle: Handle, thread: str, values: Mapping[str, Part | Listed], codec: Codec
) -> dict[str, int]:
    """Write the values that the thread does not have yet: channel → value_id."""
    parts: dict[str, Part] = {}
    for value in values.values():
        for part in value.parts if isinstance(value, Listed) else (value,):
            parts[part.digest] = part
    ids = _kept(handle, thread, parts, codec)
    lists = {
        value.digest: Part(
            value.digest, "list", json.dumps([ids[p.digest] for p in value.parts]), None
        )
        for value in values.values()
        if isinstance(value, Listed)
    }
    ids |= _kept(handle, thread, lists)
    return {channel: ids[value.digest] for channel, value in values.items()}


def _kept(
    handle: Handle, thread: str, parts: Mapping[str, Part], codec: Codec | None = None
) -> dict[str, int]:
    """The value_id of each part by its digest, having written those that were not there."""
    if not parts:
        return {}
    ids: dict[str, int] = dict(handle.execute(KNOWN, (thread, json.dumps(list(parts)))))
    for part in parts.values():
        if part.digest not in ids:
            handle.execute(NEW, (thread, *(part if codec is None else codec.seen(part))))
            ids[part.digest] = handle.last_insert_rowid()
    return ids


class Before(NamedTuple):
    """Of the checkpoint before: what each channel holds, (value_id, version), and whose it is."""

    channels: dict[str, tuple[int, Any]]
    agent_id: str | None
    user_id: str | None


def before(handle: Handle, key: Key) -> Before:
    """What there is of a checkpoint; nothing of an unknown one."""
    row = handle.execute(CHANNELS, key).fetchone()
    return Before({}, None, None) if row is None else Before(json.loads(row[0]), row[1], row[2])


def remove_threads(handle: Handle, threads: Iterable[str]) -> None:
    """Delete all that threads have."""
    for thread in threads:
        for sql in REMOVE:
            handle.execute(sql, (thread,))
        handle.execute(UNUSED, (thread,))


def remove_runs(handle: Handle, runs: Sequence[str]) -> None:
    """Delete the checkpoints that runs made, with their writes and what no other one holds."""
    rows = handle.execute(REMOVE_RUNS, (json.dumps([str(run) for run in runs]),)).fetchall()
    for thread in {row[0] for row in rows}:
        handle.execute(UNUSED, (thread,))


def prune(handle: Handle, thread: str) -> None:
    """Keep the newest checkpoint of each namespace, and before it those that it needs.

    A channel that keeps only what changed (LangGraph's DeltaChannel) is rebuilt from the writes of
    the checkpoints back to the last one that has its value: these stay.
    """
    rows = handle.execute(
        "SELECT checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint_key, channels, "
        "json_extract(metadata, '$.counters_since_delta_snapshot') "
        "FROM langgraph_checkpoints WHERE thread_id = ?",
        (thread,),
    ).fetchall()
    by_id = {(row[0], row[1]): row for row in rows}
    newest: dict[str, str] = {}
    for namespace, checkpoint, *_ in rows:
        newest[namespace] = max(checkpoint, newest.get(namespace, ""))
    kept = []
    for namespace, checkpoint in newest.items():
        row = by_id[namespace, checkpoint]
        wanted = set(json.loads(row[5] or "{}"))
        seen = set()
        while row is not None and row[1] not in seen:
            seen.add(row[1])
            kept.append(row[3])
            wanted -= set(json.loads(row[4]))
            if not wanted:
                break
            row = by_id.get((namespace, row[2]))
    handle.execute(
        "DELETE FROM langgraph_checkpoints WHERE thread_id = ? "
        "AND checkpoint_key NOT IN (SELECT value FROM json_each(?))",
        (thread, json.dumps(kept)),
    )
    handle.execute(UNUSED, (thread,))


def copy(handle: Handle, source: str, target: str) -> None:
    """Copy all that a thread has to another, which keeps what it has beside it."""
    ids: dict[int, int] = {}
    values = handle.execute(
        "SELECT value_id, digest, encoding, value, encoded FROM langgraph_values "
        "WHERE thread_id = ? ORDER BY encoding = 'list'",
        (source,),
    ).fetchall()
    for value_id, *columns in values:
        part = Part(*columns)
        if part.encoding == "list":  # its elements were copied before it
            part = part._replace(value=json.dumps([ids[e] for e in json.loads(part.value or "[]")]))
        ids[value_id] = _kept(handle, target, {part.digest: part})[part.digest]
    for row in handle.execute(COPY_CHECKPOINTS, (source,)).fetchall():
        channels = {c: [ids[v], version] for c, (v, version) in json.loads(row[11]).items()}
        handle.execute(CHECKPOINT, (target, *row[:11], json.dumps(channels), *row[12:]))
    handle.execute(COPY_WRITES, (source, target))
