"""Rows that another process commits, until an aggregate over 300,000 shows them.

First a thousand at once, in CPU time; then 5,000 a second for some seconds, 50 to a commit, from
each commit to the end of the first aggregate that has it: wall time, since waiting is what counts.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import apsw

import sqlagent
from benchmarks.bench import Bench
from benchmarks.measure import cpu, cpu_of, share

WRITER = """
import sqlite3, sys
con = sqlite3.connect(sys.argv[1], timeout=60)
n = int(sys.argv[2])
for line in sys.stdin:
    ids = range(n, n + 1000)
    con.executemany("INSERT INTO sales (id, region, amount) VALUES (?, ?, ?)",
                    [(i, "NSEW"[i % 4], i % 100) for i in ids])
    con.executemany("INSERT INTO memories (agent_id, content) VALUES ('new', ?)",
                    [(f"row {i}",) for i in ids])
    con.commit()
    n += 1000
    print(n, flush=True)
"""
STREAM = """
import sqlite3, sys, time
con = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
n, end = int(sys.argv[2]), time.time() + float(sys.argv[3])
due = time.time()
while time.time() < end:
    con.execute("BEGIN IMMEDIATE")
    con.executemany("INSERT INTO sales (id, region, amount) VALUES (?, ?, ?)",
                    [(i, "NSEW"[i % 4], i % 100) for i in range(n, n + 50)])
    con.execute("COMMIT")
    n += 50
    print(n, time.time(), flush=True)
    due += 0.01
    time.sleep(max(0.0, due - time.time()))
"""
SALES = "SELECT region, count(*), sum(amount) FROM sales GROUP BY region ORDER BY region"
MEMORIES = "SELECT agent_id, count(*), avg(importance) FROM memories GROUP BY agent_id"
INSERT = "INSERT INTO sales (id, region, amount) VALUES (?, ?, ?)"


def run(bench: Bench) -> None:
    """CPU from the start of the statement, a business table and one of ours; every answer exact."""
    path = bench.folder / "agent.db"
    con = sqlagent.connect(path)
    con.execute("SET embedding_model = 'none'")  # the time is for the rows, not for a model
    con.execute("CREATE TABLE sales (id INTEGER PRIMARY KEY, region TEXT, amount DOUBLE)")
    n = bench.size(300_000, 30_000)
    con.executemany(INSERT, [(i, "NSEW"[i % 4], i % 100) for i in range(n)])
    for _ in range(6):
        con.execute(SALES).fetchall()
        con.execute(MEMORIES).fetchall()
    raw = apsw.Connection(str(path))
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(n)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert writer.stdin is not None and writer.stdout is not None
    sales, memories, peer, base = [], [], [], n
    for _ in range(bench.size(15, 3)):
        writer.stdin.write("\n")
        writer.stdin.flush()
        n = int(writer.stdout.readline())
        rows, took = timed(con, SALES)
        sales.append(took)
        bench.check("every sale is in it", rows == expected(n), rows)
        rows, took = timed(con, MEMORIES)
        memories.append(took)
        bench.check("every memory is in it", [r[1] for r in rows if r[0] == "new"] == [n - base])
        peer.append(1000 * cpu_of(lambda: raw.execute(SALES).fetchall()))
    writer.stdin.close()
    writer.wait()
    beside = "raw apsw, scanning the file"
    what = f"CPU of an aggregate over {base:,} after 1,000 more"
    bench.report(what, median(sales), "ms", reach=50, beside=beside, peer=median(peer))
    bench.report("the same over memories", median(memories), "ms", reach=50)
    still = [timed(con, SALES.replace("count(*)", f"count(*) + {i} - {i}"))[1] for i in range(5)]
    bench.report("CPU with nothing new", median(still), "ms")
    stream(bench, con, path, n)
    con.close()


def stream(bench: Bench, con: Any, path: Path, n: int) -> None:
    """Poll an aggregate while 5,000 rows a second arrive."""
    seconds = bench.size(8, 1)
    writer = subprocess.Popen(
        [sys.executable, "-c", STREAM, str(path), str(n), str(seconds)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert writer.stdout is not None
    committed: list[tuple[int, float]] = []

    def listen(lines: Any) -> None:
        for line in lines:
            rows, at = line.split()
            committed.append((int(rows), float(at)))

    listener = threading.Thread(target=listen, args=(writer.stdout,))
    listener.start()
    seen: list[tuple[int, float]] = []
    used = cpu()
    while listener.is_alive():
        known = committed[-1][0] if committed else n
        rows = con.execute(SALES).fetchall()
        count = sum(row[1] for row in rows)
        bench.check("no less than was committed before", count >= known, (count, known))
        seen.append((count, time.time()))
        time.sleep(0.01)
    used = 1000 * (cpu() - used) / len(seen)
    listener.join()
    rows = con.execute(SALES).fetchall()
    bench.check("every row is in the last", rows == expected(committed[-1][0]))
    seen.append((sum(row[1] for row in rows), time.time()))
    waits, at = [], 0
    for rows_then, then in committed:
        while seen[at][0] < rows_then:
            at += 1
        waits.append(1000 * max(0.0, seen[at][1] - then))
    waits.sort()
    rate = (committed[-1][0] - n) / seconds
    bench.report(f"commit to visible, p95, at {rate:,.0f} rows a second", share(waits, 0.95),
                 "ms wall", reach=100)  # fmt: skip
    bench.report("CPU of an aggregate meanwhile", used, "ms")


def timed(con: Any, sql: str) -> tuple[list[tuple[Any, ...]], float]:
    """The rows, and CPU milliseconds."""
    before = cpu()
    rows = con.execute(sql).fetchall()
    return rows, 1000 * (cpu() - before)


def expected(n: int) -> list[tuple[str, int, float]]:
    """What SALES must say of n rows."""
    found = []
    for region in "ENSW":
        amounts = [i % 100 for i in range("NSEW".index(region), n, 4)]
        found.append((region, len(amounts), float(sum(amounts))))
    return found
