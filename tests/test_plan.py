"""What a statement becomes: the plan's kind, its engine, its slots; what is refused, and how."""

from __future__ import annotations

import subprocess
import sys

import pytest
from test_rewrite import CATALOG, FUNCTIONS

import sqlagent.functions
from sqlagent.errors import Error, NotSupportedError, ProgrammingError
from sqlagent.functions import Function, Parameter
from sqlagent.plan import plan
from sqlagent.plan.plans import (
    Argument,
    Call,
    Calls,
    Duck,
    Explain,
    Fill,
    Import,
    Lite,
    Setting,
    Transaction,
    WriteCall,
    WriteTable,
)  # fmt: skip

REMEMBER = Function(
    "remember", "scalar",
    (Parameter("agent_id", "VARCHAR"), Parameter("content", "VARCHAR"),
     Parameter("kind", "VARCHAR", "episodic")),
    "BIGINT", "", writes=True,
)  # fmt: skip
MERGE = Function(
    "merge_states", "table", (Parameter("a", "VARCHAR"), Parameter("b", "VARCHAR", None)), "TABLE",
    "", columns=(("path", "VARCHAR"),), writes=True,
)  # fmt: skip


@pytest.fixture(autouse=True)
def functions(monkeypatch):
    known = {**FUNCTIONS, "remember": REMEMBER, "merge_states": MERGE}
    monkeypatch.setattr(sqlagent.functions, "_loaded", known)


def live(path):
    return "/data/agent.db" if "agent.db" in path or path == "*" else None


def run(sql, **settings):
    known = CATALOG._replace(scanned=lambda path: "" if live(path) else None)
    return plan(sql, known, settings, live).run


PLAIN = [
    "SELECT id, n AS m FROM t AS a WHERE a.id = 3",
    "SELECT content FROM memories WHERE memory_id = ? AND content = :c".replace(":c", "?"),
    "SELECT * FROM t WHERE n IN (1, 2) AND s BETWEEN 'a' AND 'b' LIMIT 5",
    "SELECT t.id FROM t JOIN memories m ON m.memory_id = t.id ORDER BY t.id",
    "SELECT coalesce(n, 0), abs(x) FROM t",
    "SELECT 1",
    "INSERT INTO memories (content, created_at) VALUES (?, strftime('%Y-%m-%d', 'now', ?))",
    "INSERT OR REPLACE INTO t (id, n) VALUES (1, -2) RETURNING id",
    "INSERT INTO t (id, n) VALUES (:id, :n) ON CONFLICT (id) DO UPDATE SET n = excluded.n + 1",
    "UPDATE t SET n = n + 1, ts = ? WHERE id = ?",
    "DELETE FROM t WHERE id IN (SELECT memory_id FROM memories)",
    "CREATE TABLE z (id INTEGER PRIMARY KEY, at TIMESTAMP, v FLOAT[3])",
    "CREATE INDEX i ON t (n)",
    "ALTER TABLE t ADD COLUMN z INTEGER",
    "DROP TABLE IF EXISTS t",
    "PRAGMA table_info(t)",
    "VACUUM",
]


@pytest.mark.parametrize("sql", PLAIN)
def test_a_plain_statement_is_sent_as_it_is(sql):
    made = run(sql)
    assert isinstance(made, Lite)
    assert (made.sql, made.parameters) == (sql, None)
    assert made.writes is not sql.startswith(("SELECT", "PRAGMA"))


NOT_PLAIN = [
    "SELECT n / 2 FROM t", "SELECT s FROM t WHERE s LIKE 'a'", "SELECT s || 'a' FROM t",
    "SELECT n = 1 FROM t", "SELECT id FROM t WHERE s > 5", "SELECT id FROM t WHERE n = '5'",
    "SELECT id FROM t WHERE ts > '2026-01-01'", "SELECT 2.5", "SELECT length(v) FROM t",
    "SELECT id FROM t WHERE s IN ('a', 5)", "SELECT id FROM t ORDER BY n + 1",
    "SELECT id AS n FROM t ORDER BY n",
]  # fmt: skip


@pytest.mark.parametrize("sql", NOT_PLAIN)
def test_what_is_not_plain_is_parsed(sql):
    made = run(sql)
    assert made.why != "a plain statement on the file's own tables"


def test_plain_statements_import_nothing_heavy():
    code = (
        "import sys, sqlagent.plan as p\n"
        "from sqlagent.catalog import Catalog, Column, Table\n"
        "c = Catalog(1, {'t': Table('t', 'table', (Column('id', 'BIGINT'),), 'id')})\n"
        "heavy = {'dataclasses', 'inspect', 'asyncio', 'logging', 'sqlglot'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "for s in ('SELECT id FROM t WHERE id = ?', 'BEGIN', 'INSERT INTO t VALUES (1)',\n"
        "          'SET a = 1', 'CALL sync()', 'CREATE TABLE z (a TEXT)', 'PRAGMA page_size'):\n"
        "    p.plan(s, c, {}, lambda path: None)\n"
        "assert 'sqlglot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_null_order_is_added_where_it_matters():
    assert run("SELECT id FROM t ORDER BY n, id, s DESC").sql == (
        "SELECT id FROM t ORDER BY n NULLS LAST, id, s DESC"
    )
    assert run("SELECT id FROM t ORDER BY n", dialect="sqlite").sql.endswith("ORDER BY n")
    assert run("SELECT id FROM t ORDER BY n DESC", dialect="postgres").sql.endswith("NULLS FIRST")


def test_calls_of_ours_are_bound_from_tokens():
    made = run("SELECT id FROM near(:n, ?, k => 3)".replace(":n", "?") + " ORDER BY distance")
    assert made == Lite(
        "SELECT id FROM near(?1, ?2, 3, NULL) ORDER BY distance NULLS LAST", (0, 1),
        functions=True, why=made.why,
    )  # fmt: skip


def test_numbered_parameters():
    made = run("SELECT n FROM t WHERE id = $2 AND n = $1")
    assert (made.sql, made.parameters) == ("SELECT n FROM t WHERE id = ?1 AND n = ?2", (1, 0))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("BEGIN", Transaction("begin")),
        ("begin immediate transaction", Transaction("begin")),
        ("START TRANSACTION", Transaction("begin")),
        ("END", Transaction("commit")),
        ("SAVEPOINT s1", Transaction("savepoint", "s1")),
        ("RELEASE SAVEPOINT s1", Transaction("release", "s1")),
        ("ROLLBACK TO s1", Transaction("rollback_to", "s1")),
        ("SET route = 'duckdb'", Setting("set", "route", "duckdb")),
        ("SET result_cache TO off;", Setting("set", "result_cache", "off")),
        ("SET timeout = 2.5", Setting("set", "timeout", 2.5)),
        ("SET a = DEFAULT", Setting("reset", "a")),
        ("RESET route", Setting("reset", "route")),
        ("SHOW ALL", Setting("show")),
        ("CALL rebuild('columns', ?)",
         Call("rebuild", (Argument(value="columns"), Argument(slot=0)))),
        ("CALL merge_states('x')", Call("merge_states", (Argument(value="x"), Argument()))),
        ("SELECT a FROM merge_states('x', b => ?) WHERE a > ?",
         WriteTable(
             WriteCall("merge_states", "merge_states", (Argument(value="x"), Argument(slot=0))),
             "SELECT a FROM ", " AS merge_states WHERE a > ?1", (1,))),
    ],
)  # fmt: skip
def test_statements_without_rows(sql, expected):
    assert run(sql) == expected


def test_explain():
    assert run("EXPLAIN SELECT 1") == Explain(
        run(" SELECT 1")._replace(sql="SELECT 1"), sql="SELECT 1"
    )
    made = run("EXPLAIN ANALYZE (FORMAT json) SELECT count(*) FROM t")
    assert isinstance(made.plan, Duck)
    assert (made.analyze, made.format) == (True, "json")
    assert isinstance(run("EXPLAIN QUERY PLAN SELECT 1"), Lite)


def test_writing_calls():
    made = run("SELECT remember(?, 'x', kind => ?) AS id, remember('b', $2)".replace("$2", "?"))
    assert made.source is None
    assert made.outputs == (
        WriteCall("id", "remember", (Argument(slot=0), Argument(value="x"), Argument(slot=1))),
        WriteCall("remember", "remember", (Argument(value="b"), Argument(slot=2), Argument())),
    )
    made = run("SELECT id, remember(s, s || '!', ?) FROM t WHERE id > 3")
    assert isinstance(made, Calls)
    assert isinstance(made.source, Lite)
    assert [o.function for o in made.outputs] == [None, "remember"]
    assert made.outputs[1].arguments == (Argument(1), Argument(2), Argument(slot=0))


def test_writing_calls_over_a_grouped_read():
    made = run("SELECT remember('a', s || sum(n)) AS id, s, max(ts) FROM t GROUP BY 2 ORDER BY 2")
    assert isinstance(made.source, Duck)
    assert made.source.sql == (
        "SELECT s || SUM(n) AS argument_0, s, MAX(ts) FROM t GROUP BY 2 ORDER BY 2"
    )
    assert made.types == (None, "VARCHAR", "TIMESTAMP")
    assert made.outputs[1:] == (
        WriteCall("s", None, (Argument(1),)), WriteCall("MAX(ts)", None, (Argument(2),)),
    )  # fmt: skip
    made = run("SELECT id, remember('a', s) FROM t GROUP BY 1, s ORDER BY 1")
    assert "GROUP BY 1, s ORDER BY 1" in made.source.sql
    assert "DISTINCT" in run("SELECT DISTINCT remember(s, 'b') FROM t").source.sql


@pytest.mark.parametrize(
    "sql",
    ["SELECT 1 FROM t WHERE remember('a', 'b') = 1", "SELECT remember('a', 'b') + 1",
     "INSERT INTO t (n) SELECT remember('a', 'b')"],
)  # fmt: skip
def test_a_writing_function_stands_at_the_top(sql):
    with pytest.raises(NotSupportedError, match="writes, so it cannot stand here"):
        run(sql)


# Names that a parser knows, or may know one day, as functions of its own.
NAMES = [
    "search", "embed", "forget", "paths", "within", "relate", "neighbors", "predict", "contains",
    "left", "first", "levenshtein", "median", "hash", "tokens_of",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spelled", [str, str.upper, '"{}"'.format])
def test_functions_of_ours_win_over_those_of_a_parser(name, spelled, monkeypatch):
    own = (Parameter("a", "VARCHAR"), Parameter("k", "BIGINT", 10), Parameter("b", "DOUBLE", None))
    table = Function(name, "table", own, "TABLE", "", columns=(("id", "VARCHAR"),))
    monkeypatch.setattr(sqlagent.functions, "_loaded", {name: table})
    call = f"{spelled(name)}('x', b => 1, k := ?)"
    made = run(f"SELECT count(*), max({name}.id) FROM {call} WHERE length({name}.id) > 1")
    assert f"{name}('x', ?1, 1)" in made.sql
    forced = run(f"SELECT t.s, u.id FROM t, {call} u WHERE reverse(u.id) = t.s")
    assert isinstance(forced, Duck)
    assert f"{name}('x', $1, 1)" in forced.sql
    scalar = table._replace(kind="scalar", returns="VARCHAR", columns=())
    monkeypatch.setattr(sqlagent.functions, "_loaded", {name: scalar})
    assert f"{name}(s, NULL, NULL)" in run(f"SELECT upper({spelled(name)}(s)) FROM t").sql
    with pytest.raises(ProgrammingError, match="is a scalar function, not a table"):
        run(f"SELECT * FROM {call}")


ROUTES = [
    ("SELECT s FROM t WHERE s LIKE 'a%'", Lite),
    ("SELECT count(*) FROM t", Duck),
    ("SELECT n, sum(x) OVER (ORDER BY id) FROM t", Duck),
    ("SELECT DISTINCT n FROM t", Duck),
    ("SELECT * FROM 'a.parquet'", Duck),
    ("SELECT * FROM range(5)", Duck),
    ("SELECT * FROM sqlite_master", Lite),
    ("SELECT * FROM pragma_table_info('t')", Lite),
    ("SELECT count(*) FROM sqlite_schema", Lite),
    ("SELECT count(*) FROM near('a', ?) r JOIN t ON t.x = r.distance", Lite),
    ("SELECT * FROM sqlite_scan('agent.db', 't')", Lite),
    ("INSERT INTO t (id) SELECT a FROM 'x.csv'", Fill),
    ("INSERT INTO t (id) SELECT count(*) FROM memories", Lite),
    ("CREATE TABLE z AS SELECT * FROM t", Fill),
    ("CREATE OR REPLACE TABLE t AS SELECT 1 AS id", Fill),
    ("COPY (SELECT * FROM t) TO 'out.parquet' (FORMAT parquet)", Duck),
    ("COPY t FROM 'in.csv'", Import),
    ("CREATE VIEW w AS SELECT n, count(*) AS c FROM t GROUP BY n", Lite),
    ("DESCRIBE t", Lite),
    ("SUMMARIZE t", Duck),
]


@pytest.mark.parametrize(("sql", "kind"), ROUTES)
def test_routes(sql, kind):
    assert isinstance(run(sql), kind)


def test_fill():
    made = run("INSERT INTO t (id, n) SELECT a, b FROM read_csv(?) WHERE b > ?")
    assert made.insert == 'INSERT INTO "t" ("id", "n") VALUES (?, ?)'
    assert made.source.files == (0,)
    assert made.source.parameters == (0, 1)
    made = run("CREATE OR REPLACE TABLE t AS SELECT 1 AS id")
    assert (made.replace, made.table, made.create) == (True, "t", 'CREATE TABLE "t"')


def test_types_of_columns():
    made = run("SELECT n, n = 1, max(ts), min(d), sum(n), avg(x) FROM t GROUP BY n, n = 1")
    assert made.lite.types == ("BIGINT", "BOOLEAN", "TIMESTAMP", "DATE", "HUGEINT", "DOUBLE")


def test_a_forced_route():
    assert isinstance(run("SELECT id FROM t", route="duckdb"), Duck)
    assert isinstance(run("SELECT count(*) FROM t", route="sqlite"), Lite)
    assert isinstance(run("INSERT INTO t VALUES (1)", route="duckdb"), Lite)
    with pytest.raises(NotSupportedError, match="cannot run on SQLite"):
        run("SELECT median(n) FROM t", route="sqlite")


def test_dialects():
    assert run("SELECT n / 2, upper(s) FROM t", dialect="sqlite").sql == (
        "SELECT n / 2, upper(s) FROM t"
    )
    assert run("SELECT n FROM t WHERE s LIKE 'A%'", dialect="sqlite").native
    assert run("SELECT n / 2 FROM t", dialect="postgres").sql == "SELECT n / 2 FROM t"
    forced = run("SELECT n / 2 FROM t", dialect="postgres", route="duckdb")
    assert forced.sql == "SELECT (n // 2) FROM t"


@pytest.mark.parametrize(
    ("sql", "message", "hint", "position"),
    [
        ("SELECT * FROM memorys", 'unknown table "memorys"', 'Did you mean "memories"?', 14),
        ("SELECT contnt FROM memories", 'unknown column "contnt"', 'Did you mean "content"?', 7),
        ("SELECT remembr('a', 'b')", 'unknown function "remembr"', 'Did you mean "remember"?', 7),
        ("SELECT a b c", 'syntax error at or near "c"', None, 11),
        ("SELECT ? ,, ?", 'syntax error at or near ","', None, 10),
        ("", "the statement is empty", None, 0),
        ("SELECT 1; SELECT 2", "expected one statement, not several",
         "run them one by one, or with executescript", 10),
        ("SET", "expected the name of a setting at the end", None, 3),
        ("ROLLBACK TO", "expected the name of a savepoint at the end", None, 11),
    ],
)  # fmt: skip
def test_errors_show_the_place(sql, message, hint, position):
    with pytest.raises(ProgrammingError) as caught:
        run(sql)
    error = caught.value
    assert (error.message, error.hint, error.position, error.sql) == (message, hint, position, sql)


GUARDED = [
    "SELECT * FROM 'agent.db'",
    'SELECT * FROM "agent.db"',
    "SELECT * FROM read_blob('agent.db')",
    "SELECT * FROM read_csv('agent.db', header => true)",
    "SELECT * FROM read_csv(['a.csv', 'agent.db'])",
    "SELECT * FROM read_text('agent' || '.db')",
    "SELECT * FROM read_text(concat('agent', '.db'))",
    "SELECT * FROM read_text(E'agent\\x2edb')",
    "SELECT * FROM read_text($$agent.db$$)",
    "SELECT * FROM read_text(upper('x'))",
    "SELECT * FROM (VALUES ('agent.db')) v(f), read_text(f)",
    "SELECT * FROM glob('*')",
    "SELECT * FROM some_new_scan('agent.db')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('t')",
    "SELECT 1 /* /* */ FROM read_blob('agent.db') -- */",
    "WITH a AS (FROM read_blob('agent.db')) SELECT * FROM a",
    "SELECT (SELECT count(*) FROM 'agent.db')",
    "SELECT id FROM t WHERE s IN (SELECT content FROM read_text('agent.db'))",
    "SUMMARIZE 'agent.db'",
    "PIVOT 'agent.db' ON a",
    "COPY t TO 'agent.db'",
    "COPY t FROM 'agent.db'",
    "CREATE TABLE z AS FROM 'agent.db'",
    "UPDATE t SET s = (SELECT content FROM read_text('agent.db'))",
    "EXPLAIN SELECT * FROM 'agent.db'",
    "INSTALL httpfs",
    "LOAD 'x.duckdb_extension'",
    "EXPORT DATABASE 'x'",
    "SET enable_external_access = true",
    "PRAGMA writable_schema = on",
    "SELECT getenv('HOME')",
]


@pytest.mark.parametrize("sql", GUARDED)
def test_the_live_file_is_never_opened_twice(sql):
    with pytest.raises(Error) as caught:
        run(sql)
    assert isinstance(caught.value, NotSupportedError)


def test_files_are_named():
    made = run("SELECT * FROM 'a.parquet' JOIN read_csv('b.csv', delim => ';') USING (id)")
    assert set(made.files) == {"a.parquet", "b.csv"}
    assert run("SELECT * FROM read_parquet($path)").files == ("path",)
