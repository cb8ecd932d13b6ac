"""A million records of CSV into a table: COPY with a check, beside the sqlite3 shell and DuckDB."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import sqlagent
from benchmarks.bench import Bench
from benchmarks.measure import cpu_of

COLUMNS = "id INTEGER PRIMARY KEY, region VARCHAR, amount DOUBLE, sold_at TIMESTAMP, note VARCHAR"


def run(bench: Bench) -> None:
    """CPU of COPY, of native DuckDB's and of the shell's .import; each must hold every record."""
    import duckdb

    count = bench.size(1_000_000, 20_000)
    path = bench.folder / "sales.csv"
    total = write(path, count)
    con = sqlagent.connect(bench.folder / "agent.db")
    con.execute(f"CREATE TABLE sales ({COLUMNS})")
    copy = f"COPY sales FROM '{path}' (CHECK 'amount >= 0', ON_ERROR reject)"
    ours = cpu_of(lambda: con.execute(copy).fetchall())
    found = con.execute("SELECT count(*), round(sum(amount), 2) FROM sales").fetchone()
    bench.check(
        "every record but the bad ones is in", found == (count - count // 1000, total), found
    )
    rejects = con.execute("SELECT count(*) FROM sqlagent_import_rejects").fetchone()
    bench.check("each bad one is kept", rejects == (count // 1000,), rejects)
    native = duckdb.connect(str(bench.folder / "native.duckdb"))
    native.execute(f"CREATE TABLE sales ({COLUMNS.replace(' PRIMARY KEY', '')})")
    theirs = cpu_of(
        lambda: native.execute(f"COPY sales FROM '{path}' (IGNORE_ERRORS true)").fetchall()
    )
    what = f"CPU of bringing in {count:,} records of CSV with checks"
    bench.report(what, ours, "s", beside="COPY of DuckDB into its own file", peer=theirs)
    shell = shutil.which("sqlite3")
    if shell is None:
        bench.note("the sqlite3 shell is not installed: apt-get install sqlite3")
    else:
        bench.report(what, ours, "s", beside="sqlite3's .import, which checks nothing",
                     peer=by_shell(shell, bench.folder, path))  # fmt: skip
    bench.report("records a second of CPU", count / ours, "/s")
    con.close()


def write(path: Path, count: int) -> float:
    """The file: every thousandth record has no number for its amount. The sum of the others."""
    pick = random.Random(3)
    cents = 0
    with path.open("w", encoding="utf-8") as file:
        file.write("id,region,amount,sold_at,note\n")
        for n in range(count):
            amount = pick.randrange(100_000)
            bad = n % 1000 == 999
            cents += 0 if bad else amount
            shown = "n/a" if bad else f"{amount / 100:.2f}"
            file.write(f"{n},{'NSEW'[n % 4]},{shown},2026-01-{n % 28 + 1:02d} 10:00:00,备注 {n}\n")
    return cents / 100


def by_shell(shell: str, folder: Path, path: Path) -> float:
    """CPU seconds of the shell, its own and its system's."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    script = f"CREATE TABLE sales ({COLUMNS});\n.import --csv --skip 1 {path} sales\n"
    subprocess.run([shell, str(folder / "plain.db")], input=script, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
