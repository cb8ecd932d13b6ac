"""The server under clients that break, lie, dawdle, storm and die: it goes on, and keeps its word.

A short version of each; `slow` repeats them many times.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sqlagent
from tests.served import Served, drained, message, startup

pytestmark = pytest.mark.slow

psycopg = pytest.importorskip("psycopg", reason="psycopg, the client, is not installed")

LOGIN_S = 3.0
OPTIONS = (
    "--login-timeout", str(LOGIN_S), "--max-message-mb", "1", "--max-connections", "60",
    "--grace", "1", "--tls", "self-signed",
)  # fmt: skip


def prepared(path: Path) -> Path:
    with sqlagent.connect(path, embedding_model="none") as con:
        con.execute("CREATE USER ada PASSWORD 'x' ROLE writer")
        con.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
        con.execute("CREATE TABLE secret (x TEXT)")
        con.execute("INSERT INTO secret VALUES ('hidden')")
    return path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for the whole file: what one test leaves behind, the next would meet."""
    made = Served(prepared(tmp_path_factory.mktemp("served") / "agent.db"), *OPTIONS)
    yield made
    assert made.process.poll() is None, made.log.read_text()
    assert made.stop() == 0
    assert "Traceback" not in made.log.read_text()


def dsn(served: Served) -> str:
    return f"host=127.0.0.1 port={served.ports['pg']} user=ada password=x dbname=agent"


def connect(served: Served, **more: Any) -> Any:
    return psycopg.connect(dsn(served), autocommit=True, **more)


def answers(served: Served) -> bool:
    """Whether a client with manners is served, and soon."""
    with connect(served, connect_timeout=20) as con:
        return bool(con.execute("SELECT 40 + 2").fetchone() == (42,))


def quietly(do: Callable[[], Any]) -> Any:
    with contextlib.suppress(OSError, ssl.SSLError):
        return do()


class Raw(socket.socket):
    """A raw socket past the log-in: psycopg does the exchange, and shares its socket."""

    def __init__(self, served: Served) -> None:
        self.client = psycopg.connect(dsn(served), sslmode="disable")
        super().__init__(fileno=os.dup(self.client.fileno()))
        self.settimeout(20)

    def close(self) -> None:
        super().close()
        self.client.close()


# Nonsense ---------------------------------------------------------------------------------------

LENGTHS = (-(2**31), -1, 0, 3, 4, 5, 2**16, 2**20 + 5, 2**30, 2**31 - 1)


def nonsense(chance: random.Random) -> bytes:
    """Bytes that begin as a message may."""
    kinds = [
        lambda: chance.randbytes(chance.randrange(200)),
        lambda: struct.pack("!i", chance.choice(LENGTHS)) + chance.randbytes(50),
        lambda: struct.pack("!ii", 8, chance.choice((80877102, 80877103, 80877104, 131072, 0))),
        lambda: startup(user="ada", database="agent")[: chance.randrange(30)],
        lambda: startup(user="ada\x00" * 50, database="x" * 500),
        lambda: bytes([chance.randrange(256)]) + struct.pack("!i", chance.choice(LENGTHS)),
        lambda: startup(user="ada") + message(b"p", chance.randbytes(40)),
        lambda: startup(user="ada") + message(b"Q", b"SELECT 1\0"),
        lambda: b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ]
    return chance.choice(kinds)()


def strange(chance: random.Random) -> bytes:
    """Messages after the log-in, of every kind, whole or not, in any order."""
    body = chance.choice((
        b"", b"\0", chance.randbytes(chance.randrange(60)), b"SELECT 1\0", b"x\0SELECT $1\0\0\0",
        b"\0\0" + struct.pack("!hhi", 0, 1, 2**31 - 1), struct.pack("!hhh", -1, -1, -1) * 3,
        b"S\0", b"P\0", b"\0" + struct.pack("!i", -5), b"COPY t FROM STDIN\0", b"BEGIN\0",
        b"\xff\xfe\0", b"SELECT '" + b"a" * 5000, b"\0COPY t TO STDOUT\0\0\0",
    ))  # fmt: skip
    kind = chance.choice(b"QPBDECSHFXdcfpr\x00zT").to_bytes(1, "big")
    if chance.random() < 0.15:
        return kind + struct.pack("!i", chance.choice(LENGTHS)) + body
    return message(kind, body)


def fuzz(served: Served, seed: int, times: int) -> None:
    chance = random.Random(seed)
    for _ in range(times):
        with served.raw() as raw:
            quietly(lambda raw=raw: raw.sendall(nonsense(chance)))
            quietly(lambda raw=raw: raw.shutdown(socket.SHUT_WR))
            assert b"hidden" not in drained(raw)


def fuzz_within(served: Served, seed: int, times: int) -> None:
    chance = random.Random(seed)
    for _ in range(times):
        raw = Raw(served)
        data = b"".join(strange(chance) for _ in range(chance.randrange(1, 9)))
        quietly(lambda raw=raw, data=data: raw.sendall(data))
        quietly(lambda raw=raw: raw.shutdown(socket.SHUT_WR))
        drained(raw)
        raw.close()


def test_nonsense_before_the_log_in(served: Served) -> None:
    fuzz(served, 1, 60)
    assert answers(served)


def test_nonsense_after_the_log_in(served: Served) -> None:
    fuzz_within(served, 2, 25)
    assert answers(served)
    with connect(served) as con:
        assert con.execute("SELECT count(*) FROM secret").fetchone() == (1,)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_length_that_cannot_be(served: Served, length: int) -> None:
    before = served.memory_mb
    with served.raw() as raw:
        raw.sendall(struct.pack("!i", length))
        if length in (5, 2**16):
            raw.shutdown(socket.SHUT_WR)
        drained(raw)
    raw = Raw(served)
    raw.sendall(b"Q" + struct.pack("!i", length) + b"SELECT 1\0")
    quietly(lambda: raw.shutdown(socket.SHUT_WR))
    told = drained(raw)
    assert length < 2**20 or b"54000" in told or b"08P01" in told
    raw.close()
    assert served.memory_mb < before + 40
    assert answers(served)


def test_garbage_in_tls(served: Served) -> None:
    request = struct.pack("!ii", 8, 80877103)
    for garbage in (b"", b"\0" * 50, b"\x16\x03\x01\xff\xff" + b"a" * 600, b"Q" * 20000):
        with served.raw() as raw:
            raw.sendall(request)
            assert raw.recv(1) == b"S"
            quietly(lambda raw=raw, garbage=garbage: raw.sendall(garbage))
            quietly(lambda raw=raw: raw.shutdown(socket.SHUT_WR))
            drained(raw)
    with served.raw() as raw:  # what was sent in the clear before the handshake is no statement
        raw.sendall(request + startup(user="ada"))
        assert b"R\0\0\0" not in drained(raw)
    with served.raw() as raw:
        raw.sendall(request)
        raw.recv(1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        wrapped = context.wrap_socket(raw)
        quietly(lambda: wrapped.sendall(b"\xff" * 5000))
        drained(wrapped)
        wrapped.close()
    assert answers(served)


# Slow, many, gone ---------------------------------------------------------------------------------


def test_clients_that_dawdle_are_sent_away(served: Served) -> None:
    start = time.monotonic()
    slow = [served.raw() for _ in range(30)]
    for number, raw in enumerate(slow):
        quietly(lambda raw=raw, n=number: raw.sendall(startup(user="ada")[: n % 9]))
    assert answers(served)  # they hold up nobody
    for raw in slow:
        while time.monotonic() < start + 60:  # a byte now and then does not help
            try:
                raw.settimeout(0.2)
                if raw.recv(4096) == b"":
                    break
            except TimeoutError:
                quietly(lambda raw=raw: raw.sendall(b"\0"))
            except OSError:
                break
        else:
            pytest.fail("a client that never logs in stays")
        raw.close()
    assert answers(served)


def test_a_client_that_does_not_read_holds_up_nobody(served: Served) -> None:
    raw = Raw(served)
    raw.sendall(message(b"Q", b"SELECT repeat('a', 1000) FROM range(300000)\0"))
    for _ in range(5):
        assert answers(served)
    raw.close()
    assert answers(served)


def storm(served: Served, times: int) -> None:
    for number in range(times):
        with contextlib.suppress(OSError), served.raw() as raw:
            if number % 3 == 1:
                raw.sendall(startup(user="ada", database="agent"))
            elif number % 3 == 2:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_connections_that_come_and_go(served: Served) -> None:
    assert answers(served)
    settle(served)
    before, memory = served.descriptors, served.memory_mb
    threads = [threading.Thread(target=storm, args=(served, 150)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: answers(served))
    settle(served)
    assert served.descriptors <= before + 5
    assert served.memory_mb < memory + 40


def test_too_many_clients_are_told(served: Served) -> None:
    held = []
    try:
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            for _ in range(80):
                held.append(connect(served, sslmode="disable"))
        assert len(held) > 40
    finally:
        for con in held:
            con.close()
    eventually(lambda: answers(served))


@pytest.mark.slow
def test_wrong_passwords_at_speed(served: Served) -> None:
    refused: list[str] = []

    def guess(number: int) -> None:
        for n in range(2):
            try:
                psycopg.connect(
                    host="127.0.0.1",
                    port=served.ports["pg"],
                    dbname="agent",
                    user=("ada", "nobody")[n % 2],
                    password=f"guess {number} {n}",
                    sslmode="disable",
                ).close()
                refused.append("let in")
            except psycopg.OperationalError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=guess, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 8
    assert all("password authentication failed" in text or "timeout" in text for text in refused)
    eventually(lambda: answers(served))  # who knows the password comes in, later


def test_a_client_that_is_killed_in_its_transaction(served: Served) -> None:
    code = (
        "import psycopg, sys, time\n"
        "con = psycopg.connect(sys.argv[1])\n"
        "con.execute('DELETE FROM t')\n"
        "{}\n"
        "print('ready', flush=True)\ntime.sleep(600)"
    )
    copying = (
        "entered = con.cursor().copy('COPY t FROM STDIN')\n"
        "copy = entered.__enter__()\n"
        "[copy.write_row((n, 'x')) for n in range(100000, 120000)]"
    )
    with connect(served) as con:
        con.execute("DELETE FROM t")
        con.execute("INSERT INTO t SELECT range, 'kept' FROM range(100)")
        for more in ("con.execute(\"INSERT INTO t VALUES (999, 'lost')\")", copying):
            child = subprocess.Popen(
                [sys.executable, "-c", code.format(more), dsn(served)], stdout=subprocess.PIPE
            )
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            child.kill()
            child.wait()
            child.stdout.close()
            con.execute("INSERT INTO t VALUES (500, 'next')")  # the writer is free again
            con.execute("DELETE FROM t WHERE id = 500")
            assert con.execute("SELECT count(*), max(id) FROM t").fetchone() == (100, 99)


def test_a_long_statement_is_cancelled(served: Served) -> None:
    with connect(served) as con:
        canceller = threading.Timer(0.5, con.cancel)
        canceller.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            con.execute("SELECT count(*) FROM range(1000000000000)")
        assert con.execute("SELECT 1").fetchone() == (1,)


def test_sql_in_names_and_values(served: Served) -> None:
    evil = ["'; DROP TABLE t; --", '"; DELETE FROM t; --', "\\'; DROP TABLE t", "a\x01b", "?$1:x%s"]
    with connect(served) as con:
        con.execute("DELETE FROM t")
        for n, text in enumerate(evil):
            con.execute("INSERT INTO t VALUES (%s, %s)", (n, text))
            name = psycopg.sql.Identifier(text)
            with pytest.raises(psycopg.Error):
                con.execute(psycopg.sql.SQL("SELECT {} FROM t, {}").format(name, name))
        found = con.execute("SELECT v FROM t ORDER BY id").fetchall()
        assert [v for (v,) in found] == evil


# The other ports ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """HTTP and quack, in the clear."""
    pytest.importorskip("uvicorn", reason="HTTP's framework is not installed: pip install [serve]")
    pytest.importorskip("starlette", reason="HTTP's framework is not installed")
    path = prepared(tmp_path_factory.mktemp("others") / "agent.db")
    made = Served(
        path, "--max-message-mb", "1", "--login-timeout", str(LOGIN_S), "--max-connections", "60",
        protocols=("http", "quack"),
    )  # fmt: skip
    yield made
    assert made.process.poll() is None, made.log.read_text()
    assert made.stop() == 0


def asked(others: Served, sql: str = "SELECT 40 + 2 AS n") -> Any:
    """The answer of POST /sql to a client with manners."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{others.ports['http']}/sql",
        json.dumps({"sql": sql}).encode(),
        {
            "Content-Type": "application/json",
            "Authorization": "Basic " + base64.b64encode(b"ada:x").decode(),
        },
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def web_nonsense(chance: random.Random) -> bytes:
    """Bytes that begin as a request may."""
    head = b"POST /%s HTTP/1.1\r\nHost: x\r\n" % chance.choice((b"sql", b"quack", b"\xff", b"../x"))
    return chance.choice((
        chance.randbytes(300),
        head[: chance.randrange(30)],
        head + b"Content-Length: 2147483647\r\n\r\n" + chance.randbytes(100),
        head + b"Content-Length: -5\r\n\r\n{}",
        head + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\n{}",
        head + b"Transfer-Encoding: chunked\r\n\r\nffffffffffff\r\nx",
        head + b"Content-Length: 40\r\n\r\n" + chance.randbytes(40),
        head + b"Authorization: Basic \xff\xfe\r\nContent-Length: 0\r\n\r\n",
        head + b"A: " + b"a" * 100_000,
        b"\x16\x03\x01" + chance.randbytes(200),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + chance.randbytes(50),
    ))  # fmt: skip


@pytest.mark.parametrize("protocol", ["http", "quack"])
def test_nonsense_at_the_other_ports(others: Served, protocol: str) -> None:
    assert asked(others)
    settle(others)
    chance, before, memory = random.Random(3), others.descriptors, others.memory_mb
    for _ in range(80):
        with others.raw(protocol) as raw:
            data = web_nonsense(chance)
            quietly(lambda raw=raw, data=data: raw.sendall(data))
            quietly(lambda raw=raw: raw.shutdown(socket.SHUT_WR))
            assert b"hidden" not in drained(raw)
    assert "42" in json.dumps(asked(others))
    settle(others)
    assert others.descriptors <= before + 5
    assert others.memory_mb < memory + 60


@pytest.mark.parametrize("protocol", ["http", "quack"])
def test_dawdlers_at_the_other_ports_hold_up_nobody(others: Served, protocol: str) -> None:
    slow = [others.raw(protocol) for _ in range(40)]
    for raw in slow:
        raw.sendall(b"POST /sql HTTP/1.1\r\nHost: x\r\nContent-Le")
    assert "42" in json.dumps(asked(others))
    for raw in slow:
        raw.close()
    assert "42" in json.dumps(asked(others))


# Death --------------------------------------------------------------------------------------------

WRITER = """
import psycopg, sys
con = psycopg.connect(sys.argv[1], autocommit=True)
n = int(sys.argv[2])
try:
    while True:
        con.execute("INSERT INTO t VALUES (%s, 'x')", (n,), prepare=True)
        print(n, flush=True)
        n += 10
except psycopg.Error:
    pass
"""


def die_under_load(path: Path, rounds: int) -> None:
    """Kill the server -9 while many write; what a client was told is there is there."""
    acknowledged: set[int] = set()
    for number in range(rounds):
        served = Served(path, "--max-connections", "60")
        clients = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, dsn(served), str(1_000_000 * number + n)],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )
            for n in range(3)
        ]  # fmt: skip
        for client in clients:
            assert client.stdout is not None
            acknowledged.add(int(client.stdout.readline()))
        time.sleep(0.5)
        served.stop(signal.SIGKILL)
        for client in clients:
            out, _ = client.communicate(timeout=60)
            acknowledged |= {int(line) for line in out.splitlines() if line.strip()}
        with sqlagent.connect(path) as con:
            kept = {row[0] for row in con.execute("SELECT id FROM t").fetchall()}
            assert acknowledged <= kept
            assert all(row[1] for row in con.execute("CALL check()").fetchall())
    assert len(acknowledged) > 5 * rounds


def test_killed_under_load_it_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    die_under_load(prepared(tmp_path / "agent.db"), 1)


@pytest.mark.slow
def test_killed_under_load_again_and_again(tmp_path: Path) -> None:
    die_under_load(prepared(tmp_path / "agent.db"), 15)


# Long ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_memory_and_descriptors_are_flat(served: Served) -> None:
    """Storms, nonsense, and work, again and again: after the first rounds nothing grows."""
    marks = []
    for number in range(12):
        storm(served, 300)
        fuzz(served, 100 + number, 150)
        fuzz_within(served, 200 + number, 40)
        for _ in range(20):
            with connect(served) as con:
                con.execute("SELECT count(*), median(range) FROM range(10000)").fetchone()
                con.execute("INSERT INTO t VALUES ((SELECT coalesce(max(id), 0) + 1 FROM t), 'y')")
        eventually(lambda: answers(served))
        settle(served)
        marks.append((served.memory_mb, served.descriptors))
    early, late = marks[3], marks[-1]
    assert late[0] < early[0] * 1.1 + 10, marks
    assert late[1] <= early[1] + 5, marks


def eventually(true: Callable[[], bool], within_s: float = 60.0) -> None:
    """Wait until something is so: a place is free again once its client's end was seen."""
    end = time.monotonic() + within_s
    while True:
        with contextlib.suppress(psycopg.Error, OSError):
            if true():
                return
        assert time.monotonic() < end
        time.sleep(0.1)


def settle(served: Served, within_s: float = 30.0) -> None:
    """Wait until the server has let go of what left."""
    end = time.monotonic() + within_s
    last, same = -1, 0
    while time.monotonic() < end and same < 5:
        now = served.descriptors
        same = same + 1 if now == last else 0
        last = now
        time.sleep(0.1)
