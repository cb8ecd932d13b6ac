"""COPY in and out over the wire, in all three formats, with psycopg."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pg_served import Raw, Served, error_of, served

psycopg = pytest.importorskip("psycopg", reason="needs psycopg, of the extra [dev]")

TEXTS = st.one_of(
    st.none(), st.sampled_from(["", "\\N", "\\.", "\\", '"', "a,b", " x ", "null", "\t", "\r\n"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0")),
)  # fmt: skip
ROWS = st.lists(st.tuples(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), TEXTS, TEXTS))
FORMS = ["", "(FORMAT csv)", "(FORMAT csv, HEADER, QUOTE '''', NULL 'nix', FORCE_QUOTE *)",
         "(FORMAT text, DELIMITER '|', NULL '')", "(FORMAT binary)", "WITH CSV HEADER"]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    path: Path = tmp_path_factory.mktemp("served") / "agent.db"
    with served(path) as found:
        with psycopg.connect(**found.owner, autocommit=True) as connection:
            connection.execute("CREATE TABLE lines (n integer, a text, b text)")
            connection.execute(
                "CREATE TABLE typed (id integer PRIMARY KEY, at timestamp, ok boolean)"
            )
        yield found


@pytest.fixture
def pg(place: Served) -> Iterator[Any]:
    with psycopg.connect(**place.owner, autocommit=True) as connection:
        connection.execute("DELETE FROM lines")
        connection.execute("DELETE FROM typed")
        yield connection


@pytest.mark.parametrize("form", FORMS)
def test_what_goes_out_comes_in(place: Served, form: str) -> None:
    """Rows of any texts, out and in again; in few rows and in many (which go by columns)."""
    with psycopg.connect(**place.owner, autocommit=True) as pg:

        @settings(max_examples=30)
        @given(ROWS, st.sampled_from([1, 40]))
        def check(rows: list[Any], times: int) -> None:
            rows = rows * times
            if "NULL ''" in form:  # an empty text is then NULL
                rows = [tuple(v or None if v == "" else v for v in row) for row in rows]
            pg.execute("DELETE FROM lines")
            pg.cursor().executemany("INSERT INTO lines VALUES (%s, %s, %s)", rows)
            with pg.cursor().copy(f"COPY lines TO STDOUT {form}") as copy:
                data = [bytes(part) for part in copy]
            pg.execute("DELETE FROM lines")
            with pg.cursor().copy(f"COPY lines FROM STDIN {form}") as copy:
                for part in data:
                    copy.write(part)
            assert pg.execute("SELECT * FROM lines").fetchall() == rows

        check()


def test_typed_columns(pg: Any) -> None:
    at = datetime.datetime(2026, 1, 2, 3, 4, 5, 600000)
    with pg.cursor().copy("COPY typed FROM STDIN") as copy:
        copy.write(b"1\t2026-01-02 03:04:05.6\tt\n2\t\\N\tfalse\n\\.\n")
    with pg.cursor().copy("COPY typed (ok, id, at) FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["bool", "int4", "timestamp"])
        copy.write_row((True, 3, at))
    rows = [(1, at, True), (2, None, False), (3, at, True)]
    assert pg.execute("SELECT * FROM typed ORDER BY id").fetchall() == rows
    with pg.cursor().copy(
        "COPY (SELECT * FROM typed ORDER BY id) TO STDOUT (FORMAT binary)"
    ) as copy:
        copy.set_types(["int8", "timestamp", "bool"])
        assert list(copy.rows()) == rows
    with pg.cursor().copy("COPY typed (id) TO STDOUT CSV HEADER") as copy:
        assert b"".join(copy) == b"id\n1\n2\n3\n"


@pytest.mark.parametrize(
    ("form", "data", "state", "where"),
    [
        ("", b"1\t\\N\tt\nx\t\\N\tt\n", "22P02", "COPY typed, line 2, column id"),
        ("", b"1\t\\N\n", "22P04", "COPY typed, line 1"),
        ("", b"1\t\\N\tt\textra\n", "22P04", "COPY typed, line 1"),
        ("(FORMAT csv)", b'1,"2026-01-01\n', "22P04", ""),
        ("(FORMAT csv)", b"1,2026-13-45,t\n", "22008", "COPY typed, line 1, column at"),
        ("(FORMAT binary)", b"nothing like it at all", "22P04", ""),
        ("", b"1\t\\N\tt\n1\t\\N\tt\n", "23505", ""),
        ("", b"1\t\\N\t\xff\n", "22021", ""),
    ],
)  # fmt: skip
def test_an_error_says_the_line_and_writes_nothing(
    pg: Any, form: str, data: bytes, state: str, where: str
) -> None:
    with (
        pytest.raises(psycopg.Error) as caught,
        pg.cursor().copy(f"COPY typed FROM STDIN {form}") as c,
    ):
        c.write(data)
    assert caught.value.sqlstate == state
    assert (caught.value.diag.context or "").startswith(where)
    assert pg.execute("SELECT count(*) FROM typed").fetchone() == (0,)


def test_a_copy_that_the_client_gives_up(pg: Any) -> None:
    with pytest.raises(ZeroDivisionError), pg.cursor().copy("COPY typed FROM STDIN") as copy:
        copy.write(b"1\t\\N\tt\n")
        raise ZeroDivisionError
    assert pg.execute("SELECT count(*) FROM typed").fetchone() == (0,)


def test_a_copy_in_a_transaction(pg: Any) -> None:
    with pytest.raises(ZeroDivisionError), pg.transaction():
        with pg.cursor().copy("COPY typed (id) FROM STDIN") as copy:
            copy.write(b"1\n2\n")
        assert pg.execute("SELECT count(*) FROM typed").fetchone() == (2,)
        raise ZeroDivisionError
    assert pg.execute("SELECT count(*) FROM typed").fetchone() == (0,)


def test_the_header_is_in_the_message_of_the_first_row(place: Served, pg: Any) -> None:
    pg.execute("INSERT INTO typed (id) VALUES (1), (2)")
    raw = Raw(place).login(place)
    raw.send((b"Q", b"COPY typed (id) TO STDOUT (FORMAT binary)\0"))
    parts = [body for kind, body in raw.until(b"Z") if kind == b"d"]
    assert parts[0].startswith(b"PGCOPY\n\xff\r\n\0") and parts[0].endswith(b"\0\0\0\1")
    assert len(parts) == 3 and parts[2] == b"\xff\xff"
    raw.close()


def test_a_client_killed_within_a_copy_leaves_nothing(place: Served, pg: Any) -> None:
    raw = Raw(place).login(place)
    raw.send((b"Q", b"COPY typed (id) FROM STDIN\0"))
    assert raw.message()[0] == b"G"
    raw.send((b"d", b"1\n2\n"))
    raw.close()
    pg.execute("INSERT INTO typed (id) VALUES (3)")
    assert pg.execute("SELECT id FROM typed").fetchall() == [(3,)]


def test_other_messages_within_a_copy(place: Served, pg: Any) -> None:
    raw = Raw(place).login(place)
    raw.send((b"Q", b"COPY typed (id) FROM STDIN\0"))
    assert raw.message()[0] == b"G"
    raw.send((b"d", b"1\n"), (b"H", b""), (b"Q", b"SELECT 1\0"))
    found = raw.until(b"Z")
    assert error_of(found[0][1])["C"] == "08P01"
    raw.send((b"d", b"late\n"), (b"c", b""), (b"Q", b"SELECT 1\0"))
    assert raw.kinds() == "TDCZ"
    raw.close()


@pytest.mark.parametrize(
    ("sql", "state"),
    [
        ("COPY typed FROM STDIN (FORMAT parquet)", "22023"),
        ("COPY typed FROM STDIN (DELIMITER 'ab')", "22023"),
        ("COPY typed (nope) FROM STDIN", "42703"), ("COPY (SELECT 1) FROM STDIN", "42601"),
        ("COPY typed FROM STDIN (NONSENSE)", "42601"), ("COPY other.typed TO STDOUT", "3F000"),
        ("COPY (SELECT nope FROM typed) TO STDOUT", "42703"),
    ],
)  # fmt: skip
def test_wrong_copies(pg: Any, sql: str, state: str) -> None:
    with pytest.raises(psycopg.Error) as caught, pg.cursor().copy(sql):
        pass
    assert caught.value.sqlstate == state
    assert pg.execute("SELECT 1").fetchone() == (1,)
