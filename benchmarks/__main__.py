"""python -m benchmarks [NAME…] [--quick] [--json FILE] [--folder DIR]

Each figure runs in a process of its own, inside a temporary folder that is removed at the end. The
folder should be on a real disk: on one in memory a durable write costs nothing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench, Line
from benchmarks.table import show

FIGURES = (
    "startup", "point_read", "save", "clients", "remember", "recall", "crowd", "nearest",
    "filtered", "vectors_load", "vector_peers", "resident", "freshness", "aggregate", "tpch",
    "imports", "routing", "cross_join", "sqllogic", "columns_table", "materialized", "planning",
    "consolidate", "retrieval", "near_duplicate", "bulk_add", "forgetting", "feedback", "states",
    "graph", "documents", "search_quality", "quack", "extension", "wire", "checkpoints",
)  # fmt: skip
ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> int:
    """Run the figures and print the table; 1 where an answer was wrong or a figure failed."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FIGURES))
    parser.add_argument(
        "--quick", action="store_true", help="small sizes: a test of the benchmarks"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the values there too")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="make the temporary folder there"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="retrieval, search_quality: sets")
    parser.add_argument("--set", metavar="NAME", help="retrieval: only this set of --data")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="retrieval: a line each question")
    parser.add_argument("--peers", metavar="PYTHON", help="vector_peers: who has the peers")
    parser.add_argument("--peer-seconds", metavar="N", help="vector_peers: CPU to load, each")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    unknown = [name for name in asked.names if name not in FIGURES]
    if unknown:
        parser.error(f"unknown figure {unknown[0]!r}: one of {', '.join(FIGURES)}")
    if asked.one:
        print(json.dumps(run_one(asked.names[0], asked.one, asked.quick, **options(asked))))
        return 0
    folder = Path(tempfile.mkdtemp(prefix="sqlagent-bench-", dir=asked.folder))
    try:
        names = asked.names or FIGURES
        return run_all(names, folder, asked.quick, asked.json, **options(asked))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def options(asked: argparse.Namespace) -> dict[str, str | None]:
    """What single figures are told, the paths absolute: figures run in a folder of their own."""
    rows = asked.rows or (Path("retrieval.jsonl") if asked.data else None)
    return {
        "data": str(asked.data.resolve()) if asked.data else None,
        "set": asked.set,
        "rows": str(rows.resolve()) if rows else None,
        "peers": asked.peers,
        "peer_seconds": asked.peer_seconds,
    }


def run_one(name: str, folder: Path, quick: bool, **options: str | None) -> dict[str, Any]:
    """One figure, in this process."""
    import importlib

    own = folder / name
    own.mkdir()
    bench = Bench(name, own, folder, quick, **options)
    importlib.import_module(f"benchmarks.{name}").run(bench)
    return {"lines": bench.lines, "notes": bench.notes, "checked": bench.checked}


def run_all(
    names: Any, folder: Path, quick: bool, target: Path | None, **options: str | None
) -> int:
    """Every figure in its own process, the table, and the file of values."""
    lines: list[Line] = []
    notes: list[str] = []
    failed: list[str] = []
    checked, started = 0, time.monotonic()
    for name in names:
        print(f"{name} …", end="\r", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "benchmarks", name, "--one", str(folder)]
        command += [
            f"--{option.replace('_', '-')}={value}"
            for option, value in options.items()
            if value is not None
        ]
        done = subprocess.run(
            command + ["--quick"] * quick, cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        shutil.rmtree(folder / name, ignore_errors=True)
        if done.returncode:
            failed.append(name)
            continue
        told = json.loads(done.stdout.splitlines()[-1])
        lines += [Line(*values) for values in told["lines"]]
        notes += [note for note in told["notes"] if note not in notes]
        checked += told["checked"]
    seconds = time.monotonic() - started
    show(lines, notes, failed, checked, seconds, quick)
    if target is not None:
        values = [{**line._asdict(), "met": line.met, "times": line.times} for line in lines]
        told = {
            "quick": quick, "seconds": round(seconds, 1), "checked": checked,
            "failed": failed, "notes": notes, "lines": values,
        }  # fmt: skip
        target.write_text(json.dumps(told, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
