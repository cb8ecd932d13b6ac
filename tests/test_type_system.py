"""A value comes back alike from every route: as Python, by its description, as Arrow."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal

import pytest

import sqlagent

DDL = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY, n BIGINT, x DOUBLE, s VARCHAR, b BOOLEAN, "
    "ts TIMESTAMP, d DATE, h TIME, m DECIMAL(10,2), big DECIMAL(38,10), i INTERVAL, u UUID, "
    "j JSON, bl BLOB, v FLOAT[3], tags VARCHAR[], numbers BIGINT[], p STRUCT(a INT, b TEXT), "
    "deep STRUCT(day DATE, ids UUID[])[])"
)
ROW = (
    1, 2**63 - 1, 1e308, "数据 é", True, datetime.datetime(2024, 2, 29, 23, 59, 59, 999000),
    datetime.date(2024, 2, 29), datetime.time(1, 2, 3), Decimal("-0.01"),
    Decimal("1234567890123456789.0123456789"), datetime.timedelta(days=1, hours=2, microseconds=5),
    uuid.UUID(int=7), "10", b"\\x00\\xff", [1.0, 2.5, -3.0], ["a", "", "é", None], [1, -2, None],
    {"a": 1, "b": None}, [{"day": datetime.date(2026, 1, 31), "ids": [uuid.UUID(int=5)]}],
)  # fmt: skip
EMPTY = (2, *(None,) * (len(ROW) - 1))


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "types.db"
    with sqlagent.connect(found) as con:
        con.execute(DDL)
        marks = ", ".join("?" * len(ROW))
        con.executemany(f"INSERT INTO t VALUES ({marks})", [ROW, EMPTY])
        con.commit()
    return found


def answers(path, sql, parameters=()):
    found = []
    for route in ("sqlite", "duckdb", "auto"):
        with sqlagent.connect(path, route=route) as con:
            cursor = con.execute(sql, parameters)
            kinds = [(d[0], str(d[1])) for d in cursor.description]
            table = con.execute(sql, parameters).arrow()
            found.append((cursor.fetchall(), kinds, table.schema.names, table.schema.types,
                          table.to_pylist()))  # fmt: skip
    return found


def test_every_type_comes_back_alike(path):
    sqlite, duck, auto = answers(path, "SELECT * FROM t ORDER BY id")
    assert sqlite[0] == [ROW, EMPTY]
    assert sqlite == duck == auto
    assert [type(v) for v in sqlite[0][0]] == [type(v) for v in ROW]


EXPRESSIONS = """
SELECT 1, 'a', 2.5, 1e0, true, NULL, -0.01
SELECT n, x * 2, s || '!', NOT b, s LIKE '数%', n IS NULL, n = 5, b AND n > 0 FROM t
SELECT count(*), sum(id), avg(id), min(ts), max(d), sum(m), count(*) FILTER (WHERE b) FROM t
SELECT id + 1, -id, id / 4, id // 4, id % 2, abs(id), length(s) FROM t WHERE id > 7
SELECT coalesce(id, 2.5e0), CASE WHEN b THEN 1 END, nullif(id, 1), coalesce(NULL, s) FROM t
SELECT ts + INTERVAL 1 DAY, d + 1, CAST(ts AS DATE), date_trunc('month', ts), year(d) FROM t
SELECT * FROM (SELECT count(*), max(id) + 1 FROM t)
SELECT id, row_number() OVER (ORDER BY id), lag(s) OVER (ORDER BY id) FROM t
SELECT NULL UNION ALL SELECT ts FROM t
SELECT id FROM t UNION ALL SELECT x FROM t
SELECT EXISTS (SELECT 1 FROM t), (SELECT max(d) FROM t), id IN (1, 5) FROM t
""".strip().splitlines()


@pytest.mark.parametrize("sql", EXPRESSIONS)
def test_expressions_have_one_type_and_name(path, sql):
    sqlite, duck, auto = answers(path, sql)
    assert sqlite == duck == auto


def test_literals_of_nested_types(path):
    with sqlagent.connect(path) as con:
        con.execute(
            "INSERT INTO t (id, tags, p, i, big) VALUES (3, ['x', 'y'], {'a': 1, 'b': 'z'}, "
            "INTERVAL 2 DAY, 0.0000000001), (4, '[\"q\"]', '{\"a\": 4}', NULL, 1)"
        )
        con.execute("UPDATE t SET tags = ?, p = ? WHERE id = 4", (["u"], {"a": 5}))
    sqlite, duck, _ = answers(path, "SELECT id, tags, p, i, big FROM t WHERE id > 2 ORDER BY id")
    assert sqlite == duck
    day, small = datetime.timedelta(days=2), Decimal("0.0000000001")
    assert sqlite[0] == [
        (3, ["x", "y"], {"a": 1, "b": "z"}, day, small),
        (4, ["u"], {"a": 5, "b": None}, None, Decimal("1.0000000000")),
    ]


@pytest.mark.parametrize(
    ("column", "value"),
    [("tags", "no list"), ("tags", [1]), ("tags", {"a": 1}), ("p", ["a"]), ("p", {"c": 1}),
     ("p", {"a": "x"}), ("numbers", [True]), ("numbers", [1.5])],
)  # fmt: skip
def test_wrong_values_are_refused_before_they_are_written(path, column, value):
    with sqlagent.connect(path) as con:
        with pytest.raises(sqlagent.DataError, match=f'column "{column}" is'):
            con.execute(f"INSERT INTO t (id, {column}) VALUES (9, ?)", (value,))
        assert con.execute("SELECT count(*) FROM t WHERE id = 9").fetchone() == (0,)


def test_what_a_plain_client_stored_wrongly_is_an_error_at_read(path):
    import subprocess
    import sys

    code = f"import sqlite3; c = sqlite3.connect({str(path)!r}); " \
           "c.execute(\"UPDATE t SET tags = 'x' WHERE id = 1\"); c.commit()"  # fmt: skip
    subprocess.run([sys.executable, "-c", code], check=True)
    for route in ("sqlite", "duckdb"):
        with sqlagent.connect(path, route=route) as con, pytest.raises(sqlagent.Error):
            con.execute("SELECT tags FROM t").fetchall()


def test_json_and_uuid_text_survive(path):
    with sqlagent.connect(path) as con:
        for text in ("10", "1e5", "01", " 1", '"10"', "null"):
            con.execute("UPDATE t SET j = ? WHERE id = 1", (text,))
            assert con.execute("SELECT j FROM t WHERE id = 1").fetchone() == (text,)


def test_rowcount_of_executemany_counts_rows(path):
    with sqlagent.connect(path) as con:
        cursor = con.executemany("UPDATE t SET n = 1 WHERE id >= ?", [(1,), (2,), (9,)])
        assert cursor.rowcount == 3
        again = con.executemany("INSERT OR IGNORE INTO t (id) VALUES (?)", [(1,), (7,), (8,)])
        assert again.rowcount == 2


def test_julian_days_compare_with_times(path):
    for route in ("sqlite", "duckdb"):
        with sqlagent.connect(path, route=route) as con:
            sql = "SELECT id FROM t WHERE ts >= julianday('2024-03-01') - 1"
            assert con.execute(sql).fetchall() == [(1,)]
