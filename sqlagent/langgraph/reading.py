"""Checkpoints on their way out, with one handle that sees one commit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, CheckpointTuple, DeltaChannelHistory, PendingWrite

from sqlagent.langgraph.values import Codec

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

COLUMNS = """
SELECT thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, metadata,
  CASE WHEN encoding IS NULL THEN checkpoint END, channels, encoding, encoded
FROM langgraph_checkpoints
"""
ONE = COLUMNS + "WHERE thread_id = ?1 AND checkpoint_ns = ?2 AND checkpoint_id = ?3"
NEWEST = COLUMNS + (
    "WHERE thread_id = ?1 AND checkpoint_ns = ?2 ORDER BY checkpoint_id DESC LIMIT 1"
)
# Newest first within a namespace, as in memory; `after` goes on behind a place in that order.
SEVERAL = (
    COLUMNS
    + """
WHERE (:thread IS NULL OR thread_id = :thread)
  AND (:namespace IS NULL OR checkpoint_ns = :namespace)
  AND (:checkpoint IS NULL OR checkpoint_id = :checkpoint)
  AND (:before IS NULL OR checkpoint_id < :before)
  AND (:source IS NULL OR source = :source)
  AND (:step IS NULL OR step = :step)
  AND (:run_id IS NULL OR run_id = :run_id)
  AND (:after_id IS NULL OR checkpoint_id < :after_id
    OR (checkpoint_id = :after_id AND (thread_id, checkpoint_ns) > (:after_thread, :after_ns)))
ORDER BY checkpoint_id DESC, thread_id, checkpoint_ns
"""
)
# With a thread given, so that its index is used.
OF_THREAD = SEVERAL.replace("(:thread IS NULL OR thread_id = :thread)", "thread_id = :thread")
VALUES = """
SELECT value_id, encoding, CASE WHEN encoding IN ('json', 'list') THEN value END, encoded
FROM langgraph_values WHERE value_id IN (SELECT value FROM json_each(?))
"""
WRITES = """
SELECT task_id, channel, encoding, CASE WHEN encoding = 'json' THEN value END, encoded
FROM langgraph_writes WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?
ORDER BY task_path, task_id, idx
"""
# From the parent of a checkpoint to the root.
CHAIN = """
WITH RECURSIVE chain (checkpoint_id, parent_checkpoint_id, channels, depth) AS (
  SELECT checkpoint_id, parent_checkpoint_id, channels, 0 FROM langgraph_checkpoints
  WHERE thread_id = ?1 AND checkpoint_ns = ?2 AND checkpoint_id = ?3
  UNION ALL
  SELECT c.checkpoint_id, c.parent_checkpoint_id, c.channels, chain.depth + 1
  FROM chain CROSS JOIN langgraph_checkpoints AS c ON c.thread_id = ?1 AND c.checkpoint_ns = ?2
    AND c.checkpoint_id = chain.parent_checkpoint_id)
SELECT checkpoint_id, channels FROM chain WHERE depth > 0 ORDER BY depth
"""
PAGE = 64  # checkpoints that a list reads at once
SOUGHT = {"source": str, "step": int, "run_id": str}  # what has columns of its own


def config_of(thread: str, namespace: str, checkpoint: str) -> RunnableConfig:
    """The config that names a checkpoint."""
    return {
        "configurable": {
            "thread_id": thread,
            "checkpoint_ns": namespace,
            "checkpoint_id": checkpoint,
        }
    }


class Wanted:
    """Which checkpoints a list is of, and how far it is; `size` is the next page's, or 0."""

    def __init__(
        self,
        config: RunnableConfig | None,
        filter: Mapping[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> None:
        asked = config["configurable"] if config else {}
        self.filter = dict(filter or {})
        self.left = limit
        self.values: dict[str, Any] = {
            "thread": str(asked["thread_id"]) if "thread_id" in asked else None,
            "namespace": asked.get("checkpoint_ns"),
            "checkpoint": asked.get("checkpoint_id") or None,
            "before": _checkpoint(before) if before else None,
            "after_thread": None,
            "after_ns": None,
            "after_id": None,
        }
        for name, kind in SOUGHT.items():
            value = self.filter.get(name)
            self.values[name] = value if type(value) is kind else None
        self.size = PAGE if limit is None else max(0, min(PAGE, limit))

    def go_on(self, place: Any, count: int) -> None:
        """The next page begins behind `place`, `count` checkpoints further."""
        self.values |= zip(("after_thread", "after_ns", "after_id"), place, strict=True)
        if self.left is not None:
            self.left -= count
            self.size = min(PAGE, self.left)


class Reading:
    """Reads checkpoints with one handle."""

    def __init__(self, handle: Handle, codec: Codec) -> None:
        self.handle = handle
        self.codec = codec

    def one(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, or the newest."""
        row = self._row(config)
        if row is None:
            return None
        found = self._tuple(row)
        return found._replace(config=config) if _checkpoint(config) else found

    def page(self, wanted: Wanted) -> list[CheckpointTuple]:
        """The next checkpoints of a list, newest first."""
        found: list[CheckpointTuple] = []
        sql = SEVERAL if wanted.values["thread"] is None else OF_THREAD
        for row in self.handle.execute(sql, wanted.values):
            about = self._metadata(row)
            if all(about.get(name) == value for name, value in wanted.filter.items()):
                found.append(self._tuple(row))
                if len(found) == wanted.size:
                    wanted.go_on(row[:3], len(found))
                    return found
        wanted.size = 0
        return found

    def history(
        self, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """See BaseCheckpointSaver.get_delta_channel_history."""
        row = self._row(config) if channels else None
        found: dict[str, DeltaChannelHistory] = {c: {"writes": []} for c in channels}
        if row is None:
            return found
        remaining = set(channels)
        for checkpoint, held in self.handle.execute(CHAIN, row[:3]).fetchall():
            if not remaining:
                break
            here: dict[str, list[PendingWrite]] = {}
            for write in self._writes((row[0], row[1], checkpoint), remaining):
                here.setdefault(write[1], []).append(write)
            for channel, writes in here.items():
                found[channel]["writes"][:0] = writes
            values = {c: v for c, v in json.loads(held).items() if c in remaining}
            for channel, value in self._values(values).items():
                found[channel]["seed"] = value
                remaining.discard(channel)
        return found

    def _row(self, config: RunnableConfig) -> Any:
        asked = config["configurable"]
        key = (str(asked["thread_id"]), asked.get("checkpoint_ns", ""))
        checkpoint = _checkpoint(config)
        if checkpoint:
            return self.handle.execute(ONE, (*key, checkpoint)).fetchone()
        return self.handle.execute(NEWEST, key).fetchone()

    def _tuple(self, row: Any) -> CheckpointTuple:
        thread, namespace, checkpoint, parent, _, rest, channels, encoding, encoded = row
        kept = (
            json.loads(rest) if encoding is None else self._whole(encoding, encoded)["checkpoint"]
        )
        return CheckpointTuple(
            config=config_of(thread, namespace, checkpoint),
            checkpoint=cast(
                Checkpoint, {**kept, "channel_values": self._values(json.loads(channels))}
            ),
            metadata=self._metadata(row),  # type: ignore[arg-type]  # a TypedDict of what was given
            parent_config=config_of(thread, namespace, parent) if parent else None,
            pending_writes=self._writes((thread, namespace, checkpoint)),
        )

    def _whole(self, encoding: str, encoded: bytes) -> Any:
        return self.codec.value(encoding, None, encoded)

    def _metadata(self, row: Any) -> dict[str, Any]:
        if row[7] is None:
            return json.loads(row[4])  # type: ignore[no-any-return]  # an object, as it was written
        return self._whole(row[7], row[8])["metadata"]  # type: ignore[no-any-return]  # the same

    def _values(self, channels: Mapping[str, Any]) -> dict[str, Any]:
        """Channels' values; a channel whose value is gone has none."""
        top = self._parts([value_id for value_id, _ in channels.values()])
        lists = {i: json.loads(p[1]) for i, p in top.items() if p[0] == "list"}
        inner = self._parts([e for elements in lists.values() for e in elements])
        value, elements = self.codec.value, self.codec.elements
        return {
            channel: elements([inner[e] for e in lists[i]]) if i in lists else value(*top[i])
            for channel, (i, _) in channels.items()
            if i in top
        }

    def _parts(self, ids: Sequence[int]) -> dict[int, Any]:
        if not ids:
            return {}
        found = self.handle.execute(VALUES, (json.dumps(ids),))
        return {row[0]: row[1:] for row in found}

    def _writes(self, key: Any, channels: set[str] | None = None) -> list[PendingWrite]:
        value = self.codec.value
        return [
            (task, channel, value(*kept))
            for task, channel, *kept in self.handle.execute(WRITES, key)
            if channels is None or channel in channels
        ]


def _checkpoint(config: RunnableConfig) -> str | None:
    """The checkpoint that a config names; None for the newest."""
    return config["configurable"].get("checkpoint_id") or None
