"""The gate: what a user from outside may not do, in whatever way it is said."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent.functions import functions
from sqlagent.serve import gate
from sqlagent.serve.rights import tables_of
from sqlagent.serve.users import Principal

SECRET = "hidden-秘密"
REFUSED = ("42501", "42P01", "0A000", "42601", "42704")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What each test gets a copy of, closed: its password alone takes a tenth of a second."""
    file = tmp_path_factory.mktemp("gate") / "agent.db"
    con = sqlagent.connect(file, embedding_model="none")
    for agent, text in (("ada", "茶 tea at five"), ("bob", SECRET)):
        con.execute("SELECT remember(?, ?)", (agent, text))
        con.execute("SELECT save_state(?, ?)", (agent, f'{{"note": "{text}"}}'))
    con.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, agent_id TEXT, note TEXT, total INT)")
    con.execute(
        "INSERT INTO orders VALUES (1, 'ada', 'tea', 5), (2, 'bob', ?, 7), (3, 'bob', '12', 9)",
        (SECRET,),
    )
    con.execute("CREATE TABLE secret (x TEXT, n INT)")
    con.execute("INSERT INTO secret VALUES (?, 1)", (SECRET,))
    con.execute("CREATE VIEW public_n AS SELECT n FROM secret")
    con.execute("CREATE VIEW notes AS SELECT note FROM orders")
    con.execute("CREATE MACRO all_notes() AS TABLE SELECT note FROM orders")
    con.execute("CREATE USER eve PASSWORD 'x'")
    con.execute(
        "INSERT INTO sessions (session_id, agent_id) VALUES ('s-ada', 'ada'), ('s-bob', 'bob')"
    )
    con.close()
    return file


@pytest.fixture
def path(template: Path, tmp_path: Path) -> Iterator[Path]:
    """A file with two agents, a table of business for both, and one of nobody's business."""
    file = tmp_path / "agent.db"
    shutil.copy(template, file)
    with closing(sqlagent.connect(file, embedding_model="none")):
        yield file


@pytest.fixture
def warm(path: Path) -> Path:
    """The file, whose owner has analysed every table: DuckDB has their columns."""
    with sqlagent.connect(path) as con:
        for table in ("orders", "secret", "memories", "sqlagent_users", "sessions"):
            con.execute(f"SELECT count(*), list(t) FROM {table} t").fetchall()
    return path


@pytest.fixture
def user(path: Path) -> Iterator[Callable[..., sqlagent.Connection]]:
    """Opens connections for principals."""
    opened = []

    def connect(role: str = "reader", **rights: Any) -> sqlagent.Connection:
        agents, grants = rights.get("agents"), rights.get("grants")
        principal = Principal(
            "mal", role,
            None if agents is None else frozenset(agents),
            None if grants is None else frozenset(grants),
            rows_max=rights.get("rows_max", 0),
        )  # fmt: skip
        opened.append(gate.connect(str(path), principal, embedding_model="none"))
        return opened[-1]

    yield connect
    for con in opened:
        con.close()


def refused(con: sqlagent.Connection, sql: str, values: Any = ()) -> str:
    """The SQLSTATE of the refusal of a statement; fails where it is not refused."""
    with pytest.raises(sqlagent.Error) as caught:
        cursor = con.execute(sql, values)
        if cursor.description:
            pytest.fail(f"{sql} gave {cursor.fetchall()}")
    return str(caught.value.sqlstate)


# Everybody ----------------------------------------------------------------------------------------

NOBODY = """
ATTACH '/tmp/x.db' AS x
ATTACH ':memory:' AS x
DETACH x
COPY orders TO '/tmp/x.csv'
COPY (SELECT 1) TO '/tmp/x.parquet' (FORMAT parquet)
COPY (SELECT 1) TO '/tmp/x.md' (FORMAT markdown)
COPY orders TO '/tmp/x.md'
SELECT import_from('/etc/passwd')
SELECT import_from('/tmp', kind => 'markdown') FROM orders
COPY orders FROM '/etc/passwd'
EXPORT DATABASE '/tmp/x'
IMPORT DATABASE '/tmp/x'
INSTALL httpfs
LOAD httpfs
USE x
VACUUM INTO '/tmp/stolen.db'
SELECT * FROM '/etc/passwd'
SELECT * FROM "/etc/passwd"
SELECT * FROM 'orders.csv'
FROM read_csv('/etc/passwd')
FROM read_text('/etc/passwd')
FROM read_blob('/etc/*')
FROM read_parquet('x.parquet')
FROM read_json_auto('x.json')
FROM sniff_csv('/etc/passwd')
FROM parquet_metadata('x')
FROM glob('/*')
FROM sqlite_scan('/tmp/a.db', 't')
FROM query('SELECT 1')
FROM query_table('orders')
FROM duckdb_secrets()
FROM duckdb_settings()
FROM duckdb_tables()
FROM duckdb_columns()
FROM duckdb_temporary_files()
FROM pragma_table_info('orders') JOIN duckdb_views() ON true
FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))
SELECT json_serialize_plan('SELECT 1')
SELECT getenv('HOME')
SELECT current_setting('temp_directory')
SELECT getvariable('x')
SELECT write_log('x')
SELECT stats(note) FROM orders
SELECT main.getvariable('x')
SELECT sqlagent_recall('bob', 'x')
SELECT load_extension('x')
SELECT import_from('/etc/passwd')
SELECT fts3_tokenizer('x')
SELECT sqlite_compileoption_get(1)
SELECT * FROM sqlite_dbpage
SELECT * FROM dbstat
SELECT * FROM information_schema.tables
SELECT * FROM sqlagent.columns.orders
SELECT * FROM columns.orders
SELECT * FROM temp.orders
SET temp_directory = '/tmp'
SET memory_limit_mb = 1
SET embedding_model = 'sentence-transformers:x'
SET language_model = 'command:sh'
SET synchronous = 'normal'
SET query_log = 'off'
PRAGMA journal_mode = DELETE
PRAGMA wal_checkpoint(TRUNCATE)
PRAGMA writable_schema = ON
PRAGMA query_only = OFF
PRAGMA temp_store_directory = '/tmp'
CREATE VIRTUAL TABLE t USING fts5(a)
EXPLAIN SELECT * FROM '/etc/passwd'
EXPLAIN ANALYZE SELECT * FROM read_csv('/etc/passwd')
DESCRIBE SELECT * FROM '/etc/passwd'
SUMMARIZE '/etc/passwd'
PIVOT '/etc/passwd' ON a USING count(*)
WITH x AS (SELECT * FROM '/etc/passwd') SELECT * FROM x
SELECT (SELECT count(*) FROM read_csv('/etc/passwd'))
SELECT * FROM orders WHERE id IN (SELECT 1 FROM read_text('/etc/passwd'))
SELECT list_transform([1], x -> (SELECT count(*) FROM read_text('/etc/passwd')))
INSERT INTO orders SELECT 1, 'a', content, 1 FROM read_text('/etc/passwd')
CREATE TABLE t AS SELECT * FROM read_csv('/etc/passwd')
CREATE VIEW v AS SELECT * FROM read_csv('/etc/passwd')
CREATE MACRO m(p) AS TABLE SELECT * FROM read_csv(p)
MERGE INTO orders USING read_csv('/etc/passwd') AS s ON id = 1 WHEN MATCHED THEN DELETE
"""


@pytest.mark.parametrize("role", ["reader", "writer", "admin"])
def test_what_nobody_may(user: Callable[..., sqlagent.Connection], role: str) -> None:
    con = user(role)
    for sql in NOBODY.strip().splitlines():
        for dialect in ("duckdb", "sqlite", "postgres"):
            con.execute(f"SET dialect = '{dialect}'")
            refused(con, sql)
    assert not Path("/tmp/stolen.db").exists()


def test_a_path_as_a_parameter(user: Callable[..., sqlagent.Connection]) -> None:
    con = user("admin")
    for sql in ("FROM read_csv(?)", "SELECT * FROM read_text(?)", "COPY orders TO ?"):
        assert refused(con, sql, ("/etc/passwd",)) in REFUSED


def test_a_macro_of_the_owner_runs_its_body_behind_the_gate(
    path: Path, user: Callable[..., sqlagent.Connection]
) -> None:
    with sqlagent.connect(path) as own:
        own.execute("CREATE MACRO passwd() AS TABLE SELECT * FROM read_text('/etc/passwd')")
        own.execute("CREATE MACRO setting(x) AS current_setting(x)")
    assert refused(user("admin"), "FROM passwd()") == "42501"
    assert refused(user("admin"), "SELECT setting('temp_directory')") == "42501"


def test_conditions_in_texts(user: Callable[..., sqlagent.Connection]) -> None:
    con = user("writer")
    condition = "read_text('/etc/passwd') IS NOT NULL"
    assert refused(con, f"FROM search('x', filter => '{condition.replace(chr(39), chr(39) * 2)}')")
    assert refused(con, "FROM search('x', filter => ?)", (condition,)) == "42501"
    assert refused(con, "FROM recall('ada', 'x', filter => ?)", ("getenv('A') = 'b'",)) == "42501"
    assert con.execute("FROM search('x', filter => ?)", ("lower(title) = 'a'",)).fetchall() == []


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO orders VALUES (9, 'a', 'b', 1)",
        "UPDATE orders SET total = 0",
        "DELETE FROM orders",
        "WITH x AS (SELECT 1) DELETE FROM orders",
        "REPLACE INTO orders VALUES (1, 'a', 'b', 1)",
        "SELECT remember('ada', 'x')",
        "SELECT remember('ada', note) FROM orders",
        "SELECT * FROM merge_states('ada', 'bob')",
        "EXPLAIN ANALYZE DELETE FROM orders",
        "PLAN SELECT forget('ada')",
        "CALL rebuild('text')",
        "SELECT erase(user_id => 'x')",
        "CREATE TABLE t (a)",
        "CREATE TEMP TABLE t (a INT)",
        "DROP TABLE orders",
        "ALTER TABLE orders ADD COLUMN z",
        "CREATE USER x PASSWORD 'y'",
        "GRANT ALL ON ALL TABLES TO mal",
        "ALTER USER mal ROLE admin",
        "ALTER USER eve PASSWORD 'z'",
        "SELECT alter_user('mal', role => 'admin')",
        "DELETE FROM sqlagent_grants",
        "UPDATE sqlagent_users SET role = 'admin'",
        "ANALYZE",
    ],
)
def test_a_reader_only_reads(user: Callable[..., sqlagent.Connection], sql: str) -> None:
    con = user("reader")
    for dialect in ("duckdb", "sqlite", "postgres"):
        con.execute(f"SET dialect = '{dialect}'")
        assert refused(con, sql) in REFUSED
    assert con.execute("SELECT count(*) FROM orders").fetchall() == [(3,)]


def test_executemany_passes_the_gate(user: Callable[..., sqlagent.Connection]) -> None:
    with pytest.raises(sqlagent.Error) as caught:
        user("reader").executemany("INSERT INTO orders (id) VALUES (?)", [(8,), (9,)])
    assert caught.value.sqlstate == "42501"


def test_verifiers_are_for_admins(user: Callable[..., sqlagent.Connection]) -> None:
    for role, values in (("reader", ()), ("writer", ("eve",))):
        con = user(role)
        for dialect, route in itertools.product(("duckdb", "sqlite"), ("auto", "sqlite", "duckdb")):
            con.execute(f"SET dialect = '{dialect}'")
            con.execute(f"SET route = '{route}'")
            where = " WHERE name = ?" if values else ""
            assert refused(con, f"SELECT verifier FROM sqlagent_users{where}", values) in REFUSED
            assert refused(con, "SELECT count(*) FROM main.sqlagent_grants") in REFUSED
    assert user("admin").execute("SELECT count(*) FROM sqlagent_users").fetchall() == [(1,)]


def test_a_password_of_ones_own(path: Path) -> None:
    con = gate.connect(str(path), Principal("eve"))
    con.execute("ALTER USER eve PASSWORD 'better'")
    assert refused(con, "ALTER USER eve PASSWORD 'b' ROLE admin") == "42501"
    con.close()


def test_an_admin_changes_the_schema(user: Callable[..., sqlagent.Connection]) -> None:
    con = user("admin")
    for sql in (
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT CHECK (length(b) > 0))",
        "CREATE INDEX t_b ON t (b)",
        "CREATE TABLE u AS SELECT 1 AS a",
        "CREATE VIEW v AS SELECT * FROM t",
        "CREATE MACRO twice(x) AS x * 2",
        "CREATE TABLE c USING columns AS SELECT range AS a FROM range(5)",
        "INSERT INTO c VALUES (7)",
        "CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM c",
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET b = upper(b); END",
        "CREATE USER max PASSWORD 'm' ROLE writer",
        "GRANT SELECT ON orders TO max",
        "DROP USER max",
        "BEGIN",
        "CREATE TABLE w (a INT)",
        "INSERT INTO w VALUES (1)",
        "ROLLBACK",
        "REINDEX",
        "VACUUM",
        "CALL check()",
    ):
        con.execute(sql)
    assert con.execute("SELECT n, twice(n) FROM m").fetchall() == [(6, 12)]
    con.execute("INSERT INTO t VALUES (1, 'x')")
    assert con.execute("SELECT b FROM v").fetchall() == [("X",)]


# Tables -------------------------------------------------------------------------------------------

GRANTS = [("orders", "select"), ("orders", "insert"), ("public_n", "select")]


def test_only_granted_tables(user: Callable[..., sqlagent.Connection]) -> None:
    con = user("writer", grants=GRANTS)
    assert con.execute("SELECT count(*) FROM orders").fetchall() == [(3,)]
    assert con.execute("SELECT sum(total) FROM orders").fetchall() == [(21,)]
    assert con.execute("SELECT * FROM public_n").fetchall() == [(1,)]  # as its author may
    assert con.execute("SELECT count(*) FROM public_n").fetchall() == [(1,)]
    con.execute("INSERT INTO orders VALUES (4, 'ada', 'n', 1)")
    for sql in (
        "UPDATE orders SET total = 0", "DELETE FROM orders", "SELECT remember('ada', 'x')",
        "FROM recall('ada', 'x')", "FROM search('x')", "FROM knn('c', '[1]')",
        "FROM neighbors('x')", "FROM state_at('ada', now())", "SELECT index_document('x')",
        "INSERT INTO orders SELECT 9, x, x, 1 FROM secret",
        "INSERT INTO orders VALUES (1, 'a', 'b', 1) ON CONFLICT (id) DO UPDATE SET total = 2",
        "REPLACE INTO secret VALUES ('a', 1)", "FROM all_notes() JOIN secret ON true",
    ):  # fmt: skip
        assert refused(con, sql) in (*REFUSED, "42883"), sql


@pytest.mark.parametrize("dialect", ["duckdb", "sqlite", "postgres"])
def test_what_is_not_granted_is_not_there(
    user: Callable[..., sqlagent.Connection], dialect: str
) -> None:
    con = user("reader", grants=GRANTS)
    con.execute(f"SET dialect = '{dialect}'")
    for sql in ("SELECT * FROM {}", "SELECT count(*) FROM {}", "SELECT * FROM main.{}",
                "WITH public_n AS (SELECT * FROM {}) SELECT * FROM public_n",
                "SELECT n FROM public_n WHERE n IN (SELECT length(x) FROM {})",
                "DESCRIBE {}"):  # fmt: skip
        if dialect == "sqlite" and sql.startswith("DESCRIBE"):
            continue
        errors = []
        for name in ("secret", "nosuch"):
            with pytest.raises(sqlagent.Error) as caught:
                con.execute(sql.format(name)).fetchall()
            errors.append(str(caught.value).replace(name, "it").replace("^", ""))
        assert errors[0].split() == errors[1].split()
    with pytest.raises(sqlagent.Error) as caught:
        con.execute("SELECT * FROM secre")
    assert "secret" not in str(caught.value)
    assert refused(con, "PRAGMA table_info(secret)") == "42501"


def test_the_catalog_has_what_is_granted(user: Callable[..., sqlagent.Connection]) -> None:
    con = user("reader", grants=GRANTS)
    assert con.execute("SHOW TABLES").fetchall() == [("orders",), ("public_n",)]
    shown = {row[2] for row in con.execute("SHOW ALL TABLES").fetchall()}
    assert shown == {"orders", "public_n"}
    assert refused(con, "SELECT name FROM sqlite_schema") == "42501"
    assert [r[0] for r in con.execute("DESCRIBE orders").fetchall()][:2] == ["id", "agent_id"]


# Agents -------------------------------------------------------------------------------------------


def test_rows_of_ones_agents(user: Callable[..., sqlagent.Connection]) -> None:
    con = user("writer", agents=["ada"])
    for sql, rows in (
        ("SELECT content FROM memories", [("茶 tea at five",)]),
        ("SELECT count(*) FROM main.memories AS m", [(1,)]),
        ("SELECT agent_id, count(*) FROM memories GROUP BY ALL", [("ada", 1)]),
        ("SELECT agent_id FROM state_versions", [("ada",)]),
        ("SELECT agent_id FROM agents", [("ada",)]),
        ("SELECT quantile_cont(total, 0.5) FROM orders", [(5.0,)]),
        ("SELECT note FROM orders o WHERE o.id > 0 ORDER BY note", [("tea",)]),
        ("SELECT m.content FROM orders o JOIN memories m USING (agent_id)", [("茶 tea at five",)]),
        ("WITH notes AS (SELECT note FROM orders) SELECT * FROM notes", [("tea",)]),
        ("SELECT content FROM recall('ada', 'tea')", [("茶 tea at five",)]),
        ("SELECT r.content FROM agents a, recall(a.agent_id, 'tea') r", [("茶 tea at five",)]),
        ("SELECT (SELECT max(note) FROM orders)", [("tea",)]),
        ("SELECT * FROM (PIVOT orders ON agent_id USING sum(total) GROUP BY id)", [(1, 5)]),
    ):
        assert con.execute(sql).fetchall() == rows, sql
    for sql in (
        "FROM recall('bob', 'x')", "SELECT remember('bob', 'x')", "FROM state_at('bob', now())",
        "SELECT save_state('bob', '{}')", "SELECT fork('ada', 'new')", "SELECT forget('bob')",
        "FROM merge_states('ada', 'bob')", "SELECT erase(user_id => 'x')", "SELECT pin(2)",
        "FROM provenance(2)", "FROM related(2)", "SELECT undo(1)", "FROM memories_fts",
        "FROM notes", "FROM all_notes()", "FROM sqlagent_change_log", "FROM sqlagent_query_log",
        "FROM advise()", "FROM memory_vectors", "SELECT sql FROM sqlite_schema", "CALL check()",
        "FROM watch('bob')", "SELECT end_session('s-bob')", "SELECT link(1, 2)",
        "SELECT supersede(2, 'x')",
    ):  # fmt: skip
        assert refused(con, sql) in (*REFUSED, "42883"), sql


SHADOWED = [
    "WITH {0} AS (SELECT * FROM {0}) SELECT list(t) FROM {0} t",
    "WITH {0} AS MATERIALIZED (SELECT * FROM {0}) SELECT list(t) FROM {0} t",
    "SELECT list(t) FROM {0} t, (WITH {0} AS (SELECT 1 AS one) SELECT * FROM {0}) u",
    "WITH z AS (SELECT * FROM {0}), {0} AS (SELECT 1 AS one) SELECT list(z) FROM z",
    "WITH {0} AS (SELECT * FROM {0}) PIVOT {0} ON agent_id USING count(*)",
    "SELECT * FROM (WITH {0} AS (SELECT 1) SELECT 2) z, {0} t",
    "WITH RECURSIVE {0} AS (SELECT * FROM {0} UNION SELECT * FROM {0}) SELECT * FROM {0}",
    "WITH RECURSIVE {0} AS (SELECT * FROM {0} UNION ALL SELECT * FROM {0}) SELECT * FROM {0}",
]


def test_a_name_that_is_a_tables_and_a_common_table_expressions(
    warm: Path, user: Callable[..., sqlagent.Connection]
) -> None:
    for table, rights in (
        ("orders", {"agents": ["ada"]}), ("secret", {"grants": GRANTS}),
        ("sessions", {"grants": GRANTS}), ("sqlagent_users", {}),
    ):  # fmt: skip
        con = user("reader", **rights)
        con.execute("SET statement_timeout_ms = 2000")
        for dialect, route in (
            ("duckdb", "auto"), ("duckdb", "duckdb"), ("postgres", "duckdb"), ("sqlite", "auto"),
            ("sqlite", "duckdb"),
        ):  # fmt: skip
            con.execute(f"SET dialect = '{dialect}'")
            con.execute(f"SET route = '{route}'")
            for sql in SHADOWED:
                try:
                    shown = str(con.execute(sql.format(table)).fetchall())
                except sqlagent.Error as error:
                    shown = f"{error.message} {error.detail} {error.hint}"
                assert SECRET not in shown and "s-bob" not in shown and "SCRAM" not in shown


def test_functions_that_may_not_be_called_are_not_listed(
    path: Path, user: Callable[..., sqlagent.Connection]
) -> None:
    def listed(con: sqlagent.Connection) -> set[str]:
        rows = con.execute("SELECT name FROM sqlagent_functions WHERE name <> 'x'").fetchall()
        return {row[0] for row in rows}

    with sqlagent.connect(path) as own:
        everything = listed(own)
    reader, writer, admin = (listed(user(role)) for role in ("reader", "writer", "admin"))
    assert admin == everything - {"import_from"}  # nobody reads files of the server
    assert everything - writer == {
        "create_user", "drop_user", "grant_table", "revoke_table", "grant_agent", "revoke_agent",
        "advise", "import_from",
    }  # fmt: skip
    assert "remember" in writer and "remember" not in reader and "recall" in reader
    some = listed(user("reader", grants=GRANTS))
    assert "token_count" in some and not some & {"recall", "search", "knn", "erase"}
    assert "all_notes" in reader and "all_notes" not in listed(user("reader", agents=["ada"]))


def test_an_agent_as_a_parameter(user: Callable[..., sqlagent.Connection]) -> None:
    con = user("writer", agents=["ada"])
    for sql in ("FROM recall(?, 'x')", "SELECT remember(?, 'x')", "FROM state_at(?, now())"):
        assert refused(con, sql, ("bob",)) == "42501"
        con.execute(sql, ("ada",)).fetchall()
    assert con.execute(
        "SELECT content FROM recall(agent_id => $who, query => 'x')", {"who": "ada"}
    ).fetchall()
    rows = "SELECT r.content FROM (VALUES ('bob'), ('ada')) v(a), recall(v.a, 'tea') r"
    assert SECRET not in str(con.execute(rows).fetchall())
    assert refused(con, "SELECT remember(a, 'x') FROM (VALUES ('ada'), ('bob')) v(a)") == "42501"
    assert con.execute("SELECT count(*) FROM memories WHERE content = 'x'").fetchall() == [(1,)]


def test_writes_into_rows_of_others(path: Path, user: Callable[..., sqlagent.Connection]) -> None:
    con = user("writer", agents=["ada"])
    for sql in (
        "INSERT INTO orders VALUES (9, 'bob', 'x', 1)",
        "INSERT INTO memories (agent_id, content) VALUES ('bob', 'x')",
        "UPDATE orders SET agent_id = 'bob'",
        "INSERT OR REPLACE INTO orders VALUES (2, 'ada', 'x', 1)",
        "REPLACE INTO orders VALUES (2, 'ada', 'x', 1)",
        "INSERT INTO orders VALUES (2, 'ada', 'x', 1) ON CONFLICT (id) DO UPDATE SET total = 0",
        "UPDATE OR REPLACE orders SET id = 2 WHERE id = 1",
        "MERGE INTO orders USING (SELECT 2 AS i) s ON id = i WHEN MATCHED THEN DELETE",
        "DROP TABLE orders",
    ):
        assert refused(con, sql) in (*REFUSED, "23505"), sql
    assert con.execute("UPDATE orders SET total = total + 1").rowcount == 1
    assert (
        con.execute("UPDATE orders SET total = 0 WHERE note = ? OR true", (SECRET,)).rowcount == 1
    )
    assert con.execute("DELETE FROM orders WHERE agent_id = 'bob'").rowcount == 0
    assert con.execute("DELETE FROM orders WHERE CAST(note AS INT) = 12").rowcount == 0
    con.execute("BEGIN")
    con.execute("INSERT INTO orders VALUES (10, 'ada', 'x', 1)")
    assert refused(con, "INSERT INTO orders VALUES (11, 'bob', 'x', 1)") == "42501"
    con.execute("COMMIT")
    assert con.execute("DELETE FROM orders").rowcount == 2
    with sqlagent.connect(path) as own:
        assert own.execute("SELECT id, total FROM orders").fetchall() == [(2, 7), (3, 9)]
        own.execute("INSERT INTO orders VALUES (12, 'bob', 'y', 1)")  # the owner is not bound


def test_errors_tell_nothing_of_other_rows(user: Callable[..., sqlagent.Connection]) -> None:
    con = user("reader", agents=["ada"])
    for sql in (
        "SELECT * FROM orders WHERE CAST(note AS INT) = 12",
        "SELECT note::INT FROM orders",
        "SELECT * FROM orders WHERE l2_distance(note, '[1]') = 0",
        "SELECT sum(note::INT) FROM orders WHERE agent_id = 'bob'",
        "SELECT * FROM orders WHERE note = 12",
        "SELECT * FROM orders WHERE json_extract(note, '$.a') = 1",
        "SELECT * FROM orders ORDER BY CAST(note AS INT)",
    ):
        for route in ("auto", "duckdb", "sqlite"):
            con.execute(f"SET route = '{route}'")
            try:
                shown = str(con.execute(sql).fetchall())
            except sqlagent.Error as error:
                shown = f"{error} {error.detail}"
            assert SECRET not in shown and "'12'" not in shown, (sql, route, shown)


def test_results_and_plans_of_one_user_are_not_anothers(
    path: Path, user: Callable[..., sqlagent.Connection]
) -> None:
    sql = "SELECT agent_id, quantile_cont(total, 0.5) FROM orders GROUP BY agent_id ORDER BY 1"
    ada, bob = user("reader", agents=["ada"]), user("reader", agents=["bob"])
    with sqlagent.connect(path) as own:
        for _ in range(3):
            assert len(own.execute(sql).fetchall()) == 2
            assert ada.execute(sql).fetchall() == [("ada", 5.0)]
            assert bob.execute(sql).fetchall() == [("bob", 8.0)]


def test_a_user_of_no_agent(user: Callable[..., sqlagent.Connection]) -> None:
    con = user("writer", agents=[])
    assert con.execute("SELECT count(*) FROM memories").fetchall() == [(0,)]
    assert refused(con, "INSERT INTO orders VALUES (9, '', 'x', 1)") == "42501"
    assert con.execute("DELETE FROM orders").rowcount == 0


def test_too_many_rows(user: Callable[..., sqlagent.Connection]) -> None:
    con = user("reader", rows_max=2)
    assert len(con.execute("SELECT * FROM orders LIMIT 2").fetchall()) == 2
    for take in (lambda c: c.fetchall(), lambda c: c.arrow()):
        with pytest.raises(sqlagent.Error) as caught:
            take(con.execute("SELECT * FROM orders"))
        assert caught.value.sqlstate == "54000"


# Many ways in -------------------------------------------------------------------------------------

SOURCES = [
    "secret", "main.secret", '"secret"', "orders", "memories", "notes", "all_notes()",
    "state_versions", "memories_fts", "recall('bob', 'hidden')", "state_at('bob', now())",
    "memories_as_of('bob', now())", "explain_recall('bob', 'hidden')", "sqlagent_operation_rows",
    "chunk_texts", "current_facts", "memory_health('bob')", "state_history('bob')",
]  # fmt: skip
LAYERS = [
    "SELECT * FROM ({})", "WITH w AS ({}) SELECT * FROM w", "WITH orders AS ({}) FROM orders",
    "SELECT (SELECT list(q) FROM ({}) q)", "SELECT * FROM (VALUES (1)) v(a), LATERAL ({})",
    "{} UNION ALL {}", "SELECT * FROM orders LEFT JOIN ({}) j ON true",
    "SELECT 1 WHERE EXISTS ({})", "SELECT * FROM (VALUES (1)) v(a) WHERE a IN (SELECT 1 FROM ({}))",
    "WITH RECURSIVE r AS ({} UNION ALL SELECT * FROM r WHERE false) SELECT * FROM r",
    "SELECT * FROM ({}) WHERE true /* ' */", "SELECT -- x'\n * FROM ({})", "(({}))", "EXPLAIN {}",
    "WITH secret AS ({}) SELECT * FROM secret", "WITH memories AS ({}) SELECT * FROM memories",
    "WITH z AS ({}), secret AS (SELECT 1) SELECT * FROM z", "FROM (WITH orders AS (SELECT 1) {})",
    "SELECT * FROM ({}) a, (WITH orders AS (SELECT 1) SELECT 1) b, orders",
    "WITH z AS MATERIALIZED ({}) SELECT list(z) FROM z",
    "WITH z AS ({}) PIVOT z ON 1 USING list(z)",
    "SUMMARIZE {}", "DESCRIBE {}", "SELECT * EXCLUDE (nosuch) FROM ({})", "FROM ({})",
]  # fmt: skip


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    source=st.sampled_from(SOURCES),
    layers=st.lists(st.sampled_from(LAYERS), max_size=3),
    dialect=st.sampled_from(["duckdb", "sqlite", "postgres"]),
    route=st.sampled_from(["auto", "sqlite", "duckdb"]),
    who=st.sampled_from(["agents", "grants"]),
)
def test_no_way_of_saying_it_shows_what_is_hidden(
    warm: Path,
    user: Callable[..., sqlagent.Connection],
    source: str,
    layers: list[str],
    dialect: str,
    route: str,
    who: str,
) -> None:
    rights: dict[str, Any] = {"agents": ["ada"]} if who == "agents" else {"grants": GRANTS[1:]}
    if who == "agents" and "secret" in source:
        source = "orders"  # a table of no agent is everybody's
    con = user("writer", **rights)
    con.execute(f"SET dialect = '{dialect}'")
    con.execute(f"SET route = '{route}'")
    sql = f"SELECT * FROM {source}"
    for layer in layers:
        sql = layer.replace("{}", sql)
    try:
        shown = str(con.execute(sql).fetchall())
    except sqlagent.Error as error:
        shown = f"{error.message} {error.detail} {error.hint}"
    assert SECRET not in shown
    con.close()


def test_every_function_reads_tables_that_are_there(path: Path) -> None:
    with sqlagent.connect(path) as own:
        tables = {row[0] for row in own.execute("SHOW TABLES").fetchall()}
        for function in functions().values():
            assert set(tables_of(function)) <= tables, function.name
