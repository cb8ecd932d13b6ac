"""A million vectors of 384 dimensions by sqlagent and by others, in one run.

--peers PYTHON names an interpreter that has the others; what it has not is left out, with a word.
A peer that has not loaded all within --peer-seconds of CPU (300) is asked about what it has.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import vector_peer
from benchmarks.bench import Bench
from benchmarks.data import DIMENSIONS, Mixture

CPU_S = "300"
PART = 50_000
PACKAGES = {
    "sqlite-vec": "sqlite-vec apsw", "duckdb": "duckdb pyarrow", "lance": "lancedb",
    "lance ivf_pq": "lancedb", "usearch": "usearch", "chroma": "chromadb",
}  # fmt: skip


def run(bench: Bench) -> None:
    """CPU of a query (median of 40), recall@10 against the exact answer, CPU of loading and
    building, memory."""
    import numpy as np

    count = bench.size(1_000_000, 5_000)
    source = Mixture(seed=13)
    queries = source.draw(40)
    np.save(bench.folder / "queries.npy", queries)
    vectors = np.lib.format.open_memmap(
        bench.folder / "vectors.npy", "w+", np.float32, (count, DIMENSIONS)
    )
    for start in range(0, count, PART):
        vectors[start : start + PART] = source.draw(min(PART, count - start))
    vectors.flush()
    ours: dict[str, Any] = {}
    for name in vector_peer.PEERS:
        told = asked(bench, name, count)
        if told is None:
            continue
        truth = nearest(vectors[: told["rows"]], queries)
        hits = sum(len(set(a) & set(b)) for a, b in zip(told["found"], truth, strict=False))
        told["recall"] = hits / (10 * len(told["found"]))
        ours = ours or told
        reported(bench, name, told, ours)
        if told["rows"] < count:
            bench.note(f"{name} had {told['rows']:,} rows after {told['loaded']:.0f} s of CPU")
    bench.check("most of the nearest are found", ours["recall"] > 0.8, ours["recall"])


def asked(bench: Bench, name: str, count: int) -> dict[str, Any] | None:
    """What a peer's process tells; None where it is not installed, or fails."""
    python = sys.executable if name == "sqlagent" else bench.options.get("peers") or sys.executable
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path} if name == "sqlagent" else {**os.environ}
    if name != "sqlagent":
        environment.pop("PYTHONPATH", None)
    seconds = bench.options.get("peer_seconds") or CPU_S
    script = str(Path(vector_peer.__file__).resolve())
    command = [python, script, name, str(bench.folder), str(count), seconds]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    shutil.rmtree(bench.folder / name.replace(" ", "_"), ignore_errors=True)
    if done.returncode == 3:
        bench.note(f"{name} is not installed: pip install {PACKAGES[name]}, or --peers PYTHON")
        return None
    if done.returncode:
        if name == "sqlagent":
            raise RuntimeError(done.stderr.strip()[-500:])
        bench.note(f"{name} failed: {done.stderr.strip()[-200:]}")
        return None
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def nearest(vectors: Any, queries: Any) -> list[list[int]]:
    """The exact ten of each query."""
    import numpy as np

    score = np.zeros((len(queries), 0), np.float32)
    ids = np.zeros((len(queries), 0), np.int64)
    for start in range(0, len(vectors), PART):
        part = queries @ vectors[start : start + PART].T
        score = np.concatenate((score, part), axis=1)
        new = np.arange(start, start + part.shape[1])
        ids = np.concatenate((ids, np.broadcast_to(new, part.shape)), axis=1)
        best = np.argsort(-score, axis=1)[:, :10]
        score, ids = np.take_along_axis(score, best, 1), np.take_along_axis(ids, best, 1)
    found: list[list[int]] = ids.tolist()
    return found


def reported(bench: Bench, name: str, told: dict[str, Any], ours: dict[str, Any]) -> None:
    """A peer's lines, beside ours."""
    query = median(told["took"][1:])
    beside: dict[str, Any] = {}
    if told is not ours:
        beside = {"beside": "sqlagent", "peer": median(ours["took"][1:])}
    print(f"{name}: {query:.3g} ms, recall {told['recall']:.3f}", file=sys.stderr, flush=True)
    bench.report(f"CPU of a query, {name}", query, "ms", **beside)
    bench.report(f"recall@10, {name}", told["recall"], "")
    rate = told["rows"] / max(1e-9, told["loaded"] + told["built"])
    bench.report(f"vectors loaded and built a CPU second, {name}", rate, "/s")
    bench.report(f"memory of its own, {name}", told["memory"], "MB")
