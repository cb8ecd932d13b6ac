"""Memory of a process that opens a file of a million memories and reads single rows of it."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.data import crowd, text
from benchmarks.measure import child

ASK = """
import json, sys
import sqlagent
from benchmarks.measure import rss_mb
path, count = sys.argv[1], int(sys.argv[2])
con = sqlagent.connect(path)
found = []
for i in range(2000):
    row = con.execute("SELECT content FROM memories WHERE memory_id = ?", (1 + i * 7919 % count,))
    found.append(row.fetchone()[0])
    state = con.execute("SELECT version FROM states WHERE agent_id = ?", (f"agent{i % 100}",))
    assert state.fetchone()[0] == 1
print(json.dumps([rss_mb(), found]))
"""
BARE = "import json; from benchmarks.measure import rss_mb; print(json.dumps(rss_mb()))"


def run(bench: Bench) -> None:
    """Resident memory after 4,000 point queries all over the file."""
    count = bench.size(1_000_000, 20_000)
    path = crowd(bench.shared, count)
    memory, found = child(ASK, path, count, folder=bench.folder)
    wanted = [text(1 + i * 7919 % count) for i in range(2000)]
    bench.check("every memory", found == wanted, found[:2])
    bare = child(BARE, folder=bench.folder)
    bench.report(
        f"resident with {count:,} memories",
        memory,
        "MB",
        reach=100,
        beside="bare Python",
        peer=bare,
    )
    bench.note(f"the file has {path.stat().st_size / 1e6:,.0f} MB")
