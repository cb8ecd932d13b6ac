"""A large state: space and times of its versions, forks, merges, and how soon a watch hears."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median

import sqlagent
from benchmarks.bench import Bench
from benchmarks.measure import cpu, share
from benchmarks.saver import saver

LETTERS = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
KEYS = 1000  # of a thousand letters each: a state of 1 MB
SAVE = "SELECT save_state(?, ?)"
AT = "SELECT version, data FROM state_at('ada', ?)"
DIFF = "SELECT count(*) FROM state_diff('ada', ?, ?)"
WATCH = "SELECT seq, pk FROM watch('eve', since => ?, timeout_ms => 2000)"
WRITER = """
import sys, time
import sqlagent
con = sqlagent.connect(sys.argv[1])
con.execute("SELECT save_state('bob', '0')")
print('ready', flush=True)
for line in sys.stdin:
    con.execute("SELECT save_state('eve', ?)", (line,)).fetchall()
    print(time.time(), flush=True)
"""


def value(rng: random.Random) -> str:
    """A thousand random letters, which nothing can compress much."""
    return "".join(rng.choices(LETTERS, k=1000))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def size(path: Path) -> float:
    """MB of a file, with what stands beside it."""
    found = path.parent.glob(path.name + "*")
    return sum(p.stat().st_size for p in found if p.is_file()) / 1e6


def run(bench: Bench) -> None:
    """All on one file; CPU time, but for the watch."""
    path = bench.folder / "agent.db"
    con = sqlagent.connect(path)
    rng = random.Random(1)
    state = {f"key{n:04d}": value(rng) for n in range(KEYS)}
    versions = bench.size(10_000, 60)
    saves, sums = [], {}
    for n in range(versions):
        state[f"key{rng.randrange(KEYS):04d}"] = value(rng)
        text = json.dumps(state)
        before = cpu()
        (version,) = con.execute(SAVE, ("ada", text)).fetchall()[0]
        saves.append(cpu() - before)
        if n % max(1, versions // 200) == 0 or n == versions - 1:
            sums[version] = digest(text)
    con.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    used = size(path)
    bench.report(f"space of {versions:,} versions of 1 MB", used, "MB",
                 reach=4 + 46 * versions / 10_000)  # fmt: skip
    bench.report("save, CPU", 1000 * median(saves), "ms", reach=8)
    peer(bench, rng, used / versions, median(saves))

    times = dict(con.execute("SELECT version, created_at FROM state_history('ada')").fetchall())
    took = []
    for wanted, sum_ in sums.items():
        before = cpu()
        found, data = con.execute(AT, (times[wanted],)).fetchall()[0]
        took.append(cpu() - before)
        # Of two within a millisecond it is the later one.
        right = digest(data) == sum_ if found == wanted else times[found] == times[wanted]
        bench.check("state_at gives what was saved", right, (found, wanted))
    bench.report(
        "state_at of any version, p95 CPU", 1000 * share(sorted(took), 0.95), "ms", reach=5
    )

    took = []
    for n in range(bench.size(31, 5)):
        before = cpu()
        con.execute("SELECT fork('ada', ?)", (f"fork{n}",)).fetchall()
        took.append(cpu() - before)
    bench.report("fork, CPU", 1000 * median(took), "ms", reach=5)
    data = con.execute("SELECT data FROM states WHERE agent_id = 'fork1'").fetchall()[0][0]
    bench.check("a fork is whole", digest(data) == sums[versions])

    con.execute(DIFF, (1, 2)).fetchall()  # the first plan imports a parser
    before = cpu()
    steps = con.execute(DIFF, (versions - 20, versions)).fetchall()[0][0]
    bench.report("state_diff over 20 versions, CPU", 1000 * (cpu() - before), "ms")
    bench.check("a step for each key that changed", 1 <= steps <= 20, steps)
    for agent, key in (("ada", "key0003"), ("fork0", "key0700")):
        con.execute(SAVE, (agent, json.dumps({**state, key: agent}))).fetchall()
    con.execute("SELECT path FROM merge_states('nobody', 'nobody')").fetchall()
    before = cpu()
    rows = con.execute("SELECT path FROM merge_states('ada', 'fork0')").fetchall()
    bench.report("merge_states, CPU", 1000 * (cpu() - before), "ms")
    data = con.execute("SELECT data FROM states WHERE agent_id = 'ada'").fetchall()[0][0]
    wanted_state = {**state, "key0003": "ada", "key0700": "fork0"}
    bench.check("both changes are there", rows == [] and json.loads(data) == wanted_state)
    heard(bench, con, path)
    con.close()


def peer(bench: Bench, rng: random.Random, each_mb: float, save: float) -> None:
    """LangGraph's saver, with a few versions: it keeps each whole."""
    other = saver(bench)
    if other is None:
        return
    state = {f"key{n:04d}": value(rng) for n in range(KEYS)}
    saves = []
    count = bench.size(100, 10)
    for _ in range(count):
        state[f"key{rng.randrange(KEYS):04d}"] = value(rng)
        text = json.dumps(state)
        before = cpu()
        other.put("ada", text)
        saves.append(cpu() - before)
    other.saver.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    mb = size(bench.folder / "langgraph.db") / count
    name = "langgraph SqliteSaver"
    bench.report("space of a version", each_mb, "MB", beside=name, peer=mb)
    bench.report("save, CPU", 1000 * save, "ms", beside=name, peer=1000 * median(saves))


def heard(bench: Bench, con: sqlagent.Connection, path: Path) -> None:
    """From a commit in another process until a watch here has returned it."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], text=True, env={**os.environ},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    bench.check("the writer is ready", process.stdout.readline() == "ready\n")
    last = "SELECT seq FROM sqlagent_change_log ORDER BY seq DESC LIMIT 1"
    seq = con.execute(last).fetchall()[0][0]
    con.execute(WATCH, (0,)).fetchall()
    took = []
    for n in range(bench.size(300, 20)):

        def ask(n: int = n) -> None:
            process.stdin.write(f"{n}\n")
            process.stdin.flush()

        later = threading.Timer(0.02 + 0.001 * (n * 7 % 23), ask)  # the wait has begun by then
        later.start()
        rows = con.execute(WATCH, (seq,)).fetchall()
        at = time.time()
        took.append(at - float(process.stdout.readline()))
        seq = rows[-1][0]
        later.join()
    process.stdin.close()
    process.wait()
    p95 = 1000 * share(sorted(took), 0.95)
    bench.report("watch hears another process, p95", p95, "ms", reach=50)
    before, began = cpu(), time.perf_counter()
    idle_ms = bench.size(3000, 300)
    con.execute("SELECT seq FROM watch('nobody', timeout_ms => ?)", (idle_ms,)).fetchall()
    idle = 100 * (cpu() - before) / (time.perf_counter() - began)
    bench.report("CPU of waiting", idle, "%", reach=1)
