"""How a client of the PostgreSQL protocol comes in: TLS, SCRAM, parameters, limits, the end."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pg_served import Raw, Served, error_of, served

from sqlagent.serve import tls
from sqlagent.serve.limits import Limits
from sqlagent.serve.pg.scram_exchange import end_point

psycopg = pytest.importorskip("psycopg", reason="needs psycopg, of the extra [dev]")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("served")
    certificate, key = tls.self_signed(str(folder / "tls"), "")
    context, der = tls.context(certificate, key), tls.der(certificate)
    with served(folder / "agent.db", tls=context, certificate=der) as found:
        found.certificate = certificate  # type: ignore[attr-defined]  # for sslrootcert
        yield found


def test_a_password_over_tls_bound_to_the_channel(place: Served) -> None:
    with psycopg.connect(**place.ada, sslmode="require", channel_binding="require") as connection:
        assert connection.pgconn.ssl_in_use
        assert connection.execute("SELECT current_user").fetchone() == ("ada",)
    verified = {"sslmode": "verify-full", "sslrootcert": place.certificate, "host": "localhost"}  # type: ignore[attr-defined]
    with psycopg.connect(**{**place.ada, **verified}) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_password_without_tls(place: Served) -> None:
    with psycopg.connect(**place.ada, sslmode="disable") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_who_is_not_let_in(place: Served) -> None:
    for given, state in (
        ({"password": "wrong"}, "password authentication failed"),
        ({"user": "nobody"}, 'password authentication failed for user "nobody"'),
        ({"dbname": "other"}, 'database "other" does not exist'),
    ):
        with pytest.raises(psycopg.OperationalError) as caught:
            psycopg.connect(**{**place.ada, **given})
        assert state in str(caught.value)
    place.server.failures.succeeded("127.0.0.1")


def test_the_owner_needs_no_password_on_the_unix_socket(place: Served) -> None:
    with psycopg.connect(**place.owner) as connection:
        assert connection.execute("SHOW is_superuser").fetchone() == ("on",)


def test_parameters_at_the_start(place: Served) -> None:
    options = "-c statement_timeout=5s --application-name=deep -c unknown_thing=1"
    with psycopg.connect(**place.owner, options=options, client_encoding="LATIN1") as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("5s",)
        assert connection.info.parameter_status("application_name") == "deep"
        assert connection.info.encoding == "iso8859-1"
        assert connection.execute("SELECT 'é'").fetchone() == ("é",)
        connection.rollback()
        connection.execute("RESET statement_timeout")
        assert connection.execute("SHOW statement_timeout").fetchone() == ("5s",)
    raw = Raw(place).login(place, extra_float_digits="2", search_path="public", whatever="x")
    raw.send((b"Q", b"SHOW extra_float_digits\0"))
    assert b"2" in dict(raw.until(b"Z"))[b"D"]
    raw.close()


def packet(code: int, body: bytes = b"") -> bytes:
    return struct.pack("!II", len(body) + 8, code) + body


def plain(place: Served) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", place.port))
    sock.settimeout(10)
    return sock


def test_versions_and_options_are_negotiated(place: Served) -> None:
    sock = plain(place)
    sock.sendall(packet(80877104))
    assert sock.recv(1) == b"N"
    body = b"user\0ada\0database\0agent\0_pq_.wish\0x\0\0"
    sock.sendall(packet(196610, body))
    found = sock.recv(1000)
    assert found[:1] == b"v" and b"_pq_.wish\0" in found
    sock.close()
    sock = plain(place)
    sock.sendall(packet(2 << 16, b"user\0ada\0\0"))
    assert b"0A000" in sock.recv(1000)
    sock.close()


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\3", b"\x7f\xff\xff\xff\0\3\0\0", b"\0\0\0\x09\0\3\0\0x",
     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 50, packet(196608, b"\0"),
     packet(196608, b"user\0")],
)  # fmt: skip
def test_what_is_no_start(place: Served, data: bytes) -> None:
    sock = plain(place)
    sock.sendall(data)
    answer = b""
    try:
        while part := sock.recv(4096):
            answer += part
    except ConnectionResetError:
        pass
    assert answer[:1] in (b"E", b"")
    sock.close()
    with psycopg.connect(**place.ada) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_what_was_sent_before_tls_is_refused(place: Served) -> None:
    sock = plain(place)
    sock.sendall(packet(80877103) + packet(196608, b"user\0ada\0database\0agent\0\0"))
    answer = sock.recv(4096)
    while part := sock.recv(4096):
        answer += part
    assert answer[:1] in (b"S", b"E") and b"unencrypted" in answer
    sock.close()


def test_tls_with_garbage(place: Served) -> None:
    sock = plain(place)
    sock.sendall(packet(80877103))
    assert sock.recv(1) == b"S"
    sock.sendall(os.urandom(300))
    try:
        while sock.recv(4096):
            pass
    except ConnectionResetError:
        pass
    sock.close()
    wrong = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    wrong.check_hostname, wrong.verify_mode = False, ssl.CERT_NONE
    sock = plain(place)
    sock.sendall(packet(80877103))
    assert sock.recv(1) == b"S"
    secure = wrong.wrap_socket(sock)
    secure.sendall(b"\0\0\0\3")
    assert secure.recv(1000)[:1] == b"E"
    secure.close()


def test_cancel_needs_the_secret(place: Served) -> None:
    raw = Raw(place).login(place)
    raw.send((b"Q", b"SELECT pg_backend_pid()\0"))
    row = dict(raw.until(b"Z"))[b"D"]
    pid = int(row[6:])
    sock = plain(place)
    sock.sendall(packet(80877102, struct.pack("!II", pid, 12345)))
    assert sock.recv(10) == b""
    raw.send((b"Q", b"SELECT 1\0"))
    assert raw.kinds() == "TDCZ"
    raw.close()


def test_a_slow_start_ends(tmp_path: Path) -> None:
    limits = Limits(login_s=0.3, connections=2)
    with served(tmp_path / "agent.db", limits=limits) as found:
        slow = plain(found)
        slow.sendall(b"\0\0")
        begun = time.monotonic()
        assert slow.recv(100)[:0] == b"" and time.monotonic() - begun < 5
        slow.close()
        others = [psycopg.connect(**found.owner) for _ in range(2)]
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            psycopg.connect(**found.owner)
        for other in others:
            other.close()
        end = time.monotonic() + 5
        while found.server.admission.count and time.monotonic() < end:
            time.sleep(0.01)
        psycopg.connect(**found.owner).close()


def test_the_end_of_the_server(tmp_path: Path) -> None:
    with served(tmp_path / "agent.db") as found:
        quiet = Raw(found).login(found)
        found.unix.close(0.2)
        kind, body = quiet.message()
        assert kind == b"E" and error_of(body)["C"] == "57P01"
        assert quiet.message() == (b"", b"")
        quiet.close()
        assert not os.path.exists(os.path.join(found.folder, ".s.PGSQL.5432"))


def test_idle_sessions_end_when_they_asked_to(place: Served) -> None:
    raw = Raw(place).login(place, idle_in_transaction_session_timeout="300")
    raw.send((b"Q", b"BEGIN\0"))
    raw.until(b"Z")
    kind, body = raw.message()
    assert kind == b"E" and error_of(body)["C"] == "25P03"
    raw.close()


def test_the_certificate_s_hash_is_by_its_own_signature(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl, to sign with several hashes")
    for name in ("sha256", "sha384", "sha512"):
        made = subprocess.run(
            [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", os.devnull,
             "-subj", "/CN=x", f"-{name}", "-outform", "DER"],
            capture_output=True, check=True, timeout=60,
        ).stdout  # fmt: skip
        assert end_point(made) == hashlib.new(name, made).digest()


def test_psql(place: Served) -> None:
    """The shell itself, over TLS and with a password."""
    psql = shutil.which("psql")
    if psql is None:
        pytest.skip("needs psql, of the package postgresql-client")
    given = place.ada
    environment: dict[str, Any] = {
        **os.environ,
        "PGPASSWORD": given["password"],
        "PGSSLMODE": "require",
    }

    def run(*arguments: str, stdin: str = "") -> str:
        made = subprocess.run(
            [psql, "-X", "-h", "127.0.0.1", "-p", str(place.port), "-U", "ada", "-d", "agent",
             "-v", "ON_ERROR_STOP=1", *arguments],
            env=environment, input=stdin, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert not made.returncode, made.stderr
        return made.stdout

    assert run("-Atc", "SELECT 1, 'é'").strip() == "1|é"
    assert "memories" in run("-c", "\\dt")
    script = "BEGIN;\nSELECT remember('ada', '喜欢茶');\n\\gset id_\nROLLBACK;\n\\echo done\n"
    assert run(stdin=script).strip().endswith("done")
    assert run("-Atc", "SELECT count(*) FROM memories").strip() == "0"
    copied = "COPY memories (agent_id, content) FROM STDIN;\nada\tone\nada\ttwo\n\\.\nSELECT 1;\n"
    assert "COPY 2" in run(stdin=copied)
    listed = run("-Atc", "COPY (SELECT content FROM memories ORDER BY 1) TO STDOUT")
    assert listed == "one\ntwo\n"
