"""PostgreSQL's casts, names and types of columns, in the engine's dialect 'postgres'."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

import sqlagent
from sqlagent.engines import schema
from sqlagent.errors import ProgrammingError
from sqlagent.plan.parameter_types import parameter_types
from sqlagent.plan.pg_types import output_types


@pytest.fixture
def pg() -> Iterator[sqlagent.Connection]:
    connection = sqlagent.connect(":memory:", dialect="postgres", embedding_model="none")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, at TIMESTAMPTZ)")
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("'{1,2}'::int[]", [1, 2]), ("'{}'::text[]", []),
        ("'{{1,2},{3,4}}'::int[]", [[1, 2], [3, 4]]),
        ("""'{a,"b,c",NULL,"NULL","q\\"x"}'::text[]""", ["a", "b,c", None, "NULL", 'q"x']),
        ("'{你好}'::text[]", ["你好"]), ("1.5::numeric", Decimal("1.5")),
        ("'1.23456'::numeric", Decimal("1.23456")),
        ("'12345678901234567890.1'::decimal", Decimal("12345678901234567890.1")),
        ("2::numeric(5,1)", Decimal("2.0")), ("interval '1 day'", datetime.timedelta(days=1)),
        ("'90 minutes'::interval", datetime.timedelta(minutes=90)),
        ("'2026-01-01 02:00:00+02'::timestamptz", datetime.datetime(2026, 1, 1)),
    ],
)  # fmt: skip
def test_casts(pg: sqlagent.Connection, sql: str, value: Any) -> None:
    assert pg.execute(f"SELECT {sql}").fetchone() == (value,)


@pytest.mark.parametrize("text", ["{1,", "{1,,2}", "{{1},2", "{1}x", "{,}"])
def test_texts_that_are_no_array(pg: sqlagent.Connection, text: str) -> None:
    with pytest.raises(ProgrammingError, match="malformed array literal") as caught:
        pg.execute(f"SELECT '{text}'::int[]")
    assert caught.value.sqlstate == "22P02"


def test_an_interval_alone_is_said_by_duckdb_in_every_dialect() -> None:
    for dialect in ("duckdb", "postgres"):
        with sqlagent.connect(":memory:", dialect=dialect, embedding_model="none") as connection:
            found = connection.execute("SELECT INTERVAL '1 day'").fetchone()
            assert found == (datetime.timedelta(days=1),)
            connection.close()


def test_names(pg: sqlagent.Connection) -> None:
    sql = (
        "SELECT id, id + 1, count(*), '1'::int, id::text, CASE WHEN true THEN 1 END, now(), "
        "(SELECT max(id) FROM t), coalesce(name, 'x'), ARRAY[1], id AS given "
        "FROM t GROUP BY id, name"
    )
    names = [d[0] for d in pg.execute(sql).description or []]
    assert names == ["id", "?column?", "count", "int4", "id", "case", "now", "max", "coalesce",
                     "array", "given"]  # fmt: skip


def test_types_of_outputs(pg: sqlagent.Connection) -> None:
    catalog = schema.catalog(pg.database)
    sql = "SELECT 1, 1 + 1, '1'::smallint, now(), 'a'::varchar(3), at, count(*), 'x' FROM t"
    found = output_types(sql, catalog, pg.settings) or []
    assert [getattr(f, "name", f) for f in found] == [
        "int4", "int4", "int2", "timestamptz", "varchar(3)", "at", None, None,
    ]  # fmt: skip
    assert output_types("SELECT * FROM t JOIN t u USING (id)", catalog, pg.settings) is None
    assert output_types("SELECT 1 +", catalog, pg.settings) is None


def test_types_of_parameters(pg: sqlagent.Connection) -> None:
    catalog = schema.catalog(pg.database)
    cases = {
        "SELECT * FROM t WHERE id = $1 AND name LIKE $2": ["BIGINT", "VARCHAR"],
        "SELECT * FROM t u WHERE u.at > $1 AND u.at < now() - $2": ["timestamptz", "INTERVAL"],
        "INSERT INTO t (name, id) VALUES ($1, $2), ($3, $4)": ["VARCHAR", "BIGINT"] * 2,
        "UPDATE t SET name = $1 WHERE id IN ($2, $3)": ["VARCHAR", "BIGINT", "BIGINT"],
        "SELECT CASE WHEN $1 THEN id ELSE $2 END FROM t": ["BOOLEAN", "BIGINT"],
        "SELECT $1::bigint, $2 || 'x', $3": ["int8", "VARCHAR", None],
        "WITH n AS (SELECT id FROM t) SELECT * FROM n WHERE id = $1 LIMIT $2": ["BIGINT"] * 2,
        "SELECT * FROM t WHERE": [],
    }
    for sql, kinds in cases.items():
        assert list(parameter_types(sql, catalog, pg.settings).values()) == kinds, sql
