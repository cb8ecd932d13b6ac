"""Values on the wire: each type in both formats, against psycopg's own reading and writing."""

from __future__ import annotations

import datetime
import json
import struct
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlagent import texts
from sqlagent.errors import DataError
from sqlagent.intervals import parts_of, spoken
from sqlagent.serve.pg import values_binary, values_text
from sqlagent.serve.pg.encode import Rows
from sqlagent.serve.pg.outcome import described
from sqlagent.serve.pg.types import ARRAYS, BY_OID, PgType, modifier, pg_type

psycopg = pytest.importorskip("psycopg", reason="needs psycopg, of the extra [dev]")
from psycopg.adapt import Transformer  # noqa: E402  # after the skip
from psycopg.pq import Format  # noqa: E402

INT8 = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
TIMES = st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 30))
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=6).filter(
    lambda d: abs(d) < Decimal(10) ** 30
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int8": INT8, "int4": st.integers(-(2**31), 2**31 - 1),
    "int2": st.integers(-(2**15), 2**15 - 1),
    "float8": FLOATS, "text": TEXTS, "bool": st.booleans(), "bytea": st.binary(),
    "timestamp": TIMES, "date": st.dates(), "time": st.times(), "uuid": st.uuids(),
    "numeric": DECIMALS, "float4": st.floats(width=32, allow_nan=False),
    "json": st.dictionaries(TEXTS, st.integers()).map(json.dumps),
    "jsonb": st.dictionaries(TEXTS, st.integers()).map(json.dumps),
    "interval": st.timedeltas(datetime.timedelta(-10**6), datetime.timedelta(10**6)),
    "oid": st.integers(0, 2**32 - 1),
}  # fmt: skip
NAMED = {t.name: t for t in BY_OID.values()}
NAN = float("nan")


@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_back_from_both_formats(name: str) -> None:
    """What is written is what psycopg reads, and what it would send is what is read here."""
    found = NAMED[name]
    transformer = Transformer()

    @given(VALUES[name])
    def check(value: Any) -> None:
        said = values_text.writer(found)(value).encode()
        raw = values_binary.writer(found)(value)
        read_text = transformer.get_loader(found.oid, Format.TEXT).load(said)
        read_binary = transformer.get_loader(found.oid, Format.BINARY).load(raw)
        wanted = json.loads(value) if name.startswith("json") else value
        if name == "float4":  # its shortest digits are those of a float32
            assert struct.pack("f", read_text) == raw[::-1] and read_binary == value
            return
        if name == "numeric":
            assert read_text == read_binary == value
        else:
            assert read_text == wanted and read_binary == wanted
        back = values_binary.reader(found)(raw)
        assert values_text.reader(found)(said.decode()) == back
        assert back == (str(value) if name == "uuid" else value)

    check()


@pytest.mark.parametrize("base", ["int8", "float8", "text", "bool", "timestamp", "numeric", "uuid"])
def test_arrays(base: str) -> None:
    """Arrays of one and two dimensions, with NULL, in both formats."""
    found = ARRAYS[NAMED[base]]
    transformer = Transformer()
    items = st.one_of(st.none(), VALUES[base])

    @given(
        st.one_of(st.lists(items), st.lists(st.lists(items, min_size=2, max_size=2), min_size=1))
    )
    def check(value: list[Any]) -> None:
        said = values_text.writer(found)(value).encode()
        raw = values_binary.writer(found)(value)
        assert transformer.get_loader(found.oid, Format.TEXT).load(said) == value
        assert transformer.get_loader(found.oid, Format.BINARY).load(raw) == value
        back = values_binary.reader(found)(raw)
        again = values_text.reader(found)(said.decode())
        assert again == back

    check()


@pytest.mark.slow
@given(st.lists(st.tuples(INT8, TEXTS, FLOATS, TIMES, st.booleans(), DECIMALS), min_size=64),
       st.lists(st.integers(0, 5), max_size=6), st.sampled_from([0, 1]))  # fmt: skip
def test_columns_and_rows_are_encoded_alike(
    rows: list[tuple[Any, ...]], nulls: list[int], form: int
) -> None:
    """Many rows by columns are the same bytes as one by one, from tuples and from Arrow."""
    import pyarrow as pa

    kinds = ["BIGINT", "VARCHAR", "DOUBLE", "TIMESTAMP", "BOOLEAN", "DECIMAL(38,6)"]
    rows = [
        tuple(None if i in nulls and n % 3 == 0 else v for i, v in enumerate(row))
        for n, row in enumerate(rows)
    ]
    columns = described(list(zip("abcdef", kinds, strict=True)))
    encoder = Rows(columns, [form] * 6)
    wanted = encoder.some(rows)
    assert encoder.many(rows) == wanted
    types = [pa.int64(), pa.string(), pa.float64(), pa.timestamp("us"), pa.bool_(),
             pa.decimal128(38, 6)]  # fmt: skip
    arrays = [pa.array(c, t) for c, t in zip(zip(*rows, strict=True), types, strict=True)]
    batch = pa.record_batch(arrays, names=list("abcdef"))
    assert encoder.batch(batch) == wanted
    assert encoder.batch(batch.slice(7, 40)) == encoder.some(rows[7:47])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1 day", (0, 1, 0)), ("-1 mon 2 days 03:04:05.6", (-1, 2, 11045600000)),
        ("1 year 2 months", (14, 0, 0)), ("90 minutes", (0, 0, 5400000000)), ("1.5 days ago",
        (0, -1, -43200000000)), ("P1Y2M3DT4H5M6S", (14, 3, 14706000000)), ("@ 1 week", (0, 7, 0)),
    ],
)  # fmt: skip
def test_intervals(text: str, parts: tuple[int, int, int]) -> None:
    assert parts_of(text) == parts
    assert parts_of(spoken(*parts)) == parts


def test_what_postgresql_prints() -> None:
    """Forms that are easily got wrong, as PostgreSQL 15 prints them."""
    said = values_text.float8
    assert [said(x) for x in (1.0, 0.1, 1e20, 1e15, 123456789012345.0, -0.0, 1e-5, 1.5e300)] == [
        "1", "0.1", "1e+20", "1e+15", "123456789012345", "-0", "1e-05", "1.5e+300",
    ]  # fmt: skip
    assert [said(x) for x in (NAN, float("inf"), float("-inf"))] == ["NaN", "Infinity", "-Infinity"]
    assert values_text.numeric(Decimal("1E+3")) == "1000"
    assert values_text.timestamp(datetime.datetime(2026, 1, 2, 3, 4, 5, 600000)) == (
        "2026-01-02 03:04:05.6"
    )
    assert values_text.bytea(b"\x00\xff") == "\\x00ff"
    assert values_text.array(NAMED["text"])(["a b", 'q"', "", None, "NULL", "中文"]) == (
        '{"a b","q\\"","",NULL,"NULL",中文}'
    )
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    assert values_text.timestamptz(datetime.datetime(2026, 1, 1), zone) == (
        "2026-01-01 05:30:00+05:30"
    )


def test_a_time_with_a_zone_is_read_as_utc() -> None:
    read = texts.read_timestamp
    at = datetime.datetime(2026, 1, 1, 10)
    for text in ("2026-01-01 12:00:00+02", "2026-01-01T10:00:00Z", "2026-01-01 10:00:00 UTC",
                 "2026-01-01 04:30:00-05:30"):  # fmt: skip
        assert read(text) == at, text
    assert read("2026-01-01 10:00:00") == at


@pytest.mark.parametrize(
    ("name", "text", "state"),
    [
        ("int8", "x", "22P02"), ("int4", "3000000000", "22003"), ("int2", "40000", "22003"),
        ("bool", "maybe", "22P02"), ("float8", "1,5", "22P02"), ("numeric", "1e", "22P02"),
        ("date", "2026-13-01", "22008"), ("timestamp", "yesterday-ish", "22007"),
        ("uuid", "123", "22P02"), ("json", "{", "22P02"), ("bytea", "\\xzz", "22P02"),
        ("_int4", "{1,", "22P02"), ("_int4", "{1,,2}", "22P02"), ("interval", "1 parsec", "22007"),
    ],
)  # fmt: skip
def test_texts_that_are_no_value(name: str, text: str, state: str) -> None:
    with pytest.raises(DataError) as caught:
        values_text.reader(NAMED[name])(text)
    assert caught.value.sqlstate == state


@given(st.binary(max_size=64), st.sampled_from(sorted(NAMED)))
def test_any_bytes_are_a_value_or_a_clear_error(data: bytes, name: str) -> None:
    try:
        values_binary.reader(NAMED[name])(data)
    except DataError:
        pass


def test_types_of_the_engine() -> None:
    """Each logical type has a type on the wire, vectors arrays of float4."""
    wanted = {
        "BIGINT": 20, "DOUBLE": 701, "VARCHAR": 25, "BLOB": 17, "BOOLEAN": 16, "TIMESTAMP": 1114,
        "DATE": 1082, "TIME": 1083, "DECIMAL(10,2)": 1700, "JSON": 114, "UUID": 2950,
        "INTERVAL": 1186, "FLOAT[384]": 1021, "FLOAT[]": 1021, "BIGINT[]": 1016, "VARCHAR[]": 1009,
        "HUGEINT": 1700, "STRUCT(a BIGINT)": 114, "BIGINT[][]": 1016,
    }  # fmt: skip
    found = {kind: pg_type(kind).oid for kind in wanted}
    assert found == wanted | {"BIGINT[][]": 114}
    assert modifier("DECIMAL(10,2)") == 655366
    assert all(isinstance(t, PgType) for t in BY_OID.values())
    assert uuid.UUID(texts.read_uuid("00000000-0000-0000-0000-000000000001"))
