"""Kept results: found again, never stale, bounded, and out of the callers' reach."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from conftest import python, start
from hypothesis import given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent.plan.steady import unsteady
from sqlagent.run import kept, results
from sqlagent.run.results import SHARE

SUMS = "SELECT g, sum(v) AS s FROM t GROUP BY g ORDER BY g"


@pytest.fixture(autouse=True)
def everything_is_kept(monkeypatch):
    """However fast a statement is."""
    monkeypatch.setattr(kept, "LEAST_MS", 0.0)


@pytest.fixture
def shop(words):
    """A connection to a file with a table of numbers."""
    words.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, g TEXT, v BIGINT)")
    words.execute("INSERT INTO t SELECT i, 'g' || (i % 3), i FROM range(3000) r(i)")
    words.execute("SET route = 'duckdb'")  # small tables are SQLite's otherwise
    words.execute("SELECT max(v) FROM t GROUP BY g")  # makes the triggers, which is a commit
    return words


def kept_of(con):
    return results.results(con.database)


def hits(con, sql, parameters=()):
    """The rows, and whether they were kept ones."""
    before = kept_of(con).hits
    rows = con.execute(sql, parameters).fetchall()
    return rows, kept_of(con).hits - before


def test_the_second_time_is_kept(shop):
    first, found = hits(shop, SUMS)
    again, later = hits(shop, SUMS)
    assert (found, later) == (0, 1)
    assert first == again and len(first) == 3
    cursor = shop.execute(SUMS)
    assert [d[:2] for d in cursor.description] == [("g", "VARCHAR"), ("s", "HUGEINT")]
    assert cursor.rowcount == -1
    assert cursor.fetchone() == first[0]
    assert cursor.fetchmany(1) == first[1:2]
    assert cursor.fetchall() == first[2:]
    assert cursor.fetchone() is None
    assert list(shop.execute(SUMS)) == first


def test_only_what_is_slow_enough(shop, monkeypatch):
    monkeypatch.setattr(kept, "LEAST_MS", 1e9)
    hits(shop, SUMS)
    assert hits(shop, SUMS)[1] == 0


def test_arrow_is_the_same_whether_kept_or_not(shop):
    sql = "SELECT g, sum(v) s, avg(v) a, max(DATE '2026-01-01') d, list(v ORDER BY v)[1:2] l FROM t"
    sql += " GROUP BY 1 ORDER BY 1"
    shop.execute("SET result_cache = off")
    plain = shop.execute(sql).arrow()
    rows = shop.execute(sql).fetchall()
    shop.execute("SET result_cache = on")
    for first, second in (("rows", "arrow"), ("arrow", "rows"), ("arrow", "arrow")):
        shop.execute("UPDATE t SET v = v WHERE id = 1")
        for form in (first, second, second):
            cursor = shop.execute(sql)
            if form == "rows":
                assert cursor.fetchall() == rows
            else:
                assert cursor.arrow().equals(plain)
                assert cursor.fetchall() == []
    cursor = shop.execute(sql)
    cursor.fetchone()
    assert cursor.arrow().num_rows == 2  # what is left


def test_callers_cannot_damage_what_is_kept(shop):
    sql = "SELECT list(v ORDER BY v)[1:3] AS l, {'a': [1, 2]} AS s, MAP {'k': [1]} AS m FROM t"
    first = shop.execute(sql).fetchall()
    shown = repr(first)
    first[0][0].append(99)
    first[0][1]["a"].clear()
    second = shop.execute(sql).fetchall()
    assert repr(second) == shown
    second[0][0].clear()
    second[0][2].clear()
    assert repr(shop.execute(sql).fetchall()) == shown
    assert kept_of(shop).hits >= 2


def test_parameters_are_told_apart(shop):
    sql = "SELECT sum(v), ? AS s, typeof(?) FROM t"
    for value in (1, 1.0, True, "1", None, -0.0, 0.0, b"1", float("inf")):
        rows, found = hits(shop, sql, (value, value))
        again, later = (
            hits(shop, sql, (value, value)) if not isinstance(value, bytes) else (rows, 1)
        )
        assert (found, later) == (0, 1) and repr(rows) == repr(again)


def test_named_parameters(shop):
    sql = "SELECT sum(v) FROM t WHERE v > $low AND g <> :g"
    assert hits(shop, sql, {"low": 5, "g": "g1"})[1] == 0
    assert hits(shop, sql, {"g": "g1", "low": 5})[1] == 1
    assert hits(shop, sql, {"g": "g2", "low": 5})[1] == 0
    with pytest.raises(sqlagent.InterfaceError):
        shop.execute(sql, {"low": 5})


def test_dialects_are_told_apart(shop):
    sql = "SELECT 5 / 2 AS half, count(*) FROM t"
    assert hits(shop, sql)[0] == [(2.5, 3000)]
    shop.execute("SET dialect = 'postgres'")
    assert hits(shop, sql)[0] == [(2, 3000)]
    shop.execute("SET dialect = 'duckdb'")
    assert hits(shop, sql) == ([(2.5, 3000)], 1)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sum(v), random() FROM t",
        "SELECT sum(v), now() FROM t",
        "SELECT sum(v), current_date FROM t",
        "SELECT sum(v), CURRENT_TIMESTAMP FROM t",
        "SELECT sum(v), uuid() FROM t",
        "SELECT sum(v), date('now') FROM t",
        "SELECT sum(v), strftime('%s', 'now') FROM t",
        "SELECT sum(v), julianday('now') FROM t",
        "SELECT count(*) FROM (SELECT * FROM t USING SAMPLE 10 ROWS)",
        "SELECT sum(v), embed('x') FROM t",
        "SELECT sum(v), current_setting('threads') FROM t",
        "SELECT count(*), max(strength) FROM memory_strength",
        "SELECT count(*) FROM sqlagent_change_log",
        "SELECT sum(i) FROM range(10) r(i)",
    ],
)
def test_what_may_change_is_not_kept(shop, sql):
    try:
        hits(shop, sql)
    except sqlagent.Error:
        return  # refused: not kept either
    assert hits(shop, sql)[1] == 0


def test_steady_texts():
    for sql in (
        "WITH a (x, y) AS (SELECT 1, 2), b(z) AS MATERIALIZED (SELECT 3) SELECT x FROM a, b",
        "SELECT count(*) FILTER (WHERE v IN (1, 2)) OVER (PARTITION BY g) FROM t",
        "SELECT CAST(v AS DECIMAL(12, 2)), EXTRACT(year FROM d) FROM t AS u(v, d)",
        "SELECT list_transform([1, 2], lambda x: x + 1), t.user, v AS today FROM t",
        "FROM t SELECT sum(v) GROUP BY GROUPING SETS ((g), ())",
    ):
        assert unsteady(sql) is None, sql
    for sql in (
        "SELECT x.now() FROM t",
        'SELECT "random"()',
        "SELECT nextval('s')",
        "DELETE FROM t",
    ):
        assert unsteady(sql) is not None, sql


def test_every_commit_ends_them(shop, fresh_db, shell):
    def now():
        return shop.execute("SELECT sum(v) FROM t").fetchone()[0]

    start = now()
    shop.execute("INSERT INTO t (g, v) VALUES ('g', 1)")
    assert now() == start + 1
    with sqlagent.connect(fresh_db, route="duckdb") as other:
        other.execute("INSERT INTO t (g, v) VALUES ('g', 10)")
        assert now() == start + 11
    shell(fresh_db, "INSERT INTO t (g, v) VALUES ('g', 100);")
    assert now() == start + 111
    assert hits(shop, "SELECT sum(v) FROM t")[1] == 1
    shop.begin()
    shop.execute("INSERT INTO t (g, v) VALUES ('g', 1000)")
    assert now() == start + 1111  # its own rows
    shop.rollback()
    assert now() == start + 111


def test_a_change_of_the_schema_ends_them(shop, fresh_db, shell):
    sql = "SELECT count(*) AS n FROM t WHERE v >= 0"
    assert shop.execute(sql).fetchall() == [(3000,)]
    shell(fresh_db, "ALTER TABLE t RENAME TO u; CREATE TABLE t (v BIGINT);")
    assert shop.execute(sql).fetchall() == [(0,)]
    shell(fresh_db, "DROP TABLE t;")
    with pytest.raises(sqlagent.ProgrammingError):
        shop.execute(sql).fetchall()


def test_a_bound_on_memory(shop):
    shop.execute("SET result_cache_mb = 1")
    service = kept_of(shop)
    for low in range(40):
        sql = "SELECT v, g FROM t WHERE v > ? AND v < 400 ORDER BY sum(v) OVER ()"
        shop.execute(sql, (low,)).fetchall()
        assert service.bytes <= 1 << 20
    assert len(service._entries) < 40 and service.bytes > 1 << 18
    assert sum(e.bytes for e in service._entries.values()) == service.bytes
    shop.execute("SELECT *, sum(v) OVER () FROM t").fetchall()  # larger than an eighth of it
    assert hits(shop, "SELECT *, sum(v) OVER () FROM t")[1] == 0
    assert max(e.bytes for e in service._entries.values()) <= (1 << 20) // SHARE
    shop.execute("SET result_cache = off")
    assert service.bytes == 0 and not service._entries
    assert hits(shop, SUMS)[1] == hits(shop, SUMS)[1] == 0


def test_memory_is_given_back(shop):
    shop.execute(SUMS).fetchall()
    service = kept_of(shop)
    assert service.bytes > 0
    shop.execute("DELETE FROM t WHERE id = 5")
    shop.execute("SELECT max(v) FROM t").fetchall()
    assert len(service._entries) == 1  # those of the commit before are gone
    shop.close()
    assert service.bytes == 0 and not service._entries


def test_rows_that_were_not_all_fetched_are_not_kept(shop):
    sql = "SELECT v, sum(v) OVER () FROM t ORDER BY v"
    with shop.execute(sql) as cursor:
        cursor.fetchone()
    assert hits(shop, sql)[1] == 0
    assert hits(shop, sql)[1] == 1


def test_a_file_is_a_part_of_the_key(shop, tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text("g,p\ng0,1\n")
    sql = f"SELECT sum(v * p) FROM t JOIN '{path}' USING (g)"
    hits(shop, sql)
    assert hits(shop, sql)[1] == 0  # it has only just been written
    os.utime(path, (time.time() - 60, time.time() - 60))
    assert kept.file_state(str(path)) is None  # its status too is new
    hits(shop, f"SELECT sum(v) FROM t JOIN read_csv('{tmp_path}/*.csv') USING (g)")
    assert hits(shop, f"SELECT sum(v) FROM t JOIN read_csv('{tmp_path}/*.csv') USING (g)")[1] == 0


def test_a_file_that_changes(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "SETTLED_S", 0.0)
    path = tmp_path / "prices.csv"
    path.write_text("g,p\ng0,1\n")
    sql = f"SELECT sum(p) FROM t JOIN '{path}' USING (g)"
    assert hits(shop, sql) == ([(1000,)], 0)
    assert hits(shop, sql) == ([(1000,)], 1)
    path.write_text("g,p\ng0,22\n")
    assert hits(shop, sql) == ([(22000,)], 0)
    path.unlink()
    with pytest.raises(sqlagent.Error):
        shop.execute(sql).fetchall()


def test_threads_never_see_less_than_was_committed(fresh_db):
    """A counter that only grows: what a reader sees is at least what was committed before."""
    with sqlagent.connect(fresh_db, embedding_model="none", route="duckdb") as con:
        con.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BIGINT)")
        con.execute("INSERT INTO t VALUES (1, 0)")
        committed, errors, done = [0], [], threading.Event()

        def write():
            with sqlagent.connect(fresh_db, route="duckdb") as own:
                for value in range(1, 40):
                    own.execute("UPDATE t SET v = ? WHERE id = 1", (value,))
                    committed[0] = value
                    time.sleep(0.02)
            done.set()

        def read():
            with sqlagent.connect(fresh_db, route="duckdb") as own:
                while not done.is_set():
                    before = committed[0]
                    (seen,) = own.execute("SELECT max(v) FROM t GROUP BY id").fetchone()
                    if seen < before:
                        errors.append((seen, before))

        threads = [threading.Thread(target=f) for f in (write, read, read)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        assert kept_of(con).hits > 0


WRITER = """
import sqlite3, sys
con = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
for line in sys.stdin:
    con.execute("UPDATE t SET v = v + 1 WHERE id = 1")
    print(con.execute("SELECT v FROM t").fetchone()[0], flush=True)
"""


def test_a_plain_client_in_another_process(fresh_db):
    with sqlagent.connect(fresh_db, embedding_model="none", route="duckdb") as con:
        con.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BIGINT)")
        con.execute("INSERT INTO t VALUES (1, 0)")
        writer = start(WRITER, fresh_db)
        try:
            for _ in range(60):
                writer.stdin.write("go\n")
                writer.stdin.flush()
                value = int(writer.stdout.readline())
                for _ in range(2):
                    assert con.execute("SELECT sum(v) FROM t").fetchone() == (value,)
        finally:
            writer.communicate()
        assert kept_of(con).hits >= 59  # one commit was of the triggers


STEPS = st.lists(
    st.sampled_from(["ours", "other", "plain", "rolled back", "read", "read", "schema"]),
    max_size=12,
)


@settings(max_examples=25)
@given(STEPS)
def test_any_order_of_writers(tmp_path_factory, steps):
    path = Path(tmp_path_factory.mktemp("cache")) / "agent.db"
    with (
        sqlagent.connect(path, embedding_model="none", route="duckdb") as con,
        sqlagent.connect(path) as other,
    ):
        con.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BIGINT)")
        rows = 0
        for number, step in enumerate(steps):
            if step == "ours":
                con.execute("INSERT INTO t (v) VALUES (?)", (number,))
                rows += 1
            elif step == "other":
                other.executemany("INSERT INTO t (v) VALUES (?)", [(1,), (2,)])
                rows += 2
            elif step == "plain":
                python(PLAIN_INSERT, path)
                rows += 1
            elif step == "rolled back":
                con.begin()
                con.execute("INSERT INTO t (v) VALUES (1)")
                assert con.execute("SELECT count(*), sum(1) FROM t").fetchone()[0] == rows + 1
                con.rollback()
            elif step == "schema":
                con.execute(f"ALTER TABLE t ADD COLUMN c{number} BIGINT DEFAULT 7")
            for reader in (con, other):
                assert reader.execute("SELECT count(*), sum(1) FROM t").fetchone()[0] == rows


PLAIN_INSERT = (
    "import sqlite3, sys\ncon = sqlite3.connect(sys.argv[1], timeout=30)\n"
    "con.execute('INSERT INTO t (v) VALUES (5)')\ncon.commit()"
)


def test_in_memory():
    with sqlagent.connect(":memory:", embedding_model="none", route="duckdb") as con:
        con.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BIGINT)")
        for count in range(1, 6):
            con.execute("INSERT INTO t (v) VALUES (1)")
            con.execute("SELECT max(v) FROM t GROUP BY v")
            assert hits(con, "SELECT sum(v), count(*) FROM t") == ([(count, count)], 0)
            assert hits(con, "SELECT sum(v), count(*) FROM t") == ([(count, count)], 1)


def test_read_only(shop, fresh_db):
    shop.close()
    with sqlagent.connect(fresh_db, read_only=True, route="duckdb") as con:
        assert hits(con, SUMS)[1] == 0
        assert hits(con, SUMS)[1] == 1
        python("import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
               "c.execute('DELETE FROM t'); c.commit()", fresh_db)  # fmt: skip
        assert hits(con, SUMS) == ([], 0)
