"""Checkpoints of LangGraph's threads: `SqlAgentSaver`, and `AsyncSqlAgentSaver` for event loops."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from sqlagent.connection import Connection
from sqlagent.errors import ProgrammingError
from sqlagent.langgraph import rows
from sqlagent.langgraph.checkpoints import Written, written
from sqlagent.langgraph.reading import Reading, Wanted, config_of
from sqlagent.langgraph.values import Codec
from sqlagent.opened import Opened

STRATEGIES = ("keep_latest", "delete")


class SqlAgentSaver(BaseCheckpointSaver[str]):
    """Keeps checkpoints in an agent's file; threads and processes may share it.

    `source` is a path or an open connection; with a connection's BEGIN … COMMIT, checkpoints commit
    with what else the transaction writes. `serde` is LangGraph's: with any other serializer than
    the ordinary one (an encrypting one, say) the file has its bytes alone. `settings` are
    connect()'s. Its asynchronous methods run in threads.
    """

    def __init__(
        self,
        source: Connection | str | os.PathLike[str],
        *,
        serde: SerializerProtocol | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(serde=serde)
        self.opened = Opened(source, **settings)

    @property
    def connection(self) -> Connection:
        """The connection below, to query what is kept."""
        return self.opened.connection

    @property
    def codec(self) -> Codec:
        """How values are kept: by the serializer that there is now."""
        return Codec(self.serde)

    @classmethod
    @contextmanager
    def from_conn_string(cls, conn_string: str, **options: Any) -> Iterator[SqlAgentSaver]:
        """A saver on a path (or ':memory:'), closed at the end."""
        saver = cls(conn_string, **options)
        try:
            yield saver
        finally:
            saver.close()

    def setup(self) -> None:
        """Does nothing: connecting has made the tables."""

    def close(self) -> None:
        """Close the connection, where it was opened here."""
        self.opened.close()

    def __enter__(self) -> SqlAgentSaver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Reading --------------------------------------------------------------------------------------

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, or else the newest of its thread and namespace."""
        with self.opened.read() as handle:
            return Reading(handle, self.codec).one(config)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Checkpoints, newest first: of a thread, a namespace, with that metadata, before one.

        They are read some at a time; nothing is held between.
        """
        wanted = Wanted(config, filter, before, limit)
        while wanted.size:
            yield from self._page(wanted)

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """What channels that keep only changes are rebuilt from, along the chain of parents."""
        with self.opened.read() as handle:
            return Reading(handle, self.codec).history(config, channels)

    # Writing --------------------------------------------------------------------------------------

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint, durably; returns the config that names it."""
        new: Written = written(self.codec, config, checkpoint, metadata, new_versions)
        self.opened.write(new.put)
        return config_of(*new.key)

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Keep what a task wrote; a repeat of it changes only errors, interrupts and the like."""
        asked = config["configurable"]
        key = (str(asked["thread_id"]), asked.get("checkpoint_ns", ""), asked["checkpoint_id"])
        codec = self.codec
        made = []
        for place, (channel, value) in enumerate(writes):
            _, *kept = codec.seen(codec.part(value))
            idx = WRITES_IDX_MAP.get(channel, place)
            made.append((*key, task_id, idx, task_path, channel, *kept))
        self.opened.write(lambda handle: handle.executemany(rows.WRITE, made) and None)

    def delete_thread(self, thread_id: str) -> None:
        """Delete all that a thread has."""
        self.opened.write(lambda handle: rows.remove_threads(handle, [str(thread_id)]))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints that runs made, with their writes."""
        if run_ids:
            self.opened.write(lambda handle: rows.remove_runs(handle, run_ids))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy all checkpoints and writes of a thread to another."""
        source, target = str(source_thread_id), str(target_thread_id)
        if source != target:
            self.opened.write(lambda handle: rows.copy(handle, source, target))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep the newest checkpoint of each namespace and what it is rebuilt from
        ('keep_latest'), or nothing ('delete')."""
        if strategy not in STRATEGIES:
            raise ProgrammingError(
                f"strategy is one of {', '.join(STRATEGIES)}, not {strategy!r}", sqlstate="22023"
            )

        def work(handle: Any) -> None:
            if strategy == "delete":
                rows.remove_threads(handle, map(str, thread_ids))
            else:
                for thread in thread_ids:
                    rows.prune(handle, str(thread))

        if thread_ids:
            self.opened.write(work)

    def get_next_version(self, current: str | int | float | None, channel: None) -> str:
        """The next version of a channel: a number that grows, and a random part, so that two
        branches of a thread never give one version to two values."""
        number = int(str(current).split(".")[0]) if current is not None else 0
        return f"{number + 1:032}.{random.random():016}"

    # From an event loop ---------------------------------------------------------------------------

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As get_tuple, in a thread."""
        return await self.opened.away(lambda: self.get_tuple(config))

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """As list, some checkpoints at a time, each in a thread."""
        wanted = Wanted(config, filter, before, limit)
        while wanted.size:
            for found in await self.opened.away(lambda: self._page(wanted)):
                yield found

    def _page(self, wanted: Wanted) -> Sequence[CheckpointTuple]:
        with self.opened.read() as handle:
            return Reading(handle, self.codec).page(wanted)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """As get_delta_channel_history, in a thread."""
        return await self.opened.away(
            lambda: self.get_delta_channel_history(config=config, channels=channels)
        )

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As put, in a thread."""
        return await self.opened.away(lambda: self.put(config, checkpoint, metadata, new_versions))

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """As put_writes, in a thread."""
        await self.opened.away(lambda: self.put_writes(config, writes, task_id, task_path))

    async def adelete_thread(self, thread_id: str) -> None:
        """As delete_thread, in a thread."""
        await self.opened.away(lambda: self.delete_thread(thread_id))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """As delete_for_runs, in a thread."""
        await self.opened.away(lambda: self.delete_for_runs(run_ids))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """As copy_thread, in a thread."""
        await self.opened.away(lambda: self.copy_thread(source_thread_id, target_thread_id))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """As prune, in a thread."""
        await self.opened.away(lambda: self.prune(thread_ids, strategy=strategy))


class AsyncSqlAgentSaver(SqlAgentSaver):
    """The saver for event loops: opened and closed without blocking the loop either."""

    @classmethod
    @asynccontextmanager
    async def from_conn_string(  # type: ignore[override]  # as LangGraph's own pairs are
        cls, conn_string: str, **options: Any
    ) -> AsyncIterator[AsyncSqlAgentSaver]:
        """A saver on a path (or ':memory:'), closed at the end."""
        import asyncio

        saver = await asyncio.to_thread(lambda: cls(conn_string, **options))
        try:
            yield saver
        finally:
            await saver.aclose()

    async def aclose(self) -> None:
        """Close the connection, where it was opened here."""
        import asyncio

        await asyncio.to_thread(self.close)

    async def setup(self) -> None:  # type: ignore[override]  # as LangGraph's own pairs are
        """Does nothing: connecting has made the tables."""

    async def __aenter__(self) -> AsyncSqlAgentSaver:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
