"""Fresh columns under stress: processes that write, analyse and are killed; then all is compared.

Every commit moves an amount between two rows it adds, so any state of the file sums to zero, and a
sum that is not zero is a torn or doubled read. Writers say what is committed only after it is.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import sqlagent

COLUMNS = (
    "id INTEGER PRIMARY KEY, amount BIGINT, x DOUBLE, s VARCHAR, b BLOB, ok BOOLEAN, at TIMESTAMP, "
    "d DATE, t TIME, price DECIMAL(12,2), data JSON, u UUID, v FLOAT[3], tags VARCHAR[], anything"
)
WRITER = """
import sqlite3, struct, sys
ours = sys.argv[2] == "ours"
if ours:
    import sqlagent
    con = sqlagent.connect(sys.argv[1], timeout=60)
else:
    con = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
seed = int(sys.argv[3])
marks = ",".join("?" * 14)
sql = ("INSERT INTO moves (amount, x, s, b, ok, at, d, t, price, data, u, v, tags, anything) "
       f"VALUES ({marks})")
n = 0
while True:
    n += 1
    rows = []
    for sign in (1, -1):
        k = seed * 1_000_003 + n
        rows.append((sign * k, sign * k / 7, "茶 %d '\\n\\U0001f375" % k,
            b"\\x00\\xff" + str(k).encode(), k % 2,
            "2026-%02d-28 23:59:59.%03d" % (k % 12 + 1, k % 1000), "2024-02-29",
            "23:59:%02d" % (k % 60), k % 10_000_000 / 100, '{"k": %d, "z": [null, "\\u8336"]}' % k,
            "00000000-0000-4000-8000-%012d" % k, struct.pack("<3f", k % 17, -0.5, 1e-3),
            '["a","%d"]' % k, k))
    con.execute("BEGIN IMMEDIATE")
    for row in rows:
        con.execute(sql, row)
    if n % 5 == 0:
        twice = "UPDATE moves SET amount = amount * 2 WHERE abs(amount) = ?"
        con.execute(twice, (seed * 1_000_003 + n - 3,))
    if n % 7 == 0:
        gone = "DELETE FROM moves WHERE abs(amount) = ?"
        con.execute(gone, (seed * 1_000_003 + n - 2,))
    con.execute("COMMIT")
    print(n, flush=True)
"""
ANALYSER = """
import sqlagent, sys, time
con = sqlagent.connect(sys.argv[1], route="duckdb", timeout=60)
low = 0
while True:
    total, top, x = con.execute("SELECT sum(amount), max(id), sum(x) FROM moves").fetchone()
    assert (total or 0) == 0 and abs(x or 0) < 1e-3, ("torn", total, x)
    print(top or 0, flush=True)
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def rows_of(con: sqlagent.Connection, route: str) -> list[tuple[object, ...]]:
    con.execute(f"SET route = '{route}'")
    return con.execute("SELECT * FROM moves ORDER BY id").fetchall()


@pytest.mark.slow
def test_writers_and_analysers_are_killed(tmp_path: Path) -> None:
    path = tmp_path / "agent.db"
    with sqlagent.connect(path) as con:
        con.execute(f"CREATE TABLE moves ({COLUMNS})")
    pick = random.Random(11)
    running: dict[str, subprocess.Popen[str]] = {}
    seed = 0
    end = time.monotonic() + 25
    with sqlagent.connect(path, route="duckdb", timeout=60) as con:
        checks = 0
        while time.monotonic() < end:
            for name in ("ours", "plain", "analyser 1", "analyser 2"):
                if name not in running:
                    seed += 1
                    code = ANALYSER if name.startswith("analyser") else WRITER
                    running[name] = start(code, path, name, seed)
            time.sleep(pick.uniform(0.3, 1.0))
            name = pick.choice(list(running))
            victim = running.pop(name)
            assert victim.poll() is None, victim.stderr.read()[-2000:]  # type: ignore[union-attr]  # a pipe
            victim.send_signal(signal.SIGKILL)
            said, _ = victim.communicate()
            acknowledged = said.count("\n")
            total, rows = con.execute("SELECT sum(amount), count(*) FROM moves").fetchone()
            assert (total or 0) == 0
            if not name.startswith("analyser"):
                assert rows >= acknowledged  # 2 rows a commit, of which every seventh loses 2
            checks += 1
        for child in running.values():
            child.kill()
            child.communicate()
        assert checks > 10
        columns, rows_now = rows_of(con, "duckdb"), rows_of(con, "sqlite")
        assert columns == rows_now and len(rows_now) > 100
        con.execute("SET route = 'duckdb'")
        again = con.execute("SELECT count(*), sum(id), sum(anything) FROM moves").fetchall()
    with sqlagent.connect(path, route="duckdb") as fresh:  # built anew from the file
        assert (
            fresh.execute("SELECT count(*), sum(id), sum(anything) FROM moves").fetchall() == again
        )
        assert rows_of(fresh, "duckdb") == rows_now
        assert fresh.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
