"""The peer for states: LangGraph's checkpoint saver on SQLite, with the same data."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench


class Saver:
    """A SqliteSaver on a file of its own, durable as we are (WAL, synchronous=FULL)."""

    def __init__(self, module: Any, path: Path) -> None:
        import sqlite3

        connection = sqlite3.connect(path, check_same_thread=False)
        self.saver = module.SqliteSaver(connection)
        self.saver.setup()
        connection.execute("PRAGMA synchronous=FULL")
        self.empty = importlib.import_module("langgraph.checkpoint.base").empty_checkpoint

    @staticmethod
    def thread(name: str) -> Any:
        return {"configurable": {"thread_id": name, "checkpoint_ns": ""}}

    def put(self, name: str, data: str) -> None:
        """A new version of a thread's state."""
        point = self.empty()
        point["channel_values"] = {"data": data}
        self.saver.put(self.thread(name), point, {"source": "loop", "step": 1, "parents": {}}, {})

    def get(self, name: str) -> str | None:
        """The newest state of a thread."""
        found = self.saver.get_tuple(self.thread(name))
        return None if found is None else found.checkpoint["channel_values"]["data"]


def saver(bench: Bench) -> Saver | None:
    """The peer, where it is installed."""
    module = bench.peer("langgraph.checkpoint.sqlite", "langgraph-checkpoint-sqlite")
    return None if module is None else Saver(module, bench.folder / "langgraph.db")
