"""The 22 queries of TPC-H on tables of the file: the same rows as DuckDB's own."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

import sqlagent

pytestmark = pytest.mark.slow
SCALE = 0.01


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    """Our connection and a DuckDB with the same tables."""
    package = pytest.importorskip("duckdb_extension_tpch")
    folder = tmp_path_factory.mktemp("tpch")
    extension = next(Path(package.__file__).parent.rglob("tpch.duckdb_extension"))
    native = duckdb.connect()
    native.execute(f"LOAD '{extension}'")
    native.execute(f"CALL dbgen(sf={SCALE})")
    with sqlagent.connect(folder / "agent.db") as con:
        for (table,) in native.execute("SHOW TABLES").fetchall():
            columns = native.execute(
                "SELECT column_name || ' ' || data_type FROM duckdb_columns() "
                "WHERE table_name = ? ORDER BY column_index", (table,),
            ).fetchall()  # fmt: skip
            con.execute(f"CREATE TABLE {table} ({', '.join(c for (c,) in columns)})")
            native.execute(f"COPY {table} TO '{folder}/{table}.parquet'")
            con.execute(f"INSERT INTO {table} SELECT * FROM '{folder}/{table}.parquet'")
        yield con, native
    native.close()


def same(left, right):
    if isinstance(left, float | Decimal):
        return isinstance(right, float | Decimal) and math.isclose(left, right, rel_tol=1e-9)
    return left == right


@pytest.mark.parametrize("route", ["auto", "duckdb"])
@pytest.mark.parametrize("number", range(1, 23))
def test_query(engines, number, route):
    con, native = engines
    (sql,) = native.execute(
        "SELECT query FROM tpch_queries() WHERE query_nr = ?", (number,)
    ).fetchone()
    con.execute(f"SET route = '{route}'")
    rows = con.execute(sql.strip().rstrip(";")).fetchall()
    expected = native.execute(sql).fetchall()
    assert len(rows) == len(expected)
    for row, wanted in zip(rows, expected, strict=True):
        assert all(map(same, row, wanted)), (row, wanted)


# In SQLite: the queries without arithmetic on decimals, which its numbers are not.
@pytest.mark.parametrize("number", [4, 12, 16])
def test_query_on_sqlite(engines, number):
    con, native = engines
    (sql,) = native.execute(
        "SELECT query FROM tpch_queries() WHERE query_nr = ?", (number,)
    ).fetchone()
    con.execute("SET route = 'sqlite'")
    assert con.execute(sql.strip().rstrip(";")).fetchall() == native.execute(sql).fetchall()
