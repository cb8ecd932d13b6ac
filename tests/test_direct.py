"""A statement that reads a table twice runs over the copies themselves, with the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sqlagent
from sqlagent.engines.direct import pieces

TWICE = """
SELECT k, sum(v * n) AS value FROM stock, place WHERE place_id = p AND name = 'b' GROUP BY k
HAVING sum(v * n) > (SELECT sum(v * n) / 50 FROM stock, place WHERE place_id = p AND name = 'b')
ORDER BY value DESC, k"""


@pytest.fixture
def stock(fresh_db: Path) -> Iterator[sqlagent.Connection]:
    """Tables whose copies hold a rowid that nobody is to see."""
    con = sqlagent.connect(fresh_db, embedding_model="none", result_cache=False, route="duckdb")
    con.execute("CREATE TABLE stock (k BIGINT, p BIGINT, v BIGINT, n BIGINT, PRIMARY KEY (k, p))")
    con.execute("CREATE TABLE place (place_id BIGINT, name VARCHAR)")
    con.execute("CREATE TABLE 库存 (数 BIGINT, 名 VARCHAR)")
    con.executemany("INSERT INTO place VALUES (?, ?)", [(i, "abc"[i % 3]) for i in range(9)])
    con.executemany("INSERT INTO 库存 VALUES (?, ?)", [(i, "甲乙"[i % 2]) for i in range(9)])
    con.executemany(
        "INSERT INTO stock VALUES (?, ?, ?, ?)",
        [(k, p, k * 7 % 11, p + 1) for k in range(40) for p in range(9)],
    )
    yield con
    con.close()


def rows(con: sqlagent.Connection, sql: str) -> list[tuple[Any, ...]]:
    return con.execute(sql).fetchall()


def on_sqlite(con: sqlagent.Connection, sql: str) -> list[tuple[Any, ...]]:
    con.execute("SET route = 'sqlite'")
    found = rows(con, sql)
    con.execute("SET route = 'duckdb'")
    return found


def sent(con: sqlagent.Connection) -> list[str | None]:
    """What later runs on DuckDB were sent instead of their plan's text."""
    direct: Any = con.database.services["columns"]._direct
    found = []
    text = direct.text

    def noted(*arguments: Any) -> Any:
        found.append(text(*arguments))
        return found[-1]

    direct.text = noted
    return found


def test_what_a_statement_and_its_subquery_share_is_read_once(stock: sqlagent.Connection) -> None:
    want = rows(stock, TWICE)
    seen = sent(stock)
    assert want and all(rows(stock, TWICE) == want for _ in range(3))
    assert on_sqlite(stock, TWICE) == want
    cursor = stock.database.services["columns"].cursor()
    assert seen[-1] is not None

    def scans(sql: str) -> int:
        told = cursor.execute(f"EXPLAIN (FORMAT json) {sql}").fetchall()[0][1]
        return str(told).count("stock 1")

    assert scans(seen[-1]) == 1, "one scan of the table for both"
    assert scans(TWICE) == 2, "DuckDB does so with views too: nothing here is needed any more"
    cursor.close()


def test_it_follows_every_change(stock: sqlagent.Connection) -> None:
    for _ in range(3):
        rows(stock, TWICE)
    seen = sent(stock)
    for change in (
        "UPDATE stock SET v = v + 3 WHERE k < 5",
        "DELETE FROM stock WHERE k % 3 = 1",
        "CALL rebuild('columns')",
        "ALTER TABLE stock ADD COLUMN extra VARCHAR",
        "DELETE FROM stock",
    ):
        stock.execute(change)
        for _ in range(3):
            assert rows(stock, TWICE) == on_sqlite(stock, TWICE), change
    assert any(text is not None for text in seen)


def test_in_a_transaction_its_own_rows_are_seen(stock: sqlagent.Connection) -> None:
    before = [rows(stock, TWICE) for _ in range(3)][-1]
    stock.execute("BEGIN")
    stock.execute("UPDATE stock SET v = 0")
    assert rows(stock, TWICE) == []
    stock.execute("ROLLBACK")
    assert rows(stock, TWICE) == before


def test_an_error_is_of_the_users_text(stock: sqlagent.Connection) -> None:
    sql = (
        "SELECT CAST(a.name AS BIGINT) FROM place a, place b "
        "WHERE a.place_id = b.place_id ORDER BY 1"
    )
    told = set()
    for _ in range(4):
        with pytest.raises(sqlagent.Error) as caught:
            rows(stock, sql)
        told.add(str(caught.value))
    assert len(told) == 1 and "columns" not in told.pop()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a.*, b.k FROM stock a, stock b WHERE a.k = b.k AND a.p = 1 AND b.p = 2",
        "SELECT * FROM place NATURAL JOIN (SELECT place_id FROM place)",
        "SELECT name FROM place JOIN (SELECT place_id FROM place) USING (place_id)",
        "WITH place AS (SELECT 1 AS x) SELECT a.x, b.x FROM place a, place b",
        "SELECT count(*) FROM place WHERE EXISTS (SELECT * FROM place p WHERE p.place_id = 1)",
        "SELECT a.名, count(*) FROM 库存 a JOIN 库存 b ON a.数 = b.数 + 1 GROUP BY 1",
        "SELECT PLACE.name FROM PLACE, Place AS q WHERE q.place_id = PLACE.place_id + 1",
        "SELECT 'stock', max(k) FROM \"stock\" UNION ALL SELECT 'stock', min(k) FROM stock",
    ],
)
def test_its_rows_and_columns_are_sqlites(stock: sqlagent.Connection, sql: str) -> None:
    want = sorted(on_sqlite(stock, sql))
    names = [d[0] for d in stock.execute(sql).description or ()]
    for _ in range(3):
        cursor = stock.execute(sql)
        assert [d[0] for d in cursor.description or ()] == names
        assert sorted(cursor.fetchall()) == want


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT x FROM t",
        "SELECT * FROM t a, t b",
        "SELECT a.* FROM t a, t b",
        "SELECT a FROM t a, t b",
        "SELECT t FROM t, (SELECT x FROM t)",
        "FROM t, t AS b",
        "SELECT COLUMNS('x') FROM t, t AS b",
        "SELECT x FROM t NATURAL JOIN t AS b",
        "SELECT t.rowid FROM t, t AS b",
        "SELECT a.x FROM t AS a(x, y), t AS b",
        "WITH t AS (SELECT 1 AS x) SELECT a.x FROM t a, t b",
        "SELECT a.x FROM main.t a, main.t b",
        "SELECT a.x FROM t a TABLESAMPLE 10%, t b",
        "SELECT a.x FROM (SUMMARIZE t) a, t",
        "SELECT a.x FROM (PIVOT t ON x USING count(y)) a, t",
        "not a statement, t t",
    ],
)
def test_it_is_left_as_it_is_where_a_hidden_rowid_could_show(sql: str) -> None:
    assert pieces(sql, ("t",)) is None


@given(st.lists(st.sampled_from(["t", '"t"', "T", "t AS a", "u", '"u" AS "t u"']), min_size=2))
def test_only_names_of_tables_change(tables: list[str]) -> None:
    sql = f"SELECT 't, u', count(*) FROM {', '.join(tables)} WHERE 1 = 1"
    found = pieces(sql, ("t", "u"))
    of = {n: sum(x.strip('"').lower()[0] == n for x in tables) for n in "tu"}
    if max(of.values()) < 2:
        assert found is None
        return
    assert found is not None
    places = found[1::2]
    assert {n: places.count(n) for n in "tu"} == {n: c if c > 1 else 0 for n, c in of.items()}
    assert "".join(found[::2]).startswith("SELECT 't, u', count(*) FROM ")
    assert found[-1].endswith(" WHERE 1 = 1")
