"""Values go in and come out the same, on every route, as Python, Arrow and SQL know them."""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from array import array
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent.values import converter, stored

TYPED = [
    ("BIGINT", 0), ("BIGINT", 2**63 - 1), ("BIGINT", -(2**63)), ("INTEGER", 7),
    ("DOUBLE", 0.1), ("DOUBLE", 1e308), ("DOUBLE", 5e-324), ("DOUBLE", -0.0), ("DOUBLE", 3.0),
    ("DOUBLE", math.inf), ("DOUBLE", -math.inf),
    ("JSON TEXT", "5"), ("JSON TEXT", "1.0"), ("TEXT", ""), ("TEXT", "a'b\"c"),
    ("TEXT", "龙井茶 é 🦄"), ("TEXT", "NUL \0 inside"), ("TEXT", "7"),
    ("VARCHAR", "x"), ("JSON", '{"a": [1, 2, {"b": null}]}'), ("JSON", "null"),
    ("BLOB", b""), ("BLOB", bytes(range(256))), ("BOOLEAN", True), ("BOOLEAN", False),
    ("TIMESTAMP", datetime.datetime(2026, 1, 31, 12, 5, 7, 250_000)),
    ("TIMESTAMP", datetime.datetime(1969, 12, 31, 23, 59, 59, 999_000)),
    ("TIMESTAMP", datetime.datetime(1, 1, 1)), ("TIMESTAMP", datetime.datetime(9999, 12, 31)),
    ("DATE", datetime.date(2026, 1, 31)), ("DATE", datetime.date(1, 1, 1)),
    ("DECIMAL(10,2)", decimal.Decimal("12.30")), ("DECIMAL(10,2)", decimal.Decimal("-0.01")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), TYPED, ids=lambda v: str(v)[:30])
def test_a_value_of_each_type_on_each_route(
    words: sqlagent.Connection, kind: str, value: Any
) -> None:
    words.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {kind})")
    words.execute("INSERT INTO t (v) VALUES (?), (NULL)", (value,))
    row = words.execute("SELECT v FROM t WHERE id = 1").fetchone()[0]
    assert row == value and type(row) is type(value)
    assert words.execute("SELECT v FROM t WHERE id = 2").fetchone() == (None,)
    grouped = words.execute("SELECT v, count(*) FROM t WHERE id = 1 GROUP BY v").fetchall()
    assert grouped == [(value, 1)] and type(grouped[0][0]) is type(value)
    if not kind.startswith("JSON"):
        found = words.execute("SELECT id FROM t WHERE v = ?", (value,)).fetchall()
        assert found == [(1,)]
        assert words.execute("SELECT count(*) FROM t WHERE v = ?", (value,)).fetchall() == [(1,)]
    table = words.execute("SELECT v FROM t ORDER BY id").arrow()
    assert table.column(0).to_pylist() == [value, None]
    words.execute("SET route = 'duckdb'")
    assert words.execute("SELECT v FROM t ORDER BY id").fetchall() == [(value,), (None,)]


def test_what_python_has_as_a_parameter(words: sqlagent.Connection) -> None:
    numpy = pytest.importorskip("numpy")
    ident = uuid.UUID("12345678-1234-5678-1234-567812345678")
    pairs: list[tuple[Any, Any]] = [
        (ident, str(ident)),
        (datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC), "2026-01-31 12:00:00.000"),
        (
            datetime.datetime(
                2026, 1, 31, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=5))
            ),
            "2026-01-31 07:00:00.000",
        ),
        (datetime.date(2026, 1, 31), "2026-01-31"),
        (datetime.time(12, 5), "12:05:00"),
        (decimal.Decimal("1.5"), 1.5),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        (array("f", [1.0]), b"\x00\x00\x80?"),
        ([1.0, 2], b"\x00\x00\x80?\x00\x00\x00@"),
        ({"a": [1, None, "é"]}, '{"a": [1, null, "é"]}'),
        (["a"], '["a"]'),
        ([], "[]"),
        (True, 1),
        (numpy.float32(0.5), 0.5),
        (numpy.float64(0.5), 0.5),
        (numpy.int64(5), 5),
        (numpy.bool_(True), 1),
        (numpy.array([1.0], numpy.float32), b"\x00\x00\x80?"),
        (numpy.array([1.0], numpy.float64), b"\x00\x00\x80?"),
        (numpy.str_("x"), "x"),
    ]
    words.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    for given_value, kept in pairs:
        assert stored(given_value) == kept
        for _ in range(2):
            words.execute("INSERT OR REPLACE INTO t VALUES (1, ?)", (given_value,))
            assert words.execute("SELECT v FROM t").fetchone() == (kept,), given_value
        words.execute("INSERT OR REPLACE INTO t VALUES (1, :v)", {"v": given_value})
        assert words.execute("SELECT v FROM t").fetchone() == (kept,), given_value
        words.executemany("INSERT OR REPLACE INTO t VALUES (1, ?)", [(given_value,)])
        assert words.execute("SELECT v FROM t").fetchone() == (kept,), given_value


def test_a_number_of_any_precision_is_kept(words: sqlagent.Connection) -> None:
    assert stored(decimal.Decimal("0.1")) == "0.1" or stored(decimal.Decimal("0.1")) == 0.1
    assert stored(decimal.Decimal("1.00000000000000000001")) == "1.00000000000000000001"


@given(
    st.one_of(
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
        st.text(st.characters(exclude_categories=["Cs"])),
        st.binary(),
        st.none(),
    )
)
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_plain_value_comes_back(words: sqlagent.Connection, value: Any) -> None:
    found = words.execute("SELECT ?", (value,)).fetchone()[0]
    assert found == value and type(found) is type(value)
    words.execute("CREATE TABLE IF NOT EXISTS anything (id INTEGER PRIMARY KEY, v)")
    words.execute("INSERT OR REPLACE INTO anything VALUES (1, ?)", (value,))
    found = words.execute("SELECT v FROM anything WHERE id = 1").fetchone()[0]
    assert found == value and type(found) is type(value)


@given(st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)))
@settings(max_examples=80, deadline=None)
def test_any_time_comes_back_to_the_millisecond(value: datetime.datetime) -> None:
    kept = value.replace(microsecond=value.microsecond // 1000 * 1000)
    back = converter("TIMESTAMP")
    assert back is not None and back(stored(value)) == kept


@pytest.mark.parametrize("text", ["soon", "", "2026-99-99"])
def test_a_time_that_is_none_is_shown_as_it_is(words: sqlagent.Connection, text: str) -> None:
    words.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP)")
    words.execute("INSERT INTO t VALUES (1, ?)", (text,))
    assert words.execute("SELECT at FROM t").fetchall() == [(text,)]


def test_every_iso_form_is_one_time(words: sqlagent.Connection) -> None:
    words.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP)")
    forms = [
        "2026-01-31T12:00:00Z",
        "2026-01-31 12:00:00",
        "2026-01-31T12:00",
        "2026-01-31T13:00:00+01:00",
        "2026-01-31 12:00:00.000",
    ]
    words.executemany("INSERT INTO t (at) VALUES (?)", [(f,) for f in forms])
    noon = datetime.datetime(2026, 1, 31, 12)
    assert {at for (at,) in words.execute("SELECT at FROM t")} == {noon}
    for route in ("auto", "sqlite", "duckdb"):
        words.execute(f"SET route = '{route}'")
        for condition in ("at = TIMESTAMP '2026-01-31 12:00:00'", "at = '2026-01-31T12:00:00Z'",
                          "at < '2026-01-31 12:00:00.001'", "at >= '2026-01-31'",
                          "at BETWEEN '2026-01-31T11:59:59Z' AND '2026-01-31T12:00Z'"):  # fmt: skip
            assert words.execute(f"SELECT count(*) FROM t WHERE {condition}").fetchone() == (5,), (
                condition
            )
            assert len(words.execute(f"SELECT id FROM t WHERE {condition}").fetchall()) == 5, (
                condition
            )
        assert len(words.execute("SELECT id FROM t WHERE at = ?", (noon,)).fetchall()) == 5
        assert len(words.execute("SELECT id FROM t WHERE at > ?", (noon,)).fetchall()) == 0
