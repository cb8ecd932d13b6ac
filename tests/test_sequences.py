"""Sequences: numbers that are given once, columns that they fill, and what clients ask of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent.serve import gate
from sqlagent.serve.users import Principal
from tests.pg_served import served


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.db"


@pytest.fixture
def db(path: Path) -> Iterator[sqlagent.Connection]:
    with sqlagent.connect(path, dialect="postgres") as connection:
        yield connection


def one(db: sqlagent.Connection, sql: str) -> Any:
    [(value,)] = db.execute(sql).fetchall()
    return value


def refused(db: sqlagent.Connection, sql: str) -> str:
    with pytest.raises(sqlagent.Error) as caught:
        db.execute(sql).fetchall()
    return str(caught.value.sqlstate)


def test_a_number_that_was_undone_is_not_given_again(db: sqlagent.Connection) -> None:
    db.execute("CREATE SEQUENCE s")
    assert one(db, "SELECT nextval('s')") == 1
    db.execute("BEGIN")
    assert one(db, "SELECT nextval('s')") == 2
    db.execute("ROLLBACK")
    assert one(db, "SELECT nextval('s')") == 3
    db.execute("ALTER SEQUENCE s RESTART")
    assert one(db, "SELECT nextval('s')") == 1


def test_options(db: sqlagent.Connection) -> None:
    db.execute("CREATE SEQUENCE down INCREMENT BY -2 MINVALUE -1 MAXVALUE 3 START WITH 3 CYCLE")
    assert [one(db, "SELECT nextval('down')") for _ in range(4)] == [3, 1, -1, 3]
    db.execute("CREATE SEQUENCE few AS smallint MAXVALUE 2 NO CYCLE CACHE 5")
    assert one(db, "SELECT nextval('few') + nextval('few')") == 3
    assert refused(db, "SELECT nextval('few')") == "2200H"
    db.execute("ALTER SEQUENCE few NO MAXVALUE INCREMENT 10")
    assert one(db, "SELECT nextval('few')") == 12
    db.execute("ALTER SEQUENCE few RENAME TO many")
    assert one(db, "SELECT nextval('many')") == 22
    for sql, state in (
        ("CREATE SEQUENCE many", "42P07"), ("CREATE SEQUENCE x INCREMENT 0", "22023"),
        ("CREATE SEQUENCE x AS text", "22023"), ("CREATE SEQUENCE x START 0", "22023"),
        ("CREATE SEQUENCE x MINVALUE 5 MAXVALUE 4", "22023"), ("CREATE SEQUENCE x FOO", "42601"),
        ("CREATE SEQUENCE x AS smallint MAXVALUE 40000", "22023"),
        ("CREATE SEQUENCE x START y", "42601"), ("CREATE TEMP SEQUENCE x", "0A000"),
        ("ALTER SEQUENCE nosuch RESTART", "42P01"), ("DROP SEQUENCE nosuch", "42P01"),
        ("CREATE SEQUENCE x OWNED BY nosuch.id", "42P01"), ("CREATE SEQUENCE", "42601"),
    ):  # fmt: skip
        assert refused(db, sql) == state, sql
    db.execute("CREATE SEQUENCE IF NOT EXISTS many")
    db.execute("ALTER SEQUENCE IF EXISTS nosuch RESTART")
    db.execute("DROP SEQUENCE IF EXISTS nosuch, many, down")
    assert refused(db, "SELECT nextval('many')") == "42P01"


def test_columns_are_filled(db: sqlagent.Connection) -> None:
    db.execute("CREATE SEQUENCE nr START 10")
    db.execute(
        "CREATE TABLE o (id serial PRIMARY KEY, nr integer DEFAULT nextval('nr'::regclass), "
        "ref bigserial, x text, y int GENERATED ALWAYS AS IDENTITY (START WITH 100 INCREMENT BY 5))"
    )
    assert db.execute("INSERT INTO o (x) VALUES ('a'), ('茶') RETURNING *").fetchall() == [
        (1, 10, 1, "a", 100), (2, 11, 2, "茶", 105),
    ]  # fmt: skip
    for sql, wanted in (
        ("INSERT INTO o (x, nr) SELECT 'c', 7 RETURNING id, nr, ref, y", (3, 7, 3, 110)),
        ("INSERT INTO o DEFAULT VALUES RETURNING id, nr, ref, y", (4, 12, 4, 115)),
        ("INSERT INTO o (nr, x) VALUES (DEFAULT, 'd') RETURNING nr, y", (13, 120)),
        ("INSERT INTO o VALUES (99, 5, 7, 'five') RETURNING id, y", (99, 125)),
        ("INSERT INTO public.o AS z (x) VALUES ('f') ON CONFLICT DO NOTHING RETURNING ref", (6,)),
        ("WITH i AS (INSERT INTO o (x) VALUES ('w') RETURNING nr) SELECT nr FROM i", (15,)),
    ):
        assert db.execute(sql).fetchall() == [wanted], sql
    assert one(db, "SELECT currval(pg_get_serial_sequence('o', 'y'))") == 135
    db.execute("INSERT INTO o (x) SELECT repeat('x', i) FROM generate_series(1, 50) AS g(i)")
    assert one(db, "SELECT count(DISTINCT y) = count(*) FROM o") is True
    db.executemany("INSERT INTO o (x) VALUES (?)", [("a",), ("b",)])
    assert one(db, "SELECT count(*) = count(nr) FROM o") is True


def test_what_becomes_of_them_with_their_tables(db: sqlagent.Connection) -> None:
    db.execute("CREATE TABLE o (k text, n serial)")
    db.execute("ALTER TABLE o RENAME COLUMN n TO m")
    db.execute("ALTER TABLE o RENAME TO p")
    assert db.execute("INSERT INTO p (k) VALUES ('x') RETURNING m").fetchall() == [(1,)]
    assert refused(db, "DROP SEQUENCE o_n_seq") == "2BP01"
    db.execute("ALTER TABLE p ALTER m DROP DEFAULT")
    assert refused(db, "INSERT INTO p (k) VALUES ('x')") == "23502"
    db.execute("ALTER TABLE p ALTER COLUMN m SET DEFAULT nextval('o_n_seq')")
    assert db.execute("INSERT INTO p (k) VALUES ('x') RETURNING m").fetchall() == [(2,)]
    db.execute("DROP SEQUENCE o_n_seq CASCADE")
    db.execute("DROP TABLE p")
    db.execute("CREATE TABLE q (k text, n serial)")
    db.execute("DROP TABLE q")
    db.execute("CREATE TABLE q (k text, n serial)")
    assert db.execute("INSERT INTO q (k) VALUES ('x') RETURNING n").fetchall() == [(1,)]


def test_keys_that_number_themselves_are_sequences(db: sqlagent.Connection) -> None:
    db.execute("CREATE TABLE o (id serial PRIMARY KEY, x text)")
    db.execute("INSERT INTO o (x) VALUES ('a'), ('b')")
    assert one(db, "SELECT pg_get_serial_sequence('public.o', 'id')") == "public.o_id_seq"
    assert one(db, "SELECT nextval('o_id_seq')") == 3
    assert db.execute("INSERT INTO o (x) VALUES ('c') RETURNING id").fetchall() == [(4,)]
    assert one(db, "SELECT setval('o_id_seq', (SELECT max(id) FROM o) + 100)") == 104
    assert db.execute("INSERT INTO o (x) VALUES ('d') RETURNING id").fetchall() == [(105,)]
    assert one(db, "SELECT lastval()") == 105


def test_what_pg_dump_says_is_read(db: sqlagent.Connection) -> None:
    for sql in (
        "CREATE TABLE public.t (id bigint NOT NULL, body text)",
        "CREATE SEQUENCE public.t_id_seq START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE "
        "CACHE 1",
        "ALTER SEQUENCE public.t_id_seq OWNED BY public.t.id",
        "ALTER TABLE ONLY public.t ALTER COLUMN id SET DEFAULT "
        "nextval('public.t_id_seq'::regclass)",
        "INSERT INTO public.t VALUES (1, 'a'), (2, '茶')",
        "SELECT pg_catalog.setval('public.t_id_seq', 2, true)",
        "ALTER TABLE ONLY public.t ADD CONSTRAINT t_pkey PRIMARY KEY (id)",
    ):
        db.execute(sql)
    assert db.execute("INSERT INTO t (body) VALUES ('c') RETURNING id").fetchall() == [(3,)]
    assert refused(db, "INSERT INTO t VALUES (3, 'd')") == "23505"


def test_nobody_is_given_a_number_twice(path: Path) -> None:
    """Threads and processes, some of which roll back."""
    with sqlagent.connect(path, dialect="postgres") as db:
        db.execute("CREATE SEQUENCE s")
    code = (
        "import sqlagent, sys\n"
        "with sqlagent.connect(sys.argv[1]) as db:\n"
        "    for _ in range(100): print(db.execute(\"SELECT nextval('s')\").fetchone()[0])\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    given: list[int] = []

    def take(undo: bool) -> None:
        with sqlagent.connect(path) as mine:
            for n in range(60):
                if undo and n % 3 == 0:
                    mine.execute("BEGIN")
                    mine.execute("SELECT nextval('s')")
                    mine.execute("ROLLBACK")
                given.extend(row[0] for row in mine.execute("SELECT nextval('s')"))

    threads = [threading.Thread(target=take, args=(undo,)) for undo in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for process in processes:
        out, _ = process.communicate(timeout=60)
        given.extend(map(int, out.split()))
    assert len(given) == 320 and len(set(given)) == 320


@settings(max_examples=25, deadline=None)
@given(
    st.integers(-5, 5).filter(bool), st.integers(-20, 20), st.integers(1, 30), st.integers(-20, 50)
)
def test_a_sequence_counts_as_it_is_told(step: int, low: int, width: int, start: int) -> None:
    high = low + width
    start = min(max(start, low), high)
    with sqlagent.connect(":memory:") as db:
        db.execute(
            f"CREATE SEQUENCE s INCREMENT {step} MINVALUE {low} MAXVALUE {high} START {start} CYCLE"
        )
        at = start
        for _ in range(8):
            assert one(db, "SELECT nextval('s')") == at
            at += step
            if not low <= at <= high:
                at = low if step > 0 else high


def test_users(path: Path) -> None:
    with sqlagent.connect(path, dialect="postgres") as owner:
        owner.execute("CREATE SEQUENCE s")
        owner.execute("CREATE TABLE secret (id serial PRIMARY KEY, n serial)")
        owner.execute("CREATE TABLE mine (id serial PRIMARY KEY, n serial)")
    granted = frozenset(("mine", p) for p in ("select", "insert"))
    with gate.connect(
        str(path), Principal("eve", "writer", None, granted), dialect="postgres"
    ) as eve:
        assert one(eve, "SELECT nextval('s')") == 1
        assert one(eve, "SELECT nextval('mine_n_seq')") == 1
        for name in ("secret_n_seq", "secret_id_seq"):
            for call in (f"nextval('{name}')", f"currval('{name}')", f"setval('{name}', 5)"):
                assert refused(eve, f"SELECT {call}") == "42P01", call
        assert refused(eve, "SELECT pg_get_serial_sequence('secret', 'n')") == "42P01"
        assert refused(eve, "CREATE SEQUENCE t") == "42501"
        assert refused(eve, "DROP SEQUENCE s") == "42501"
        assert refused(eve, "ALTER SEQUENCE s RESTART") == "42501"
    with gate.connect(str(path), Principal("bob", "reader"), dialect="postgres") as bob:
        assert refused(bob, "SELECT nextval('s')") == "42501"
        assert refused(bob, "SELECT 1 + nextval('s')") == "42501"
        assert refused(bob, "SELECT setval('s', 1)") == "42501"


def test_clients(path: Path) -> None:
    with sqlagent.connect(path, dialect="postgres") as owner:
        owner.execute("CREATE SEQUENCE s START 5")
        owner.execute("CREATE TABLE o (id bigserial PRIMARY KEY, n serial, b text)")
    with served(path) as place, psycopg.connect(**place.owner, autocommit=True) as client:
        assert client.execute("SELECT nextval(%s)", ("s",)).fetchone() == (5,)
        assert client.execute("SELECT currval('s'::regclass), lastval()").fetchone() == (5, 5)
        cursor = client.execute("INSERT INTO o (b) VALUES (%s) RETURNING id, n", ("x",))
        assert cursor.fetchone() == (1, 1) and cursor.statusmessage == "INSERT 0 1"
        assert client.execute(
            "SELECT sequence_name, data_type FROM information_schema.sequences ORDER BY 1"
        ).fetchall() == [("o_n_seq", "integer"), ("s", "bigint")]
        assert client.execute(
            "SELECT sequencename, last_value, max_value FROM pg_sequences ORDER BY 1"
        ).fetchall() == [("o_n_seq", 1, 2**31 - 1), ("s", 5, 2**63 - 1)]
        assert client.execute(
            "SELECT column_default FROM information_schema.columns "
            "WHERE table_name = 'o' AND column_name = 'n'"
        ).fetchone() == ("nextval('o_n_seq'::regclass)",)
        assert client.execute("SELECT pg_get_serial_sequence('o', 'n')").fetchone() == (
            "public.o_n_seq",
        )
        with client.cursor() as cursor, cursor.copy("COPY o (b) FROM STDIN") as copy:
            copy.write("y\nz\n")
        assert client.execute("SELECT n FROM o ORDER BY n").fetchall() == [(1,), (2,), (3,)]
        if shutil.which("psql"):
            shown = subprocess.run(
                ["psql", "-h", place.folder, "-U", "root", "-d", place.name, "-c", r"\ds"],
                capture_output=True, text=True, check=True,
            ).stdout  # fmt: skip
            assert "o_n_seq | sequence" in shown


def test_sizes_and_row_counts(path: Path) -> None:
    with sqlagent.connect(path, dialect="postgres") as owner:
        owner.execute("CREATE TABLE o (id bigserial PRIMARY KEY, b text)")
        owner.execute("INSERT INTO o (b) SELECT repeat('x', 100) FROM generate_series(1, 5000)")
        owner.execute("CREATE INDEX ob ON o (b)")
        owner.execute("CREATE TABLE secret (a text)")
        owner.execute("INSERT INTO secret VALUES ('x')")
        owner.execute("CREATE USER eve PASSWORD 'x'")
        owner.execute("GRANT SELECT ON o TO eve")
    with served(path) as place, psycopg.connect(**place.owner, autocommit=True) as client:
        assert client.execute(
            "SELECT relname, reltuples FROM pg_class WHERE relname IN ('o', 'ob') ORDER BY 1"
        ).fetchall() == [("o", 5000.0), ("ob", 5000.0)]
        whole, table, indexes, pages = (
            client.execute(
                "SELECT pg_total_relation_size('o'), pg_relation_size('o'), pg_indexes_size('o'), "
                "(SELECT relpages FROM pg_class WHERE relname = 'o')"
            ).fetchone()
            or ()
        )
        assert whole == table + indexes and table == pages * 4096 and 500_000 < table < 700_000
        client.execute("DELETE FROM o WHERE id > 100")
        live = (
            "SELECT relname, n_live_tup FROM pg_stat_user_tables WHERE relname IN ('o', 'secret')"
        )
        assert sorted(client.execute(live).fetchall()) == [("o", 100), ("secret", 1)]


@pytest.mark.parametrize("dialect", ["duckdb", "sqlite"])
def test_every_dialect_fills(db: sqlagent.Connection, dialect: str) -> None:
    db.execute("CREATE TABLE o (id serial PRIMARY KEY, n serial, b text)")
    db.execute(f"SET dialect = '{dialect}'")
    assert db.execute("INSERT INTO o (b) VALUES ('x') RETURNING n").fetchall() == [(1,)]
    assert db.execute("INSERT INTO o DEFAULT VALUES RETURNING n").fetchall() == [(2,)]
    with pytest.raises(sqlagent.Error) as caught:
        db.execute("INSERT INTO o (b) VALUES (nosuch)")
    assert caught.value.position == 26
