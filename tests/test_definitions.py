"""Definitions that others change: connections of this process, and other processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import sqlagent

ELSEWHERE = """
import sys
import sqlagent
con = sqlagent.connect(sys.argv[1], embedding_model='none')
for sql in sys.argv[2:]:
    con.execute(sql)
"""


def elsewhere(path: Path, *sql: str) -> None:
    """Run statements in another process."""
    subprocess.run([sys.executable, "-c", ELSEWHERE, str(path), *sql], check=True)


def test_another_process_replaces_a_macro(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    con = sqlagent.connect(path, embedding_model="none")
    con.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER)")
    con.execute("CREATE TABLE c (x INTEGER) USING columns")
    con.execute("CREATE MACRO f(a) AS a + 1")
    con.execute("CREATE VIEW v AS SELECT list(f(id)) AS l FROM t")
    reads = ("SELECT f(1) AS a", "SELECT f(1) AS a, list(1) AS b", "SELECT * FROM v")
    writes = (
        "INSERT INTO t (x) VALUES (f(10))",
        "INSERT INTO c (x) VALUES (f(10))",
        "INSERT INTO c (x) SELECT f(unnest([10]))",
        "UPDATE t SET x = f(10)",
    )
    for k in range(1, 4):
        elsewhere(path, f"CREATE OR REPLACE MACRO f(a) AS a + {k * 100}")
        for sql in writes:
            con.execute(sql)
        con.executemany("INSERT INTO t (x) VALUES (f(?))", [(10,)])
        assert con.execute("SELECT DISTINCT x FROM t WHERE x > 9").fetchall() == [(10 + k * 100,)]
        found = con.execute("SELECT x FROM c").fetchall()
        assert set(found) == {(10 + j * 100,) for j in range(1, k + 1)}
        elsewhere(path, f"CREATE OR REPLACE MACRO f(a) AS a + {k * 1000}")
        for sql in reads[:2]:
            assert con.execute(sql).fetchone()[0] == 1 + k * 1000
        assert con.execute(reads[2]).fetchone()[0][0] == 1 + k * 1000
        elsewhere(path, f"CREATE OR REPLACE MACRO f(a) AS a + {k * 10000}")
        con.execute("BEGIN")  # plans from before it are not those of now
        for sql in reads[:2]:
            assert con.execute(sql).fetchone()[0] == 1 + k * 10000
        con.execute("ROLLBACK")
    con.close()


def test_a_connection_of_this_process_replaces_one(tmp_path: Path) -> None:
    first = sqlagent.connect(tmp_path / "a.db", embedding_model="none")
    second = sqlagent.connect(tmp_path / "a.db", embedding_model="none")
    first.execute("CREATE MACRO f(a) AS a + 1")
    assert second.execute("SELECT f(1)").fetchone() == (2,)
    first.execute("BEGIN")
    first.execute("CREATE OR REPLACE MACRO f(a) AS a + 10")
    assert first.execute("SELECT f(1)").fetchone() == (11,)
    assert second.execute("SELECT f(1)").fetchone() == (2,)
    first.execute("COMMIT")
    assert second.execute("SELECT f(1)").fetchone() == (11,)
    first.execute("BEGIN")
    first.execute("DROP MACRO f")
    first.execute("ROLLBACK")
    assert first.execute("SELECT f(1)").fetchone() == (11,)
    first.close()
    second.close()


def test_a_plain_client_sees_what_sqlite_says_exactly(tmp_path: Path) -> None:
    con = sqlagent.connect(tmp_path / "a.db", embedding_model="none")
    con.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER)")
    con.execute("CREATE VIEW v AS SELECT id FROM t")
    con.execute("CREATE VIEW w AS SELECT list(id) AS ids FROM t")
    kept = "SELECT name FROM sqlite_master WHERE name IN ('v', 'w')"
    assert con.execute(kept).fetchall() == [("v",)]
    assert con.execute("SHOW TABLES").fetchall() == sorted(con.execute("SHOW TABLES").fetchall())
    assert {("v",), ("w",)} <= set(con.execute("SHOW TABLES").fetchall())
    con.close()
