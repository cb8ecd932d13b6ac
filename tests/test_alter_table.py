"""ALTER TABLE beyond SQLite's: types, defaults, keys, names of constraints."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sqlagent
from sqlagent.parse.table_text import TableText, known_as
from sqlagent.serve import gate
from sqlagent.serve.users import Principal
from tests.pg_served import served


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.db"


@pytest.fixture
def db(path: Path) -> Iterator[sqlagent.Connection]:
    with sqlagent.connect(path, dialect="postgres") as connection:
        connection.executescript("""
CREATE TABLE people (id integer PRIMARY KEY, name varchar(40) NOT NULL, n text,
  amount numeric(10, 2) DEFAULT 0, at timestamp, CONSTRAINT positive CHECK (amount >= 0));
CREATE INDEX people_n ON people (n);
CREATE TABLE orders (id serial PRIMARY KEY, person integer);
CREATE VIEW named AS SELECT id, n FROM people;
INSERT INTO people VALUES (5, 'Ada', '12', 1.5, '2024-01-02 03:04:05'), (9, '茶', '7', 2, NULL);
""")
        yield connection


def rows(db: sqlagent.Connection, sql: str) -> list[tuple[Any, ...]]:
    return db.execute(sql).fetchall()


def refused(db: sqlagent.Connection, sql: str) -> sqlagent.Error:
    with pytest.raises(sqlagent.Error) as caught:
        db.execute(sql)
    return caught.value


def whole(path: Path) -> None:
    """SQLite, by itself, finds nothing wrong with the file."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert plain.execute("PRAGMA foreign_key_check").fetchall() == []


def test_type(db: sqlagent.Connection, path: Path) -> None:
    assert rows(db, "SELECT count(*), sum(amount) FROM people")  # its columns are made
    error = refused(db, "ALTER TABLE people ALTER COLUMN n TYPE integer")
    assert error.sqlstate == "42804" and "USING n::integer" in (error.hint or "")
    db.execute("ALTER TABLE people ALTER COLUMN n SET DATA TYPE integer USING n::integer + 1")
    assert rows(db, "SELECT id, n FROM people WHERE n > 10") == [(5, 13)]
    assert rows(db, "SELECT sum(n) FROM people") == [(21,)]  # by columns
    assert sorted(rows(db, "SELECT * FROM named")) == [(5, 13), (9, 8)]
    db.execute("ALTER TABLE people ALTER at TYPE date USING at::date, ALTER amount TYPE float8")
    assert str(rows(db, "SELECT at FROM people WHERE id = 5")[0][0]) == "2024-01-02"
    assert [d[1] for d in db.execute("SELECT * FROM people").description or ()] == [
        "BIGINT", "VARCHAR", "BIGINT", "DOUBLE", "DATE",
    ]  # fmt: skip
    assert refused(db, "ALTER TABLE people ALTER name TYPE varchar(2)").sqlstate == "22001"
    assert refused(db, "ALTER TABLE people ALTER n TYPE date USING 'x'::date").sqlstate == "22007"
    assert refused(db, "ALTER TABLE people ALTER nosuch TYPE text").sqlstate == "42703"
    assert rows(db, "SELECT n FROM people WHERE n = 13") == [(13,)]
    db.close()
    whole(path)


def test_rows_that_are_changed_are_logged_and_fire_nothing(db: sqlagent.Connection) -> None:
    db.execute("CREATE TABLE fired (n integer)")
    db.execute(
        "CREATE TRIGGER fires AFTER UPDATE ON people BEGIN INSERT INTO fired VALUES (1); END"
    )
    rows(db, "SELECT n, count(*) FROM people GROUP BY n")
    db.execute("ALTER TABLE people ALTER n TYPE bigint USING 100 * n::bigint")
    assert rows(db, "SELECT sum(n), max(n) FROM people") == [(1900, 1200)]
    assert rows(db, "SELECT count(*) FROM fired") == [(0,)]
    db.execute("UPDATE people SET n = 1")
    assert rows(db, "SELECT count(*) FROM fired") == [(2,)]


def test_defaults_and_not_null(db: sqlagent.Connection) -> None:
    db.execute(
        "ALTER TABLE people ALTER n SET DEFAULT 'x'::text, ALTER n SET NOT NULL, "
        "ALTER amount DROP DEFAULT, ADD COLUMN made timestamp"
    )
    db.execute("ALTER TABLE public.people ALTER COLUMN made SET DEFAULT now()")
    found = rows(db, "INSERT INTO people (id, name) VALUES (10, 'y') RETURNING n, amount, made")
    assert found[0][:2] == ("x", None) and found[0][2] is not None
    assert (
        refused(db, "INSERT INTO people (id, name, n) VALUES (11, 'y', NULL)").sqlstate == "23502"
    )
    db.execute("ALTER TABLE people ALTER n DROP NOT NULL, ALTER n DROP DEFAULT")
    assert rows(db, "INSERT INTO people (id, name) VALUES (11, 'y') RETURNING n") == [(None,)]
    assert refused(db, "ALTER TABLE people ALTER n SET NOT NULL")


def test_checks(db: sqlagent.Connection) -> None:
    error = refused(db, "ALTER TABLE people ADD CONSTRAINT big CHECK (length(n) > 1)")
    assert error.sqlstate == "23514" and "big" in error.message
    db.execute(
        "ALTER TABLE people ADD CONSTRAINT big CHECK (length(n) > 0), DROP CONSTRAINT positive"
    )
    db.execute("INSERT INTO people VALUES (1, 'x', '1', -5)")
    db.execute("ALTER TABLE people RENAME CONSTRAINT big TO large")
    assert "large" in refused(db, "INSERT INTO people VALUES (2, 'x', '')").message
    assert refused(db, "ALTER TABLE people DROP CONSTRAINT big").sqlstate == "42704"
    db.execute("ALTER TABLE people DROP CONSTRAINT IF EXISTS big")
    db.execute("ALTER TABLE people ADD CHECK (id < 100)")
    assert refused(
        db, "ALTER TABLE people ADD CONSTRAINT people_id_check CHECK (id < 5)"
    ).sqlstate == ("42710")
    db.execute("ALTER TABLE people DROP CONSTRAINT people_id_check, DROP CONSTRAINT large")
    db.execute("INSERT INTO people VALUES (200, 'x', '')")


def test_foreign_keys(db: sqlagent.Connection, path: Path) -> None:
    db.execute("INSERT INTO orders (person) VALUES (5), (77)")
    add = "ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (person) REFERENCES public.people (id)"
    assert refused(db, f"{add} ON DELETE CASCADE").sqlstate == "23503"
    db.execute("DELETE FROM orders WHERE person = 77")
    db.execute(f"{add} ON DELETE CASCADE")
    assert refused(db, "INSERT INTO orders (person) VALUES (77)").sqlstate == "23503"
    assert refused(db, "ALTER TABLE people DROP CONSTRAINT people_pkey").sqlstate == "2BP01"
    # Within a transaction, where foreign keys cannot be turned off.
    db.execute("BEGIN")
    db.execute("ALTER TABLE people ALTER n TYPE int USING n::int, ALTER name SET DEFAULT '?'")
    db.execute("COMMIT")
    assert rows(db, "SELECT count(*) FROM orders") == [(1,)]
    db.execute("DELETE FROM people WHERE id = 5")
    assert rows(db, "SELECT count(*) FROM orders") == [(0,)]
    db.execute("ALTER TABLE orders DROP CONSTRAINT fk")
    db.execute("INSERT INTO orders (person) VALUES (77)")
    db.close()
    whole(path)


def test_keys_are_made_anew_with_all_that_is_on_the_table(
    db: sqlagent.Connection, path: Path
) -> None:
    db.execute("CREATE TABLE copies (n integer)")
    db.execute(
        "CREATE TRIGGER copied AFTER INSERT ON people BEGIN INSERT INTO copies VALUES (NEW.id); END"
    )
    rows(db, "SELECT n, count(*) FROM people GROUP BY n")
    db.execute("ALTER TABLE people DROP CONSTRAINT people_pkey")
    db.execute("INSERT INTO people (id, name) VALUES (5, 'twin')")
    assert rows(db, "SELECT n FROM copies") == [(5,)]
    assert rows(db, "SELECT count(*) FROM named") == [(3,)]
    error = refused(db, "ALTER TABLE people ADD PRIMARY KEY (id)")
    assert error.sqlstate == "23505" and "(new)" not in str(error)
    db.execute("DELETE FROM people WHERE name = 'twin'")
    db.execute("ALTER TABLE ONLY people ADD CONSTRAINT people_key PRIMARY KEY (id)")
    assert refused(db, "INSERT INTO people (id, name) VALUES (9, 'x')").sqlstate == "23505"
    assert refused(db, "ALTER TABLE people ADD PRIMARY KEY (name)").sqlstate == "42P16"
    assert rows(db, "SELECT count(*) FROM people") == [(2,)]
    names = rows(db, "SELECT name FROM sqlite_schema WHERE tbl_name = 'people' ORDER BY name")
    assert ("people_n",) in names and ("copied",) in names
    db.execute("INSERT INTO people (id, name) VALUES (77, 'z')")
    assert rows(db, "SELECT count(*) FROM people") == [(3,)]  # by columns, kept by the log
    db.close()
    whole(path)


def test_rowids_stay(db: sqlagent.Connection) -> None:
    db.execute("CREATE TABLE r (a text UNIQUE, b text)")
    db.execute("INSERT INTO r VALUES ('x', '1'), ('y', '2'), ('z', '3')")
    db.execute("DELETE FROM r WHERE a = 'y'")
    before = rows(db, "SELECT rowid, a FROM r ORDER BY a")
    db.execute("ALTER TABLE r ALTER b TYPE int USING b::int, ALTER b SET DEFAULT 3")
    db.execute("ALTER TABLE r DROP CONSTRAINT r_a_key")
    assert rows(db, "SELECT rowid, a FROM r ORDER BY a") == before
    db.execute("INSERT INTO r (a) VALUES ('x')")
    assert rows(db, "SELECT b FROM r WHERE a = 'x' ORDER BY b") == [(1,), (3,)]


def test_many_rows_and_keys_of_texts(db: sqlagent.Connection) -> None:
    """Each row is found by its key: the cost grows with the rows, not with their square."""
    db.execute("CREATE TABLE w (k text, j int, v text, PRIMARY KEY (k, j)) WITHOUT ROWID")
    db.execute("INSERT INTO w SELECT 'k' || i, i, i::text FROM generate_series(1, 20000) AS g(i)")
    before = time.process_time()
    db.execute("ALTER TABLE w ALTER v TYPE bigint USING v::bigint * 2")
    assert time.process_time() - before < 10
    assert rows(db, "SELECT sum(v), count(*) FROM w WHERE v = 2 * j") == [(400020000, 20000)]


def test_several_actions_and_a_rollback(db: sqlagent.Connection) -> None:
    sql = "SELECT sql FROM sqlite_schema WHERE name = 'people'"
    before = rows(db, sql)
    assert refused(db, "ALTER TABLE people ALTER name SET DEFAULT 'x', ALTER n TYPE integer")
    assert rows(db, sql) == before
    db.execute("BEGIN")
    db.execute("ALTER TABLE people ALTER n TYPE int USING n::int")
    assert rows(db, "SELECT n + 1 FROM people WHERE id = 5") == [(13,)]
    db.execute("ROLLBACK")
    assert rows(db, sql) == before
    assert rows(db, "SELECT n || '!' FROM people WHERE id = 5") == [("12!",)]


def test_other_connections_see_it(db: sqlagent.Connection, path: Path) -> None:
    with sqlagent.connect(path, dialect="postgres") as other:
        assert rows(other, "SELECT n FROM people WHERE id = 5") == [("12",)]
        db.execute("ALTER TABLE people ALTER n TYPE int USING n::int")
        assert rows(other, "SELECT n FROM people WHERE id = 5") == [(12,)]
        assert other.execute("INSERT INTO people (id, name, n) VALUES (1, 'x', 3)")


def test_what_is_ours_stays(db: sqlagent.Connection, path: Path) -> None:
    for sql in (
        "ALTER TABLE memories ALTER importance TYPE text",
        "ALTER TABLE states DROP CONSTRAINT states_pkey",
        "ALTER TABLE sqlagent_sequences ALTER name SET DEFAULT 'x'",
    ):
        assert refused(db, sql).sqlstate == "42501", sql
    with gate.connect(str(path), Principal("eve", "writer"), dialect="postgres") as eve:
        for sql in ("ALTER n TYPE text", "ALTER n SET DEFAULT 'x'", "DROP CONSTRAINT positive"):
            assert refused(eve, f"ALTER TABLE people {sql}").sqlstate == "42501"


def test_the_dialect_of_duckdb(path: Path) -> None:
    with sqlagent.connect(path) as db:
        db.execute("CREATE TABLE t (a VARCHAR, b INTEGER)")
        db.execute("INSERT INTO t VALUES ('7', 1)")
        db.execute("ALTER TABLE t ALTER a TYPE INTEGER")
        db.execute("ALTER TABLE t ALTER COLUMN b SET DEFAULT 5")
        db.execute("INSERT INTO t (a) VALUES (8)")
        assert rows(db, "SELECT a + 1, b FROM t ORDER BY a") == [(8, 1), (9, 5)]


def test_clients_find_the_names(db: sqlagent.Connection, path: Path) -> None:
    db.execute(
        "ALTER TABLE orders ADD CONSTRAINT buyer FOREIGN KEY (person) REFERENCES people (id)"
    )
    with served(path) as place, psycopg.connect(**place.owner) as client:
        found = client.execute(
            "SELECT conname, contype FROM pg_constraint WHERE conrelid = 'orders'::regclass "
            "ORDER BY conname"
        ).fetchall()
        assert found == [("buyer", "f"), ("orders_pkey", "p")]
        client.execute("ALTER TABLE orders RENAME CONSTRAINT buyer TO who")
        client.execute("ALTER TABLE people ALTER COLUMN n TYPE bigint USING n::bigint")
        assert client.execute("SELECT n FROM people WHERE id = 5").fetchone() == (12,)
        client.commit()
        assert client.execute(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = 'people'::regclass AND attname = 'n'"
        ).fetchone() == ("bigint",)


# The text of a definition ----------------------------------------------------------------------

NAMES = st.sampled_from(["a", '"b c"', "茶", '"select"', "x1"])
TYPES = st.sampled_from(["", "int", "varchar(3)", "NUMERIC(4, 2)", "double precision", '"x y"'])
CLAUSES = st.lists(
    st.sampled_from([
        "NOT NULL", "NULL", "UNIQUE", "CHECK (1 > (0))", "DEFAULT -1", "DEFAULT (1 + (2))",
        "COLLATE NOCASE", "CONSTRAINT k CHECK (')' <> ',')", "DEFAULT 'it''s'",
        "REFERENCES t (id) ON DELETE SET NULL ON UPDATE SET DEFAULT NOT DEFERRABLE",
        "CONSTRAINT f REFERENCES t", "GENERATED ALWAYS AS (1) STORED", "AS (2)",
    ]), max_size=4,
)  # fmt: skip


@given(NAMES, TYPES, CLAUSES)
def test_clauses_are_found_as_they_were_said(name: str, kind: str, clauses: list[str]) -> None:
    text = TableText(f"CREATE TABLE t ({name} {kind} {' '.join(clauses)}, z int) STRICT")
    assert [text.elements[0][c.start : c.end] for c in text.clauses(0)] == clauses
    while text.clauses(0):
        text.remove(0, text.clauses(0)[0])
    assert text.elements[0].split() == f"{name} {kind}".split()
    assert text.sql.endswith(", z int) STRICT")


def test_names_that_postgresql_gives() -> None:
    text = TableText(
        "CREATE TABLE t (a int PRIMARY KEY, b int UNIQUE CHECK (b > 0), c int REFERENCES u, "
        "UNIQUE (a, b), CHECK (a > b), CONSTRAINT own CHECK (true))"
    )
    assert [name for name, _, _ in known_as("t", text)] == [
        "t_pkey", "t_b_key", "t_b_check", "t_c_fkey", "t_a_b_key", "t_check", "own",
    ]  # fmt: skip
