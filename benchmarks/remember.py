"""Remembering with a vector given, durably, and being recalled by the next statement."""

from __future__ import annotations

from itertools import count
from statistics import median

import apsw

import sqlagent
from benchmarks.bench import Bench
from benchmarks.data import DIMENSIONS, Mixture, question, remember_all, text
from benchmarks.measure import Work, cpu, cpu_of, turns

REMEMBER = "SELECT remember(?, ?, embedding => ?)"
RECALL = "SELECT memory_id FROM recall(?, ?, k => 3, embedding => ?)"
RAW = "INSERT INTO memories (agent_id, content, vector) VALUES (?, ?, ?)"


def run(bench: Bench) -> None:
    """CPU of 200 writes a round; then of the recall after each write, less a recall without one."""
    held = bench.size(10_000, 500)
    source = Mixture(seed=5)
    con = sqlagent.connect(bench.folder / "agent.db")
    remember_all(con, "ada", source.draw(held))
    raw = apsw.Connection(str(bench.folder / "raw.db"))
    raw.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL").fetchall()
    raw.execute("CREATE TABLE memories (id INTEGER PRIMARY KEY, agent_id, content, vector)")
    fresh = [v.tobytes() for v in source.draw(4096)]
    writes = bench.size(200, 20)
    numbers = {"ours": count(10**6), "raw": count(10**6)}

    def ours() -> None:
        for _ in range(writes):
            n = next(numbers["ours"])
            con.execute(REMEMBER, ("ada", text(n), fresh[n % 4096])).fetchall()

    def plain() -> None:
        for _ in range(writes):
            n = next(numbers["raw"])
            raw.execute(RAW, ("ada", text(n), fresh[n % 4096]))

    works: list[Work] = [ours, plain]
    chroma = chroma_add(bench, fresh, bench.size(20, 5))
    if chroma is not None:
        works.append(chroma)
    turns(1, works)
    took = turns(bench.size(7, 2), works)
    each = [1000 * median(t) / n for t, n in zip(took, (writes, writes, 20), strict=False)]
    bench.report(
        "CPU of a write", each[0], "ms", reach=0.2, beside="raw apsw, one row", peer=each[1]
    )
    if chroma is not None:
        each[2] = 1000 * median(took[2]) / bench.size(20, 5)
        bench.report("CPU of a write", each[0], "ms", beside="chromadb", peer=each[2])

    def ask(number: int) -> list[int]:
        values = ("ada", question(number), fresh[number % 4096])
        return [row[0] for row in con.execute(RECALL, values).fetchall()]

    ask(1)
    still, after = [], []
    for i in range(bench.size(100, 10)):
        still.append(cpu_of(lambda i=i: ask(i)))  # type: ignore[misc]  # bound at once
        words = f"{text(i)}, marked sigil{i}q"
        written = con.execute(REMEMBER, ("ada", words, fresh[i + 2000])).fetchall()[0][0]
        before = cpu()
        found = con.execute(RECALL, ("ada", f"sigil{i}q", fresh[i + 2000])).fetchall()
        after.append(cpu() - before)
        bench.check("the next statement recalls it first", found[0][0] == written, found)
        still.append(cpu_of(lambda i=i: ask(i + 1)))  # type: ignore[misc]  # bound at once
    catch_up = 1000 * (median(after) - median(still))
    bench.report("CPU that the next recall takes longer", catch_up, "ms", reach=0.2)
    bench.note(f"the agent has {held:,} memories of {DIMENSIONS} dimensions")
    con.close()


def chroma_add(bench: Bench, vectors: list[bytes], adds: int) -> Work | None:
    """The same in Chroma, where it is installed; not at quick size, where it is slow to start."""
    chromadb = None if bench.quick else bench.peer("chromadb", "chromadb")
    if chromadb is None:
        return None
    import numpy as np

    settings = chromadb.Settings(anonymized_telemetry=False)
    client = chromadb.PersistentClient(str(bench.folder / "chroma"), settings)
    collection = client.create_collection("memories", embedding_function=None)
    numbers = count()

    def add() -> None:
        for _ in range(adds):
            n = next(numbers)
            vector = np.frombuffer(vectors[n % len(vectors)], "<f4")
            collection.add(
                ids=[str(n)], embeddings=[vector], documents=[text(n)], metadatas=[{"agent": "ada"}]
            )

    return add
