"""ATTACH: other processes write, files vanish, names collide, cursors stream, servers refuse."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import SQLITE3, python, run, sqlite3_says, start

import sqlagent
from sqlagent.engines.live import protected
from sqlagent.errors import hidden

WRITER = """
import sqlite3, sys
con = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
for line in sys.stdin:
    con.execute(line)
    print("done", flush=True)
"""
HOLDER = """
import duckdb, sys
con = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def shop(con: sqlagent.Connection, shop_db: Path) -> sqlagent.Connection:
    """An open connection to a new file, to which an ordinary SQLite file is attached."""
    con.execute("ATTACH ? AS shop", (str(shop_db),))
    return con


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    """A .duckdb file with a table of two products."""
    path = tmp_path / "facts.duckdb"
    python(
        "import duckdb, sys; con = duckdb.connect(sys.argv[1]);"
        "con.execute('CREATE TABLE products (id INTEGER, name VARCHAR)');"
        "con.execute(\"INSERT INTO products VALUES (1, 'tea'), (2, 'ink')\")",
        path,
    )
    return path


def one(con: sqlagent.Connection, sql: str, parameters: Any = ()) -> Any:
    """The only value of a query."""
    return con.execute(sql, parameters).fetchall()[0][0]


def said(process: Any, sql: str) -> None:
    """Let the other process run and commit a statement."""
    process.stdin.write(sql + "\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


# What other processes do -------------------------------------------------------------------------


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_sees_every_commit_of_another_process(
    shop: sqlagent.Connection, shop_db: Path, facts: Path, journal: str
) -> None:
    shop.execute("ATTACH ? AS facts", (str(facts),))
    writer = start(WRITER, shop_db)
    said(writer, f"PRAGMA journal_mode = {journal}")
    for n in range(3, 40):
        said(writer, f"INSERT INTO orders VALUES ({n}, {n})")
        assert one(shop, "SELECT count(*) FROM shop.orders") == n
        joined = "SELECT count(*) FROM shop.orders o JOIN facts.products p ON p.id = 1"
        assert one(shop, joined) == n  # through DuckDB, fed anew
        assert one(shop, joined) == n  # and from what is kept of a quiet file
    writer.communicate()
    assert sqlite3_says(shop_db, "PRAGMA integrity_check") == "ok"


def test_schema_changes_of_another_process_are_followed(
    shop: sqlagent.Connection, shop_db: Path
) -> None:
    assert shop.execute("SELECT * FROM shop.orders WHERE id = 1").fetchall() == [(1, 5.0)]
    sqlite3_says(shop_db, "ALTER TABLE orders ADD COLUMN note TEXT DEFAULT 'n'")
    assert shop.execute("SELECT * FROM shop.orders WHERE id = 1").fetchall() == [(1, 5.0, "n")]
    shop.execute("CREATE TABLE mine (id INTEGER)")
    shop.execute("INSERT INTO mine VALUES (1)")
    sql = "SELECT o.* FROM shop.orders o JOIN mine m ON m.id = o.id"
    assert shop.execute(sql).fetchall() == [(1, 5.0, "n")]
    sqlite3_says(shop_db, "ALTER TABLE orders RENAME COLUMN note TO remark")
    assert shop.execute(sql.replace("o.*", "o.remark")).fetchall() == [("n",)]


def test_nothing_is_written_into_an_attached_file(shop: sqlagent.Connection, shop_db: Path) -> None:
    before = sqlite3_says(shop_db, "SELECT group_concat(sql) FROM sqlite_schema")
    journal = sqlite3_says(shop_db, "PRAGMA journal_mode")
    shop.execute("CREATE TABLE mine AS SELECT * FROM shop.orders")
    shop.execute("SELECT max(o.total) FROM shop.orders o, mine").fetchall()
    shop.execute("INSERT INTO shop.orders (total) VALUES (1)")
    shop.execute("DETACH shop")
    assert sqlite3_says(shop_db, "SELECT group_concat(sql) FROM sqlite_schema") == before
    assert sqlite3_says(shop_db, "PRAGMA journal_mode") == journal == "delete"
    assert not Path(f"{shop_db}.d").exists()


@pytest.mark.skipif(not os.path.exists(SQLITE3), reason="needs /usr/bin/sqlite3")
def test_a_write_lock_survives_reads_of_every_kind(
    shop: sqlagent.Connection, shop_db: Path
) -> None:
    shop.execute("BEGIN")
    shop.execute("INSERT INTO shop.orders (total) VALUES (1)")
    for sql in (
        "SELECT count(*) FROM shop.orders",
        f"SELECT count(*) FROM sqlite_scan('{shop_db}', 'orders')",
        f"SELECT * FROM read_blob('{shop_db}')",
        f"SELECT * FROM '{shop_db}'",
        f"ATTACH '{shop_db}' AS again",
        f"SELECT * FROM read_text('{shop_db.parent}/*.db')",
    ):
        try:
            shop.execute(sql).fetchall()
        except sqlagent.Error:
            pass
        taken = run([SQLITE3, "-cmd", ".timeout 50", str(shop_db), "BEGIN IMMEDIATE;"])
        assert "locked" in taken.stderr, sql
    shop.commit()
    assert one(shop, "SELECT count(*) FROM shop.orders") == 3


def test_guard_covers_attached_files_until_detach(shop: sqlagent.Connection, shop_db: Path) -> None:
    assert protected(str(shop_db)) == str(shop_db)
    with pytest.raises(sqlagent.NotSupportedError, match="open here"):
        shop.execute(f"SELECT size FROM read_blob('{shop_db}')")
    shop.execute("DETACH shop")
    assert protected(str(shop_db)) is None
    assert one(shop, f"SELECT size FROM read_blob('{shop_db}')") == shop_db.stat().st_size


def test_a_killed_writer_loses_its_transaction_alone(tmp_path: Path, shop_db: Path) -> None:
    child = start(
        "import sqlagent, sys\n"
        "con = sqlagent.connect(sys.argv[1]); con.execute('ATTACH ? AS shop', (sys.argv[2],))\n"
        "con.execute('INSERT INTO shop.orders VALUES (10, 1)')\n"
        "con.begin(); con.execute('INSERT INTO shop.orders VALUES (11, 1)')\n"
        "print('written', flush=True); sys.stdin.readline()",
        tmp_path / "agent.db", shop_db,
    )  # fmt: skip
    assert child.stdout is not None and child.stdout.readline() == "written\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    with sqlagent.connect(tmp_path / "agent.db") as con:
        con.execute("ATTACH ? AS shop", (str(shop_db),))
        assert con.execute("SELECT id FROM shop.orders WHERE id > 9").fetchall() == [(10,)]
    assert sqlite3_says(shop_db, "PRAGMA integrity_check") == "ok"


def test_a_busy_file_is_a_busy_error(tmp_path: Path, shop_db: Path) -> None:
    writer = start(WRITER, shop_db)
    said(writer, "BEGIN IMMEDIATE")
    con = sqlagent.connect(tmp_path / "agent.db", timeout=0.1)
    con.execute("ATTACH ? AS shop", (str(shop_db),))
    assert one(con, "SELECT count(*) FROM shop.orders") == 2
    with pytest.raises(sqlagent.Error, match=r"locked|busy"):
        con.execute("INSERT INTO shop.orders (total) VALUES (1)")
    said(writer, "COMMIT")
    con.execute("INSERT INTO shop.orders (total) VALUES (1)")
    writer.communicate()
    con.close()


def test_a_duckdb_file_that_another_process_has_is_refused(
    con: sqlagent.Connection, facts: Path
) -> None:
    holder = start(HOLDER, facts)
    assert holder.stdout is not None and holder.stdout.readline() == "open\n"
    with pytest.raises(sqlagent.OperationalError, match=f"another process.*{holder.pid}"):
        con.execute("ATTACH ? AS facts", (str(facts),))
    holder.communicate("\n")
    con.execute("ATTACH ? AS facts (READ_ONLY)", (str(facts),))
    assert one(con, "SELECT count(*) FROM facts.products") == 2
    with pytest.raises(sqlagent.NotSupportedError, match="READ_ONLY"):
        con.execute("INSERT INTO facts.products VALUES (3, 'x')")


# Files that go, and cursors that stay ------------------------------------------------------------


def test_a_file_that_vanishes_is_named_and_the_others_go_on(
    shop: sqlagent.Connection, shop_db: Path, facts: Path
) -> None:
    shop.execute("ATTACH ? AS facts", (str(facts),))
    shop.execute("SELECT * FROM shop.orders").fetchall()
    kept = shop_db.with_name("kept.db")
    shop_db.rename(kept)
    for sql in (
        "SELECT * FROM shop.orders",
        "SELECT count(*) FROM shop.orders, facts.products",
        "INSERT INTO shop.orders (total) VALUES (1)",
        "CREATE TABLE shop.t (a INTEGER)",
    ):
        with pytest.raises(sqlagent.OperationalError, match=r'"shop" is gone: .*shop\.db'):
            shop.execute(sql)
    assert one(shop, "SELECT count(*) FROM facts.products") == 2
    shutil.copy(kept, shop_db)
    with pytest.raises(sqlagent.OperationalError, match="replaced by another file"):
        shop.execute("SELECT * FROM shop.orders")
    shop.execute("DETACH shop")
    shop.execute("ATTACH ? AS shop", (str(shop_db),))
    assert one(shop, "SELECT count(*) FROM shop.orders") == 2
    os.remove(facts)
    with pytest.raises(sqlagent.OperationalError, match='"facts" is gone'):
        shop.execute("SELECT * FROM facts.products")


@pytest.mark.parametrize("route", ["auto", "duckdb"])
def test_a_cursor_outlives_detach(shop: sqlagent.Connection, route: str) -> None:
    rows = ", ".join(f"({n}, 1)" for n in range(3, 20_003))
    shop.execute(f"INSERT INTO shop.orders VALUES {rows}")
    shop.execute(f"SET route = '{route}'")
    cursor = shop.execute("SELECT id FROM shop.orders ORDER BY id")
    assert cursor.fetchmany(2) == [(1,), (2,)]
    shop.execute("DETACH shop")
    assert len(cursor.fetchall()) == 20_000
    with pytest.raises(sqlagent.ProgrammingError, match="unknown table"):
        shop.execute("SELECT id FROM shop.orders ORDER BY id")


def test_a_cursor_on_a_duckdb_file_outlives_detach(con: sqlagent.Connection, facts: Path) -> None:
    con.execute("ATTACH ? AS facts", (str(facts),))
    con.execute("INSERT INTO facts.products SELECT range, 'x' FROM range(100000)")
    cursor = con.execute("SELECT id FROM facts.products")
    cursor.fetchmany(5)
    con.execute("DETACH facts")
    assert len(cursor.fetchall()) == 99_997
    assert python(
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]);"
        "print(c.execute('SELECT count(*) FROM products').fetchone()[0])", facts
    ) == "100002"  # fmt: skip


# Names and connections ---------------------------------------------------------------------------


def test_what_one_connection_attaches_another_does_not_see(
    con: sqlagent.Connection, fresh_db: Path, facts: Path
) -> None:
    second = sqlagent.connect(fresh_db)
    con.execute("ATTACH ? AS facts", (str(facts),))
    with pytest.raises(sqlagent.ProgrammingError, match="unknown table"):
        second.execute("SELECT * FROM facts.products")
    second.execute("ATTACH ? AS things", (str(facts),))  # one instance: counted, not opened twice
    con.execute("DETACH facts")
    assert one(second, "SELECT count(*) FROM things.products") == 2
    second.close()
    con.execute("ATTACH ? AS facts", (str(facts),))
    assert one(con, "SELECT count(*) FROM facts.products") == 2


def test_a_table_of_ours_and_an_attached_name_do_not_meet(shop: sqlagent.Connection) -> None:
    shop.execute("CREATE TABLE orders (id INTEGER, total DOUBLE)")
    shop.execute("CREATE TABLE shop (id INTEGER)")
    shop.execute("INSERT INTO orders VALUES (7, 7)")
    assert shop.execute("SELECT id FROM orders").fetchall() == [(7,)]
    sql = "SELECT o.id, s.id FROM orders o JOIN shop.orders s ON s.id < 2"
    assert shop.execute(sql).fetchall() == [(7, 1)]
    shop.execute("INSERT INTO shop VALUES (9)")
    assert shop.execute("SELECT shop.id FROM shop").fetchall() == [(9,)]


def test_databases_are_listed(shop: sqlagent.Connection, shop_db: Path) -> None:
    rows = shop.execute("SHOW DATABASES").fetchall()
    assert [r[:2] for r in rows] == [("main", "file"), ("shop", "sqlite")]
    assert rows[1][2] == str(shop_db)
    assert shop.execute("PRAGMA database_list").fetchall()[1] == (2, "shop", str(shop_db))


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("ATTACH", "expected the path"),
        ("ATTACH 5 AS x", "expected the path"),
        ("ATTACH 'a.db' x", "expected the end"),
        ("ATTACH 'a.db' AS", "expected a name"),
        ("ATTACH 'a.db' AS x (TYPE", "expected"),
        ("ATTACH 'a.db' AS x (TYPE mysql)", '"mysql" cannot be attached'),
        ("ATTACH 'a.db' AS sqlite_x", "reserved"),
        ("ATTACH 'a.db' AS temp", "schema already"),
        ("ATTACH '*.db' AS x", "kind of the files"),
        ("ATTACH '.' AS x", "holds no Lance"),
        ("DETACH", "expected the name"),
        ("DETACH main", 'no database "main"'),
    ],
)
def test_bad_input(con: sqlagent.Connection, sql: str, message: str) -> None:
    with pytest.raises(sqlagent.Error, match=message) as caught:
        con.execute(sql)
    assert "LINE 1: " in str(caught.value)
    assert con.sources == {}


def test_no_file_of_the_wrong_kind(con: sqlagent.Connection, tmp_path: Path, facts: Path) -> None:
    text = tmp_path / "notes.db"
    text.write_text("no database, but longer than sixteen bytes")
    for sql in (f"ATTACH '{text}' AS x", f"ATTACH '{text}' AS x (TYPE sqlite)",
                f"ATTACH '{text}' AS x (TYPE duckdb)", f"ATTACH '{facts}' AS x (TYPE sqlite)",
                f"ATTACH '{tmp_path}' AS x (TYPE sqlite)"):  # fmt: skip
        with pytest.raises(sqlagent.OperationalError):
            con.execute(sql)
    assert text.read_text().startswith("no database")


# Transactions ------------------------------------------------------------------------------------


def test_pep_249_transactions_reach_attached_files(fresh_db: Path, shop_db: Path) -> None:
    con = sqlagent.connect(fresh_db, autocommit=False)
    con.execute("ATTACH ? AS shop", (str(shop_db),))
    con.execute("INSERT INTO shop.orders (total) VALUES (1)")
    assert con.in_transaction
    assert sqlite3_says(shop_db, "SELECT count(*) FROM orders") == "2"
    con.rollback()
    assert one(con, "SELECT count(*) FROM shop.orders") == 2
    con.executemany("INSERT INTO shop.orders (total) VALUES (?)", [(1,), (2,)])
    con.commit()
    assert sqlite3_says(shop_db, "SELECT count(*) FROM orders") == "4"
    con.close()


def test_closing_rolls_back_and_frees_the_file(con: sqlagent.Connection, shop_db: Path) -> None:
    con.execute("ATTACH ? AS shop", (str(shop_db),))
    con.begin()
    con.execute("INSERT INTO shop.orders (total) VALUES (1)")
    con.close()
    assert protected(str(shop_db)) is None
    assert sqlite3_says(shop_db, "BEGIN IMMEDIATE; SELECT count(*) FROM orders;") == "2"


def test_a_failed_write_keeps_the_transaction(shop: sqlagent.Connection) -> None:
    shop.begin()
    shop.execute("INSERT INTO shop.orders VALUES (10, 1)")
    with pytest.raises(sqlagent.IntegrityError):
        shop.execute("INSERT INTO shop.orders SELECT 10, 1")
    with pytest.raises(sqlagent.IntegrityError):
        shop.executemany("INSERT INTO shop.orders VALUES (?, 1)", [(11,), (10,)])
    shop.commit()
    assert shop.execute("SELECT id FROM shop.orders WHERE id > 9").fetchall() == [(10,)]


def test_a_failed_native_write_writes_nothing(con: sqlagent.Connection, facts: Path) -> None:
    con.execute("ATTACH ? AS facts", (str(facts),))
    con.execute("CREATE TABLE facts.keyed (id INTEGER PRIMARY KEY)")
    with pytest.raises(sqlagent.IntegrityError):
        con.execute("INSERT INTO facts.keyed VALUES (1), (2), (1)")
    assert one(con, "SELECT count(*) FROM facts.keyed") == 0
    con.begin()
    con.execute("INSERT INTO facts.keyed VALUES (1)")
    with pytest.raises(sqlagent.IntegrityError):
        con.execute("INSERT INTO facts.keyed VALUES (1)")
    with pytest.raises(sqlagent.ProgrammingError, match="until ROLLBACK"):
        con.execute("SELECT 1")
    con.rollback()
    assert one(con, "SELECT count(*) FROM facts.keyed") == 0


def test_a_native_transaction_sees_our_rows_as_they_are(
    con: sqlagent.Connection, fresh_db: Path, facts: Path
) -> None:
    con.execute("ATTACH ? AS facts", (str(facts),))
    con.execute("CREATE TABLE mine (id INTEGER)")
    con.execute("INSERT INTO mine VALUES (1)")
    assert one(con, "SELECT count(*) FROM mine JOIN facts.products USING (id)") == 1
    sqlite3_says(fresh_db, "INSERT INTO mine VALUES (2)")
    con.begin()
    con.execute("INSERT INTO facts.products VALUES (9, 'pen')")
    with sqlagent.connect(fresh_db) as second:  # which brings the columns up to date
        assert one(second, "SELECT count(*) FROM mine GROUP BY ALL") == 2
        second.close()
    for _ in range(2):
        assert one(con, "SELECT count(*) FROM mine JOIN facts.products USING (id)") == 2
    assert one(con, "SELECT count(*) FROM facts.products") == 3
    con.commit()
    assert one(con, "SELECT count(*) FROM facts.products") == 3


def test_definitions_of_a_transaction_are_seen_in_it(
    shop: sqlagent.Connection, facts: Path
) -> None:
    shop.execute("ATTACH ? AS facts", (str(facts),))
    for name in ("shop", "facts"):
        shop.begin()
        shop.execute(f"CREATE TABLE {name}.made (a INTEGER)")
        shop.execute(f"INSERT INTO {name}.made VALUES (1)")
        assert shop.execute(f"SELECT a FROM {name}.made").fetchall() == [(1,)]
        shop.rollback()
        with pytest.raises(sqlagent.ProgrammingError):
            shop.execute(f"SELECT a FROM {name}.made")


def test_executemany_of_each_kind(other: sqlagent.Connection, facts: Path) -> None:
    other.execute("ATTACH ? AS facts", (str(facts),))
    cursor = other.executemany("INSERT INTO facts.products VALUES (?, ?)", [(3, "a"), (4, "b")])
    assert cursor.rowcount == 2
    other.executemany("SELECT other.remember(?, ?)", [("bob", "one"), ("bob", "two")])
    assert one(other, "SELECT count(*) FROM other.memories WHERE agent_id = 'bob'") == 2
    with pytest.raises(sqlagent.DataError):
        other.executemany("INSERT INTO facts.products VALUES (?, ?)", [(5, "a"), ("x", "b")])
    assert one(other, "SELECT count(*) FROM facts.products") == 4


# Other agents, Lance, views of a .duckdb file ----------------------------------------------------


@pytest.fixture
def other(words: sqlagent.Connection, tmp_path: Path) -> sqlagent.Connection:
    """A connection with another agent's file attached, which remembers one thing."""
    second = sqlagent.connect(tmp_path / "other.db", embedding_model="none")
    second.execute("SELECT remember('ada', 'likes green tea')").fetchall()
    second.close()
    words.execute("ATTACH ? AS other", (str(tmp_path / "other.db"),))
    return words


def test_another_agents_functions_run_on_its_file(other: sqlagent.Connection) -> None:
    assert one(other, "SELECT content FROM other.recall(?, 'tea')", ("ada",)) == "likes green tea"
    assert other.execute("SELECT content FROM recall('ada', 'tea')").fetchall() == []
    other.execute("SELECT other.remember('ada', 'drinks tea at four')").fetchall()
    assert one(other, "SELECT count(*) FROM other.memories") == 2
    assert one(other, "SELECT count(*) FROM memories") == 0
    other.execute("CREATE TABLE cups (name TEXT)")
    other.execute("INSERT INTO cups VALUES ('blue')")
    found = other.execute(
        "SELECT r.content, c.name FROM other.recall('ada', 'green', k => 1) r, cups c"
    ).fetchall()
    assert found == [("likes green tea", "blue")]
    with pytest.raises(sqlagent.NotSupportedError, match="takes constants alone"):
        other.execute("SELECT * FROM other.recall(?, 'tea') r, cups", ("ada",))
    with pytest.raises(sqlagent.ProgrammingError, match="sqlagent itself"):
        other.execute("DROP TABLE other.memories")


def test_another_agents_file_in_a_transaction(other: sqlagent.Connection) -> None:
    other.begin()
    other.execute("SELECT other.remember('ada', 'undone')").fetchall()
    assert one(other, "SELECT count(*) FROM other.memories") == 2
    with pytest.raises(sqlagent.NotSupportedError, match='writes "other"'):
        other.execute("SELECT remember('ada', 'here')")
    other.rollback()
    assert one(other, "SELECT count(*) FROM other.memories") == 1
    other.execute("INSERT INTO memories (agent_id, content) SELECT agent_id, content "
                  "FROM other.memories")  # fmt: skip
    assert one(other, "SELECT content FROM recall('ada', 'tea')") == "likes green tea"


def test_an_agents_file_of_another_version_is_refused(
    con: sqlagent.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "old.db"
    sqlite3_says(path, "CREATE TABLE sqlagent_migrations (version INTEGER)")
    before = path.read_bytes()
    with pytest.raises(sqlagent.Error):
        con.execute("ATTACH ? AS old", (str(path),))
    assert path.read_bytes() == before
    con.execute("ATTACH ? AS old (TYPE sqlite)", (str(path),))
    assert one(con, "SELECT count(*) FROM old.sqlagent_migrations") == 0


def test_a_lance_folder_is_read_at_its_newest_version(
    con: sqlagent.Connection, tmp_path: Path
) -> None:
    lancedb = pytest.importorskip("lancedb")
    import pyarrow as pa

    def rows(ids: list[int]) -> pa.Table:
        flat = pa.array([float(n) for n in ids for _ in range(3)], pa.float32())
        return pa.table({
            "id": ids, "name": [f"n{n}" for n in ids],
            "v": pa.FixedSizeListArray.from_arrays(flat, 3),
        })  # fmt: skip

    table = lancedb.connect(tmp_path / "vectors").create_table("notes", rows([1, 2, 3]))
    con.execute("ATTACH ? AS v (TYPE lance)", (str(tmp_path / "vectors"),))
    con.execute("CREATE TABLE mine (id INTEGER)")
    con.execute("INSERT INTO mine VALUES (2), (4)")
    joined = "SELECT n.name, n.v FROM v.notes n JOIN mine m ON m.id = n.id ORDER BY 1"
    assert con.execute(joined).fetchall() == [("n2", [2.0, 2.0, 2.0])]
    table.add(rows([4]))
    assert len(con.execute(joined).fetchall()) == 2
    assert con.execute("SELECT id FROM v.notes WHERE id > ? AND name <> 'n4'", (1,)).fetchall() == [
        (2,), (3,),
    ]  # fmt: skip
    shutil.rmtree(tmp_path / "vectors")
    with pytest.raises(sqlagent.OperationalError, match="is gone"):
        con.execute(joined)


def test_a_view_in_a_duckdb_file_does_not_open_a_live_file(
    con: sqlagent.Connection, fresh_db: Path, tmp_path: Path, facts: Path
) -> None:
    python(
        "import duckdb, sys; con = duckdb.connect(sys.argv[1]);"
        "con.execute('CREATE VIEW plain AS SELECT * FROM products');"
        "con.execute(f\"CREATE VIEW evil AS SELECT * FROM read_blob('{sys.argv[2]}')\");"
        "con.execute('CREATE VIEW hides AS SELECT * FROM evil');"
        "con.execute('CREATE MACRO reads(p) AS TABLE SELECT * FROM read_blob(p)');"
        "con.execute(f\"CREATE VIEW called AS SELECT * FROM reads('{sys.argv[3]}')\")",
        facts, fresh_db, facts,
    )  # fmt: skip
    con.execute("ATTACH ? AS facts", (str(facts),))
    assert one(con, "SELECT count(*) FROM facts.plain") == 2
    for view, message in (("evil", "open here"), ("hides", "open here"), ("called", "computed")):
        with pytest.raises(sqlagent.NotSupportedError, match=message):
            con.execute(f"SELECT * FROM facts.{view}")
    with pytest.raises(sqlagent.NotSupportedError, match="cannot be called here"):
        con.execute("SELECT * FROM facts.reads('x')")
    with pytest.raises(sqlagent.NotSupportedError):
        con.execute(f"CREATE VIEW facts.more AS SELECT * FROM read_blob('{fresh_db}')")


def test_scanned_files_are_followed_and_bounded(con: sqlagent.Connection, tmp_path: Path) -> None:
    for n in range(12):
        path = tmp_path / f"s{n}.db"
        sqlite3_says(path, f"CREATE TABLE t (a INTEGER); INSERT INTO t VALUES ({n})")
        assert one(con, f"SELECT a + 1 FROM sqlite_scan('{path}', 't')") == n + 1
    assert len(con.sources) <= 8
    sql = f"SELECT sum(a) FROM sqlite_scan('{tmp_path / 's0.db'}', 't')"
    assert one(con, sql) == 0
    sqlite3_says(tmp_path / "s0.db", "INSERT INTO t VALUES (40)")
    assert one(con, sql) == 40
    (tmp_path / "s1.db").replace(tmp_path / "s0.db")
    assert one(con, sql) == 1


# EXPLAIN and secrets -----------------------------------------------------------------------------


def test_explain_names_the_database(shop: sqlagent.Connection, facts: Path) -> None:
    shop.execute("ATTACH ? AS facts", (str(facts),))

    def explained(sql: str) -> str:
        return "\n".join(r[0] for r in shop.execute(f"EXPLAIN {sql}").fetchall())

    point = explained("SELECT * FROM shop.orders WHERE id = 1")
    assert "sqlite: read" in point and "shop" in point and "SEARCH orders" in point
    joined = explained("SELECT * FROM shop.orders JOIN facts.products USING (id)")
    assert "duckdb: read" in joined and "shop.orders" in joined and "facts" in joined
    write = explained("INSERT INTO facts.products SELECT id, 'x' FROM shop.orders")
    assert "duckdb: write" in write and "shop.orders" in write


def test_passwords_are_blotted_out() -> None:
    text = "ATTACH 'postgresql://me:s3cret@host/db' AS x"
    assert "s3cret" not in hidden(text) and len(hidden(text)) == len(text)
    assert hidden("host=h password=s3cret user=u") == "host=h password=****** user=u"


POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server of the test's own, on a socket in a folder of its own."""
    if not POSTGRES:
        pytest.skip("PostgreSQL is not installed")
    pytest.importorskip("duckdb_extension_postgres_scanner")
    import subprocess
    import tempfile

    commands = POSTGRES[-1].parent
    folder = tempfile.mkdtemp(prefix="pg")  # short: a socket's path has but 107 bytes
    user: dict[str, Any] = {"user": "postgres"} if os.getuid() == 0 else {}
    if user:
        shutil.chown(folder, "postgres")
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **user}
    data = f"{folder}/data"
    subprocess.run([commands / "initdb", "-D", data, "-A", "trust", "-U", "me", "--no-sync"],
                   check=True, cwd=folder, **quiet)  # fmt: skip
    running = subprocess.Popen(
        [commands / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-F"],
        cwd=folder, **quiet,
    )  # fmt: skip
    try:
        end = time.monotonic() + 20
        while not Path(f"{folder}/.s.PGSQL.5432").exists():
            assert time.monotonic() < end and running.poll() is None
            time.sleep(0.05)
        yield f"host={folder} user=me password=s3cret dbname=postgres"
    finally:
        running.send_signal(signal.SIGINT)
        running.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_postgres(con: sqlagent.Connection, server: str) -> None:
    con.execute("ATTACH ? AS pg (TYPE postgres)", (server,))
    con.execute("CREATE TABLE pg.people (id INTEGER PRIMARY KEY, name VARCHAR, born DATE)")
    con.execute("INSERT INTO pg.people VALUES (1, 'ada', '1815-12-10'), (2, 'bob', NULL)")
    con.execute("CREATE TABLE mine (id INTEGER, word TEXT)")
    con.execute("INSERT INTO mine VALUES (1, 'eins')")
    assert con.execute(
        "SELECT p.name, p.born, m.word FROM pg.public.people p JOIN mine m USING (id)"
    ).fetchall() == [("ada", __import__("datetime").date(1815, 12, 10), "eins")]
    con.execute("INSERT INTO pg.people (id, name) SELECT id + 10, word FROM mine")
    with pytest.raises(sqlagent.IntegrityError, match="duplicate key"):
        con.execute("INSERT INTO pg.people (id) VALUES (1)")
    con.begin()
    con.execute("UPDATE pg.people SET name = 'x'")
    assert one(con, "SELECT count(*) FROM pg.people p, mine WHERE name = 'x'") == 3
    con.rollback()
    assert one(con, "SELECT count(*) FROM pg.people WHERE name = 'x'") == 0
    shown = str(con.execute("SHOW DATABASES").fetchall())
    shown += str(con.execute("EXPLAIN SELECT * FROM pg.people").fetchall())
    assert "s3cret" not in shown and "pg" in shown
    with pytest.raises(sqlagent.Error) as caught:
        con.execute(f"ATTACH '{server.replace('=postgres', '=none')}' AS two (TYPE postgres)")
    assert "s3cret" not in str(caught.value) and "none" in str(caught.value)
