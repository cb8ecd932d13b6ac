"""Columns follow a schema that any client changes: random changes, each answer beside SQLite's own.

Our connection and a plain `sqlite3` in another process take turns at creating, altering, renaming,
dropping, vacuuming and writing; after each step the columns must be what the file says.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import sqlagent

PLAIN = """
import json, sqlite3, sys
con = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
for line in sys.stdin:
    try:
        print(json.dumps(con.execute(json.loads(line)).fetchall()), flush=True)
    except sqlite3.Error as error:
        print(json.dumps(str(error)), flush=True)
"""
KINDS = (
    "id INTEGER PRIMARY KEY, a INTEGER, b TEXT",
    "a INTEGER, b TEXT",
    "a INTEGER PRIMARY KEY, b TEXT UNIQUE",
    "b TEXT PRIMARY KEY, a INTEGER",
)


class Clients:
    """Our connection, and a plain one in another process."""

    def __init__(self, path: Path, pick: random.Random) -> None:
        self.ours = sqlagent.connect(path, route="duckdb")
        self.pick = pick
        self.child = subprocess.Popen(
            [sys.executable, "-c", PLAIN, str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.tables: dict[str, list[str]] = {}
        self.said: list[str] = []

    def plain(self, sql: str) -> Any:
        """The rows of a statement of the plain client, or the text of its error."""
        assert self.child.stdin is not None and self.child.stdout is not None
        self.child.stdin.write(json.dumps(sql) + "\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())

    def do(self, sql: str) -> bool:
        """A statement by either; whether it worked."""
        self.said.append(sql)
        if self.pick.random() < 0.7:
            return isinstance(self.plain(sql), list)
        try:
            self.ours.execute(sql)
        except sqlagent.Error:
            return False
        return True

    def close(self) -> None:
        self.child.communicate()
        self.ours.close()

    def step(self, n: int) -> None:
        """One random change."""
        pick = self.pick
        table = pick.choice([*self.tables, f"t{n % 4}"])
        if table not in self.tables:
            kind = pick.choice(KINDS)
            tail = " WITHOUT ROWID" if "PRIMARY" in kind and pick.random() < 0.3 else ""
            if self.do(f"CREATE TABLE {table} ({kind}){tail}"):
                self.tables[table] = [c.split()[0] for c in kind.split(", ")]
            return
        columns = self.tables[table]
        added = [c for c in columns if c[0] == "x"]
        what = pick.choices(
            ("insert", "update", "delete", "add", "drop column", "rename column", "rename",
             "vacuum", "index", "drop"), (30, 10, 8, 6, 4, 4, 4, 3, 3, 2),
        )[0]  # fmt: skip
        if what == "insert":
            values = ", ".join(
                f"'茶{pick.randrange(30)}'" if c[0] == "b" else str(pick.randrange(50))
                for c in columns
            )
            self.do(f"INSERT OR REPLACE INTO {table} VALUES ({values})")
        elif what == "update":
            self.do(f"UPDATE OR REPLACE {table} SET a = a + 3 WHERE a % 3 = {pick.randrange(3)}")
        elif what == "delete":
            self.do(f"DELETE FROM {table} WHERE a % 5 = {pick.randrange(5)}")
        elif what == "add":
            if self.do(f"ALTER TABLE {table} ADD COLUMN x{n} INTEGER DEFAULT {n}"):
                columns.append(f"x{n}")
        elif what == "drop column" and added:
            if self.do(f"ALTER TABLE {table} DROP COLUMN {added[0]}"):
                columns.remove(added[0])
        elif what == "rename column" and added:
            if self.do(f"ALTER TABLE {table} RENAME COLUMN {added[0]} TO x{n}r"):
                columns[columns.index(added[0])] = f"x{n}r"
        elif what == "rename":
            if self.do(f"ALTER TABLE {table} RENAME TO r{n}"):
                self.tables[f"r{n}"] = self.tables.pop(table)
        elif what == "vacuum":
            self.do("VACUUM")
        elif what == "index":
            self.do(f"CREATE INDEX i{n} ON {table} (a)")
        elif what == "drop" and self.do(f"DROP TABLE {table}"):
            del self.tables[table]

    def compare(self) -> None:
        """What the columns hold of some tables, beside the file's rows."""
        for table in self.tables:
            if self.pick.random() < 0.5:
                continue
            sql = f"SELECT * FROM {table}"
            want = sorted(map(tuple, self.plain(sql)))
            assert sorted(self.ours.execute(sql).fetchall()) == want, self.said[-12:]


@pytest.mark.parametrize(
    "seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 30))]
)
def test_columns_follow_the_schema(tmp_path: Path, seed: int) -> None:
    clients = Clients(tmp_path / "agent.db", random.Random(seed))
    try:
        for n in range(60):
            clients.step(n)
            clients.compare()
    finally:
        clients.close()


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_table_that_is_made_anew_has_its_own_types(fresh_db: Path, autocommit: bool) -> None:
    with sqlagent.connect(fresh_db, autocommit=autocommit, embedding_model="none") as con:
        for kind, value, wanted in (
            ("NUMERIC(8, 4)", "15.7563", "DECIMAL(8,4)"),
            ("FLOAT", 15.756, "DOUBLE"),
            ("NUMERIC(18, 12)", "0.004354", "DECIMAL(18,12)"),
        ):
            con.execute(f"CREATE TABLE again (x {kind})")
            con.execute("INSERT INTO again VALUES (?)", (value,))
            con.commit()
            cursor = con.execute("SELECT again.x FROM again")  # SQLite knows the text of old
            assert str((cursor.description or [])[0][1]) == wanted
            assert float(cursor.fetchall()[0][0]) == float(value)
            con.execute("DROP TABLE again")
            con.commit()
