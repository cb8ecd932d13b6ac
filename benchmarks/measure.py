"""Time and memory. CPU time where the machine may be shared, in turns where two are compared."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

Work = Callable[[], object]


def cpu() -> float:
    """CPU seconds of this process so far, all its threads."""
    return time.process_time()


def cpu_of(work: Work) -> float:
    """CPU seconds of one call."""
    before = time.process_time()
    work()
    return time.process_time() - before


def wall_of(work: Work) -> float:
    """Wall seconds of one call."""
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def turns(
    rounds: int, works: Sequence[Work], clock: Callable[[Work], float] = cpu_of
) -> list[list[float]]:
    """Seconds of each work in each round: each once a round, in an order that turns around."""
    took: list[list[float]] = [[] for _ in works]
    for number in range(rounds):
        order = range(len(works)) if number % 2 == 0 else reversed(range(len(works)))
        for at in order:
            took[at].append(clock(works[at]))
    return took


def ratio(ours: Sequence[float], peers: Sequence[float]) -> float:
    """The median over the rounds of ours as a multiple of the peer's."""
    return median(a / b for a, b in zip(ours, peers, strict=True))


def share(sorted_values: Sequence[float], part: float) -> float:
    """The value below which that part of the sorted values lies."""
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * part))]


def rss_mb() -> float:
    """Resident memory of this process now, in MB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


def python_loop_ms() -> float:
    """CPU time of a fixed piece of Python: how fast this machine is just now."""

    def work() -> int:
        total = 0
        for i in range(1_000_000):
            total += i & 7
        return total

    return 1000 * median(cpu_of(work) for _ in range(5))


def child(code: str, *arguments: Any, folder: Path) -> Any:
    """Run Python code in a new process inside a folder; what it prints last, read as JSON."""
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=folder, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"a child process failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])
