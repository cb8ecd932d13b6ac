"""Starting: import, connect to a file that exists, one point query, beyond bare Python."""

from __future__ import annotations

from statistics import median

import sqlagent
from benchmarks.bench import Bench
from benchmarks.data import MEMORY, STATE, text
from benchmarks.measure import child, cpu_of

BEFORE = "import json, os, resource\n"
OURS = """
import sqlagent
con = sqlagent.connect("agent.db")
found = con.execute("SELECT data FROM states WHERE agent_id = ?", ("ada",)).fetchone()[0]
"""
LANGGRAPH = """
import sqlite3
from langgraph.checkpoint.sqlite import SqliteSaver
saver = SqliteSaver(sqlite3.connect("langgraph.db", check_same_thread=False))
found = saver.get_tuple({"configurable": {"thread_id": "ada", "checkpoint_ns": ""}})
"""
CHROMA = """
import chromadb
from chromadb.config import Settings
client = chromadb.PersistentClient("chroma", Settings(anonymized_telemetry=False))
found = client.get_or_create_collection("states", embedding_function=None).get(["ada"])
"""
AFTER = """
use = resource.getrusage(resource.RUSAGE_SELF)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
told = found if isinstance(found, str) else None
cpu_ms = 1000 * (use.ru_utime + use.ru_stime)
print(json.dumps([cpu_ms, int(peak) * 1.024 / 1000, told]), flush=True)
os._exit(0)
"""


def run(bench: Bench) -> None:
    """15 processes each, in turns; medians of CPU time and of peak resident memory."""
    con = sqlagent.connect(bench.folder / "agent.db")
    con.execute("SELECT save_state('ada', ?)", (STATE % 1,))
    rows = bench.size(20_000, 2_000)
    con.executemany(MEMORY, [(i, f"a{i % 50}", text(i), 0.5) for i in range(1, rows + 1)])
    con.close()

    peers = {}
    if bench.peer("langgraph.checkpoint.sqlite", "langgraph-checkpoint-sqlite"):
        peers["langgraph SqliteSaver"] = LANGGRAPH
    if not bench.quick and bench.peer("chromadb", "chromadb"):
        peers["chromadb"] = CHROMA

    def process(code: str) -> tuple[float, float, str | None]:
        cpu_ms, peak_mb, told = child(BEFORE + code + AFTER, folder=bench.folder)
        return cpu_ms, peak_mb, told

    process(OURS)
    bare, ours = [], []
    for _ in range(bench.size(15, 3)):
        bare.append(process("found = None"))
        ours.append(process(OURS))
        bench.check("the state is there at once", ours[-1][2] == STATE % 1, ours[-1][2])
    base_ms, base_mb = (median(column) for column in list(zip(*bare, strict=True))[:2])
    cpu_ms = median(cpu for cpu, _, _ in ours) - base_ms
    peak_mb = median(peak for _, peak, _ in ours) - base_mb
    theirs = {}
    for name, code in peers.items():
        process(code)
        seen = [process(code) for _ in range(bench.size(5, 1))]
        theirs[name] = (median(s[0] for s in seen) - base_ms, median(s[1] for s in seen) - base_mb)
    name, (their_ms, their_mb) = next(iter(theirs.items()), ("", (None, None)))
    bench.report("CPU beyond bare Python", cpu_ms, "ms", reach=50, beside=name, peer=their_ms)
    bench.report("memory beyond bare Python", peak_mb, "MB", reach=25, beside=name, peer=their_mb)
    for name, (their_ms, their_mb) in list(theirs.items())[1:]:
        bench.report("CPU beyond bare Python", cpu_ms, "ms", beside=name, peer=their_ms)
        bench.report("memory beyond bare Python", peak_mb, "MB", beside=name, peer=their_mb)
    bench.note(f"bare Python takes {base_ms:.0f} ms and {base_mb:.0f} MB")
    new_files(bench)


def new_files(bench: Bench) -> None:
    """A file that is not there yet, and a database in memory: opened and closed, CPU of each."""
    sqlagent.connect(bench.folder / "first.db").close()  # which makes the image of the schema
    count = bench.size(40, 4)

    def files() -> None:
        for n in range(count):
            sqlagent.connect(bench.folder / f"new{n}.db").close()

    def memory() -> None:
        for _ in range(count):
            sqlagent.connect(":memory:").close()

    bench.report("a new file", 1000 * cpu_of(files) / count, "ms")
    bench.report("a new database in memory", 1000 * cpu_of(memory) / count, "ms")
    with sqlagent.connect(bench.folder / "new0.db") as con:
        found = con.execute("SELECT count(*) FROM sqlagent_migrations").fetchone()[0]
    con.close()
    bench.check("the new file is whole", found > 0, found)
