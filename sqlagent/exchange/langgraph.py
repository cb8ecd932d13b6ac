"""LangGraph's SQLite files: the checkpoints of SqliteSaver, the items of SqliteStore."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlagent.exchange.foreign import opened, tables
from sqlagent.exchange.records import Kept, Record, Thread, when

CHECKPOINTS = """
SELECT thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata
FROM checkpoints ORDER BY thread_id, checkpoint_ns, checkpoint_id
"""
WRITES = """
SELECT thread_id, checkpoint_ns, checkpoint_id, task_id, idx, {path}, channel, type, value
FROM writes
"""
STORE = "SELECT prefix, key, value, created_at, updated_at FROM store"


def read(path: Path, agent: str | None) -> Iterator[Record]:
    """The checkpoints of all threads with their writes, and the items of the store."""
    known = tables(path)
    with opened(path) as con:
        if {"checkpoints", "writes"} <= known:
            yield from _threads(con)
        if "store" in known:
            for prefix, key, value, created, updated in con.execute(STORE):
                text = value.decode() if isinstance(value, bytes) else value
                yield Kept(prefix, key, text, when(created), when(updated))


def _threads(con: Any) -> Iterator[Record]:
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    import sqlagent.langgraph  # noqa: F401  # says which package is missing
    from sqlagent.langgraph import rows
    from sqlagent.langgraph.checkpoints import written
    from sqlagent.langgraph.values import Codec

    serde = JsonPlusSerializer()
    codec = Codec(serde)
    for thread, namespace, checkpoint, parent, kind, data, about in con.execute(CHECKPOINTS):
        point = serde.loads_typed((kind, data))
        config: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": namespace,
                                        "checkpoint_id": parent}}  # fmt: skip
        point.setdefault("channel_values", {})
        metadata: Any = json.loads(about) if about else {}
        versions = {**dict.fromkeys(point["channel_values"]), **point["channel_versions"]}
        point["id"] = checkpoint
        new = written(codec, config, point, metadata, versions)
        yield Thread(new.put)
    columns = {name for (name,) in con.execute("SELECT name FROM pragma_table_info('writes')")}
    path = "task_path" if "task_path" in columns else "''"
    for *key, channel, kind, data in con.execute(WRITES.format(path=path)):
        _, *kept = codec.seen(codec.part(serde.loads_typed((kind, data))))
        row = (*key, channel, *kept)
        yield Thread(lambda handle, row=row: handle.execute(rows.WRITE, row))
