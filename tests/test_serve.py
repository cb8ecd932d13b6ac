"""`sqlagent serve`: what it listens on, what it refuses, and how it ends."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import sqlagent
from sqlagent.cli import main
from sqlagent.errors import OperationalError, ProgrammingError
from sqlagent.serve import command, tls
from sqlagent.serve.command import Place
from tests.served import Served

psycopg = pytest.importorskip("psycopg", reason="psycopg, the client, is not installed")


@pytest.fixture
def file(fresh_db: Path) -> Path:
    """A file with a user who may write."""
    with sqlagent.connect(fresh_db) as con:
        con.execute("CREATE USER ada PASSWORD 'x' ROLE writer")
        con.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    return fresh_db


def connect(served: Served, **more: Any) -> Any:
    return psycopg.connect(
        host="127.0.0.1", port=served.ports["pg"], user="ada", password="x", dbname="agent",
        autocommit=True, **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1:5432", ("127.0.0.1", 5432)),
        (":5432", ("127.0.0.1", 5432)),
        ("5432", ("127.0.0.1", 5432)),
        ("[::1]:5432", ("::1", 5432)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        ("db.example:80", ("db.example", 80)),
    ],
)
def test_places(text: str, place: tuple[str, int]) -> None:
    assert command.place("pg", text)[1:] == place


@pytest.mark.parametrize("text", ["", "host", "host:", "h:99999", "h:-1", "h:x", "h:²"])
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(ProgrammingError, match="takes HOST:PORT"):
        command.place("pg", text)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.5", "db.example", "::ffff:10.0.0.1", "", "127.0.0.1.evil"]
)
def test_a_wider_address_needs_tls_and_a_user(host: str) -> None:
    for has_tls, has_users in ((False, False), (True, False), (False, True)):
        with pytest.raises(OperationalError, match="needs TLS and a user"):
            command.check_places([Place("pg", host, 1)], has_tls=has_tls, has_users=has_users)
    command.check_places([Place("pg", host, 1)], has_tls=True, has_users=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "/run/x"])
def test_this_machine_needs_neither(host: str) -> None:
    command.check_places([Place("pg", host, 1)], has_tls=False, has_users=False)


def test_what_the_command_refuses(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    nobody = tmp_path / "nobody.db"
    sqlagent.connect(nobody).close()
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    for arguments, status, message in (
        ([str(file)], 2, "nothing to listen on"),
        ([str(tmp_path / "nosuch.db"), "--pg", ":0"], 2, "no such file"),
        ([str(file), "--pg", "nonsense"], 1, "--pg takes HOST:PORT"),
        ([str(file), "--pg", "0.0.0.0:0"], 1, "there is no TLS"),
        ([str(nobody), "--pg", ":0"], 1, "nobody may log in"),
        ([str(nobody), "--pg", "0.0.0.0:0", "--tls", "self-signed"], 1, "there is no user"),
        ([str(file), "--pg", ":0", "--user", "x"], 2, "go together"),
        ([str(file), "--pg", ":0", "--user", "x", "--password-file", str(empty)], 2, "is empty"),
        ([str(file), "--pg", ":0", "--tls-key", "x"], 2, "which is missing"),
        ([str(file), "--pg", ":0", "--tls-cert", str(empty)], 1, "no certificate and key"),
        ([str(file), "--pg", f":{port}"], 1, "cannot listen on 127.0.0.1"),
        ([str(file), "--pg", ":0", "--max-connections", "-1"], 2, "invalid"),
    ):
        assert main(["serve", *arguments]) == status, arguments
        assert message in capsys.readouterr().err
    taken.close()


def test_a_certificate_that_signs_itself(tmp_path: Path) -> None:
    certificate, key = tls.self_signed(str(tmp_path / "d"), "db.example")
    assert tls.self_signed(str(tmp_path / "d"), "db.example") == (certificate, key)
    first = Path(certificate).read_bytes()
    assert Path(key).stat().st_mode & 0o77 == 0
    assert ssl.PEM_cert_to_DER_cert(first.decode()) == tls.der(certificate)
    context = tls.context(certificate, key)
    trusting = ssl.create_default_context(cafile=certificate)
    for name in ("db.example", "localhost"):
        one, other = socket.socketpair()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        answer, ask = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = trusting.wrap_bio(answer, ask, server_hostname=name)
        server = context.wrap_bio(incoming, outgoing, server_side=True)
        for _ in range(6):
            for side in (client, server):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    pass
                incoming.write(ask.read())
                answer.write(outgoing.read())
        assert client.version() == "TLSv1.3"
        one.close()
        other.close()
    tls.self_signed(str(tmp_path / "d"), "other.example")
    assert Path(certificate).read_bytes() != first


def test_openssl_makes_one_where_cryptography_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(names: list[str]) -> tuple[bytes, bytes]:
        raise ImportError

    monkeypatch.setattr(tls, "_by_cryptography", missing)
    if tls.shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    certificate, key = tls.self_signed(str(tmp_path), "db.example")
    tls.context(certificate, key)
    monkeypatch.setattr(tls.shutil, "which", lambda name: None)
    with pytest.raises(OperationalError, match="needs the package cryptography, or openssl"):
        tls.self_signed(str(tmp_path / "other"), "")


def test_it_serves_and_ends(file: Path) -> None:
    served = Served(file, "--tls", "self-signed", "--grace", "10")
    started = served.cpu_s
    assert served.memory_mb < 150
    assert started < 2.0  # of CPU: a wall clock says nothing on a busy machine
    try:
        with connect(served, sslmode="require") as con:
            assert con.execute("SELECT 1 + 1").fetchone() == (2,)
            con.execute("INSERT INTO t VALUES (1, '茶')")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                con.execute("CREATE TABLE u (a int)")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(
                host="127.0.0.1", port=served.ports["pg"], user="ada", password="y", dbname="agent"
            )
    finally:
        assert served.stop() == 0
    with sqlagent.connect(file) as con:
        assert con.execute("SELECT v FROM t").fetchall() == [("茶",)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_statement_that_runs_is_cancelled_after_the_grace(file: Path, number: int) -> None:
    served = Served(file, "--grace", "0.5")
    client = subprocess.Popen(
        [__import__("sys").executable, "-c",
         "import psycopg, sys\ncon = psycopg.connect(sys.argv[1], autocommit=True)\n"
         "con.execute('INSERT INTO t VALUES (7, $$x$$)')\nprint('ready', flush=True)\n"
         "con.execute('SELECT count(*) FROM range(100000000000)')",
         f"host=127.0.0.1 port={served.ports['pg']} user=ada password=x dbname=agent"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        time.sleep(0.3)  # the long statement is on its way
        assert served.stop(number, 30) == 0
        _, errors = client.communicate(timeout=30)
        assert "Error" in errors or "psycopg" in errors
    finally:
        client.kill()
        served.process.kill()
    with sqlagent.connect(file) as con:
        assert con.execute("SELECT id FROM t").fetchall() == [(7,)]


def test_one_user_without_the_table(fresh_db: Path, tmp_path: Path) -> None:
    sqlagent.connect(fresh_db).close()
    secret = tmp_path / "secret"
    secret.write_text("x\n")
    served = Served(fresh_db, "--user", "ada", "--password-file", str(secret))
    try:
        with connect(served) as con:
            assert con.execute("SELECT remember('a', 'b')").fetchone() == (1,)
    finally:
        served.stop()


def test_the_owner_of_the_server_needs_no_password_on_its_socket(
    fresh_db: Path, tmp_path: Path
) -> None:
    sqlagent.connect(fresh_db).close()
    folder = Path("/tmp") / f"sqlagent-{fresh_db.parent.name[-20:]}"  # a socket's path is short
    folder.mkdir(exist_ok=True)
    try:
        served = Served(fresh_db, "--pg-socket", str(folder), protocols=())
        try:
            end = time.monotonic() + 30
            while not list(folder.glob(".s.PGSQL.*")) and time.monotonic() < end:
                time.sleep(0.05)
            with psycopg.connect(host=str(folder), user="root", dbname="agent") as con:
                con.execute("CREATE TABLE made (a int)")
                with pytest.raises(psycopg.Error):
                    con.execute("COPY made TO '/tmp/x'")
        finally:
            served.stop()
    finally:
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()


def test_the_server_starts_without_a_planner() -> None:
    """It takes a tenth of a second and 30 MB: sqlglot, DuckDB and Arrow wait for who needs them."""
    code = (
        "import sys, sqlagent.serve.command, sqlagent.serve.pg.listener; "
        "print(sorted(set(sys.modules) & {'sqlglot', 'duckdb', 'pyarrow', 'numpy', 'starlette'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
