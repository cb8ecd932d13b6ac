"""What PostgreSQL's INSERT and UPDATE keep of what they are given, and functions in FROM."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent.clock import exact, text
from sqlagent.errors import DataError, ProgrammingError
from tests.pg_served import served

TABLE = """CREATE TABLE t (id serial PRIMARY KEY, b boolean DEFAULT '1', tags text[] DEFAULT '{}',
  day date, at timestamp, made timestamptz DEFAULT now(), u uuid DEFAULT (gen_random_uuid()),
  j jsonb, n numeric(6, 2), raw bytea, i int DEFAULT 4, f real, name varchar(20) UNIQUE)"""


@pytest.fixture
def pg() -> Iterator[sqlagent.Connection]:
    with sqlagent.connect(":memory:", dialect="postgres") as connection:
        connection.execute(TABLE)
        yield connection


def one(pg: sqlagent.Connection, sql: str) -> Any:
    return pg.execute(sql).fetchone()[0]


@pytest.mark.parametrize(
    ("column", "given", "kept"),
    [
        ("b", "'yes'", True), ("b", "'off'", False),
        ("tags", "'{a,\"b c\",NULL}'", ["a", "b c", None]),
        ("day", "'2024-2-29'", datetime.date(2024, 2, 29)), ("i", "' 7 '", 7), ("f", "'1.5'", 1.5),
        ("at", "'2024-05-06T07:08:09.5+08:00'", datetime.datetime(2024, 5, 6, 7, 8, 9, 500000)),
        ("made", "'2024-05-06 07:08:09.5+08'", datetime.datetime(2024, 5, 5, 23, 8, 9, 500000)),
        ("made", "'2024-05-06 07:08+08'::timestamptz", datetime.datetime(2024, 5, 5, 23, 8)),
        ("made", "timestamptz '2024-05-06 24:00+00'", datetime.datetime(2024, 5, 7)),
        ("raw", "'\\x00ff'", b"\0\xff"), ("n", "'1.005'", 1.01), ("n", "NULL", None),
        ("name", "'茶''s'", "茶's"), ("j", "E'{\"a\": \"\\u8336\"}'", '{"a": "茶"}'),
        ("u", "'7D444840-9DC0-11D1-B245-5FFDCE74FAD2'", "7d444840-9dc0-11d1-b245-5ffdce74fad2"),
    ],
)  # fmt: skip
def test_a_literal_is_its_columns(
    pg: sqlagent.Connection, column: str, given: str, kept: Any
) -> None:
    pg.execute(f"INSERT INTO t ({column}) VALUES ({given})")
    pg.execute(f"UPDATE t SET {column} = {given}, i = 1 WHERE {column} IS NULL OR 1 = 1")
    found = one(pg, f"SELECT {column} FROM t")
    if column == "n" and found is not None:
        found = float(found)
    assert (str(found) if column == "u" else found) == kept or (column, kept) == ("i", 7)


@pytest.mark.parametrize(
    ("column", "given", "state"),
    [
        ("b", "'maybe'", "22P02"), ("i", "'x'", "22P02"), ("day", "'2024-13-01'", "22008"),
        ("day", "'soon'", "22007"), ("n", "'12345.6'", "22003"), ("u", "'z'", "22P02"),
        ("j", "'{'", "22P02"), ("tags", "'{a'", "22P02"), ("i", "'99999999999999999999'", "22003"),
    ],
)  # fmt: skip
def test_what_is_no_value_is_not_kept(
    pg: sqlagent.Connection, column: str, given: str, state: str
) -> None:
    for sql in (f"INSERT INTO t (name, {column}) VALUES ('a', {given})",
                f"UPDATE t SET {column} = {given}"):  # fmt: skip
        with pytest.raises(DataError) as caught:
            pg.execute(sql)
        assert caught.value.sqlstate == state
        assert caught.value.position == sql.index(given)
    assert one(pg, "SELECT count(*) FROM t") == 0


def test_default(pg: sqlagent.Connection) -> None:
    pg.execute(
        "INSERT INTO t VALUES (DEFAULT, DEFAULT, DEFAULT, DEFAULT), (9, false, '{x}', DEFAULT)"
    )
    pg.execute("INSERT INTO t (id, i, u, name) VALUES (DEFAULT, DEFAULT, DEFAULT, DEFAULT)")
    rows = pg.execute("SELECT id, b, tags, day, i FROM t ORDER BY id").fetchall()
    assert rows == [(1, True, [], None, 4), (9, False, ["x"], None, 4), (10, True, [], None, 4)]
    assert one(pg, "SELECT count(DISTINCT u) FROM t") == 3
    pg.execute("UPDATE t SET (b, i) = (DEFAULT, 5), tags = DEFAULT WHERE id = 9")
    assert pg.execute("SELECT b, i, tags FROM t WHERE id = 9").fetchone() == (True, 5, [])
    pg.execute("INSERT INTO t (id) VALUES (9) ON CONFLICT (id) DO UPDATE SET b = 'f', i = DEFAULT")
    assert pg.execute("SELECT b, i FROM t WHERE id = 9").fetchone() == (False, 4)


def test_values_with_names(pg: sqlagent.Connection) -> None:
    pg.execute("INSERT INTO t (name) VALUES ('a'), ('b')")
    changed = pg.execute(
        "UPDATE t AS x SET i = v.i FROM (VALUES ('a', 7), ('b', 8)) AS v (name, i) "
        "WHERE v.name = x.name RETURNING x.i"
    ).fetchall()
    assert sorted(changed) == [(7,), (8,)]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT x + 1 FROM unnest(array[1, 2]) AS x", [(2,), (3,)]),
        ("SELECT * FROM unnest(array[1, 2], array['a']) AS u (n, t)", [(1, "a"), (2, None)]),
        ("SELECT u.* FROM unnest(array['a', 'b']) WITH ORDINALITY AS u (t, n)",
         [("a", 1), ("b", 2)]),
        ("SELECT e->>'a', e.value->>'a' FROM jsonb_array_elements('[{\"a\": 1}]') AS e",
         [("1", "1")]),
        ("SELECT key, value FROM json_each_text('{\"a\": \"x\", \"b\": 2}')",
         [("a", "x"), ("b", "2")]),
        ("SELECT * FROM jsonb_to_recordset('[{\"a\": 1, \"b\": \"x\"}, {\"a\": 2}]') "
         "AS r (a int, b text)",
         [(1, "x"), (2, None)]),
        ("SELECT q.n, x FROM (VALUES (1, array[5, 6]), (2, NULL)) AS q (n, list) "
         "LEFT JOIN LATERAL unnest(q.list) AS x ON true ORDER BY 1, 2",
         [(1, 5), (1, 6), (2, None)]),
        ("SELECT ordinality, value FROM jsonb_array_elements_text('[\"a\"]') WITH ORDINALITY",
         [(1, "a")]),
        ("SELECT 'abcd'::char(3) || '|' || 'abcd'::varchar(2)", [("abc|ab",)]),
        ("SELECT (interval '3 days 04:05:06')::text, (interval 'P1DT2H')::text",
         [("3 days 04:05:06", "1 day 02:00:00")]),
    ],
)  # fmt: skip
def test_rows_of_functions(pg: sqlagent.Connection, sql: str, rows: list[Any]) -> None:
    assert pg.execute(sql).fetchall() == rows


def test_more_names_than_columns(pg: sqlagent.Connection) -> None:
    with pytest.raises(ProgrammingError, match="1 columns available but 2 columns specified"):
        pg.execute("SELECT * FROM unnest(array[1]) AS u (a, b)")
    with pytest.raises(ProgrammingError, match="column definition list"):
        pg.execute("SELECT * FROM jsonb_to_recordset('[]')")


@given(st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)))
@settings(max_examples=60, deadline=None)
def test_an_exact_time_comes_back(value: datetime.datetime) -> None:
    assert datetime.datetime.fromisoformat(text(exact(value))) == value


def test_the_wire(tmp_path: Path) -> None:
    """What clients read of errors, keys, intervals, bytes and times."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    with served(tmp_path / "a.db") as place, psycopg.connect(**place.owner, autocommit=True) as db:
        db.execute(TABLE)
        db.execute("CREATE TABLE c (id serial PRIMARY KEY, t_id int NOT NULL REFERENCES t (id), "
                   "p timestamp(3) with time zone, CHECK (id < 100))")  # fmt: skip
        db.execute("INSERT INTO t (name) VALUES ('a')")
        assert db.execute("SELECT lastval(), currval('t_id_seq')").fetchone() == (1, 1)
        for sql, message, constraint in (
            ("INSERT INTO t (name) VALUES ('a')",
             'duplicate key value violates unique constraint "t_name_key"', "t_name_key"),
            ("INSERT INTO t (id) VALUES (1)",
             'duplicate key value violates unique constraint "t_pkey"', "t_pkey"),
            ("INSERT INTO c (t_id) VALUES (NULL)",
             'null value in column "t_id" of relation "c" violates not-null constraint', None),
            ("INSERT INTO c (t_id) VALUES (9)",
             'insert or update on table "c" violates foreign key constraint "c_t_id_fkey"',
             "c_t_id_fkey"),
            ("INSERT INTO c (id, t_id) VALUES (100, 1)",
             'new row for relation "c" violates check constraint "c_id_check"', "c_id_check"),
        ):  # fmt: skip
            with pytest.raises(psycopg.IntegrityError) as caught:
                db.execute(sql)
            assert caught.value.diag.message_primary == message
            assert caught.value.diag.constraint_name == constraint
        assert caught.value.diag.table_name == "c"
        cursor = db.cursor()
        for style, said in {
            "iso_8601": "P1DT2H", "postgres_verbose": "@ 1 day 2 hours",
            "sql_standard": "1 2:00:00", "postgres": "1 day 02:00:00",
        }.items():  # fmt: skip
            cursor.execute(f"SET IntervalStyle = {style}")
            cursor.execute("SELECT interval '1 day 2 hours'")
            assert cursor.pgresult.get_value(0, 0).decode() == said
        cursor.execute("SET bytea_output = escape")
        cursor.execute("SELECT 'a\\x'::text, '\\x61ff'::bytea")
        assert cursor.pgresult.get_value(0, 1) == rb"a\377"
        db.execute("INSERT INTO c (t_id, p) VALUES (1, '2024-01-01 00:00:00.1235+00')")
        assert db.execute("SELECT p FROM c").fetchone()[0].microsecond == 124000
        moment = datetime.datetime(2024, 1, 1, 0, 0, 0, 123456, datetime.UTC)
        assert db.execute("UPDATE t SET made = %s RETURNING made", [moment]).fetchone() == (moment,)
        db.execute("SET TIME ZONE INTERVAL '+05:30' HOUR TO MINUTE")
        found = db.execute("SELECT made, made::text FROM t").fetchone()
        assert found[0] == moment


def test_commit_beside_an_open_portal(tmp_path: Path) -> None:
    """COMMIT by the extended protocol ends all portals, its own too."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    with served(tmp_path / "a.db") as place, psycopg.connect(**place.owner, autocommit=True) as db:
        for sql in ("BEGIN", "SELECT 1", "COMMIT"):
            db.pgconn.exec_params(sql.encode(), None)
            assert db.pgconn.error_message == b""
