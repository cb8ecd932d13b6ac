"""LangGraph's checkpoints: a conversation that grows, and many threads at once, beside LangGraph's
own saver on SQLite, which is durable in the same way here (WAL, synchronous=FULL)."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.bench import Bench
from benchmarks.measure import cpu
from benchmarks.saver import saver as peer_of

THREADS = 16


def config(name: str) -> Any:
    return {"configurable": {"thread_id": name, "checkpoint_ns": ""}}


def talk(saver: Any, name: str, turns: int) -> list[float]:
    """A conversation of `turns` messages of half a kilobyte; the CPU seconds of each save."""
    from langchain_core.messages import HumanMessage
    from langgraph.checkpoint.base import empty_checkpoint

    place, messages, version, took = config(name), [], None, []
    for turn in range(turns):
        messages = [*messages, HumanMessage(f"turn {turn} " + "x" * 500, id=str(turn))]
        version = saver.get_next_version(version, None)
        point = empty_checkpoint()
        point["channel_values"] = {"messages": messages}
        point["channel_versions"] = {"messages": version}
        before = cpu()
        place = saver.put(
            place, point, {"source": "loop", "step": turn, "parents": {}}, {"messages": version}
        )
        saver.put_writes(place, [("messages", messages[-1])], f"task{turn}")
        took.append(cpu() - before)
    found = saver.get_tuple(config(name))
    assert found.checkpoint["channel_values"]["messages"] == messages
    return took


def crowd(saver: Any, turns: int) -> float:
    """Checkpoints a second of many threads that talk at once."""
    threads = [
        threading.Thread(target=talk, args=(saver, f"thread {n}", turns)) for n in range(THREADS)
    ]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return THREADS * turns / (time.perf_counter() - start)


def megabytes(path: Path) -> float:
    return sum(p.stat().st_size for p in path.parent.glob(path.name + "*") if p.is_file()) / 1e6


def run(bench: Bench) -> None:
    """Both savers in one run; wall times are a disk's, so the ratios count."""
    from sqlagent.langgraph import SqlAgentSaver

    turns, few = bench.size(200, 12), bench.size(25, 3)
    path = bench.folder / "agent.db"
    with SqlAgentSaver(path, embedding_model="none") as own:
        talk(own, "warm", 3)
        took = median(talk(own, "long", turns)[turns // 2 :])
        kept = own.connection.execute(
            "SELECT max(json_array_length(value)) FROM langgraph_states WHERE thread_id = 'long'"
        ).fetchall()
        bench.check("the thread holds all messages", kept == [(turns,)], kept)
        rate = crowd(own, few)
        own.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        used = megabytes(path)
    found = peer_of(bench)
    if found is None:
        bench.report(f"space of a conversation of {turns} turns, each kept", used, "MB")
        bench.report("save of a turn, CPU", 1000 * took, "ms")
        bench.report(f"checkpoints of {THREADS} threads", rate, "/s")
        return
    theirs = found.saver
    talk(theirs, "warm", 3)
    took_peer = median(talk(theirs, "long", turns)[turns // 2 :])
    rate_peer = crowd(theirs, few)
    theirs.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    used_peer = megabytes(bench.folder / "langgraph.db")
    name = "langgraph-checkpoint-sqlite"
    bench.report(f"space of a conversation of {turns} turns, each kept", used, "MB",
                 peer=used_peer, beside=name)  # fmt: skip
    bench.report("save of a turn, CPU", 1000 * took, "ms", peer=1000 * took_peer, beside=name)
    bench.report(f"checkpoints of {THREADS} threads", rate, "/s", at_least=True, peer=rate_peer,
                 beside=name)  # fmt: skip
