"""portal.duckdb: any DuckDB client opens it, in a process of its own, and it is fresh."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sqlagent
from sqlagent.portal import contents, keeper, path_of
from sqlagent.portal.refresh import refresh

CLIENT = """
import duckdb, json, sys
con = duckdb.connect(sys.argv[1], read_only=True,
    config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
print(json.dumps([con.execute(sql).fetchall() for sql in sys.argv[2:]], default=str))
"""


def ask(portal: object, *statements: str) -> list[Any]:
    """What a client in another process reads."""
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, str(portal), *statements],
        text=True, capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def one(portal: object, sql: str) -> Any:
    return ask(portal, sql)[0]


@pytest.fixture
def portal(fresh_db: Path) -> str:
    """Where the portal of `lived` or `words` is."""
    return path_of(f"{fresh_db}.d")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed file in which something of everything is, with its portal, for copies."""
    path = tmp_path_factory.mktemp("portal") / "agent.db"
    words = sqlagent.connect(path, embedding_model="none", portal_interval_ms=0)
    words.execute("SELECT remember('ada', 'likes tea 喜欢喝茶')")
    (rome,) = words.execute("SELECT remember('ada', 'lives in Rome')").fetchone()
    words.execute("SELECT supersede(?, 'lives in Oslo')", (rome,))
    words.execute("SELECT index_document(?, chunk_size => 40, overlap => 10)", ("a word " * 40,))
    words.execute("SELECT save_state('ada', '{\"step\": 1}')")
    for name, vector in (("a", [1.0, 0.0]), ("b", [0.0, 1.0]), ("c", [0.6, 0.8])):
        words.execute("SELECT put_vector('points', ?, ?)", (name, vector))
    words.execute("CREATE TABLE shop (id INTEGER PRIMARY KEY, item TEXT, price DECIMAL(10,2))")
    words.execute("INSERT INTO shop (item, price) VALUES ('cup', 2.50), ('茶', 3)")
    words.execute("CREATE VIEW dear AS SELECT item FROM shop WHERE price > 2.6")
    words.execute("CREATE MACRO doubled(x) AS x * 2")
    words.execute("CALL sync()")
    words.close()
    return path


@pytest.fixture
def lived(template: Path, fresh_db: Path) -> Iterator[sqlagent.Connection]:
    """A file in which something of everything is; nobody writes its portal unasked."""
    shutil.copy2(template, fresh_db)
    shutil.copytree(f"{template}.d", f"{fresh_db}.d")
    con = sqlagent.connect(fresh_db, embedding_model="none", portal_interval_ms=0)
    yield con
    con.close()


def test_every_table_has_the_rows_of_the_file(lived: sqlagent.Connection, portal: str) -> None:
    names = [row[0] for row in one(portal, "SELECT name FROM sqlagent_portal WHERE rows >= 0")]
    assert {"memories", "chunks", "vectors", "shop", "agents", "sqlagent_state_versions"} <= {
        *names
    }
    counts = ask(portal, *(f'SELECT count(*) FROM "{name}"' for name in names))
    for name, [[count]] in zip(names, counts, strict=True):
        if name != "sqlagent_query_log":  # grows with what this test itself asks
            assert lived.execute(f'SELECT count(*) FROM "{name}"').fetchone() == (count,), name
    secret = {"sqlagent_users", "sqlagent_grants", "sqlagent_change_log", "sqlagent_meta"}
    assert not secret & {*names}


def test_what_is_derived(lived: sqlagent.Connection, portal: str) -> None:
    facts, strength, texts, versions, dear = ask(
        portal,
        "SELECT content FROM current_facts ORDER BY content",
        "SELECT round(strength, 4), round(retention, 2) FROM memory_strength ORDER BY memory_id",
        "SELECT string_agg(own_content, '' ORDER BY ordinal) FROM chunk_texts",
        "SELECT data->>'$.step' FROM state_versions",
        "FROM dear",
    )
    assert facts == [["likes tea 喜欢喝茶"], ["lives in Oslo"]]
    own = lived.execute("SELECT strength, retention FROM memory_strength ORDER BY memory_id")
    for (a, b), (c, d) in zip(strength, own.fetchall(), strict=True):
        assert (a, b) == (pytest.approx(c, abs=0.02), pytest.approx(d, abs=0.02))
    assert texts == [["a word " * 40]]
    assert versions == [["1"]]
    assert dear == [["茶"]]
    assert lived.execute("SELECT content FROM current_facts ORDER BY 1").fetchall() == [
        ("likes tea 喜欢喝茶",), ("lives in Oslo",),
    ]  # fmt: skip


def test_macros_say_what_the_functions_say(lived: sqlagent.Connection, portal: str) -> None:
    scalars = [
        "activation(5, 100.0, 1.0)", "activation(3, 10, 2, d := 0.4)", "retention(5, 5)",
        "decayed_importance(0.8, 10, 3)", "cosine_similarity([1.0, 0.0], [0.6, 0.8])",
        "l2_distance([1.0, 0.0], [0.0, 1.0])", "inner_product([1.0, 2.0], [3.0, 4.0])",
        "doubled(21)",
    ]  # fmt: skip
    for scalar, [[value]] in zip(
        scalars, ask(portal, *(f"SELECT {s}" for s in scalars)), strict=True
    ):
        assert lived.execute(f"SELECT {scalar}").fetchone()[0] == pytest.approx(value), scalar
    calls = ["knn('points', [0.9, 0.1], k := 2)", "within('points', [0.9, 0.1], 0.5)"]
    for call, rows in zip(calls, ask(portal, *(f"FROM {c}" for c in calls)), strict=True):
        own = lived.execute(f"FROM {call}").fetchall()
        assert [row[0] for row in rows] == [row[0] for row in own]
        for row, mine in zip(rows, own, strict=True):
            assert row[1:3] == pytest.approx(list(mine[1:3]), abs=1e-6)


def test_memories_near_a_vector(con: sqlagent.Connection) -> None:
    con.execute("SELECT remember('ada', 'She drinks green tea every morning')")
    con.execute("SELECT remember('ada', 'The train to Oslo leaves at nine')")
    con.execute("CALL sync()")
    (question,) = con.execute("SELECT embed('What does she drink?')").fetchone()
    found = one(
        path_of(con.database.path + ".d"), f"SELECT content FROM near_memories('ada', {question})"
    )
    assert found[0] == ["She drinks green tea every morning"]


def test_sync_makes_it_exact_whatever_changed(lived: sqlagent.Connection, portal: str) -> None:
    shell = "SELECT item, price FROM shop ORDER BY id"
    lived.execute("UPDATE shop SET price = 4 WHERE item = 'cup'")
    lived.execute("DELETE FROM shop WHERE item = '茶'")
    lived.execute("INSERT INTO shop (item, price) VALUES ('pot', 20)")
    assert one(portal, shell) == [["cup", "2.50"], ["茶", "3.00"]]  # as it was at the last sync
    lived.execute("CALL sync()")
    assert one(portal, shell) == [["cup", "4.00"], ["pot", "20.00"]]
    lived.execute("ALTER TABLE shop ADD COLUMN note TEXT")
    lived.execute("CREATE TABLE later (x INTEGER)")
    lived.execute("DROP VIEW dear")
    lived.execute("CALL sync()")
    assert one(portal, "SELECT note FROM shop LIMIT 1") == [[None]]
    assert one(portal, "SELECT count(*) FROM later") == [[0]]
    assert one(portal, "SELECT count(*) FROM duckdb_views() WHERE view_name = 'dear'") == [[0]]
    lived.execute("DROP TABLE later")
    lived.execute("CALL sync()")
    assert one(portal, "SELECT count(*) FROM sqlagent_portal WHERE name = 'later'") == [[0]]


@pytest.mark.slow
def test_a_foreign_client_wrote(
    lived: sqlagent.Connection, portal: str, shell: Callable[..., str]
) -> None:
    shell(lived.database.path, "INSERT OR REPLACE INTO shop VALUES (1, 'mug', 1); "
          "INSERT INTO memories (agent_id, content) VALUES ('ada', 'has a cat');")  # fmt: skip
    lived.execute("CALL sync()")
    assert one(portal, "SELECT item FROM shop ORDER BY id") == [["mug"], ["茶"]]
    assert ["has a cat"] in one(portal, "SELECT content FROM current_facts")


def test_nothing_is_written_where_nothing_changed(lived: sqlagent.Connection, portal: str) -> None:
    lived.execute("SET query_log = off")
    refresh(lived)
    before = os.stat(portal)
    assert refresh(lived) is False
    assert os.stat(portal).st_ino == before.st_ino
    lived.execute("INSERT INTO shop (item) VALUES ('spoon')")
    assert refresh(lived) is True
    assert os.stat(portal).st_ino != before.st_ino


def test_a_client_keeps_what_it_has_open(lived: sqlagent.Connection, portal: str) -> None:
    reader = subprocess.Popen(
        [sys.executable, "-c", "import duckdb, sys\n"
         "con = duckdb.connect(sys.argv[1], read_only=True)\n"
         "for line in sys.stdin:\n"
         "    print(con.execute('SELECT count(*), sum(price) FROM shop').fetchone(), flush=True)\n",
         portal],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert reader.stdin is not None and reader.stdout is not None
    try:
        for _ in range(3):
            reader.stdin.write("\n")
            reader.stdin.flush()
            assert reader.stdout.readline().startswith("(2,")
            lived.execute("INSERT INTO shop (item, price) VALUES ('more', 1)")
            assert refresh(lived)
        assert one(portal, "SELECT count(*) FROM shop") == [[5]]
    finally:
        reader.stdin.close()
        assert reader.wait(30) == 0
        reader.stdout.close()


def test_it_may_be_moved_and_its_folder_deleted(
    lived: sqlagent.Connection, portal: str, tmp_path: Path
) -> None:
    moved = tmp_path / "elsewhere" / "p.duckdb"
    moved.parent.mkdir()
    shutil.copy(portal, moved)
    assert len(one(moved, "FROM memory_strength")) == 3
    assert len(one(moved, "FROM knn('points', [1.0, 0.0])")) == 3
    shutil.rmtree(Path(portal).parent)
    lived.execute("CALL sync()")
    assert len(one(portal, "FROM memories")) == 3


def test_what_is_damaged_or_of_another_file_is_made_anew(
    lived: sqlagent.Connection, portal: str, tmp_path: Path
) -> None:
    with sqlagent.connect(tmp_path / "other.db", embedding_model="none") as other:
        other.execute("SELECT remember('bob', 'of another file')")
        other.execute("CALL sync()")
        shutil.copy(path_of(other.database.path + ".d"), tmp_path / "stray")
    os.replace(tmp_path / "stray", portal)
    lived.execute("CALL sync()")
    assert one(portal, "SELECT DISTINCT agent_id FROM memories") == [["ada"]]
    Path(portal).unlink()
    Path(portal).write_bytes(b"no database" * 1000)
    lived.execute("CALL sync()")
    assert len(one(portal, "FROM memories")) == 3


def test_it_is_read_only_to_whoever_may_read_the_file(
    lived: sqlagent.Connection, portal: str
) -> None:
    os.chmod(lived.database.path, 0o640)
    lived.execute("INSERT INTO shop (item) VALUES ('x')")
    refresh(lived)
    assert stat.S_IMODE(os.stat(portal).st_mode) == 0o440


def test_values_that_are_not_of_their_types_are_text(
    lived: sqlagent.Connection, portal: str, shell: Callable[..., str]
) -> None:
    shell(lived.database.path, "CREATE TABLE odd (n INTEGER, b); "
          "INSERT INTO odd VALUES ('three', x'0102'), (4, 'x')")  # fmt: skip
    lived.execute("CALL sync()")
    assert one(portal, "SELECT n, b FROM odd ORDER BY n") == [["4", "x"], ["three", "0102"]]
    ((note,),) = one(portal, "SELECT note FROM sqlagent_portal WHERE name = 'odd'")
    assert "column" in note
    assert one(portal, "SELECT count(*) FROM shop") == [[2]]
    lived.execute("INSERT INTO odd VALUES (5, NULL)")
    lived.execute("CALL sync()")
    assert one(portal, "SELECT count(*) FROM odd") == [[3]]


def test_what_only_python_can_say_is_left_out_and_named(
    lived: sqlagent.Connection, portal: str
) -> None:
    lived.execute("CREATE VIEW told AS SELECT token_count(content) AS n FROM memories")
    lived.execute("CALL sync()")
    ((note,),) = one(portal, "SELECT note FROM sqlagent_portal WHERE name = 'told'")
    assert "token_count" in note


def test_erased_rows_leave_it(lived: sqlagent.Connection, portal: str) -> None:
    lived.execute("SELECT remember('eve', 'a secret of eve')")
    lived.execute("CALL sync()")
    assert b"a secret of eve" in Path(portal).read_bytes() or one(
        portal, "SELECT count(*) FROM memories WHERE agent_id = 'eve'"
    ) == [[1]]
    lived.execute("SELECT erase(agent_id => 'eve')")
    assert not os.path.exists(portal)
    lived.execute("CALL sync()")
    assert one(portal, "SELECT count(*) FROM memories WHERE agent_id = 'eve'") == [[0]]
    assert b"a secret of eve" not in Path(portal).read_bytes()


def test_tables_of_columns_and_without_rowid(lived: sqlagent.Connection, portal: str) -> None:
    lived.execute("CREATE TABLE facts (day DATE, n BIGINT) USING columns")
    lived.execute("INSERT INTO facts SELECT DATE '2026-01-01' + i::INT, i FROM range(1000) t(i)")
    lived.execute("CREATE TABLE pairs (a TEXT PRIMARY KEY, b TEXT) WITHOUT ROWID")
    lived.execute("INSERT INTO pairs VALUES ('x', 'y')")
    lived.execute("CALL sync()")
    assert one(portal, "SELECT count(*), sum(n), max(day)::VARCHAR FROM facts") == [
        [1000, 499500, "2028-09-26"]
    ]
    assert one(portal, "FROM pairs") == [["x", "y"]]
    lived.execute("DELETE FROM facts WHERE n >= 10")
    lived.execute("UPDATE pairs SET b = 'z'")
    lived.execute("CALL sync()")
    assert one(portal, "SELECT count(*) FROM facts") == [[10]]
    assert one(portal, "FROM pairs") == [["x", "z"]]


@pytest.mark.slow
def test_a_large_table(words: sqlagent.Connection, portal: str) -> None:
    words.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, t TEXT, moment TIMESTAMP)")
    words.execute(
        "INSERT INTO big SELECT i, 't' || i, TIMESTAMP '2026-01-01' + INTERVAL 1 SECOND * i "
        "FROM range(120000) t(i)"
    )
    words.execute("CALL sync()")
    count = "SELECT count(*), sum(id), max(t), max(moment)::VARCHAR FROM big"
    assert one(portal, count) == [[120000, 7199940000, "t99999", "2026-01-02 09:19:59"]]
    words.execute("UPDATE big SET t = 'z' WHERE id = 7")
    words.execute("CALL sync()")
    assert one(portal, "SELECT count(*) FROM big WHERE t = 'z'") == [[1]]


def test_the_file_itself_by_the_sqlite_extension(words: sqlagent.Connection, portal: str) -> None:
    from sqlagent.engines import extensions

    file = extensions.path("sqlite_scanner")
    if file is None:
        pytest.skip("the DuckDB extension sqlite_scanner is not installed")
    words.execute("SET portal_interval_ms = 0")
    words.execute("CREATE TABLE shop (id INTEGER PRIMARY KEY, item TEXT)")
    words.execute("CALL sync()")
    words.execute("INSERT INTO shop (item) VALUES ('just now')")
    found = ask(portal, f"LOAD '{file}'", "SELECT item FROM live('shop') ORDER BY id DESC LIMIT 1")
    assert found[1] == [["just now"]]


def test_it_can_be_turned_off(fresh_db: Path) -> None:
    with sqlagent.connect(fresh_db, embedding_model="none", portal="off") as con:
        con.execute("CALL sync()")
        assert not os.path.exists(path_of(str(fresh_db) + ".d"))
        assert "portal" not in con.database.services


@pytest.mark.slow
def test_it_is_kept_while_the_file_is_open(fresh_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "SHARE", 0)
    settings = {"embedding_model": "none", "portal": "on", "portal_interval_ms": 50}
    with sqlagent.connect(fresh_db, **settings) as con:
        place = path_of(str(fresh_db) + ".d")
        for text in ("the first", "the second"):
            con.execute("SELECT remember('ada', ?)", (text,))
            end = time.monotonic() + 300  # who writes has the lowest priority
            while keeper.stale(str(fresh_db)) or not os.path.exists(place):
                assert time.monotonic() < end, "nobody wrote it"
                time.sleep(0.05)
            assert [text] in one(place, "SELECT content FROM memories")
    con.close()


@pytest.mark.slow
def test_processes_that_write_it_at_once(lived: sqlagent.Connection, portal: str) -> None:
    command = [sys.executable, "-m", "sqlagent.portal", lived.database.path]
    for n in range(3):
        lived.execute("INSERT INTO shop (item) VALUES (?)", (f"n{n}",))
        children = [subprocess.Popen(command) for _ in range(3)]
        assert [child.wait(60) for child in children] == [0, 0, 0]
    assert one(portal, "SELECT count(*) FROM shop") == [[5]]
    left = [n for n in os.listdir(os.path.dirname(portal)) if n.endswith(".tmp")]
    assert left == []


def test_small_tables_of_the_users_get_no_triggers(lived: sqlagent.Connection, portal: str) -> None:
    triggers = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'shop'"
    assert lived.execute(triggers).fetchone() == (0,)
    lived.execute("INSERT INTO shop SELECT i + 10, 'item', 1 FROM range(6000) t(i)")
    lived.execute("CALL sync()")
    assert lived.execute(triggers).fetchone()[0] > 0  # so many are not read whole each time
    lived.execute("UPDATE shop SET item = 'one' WHERE id = 77")
    lived.execute("CALL sync()")
    assert one(portal, "SELECT id FROM shop WHERE item = 'one'") == [[77]]
    assert one(portal, "SELECT count(*) FROM shop") == [[6002]]


def test_many_vectors_stay_in_the_file(fresh_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would take a minute and 1.5 GB is left out, with the macros over it, and told."""
    import duckdb

    monkeypatch.setattr(contents, "VECTORS_MAX", 3)
    con = sqlagent.connect(fresh_db, embedding_model="none")
    con.execute("SELECT put_vector('c', 'a', [1.0, 0.0])")
    con.execute("CALL sync()")
    with duckdb.connect(f"{fresh_db}.d/portal.duckdb", read_only=True) as client:
        assert client.execute("SELECT count(*) FROM vectors").fetchone() == (1,)
    con.executemany("INSERT INTO vectors (collection, id, vector) VALUES ('c', ?, ?)",
                    [(f"v{n}", bytes((0, 0, 128, 63)) * 2) for n in range(5)])  # fmt: skip
    con.execute("CALL sync()")
    with duckdb.connect(f"{fresh_db}.d/portal.duckdb", read_only=True) as client:
        with pytest.raises(duckdb.CatalogException):
            client.execute("SELECT count(*) FROM vectors")
        assert client.execute("SELECT count(*) FROM memories").fetchone() == (0,)
        assert "vectors" in str(client.execute("FROM sqlagent_portal").fetchall())
    con.close()


@pytest.mark.slow
def test_materialised_views_and_macros_of_other_dialects(
    lived: sqlagent.Connection, portal: str
) -> None:
    lived.execute(
        "CREATE MATERIALIZED VIEW totals AS SELECT item, sum(price) AS s FROM shop GROUP BY 1"
    )
    lived.execute("CREATE VIEW most AS SELECT max(s) AS m FROM totals")
    lived.execute("SET dialect = 'sqlite'")
    lived.execute("CREATE MACRO halved(x) AS x / 2")
    lived.execute("SET dialect = 'duckdb'")
    lived.execute(
        "CREATE MACRO by_agent(who) AS TABLE SELECT content FROM memories WHERE agent_id = who"
    )
    lived.execute("CALL sync()")
    assert one(portal, "SELECT item, s::DOUBLE FROM totals ORDER BY 2") == [
        ["cup", 2.5],
        ["茶", 3.0],
    ]
    assert one(portal, "SELECT m::DOUBLE FROM most") == [[3.0]]
    assert len(one(portal, "FROM by_agent('ada')")) == 3
    ((note,),) = one(portal, "SELECT note FROM sqlagent_portal WHERE name = 'halved'")
    assert "sqlite" in note


def test_a_value_that_does_not_fit_comes_later(
    lived: sqlagent.Connection, portal: str, shell: Callable[..., str]
) -> None:
    lived.execute("CREATE TABLE many (id INTEGER PRIMARY KEY, n INTEGER)")
    lived.execute("INSERT INTO many SELECT i, i FROM range(6000) t(i)")
    lived.execute("CALL sync()")
    assert one(portal, "SELECT sum(n) FROM many") == [[17997000]]
    shell(lived.database.path, "UPDATE many SET n = 'none' WHERE id = 5")
    lived.execute("CALL sync()")
    assert one(portal, "SELECT n FROM many WHERE id IN ('5', '6') ORDER BY n") == [["6"], ["none"]]


def test_no_portal_of_memory_or_of_what_is_read_only(fresh_db: Path) -> None:
    with sqlagent.connect(":memory:", embedding_model="none", portal="on") as con:
        con.execute("CALL sync()")
        assert refresh(con) is False
    sqlagent.connect(fresh_db).close()
    with sqlagent.connect(fresh_db, read_only=True) as con:
        assert refresh(con) is False


@pytest.mark.slow
def test_a_portal_that_is_mostly_empty_is_made_anew(
    lived: sqlagent.Connection, portal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sqlagent.portal.refresh.WASTE_MIN", 0)
    lived.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, t TEXT)")
    lived.execute("INSERT INTO big SELECT i, repeat(i::VARCHAR, 40) FROM range(50000) t(i)")
    refresh(lived)
    large = os.path.getsize(portal)
    lived.execute("DELETE FROM big")
    refresh(lived)
    assert os.path.getsize(portal) < large and len(one(portal, "FROM memories")) == 3
