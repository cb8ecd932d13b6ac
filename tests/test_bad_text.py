"""Bad text: an error of ours with its place in the user's own words, never a crash, never long."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sqlagent

SETUP = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, joined DATE, vip BOOLEAN);
CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER, product TEXT, price DOUBLE,
  ts TIMESTAMP, data JSON);
INSERT INTO users VALUES (1, 'Ada', '2025-01-15', 1), (2, 'Bob', NULL, 0);
INSERT INTO orders VALUES (1, 1, 'tea', 3.5, '2025-01-31 10:00:00.000', '{"a":[1,2]}');
"""


@pytest.fixture(scope="module")
def shop():
    con = sqlagent.connect(":memory:", embedding_model="none", statement_timeout_ms=5000)
    con.executescript(SETUP)
    yield con
    con.close()


def said(con, sql):
    with pytest.raises(sqlagent.Error) as caught:
        con.execute(sql).fetchall()
    return caught.value


# The statement, with ^ before the place of the error; a part of what is said; the hint.
PLACED = [
    ("^SELEC 1", 'syntax error at or near "SELEC"', "SELECT"),
    ("SELECT id FROM orders ^WEHRE id = 1", 'syntax error at or near "WEHRE"', "WHERE"),
    ("SELECT id FROM orders ^ODER BY id", 'syntax error at or near "ODER"', "ORDER"),
    ("UPDATE orders ^ST product = 'x'", 'syntax error at or near "ST"', "SET"),
    ("^DELET FROM orders", 'syntax error at or near "DELET"', "DELETE"),
    ("SELECT id FROM orders ORDER ^id", 'syntax error at or near "id"', None),
    ("SELECT ^(1", '"(" is not closed', None),
    ("SELECT ^[1, 2", '"[" is not closed', None),
    ("SELECT count^(*\nFROM orders", '"(" is not closed', None),
    ("SELECT ^'it''s", "unterminated string", None),
    ("SELECT ^$$it", "", None),
    ("SELECT 1 ^/* no end", "unterminated comment", None),
    ('SELECT ^"id FROM orders', "unterminated quoted identifier", None),
    ("SELECT * FROM ^ordrs", 'unknown table "ordrs"', "orders"),
    ("INSERT INTO ^ordrs VALUES (1)", 'unknown table "ordrs"', "orders"),
    ("SELECT\n  ^prodct\nFROM orders", 'unknown column "prodct"', "product"),
    ("INSERT INTO orders (id, ^produkt) VALUES (9, 'x')", 'no column "produkt"', "product"),
    ("UPDATE orders SET ^prodct = 'x'", 'unknown column "prodct"', "product"),
    ("WITH c AS (SELECT id FROM orders) SELECT ^idd FROM c", 'unknown column "idd"', "id"),
    ("SELECT ^lowr(product) FROM orders", 'function "lowr"', "lower"),
    ("SELECT ^date_truc('week', ts) FROM orders", "date_truc", "date_trunc"),
    ("SELECT * FROM ^recal('ada', 'tea')", 'unknown function "recal"', "recall"),
    ("SELECT * FROM ^read_cvs('x.csv')", "read_cvs", "read_csv"),
    ("SELECT CAST(price AS ^INTEGR) FROM orders", 'unknown type "INTEGR"', "INTEGER"),
    ("SELECT * FROM ^?", "a parameter cannot stand for a table", None),
    ("SELECT iif(^prodct = 'x', ifnull(ts, ?), 2) FROM orders", "prodct", "product"),
]


@pytest.mark.parametrize(("sql", "message", "near"), PLACED, ids=lambda v: str(v)[:30])
def test_the_place_is_in_the_users_own_text(shop, sql, message, near):
    wanted = sql.index("^")
    error = said(shop, sql.replace("^", "", 1))
    assert message in error.message
    assert error.sql == sql.replace("^", "", 1)
    assert error.position == wanted
    if near is not None:
        assert error.hint == f'Did you mean "{near}"?'


def test_an_engine_is_named(shop):
    error = said(shop, "SELECT CAST(product AS INTEGER) FROM orders")
    assert isinstance(error, sqlagent.DataError) and error.detail == "reported by DuckDB"


def test_unknown_names_of_ours(shop):
    assert 'Did you mean "dialect"?' in str(said(shop, "SET dialekt = 'sqlite'"))
    error = said(shop, "SELECT * FROM recall('ada', 'tea', limit => 3)")
    assert 'recall has no argument "limit"' in error.message and "k => 10" in (error.hint or "")


DEEP = {
    "parentheses": lambda n: "SELECT " + "(" * n + "1" + ")" * n,
    "open": lambda n: "SELECT " + "(" * n,
    "closed": lambda n: "SELECT " + ")" * n,
    "case": lambda n: "SELECT " + "CASE WHEN 1=1 THEN " * n + "1" + " END" * n,
    "subqueries": lambda n: "SELECT * FROM " + "(SELECT * FROM " * n + "users" + ")" * n,
    "exists": lambda n: "SELECT " + "EXISTS (SELECT " * n + "1" + ")" * n,
    "not": lambda n: "SELECT " + "NOT " * n + "true",
    "minus": lambda n: "SELECT " + "- " * n + "1",
    "or": lambda n: "SELECT 1 FROM users WHERE " + " OR ".join(f"id={i}" for i in range(n)),
    "unions": lambda n: " UNION ALL ".join(["SELECT 1"] * n),
    "sums": lambda n: "SELECT " + "+".join(["1.5"] * n),
    "joined": lambda n: "SELECT " + "||".join(["'a'"] * n),
    "calls": lambda n: "SELECT " + "lower(" * n + "'a'" + ")" * n,
    "lists": lambda n: "SELECT " + "[" * n + "1" + "]" * n,
    "structs": lambda n: "SELECT " + "{'a': " * n + "1" + "}" * n,
    "casts": lambda n: "SELECT 1" + "::INT" * n,
    "fields": lambda n: "SELECT a" + ".a" * n,
    "elements": lambda n: "SELECT [1]" + "[1]" * n,
    "explain": lambda n: "EXPLAIN " * n + "SELECT 1",
    "view": lambda n: "CREATE VIEW deep AS SELECT " + "(" * n + "1" + ")" * n,
    "macro": lambda n: "SELECT list_transform([1], " + "x -> " * n + "1)",
    "columns": lambda n: "SELECT " + ",".join(f"id AS c{i}" for i in range(n)) + " FROM users",
    "comments": lambda n: "SELECT 1 " + "/*" * n,
    "semicolons": lambda n: ";" * n,
}

CHILD = """
import sys, sqlagent
con = sqlagent.connect(":memory:", embedding_model="none", statement_timeout_ms=20000)
con.executescript(sys.argv[1])
sql = sys.stdin.buffer.read().decode("utf-8", "surrogatepass")
try:
    con.execute(sql).fetchall()
except sqlagent.Error as error:
    str(error)
"""


def survives(sql):
    """Run a statement in another process: only rows, or an error of ours."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, SETUP], input=sql.encode("utf-8", "surrogatepass"),
        capture_output=True, timeout=120, env=os.environ.copy(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()[-2000:]


@pytest.mark.parametrize("name", ["subqueries", "sums", "unions", "elements"])
def test_ten_thousand_deep(name):
    survives(DEEP[name](10_000))


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in DEEP if n not in ("subqueries", "sums", "unions")])
def test_ten_thousand_deep_of_all_kinds(name):
    survives(DEEP[name](10_000))


@pytest.mark.parametrize("name", ["parentheses", "case", "subqueries", "not", "calls", "structs"])
def test_what_people_nest_is_not_too_deep(shop, name):
    assert shop.execute(DEEP[name](100)).fetchall()


def test_long_values(shop):
    started = time.process_time()
    assert shop.execute(f"SELECT length('{'x' * 5_000_000}')").fetchone() == (5_000_000,)
    many = ",".join(map(str, range(100_000)))
    sql = f"SELECT name FROM users WHERE id IN ({many})"
    assert shop.execute(sql).fetchall() == [("Ada",), ("Bob",)]
    assert time.process_time() - started < 20


@pytest.mark.slow
def test_a_million_literals():
    survives("SELECT count(*) FROM users WHERE id IN (" + ",".join(map(str, range(10**6))) + ")")
    survives("SELECT count(*) FROM (VALUES " + ",".join(["(1)"] * 10**6) + ") t")


TRICKS = [
    "SELECT '\x00'", "SELECT \x00", "\ufeffSELECT 1", "SELECT '\ud800'", "SELECT \ud800",
    "SELECT “a”", "SELECT 'a\u202eb'", "SELECT １", "SELECT\xa01", "SELECT\u30001",
    "ＳＥＬＥＣＴ 1",
    "SELECT 1 AS 🙂", 'SELECT 1 AS "🙂"', "SELECT 姓名 FROM users", "SELECT 1 AS 姓名",
    "SELECT a\u200bb", "SELECT 'e\u0301' = '\xe9'", "SELECT '\U0001f469\u200d\U0001f4bb'",
    "SELECT ‘a’", "SELECT 1；", "SELECT\x0c1", "SELECT\x0b1", "SELECT 1\x1a", "SELECT ؟",
    "SELECT $$\ud800$$", "`", '"', "'", "$", "$$", "?", ":", "@", "#", "\\", "E'\\", "E'\\ud800'",
    "E'\\U00110000'", "x'zz'", "x'0'", "1e999999", "SELECT 1e", "SELECT 0x", "SELECT 0xg",
    "SELECT 1_", "SELECT .", "SELECT ..", "SELECT *", "*", "", " ", "--", "/**/", "SELECT $1$2",
    "SELECT ?0", "SELECT $0", "SELECT ?99999999999999999999", "SELECT :", "SET", "RESET", "SHOW",
    "CALL", "PRAGMA", "EXPLAIN", "EXPLAIN ANALYZE", "BEGIN BEGIN", "CREATE", "CREATE TABLE",
    "CREATE TABLE AS", "CREATE VIEW v", "DROP", "ALTER", "COPY", "COPY t TO", "DESCRIBE",
    "SUMMARIZE", "PIVOT", "WITH", "WITH a", "FROM", "VALUES", "INSERT", "INSERT INTO", "UPDATE",
    "DELETE", "MERGE", "SELECT recall()", "SELECT * FROM recall(", "SELECT remember(",
    "SELECT * FROM (", "SELECT (SELECT", "SELECT CASE", "SELECT CAST(1 AS", "SELECT 1 IN",
    "SELECT x'",
]  # fmt: skip


@pytest.mark.parametrize("sql", TRICKS, ids=ascii)
def test_tricks_are_errors_or_rows(shop, sql):
    try:
        cursor = shop.execute(sql)
        if cursor.description:
            cursor.fetchall()
    except sqlagent.Error as error:
        assert str(error)
    finally:
        shop.rollback()


def test_names_of_every_script(shop):
    assert shop.execute("SELECT 1 AS 姓名, 2 AS 🙂x").description[0][0] == "姓名"
    assert shop.execute("SELECT 'a\u202eb' AS v").fetchone() == ("a\u202eb",)


SPELLED = r"""
SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT OFFSET UNION ALL INTERSECT EXCEPT JOIN LEFT ON USING
AS DISTINCT WITH RECURSIVE VALUES INSERT INTO UPDATE SET DELETE RETURNING CASE WHEN THEN ELSE END
AND OR NOT NULL IS IN BETWEEN LIKE GLOB EXISTS CAST QUALIFY PIVOT UNPIVOT FILTER OVER PARTITION
WINDOW ROWS LATERAL ASOF SEMI EXCLUDE REPLACE INTERVAL DATE TIMESTAMP TRUE FALSE CREATE TABLE VIEW
DROP EXPLAIN DESCRIBE SUMMARIZE COPY TO ON CONFLICT DO NOTHING users orders id name price ts data
product u o count sum max strftime date julianday list_transform unnest json_extract recall search
knn state_at remember range generate_series coalesce ifnull total group_concat printf x y ( ) [ ]
{ } , . ; + - * / // % || = <> < > <= >= -> ->> => := :: ? ?1 $1 :n 1 0 -1 2.5 1e3 0xff 'a'
'it''s' '2025-01-01' '%Y' "id" `id` x'00' $$d$$ E'\n' -- /* */ ' " lambda : 'now' '+1 month'
'weekday 1'
"""
WORDS = SPELLED.split()
soup = st.lists(st.sampled_from(WORDS), min_size=1, max_size=14).map(" ".join)
VALID = [
    "SELECT u.name, count(*) AS n FROM users u LEFT JOIN orders o ON o.user_id = u.id GROUP BY ALL",
    "SELECT strftime('%Y-%m', ts), date(ts, '+1 month'), ts + INTERVAL 1 DAY FROM orders",
    "SELECT * EXCLUDE (data) FROM orders QUALIFY row_number() OVER (ORDER BY ts) = 1",
    "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5) FROM c",
    "INSERT INTO users (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'y'",
    "SELECT list_transform([1, 2], x -> x + 1), {'a': 1}, data->>'$.a' FROM orders",
    "PIVOT orders ON product USING sum(price) GROUP BY user_id",
    "SELECT * FROM recall('ada', 'tea', k => 3) r JOIN memories m USING (memory_id)",
]


@st.composite
def mutated(draw):
    """A valid statement with words dropped, doubled, swapped or put in."""
    words = re.findall(r"\w+|'[^']*'|\s+|.", draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(words) - 1))
        change = draw(st.integers(0, 3))
        if change == 0 and len(words) > 1:
            del words[at]
        elif change == 1:
            words.insert(at, words[at])
        elif change == 2:
            words.insert(at, f" {draw(st.sampled_from(WORDS))} ")
        else:
            other = draw(st.integers(0, len(words) - 1))
            words[at], words[other] = words[other], words[at]
    return "".join(words)


def only_ours(con, sql):
    try:
        cursor = con.execute(sql)
        if cursor.description:
            cursor.fetchmany(50)
    except sqlagent.Error as error:
        assert str(error)
    if con.in_transaction:
        con.rollback()


@settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "150")))
@given(soup)
def test_soup_gives_only_errors_of_ours(shop, sql):
    only_ours(shop, sql)


@settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "150")))
@given(mutated())
def test_mutations_give_only_errors_of_ours(shop, sql):
    only_ours(shop, sql)


@settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "100")))
@given(st.text(max_size=40))
def test_any_text_gives_only_errors_of_ours(shop, sql):
    only_ours(shop, sql)
