"""advise(): indexes that were measured to help, and those that nothing uses."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import sqlagent
from sqlagent.run import advice
from sqlagent.run.candidates import Candidate

ROWS = 60_000
FIND = "SELECT amount FROM bills WHERE customer = ?"


@pytest.fixture
def shop(fresh_db: Path) -> Iterator[sqlagent.Connection]:
    """Bills without an index, and an index that nothing uses; its reads run on SQLite."""
    con = sqlagent.connect(fresh_db, embedding_model="none", route="sqlite")
    con.execute("CREATE TABLE bills (id INTEGER PRIMARY KEY, customer VARCHAR, amount BIGINT)")
    con.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, bill BIGINT, odd BIGINT)")
    con.execute("CREATE INDEX notes_by_odd ON notes (odd)")
    con.executemany(
        "INSERT INTO bills VALUES (?, ?, ?)", [(i, f"c{i % 9000}", i) for i in range(ROWS)]
    )
    con.executemany("INSERT INTO notes VALUES (?, ?, ?)", [(i, i, i) for i in range(500)])
    for n in range(3):
        con.execute(FIND, (f"c{n}",)).fetchall()
    yield con
    con.close()


def test_an_index_that_helps_is_advised_and_applied(shop: sqlagent.Connection) -> None:
    (row,) = shop.execute(
        "SELECT table_name, columns, calls, before_ms, after_ms, size_kb, shapes, statement "
        "FROM advise()"
    ).fetchall()
    assert row[:3] == ("bills", "customer", 3)
    assert row[4] < 0.7 * row[3] and row[5] > 100
    assert json.loads(row[6]) == ["select amount from bills where customer = ?"]
    assert shop.execute("PRAGMA index_list('bills')").fetchall() == []  # nothing was done
    expected = shop.execute(FIND, ("c5",)).fetchall()
    ((statement, done, _),) = shop.execute("CALL apply_advice()").fetchall()
    assert (statement, done) == (row[7], 1)
    plan = [r[0] for r in shop.execute("EXPLAIN SELECT amount FROM bills WHERE customer = 'x'")]
    assert any("bills_by_customer" in line for line in plan)
    assert shop.execute(FIND, ("c5",)).fetchall() == expected
    assert shop.execute("SELECT * FROM advise() WHERE action = 'create'").fetchall() == []


def test_the_copy_is_gone_afterwards(shop: sqlagent.Connection) -> None:
    assert shop.execute("SELECT * FROM advise()").fetchall()
    folder = shop.database.folder
    assert folder is not None and not [f for f in os.listdir(folder) if f.startswith("advice")]


def test_a_shape_from_the_file_alone_is_tried_with_values_of_the_table(
    shop: sqlagent.Connection, elsewhere: Callable[..., str], fresh_db: Path
) -> None:
    shop.execute("CALL sync()")
    shop.close()
    code = (
        "import sys, sqlagent\n"
        "con = sqlagent.connect(sys.argv[1], embedding_model='none')\n"
        "print([r[0] for r in con.execute('SELECT columns FROM advise()').fetchall()])"
    )
    assert elsewhere(code, fresh_db) == "['customer']"


def test_an_index_that_nothing_uses_is_said(shop: sqlagent.Connection) -> None:
    for n in range(advice.UNUSED_CALLS + 1):
        shop.execute("SELECT bill FROM notes WHERE id = ?", (n,)).fetchall()
    rows = shop.execute("SELECT statement FROM advise() WHERE action = 'drop'").fetchall()
    assert rows == [('DROP INDEX "notes_by_odd"',)]
    shop.execute("SELECT bill FROM notes WHERE odd = 7").fetchall()
    assert shop.execute("SELECT statement FROM advise() WHERE action = 'drop'").fetchall() == []


def test_auto_index_is_off_until_it_is_set(shop: sqlagent.Connection) -> None:
    shop.execute("CALL sync()")
    count = "SELECT name FROM sqlite_master WHERE name = 'bills_by_customer'"
    assert shop.execute(count).fetchall() == []
    shop.execute("SET auto_index = on")
    shop.execute("CALL sync()")
    assert shop.execute(count).fetchall() == [("bills_by_customer",)]


def test_joins_ranges_and_orders_are_candidates(shop: sqlagent.Connection) -> None:
    from sqlagent.engines import schema
    from sqlagent.run.candidates import candidates

    catalog = schema.catalog(shop.database)
    sql = (
        "SELECT b.id FROM bills AS b JOIN notes AS n ON n.bill = b.id "
        "WHERE b.customer = ? AND b.amount > ? ORDER BY b.amount"
    )
    found = set(candidates(sql, catalog))
    assert Candidate("notes", ("bill",)) in found
    assert Candidate("bills", ("customer", "amount")) in found
    assert not any(c.columns[0] == "id" for c in found)  # the key needs none
    assert candidates("not SQL at all (", catalog) == []
