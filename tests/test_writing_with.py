"""A WITH that writes: one transaction, one snapshot, each part once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent.serve import gate
from sqlagent.serve.users import Principal
from tests.pg_served import served

TABLES = """
CREATE TABLE queue (id INTEGER PRIMARY KEY, body TEXT, at TIMESTAMP, n INTEGER);
CREATE TABLE done (id INTEGER PRIMARY KEY, body TEXT, at TIMESTAMP, n INTEGER);
CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
INSERT INTO queue VALUES (1, 'a', '2024-01-01 00:00:00', 5), (2, '茶', NULL, 6), (3, 'c', NULL, 7);
"""


@pytest.fixture(params=["postgres", "duckdb", "sqlite"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sqlagent.Connection]:
    with sqlagent.connect(tmp_path / "agent.db", dialect=request.param) as connection:
        connection.executescript(TABLES)
        yield connection


def rows(db: sqlagent.Connection, sql: str, values: Any = ()) -> list[tuple[Any, ...]]:
    return db.execute(sql, values).fetchall()


def test_rows_are_moved(db: sqlagent.Connection) -> None:
    cursor = db.execute(
        "WITH moved AS (DELETE FROM queue WHERE id IN "
        "(SELECT id FROM queue ORDER BY id LIMIT 2) RETURNING *) "
        "INSERT INTO done SELECT * FROM moved"
    )
    assert cursor.rowcount == 2
    assert rows(db, "SELECT id, body, n FROM done ORDER BY id") == [(1, "a", 5), (2, "茶", 6)]
    assert rows(db, "SELECT id FROM queue") == [(3,)]
    assert rows(db, "SELECT count(*) FROM done WHERE at IS NULL") == [(1,)]


def test_all_parts_see_what_was_there_before(db: sqlagent.Connection) -> None:
    find_or_make = (
        "WITH made AS (INSERT INTO tags (name) VALUES (:name) ON CONFLICT DO NOTHING RETURNING id) "
        "SELECT id FROM made UNION ALL SELECT id FROM tags WHERE name = :name"
    )
    assert rows(db, find_or_make, {"name": "x"}) == [(1,)]
    assert rows(db, find_or_make, {"name": "x"}) == [(1,)]
    changed = "WITH u AS (UPDATE queue SET n = n + 1 RETURNING id, n) "
    assert rows(
        db, changed + "SELECT u.n, q.n FROM u JOIN queue AS q ON q.id = u.id ORDER BY u.id"
    ) == [(6, 5), (7, 6), (8, 7)]
    counts = "SELECT (SELECT count(*) FROM queue), (SELECT count(*) FROM gone)"
    assert rows(db, f"WITH gone AS (DELETE FROM queue RETURNING id) {counts}") == [(3, 3)]
    assert rows(db, "SELECT count(*) FROM queue") == [(0,)]


def test_a_view_over_a_written_table_is_as_it_was(db: sqlagent.Connection) -> None:
    db.execute("CREATE VIEW high AS SELECT id FROM queue WHERE n > 5")
    found = rows(
        db,
        "WITH gone AS (DELETE FROM queue RETURNING id) "
        "SELECT (SELECT count(*) FROM high), count(*) FROM gone",
    )
    assert found == [(2, 3)]


def test_a_row_is_changed_once_and_new_ones_are_not_seen(db: sqlagent.Connection) -> None:
    found = rows(
        db,
        "WITH new AS (INSERT INTO queue (id, n) VALUES (10, 1) RETURNING id), "
        "first AS (UPDATE queue SET n = 100 WHERE id = 1 RETURNING id) "
        "UPDATE queue SET n = 0 RETURNING id",
    )
    assert sorted(found) == [(2,), (3,)]
    assert rows(db, "SELECT id, n FROM queue ORDER BY id") == [(1, 100), (2, 0), (3, 0), (10, 1)]


def test_parts_without_rowids_and_triggers(db: sqlagent.Connection) -> None:
    db.execute("CREATE TABLE w (k TEXT PRIMARY KEY, v INT) WITHOUT ROWID")
    db.execute("INSERT INTO w VALUES ('a', 1), ('b', 2)")
    assert rows(
        db, "WITH d AS (DELETE FROM w RETURNING k) SELECT (SELECT sum(v) FROM w), count(*) FROM d"
    ) == [(3, 2)]
    db.execute("CREATE TABLE log (n INT)")
    db.execute(
        "CREATE TRIGGER logs AFTER DELETE ON queue BEGIN INSERT INTO log VALUES (OLD.n); END"
    )
    assert rows(
        db,
        "WITH d AS (DELETE FROM queue RETURNING id) SELECT count(*), (SELECT count(*) FROM log) "
        "FROM d",
    ) == [(3, 0)]
    assert rows(db, "SELECT count(*) FROM log") == [(3,)]


def test_several_writes_and_reads_between_them(db: sqlagent.Connection) -> None:
    found = rows(
        db,
        "WITH a (x, y) AS (INSERT INTO tags (name) VALUES ('p'), ('q') RETURNING id, name), "
        "b AS (SELECT x, upper(y) AS y FROM a WHERE x > ?), "
        "c AS (INSERT INTO done (id, body) SELECT x + 10, y FROM b RETURNING id, body), "
        "d AS (DELETE FROM queue WHERE n > ?) "
        "SELECT id, body, (SELECT count(*) FROM a) FROM c",
        (1, 6),
    )
    assert found == [(12, "Q", 2)]
    assert rows(db, "SELECT id FROM queue ORDER BY id") == [(1,), (2,)]


def test_a_plan_is_used_again(db: sqlagent.Connection) -> None:
    sql = "WITH i AS (INSERT INTO tags (name) VALUES (?) RETURNING id, name) SELECT * FROM i"
    assert [rows(db, sql, (name,)) for name in ("x", "y", "茶")] == [
        [(1, "x")], [(2, "y")], [(3, "茶")],
    ]  # fmt: skip
    db.execute("ALTER TABLE tags ADD COLUMN more INT")
    assert rows(db, sql, ("z",)) == [(4, "z")]
    with pytest.raises(sqlagent.Error, match="1 parameters, 2 values"):
        db.execute(sql, ("a", "b"))


def test_many_sets_of_parameters_are_one_transaction(db: sqlagent.Connection) -> None:
    sql = (
        "WITH i AS (INSERT INTO tags (name) VALUES (?) RETURNING name) "
        "INSERT INTO done (body) SELECT name FROM i"
    )
    db.executemany(sql, [("a",), ("b",)])
    with pytest.raises(sqlagent.IntegrityError):
        db.executemany(sql, [("c",), ("a",)])
    assert rows(db, "SELECT body FROM done ORDER BY id") == [("a",), ("b",)]


def test_all_or_none(db: sqlagent.Connection) -> None:
    failing = (
        "WITH d AS (DELETE FROM queue RETURNING id, body) "
        "INSERT INTO tags (id, name) SELECT id, 'same' FROM d"
    )
    with pytest.raises(sqlagent.IntegrityError):
        db.execute(failing)
    assert not db.in_transaction
    assert rows(db, "SELECT count(*) FROM queue") == [(3,)]
    if db.settings["dialect"] != "postgres":
        db.execute("BEGIN")
        db.execute("INSERT INTO tags (name) VALUES ('kept')")
        with pytest.raises(sqlagent.IntegrityError):
            db.execute(failing)
        db.execute("COMMIT")
        assert rows(db, "SELECT name FROM tags") == [("kept",)]
        assert rows(db, "SELECT count(*) FROM queue") == [(3,)]


def test_what_it_is_over_is_gone_afterwards(db: sqlagent.Connection) -> None:
    db.execute("WITH d AS (DELETE FROM queue RETURNING id) SELECT * FROM d").fetchall()
    with pytest.raises(sqlagent.ProgrammingError, match="unknown table"):
        db.execute("SELECT * FROM d")
    for name in ("sqlagent_returned_1", "sqlagent_old_queue", "sqlagent_touched_queue"):
        with pytest.raises(sqlagent.Error):
            db.execute(f"SELECT * FROM {name}").fetchall()


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("WITH a AS (DELETE FROM queue) SELECT * FROM a", "does not have a RETURNING clause"),
        ("WITH a AS (SELECT 1), a AS (DELETE FROM queue RETURNING 1) SELECT 1", "more than once"),
        ("WITH a AS (DELETE FROM nosuch RETURNING *) SELECT * FROM a", "nosuch"),
        ("WITH a AS (DELETE FROM queue RETURNING nosuch) SELECT * FROM a", "nosuch"),
        ("WITH a (x, y) AS (DELETE FROM queue RETURNING id) SELECT * FROM a", "2 columns"),
        (
            "WITH a AS (WITH b AS (DELETE FROM queue RETURNING 1) SELECT * FROM b) "
            "DELETE FROM done RETURNING (SELECT 1 FROM a)", ".",
        ),
        ("WITH a AS (DELETE FROM queue RETURNING id) INSERT INTO done (nosuch) SELECT 1", "nosuch"),
    ],
)  # fmt: skip
def test_what_is_wrong_changes_nothing(db: sqlagent.Connection, sql: str, message: str) -> None:
    with pytest.raises(sqlagent.Error, match=message):
        db.execute(sql).fetchall()
    assert rows(db, "SELECT count(*) FROM queue") == [(3,)]


def test_what_duckdb_alone_says(tmp_path: Path) -> None:
    with sqlagent.connect(tmp_path / "agent.db") as db:
        db.executescript(TABLES)
        found = db.execute(
            "WITH d AS (DELETE FROM queue RETURNING id, body, at) "
            "SELECT list(body ORDER BY id), max(at) FROM d"
        ).fetchall()
        assert found[0][0] == ["a", "茶", "c"] and str(found[0][1]) == "2024-01-01 00:00:00"


VALUES = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=8))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(VALUES, st.integers(0, 3)), max_size=12), st.integers(0, 3))
def test_moved_is_deleted_and_inserted(values: list[Any], pivot: int) -> None:
    """The statement does what a DELETE after an INSERT … SELECT would, and returns those rows."""
    with sqlagent.connect(":memory:", dialect="postgres") as db:
        for name in ("a", "b"):
            db.execute(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, v, k INTEGER)")
        db.executemany("INSERT INTO a (v, k) VALUES (?, ?)", values)
        whole = db.execute("SELECT id, v, k FROM a ORDER BY id").fetchall()
        db.execute(
            "WITH m AS (DELETE FROM a WHERE k >= $1 RETURNING *) INSERT INTO b SELECT * FROM m",
            (pivot,),
        )
        left = db.execute("SELECT id, v, k FROM a ORDER BY id").fetchall()
        moved = db.execute("SELECT id, v, k FROM b ORDER BY id").fetchall()
        assert left == [r for r in whole if r[2] < pivot]
        assert moved == [r for r in whole if r[2] >= pivot]


# Over the wire, and by users ----------------------------------------------------------------------


def test_a_client_of_postgresql(tmp_path: Path) -> None:
    path = tmp_path / "agent.db"
    with sqlagent.connect(path, dialect="postgres") as owner:
        owner.executescript(TABLES)
    with served(path) as place, psycopg.connect(**place.ada, autocommit=True) as client:
        cursor = client.execute(
            "WITH moved AS (DELETE FROM public.queue WHERE id > %s RETURNING *), "
            "ins AS (INSERT INTO done SELECT * FROM moved RETURNING id) "
            "SELECT ins.id, moved.body, moved.n + 1 FROM ins JOIN moved USING (id) ORDER BY 1",
            (1,),
        )
        assert cursor.statusmessage == "SELECT 2"
        assert [d.name for d in cursor.description or ()] == ["id", "body", "?column?"]
        assert cursor.fetchall() == [(2, "茶", 7), (3, "c", 8)]
        cursor = client.execute(
            "WITH back AS (DELETE FROM done RETURNING *) INSERT INTO queue SELECT * FROM back "
            "RETURNING queue.*, upper(body)"
        )
        assert cursor.statusmessage == "INSERT 0 2"
        assert [d.name for d in cursor.description or ()] == ["id", "body", "at", "n", "upper"]
        with pytest.raises(psycopg.errors.UniqueViolation), client.transaction():
            client.execute(
                "WITH d AS (DELETE FROM queue RETURNING id) "
                "INSERT INTO tags (id, name) SELECT id, 'same' FROM d"
            )
        client.execute("SET default_transaction_read_only = on")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            client.execute("WITH d AS (DELETE FROM queue RETURNING id) SELECT * FROM d")
        assert client.execute("SELECT count(*) FROM queue").fetchone() == (3,)


def test_the_gate_judges_each_part(tmp_path: Path) -> None:
    path = tmp_path / "agent.db"
    with sqlagent.connect(path) as owner:
        owner.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, agent_id TEXT, n INT)")
        owner.execute("INSERT INTO orders VALUES (1, 'ada', 1), (2, 'bob', 2)")
        owner.execute("CREATE TABLE secret (x TEXT)")
        owner.execute("INSERT INTO secret VALUES ('hidden')")

    def user(**more: Any) -> sqlagent.Connection:
        return gate.connect(str(path), Principal("eve", **{"role": "writer", **more}))

    with user(role="reader") as eve, pytest.raises(gate.PrivilegeError, match="may only read"):
        eve.execute("WITH d AS (DELETE FROM orders RETURNING id) SELECT * FROM d")
    granted = frozenset((p, "orders") for p in ("select", "insert", "update", "delete"))
    mine = frozenset((table, p) for p, table in granted)
    with user(grants=mine) as eve:
        for sql in (
            "WITH d AS (DELETE FROM secret RETURNING x) SELECT * FROM d",
            "WITH d AS (DELETE FROM orders RETURNING id) SELECT (SELECT x FROM secret) FROM d",
            "WITH s AS (SELECT x FROM secret), d AS (DELETE FROM orders RETURNING id) "
            "SELECT * FROM s, d",
            "WITH d AS (DELETE FROM orders RETURNING id) INSERT INTO secret SELECT id FROM d",
        ):
            with pytest.raises(sqlagent.Error) as caught:
                eve.execute(sql).fetchall()
            assert caught.value.sqlstate in ("42501", "42P01"), sql
        assert eve.execute(
            "WITH d AS (UPDATE orders SET n = n + 1 RETURNING id) "
            "SELECT d.id, o.n FROM d JOIN orders AS o ON o.id = d.id ORDER BY d.id"
        ).fetchall() == [(1, 1), (2, 2)]
    with user(agents=frozenset({"ada"})) as eve:
        found = eve.execute(
            "WITH d AS (UPDATE orders SET n = n + 1 RETURNING id, n) "
            "SELECT d.id, o.agent_id, o.n FROM d JOIN orders AS o ON true"
        ).fetchall()
        assert found == [(1, "ada", 2)]
        with pytest.raises(gate.PrivilegeError):
            eve.execute(
                "WITH d AS (DELETE FROM orders RETURNING id) "
                "INSERT INTO orders SELECT id, 'bob', 7 FROM d"
            )
        assert eve.execute("SELECT id FROM orders").fetchall() == [(1,)]
        with pytest.raises(sqlagent.Error):
            eve.execute("SELECT * FROM sqlagent_returned_1").fetchall()


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "sqlite"])
@pytest.mark.parametrize(
    "sql",
    [
        "WITH d AS (DELETE FROM queue RETURNING n) SELECT * FROM d",
        "WITH RECURSIVE d AS (UPDATE queue SET n = 2 RETURNING n) SELECT * FROM d",
        "WITH d (a) AS NOT MATERIALIZED (/* */ DELETE FROM queue RETURNING n) SELECT * FROM d",
        "WITH d AS (WITH x AS (SELECT 1) DELETE FROM queue RETURNING n) SELECT * FROM d",
        "EXPLAIN ANALYZE WITH d AS (DELETE FROM queue RETURNING n) SELECT * FROM d",
        "SELECT * FROM (WITH d AS (DELETE FROM queue RETURNING n) SELECT * FROM d) AS x",
    ],
)
def test_a_reader_writes_in_no_way(tmp_path: Path, dialect: str, sql: str) -> None:
    path = tmp_path / "agent.db"
    with sqlagent.connect(path) as owner:
        owner.executescript(TABLES)
    with gate.connect(str(path), Principal("eve", "reader"), dialect=dialect) as eve:
        with pytest.raises(sqlagent.Error) as caught:
            eve.execute(sql).fetchall()
        assert caught.value.sqlstate in ("42501", "42601", "0A000")
        assert eve.execute("SELECT count(*), sum(n) FROM queue").fetchall() == [(3, 18)]
