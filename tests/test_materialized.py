"""Materialised views: at any moment the rows of the query run afresh, whoever wrote what."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import python, start
from hypothesis import given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.sync import materialized

TABLES = """
CREATE TABLE t (id INTEGER PRIMARY KEY, g TEXT, n BIGINT, d DOUBLE, m DECIMAL(12,2), b BOOLEAN,
  at DATE);
CREATE TABLE other (g TEXT, name TEXT);
CREATE TABLE bare (g TEXT, n BIGINT);
CREATE TABLE keyed (k TEXT PRIMARY KEY, n BIGINT) WITHOUT ROWID;
"""
# (name, how it is kept, SELECT)
VIEWS = [
    ("counted", "groups", "SELECT g, count(*) AS c, count(n) AS cn, sum(n) AS s FROM t GROUP BY g"),
    ("ends", "groups", "SELECT g, min(n) AS lo, max(n) AS hi, max(at) AS d FROM t GROUP BY 1"),
    ("means", "groups", "SELECT avg(n) AS a, g AS k, avg(m) AS am, sum(m) AS sm FROM t GROUP BY g"),
    ("floats", "groups", "SELECT g, sum(d) AS s, avg(d) AS a, min(d) AS lo FROM t GROUP BY ALL"),
    ("one", "groups", "SELECT count(*) AS c, sum(n) AS s, max(n) AS hi, avg(m) AS a FROM t"),
    ("floated", "groups", "SELECT sum(d) + 1 AS s FROM t WHERE n > 0"),
    (
        "chosen", "groups",
        "SELECT upper(g) AS u, n % 3 AS r, sum(n) FILTER (WHERE b) AS s, count(*) * 2 AS c, "
        "sum(n) / count(*) AS q FROM t WHERE n IS NOT NULL GROUP BY u, n % 3 "
        "HAVING count(*) > 1 AND c < 50",
    ),
    ("bools", "groups", "SELECT b, sum(b) AS s, count(*) FILTER (n > 3) AS c FROM t GROUP BY b"),
    ("rowless", "groups", "SELECT g, sum(n) AS s FROM bare GROUP BY g"),
    ("few", "rows", "SELECT id, n - 1 AS w, coalesce(g, '?') AS g FROM t x WHERE x.n > 2"),
    ("every", "rows", "SELECT * FROM t"),
    ("plainly", "rows", "SELECT g, n FROM bare WHERE g <> 'a'"),
    ("joined", "whole", "SELECT t.g, name, count(*) AS c FROM t JOIN other USING (g) GROUP BY ALL"),
    ("ranked", "whole", "SELECT id, rank() OVER (PARTITION BY g ORDER BY n, id) AS r FROM t"),
    ("distinct_", "whole", "SELECT DISTINCT g FROM t"),
    ("keyless", "whole", "SELECT sum(n) AS s FROM keyed"),
    ("unique_", "whole", "SELECT g, count(DISTINCT n) AS c FROM t GROUP BY g"),
]  # fmt: skip


def made(path: Path) -> sqlagent.Connection:
    # Afresh on DuckDB, whose types a view has.
    con = sqlagent.connect(path, embedding_model="none", result_cache=False, route="duckdb")
    con.executescript(TABLES)
    return con


@pytest.fixture
def con(fresh_db):
    with made(fresh_db) as connection:
        yield connection


def kept(con) -> dict[str, str]:
    """How each view that is held is kept."""
    return {name: how for name, how, _ in con.database.services["columns"].replicas.views()}


def same(con, name, select):
    """The view's rows are the query's, and its columns too."""
    cursor = con.execute(f"SELECT * FROM {name}")
    fresh = con.execute(f"SELECT * FROM ({select}) AS q")
    seen, wanted = cursor.fetchall(), fresh.fetchall()
    if wanted:  # an expression of SQLite has no type where it has no value
        assert [d[:2] for d in cursor.description] == [d[:2] for d in fresh.description]
    assert sorted(map(repr, seen)) == sorted(map(repr, wanted)), name


FILL = (
    "INSERT INTO t SELECT i, ['a', 'b', NULL, 'c'][i % 4 + 1], CASE WHEN i % 7 > 0 THEN i END, "
    "i / 3, i * 1.25, i % 2 = 0, DATE '2026-01-01' + (i % 9)::INT FROM range(1, 60) r(i)"
)


def fill(con):
    con.execute(FILL)
    con.execute("INSERT INTO other VALUES ('a', 'alpha'), ('b', 'beta')")
    con.execute("INSERT INTO bare SELECT g, n FROM t WHERE id < 20")
    con.execute("INSERT INTO keyed VALUES ('x', 1), ('y', 2)")


@pytest.mark.parametrize(("name", "how", "select"), VIEWS, ids=[v[0] for v in VIEWS])
def test_each_form(con, name, how, select):
    con.execute(f"CREATE MATERIALIZED VIEW {name} AS {select}")  # over empty tables
    assert kept(con) == {name: how}
    same(con, name, select)
    fill(con)
    same(con, name, select)
    for change in (
        "UPDATE t SET n = n + 1 WHERE id % 5 = 0",
        "DELETE FROM t WHERE id IN (SELECT max(id) FROM t GROUP BY g)",
        "DELETE FROM t WHERE n = (SELECT min(n) FROM t)",
        "UPDATE t SET g = 'new', d = -d, m = NULL WHERE id BETWEEN 10 AND 20",
        "UPDATE bare SET n = NULL WHERE g = 'a'",
        "UPDATE keyed SET n = n + 1",
        "INSERT INTO t (g, n) VALUES ('new', -9223372036854775808), ('new', 9223372036854775807)",
        "DELETE FROM t WHERE g = 'new'",
        "UPDATE other SET name = 'z'",
        "DELETE FROM t",
        "INSERT INTO t (g, n, d) VALUES ('a', 1, 0.1)",
    ):
        con.execute(change)
        same(con, name, select)
    assert kept(con)[name] == how


VALUES = st.tuples(
    st.sampled_from(["a", "b", "ä", "", None]),
    st.one_of(st.none(), st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1)),
    st.one_of(st.none(), st.floats(-1e6, 1e6, width=32)),
    st.one_of(st.none(), st.integers(-(10**9), 10**9).map(lambda c: c / 100)),
    st.one_of(st.none(), st.booleans()),
    st.one_of(st.none(), st.sampled_from(["2026-01-01", "1969-12-31"])),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), st.lists(VALUES, min_size=1, max_size=4)),
        st.tuples(st.just("update"), st.tuples(st.integers(1, 12), VALUES)),
        st.tuples(st.just("replace"), st.tuples(st.integers(1, 12), VALUES)),
        st.tuples(st.just("delete"), st.integers(1, 12)),
        st.tuples(st.just("rolled back"), VALUES),
        st.tuples(st.just("bare"), st.tuples(st.sampled_from("ab"), st.integers(0, 9))),
    ),
    max_size=10,
)
NAMES = "g, n, d, m, b, at"
KEPT = [v for v in VIEWS if v[1] != "whole"]


def step(con, kind, given):
    marks = "?, ?, ?, ?, ?, ?"
    if kind == "insert":
        con.executemany(f"INSERT INTO t ({NAMES}) VALUES ({marks})", given)
    elif kind == "update":
        con.execute(
            "UPDATE t SET g = ?, n = ?, d = ?, m = ?, b = ?, at = ? WHERE id = ?",
            (*given[1], given[0]),
        )
    elif kind == "replace":
        con.execute(
            f"INSERT OR REPLACE INTO t (id, {NAMES}) VALUES (?, {marks})", (given[0], *given[1])
        )
    elif kind == "delete":
        con.execute("DELETE FROM t WHERE id = ?", (given,))
    elif kind == "bare":
        con.execute("INSERT INTO bare VALUES (?, ?)", given)
        con.execute("DELETE FROM bare WHERE n = ? AND rowid % 2 = 0", (given[1],))


@pytest.mark.slow
@settings(max_examples=30)
@given(STEPS)
def test_any_changes(tmp_path_factory, steps):
    with made(tmp_path_factory.mktemp("views") / "agent.db") as con:
        for name, _, select in KEPT:
            con.execute(f"CREATE MATERIALIZED VIEW {name} AS {select}")
        for kind, given_ in steps:
            if kind == "rolled back":
                con.begin()
                step(con, "insert", [given_])
                for name, _, select in KEPT[:2] + KEPT[-1:]:
                    same(con, name, select)  # its own rows
                con.rollback()
            else:
                step(con, kind, given_)
            for name, _, select in KEPT:
                same(con, name, select)
        assert kept(con) == {name: how for name, how, _ in KEPT}


CLIENT = """
import random, sqlite3, sys
con = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
random.seed(int(sys.argv[2]))
for line in sys.stdin:
    con.execute("BEGIN IMMEDIATE")
    for _ in range(int(line)):
        kind = random.random()
        row = (random.randrange(1, 300), random.choice(["a", "b", None]), random.randrange(-50, 50),
               random.choice([0.1, 0.2, -7.3, None]), random.randrange(-999, 999) / 100)
        if kind < 0.6:
            con.execute("INSERT OR REPLACE INTO t (id, g, n, d, m) VALUES (?, ?, ?, ?, ?)", row)
        elif kind < 0.8:
            con.execute("UPDATE t SET n = n + ?, g = ? WHERE id % 10 = ?",
                        (row[2], row[1], row[0] % 10))
        else:
            con.execute("DELETE FROM t WHERE id % 20 = ?", (row[0] % 20,))
    con.execute("COMMIT")
    print("done", flush=True)
"""


def test_a_plain_client_of_another_process(con, fresh_db):
    for name, _, select in VIEWS:
        con.execute(f"CREATE MATERIALIZED VIEW {name} AS {select}")
    fill(con)
    client = start(CLIENT, fresh_db, 7)
    try:
        for count in [1, 5, 20, 2, 60, 1, 1]:
            client.stdin.write(f"{count}\n")
            client.stdin.flush()
            assert client.stdout.readline() == "done\n"
            for name, _, select in VIEWS:
                same(con, name, select)
    finally:
        client.communicate()


def test_never_less_than_was_committed(con, fresh_db):
    """Each commit adds one row: a reader that asks right after it must see it."""
    con.execute("CREATE MATERIALIZED VIEW c AS SELECT g, count(*) AS n FROM t GROUP BY g")
    with sqlagent.connect(fresh_db, embedding_model="none") as other:
        for count in range(1, 30):
            con.execute("INSERT INTO t (g) VALUES ('a')")
            reader = other if count % 2 else con
            assert reader.execute("SELECT n FROM c").fetchall() == [(count,)]
            # The view and its table are of one commit within one statement.
            both = "SELECT c.n, (SELECT count(*) FROM t) FROM c"
            assert reader.execute(both).fetchall() == [(count, count)]


def test_it_is_there_for_other_connections_and_after_a_restart(con, fresh_db):
    fill(con)
    con.execute("CREATE MATERIALIZED VIEW c AS SELECT g, count(*) AS n FROM t GROUP BY g")
    seen = con.execute("SELECT * FROM c ORDER BY g").fetchall()
    code = (
        "import sqlagent, sys\ncon = sqlagent.connect(sys.argv[1], embedding_model='none')\n"
        "print(con.execute('SELECT * FROM c ORDER BY g').fetchall())\n"
        'con.execute("CREATE OR REPLACE MATERIALIZED VIEW c AS SELECT sum(n) AS s FROM t")'
    )
    assert python(code, fresh_db) == repr(seen)
    # The other process has put another in its place.
    assert (
        con.execute("SELECT * FROM c").fetchall() == con.execute("SELECT sum(n) FROM t").fetchall()
    )
    con.close()
    with sqlagent.connect(fresh_db, embedding_model="none") as again:
        assert again.execute("SELECT count(*) FROM c").fetchall() == [(1,)]
        python("import sqlagent, sys\nsqlagent.connect(sys.argv[1]).execute("
               "'DROP MATERIALIZED VIEW c')", fresh_db)  # fmt: skip
        with pytest.raises(ProgrammingError, match='unknown table "c"'):
            again.execute("SELECT * FROM c")


def test_routes_agree(con):
    fill(con)
    con.execute(
        "CREATE MATERIALIZED VIEW c AS SELECT g, count(*) AS n, sum(n) AS s FROM t GROUP BY g"
    )
    con.execute("CREATE MATERIALIZED VIEW r (a, z) AS SELECT id, n FROM t WHERE n > 10")
    for sql in (
        "SELECT * FROM c ORDER BY g",
        "SELECT n, g FROM c WHERE s > 100 ORDER BY n, g",
        "SELECT x.g, r.z FROM c AS x JOIN t USING (g) JOIN r ON r.a = t.id ORDER BY 1, 2",
        "SELECT count(*) FROM r",
        "WITH c AS (SELECT 1 AS n) SELECT n FROM c",
    ):
        rows = {}
        for route in ("auto", "sqlite", "duckdb"):
            con.execute(f"SET route = '{route}'")
            try:
                rows[route] = con.execute(sql).fetchall()
            except NotSupportedError:
                assert route == "sqlite"
        assert len({repr(r) for r in rows.values()}) == 1
        con.execute("SET route = 'auto'")
        con.begin()
        con.execute("UPDATE t SET n = n WHERE id = 1")  # a transaction that has written
        assert con.execute(sql).fetchall() == rows["auto"]
        con.rollback()


def test_what_is_not_read_is_let_go(con, monkeypatch):
    monkeypatch.setattr(materialized, "IDLE_CHANGES", 3)
    fill(con)
    con.execute("CREATE MATERIALIZED VIEW c AS SELECT g, count(*) AS n FROM t GROUP BY g")
    for number in range(6):
        con.execute("INSERT INTO t (g) VALUES ('x')")
        con.execute("SELECT sum(n) FROM t").fetchall()
        assert ("c" in kept(con)) == (number < 3)
    assert con.execute("SELECT n FROM c WHERE g = 'x'").fetchall() == [(6,)]
    assert "c" in kept(con)


def test_many_changes_do_not_make_its_table_grow(con, monkeypatch):
    monkeypatch.setattr(materialized, "COMPACT_ROWS", 50)
    fill(con)
    con.execute("CREATE MATERIALIZED VIEW r AS SELECT id, n FROM t")
    con.execute("CREATE MATERIALIZED VIEW c AS SELECT g, count(*) AS n FROM t GROUP BY g")
    held = con.database.services["columns"].replicas._views.held
    before = held["r"].physical
    for _ in range(8):
        con.execute("UPDATE t SET n = n + 1")
        same(con, "r", "SELECT id, n FROM t")
        assert all(h.deleted < 120 for h in held.values())
    assert held["r"].physical != before


def test_a_view_over_a_view(con):
    fill(con)
    con.execute("CREATE MATERIALIZED VIEW c AS SELECT g, count(*) AS n FROM t GROUP BY g")
    con.execute("CREATE VIEW v AS SELECT g, n FROM t WHERE n > 5")
    con.execute("CREATE MATERIALIZED VIEW top AS SELECT max(n) AS n FROM c")
    con.execute("CREATE MATERIALIZED VIEW over_v AS SELECT g, sum(n) AS s FROM v GROUP BY g")
    for _ in range(3):
        con.execute("INSERT INTO t (g, n) VALUES ('a', 7), ('a', 8)")
        same(con, "top", "SELECT max(n) AS n FROM (SELECT count(*) AS n FROM t GROUP BY g)")
        same(con, "over_v", "SELECT g, sum(n) AS s FROM t WHERE n > 5 GROUP BY g")
    assert kept(con)["top"] == "whole"


def test_dialects(con):
    fill(con)
    con.execute("SET dialect = 'postgres'")
    con.execute(
        "CREATE MATERIALIZED VIEW half AS SELECT g, sum(n) AS s, 5 / 2 AS h FROM t GROUP BY g"
    )
    for dialect in ("postgres", "duckdb", "sqlite"):
        con.execute(f"SET dialect = '{dialect}'")
        assert con.execute("SELECT DISTINCT h FROM half").fetchall() == [(2,)]


def test_changed_tables_name_the_view(con):
    fill(con)
    con.execute("CREATE MATERIALIZED VIEW c AS SELECT g, sum(d) AS s FROM t GROUP BY g")
    con.execute("ALTER TABLE t ADD COLUMN more TEXT")
    assert con.execute("SELECT count(*) FROM c").fetchall() == [(4,)]
    con.execute("ALTER TABLE t DROP COLUMN d")
    for route in ("auto", "sqlite", "duckdb"):
        con.execute(f"SET route = '{route}'")
        with pytest.raises(ProgrammingError, match=r'materialised view "c" cannot be read.*"d"'):
            con.execute("SELECT * FROM c")
    con.execute("DROP TABLE t")
    with pytest.raises(ProgrammingError, match='"c" cannot be read: unknown table "t"') as caught:
        con.execute("SELECT * FROM c")
    assert "DROP MATERIALIZED VIEW" in caught.value.hint
    con.execute("DROP MATERIALIZED VIEW c")


def test_a_value_that_the_query_cannot_read(con):
    """A row for which the SELECT fails: the view fails as the query does, other tables go on."""
    fill(con)
    con.execute("CREATE MATERIALIZED VIEW c AS SELECT CAST(g AS BIGINT) AS k, count(*) AS n "
                "FROM t WHERE id > 1000 GROUP BY ALL")  # fmt: skip
    con.execute("INSERT INTO t (id, g) VALUES (2000, '12')")
    assert con.execute("SELECT * FROM c").fetchall() == [(12, 1)]
    con.execute("INSERT INTO t (id, g) VALUES (2001, 'no number')")
    assert con.execute("SELECT count(*), sum(1) FROM t").fetchone() == (61, 61)
    with pytest.raises(sqlagent.Error):
        con.execute("SELECT * FROM c").fetchall()
    con.execute("DELETE FROM t WHERE id = 2001")
    assert con.execute("SELECT * FROM c").fetchall() == [(12, 1)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("CREATE MATERIALIZED VIEW t AS SELECT 1", 'there is a table "t" already'),
        ("CREATE MATERIALIZED VIEW c AS SELECT 1", 'there is a materialised view "c" already'),
        ("CREATE MATERIALIZED VIEW x AS SELECT g, now() FROM t", r"it holds now\(\)"),
        ("CREATE MATERIALIZED VIEW x AS SELECT g FROM t WHERE n > ?", "it has parameters"),
        ("CREATE MATERIALIZED VIEW x AS SELECT * FROM 'x.csv'", "what is not in the file"),
        ("CREATE MATERIALIZED VIEW x AS SELECT embed(g) FROM t", "functions of ours"),
        ("CREATE MATERIALIZED VIEW x AS SELECT nothing FROM t", 'unknown column "nothing"'),
        ("CREATE MATERIALIZED VIEW x AS SELECT * FROM nothing", 'unknown table "nothing"'),
        ("CREATE MATERIALIZED VIEW x AS", "expected a SELECT"),
        ("CREATE MATERIALIZED VIEW x", "expected AS and a SELECT"),
        ("CREATE MATERIALIZED VIEW AS SELECT 1", "expected"),
        ("CREATE TEMP MATERIALIZED VIEW x AS SELECT 1", "cannot be temporary"),
        ("CREATE MATERIALIZED VIEW x AS DELETE FROM t", "."),
        ("CREATE MATERIALIZED VIEW x (a) AS SELECT g, n FROM t", "1 names for 2 columns"),
        ("CREATE MATERIALIZED VIEW x (a, A) AS SELECT g, n FROM t", 'the column "A" twice'),
        ("CREATE MATERIALIZED VIEW sqlagent_x AS SELECT 1", "are taken"),
        ("CREATE OR REPLACE MATERIALIZED VIEW c AS SELECT * FROM c", "."),
        ("DROP MATERIALIZED VIEW counts", 'materialised view "counts" does not exist'),
        ("REFRESH MATERIALIZED VIEW counts", 'materialised view "counts" does not exist'),
        ("DROP VIEW c", '"c" is a materialised view'),
        ("DROP TABLE c", '"c" is a materialised view'),
        ("INSERT INTO c VALUES ('a', 1)", '"c" is a materialised view'),
        ("UPDATE c SET n = 1", '"c" is a materialised view'),
        ("DELETE FROM c", '"c" is a materialised view'),
    ],
)
def test_bad_input(con, sql, message):
    fill(con)
    con.execute("CREATE MATERIALIZED VIEW c AS SELECT g, count(*) AS n FROM t GROUP BY g")
    before = con.execute("SELECT name, sql FROM sqlagent_definitions").fetchall()
    with pytest.raises(sqlagent.Error, match=message):
        con.execute(sql)
    assert con.execute("SELECT name, sql FROM sqlagent_definitions").fetchall() == before
    assert con.execute("SELECT sum(n) FROM c").fetchall() == [(59,)]


def test_statements(con):
    fill(con)
    con.execute("CREATE MATERIALIZED VIEW IF NOT EXISTS c AS SELECT count(*) AS n FROM t")
    con.execute("CREATE MATERIALIZED VIEW IF NOT EXISTS c AS SELECT 5 AS n FROM t")
    assert con.execute("SELECT n FROM c").fetchall() == [(59,)]
    ((name, how, rows, _),) = con.execute("REFRESH MATERIALIZED VIEW c").fetchall()
    assert (name, how, rows) == ("c", "group by group, from the change log", 1)
    assert con.execute("DESCRIBE c").fetchall()[0][:2] == ("n", "BIGINT")
    assert ("c",) in con.execute("SHOW TABLES").fetchall()
    con.begin()
    with pytest.raises(ProgrammingError, match="cannot run in a transaction"):
        con.execute("DROP MATERIALIZED VIEW c")
    con.rollback()
    con.execute("CREATE OR REPLACE MATERIALIZED VIEW c AS SELECT sum(n) AS s FROM t")
    assert [d[0] for d in con.execute("SELECT * FROM c").description] == ["s"]
    con.execute("DROP MATERIALIZED VIEW c")
    con.execute("DROP MATERIALIZED VIEW IF EXISTS c")
    assert kept(con) == {}
    assert ("c",) not in con.execute("SHOW TABLES").fetchall()


def test_read_only(con, fresh_db):
    fill(con)
    con.execute("CREATE MATERIALIZED VIEW c AS SELECT count(*) AS n FROM t")
    con.close()
    with sqlagent.connect(fresh_db, read_only=True) as reader:
        assert reader.execute("SELECT n FROM c").fetchall() == [(59,)]
        with pytest.raises(sqlagent.OperationalError, match="read-only"):
            reader.execute("CREATE MATERIALIZED VIEW x AS SELECT 1 AS a")
