"""A checkpoint on its way into the file: encoded before the writer is taken, then written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    get_checkpoint_metadata,
)

from sqlagent.langgraph import rows
from sqlagent.langgraph.values import Codec, Listed, Part, plain

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle


class Written(NamedTuple):
    """A checkpoint, ready to be written."""

    key: rows.Key
    parent: str | None
    columns: tuple[Any, ...]  # agent_id .. checkpoint, as rows.CHECKPOINT has them
    encoding: str | None
    encoded: bytes | None
    versions: Mapping[str, Any]  # of every channel
    values: Mapping[str, Part | Listed]  # of those that are new
    others: Mapping[str, Any]  # values of those that the parent should have
    gone: frozenset[str]  # new versions without a value
    codec: Codec

    def put(self, handle: Handle) -> None:
        """Write it, and what of its values the thread does not have."""
        before = rows.before(handle, (*self.key[:2], self.parent or ""))
        held, new = {}, dict(self.values)
        for channel, version in self.versions.items():
            if channel in new or channel in self.gone:
                continue
            known = before.channels.get(channel)
            if known is not None and known[1] == version:
                held[channel] = known
            elif channel in self.others:
                new[channel] = self.codec.whole_or_listed(self.others[channel])
        ids = rows.keep(handle, self.key[0], new, self.codec)
        held |= {
            channel: (value_id, self.versions.get(channel)) for channel, value_id in ids.items()
        }
        agent, user, *columns = self.columns
        agent, user = agent or before.agent_id, user or before.user_id
        handle.execute(
            rows.CHECKPOINT,
            (*self.key, self.parent, agent, user, *columns, json.dumps(held, ensure_ascii=False),
             self.encoding, self.encoded),
        )  # fmt: skip


def written(
    codec: Codec,
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    new_versions: ChannelVersions,
) -> Written:
    """A checkpoint of the thread and namespace of `config`, whose checkpoint is its parent."""
    asked = config["configurable"]
    key = (str(asked["thread_id"]), asked.get("checkpoint_ns", ""), checkpoint["id"])
    given = checkpoint["channel_values"]
    versions = checkpoint["channel_versions"]
    fresh = [c for c in given if c in new_versions or c not in versions]
    rest = {name: value for name, value in checkpoint.items() if name != "channel_values"}
    about: dict[str, Any] = dict(get_checkpoint_metadata(config, metadata))
    rest_text = plain(rest) if codec.open else None
    about_text = plain(about)
    encoding, encoded = None, None
    if rest_text is None or about_text is None:
        encoding, encoded = codec.serde.dumps_typed({"checkpoint": rest, "metadata": about})
        shown = json.loads(codec.shown(encoding, encoded) or "{}")
        rest_text = json.dumps(shown.get("checkpoint"), ensure_ascii=False)
        if about_text is None:
            about_text = json.dumps(shown.get("metadata", {}), ensure_ascii=False)
    columns = (
        _text(asked.get("agent_id") or about.get("agent_id")),
        _text(asked.get("user_id") or about.get("user_id")),
        _text(about.get("run_id")),
        about.get("source"),
        about.get("step"),
        checkpoint.get("ts"),
        about_text,
        rest_text,
    )
    return Written(
        key, asked.get("checkpoint_id"), columns, encoding, encoded, versions,
        {c: codec.whole_or_listed(given[c]) for c in fresh},
        {c: v for c, v in given.items() if c not in fresh},
        frozenset(c for c in new_versions if c not in given), codec,
    )  # fmt: skip


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
