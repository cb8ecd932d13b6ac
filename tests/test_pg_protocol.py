"""The PostgreSQL protocol, message by message and with psycopg and asyncpg, unmodified."""

from __future__ import annotations

import asyncio
import datetime
import struct
import threading
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pg_served import Raw, Served, error_of, served

from sqlagent.serve.limits import Limits

psycopg = pytest.importorskip("psycopg", reason="needs psycopg, of the extra [dev]")

TABLE = """
CREATE TABLE things (
  id integer PRIMARY KEY, name text NOT NULL, price numeric(10,2), at timestamp,
  seen timestamptz, day date, done boolean, data jsonb, key uuid UNIQUE, raw bytea,
  weight double precision CHECK (weight > 0), vec float4[]
)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    path: Path = tmp_path_factory.mktemp("served") / "agent.db"
    with served(path, limits=Limits(message_mb=4)) as found:
        with psycopg.connect(**found.owner, autocommit=True) as connection:
            connection.execute(TABLE)
        yield found


@pytest.fixture
def pg(place: Served) -> Iterator[Any]:
    """An owner's connection to a table without rows, in autocommit."""
    with psycopg.connect(**place.owner, autocommit=True) as connection:
        connection.execute("DELETE FROM things")
        yield connection


@pytest.fixture
def raw(place: Served) -> Iterator[Raw]:
    client = Raw(place).login(place)
    yield client
    client.close()


def cstring(text: str) -> bytes:
    return text.encode() + b"\0"


def parse(text: str, name: str = "", oids: tuple[int, ...] = ()) -> tuple[bytes, bytes]:
    return b"P", cstring(name) + cstring(text) + struct.pack(f"!H{len(oids)}I", len(oids), *oids)


def bind(*values: bytes | None, portal: str = "", name: str = "") -> tuple[bytes, bytes]:
    parts = [cstring(portal), cstring(name), b"\0\0", struct.pack("!H", len(values))]
    for value in values:
        parts.append(struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)))
        parts.append(value or b"")
    return b"B", b"".join(parts) + b"\0\0"


def run(limit: int = 0, portal: str = "") -> tuple[bytes, bytes]:
    return b"E", cstring(portal) + struct.pack("!I", limit)


SYNC = (b"S", b"")
FLUSH = (b"H", b"")


# Values ------------------------------------------------------------------------------------------

ROW = {
    "id": 1, "name": "héllo 你好", "price": Decimal("12.30"),
    "at": datetime.datetime(2026, 1, 2, 3, 4, 5, 678000),
    "seen": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
    "day": datetime.date(2026, 1, 2), "done": True, "data": {"a": [1, "二"]},
    "key": uuid.UUID(int=7), "raw": b"\x00\xff", "weight": 1.5, "vec": [0.5, -1.0],
}  # fmt: skip


@pytest.mark.parametrize("binary", [False, True])
def test_every_type_goes_in_and_comes_back(pg: Any, binary: bool) -> None:
    from psycopg.types.json import Jsonb

    names = ", ".join(ROW)
    mark = "%b" if binary else "%s"
    values = [Jsonb(v) if k == "data" else v for k, v in ROW.items()]
    sql = f"INSERT INTO things ({names}) VALUES ({', '.join([mark] * len(ROW))}) RETURNING *"
    cursor = pg.cursor(binary=binary)
    written = cursor.execute(sql, values).fetchone()
    assert written == tuple(ROW.values())
    assert cursor.execute("SELECT * FROM things").fetchone() == written
    for name, value in list(ROW.items()):
        if name not in ("data", "vec", "raw"):
            found = cursor.execute(f"SELECT {name} FROM things WHERE {name} = {mark}", [value])
            assert found.fetchone() == (value,), name
    nothing = cursor.execute(
        f"UPDATE things SET price = {mark}, at = {mark} RETURNING price, at", [None, None]
    )
    assert nothing.fetchone() == (None, None)


def test_columns_are_described_with_their_table(pg: Any) -> None:
    cursor = pg.execute("SELECT id, price, seen, name || 'x' FROM things")
    oids = [column.type_code for column in cursor.description]
    assert oids == [20, 1700, 1184, 25]
    result = cursor.pgresult
    assert [result.ftablecol(i) for i in range(4)] == [1, 3, 5, 0]
    (oid,) = pg.execute("SELECT 'things'::regclass::oid").fetchone()
    assert [result.ftable(i) for i in range(4)] == [oid, oid, oid, 0]
    assert cursor.description[1].precision == 10 and cursor.description[1].scale == 2


def test_untyped_parameters_get_the_type_of_what_they_meet(raw: Raw) -> None:
    cases = {
        "SELECT name FROM things WHERE id = $1 AND price < $2": [20, 1700],
        "SELECT * FROM things WHERE at BETWEEN $1 AND $2 LIMIT $3": [1114, 1114, 20],
        "INSERT INTO things (id, name, done, day) VALUES ($1, $2, $3, $4)": [20, 25, 16, 1082],
        "UPDATE things SET data = $1, seen = $2 WHERE key = $3": [114, 1114, 2950],
        "SELECT * FROM things WHERE id = ANY($1)": [1016],
        "SELECT $1, $2::int, $3::timestamptz, $4::float4[]": [25, 23, 1184, 1021],
        "SELECT remember($1, $2, importance => $3)": [25, 25, 701],
        "SELECT * FROM recall($1, $2, k => $3)": [25, 25, 20],
        "SELECT * FROM things WHERE id IN ($1, $2) OR name LIKE $3": [20, 20, 25],
        "SELECT coalesce(weight, $1) FROM things t WHERE t.weight > $2": [701, 701],
        "INSERT INTO things (id, name) SELECT $1, $2": [20, 25],
        "DELETE FROM things WHERE day < $1 RETURNING id": [1082],
    }
    for sql, oids in cases.items():
        raw.send(parse(sql), (b"D", b"S\0"), SYNC)
        found = raw.until(b"Z")
        said = dict(found)
        assert b"E" not in said, (sql, error_of(said.get(b"E", b"")))
        count = struct.unpack("!H", said[b"t"][:2])[0]
        got = list(struct.unpack(f"!{count}I", said[b"t"][2:]))
        if "data = $1" in sql:
            oids[0], oids[1] = got[0], got[1]
            assert got[0] in (114, 3802) and got[1] in (1114, 1184)
        assert got == oids, sql


def test_describing_runs_nothing(pg: Any, raw: Raw) -> None:
    writes = [
        "INSERT INTO things (id, name) VALUES (99, 'x') RETURNING id, name",
        "SELECT remember('ada', 'described only')",
        "DELETE FROM things RETURNING id",
        "SELECT count(*) FROM things a, things b, things c GROUP BY a.price",
        "SELECT forget('ada')",
        "CREATE TABLE described (a int)",
        "COPY things FROM STDIN",
    ]
    for sql in writes:
        raw.send(parse(sql), (b"D", b"S\0"), SYNC)
        kinds = raw.kinds()
        assert kinds in ("1tTZ", "1tnZ"), (sql, kinds)
    assert pg.execute("SELECT count(*) FROM things").fetchone() == (0,)
    assert pg.execute("SELECT count(*) FROM memories").fetchone() == (0,)
    assert pg.execute("SELECT count(*) FROM pg_class WHERE relname = 'described'").fetchone() == (
        0,
    )


def test_columns_are_named_as_postgresql_names_them(pg: Any) -> None:
    cursor = pg.execute(
        "SELECT count(*), 1, max(id) AS top, now()::date, '1'::int, max(id) + 1 FROM things"
    )
    names = [c.name for c in cursor.description]
    assert names == ["count", "?column?", "top", "now", "int4", "?column?"]


# The extended protocol ---------------------------------------------------------------------------


def test_an_error_skips_to_sync(raw: Raw) -> None:
    raw.send(parse("SELEC 1"), bind(), run(), parse("SELECT 1"), SYNC)
    found = raw.until(b"Z")
    assert [k for k, _ in found] == [b"E", b"Z"]
    assert error_of(found[0][1])["C"] == "42601"
    raw.send(parse("SELECT 1"), bind(), run(), SYNC)
    assert raw.kinds() == "12DCZ"


def test_row_limits_suspend_a_portal(raw: Raw) -> None:
    raw.send((b"Q", cstring("BEGIN")))
    raw.until(b"Z")
    raw.send(parse("SELECT * FROM generate_series(1, 5)"), bind(portal="p"), run(2, "p"), FLUSH)
    assert raw.kinds(b"s") == "12DDs"
    raw.send(run(2, "p"), SYNC)
    assert raw.kinds() == "DDsZ"
    raw.send(run(2, "p"), SYNC)
    kinds = raw.until(b"Z")
    assert [k for k, _ in kinds] == [b"D", b"C", b"Z"] and kinds[1][1] == b"SELECT 1\0"
    raw.send((b"Q", cstring("COMMIT")))
    raw.until(b"Z")
    raw.send(run(2, "p"), SYNC)
    assert error_of(dict(raw.until(b"Z"))[b"E"])["C"] == "34000"


def test_what_is_sent_together_is_one_transaction(pg: Any, raw: Raw) -> None:
    raw.send(
        parse("INSERT INTO things (id, name) VALUES (1, 'a')"), bind(), run(),
        parse("INSERT INTO things (id, name) VALUES (1, 'again')"), bind(), run(), SYNC,
    )  # fmt: skip
    assert raw.kinds() == "12C12EZ"
    assert pg.execute("SELECT count(*) FROM things").fetchone() == (0,)
    raw.send((b"Q", cstring("INSERT INTO things (id, name) VALUES (1, 'a'); SELECT nothing")))
    assert raw.kinds() == "CEZ"
    assert pg.execute("SELECT count(*) FROM things").fetchone() == (0,)


def test_statements_and_portals_by_name(raw: Raw) -> None:
    raw.send(parse("SELECT $1::text", "s"), SYNC)
    assert raw.kinds() == "1Z"
    raw.send(parse("SELECT 2", "s"), SYNC)
    assert error_of(dict(raw.until(b"Z"))[b"E"])["C"] == "42P05"
    raw.send(
        bind(b"x", name="s"), (b"D", b"P\0"), run(), (b"C", b"Ss\0"), bind(b"x", name="s"), SYNC
    )
    found = raw.until(b"Z")
    assert [k for k, _ in found] == [b"2", b"T", b"D", b"C", b"3", b"E", b"Z"]
    assert error_of(found[5][1])["C"] == "26000"
    raw.send(bind(b"x", b"y", name=""), SYNC)
    assert b"E" in dict(raw.until(b"Z"))
    raw.send(parse(""), bind(), run(), (b"D", b"P\0"), SYNC)
    assert raw.kinds() == "12InZ"
    raw.send((b"Q", cstring("  ; -- nothing")))
    assert raw.kinds() == "IZ"


def test_wrong_messages(place: Served) -> None:
    """A length that cannot be, of any kind, ends the connection with an error, and nothing else."""
    for data in (b"Q\0\0\0\3x", b"Q\x7f\xff\xff\xff", b"B\0\x50\0\0", b"?\0\0\0\4"):
        client = Raw(place).login(place)
        client.sock.sendall(data)
        found = client.until(b"E")
        assert found[0][0] == b"E", data
        assert error_of(found[0][1])["S"] == "FATAL"
        assert client.message()[0] == b""
        client.close()
    client = Raw(place).login(place)
    for kind, body in ((b"B", b"\0"), (b"P", b"x"), (b"D", b"?\0"), (b"E", b""), (b"C", b"")):
        client.send((kind, body), SYNC)
        assert b"E" in dict(client.until(b"Z")), kind
    client.send((b"F", b"\0\0\0\1"))
    assert error_of(dict(client.until(b"Z"))[b"E"])["C"] == "0A000"
    client.send((b"Q", cstring("SELECT 1")))
    assert client.kinds() == "TDCZ"
    client.close()


# Errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "state"),
    [
        ("SELEC 1", "42601"), ("SELECT nope FROM things", "42703"), ("SELECT * FROM nope", "42P01"),
        ("SELECT * FROM nope(1)", "42883"), ("SELECT nope(1)", "42883"),
        ("INSERT INTO things (id, name) VALUES (1, NULL)", "23502"),
        ("INSERT INTO things (id, name, weight) VALUES (1, 'a', -1)", "23514"),
        ("INSERT INTO things (id, name) VALUES (1, 'a'), (1, 'b')", "23505"),
        ("SELECT 'x'::int", "22P02"), ("SET nothing_like_it = 1", "42704"), ("SELECT 1/0", "22012"),
        ("SHOW nothing_like_it", "42704"), ("FETCH ALL FROM nothing", "34000"),
        ("SAVEPOINT a", "25P01"), ("DECLARE c CURSOR FOR SELECT 1", "25P01"),
        ("PREPARE TRANSACTION 'x'", "0A000"), ("LOCK TABLE things", "25P01"),
        ("EXECUTE nothing", "26000"), ("COPY nope FROM STDIN", "42P01"),
        ("SET server_version = '9'", "55P02"), ("SET client_encoding = 'klingon'", "22023"),
    ],
)  # fmt: skip
def test_sqlstates(pg: Any, sql: str, state: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        pg.execute(sql)
    assert caught.value.sqlstate == state, caught.value
    assert pg.execute("SELECT 1").fetchone() == (1,)


def test_an_error_says_where(pg: Any) -> None:
    with pytest.raises(psycopg.Error) as caught:
        pg.execute("SELECT '你好', nmae FROM things")
    diag = caught.value.diag
    assert diag.statement_position == "14" and "name" in (diag.message_hint or "")
    with pytest.raises(psycopg.Error) as caught:
        pg.execute("SELECT 1; SELECT nope FROM things")
    assert caught.value.diag.statement_position == "18"
    with pytest.raises(psycopg.errors.NotNullViolation) as caught:
        pg.execute("INSERT INTO things (id) VALUES (1)")
    assert (caught.value.diag.table_name, caught.value.diag.column_name) == ("things", "name")
    pg.execute("INSERT INTO things (id, name, key) VALUES (1, 'a', %s)", [uuid.UUID(int=1)])
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        pg.execute("INSERT INTO things (id, name, key) VALUES (2, 'a', %s)", [uuid.UUID(int=1)])
    assert caught.value.diag.constraint_name == "things_key_key"


def test_tags(pg: Any) -> None:
    def tag(sql: str) -> str:
        return str(pg.execute(sql).statusmessage)

    assert tag("INSERT INTO things (id, name) VALUES (1, 'a'), (2, 'b')") == "INSERT 0 2"
    assert tag("UPDATE things SET name = 'c'") == "UPDATE 2"
    assert tag("WITH x AS (SELECT 1) UPDATE things SET name = 'c' WHERE id = 1") == "UPDATE 1"
    assert tag("SELECT * FROM things") == "SELECT 2"
    assert tag("DELETE FROM things WHERE id = 1 RETURNING id") == "DELETE 1"
    assert tag("CREATE TABLE tagged (a int)") == "CREATE TABLE"
    assert tag("CREATE UNIQUE INDEX tagged_a ON tagged (a)") == "CREATE INDEX"
    assert tag("CREATE TABLE tagged_too AS SELECT 1 AS a") in ("SELECT 1", "SELECT 0")
    assert tag("DROP TABLE tagged") == "DROP TABLE" and tag("DROP TABLE tagged_too") == "DROP TABLE"
    assert tag("SET application_name = 'x'") == "SET" and tag("SHOW application_name") == "SHOW"
    assert (
        tag("BEGIN") == "BEGIN"
        and tag("COMMIT") == "COMMIT"
        and tag("VALUES (1), (2)") == "SELECT 2"
    )


# Settings ----------------------------------------------------------------------------------------


def test_settings(pg: Any) -> None:
    def show(name: str) -> str:
        return str(pg.execute(f"SHOW {name}").fetchone()[0])

    assert show("server_version").startswith("15") and show("TIME ZONE") == "UTC"
    assert show("transaction isolation level") == "read committed"
    pg.execute('SET search_path TO public, "Other"')
    assert show("search_path") == 'public, "Other"'
    pg.execute("SET statement_timeout = '2s'")
    assert show("statement_timeout") == "2s"
    pg.execute("SET TIME ZONE 'Asia/Shanghai'")
    (text,) = pg.execute("SELECT '2026-01-01 00:00:00+00'::timestamptz::text").fetchone()
    assert text.startswith("2026-01-01")
    (at,) = pg.execute("SELECT '2026-01-01 00:00:00+00'::timestamptz").fetchone()
    assert (
        at == datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) and at.utcoffset().seconds == 28800
    )
    pg.execute("RESET ALL")
    assert show("timezone") == "UTC" and show("statement_timeout") == "0"
    with pg.transaction():
        pg.execute("SET LOCAL application_name = 'inner'")
        assert show("application_name") == "inner"
    assert show("application_name") == ""
    pg.execute("BEGIN")
    pg.execute("SET application_name = 'undone'")
    pg.execute("ROLLBACK")
    assert show("application_name") == ""
    assert len(pg.execute("SHOW ALL").fetchall()) > 50
    assert pg.info.parameter_status("client_encoding") == "UTF8"
    pg.execute("SET client_encoding = 'gbk'")
    assert pg.execute("SELECT '你好', %s", ["中文"]).fetchone() == ("你好", "中文")
    pg.execute("DISCARD ALL")
    assert show("client_encoding") == "UTF8"


def test_a_statement_runs_into_its_time_limit(pg: Any) -> None:
    pg.execute("SET statement_timeout = 200")
    with pytest.raises(psycopg.errors.QueryCanceled):
        pg.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
        )
    pg.execute("SET statement_timeout = 0")


def test_cancel(pg: Any) -> None:
    timer = threading.Timer(0.3, pg.cancel_safe)  # the other holds the GIL: the server is here
    timer.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        pg.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
        )
    timer.join()
    assert pg.execute("SELECT 1").fetchone() == (1,)


# LISTEN ------------------------------------------------------------------------------------------


def test_listen_and_notify(place: Served, pg: Any) -> None:
    with psycopg.connect(**place.owner, autocommit=True) as other:
        other.execute("LISTEN things")
        other.execute("LISTEN states")
        pg.execute("BEGIN")
        pg.execute("NOTIFY things, 'first'")
        assert list(other.notifies(timeout=0.05)) == []
        pg.execute("COMMIT")
        found = next(other.notifies(timeout=5))
        assert (found.channel, found.payload, found.pid) == ("things", "first", pg.info.backend_pid)
        pg.execute("BEGIN")
        pg.execute("NOTIFY things, 'undone'")
        pg.execute("ROLLBACK")
        pg.execute("SELECT save_state('ada', '{\"n\": 1}')")
        found = next(other.notifies(timeout=5))
        assert found.channel == "states" and '"agent_id": "ada"' in found.payload
        other.execute("UNLISTEN *")
        pg.execute("NOTIFY things, 'nobody'")
        assert list(other.notifies(timeout=0.1)) == []


# Many at once ------------------------------------------------------------------------------------


def test_a_client_that_does_not_read_holds_up_nobody(place: Served, pg: Any) -> None:
    slow = Raw(place).login(place)
    slow.send((b"Q", cstring("SELECT repeat('x', 1000) FROM generate_series(1, 200000)")))
    time.sleep(0.3)  # it fills every buffer on its way
    begun = time.monotonic()
    for i in range(50):
        assert pg.execute("SELECT %s::int", [i]).fetchone() == (i,)
    pg.execute("INSERT INTO things (id, name) VALUES (1, 'a')")
    assert time.monotonic() - begun < 5
    slow.close()


def test_an_idle_transaction_that_read_holds_up_no_writer(place: Served, pg: Any) -> None:
    with psycopg.connect(**place.owner) as reader:
        assert reader.execute("SELECT count(*) FROM things").fetchone() == (0,)
        pg.execute("INSERT INTO things (id, name) VALUES (1, 'a')")
        assert reader.execute("SELECT count(*) FROM things").fetchone() == (1,)


@pytest.mark.slow
def test_many_clients(place: Served) -> None:
    asyncpg = pytest.importorskip("asyncpg", reason="needs asyncpg, of the extra [dev]")

    async def one(number: int) -> int:
        own = place.owner
        connection = await asyncpg.connect(
            host=own["host"], port=own["port"], user=own["user"], database=own["dbname"]
        )
        try:
            total = 0
            for i in range(20):
                total += await connection.fetchval("SELECT $1::bigint + 1", number * i) - 1
            await connection.execute(
                "INSERT INTO things (id, name) VALUES ($1, $2)", 1000 + number, str(number)
            )
            return total
        finally:
            await connection.close()

    async def all_of_them() -> list[int]:
        return list(await asyncio.gather(*[one(n) for n in range(40)]))

    with psycopg.connect(**place.owner, autocommit=True) as connection:
        connection.execute("DELETE FROM things")
        assert asyncio.run(all_of_them()) == [n * 190 for n in range(40)]
        assert connection.execute("SELECT count(*) FROM things").fetchone() == (40,)


def test_asyncpg(place: Served, pg: Any) -> None:
    asyncpg = pytest.importorskip("asyncpg", reason="needs asyncpg, of the extra [dev]")

    async def check() -> None:
        own = place.owner
        connection = await asyncpg.connect(
            host=own["host"], port=own["port"], user=own["user"], database=own["dbname"]
        )
        rows = [(i, f"name {i}", i / 2 + 1) for i in range(1, 301)]
        await connection.executemany(
            "INSERT INTO things (id, name, weight) VALUES ($1, $2, $3)", rows
        )
        found = await connection.fetch("SELECT id, name, weight FROM things ORDER BY id")
        assert [tuple(r) for r in found] == rows
        async with connection.transaction():
            got = [r["id"] async for r in connection.cursor("SELECT id FROM things ORDER BY id")]
        assert got == list(range(1, 301))
        assert await connection.fetchval("SELECT vec FROM things WHERE id = ANY($1)", [1]) is None
        assert await connection.fetchval("SELECT $1::float4[]", [1.0, 2.5]) == [1.0, 2.5]
        statement = await connection.prepare("SELECT name FROM things WHERE id = $1")
        for i in range(1, 50):
            assert await statement.fetchval(i) == f"name {i}"
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("INSERT INTO things (id, name) VALUES (1, 'x')")
        await connection.copy_records_to_table(
            "things", records=[(1000, "a"), (1001, "二")], columns=["id", "name"]
        )
        assert await connection.fetchval("SELECT name FROM things WHERE id = 1001") == "二"
        with pytest.raises(asyncio.TimeoutError):
            await connection.fetchval(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                "SELECT max(i) FROM n", timeout=0.3,
            )  # fmt: skip
        assert await connection.fetchval("SELECT 5") == 5
        await connection.close()

    asyncio.run(check())


def test_listeners_of_one_server_share_their_channels(place: Served, pg: Any) -> None:
    with psycopg.connect(**place.ada, autocommit=True) as other:
        other.execute("LISTEN across")
        pg.execute("NOTIFY across, '你好'")
        assert next(other.notifies(timeout=5)).payload == "你好"
        assert other.info.backend_pid != pg.info.backend_pid


def test_a_session_is_ended_by_an_admin(place: Served, pg: Any) -> None:
    with psycopg.connect(**place.ada, autocommit=True) as other:
        pid = other.info.backend_pid
        assert pg.execute("SELECT pg_terminate_backend(%s)", [pid]).fetchone() == (True,)
        with pytest.raises(psycopg.OperationalError):
            other.execute("SELECT 1")


def test_point_reads_that_the_loop_answers(place: Served, pg: Any, raw: Raw) -> None:
    """What a worker found to be quick is answered by the loop, with the same bytes, in every form:
    limits, both formats, NULL, no row, after a change of rows and of the schema."""
    pg.execute("INSERT INTO things (id, name, price) VALUES (1, '你好', 1.5), (2, 'b', NULL)")
    raw.send(parse("SELECT id, name, price FROM things WHERE id >= $1 ORDER BY id", "q"), SYNC)
    raw.until(b"Z")

    def bound(key: int, form: int) -> tuple[bytes, bytes]:
        head = b"\0q\0" + struct.pack("!HHHi", 1, 1, 1, 8) + struct.pack("!q", key)
        return b"B", head + struct.pack("!HH", 1, form)

    def ask(key: int, form: int, limit: int, described: bool) -> list[tuple[bytes, bytes]]:
        middle = [(b"D", b"P\0")] if described else []
        raw.send(bound(key, form), *middle, run(limit), SYNC)
        return raw.until(b"Z")

    cases = [(k, f, n, d) for k in (1, 2, 3) for f in (0, 1) for n in (0, 1, 5) for d in (0, 1)]
    by_worker = {}
    for key, form, limit, described in cases:
        head = b"portal\0q\0" + struct.pack("!HHHi", 1, 1, 1, 8) + struct.pack("!q", key)
        middle = [(b"D", b"Pportal\0")] if described else []
        raw.send((b"B", head + struct.pack("!HH", 1, form)), *middle, run(limit, "portal"), SYNC)
        by_worker[key, form, limit, described] = raw.until(b"Z")
    fast = place.unix._fast
    before = fast.answered
    for _ in range(3):
        for case in cases:
            time.sleep(0.004)  # the worker lets it go
            assert ask(*case) == by_worker[case], case
    assert fast.answered > before + len(cases)
    pg.execute("UPDATE things SET name = 'c' WHERE id = 2")
    assert b"c" in dict(ask(2, 0, 0, False))[b"D"]
    pg.execute("ALTER TABLE things ADD COLUMN extra integer")
    assert b"c" in dict(ask(2, 0, 0, False))[b"D"]
    pg.execute("ALTER TABLE things DROP COLUMN extra")
    raw.send((b"B", b"\0q\0\0\1\0\1\0\1\0\0\0\3abc\0\0"), run(), SYNC)
    assert error_of(dict(raw.until(b"Z"))[b"E"])["C"] == "22P03"
