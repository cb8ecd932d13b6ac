"""quack: DuckDB's own client, unmodified and in another process, on a server of ours."""

from __future__ import annotations

import gc
import http.client
import json
import os
import random
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sqlagent
from sqlagent.engines import extensions
from sqlagent.serve.limits import Limits
from sqlagent.serve.quack import start, wire
from sqlagent.serve.quack.kinds import kind_of
from sqlagent.serve.server import Server

EXTENSIONS = [extensions.path(name) for name in ("httpfs", "quack")]
client = pytest.mark.skipif(
    None in EXTENSIONS, reason="duckdb-extension-quack and -httpfs are not installed"
)
TOKEN = "ada:a long password"
CLIENT = """
import duckdb, json, sys
given = json.load(sys.stdin)
con = duckdb.connect(config={"autoinstall_known_extensions": False})
for file in given["extensions"]:
    con.execute(f"LOAD '{file}'")
def run(sql, values):
    try:
        return [list(row) for row in con.execute(sql, values).fetchall()]
    except Exception as error:
        return {"error": str(error)}
print(json.dumps([run(sql, values) for sql, values in given["statements"]], default=str))
"""
Ask = Callable[..., list[Any]]


def session(*statements: Any) -> list[Any]:
    """What one client gets for its statements, each a text or a text and its parameters."""
    listed = [[s, []] if isinstance(s, str) else list(s) for s in statements]
    told = json.dumps({"extensions": [str(e) for e in EXTENSIONS], "statements": listed})
    done = subprocess.run(
        [sys.executable, "-c", CLIENT], input=told, text=True, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))  # a bar of progress may come before


@pytest.fixture
def server(fresh_db: Path) -> Iterator[Server]:
    """A file that is served, with one user who may write."""
    sqlagent.connect(fresh_db, embedding_model="none").close()
    found = Server(str(fresh_db), account=("ada", "a long password"))
    found.owner.execute("SET embedding_model = 'none'")
    yield found
    found.close()


@pytest.fixture
def port(server: Server) -> Iterator[int]:
    """A port on which it listens for DuckDB."""
    listener = start(server, "127.0.0.1", 0)
    yield listener.port
    listener.close()


@pytest.fixture
def ask(port: int) -> Ask:
    """Statements of a client that has attached the server as r."""

    def run(*statements: Any, token: str = TOKEN) -> list[Any]:
        attach = f"ATTACH 'quack:localhost:{port}' AS r (TOKEN '{token}')"
        found = session(attach, *statements)
        assert found[0] == [], found[0]
        return found[1:]

    return run


def sent(sql: str) -> str:
    """A statement that the server is to run."""
    return f"FROM r.query('{sql.replace(chr(39), chr(39) * 2)}')"


@client
def test_tables_views_and_functions(server: Server, ask: Ask) -> None:
    own = server.owner
    own.execute("SELECT remember('ada', 'likes green tea 喜欢绿茶')")
    own.execute('CREATE TABLE shop (id INTEGER PRIMARY KEY, "odd name" TEXT, price DECIMAL(10,2))')
    own.execute("INSERT INTO shop VALUES (1, '茶', 2.50), (2, NULL, NULL)")
    own.execute("CREATE MACRO doubled(x) AS x * 2")
    found = ask(
        "SELECT agent_id, content FROM r.memories",
        'SELECT price, "odd name" FROM r.shop ORDER BY id',
        "SELECT count(*) FROM r.shop",
        "SELECT strength > 0.5 FROM r.memory_strength",
        "SELECT content FROM r.current_facts",
        sent("SELECT content FROM recall('ada', 'tea', k => 1)"),
        sent("SELECT doubled(21) AS x, token_count('one two') AS n"),
        "SELECT content FROM r.main.memories WHERE agent_id = 'ada' LIMIT 1",
    )
    assert found == [
        [["ada", "likes green tea 喜欢绿茶"]], [["2.50", "茶"], [None, None]], [[2]], [[True]],
        [["likes green tea 喜欢绿茶"]], [["likes green tea 喜欢绿茶"]], [[42, 2]],
        [["likes green tea 喜欢绿茶"]],
    ]  # fmt: skip


@client
def test_views_stay_current(server: Server, ask: Ask, port: int) -> None:
    found = ask(
        "SELECT count(*) FROM r.memories",
        sent("SELECT remember('ada', 'one more') AS memory_id"),
        "SELECT count(*) FROM r.memories",
        "SELECT content FROM r.current_facts",
    )
    assert found == [[[0]], [[1]], [[1]], [["one more"]]]


@pytest.mark.slow
@client
def test_every_table_and_view_is_read_whole_and_by_columns(server: Server, ask: Ask) -> None:
    own = server.owner
    (rome,) = own.execute("SELECT remember('ada', 'lives in Rome 罗马')").fetchone()
    own.execute("SELECT supersede(?, 'lives in Oslo')", (rome,))
    own.execute("SELECT index_document('a text', uri => 'a')")
    own.execute("SELECT save_state('ada', '{\"step\": 1}')")
    own.execute("SELECT put_vector('points', 'a', [1.0, 0.0])")
    own.execute("CREATE TABLE odd (a, b INTEGER, c FLOAT[2], d STRUCT(x INTEGER)[])")
    own.execute("INSERT INTO odd VALUES ('text', 1, [1, 2], [{'x': 1}]), (2.5, NULL, NULL, NULL)")
    own.execute("CREATE VIEW sums AS SELECT agent_id, count(*) AS n FROM memories GROUP BY 1")
    own.execute("CALL sync()")
    ((*listed,),) = ask(sent("SELECT table_name FROM duckdb_tables() ORDER BY 1"))
    names = [name for (name,) in listed]
    assert {"odd", "sums", "current_facts", "memory_strength", "vectors"} <= set(names)
    assert "sqlagent_users" not in names
    whole = ask(*(f'SELECT count(*), count(COLUMNS(*)) FROM r."{name}"' for name in names))
    failed = {n: f for n, f in zip(names, whole, strict=True) if isinstance(f, dict)}
    assert failed == {}
    rows = ask("FROM r.odd", "FROM r.sums", "SELECT vector FROM r.vectors", "FROM r.current_facts")
    assert rows[0] == [["text", 1, [1.0, 2.0], [{"x": 1}]], ["2.5", None, None, None]]
    assert rows[1:3] == [[["ada", 2]], [[[1.0, 0.0]]]]
    assert rows[3][0][6] == "lives in Oslo"


TYPES = [
    ("true", True), ("1::TINYINT", 1), ("42", 42), ("-9223372036854775807 - 1", -(2**63)),
    ("1.5::FLOAT", 1.5), ("1e300::DOUBLE", 1e300), ("12.30::DECIMAL(4,2)", "12.30"),
    ("-0.001::DECIMAL(9,3)", "-0.001"), ("123456789.1::DECIMAL(18,1)", "123456789.1"),
    ("99999999999999999999999.25::DECIMAL(38,2)", "99999999999999999999999.25"),
    ("170141183460469231731687303715884105727::HUGEINT", 2**127 - 1),
    ("'it''s 茶'", "it's 茶"), ("''", ""), ("repeat('x', 5000)", "x" * 5000),
    ("'ab'::BLOB", "b'ab'"), ("DATE '0044-03-15'", "0044-03-15"), 
    ("TIME '10:20:30.5'", "10:20:30.500000"),
    ("TIMESTAMP '2026-01-02 03:04:05.678'", "2026-01-02 03:04:05.678000"),
    ("INTERVAL '3 days 2 seconds'", "3 days, 0:00:02"),
    ("'123e4567-e89b-12d3-a456-426614174000'::UUID", "123e4567-e89b-12d3-a456-426614174000"),
    ("'{\"a\": [1]}'::JSON", '{"a": [1]}'), ("[1, NULL, 3]", [1, None, 3]), ("[]::INTEGER[]", []),
    ("[['a'], NULL, []]", [["a"], None, []]), ("[1.5, 2.5]::FLOAT[2]", [1.5, 2.5]),
    ("{'a': 1, 'b': {'c': 'x'}}", {"a": 1, "b": {"c": "x"}}), ("MAP {'k': 1}", {"k": 1}),
    ("[{'a': 1}, {'a': NULL}]", [{"a": 1}, {"a": None}]), ("NULL", None),
]  # fmt: skip


@client
def test_every_type_comes_over(ask: Ask) -> None:
    values = ", ".join(f"{sql} AS c{i}" for i, (sql, _) in enumerate(TYPES))
    several = (
        f"SELECT t.* FROM range(3) AS r(i) LEFT JOIN (SELECT 1 AS own, {values}) AS t "
        "ON t.own = r.i ORDER BY r.i"
    )
    one, many = ask(sent(f"SELECT {values}"), sent(several))
    assert isinstance(one, list), one
    assert one[0] == [expected for _, expected in TYPES]
    assert isinstance(many, list), many
    assert [row == [1, *one[0]] for row in many] == [False, True, False]
    assert {repr(v) for v in many[0]} == {"None"}


@client
def test_many_rows_come_in_batches(server: Server, ask: Ask) -> None:
    rows = 70_000
    found = ask(
        f"SELECT count(*), sum(i), count(DISTINCT s), count(n) FROM ({sent(f'SELECT i, i::VARCHAR AS s, CASE WHEN i % 3 = 0 THEN i END AS n FROM range({rows}) t(i)')})",  # noqa: E501
        sent("SELECT 1 AS x WHERE false"),
        sent(f"SELECT * FROM range({24576}) t(i)") + " LIMIT 2",
        f"SELECT count(*) FROM ({sent('SELECT * FROM range(24576) t(i)')})",
        f"SELECT count(*) FROM ({sent('SELECT * FROM range(2048) t(i)')})",
    )
    total = rows * (rows - 1) // 2
    assert found == [[[rows, total, rows, -(-rows // 3)]], [], [[0], [1]], [[24576]], [[2048]]]


@client
def test_two_tables_are_joined_where_they_are(server: Server, ask: Ask) -> None:
    server.owner.execute("CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT)")
    server.owner.execute("CREATE TABLE b (id INTEGER PRIMARY KEY, n INTEGER)")
    server.owner.execute("INSERT INTO a SELECT i, 'a' || i FROM range(20000) t(i)")
    server.owner.execute("INSERT INTO b SELECT i, i FROM range(20000) t(i)")
    # DuckDB's client cannot read two attached tables in one statement, of its own server neither.
    joined = "SELECT count(*) AS c, sum(n) AS n, max(t) AS t FROM a JOIN b USING (id)"
    found = ask(sent(joined), "SELECT sum(n) FROM r.b JOIN range(10) AS own(id) USING (id)")
    assert found == [[[20000, 199990000, "a9999"]], [[45]]]


@client
def test_transactions_are_those_of_the_session(server: Server, ask: Ask) -> None:
    insert = "INSERT INTO agents (agent_id) VALUES ('{}')"
    found = ask(
        sent("BEGIN"), sent(insert.format("a")), "SELECT count(*) FROM r.agents",
        sent("ROLLBACK"), "SELECT count(*) FROM r.agents",
        sent("BEGIN; " + insert.format("b") + "; COMMIT"),
        sent(insert.format("c")),
        "SELECT agent_id FROM r.agents ORDER BY 1",
        sent("UPDATE agents SET metadata = '{}' WHERE agent_id >= 'b'"),
    )  # fmt: skip
    assert found == [[], [[1]], [[1]], [], [[0]], [], [[1]], [["b"], ["c"]], [[2]]]
    rows = server.owner.execute("SELECT agent_id FROM agents ORDER BY 1")
    assert rows.fetchall() == [("b",), ("c",)]


@client
def test_an_open_transaction_goes_with_its_client(server: Server, ask: Ask) -> None:
    ask(sent("BEGIN"), sent("INSERT INTO agents (agent_id) VALUES ('lost')"))
    assert server.owner.execute("SELECT count(*) FROM agents").fetchall() == [(0,)]
    server.owner.execute("INSERT INTO agents (agent_id) VALUES ('kept')")  # nobody holds the file


@client
def test_what_a_client_would_commit_by_itself_is_refused(server: Server, ask: Ask) -> None:
    found = ask(
        "BEGIN",
        "INSERT INTO r.agents (agent_id) VALUES ('x')",
        "ROLLBACK",
        "UPDATE r.agents SET agent_id = 'y'",
        "DELETE FROM r.agents",
        "INSERT INTO r.memory_strength SELECT * FROM r.memory_strength",
    )
    assert "rows cannot be inserted into the attached table" in found[1]["error"]
    assert "r.query('INSERT" in found[1]["error"]
    assert all("error" in f for f in found[3:5])
    assert server.owner.execute("SELECT count(*) FROM agents").fetchall() == [(0,)]


@client
def test_tables_made_and_dropped_by_a_client(ask: Ask, server: Server) -> None:
    server.users.accounts.role = "admin"  # type: ignore[attr-defined]  # of the one account
    found = ask(
        sent("CREATE TABLE made (x INTEGER)"), sent("INSERT INTO made VALUES (1), (2)"),
        "CALL quack_clear_cache()", "SELECT sum(x) FROM r.made", sent("DROP TABLE made"),
    )  # fmt: skip
    if isinstance(found[0], dict):
        assert "not" in found[0]["error"]  # who may only write rows makes no tables
        return
    assert found[1] == [[2]] and found[3] == [[3]]


@client
def test_the_catalog(server: Server, ask: Ask) -> None:
    server.owner.execute("CREATE TABLE shop (id INTEGER PRIMARY KEY, price DECIMAL(10,2))")
    found = ask(
        sent("SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'shop'"),
        sent("SELECT count(*) FROM information_schema.tables WHERE table_name = 'memories'"),
        sent(
            "SELECT DISTINCT catalog_name FROM information_schema.schemata "
            "WHERE catalog_name = 'agent'"
        ),
        sent("SELECT * FROM duckdb_tables(), memories"),
        sent("SELECT current_setting('temp_directory') FROM duckdb_tables()"),
        sent("SELECT * FROM duckdb_tables(), read_text('/etc/hostname')"),
        sent("SELECT * FROM duckdb_settings()"),
        sent("SELECT * FROM duckdb_secrets()"),
    )
    assert found[0] == [["id", "BIGINT"], ["price", "DECIMAL(10,2)"]]
    assert found[1] == [[1]] and found[2] == [["agent"]]
    assert all("error" in f for f in found[3:])


OUT_OF_REACH = [
    "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_text('/etc/hostname')", "SELECT * FROM glob('/*')",
    "ATTACH '{folder}/x.db' AS x", "COPY memories TO '{folder}/stolen.csv'", "LOAD quack",
    "INSTALL httpfs", "SET memory_limit_mb = 1", "SET lock_configuration = false",
    "SELECT * FROM quack_query('quack:localhost:1', 'SELECT 1')", "CALL quack_stop('quack:x')",
    "SELECT getenv('HOME')", "PRAGMA database_list", "SELECT * FROM sqlagent_users",
    "WITH x AS (SELECT * FROM read_blob('/etc/hostname')) SELECT * FROM x",
    "SELECT (SELECT content FROM read_text('/etc/hostname'))",
    "EXPORT DATABASE '{folder}/stolen'", "CREATE SECRET (TYPE s3)", "IMPORT DATABASE '{folder}'",
]  # fmt: skip


@client
def test_nothing_outside_the_file_is_reached(ask: Ask, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    tried = [sql.replace("{folder}", str(folder)) for sql in OUT_OF_REACH]
    for sql, found in zip(tried, ask(*map(sent, tried)), strict=True):
        assert isinstance(found, dict), (sql, found)
    assert list(folder.iterdir()) == []


@client
def test_errors_say_what_is_wrong(ask: Ask) -> None:
    unknown, wrong, unsupported = ask(
        sent("SELECT contnt FROM memories"), sent("SELEC 1"), sent("SELECT * FROM nowhere")
    )
    assert 'Did you mean "content"?' in unknown["error"] and "LINE 1" in unknown["error"]
    assert "error" in wrong and "nowhere" in unsupported["error"]


@client
def test_who_may_come_in(port: int, fresh_db: Path) -> None:
    attach = f"ATTACH 'quack:localhost:{port}' AS r (TOKEN '{{}}')"
    found = session(*(attach.format(t) for t in ("ada:wrong", "eve:a long password", "ada")))
    assert all("Authentication failed" in f["error"] for f in found)
    direct = "FROM quack_query('quack:localhost:{}', 'SELECT 7 AS x', token := '{}')"
    found = session(direct.format(port, TOKEN), direct.format(port, "ada:no"))
    assert found[0] == [[7]] and "Authentication failed" in found[1]["error"]


@client
def test_readers_do_not_write_and_see_what_they_are_granted(fresh_db: Path) -> None:
    owner = sqlagent.connect(fresh_db, embedding_model="none")
    owner.execute("SELECT remember('ada', 'hers'), remember('bob', 'his')")
    owner.execute("CREATE TABLE shop (x INTEGER)")
    owner.execute("CREATE USER rita PASSWORD 'a long password'")
    owner.execute("GRANT SELECT ON memories TO rita")
    owner.execute("GRANT USE ON AGENT 'ada' TO rita")
    owner.close()
    served = Server(str(fresh_db))
    listener = start(served, "127.0.0.1", 0)
    try:
        attach = f"ATTACH 'quack:localhost:{listener.port}' AS r (TOKEN 'rita:a long password')"
        found = session(
            attach, "SELECT content FROM r.memories", sent("SELECT content FROM memories"),
            sent("INSERT INTO memories (agent_id, content) VALUES ('ada', 'x')"),
            sent("SELECT remember('ada', 'x')"), "FROM r.shop", sent("FROM shop"),
            sent("SELECT table_name FROM duckdb_tables() WHERE table_name IN ('shop', 'memories')"),
            sent("SELECT content FROM recall('bob', 'his')"),
        )  # fmt: skip
        assert found[1:3] == [[["hers"]]] * 2
        assert all("error" in f for f in found[3:7]), found
        assert found[7] == [["memories"]]
        assert found[8] == [] or "error" in found[8]
    finally:
        listener.close()
        served.close()


@pytest.mark.slow
@client
def test_twenty_four_clients_at_once(server: Server, port: int) -> None:
    server.owner.execute("SELECT remember('ada', 'likes tea')")
    attach = f"ATTACH 'quack:localhost:{port}' AS r (TOKEN '{TOKEN}')"
    results: list[list[Any]] = []

    def work(n: int) -> None:
        read = [
            sent(f"SELECT content FROM memories WHERE memory_id = 1 AND {i} >= 0") for i in range(5)
        ]
        write = [sent(f"INSERT INTO agents (agent_id) VALUES ('a{n}-{i}')") for i in range(3)]
        results.append(session(attach, *read, *write))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = [[], *([[["likes tea"]]] * 5), *([[[1]]] * 3)]
    assert results == [expected] * 24
    assert server.owner.execute(
        "SELECT count(*) FROM agents WHERE agent_id LIKE 'a%-%'"
    ).fetchall() == [(72,)]


@client
def test_over_tls(fresh_db: Path, tmp_path: Path) -> None:
    from sqlagent.serve import tls

    sqlagent.connect(fresh_db).close()
    certificate = tls.self_signed(str(tmp_path / "keys"), "")
    served = Server(
        str(fresh_db), account=("ada", "a long password"), tls=tls.context(*certificate)
    )
    listener = start(served, "127.0.0.1", 0)
    try:
        context = ssl.create_default_context(cafile=certificate[0])
        connection = http.client.HTTPSConnection("localhost", listener.port, context=context)
        connection.request("POST", "/quack", hello(TOKEN))
        assert wire.Reader(connection.getresponse().read()).field() == 1
        connection.close()
        attach = (
            f"ATTACH 'quack:localhost:{listener.port}' AS r (TOKEN '{TOKEN}', DISABLE_SSL false)"
        )
        found = session(f"SET ca_cert_file = '{certificate[0]}'", attach, sent("SELECT 1 AS x"))
        assert found[2] == [[1]], found
    finally:
        listener.close()
        served.close()


# The protocol itself ----------------------------------------------------------------------------


def hello(token: str, low: int = 1, high: int = 1) -> bytes:
    """A client's first message."""
    body = wire.put(1, wire.text(token)) + wire.put(4, wire.unsigned(low))
    return wire.header(wire.CONNECT) + body + wire.put(5, wire.unsigned(high)) + wire.END


def post(port: int, data: bytes, path: str = "/quack") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, data)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def kind_in(answer: bytes) -> int:
    reader = wire.Reader(answer)
    assert reader.field() == 1
    return reader.unsigned()


def test_versions_are_negotiated(port: int) -> None:
    assert kind_in(post(port, hello(TOKEN, 1, 3))[1]) == wire.CONNECTED
    assert kind_in(post(port, hello(TOKEN, 2, 3))[1]) == wire.ERROR


def test_a_session_that_is_none(port: int) -> None:
    text = wire.put(1, wire.text("SELECT 1"))
    for kind in (wire.PREPARE, wire.FETCH, wire.DISCONNECT, wire.APPEND):
        body = text if kind in (wire.PREPARE, wire.APPEND) else b""
        answer = post(port, wire.header(kind, "F" * 32) + body + wire.END)[1]
        assert kind_in(answer) == wire.ERROR and b"Invalid connection id" in answer


def test_http_that_is_not_the_protocol(port: int) -> None:
    assert post(port, b"x", "/elsewhere")[0] == 404
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/")
    assert b"ATTACH" in connection.getresponse().read()
    connection.close()
    for raw in (
        b"POST /quack HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n",
        b"POST /quack HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /quack HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as plain:
            plain.sendall(raw)
            assert plain.recv(100).split()[1] in (b"411", b"413")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_malformed(data: bytes) -> None:
    try:
        wire.read(data)
    except wire.Malformed as error:
        assert error.sqlstate == "08P01"


@given(st.integers(min_value=0, max_value=2**64 - 1), st.integers(-(2**63), 2**63 - 1))
def test_numbers_round_trip(natural: int, whole: int) -> None:
    assert wire.Reader(wire.unsigned(natural)).unsigned() == natural
    assert wire.Reader(wire.signed(whole)).signed() == whole
    assert wire.Reader(wire.hugeint(natural << 60)).hugeint() == natural << 60


def test_garbage_to_the_port_and_on_it_goes(port: int) -> None:
    for data in (b"", b"\x00" * 50, b"\xff" * 50, hello("x" * 100_000)[:-7], hello(TOKEN)[:9]):
        status, answer = post(port, data)
        large = len(data) > 1 << 16  # of who has not logged in
        assert status == (413 if large else 200) and (large or kind_in(answer) == wire.ERROR)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port)) as plain:
            plain.sendall(b"POST /quack HTTP/1.1\r\nContent-Le")
    assert kind_in(post(port, hello(TOKEN))[1]) == wire.CONNECTED


def test_too_many_clients(fresh_db: Path) -> None:
    sqlagent.connect(fresh_db).close()
    served = Server(str(fresh_db), account=("ada", "a long password"), limits=Limits(connections=2))
    listener = start(served, "127.0.0.1", 0)
    try:
        answers = [post(listener.port, hello(TOKEN))[1] for _ in range(3)]
        assert [kind_in(a) for a in answers] == [wire.CONNECTED, wire.CONNECTED, wire.ERROR]
        assert b"too many" in answers[2]
        own = next(iter(listener.sessions))
        post(listener.port, wire.header(wire.DISCONNECT, own) + wire.END)
        assert kind_in(post(listener.port, hello(TOKEN))[1]) == wire.CONNECTED
    finally:
        listener.close()
        served.close()
    assert served.admission.count == 0


def test_a_session_without_a_word_is_closed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sqlagent.serve.quack.server.SWEEP_S", 0.01)
    monkeypatch.setattr("sqlagent.serve.quack.server.IDLE_WRITING_S", 0.05)
    listener = start(server, "127.0.0.1", 0)
    try:
        post(listener.port, hello(TOKEN))
        (own,) = listener.sessions
        text = wire.put(1, wire.text("BEGIN; INSERT INTO agents (agent_id) VALUES ('x')"))
        post(listener.port, wire.header(wire.PREPARE, own) + text + wire.END)
        end = time.monotonic() + 30
        while listener.sessions:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert server.owner.execute("SELECT count(*) FROM agents").fetchall() == [(0,)]
    finally:
        listener.close()


def test_types_that_the_wire_does_not_carry_are_text() -> None:
    assert kind_of("ENUM('a', 'b')").name == "VARCHAR"
    assert kind_of("MAP(VARCHAR, STRUCT(a BIGINT, b VARCHAR))").parts[0][1].parts[1][1].id == 100


def prepare(port: int, own: str, sql: str) -> bytes:
    """The answer to a statement in a session."""
    text = wire.put(1, wire.text(sql))
    return post(port, wire.header(wire.PREPARE, own) + text + wire.END)[1]


def test_what_nobody_waits_for_is_interrupted(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sqlagent.serve.quack.server.SWEEP_S", 0.02)
    listener = start(server, "127.0.0.1", 0)
    try:
        post(listener.port, hello(TOKEN))
        (session,) = listener.sessions.values()
        long = "SELECT count(*) FROM range(3000000) a(i), range(3000000) b(j) WHERE (i * j) % 7 = 3"
        body = wire.header(wire.PREPARE, session.id) + wire.put(1, wire.text(long)) + wire.END
        with socket.create_connection(("127.0.0.1", listener.port)) as plain:
            head = f"POST /quack HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
            plain.sendall(head.encode() + body)
            end = time.monotonic() + 30
            while not session.busy:
                assert time.monotonic() < end
                time.sleep(0.01)
            time.sleep(0.2)  # so that it runs
        end = time.monotonic() + 60
        while session.busy:
            assert time.monotonic() < end, "it went on"
            time.sleep(0.01)
        assert kind_in(prepare(listener.port, session.id, "SELECT 1")) == wire.PREPARED
    finally:
        listener.close()


@pytest.mark.slow
def test_large_rows_come_a_few_at_a_time(server: Server) -> None:
    listener = start(server, "127.0.0.1", 0)
    try:
        post(listener.port, hello(TOKEN))
        (session,) = listener.sessions.values()
        sql = "SELECT repeat('x', 100000) AS s FROM range(1000) t(i)"
        answer = session.answer(wire.Message(wire.PREPARE, session.id, {1: sql}))
        assert len(answer) < 64 << 20 and session._result is not None
        result, total, most = session._result, answer.count(b"x" * 100_000), 0
        while True:
            answer = session.answer(wire.Message(wire.FETCH, session.id, {1: result.id}))
            if len(answer) < 1000:
                break
            total += answer.count(b"x" * 100_000)
            most = max(most, len(answer))
        assert total == 1000 and most < 16 << 20
        late = session.answer(wire.Message(wire.FETCH, session.id, {1: result.id + 1}))
        assert kind_in(late) == wire.ERROR
    finally:
        listener.close()


def test_the_longest_idle_makes_place(fresh_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sqlagent.serve.quack.server.IDLE_MIN_S", 0.0)
    sqlagent.connect(fresh_db).close()
    served = Server(str(fresh_db), account=("ada", "a long password"), limits=Limits(connections=2))
    listener = start(served, "127.0.0.1", 0)
    try:
        assert kind_in(post(listener.port, hello(TOKEN))[1]) == wire.CONNECTED
        (first,) = listener.sessions
        for _ in range(2):
            assert kind_in(post(listener.port, hello(TOKEN))[1]) == wire.CONNECTED
        assert first not in listener.sessions and len(listener.sessions) == 2
    finally:
        listener.close()
        served.close()


@client
@pytest.mark.slow
def test_the_command_line_of_duckdb(server: Server, port: int, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path)]
    done = subprocess.run([*pip, "duckdb-cli==1.5.5"], capture_output=True, timeout=300)
    if done.returncode:
        pytest.skip("duckdb-cli cannot be installed here")
    binary = tmp_path / "duckdb_cli" / "duckdb"
    binary.chmod(0o755)
    server.owner.execute("SELECT remember('ada', 'likes tea 茶')")
    lines = [f"LOAD '{e}';" for e in EXTENSIONS]
    lines += [f"ATTACH 'quack:localhost:{port}' AS r (TOKEN '{TOKEN}');", ".mode json"]
    lines += ["SELECT content FROM r.current_facts;", "SELECT count(*) AS n FROM r.memories;"]
    ran = subprocess.run(
        [str(binary)], input="\n".join(lines), text=True, capture_output=True, timeout=120
    )
    assert '[{"content":"likes tea 茶"}]' in ran.stdout and '[{"n":1}]' in ran.stdout, ran


def test_messages_with_other_bytes_are_answered(server: Server) -> None:
    rng = random.Random(7)
    listener = start(server, "127.0.0.1", 0)
    try:
        listener.answer(hello(TOKEN), "")
        (own,) = listener.sessions
        text = wire.put(1, wire.text("SELECT 1 AS x"))
        valid = [
            hello("ada:wrong"), wire.header(wire.PREPARE, own) + text + wire.END,
            wire.header(wire.FETCH, own) + wire.put(1, wire.hugeint(5)) + wire.END,
        ]  # fmt: skip
        for _ in range(600):
            data = bytearray(rng.choice(valid[1:] if rng.random() < 0.98 else valid))
            for _ in range(rng.randint(1, 4)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            cut = data[: rng.randrange(len(data))] if rng.random() < 0.2 else data
            kind = kind_in(listener.answer(bytes(cut), "10.0.0.1"))
            assert kind in (wire.PREPARED, wire.FETCHED, wire.ERROR, wire.SUCCESS, wire.CONNECTED)
        if own in listener.sessions:  # some byte may have made it say goodbye
            assert kind_in(prepare(listener.port, own, "SELECT 1")) == wire.PREPARED
    finally:
        listener.close()


def test_clients_that_come_and_go_leave_nothing(server: Server, port: int) -> None:
    def once() -> None:
        answer = post(port, hello(TOKEN))[1]
        reader = wire.Reader(answer)
        own = wire.head(answer).session
        assert reader.field() == 1 and kind_in(prepare(port, own, "SELECT 1")) == wire.PREPARED
        post(port, wire.header(wire.DISCONNECT, own) + wire.END)

    once()
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        once()
        socket.create_connection(("127.0.0.1", port)).close()
    end = time.monotonic() + 30
    while len(os.listdir("/proc/self/fd")) > before + 3:
        assert time.monotonic() < end
        gc.collect()
        time.sleep(0.05)
    assert server.admission.count == 0


@client
def test_values_that_are_not_of_their_column(
    server: Server, ask: Ask, shell: Callable[..., str]
) -> None:
    shell(server.path, "CREATE TABLE odd (n INTEGER, t TIMESTAMP, b BLOB); INSERT INTO odd VALUES "
          "('none', 'x', 'y'), (7, '2026-01-02 03:04:05.678', x'00ff')")  # fmt: skip
    whole, wrong = ask(sent("SELECT n FROM odd"), "SELECT n FROM r.odd")
    assert whole == [["none"], ["7"]]
    assert 'column "n" is BIGINT' in wrong["error"]


@pytest.mark.slow
@client
def test_the_catalog_while_it_changes(server: Server, port: int) -> None:
    attach = f"ATTACH 'quack:localhost:{port}' AS r (TOKEN '{TOKEN}')"
    done = threading.Event()
    results: list[list[Any]] = []

    def define() -> None:
        n = 0
        while not done.is_set():
            server.owner.execute(f"CREATE TABLE t{n} (x INTEGER)")
            server.owner.execute(f"DROP TABLE t{n}")
            n += 1

    definer = threading.Thread(target=define)
    definer.start()
    try:
        look = sent("SELECT count(*) > 0 AS some FROM duckdb_tables()")
        again = ["CALL quack_clear_cache()", look, "SELECT count(*) FROM r.agents"]
        work = [
            threading.Thread(target=lambda: results.append(session(attach, *again * 5)))
            for _ in range(3)
        ]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
    finally:
        done.set()
        definer.join()
    assert len(results) == 3
    for found in results:
        assert [f for f in found if isinstance(f, dict)] == []
