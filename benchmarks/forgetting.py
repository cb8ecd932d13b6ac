"""Forgetting, bringing back, policies and strength over an agent of many memories: CPU time."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import sqlagent
from benchmarks.bench import Bench

MEMORIES = """
INSERT INTO memories (agent_id, content, importance, tier, created_at)
SELECT 'ada', CASE WHEN i % 2 = 0 THEN 'A thing of little weight ' ELSE '无关紧要的事 ' END || i,
  (i % 10) / 100.0, CASE WHEN i % 3 = 0 THEN 'long_term' ELSE 'short_term' END, '2024-01-01'
FROM range(?) t(i)
"""
SOURCES = """
INSERT INTO memory_sources (memory_id, source_memory_id)
SELECT memory_id, memory_id - 1 FROM memories WHERE memory_id % 10 = 0
"""
PLAIN = "UPDATE memories SET archived_at = ? WHERE agent_id = 'ada'"
STATE = "SELECT count(archived_at), count(*) FILTER (tier = 'long_term') FROM memories"


def run(bench: Bench) -> None:
    """An agent of 100,000 weak memories, a tenth of them made from others."""
    count = bench.size(100_000, 2_000)
    con = sqlagent.connect(bench.folder / "agent.db", embedding_model="none", result_cache=False)
    con.execute(MEMORIES, (count,))
    con.execute(SOURCES)
    con.execute("SET route = 'sqlite'")
    before = con.execute(STATE).fetchall()
    times: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = work()
        times.setdefault(name, []).append(time.process_time() - start)
        return result

    def ask(sql: str) -> Any:
        return con.execute(sql).fetchone()[0]

    for _ in range(bench.size(3, 1)):
        planned = timed("dry_run", lambda: ask("SELECT forget('ada', dry_run => true)"))
        done = timed("forget", lambda: ask("SELECT forget('ada')"))
        bench.check("as many as planned are forgotten", done == planned == count, (done, planned))
        bench.check("nothing is left to forget", ask("SELECT forget('ada')") == 0)
        back = timed("unforget", lambda: ask("SELECT unforget('ada')"))
        bench.check("as many come back", back == done, back)
        timed("plain", lambda: con.execute(PLAIN, ("2026-01-01",)))
        con.execute(PLAIN, (None,))
        # What was just brought back is left alone for a month, were it known.
        con.execute("DELETE FROM sqlagent_operation_rows")
        moved = timed("policies", lambda: ask("SELECT apply_policies('ada')"))
        bench.check("policies move memories", moved > count // 2, moved)
        timed("again", lambda: ask("SELECT apply_policies('ada')"))
        ask("SELECT undo(max(operation_id)) FROM sqlagent_operations")
        bench.check("all is as it was", con.execute(STATE).fetchall() == before)
        timed("strength", lambda: ask("SELECT sum(strength) FROM memory_strength"))
        timed("due", lambda: con.execute("SELECT * FROM review_due('ada')").fetchall())
    size = f"{count:,} memories"
    cpu = {name: median(found) for name, found in times.items()}
    plain = {"beside": "one UPDATE of the same rows", "peer": cpu["plain"]}
    bench.report(f"forget {size}", cpu["forget"], "s", reach=5.0, **plain)
    bench.report(f"unforget {size}", cpu["unforget"], "s", reach=5.0, **plain)
    bench.report(f"apply_policies over {size}", cpu["policies"], "s", reach=5.0, **plain)
    bench.report("apply_policies, nothing to do", cpu["again"], "s")
    bench.report("forget, dry run", cpu["dry_run"], "s")
    bench.report("review_due", cpu["due"], "s")
    bench.report("strength, a memory", 1e6 * cpu["strength"] / count, "µs", reach=2.0)
    con.close()
