"""COPY … FROM: what comes in, what is kept out and why, and that an import is all or nothing."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sqlagent


@pytest.fixture
def con(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlagent.Connection]:
    monkeypatch.chdir(tmp_path)
    with sqlagent.connect(tmp_path / "agent.db") as made:
        made.execute(
            "CREATE TABLE sales (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, amount DOUBLE "
            "CHECK (amount < 1000), at TIMESTAMP, ok BOOLEAN, price DECIMAL(8,2), data JSON, "
            "d DATE)"
        )
        yield made
        made.close()


def write(name: str, text: str, encoding: str = "utf-8") -> None:
    Path(name).write_bytes(text.encode(encoding))


def copy(con: sqlagent.Connection, sql: str, *values: Any) -> tuple[int, int]:
    imported, rejected, seconds = con.execute(sql, values).fetchone()
    assert seconds >= 0
    return imported, rejected


def reasons(con: sqlagent.Connection) -> list[tuple[Any, ...]]:
    return con.execute(
        "SELECT record, rule, reason FROM sqlagent_import_rejects ORDER BY reject_id"
    ).fetchall()


HEAD = "id,name,amount,at,ok,price,data,d\n"


def test_values_of_each_type_arrive_as_such(con: sqlagent.Connection) -> None:
    write(
        "s.csv",
        HEAD + '1,"茶, ""tea""\n",1.5,2026-01-01T08:00:00+08:00,yes,2.50,"{""a"":1}",2026-02-03\n',
    )
    assert copy(con, "COPY sales FROM ?", "s.csv") == (1, 0)
    for route in ("sqlite", "duckdb"):
        con.execute(f"SET route = '{route}'")
        row = con.execute("SELECT * FROM sales").fetchone()
        assert [str(v) for v in row] == [
            "1", '茶, "tea"\n', "1.5", "2026-01-01 00:00:00", "True", "2.50", '{"a":1}',
            "2026-02-03",
        ]  # fmt: skip


def test_the_first_bad_record_stops_it_all(con: sqlagent.Connection) -> None:
    write("s.csv", HEAD + "1,a,1,,,,,\n2,b,x,,,,,\n")
    with pytest.raises(sqlagent.DataError, match=r"record 2 of s\.csv: column .amount.: 'x'"):
        con.execute("COPY sales FROM 's.csv'")
    write("s.csv", HEAD + "1,a,1,,,,,\n2,b,5000,,,,,\n")
    with pytest.raises(sqlagent.DataError, match=r"record 2: CHECK constraint failed"):
        con.execute("COPY sales FROM 's.csv'")
    assert con.execute("SELECT count(*) FROM sales").fetchone() == (0,)
    assert reasons(con) == []


def test_rejects_are_kept_with_the_reason(con: sqlagent.Connection) -> None:
    write(
        "s.csv",
        HEAD + "1,a,1,2026-02-30,,,,\n2,,1,,,,,\n3,c,5000,,,,,\n3,d,1,,,,,\n4,e\n5,f,-1,,,,,\n"
        "6,g,2,,maybe,1.5,{,2026-01-01 10:00\n7,h,3,,,,,\n1.5,i,3,,,,,\n",
    )
    done = copy(con, "COPY sales FROM 's.csv' (ON_ERROR reject, CHECK 'amount > 0')")
    assert done == (2, 7)
    assert con.execute("SELECT id, name FROM sales").fetchall() == [(3, "d"), (7, "h")]
    said = "\n".join(r[2] for r in reasons(con))
    for part in (
        "'2026-02-30' is no TIMESTAMP", "NOT NULL constraint failed: sales.name",
        "CHECK constraint failed", "expected Number of Columns: 8", "the check fails: amount > 0",
        "'maybe' is no BOOLEAN", "'{' is no JSON", "'2026-01-01 10:00' is no DATE",
        "'1.5' is no BIGINT",
    ):  # fmt: skip
        assert part in said, (part, said)
    rows = con.execute(
        "SELECT content FROM sqlagent_import_rejects WHERE column_name = 'at'"
    ).fetchall()
    assert json.loads(rows[0][0])["at"] == "2026-02-30"


def test_limits_keys_and_references(con: sqlagent.Connection) -> None:
    con.execute(
        "CREATE TABLE line (id INTEGER PRIMARY KEY, sale INTEGER REFERENCES sales(id), sku TEXT)"
    )
    con.execute("INSERT INTO sales (id, name) VALUES (1, 'a')")
    con.execute("INSERT INTO line VALUES (100, 1, 'old')")
    write("l.csv", "id,sale,sku\n1,1,x\n2,9,y\n3,1,x\n4,1,old\n5,,\n6,,\n")
    with pytest.raises(sqlagent.DataError, match="more than MAX_REJECTS 1"):
        con.execute("COPY line FROM 'l.csv' (ON_ERROR reject, KEY (sku), MAX_REJECTS 1)")
    assert copy(con, "COPY line FROM 'l.csv' (ON_ERROR reject, KEY (sku))") == (3, 3)
    assert {r[:2] for r in reasons(con)} == {(2, "constraint"), (3, "key"), (4, "key")}
    write("m.csv", "id,sale\n20,1\n21,2\n")
    check = "sale IN (SELECT id FROM sales WHERE name LIKE ''a%'')"
    assert copy(con, f"COPY line FROM 'm.csv' (ON_ERROR ignore, CHECK '{check}')") == (1, 1)


def test_the_table_grows(con: sqlagent.Connection) -> None:
    con.execute(
        "CREATE TABLE g (id INTEGER PRIMARY KEY, n BIGINT, d DATE, b BOOLEAN, u INT UNIQUE)"
    )
    con.execute("CREATE INDEX g_n ON g (n, b)")
    con.execute("CREATE VIEW gv AS SELECT n FROM g")
    con.execute("INSERT INTO g VALUES (1, 5, '2026-01-01', true, 7)")
    write("g.csv", "id,n,d,b,extra\n2,1.5,2026-01-02 10:00:00,no,x\n3,,,vielleicht,\n")
    with pytest.raises(sqlagent.ProgrammingError, match='no column "extra"'):
        con.execute("COPY g FROM 'g.csv'")
    with sqlagent.connect(con.database.path) as other:
        assert other.execute("SELECT n FROM gv").fetchall() == [(5,)]
        assert copy(con, "COPY g FROM 'g.csv' (EVOLVE)") == (2, 0)
        for route in ("sqlite", "duckdb"):
            other.execute(f"SET route = '{route}'")
            cursor = other.execute("SELECT * FROM g ORDER BY id")
            assert [d[1] for d in cursor.description] == [
                "BIGINT", "DOUBLE", "TIMESTAMP", "VARCHAR", "BIGINT", "VARCHAR",
            ]  # fmt: skip
            found = [tuple(map(str, row)) for row in cursor.fetchall()]
            assert found == [
                ("1", "5.0", "2026-01-01 00:00:00", "1", "7", "None"),
                ("2", "1.5", "2026-01-02 10:00:00", "no", "None", "x"),
                ("3", "None", "None", "vielleicht", "None", "None"),
            ]
    assert con.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert con.execute("SELECT id FROM g WHERE b = 'no' AND n = 1.5").fetchall() == [(2,)]
    assert con.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'g_n'").fetchone() == (1,)
    write("u.csv", "id,u\n9,x\n")
    with pytest.raises(sqlagent.NotSupportedError, match="key of the table"):
        con.execute("COPY g FROM 'u.csv' (EVOLVE)")
    with pytest.raises(sqlagent.NotSupportedError, match="table of the engine"):
        con.execute("COPY agents FROM 'g.csv' (EVOLVE)")


def test_other_formats(con: sqlagent.Connection) -> None:
    table = pa.table({"id": [1, 2], "tags": [["a"], []], "v": [1.5, None], "t": ["x", "茶"]})
    pq.write_table(table, "p.parquet")
    assert copy(con, "COPY p FROM 'p.parquet' (CREATE)") == (2, 0)
    assert con.execute("SELECT id, v, t FROM p").fetchall() == [(1, 1.5, "x"), (2, None, "茶")]
    write("j.json", '[{"id": 3, "t": "y"}, {"id": 4, "v": 2}]')
    write("n.ndjson", '{"id": 5}\n\n{bad\n7\n{"id": 6, "v": "x"}\n')
    assert copy(con, "COPY p FROM 'j.json'") == (2, 0)
    assert copy(con, "COPY p FROM 'n.ndjson' (ON_ERROR reject)") == (1, 3)
    write("a1.csv", "id;t\n10;a\n")
    write("a2.csv", "id;t\n11;b\n")
    assert copy(con, "COPY p FROM 'a*.csv' WITH (DELIMITER ';', HEADER)") == (2, 0)
    write("bare.csv", "12|z|NIL\n")
    assert copy(
        con, "COPY main.p (id, t, v) FROM 'bare.csv' (DELIM '|', HEADER false, NULL 'NIL')"
    ) == (1, 0)
    write("bom.csv", "\ufeffid,t\n13,q\n")
    assert copy(con, "COPY p FROM 'bom.csv'") == (1, 0)
    write("latin.csv", "id,t\n14,é\n", "latin-1")
    assert copy(con, "COPY p FROM 'latin.csv' (ENCODING 'latin-1')") == (1, 0)
    assert con.execute("SELECT t FROM p WHERE id >= 10 ORDER BY id").fetchall() == [
        ("a",), ("b",), ("z",), ("q",), ("é",),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("COPY nothing FROM 's.csv'", 'unknown table "nothing"'),
        ("COPY sales FROM 'no.csv'", 'there is no file "no.csv"'),
        ("COPY sales FROM '*.nope'", "no file matches"),
        ("COPY sales FROM 's.xyz'", "cannot be told by its name"),
        ("COPY sales FROM 's.csv' (COLOUR red)", 'unknown option "COLOUR"'),
        ("COPY sales FROM 's.csv' (ON_ERROR perhaps)", "ON_ERROR is stop or reject"),
        ("COPY sales FROM 's.csv' (MAX_REJECTS -1)", "whole number"),
        ("COPY sales FROM 's.csv' (CHECK 'nope > 1')", 'unknown column "nope"'),
        ("COPY sales FROM 's.csv' (CHECK '1 = 1) OR (1')", "the CHECK"),
        (
            "COPY sales FROM 's.csv' (CHECK 'id IN (SELECT 1 FROM read_csv(''agent.db''))')",
            "open here",
        ),
        ("COPY sales FROM 's.csv' (KEY (nope))", 'no column "nope"'),
        ("COPY sales (id, nope) FROM 's.csv'", 'no column "nope"'),
        ("COPY sales (id) FROM 's.csv'", "2 columns, 1 are named"),
        ("COPY sales FROM 'agent.db' (FORMAT csv)", "is open here"),
        ("COPY memory_strength FROM 's.csv'", "is a view"),
        ("COPY sales FROM 'empty.csv'", "is empty"),
        ("COPY sales FROM 's.parquet' (HEADER)", "an option of CSV files"),
    ],
)
def test_what_is_wrong_is_said(con: sqlagent.Connection, sql: str, message: str) -> None:
    for name in ("s.csv", "s.xyz", "s.parquet"):
        write(name, "id,name\n1,a\n")
    write("empty.csv", "")
    with pytest.raises(sqlagent.Error) as caught:
        con.execute(sql)
    assert message in str(caught.value)
    assert con.execute("SELECT count(*) FROM sales").fetchone() == (0,)


def test_within_a_transaction(con: sqlagent.Connection) -> None:
    write("s.csv", "id,name\n1,a\n2,b\n")
    con.execute("BEGIN")
    con.execute("INSERT INTO sales (id, name) VALUES (2, 'mine')")
    with pytest.raises(sqlagent.DataError):
        con.execute("COPY sales FROM 's.csv'")
    assert con.execute("SELECT count(*) FROM sales").fetchone() == (1,)
    assert copy(con, "COPY sales FROM 's.csv' (ON_ERROR reject)") == (1, 1)
    con.execute("ROLLBACK")
    assert con.execute("SELECT count(*) FROM sales").fetchone() == (0,) and reasons(con) == []


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@pytest.fixture(scope="module")
def kept() -> Iterator[sqlagent.Connection]:
    with sqlagent.connect(":memory:") as made:
        made.execute("CREATE TABLE x (n BIGINT, s VARCHAR)")
        yield made
        made.close()


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), TEXT), max_size=30))
def test_what_was_written_as_csv_comes_back(
    kept: sqlagent.Connection, rows: list[tuple[int, str]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.csv")
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL)
            writer.writerows([("n", "s"), *rows])
        kept.execute("DELETE FROM x")
        options = "DELIMITER ',', QUOTE '\"', ESCAPE '\"', HEADER, NULL '\\N'"
        assert copy(kept, f"COPY x FROM '{path}' ({options})") == (len(rows), 0)
        assert kept.execute("SELECT n, s FROM x").fetchall() == rows


KILLED = """
import sys, sqlagent
con = sqlagent.connect(sys.argv[1])
con.progress = lambda what, done: print(what, done, flush=True)
con.execute("COPY big FROM 'big.csv' (ON_ERROR reject)")
"""


def test_killed_in_the_middle(con: sqlagent.Connection, tmp_path: Path) -> None:
    con.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, s VARCHAR, n BIGINT)")
    write(
        "big.csv",
        "id,s,n\n" + "".join(f"{i},text {i},{i if i % 10 else 'x'}\n" for i in range(60_000)),
    )
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "agent.db")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith("big "):
            break
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert con.execute("SELECT count(*) FROM big").fetchone() == (0,) and reasons(con) == []
    assert con.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert copy(con, "COPY big FROM 'big.csv' (ON_ERROR reject)") == (54_000, 6_000)
    assert len(reasons(con)) == 6_000


FULL = """
import resource, signal, sys, sqlagent
con = sqlagent.connect(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    con.execute("COPY big FROM 'big.csv'")
except sqlagent.Error as error:
    print(type(error).__name__, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(con.execute("SELECT count(*) FROM big").fetchone())
"""


def test_a_disk_that_is_full(con: sqlagent.Connection, tmp_path: Path) -> None:
    con.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, s VARCHAR)")
    con.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    write("big.csv", "id,s\n" + "".join(f"{i},{'x' * 200}\n" for i in range(20_000)))
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "agent.db"), str(1 << 20)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "OperationalError" in done.stdout and "(0,)" in done.stdout, done
    assert copy(con, "COPY big FROM 'big.csv'") == (20_000, 0)


def test_two_imports_at_once(con: sqlagent.Connection, tmp_path: Path) -> None:
    con.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, s VARCHAR)")
    code = (
        "import sys, sqlagent; con = sqlagent.connect(sys.argv[1]); "
        "con.execute('COPY big FROM ?', (sys.argv[2],))"
    )
    children = []
    for part in range(2):
        write(f"b{part}.csv", "id,s\n" + "".join(f"{i},x\n" for i in range(part, 40_000, 2)))
        children.append(
            subprocess.Popen(
                [sys.executable, "-c", code, str(tmp_path / "agent.db"), f"b{part}.csv"]
            )
        )
    assert [child.wait() for child in children] == [0, 0]
    assert con.execute("SELECT count(*), sum(id) FROM big").fetchone() == (
        40_000,
        sum(range(40_000)),
    )


def test_memory_stays_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("w.csv", "id,s\n" + "".join(f"{i},{i:0300}\n" for i in range(150_000)))  # 45 MB
    code = (
        "import sqlagent; con = sqlagent.connect('m.db', memory_limit_mb=200); "
        "print(con.execute(\"COPY w FROM 'w.csv' (CREATE)\").fetchone()[0], "
        # Of this program alone: what getrusage says may be of the one that started it.
        "open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    count, peak_kb = map(int, done.stdout.split())
    assert count == 150_000 and peak_kb < 450_000, done
