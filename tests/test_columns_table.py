"""Tables that are kept as columns: bulk loads, many parts, other processes, and kills."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sqlagent

PARTS = "SELECT count(*), sum(rows) FROM sqlagent_parts WHERE name = 'c'"


def made(path: Path | str, columns: str = "id INTEGER PRIMARY KEY, s TEXT, v DOUBLE") -> Any:
    """A connection to a file with an empty table of columns."""
    con = sqlagent.connect(path, embedding_model="none")
    con.execute(f"CREATE TABLE c ({columns}) USING columns")
    return con


def test_executemany_makes_one_part(tmp_path: Path) -> None:
    con = made(tmp_path / "a.db")
    rows = [(i, f"s{i}", i / 2) for i in range(5000)]
    assert con.executemany("INSERT INTO c VALUES (?, ?, ? * 2)", rows).rowcount == 5000
    assert con.execute(PARTS).fetchone() == (1, 5000)
    assert con.execute("SELECT sum(v), max(s) FROM c").fetchone() == (12497500.0, "s999")
    con.executemany("INSERT INTO c (s, id) VALUES (:s, :i)", [{"i": 9000, "s": "x"}])
    assert con.executemany("UPDATE c SET s = ? WHERE id = ?", [("u", 1), ("w", 2)]).rowcount == 2
    found = con.execute("SELECT id, s FROM c WHERE id IN (1, 2, 9000) ORDER BY id").fetchall()
    assert found == [(1, "u"), (2, "w"), (9000, "x")]
    with pytest.raises(sqlagent.IntegrityError, match="id = 7"):
        con.executemany("INSERT INTO c VALUES (?, ?, ?)", [(10_000, "a", 1), (7, "b", 2)])
    assert con.execute("SELECT count(*) FROM c").fetchone() == (5001,)
    con.close()


def test_single_inserts_are_compacted(tmp_path: Path) -> None:
    con = made(tmp_path / "a.db", "id INTEGER, s TEXT")
    for i in range(40):
        con.execute("INSERT INTO c VALUES (?, ?)", (i, "s"))
    parts, rows = con.execute(PARTS).fetchone()
    assert rows == 40 and parts <= 20
    assert con.execute("SELECT count(DISTINCT id), sum(id) FROM c").fetchone() == (40, 780)
    con.close()


def test_a_change_rewrites_only_the_parts_that_hold_its_rows(tmp_path: Path) -> None:
    con = made(tmp_path / "a.db")
    for k in range(3):
        con.execute(f"INSERT INTO c SELECT i + {k * 1000}, 's', 1 FROM range(1000) AS t(i)")
    stamps = "SELECT stamp FROM sqlagent_parts WHERE name = 'c' ORDER BY part_id"
    before = [s for (s,) in con.execute(stamps).fetchall()]
    assert con.execute("UPDATE c SET v = 2 WHERE id BETWEEN 1500 AND 1600").rowcount == 101
    after = [s for (s,) in con.execute(stamps).fetchall()]
    assert len(after) == 3 and set(before) & set(after) == {before[0], before[2]}
    assert con.execute("DELETE FROM c WHERE id < 1000").rowcount == 1000
    assert len(con.execute(stamps).fetchall()) == 2
    assert con.execute("UPDATE c SET v = 3 WHERE id = -1").rowcount == 0
    assert con.execute("SELECT count(*), sum(v) FROM c").fetchone() == (2000, 2101.0)
    con.close()


def test_every_type_comes_back(tmp_path: Path) -> None:
    con = sqlagent.connect(tmp_path / "a.db", embedding_model="none")
    select = """SELECT 1::BIGINT AS a, 2.5::DOUBLE AS b, 'x' AS c, DATE '2024-01-02' AS d,
        TIMESTAMP '2024-01-02 03:04:05.678' AS e, true AS f, 1.25::DECIMAL(10,2) AS g,
        [1, 2] AS h, {'k': 1, 'l': 'm'} AS i, INTERVAL 3 DAY AS j, '\\x00ff'::BLOB AS k,
        '00000000-0000-0000-0000-000000000001'::UUID AS l, TIME '01:02:03' AS m, NULL AS n,
        [1.0, 2.0]::FLOAT[2] AS o, '{"a": 1}'::JSON AS p"""
    wanted = con.execute(select).fetchall()
    con.execute(f"CREATE TABLE c USING columns AS {select}")
    assert con.execute("SELECT * FROM c").fetchall() == wanted
    con.close()
    con = sqlagent.connect(tmp_path / "a.db", embedding_model="none")  # from the parts alone
    assert con.execute("SELECT * FROM c").fetchall() == wanted
    con.close()


def test_in_memory() -> None:
    con = made(":memory:")
    con.execute("INSERT INTO c SELECT i, 's', i FROM range(10) AS t(i)")
    con.execute("BEGIN")
    con.execute("DELETE FROM c WHERE id < 5")
    assert con.execute("SELECT count(*) FROM c").fetchone() == (5,)
    con.rollback()
    assert con.execute("SELECT count(*) FROM c").fetchone() == (10,)
    con.close()


def test_one_snapshot_with_ordinary_tables(tmp_path: Path, child: Callable[..., Any]) -> None:
    """A writer moves both in one transaction; a reader never sees one without the other."""
    path = tmp_path / "a.db"
    con = made(path)
    con.execute("CREATE TABLE r (id INTEGER PRIMARY KEY)")
    process = child(BOTH, path)
    seen = set()
    sql = "SELECT (SELECT count(*) FROM c) AS a, (SELECT count(*) FROM r) AS b"
    while process.poll() is None:
        a, b = con.execute(sql).fetchone()
        assert a == b
        seen.add(a)
    assert process.returncode == 0, process.stderr.read()
    assert con.execute(sql).fetchone() == (12, 12)
    con.close()


BOTH = """
import sys
import sqlagent
con = sqlagent.connect(sys.argv[1], embedding_model='none')
for i in range(12):
    con.execute('BEGIN')
    con.execute('INSERT INTO c (id) VALUES (?)', (i,))
    con.execute('INSERT INTO r (id) VALUES (?)', (i,))
    con.execute('COMMIT')
"""
VICTIM = """
import sys
import sqlagent
con = sqlagent.connect(sys.argv[1], embedding_model='none')
print('go', flush=True)
k = 0
while True:
    k += 1
    con.execute('UPDATE c SET v = v + 1')
    con.execute(f'INSERT INTO c SELECT i + {k * 1000}, NULL, {k} FROM range(100) AS t(i)')
    con.execute(f'DELETE FROM c WHERE id >= {k * 1000}')
    print(k, flush=True)
"""


def killed(path: Path, child: Callable[..., Any], wait_s: float) -> None:
    """Kill a writer at some moment; every statement of it is whole or not there."""
    process = child(VICTIM, path)
    assert process.stdout.readline() == "go\n"
    process.stdout.readline()
    time.sleep(wait_s)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    con = sqlagent.connect(path, embedding_model="none")
    count, own, low, high = con.execute(
        "SELECT count(*), count(*) FILTER (WHERE id < 1000), "
        "min(v) FILTER (WHERE id < 1000), max(v) FILTER (WHERE id < 1000) FROM c"
    ).fetchone()
    assert own == 500 and low == high  # an UPDATE of all rows is whole
    assert count in (500, 600)  # and so is an INSERT or DELETE of a hundred
    assert con.execute(PARTS).fetchone()[1] == count
    if count == 600:
        con.execute("DELETE FROM c WHERE id >= 1000")
    con.close()


def test_killed_while_it_writes(tmp_path: Path, child: Callable[..., Any]) -> None:
    path = tmp_path / "a.db"
    con = made(path)
    con.execute("INSERT INTO c SELECT i, 's', 0 FROM range(500) AS t(i)")
    con.close()
    killed(path, child, 0.03)


@pytest.mark.slow
def test_killed_many_times(tmp_path: Path, child: Callable[..., Any]) -> None:
    rng = random.Random(5)
    path = tmp_path / "a.db"
    con = made(path)
    con.execute("INSERT INTO c SELECT i, 's', 0 FROM range(500) AS t(i)")
    con.close()
    for _ in range(40):
        killed(path, child, rng.random() * 0.2)
