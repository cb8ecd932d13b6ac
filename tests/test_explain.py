"""EXPLAIN and EXPLAIN ANALYZE: what each engine is sent, why, and what it came to."""

from __future__ import annotations

import json

import pytest

SUMS = "SELECT g, sum(v) AS s FROM t WHERE v > 5 GROUP BY g"


@pytest.fixture
def con(words):
    words.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, g TEXT, v BIGINT)")
    words.execute("CREATE INDEX t_g ON t (g)")
    words.execute("INSERT INTO t SELECT i, 'g' || (i % 5), i FROM range(1000) r(i)")
    words.execute("SET route = 'duckdb'")  # small tables are SQLite's otherwise
    return words


def text(con, sql, parameters=()):
    return "\n".join(row[0] for row in con.execute(sql, parameters))


def steps(con, sql, parameters=()):
    rows = con.execute(sql, parameters).fetchall()
    assert len(rows) == 1
    assert con.execute("SELECT json_valid(?)", rows[0]).fetchone() == (1,)
    return json.loads(rows[0][0])


def operators(nodes):
    for node in nodes:
        yield node
        yield from operators(node["children"])


def test_it_changes_nothing_and_builds_no_columns(con):
    before = con.execute("SELECT total_changes(), (SELECT count(*) FROM sqlite_master)").fetchall()
    said = text(con, f"EXPLAIN {SUMS}")
    assert "t: not built yet" in said and "duckdb: read" in said and "sqlite: feed" in said
    service = con.database.services.get("columns")
    assert service is None or service.replicas.names() == []
    text(con, "EXPLAIN DELETE FROM t")
    text(con, "EXPLAIN CREATE TABLE u AS SELECT median(v) AS m FROM t")
    text(con, "EXPLAIN CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t")
    after = con.execute("SELECT total_changes(), (SELECT count(*) FROM sqlite_master)").fetchall()
    assert before == after
    assert con.execute("SELECT count(*) FROM t").fetchone() == (1000,)


def test_columns_say_how_far_behind_they_are(con):
    con.execute(SUMS).fetchall()
    assert "t: 1,000 rows, fresh" in text(con, f"EXPLAIN {SUMS}")
    con.execute("INSERT INTO t (g, v) VALUES ('a', 1), ('b', 2)")
    assert "t: 1,000 rows, 2 log entries behind" in text(con, f"EXPLAIN {SUMS}")
    assert "t: 1,002 rows, fresh" in text(con, f"EXPLAIN ANALYZE {SUMS}")


def test_analyze_has_rows_and_times_of_each_operator(con):
    first, feed = steps(con, f"EXPLAIN (ANALYZE, FORMAT json) {SUMS}")
    assert (first["engine"], first["rows"], feed["engine"]) == ("duckdb", 5, "sqlite")
    assert first["time_ms"] > 0 and set(first["times_ms"]) == {
        "parse, rewrite and plan", "columns", "run",
    }  # fmt: skip
    found = list(operators(first["operators"]))
    scan = next(n for n in found if "SCAN" in n["operator"])
    assert scan["table"] == "t" and scan["rows"] == 994 and "v>5" in scan["filters"]
    assert any("GROUP_BY" in n["operator"] and n["rows"] == 5 for n in found)
    assert all(n["time_ms"] >= 0 for n in found) and first["memory_mb"] >= 0
    said = text(con, f"EXPLAIN ANALYZE {SUMS}")
    assert "duckdb: read (5 rows, " in said and " ms)" in said and "└ " in said
    assert "SCAN t filters v>5 (994 rows, " in said


def test_operators_are_guessed_without_running(con):
    con.execute(SUMS).fetchall()
    (first, _) = steps(con, f"EXPLAIN (FORMAT json) {SUMS}")
    found = list(operators(first["operators"]))
    assert any("rows_estimated" in n for n in found) and not any("rows" in n for n in found)
    assert "rows" not in first


def test_parameters_may_be_missing(con):
    con.execute(SUMS).fetchall()
    sums = "EXPLAIN SELECT sum(v) FROM t WHERE v > ? AND g = ?"
    assert "└" not in text(con, sums) and "SCAN t" in text(con, sums, (5, "g1"))
    con.execute("SET route = 'auto'")
    assert "SEARCH t" in text(con, "EXPLAIN SELECT v FROM t WHERE id = $one")
    assert "(1 rows, " in text(con, "EXPLAIN ANALYZE SELECT sum(v) FROM t WHERE v > ?", (5,))


def test_sqlite_names_its_indexes(con):
    con.execute("SET route = 'auto'")
    (step,) = steps(con, "EXPLAIN (FORMAT json) SELECT id FROM t WHERE g = ?")
    assert step["engine"] == "sqlite" and step["indexes"] == ["t_g"]
    assert step["plan"][0]["operator"].startswith("SEARCH t USING COVERING INDEX t_g")
    assert step["sql"] == "SELECT id FROM t WHERE g = ?"
    assert "functions: recall" in text(con, "EXPLAIN SELECT * FROM recall('ada', 'x')")


def test_cached(con, monkeypatch):
    from sqlagent.run import kept

    monkeypatch.setattr(kept, "LEAST_MS", 0.0)
    con.execute(SUMS).fetchall()
    con.execute(SUMS).fetchall()  # the first one made the triggers, which is a commit
    assert "result: cached" in text(con, f"EXPLAIN {SUMS}")
    con.execute("INSERT INTO t (g) VALUES ('x')")
    assert "result: not cached" in text(con, f"EXPLAIN {SUMS}")
    assert "not kept: random()" in text(con, "EXPLAIN SELECT sum(v), random() FROM t")
    con.execute("SET result_cache = off")
    assert "not kept: SET result_cache = off" in text(con, f"EXPLAIN {SUMS}")


def test_writes_are_run_by_analyze(con):
    assert "sqlite: write (1 rows, " in text(con, "EXPLAIN ANALYZE INSERT INTO t (v) VALUES (-1)")
    assert con.execute("SELECT count(*) FROM t WHERE v = -1").fetchone() == (1,)
    said = text(con, "EXPLAIN ANALYZE CREATE TABLE u AS SELECT g, median(v) AS m FROM t GROUP BY g")
    assert "sqlite: write (6 rows, " in said and "duckdb: read" in said
    assert con.execute("SELECT count(*) FROM u").fetchone() == (6,)


def test_materialized_views(con):
    con.execute(f"CREATE MATERIALIZED VIEW m AS {SUMS}")
    con.execute("CREATE MATERIALIZED VIEW w AS SELECT DISTINCT g FROM t")
    assert "m (kept group by group; 5 rows)" in text(con, "EXPLAIN SELECT * FROM m")
    said = text(con, "EXPLAIN SELECT * FROM w")
    assert "w (computed whole: it has DISTINCT; 5 rows)" in said
    con.execute("INSERT INTO t (g, v) VALUES ('new', 9)")
    con.execute("SELECT sum(v) FROM t").fetchall()
    assert "w (computed whole: it has DISTINCT; not there yet)" in text(con, "EXPLAIN FROM w")
    assert "m (kept group by group; 6 rows)" in text(con, "EXPLAIN FROM m")


def test_in_a_transaction(con):
    con.begin()
    con.execute("INSERT INTO t (g, v) VALUES ('new', 9)")
    assert "the transaction's own rows are there" in text(con, f"EXPLAIN {SUMS}")
    assert "not kept: in a transaction" in text(con, "EXPLAIN SELECT median(v) FROM t")
    assert "(6 rows, " in text(con, f"EXPLAIN ANALYZE {SUMS}")
    con.rollback()


def test_lines_of_a_text_stay_below_it(con):
    said = text(con, "EXPLAIN SELECT sum(v)\nFROM t\nWHERE v > 1").split("\n")
    at = next(i for i, line in enumerate(said) if "sql: SELECT sum(v)" in line)
    assert said[at + 1].strip("│ ") == "FROM t" and said[at + 2].strip("│ ") == "WHERE v > 1"


def searches(con, sql, parameters=()):
    lines = text(con, f"EXPLAIN {sql}", parameters).splitlines()
    return [line.split("search: ", 1)[1] for line in lines if "search: " in line]


@pytest.mark.parametrize("route", ["auto", "duckdb"])
def test_it_says_which_index_answers_a_search(con, route):
    con.execute("SET route = 'auto'")
    con.execute("SELECT remember('ada', 'the parcel'), put_vector('points', 'a', [0.5, 0.5])")
    con.execute(f"SET route = '{route}'")
    ask = "SELECT content FROM recall(?, 'parcel', k => 3)"
    (line,) = searches(con, ask, ("ada",))
    assert "built at the first question, of 1 rows, of agent 'ada'" in line
    con.execute(ask, ("ada",)).fetchall()
    (line,) = searches(con, ask, ("ada",))
    assert line.startswith("recall: words in memory, 1 rows, of agent 'ada'; weights: vector 0.7")
    con.execute("INSERT INTO recall_weights (agent_id, part, weight) VALUES ('ada', 'vector', 0.5)")
    assert "weights (from recall_weights): vector 0.5" in searches(con, ask, ("ada",))[0]
    con.execute("DELETE FROM recall_weights")
    sql = "SELECT id FROM knn('points', [1.0, 0.0])"
    con.execute(sql).fetchall()
    (line,) = searches(con, sql)
    assert (
        line == "knn: vectors of 2 dimensions as floats in memory, 1 rows, of collection 'points'"
    )
    con.execute("SET vector_engine = 'lance'")
    assert searches(con, sql) == ["knn: a Lance dataset on disk, of collection 'points'"]
    (line,) = searches(con, "SELECT r.score FROM agents a, recall(a.agent_id, 'parcel') r")
    assert line == "recall: in memory, an index for each agent that it is asked about"
    (line,) = searches(con, "SELECT content FROM search('parcel')")
    assert line.startswith("search: an index in memory, built at the first question")
    assert searches(con, "SELECT count(*) FROM t") == []
