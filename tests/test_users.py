"""Users: verifiers in PostgreSQL's form, grants in the file, the commands, and limits."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sqlagent
from sqlagent.cli import main
from sqlagent.serve import scram, users
from sqlagent.serve.limits import (
    ADDRESSES_MAX,
    DELAY_MAX_S,
    Admission,
    Failures,
    Limits,
    TooManyConnections,
)
from sqlagent.serve.server import Server

# The exchange of RFC 7677, section 3: user "user", password "pencil".
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
AUTH = (
    f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={NONCE}"
).encode()


def test_the_exchange_of_rfc_7677() -> None:
    made = scram.make("pencil", salt=SALT)
    signature = hmac.digest(made.server_key, AUTH, "sha256")
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    mask = hmac.digest(made.stored_key, AUTH, "sha256")
    client_key = bytes(a ^ b for a, b in zip(proof, mask, strict=True))
    assert hashlib.sha256(client_key).digest() == made.stored_key


@given(st.text(min_size=1))
def test_a_verifier_fits_its_password_alone(password: str) -> None:
    made = scram.make(password, iterations=1)
    assert scram.parse(str(made)) == made
    assert made.fits(password)
    assert not made.fits(password + "x")


@pytest.mark.parametrize(
    ("one", "other"),
    [("I\u00adX", "IX"), ("\u00aa", "a"), ("\u2168", "IX"), ("a\u00a0b", "a b"), ("\u3000", " ")],
)
def test_saslprep(one: str, other: str) -> None:
    assert scram.prepared(one) == scram.prepared(other) == other.encode()


@pytest.mark.parametrize("text", ["\u0007é", "\u0627\u0031", "\u00adé\ue000", "\U000e0001é"])
def test_what_saslprep_forbids_is_taken_as_it_is(text: str) -> None:
    assert scram.prepared(text) == text.encode()


@pytest.mark.parametrize(
    "text", ["", "x", "md5abc", "SCRAM-SHA-256$4096:c2FsdA==$eA==:eA==", "SCRAM-SHA-256$0:a$b:c"]
)
def test_what_is_no_verifier(text: str) -> None:
    assert scram.parse(text) is None


def test_unknown_users_look_like_known_ones(fresh_db: Path) -> None:
    with sqlagent.connect(fresh_db) as con:
        con.execute("CREATE USER 林 PASSWORD '密码'")
        known, unknown = (users.authenticate_scram(con, n) for n in ("林", "nobody"))
        assert (known.iterations, len(known.salt)) == (unknown.iterations, len(unknown.salt))
        assert users.authenticate_scram(con, "nobody") == unknown
        assert users.authenticate_scram(con, "林") == known
        errors = []
        for name, password in (("林", "wrong"), ("nobody", "密码")):
            with pytest.raises(users.AuthenticationError) as caught:
                users.verify_password(con, name, password)
            errors.append((str(caught.value).replace(name, ""), caught.value.sqlstate))
        assert errors[0] == errors[1]
        assert errors[0][1] == "28P01"
        assert users.verify_password(con, "林", "密码").role == "reader"
        secret = Path(str(fresh_db) + ".d") / "serve.secret"
        assert secret.stat().st_mode & 0o77 == 0
    with sqlagent.connect(fresh_db) as con:
        assert users.authenticate_scram(con, "nobody") == unknown


def test_a_password_that_changed_is_not_remembered(fresh_db: Path) -> None:
    with sqlagent.connect(fresh_db) as con:
        con.execute("CREATE USER ada PASSWORD 'old'")
        found = users.authenticator(con)
        assert found.token("ada:old").name == "ada"
        con.execute("ALTER USER ada PASSWORD 'new:er'")
        with pytest.raises(users.AuthenticationError):
            found.password("ada", "old")
        assert found.token("ada:new:er").name == "ada"
        con.execute("ALTER USER ada NOLOGIN")
        with pytest.raises(users.AuthenticationError):
            found.password("ada", "new:er")
        with pytest.raises(users.AuthenticationError):
            found.token("ada")


def test_the_file_keeps_no_password(fresh_db: Path) -> None:
    with sqlagent.connect(fresh_db) as con:
        con.execute("CREATE USER ada PASSWORD 'correct horse battery'")
        con.execute("SELECT alter_user('ada', password => ?)", ("correct horse staple",))
    for file in (fresh_db, *fresh_db.parent.rglob("*")):
        if file.is_file():
            assert b"correct horse" not in file.read_bytes()


def test_grants_narrow_and_never_widen_by_a_revoke(fresh_db: Path) -> None:
    with sqlagent.connect(fresh_db) as con:
        con.execute("CREATE USER ada PASSWORD 'x' ROLE writer")
        accounts = users.FileAccounts(con)

        def now() -> Any:
            return accounts.principal("ada")

        assert (now().grants, now().agents) == (None, None)
        con.execute("GRANT SELECT ON memories TO ada")
        con.execute("GRANT USE ON AGENT 'a', 'b' TO ada")
        assert now().tables == {"memories"}
        assert now().agents == {"a", "b"}
        assert not now().may("insert", "memories")
        con.execute("REVOKE ALL ON Memories FROM ada")
        con.execute("REVOKE USE ON AGENT 'a', 'b' FROM ada")
        assert (now().grants, now().agents) == (frozenset(), frozenset())
        con.execute("DROP USER ada")
        con.execute("CREATE USER ada")
        assert con.execute("SELECT count(*) FROM sqlagent_grants").fetchall() == [(0,)]
        assert now().grants is None


def test_a_foreign_client_keeps_the_rules(fresh_db: Path) -> None:
    sqlagent.connect(fresh_db).close()
    script = (
        "INSERT INTO sqlagent_users (name) VALUES ('ada');"
        "INSERT INTO sqlagent_grants (user_name, kind, object, privilege)"
        " VALUES ('ada', 'agent', 'x', 'use');"
        "UPDATE sqlagent_users SET name = 'eve';"
        "SELECT name, every_agent, user_name FROM sqlagent_users, sqlagent_grants;"
    )
    run = subprocess.run(
        [sys.executable, "-c",
         "import sqlite3, sys\ncon = sqlite3.connect(sys.argv[1])\n"
         "for part in sys.argv[2].split(';')[:-1]: rows = con.execute(part).fetchall()\n"
         "print(rows)\ncon.commit()",
         str(fresh_db), script],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout.strip() == "[('eve', 0, 'eve')]"
    for wrong in (
        "INSERT INTO sqlagent_users (name, role) VALUES ('x', 'owner')",
        "INSERT INTO sqlagent_users (name, verifier) VALUES ('x', 'password')",
        "INSERT INTO sqlagent_grants VALUES ('nobody', 'agent', 'x', 'use', '2030-01-01')",
        "INSERT INTO sqlagent_grants VALUES ('eve', 'table', 'x', 'use', '2030-01-01')",
    ):
        with sqlagent.connect(fresh_db) as con, pytest.raises(sqlagent.IntegrityError):
            con.execute(wrong)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("CREATE USER a:b", 'expected PASSWORD, ROLE or LOGIN, not ":"'),
        ('CREATE USER "a:b"', "no colon"),
        ("CREATE USER x PASSWORD ''", "a password is not empty"),
        ("CREATE USER x ROLE owner", 'expected reader, writer or admin, not "owner"'),
        ("CREATE USER ada", 'the user "ada" exists'),
        ("ALTER USER adda ROLE writer", 'there is no user "adda"'),
        ("DROP USER nobody", 'there is no user "nobody"'),
        ("GRANT SELECT ON memoris TO ada", 'unknown table "memoris"'),
        ("GRANT DROP ON memories TO ada", "expected SELECT, INSERT, UPDATE, DELETE or ALL"),
        ("GRANT SELECT ON memories TO ada, ", "expected a user"),
        ("SELECT grant_table('ada', 'memories', 'drop')", "a privilege is one of"),
        ("SELECT create_user('x', role => 'owner')", "a role is one of reader, writer, admin"),
        ("SELECT alter_user('ada', rows_max => -1)", "rows_max is a whole number from 0, not -1"),
        ("REVOKE SELECT ON memories FROM ada", "one cannot be taken away"),
        ("REVOKE USE ON AGENT 'x' FROM ada", "one cannot be taken away"),
    ],
)
def test_what_is_wrong_is_said(fresh_db: Path, sql: str, message: str) -> None:
    with sqlagent.connect(fresh_db) as con:
        con.execute("CREATE USER ada")
        before = con.execute("SELECT * FROM sqlagent_users").fetchall()
        with pytest.raises(sqlagent.Error, match=message.replace("(", r"\(")):
            con.execute(sql)
        assert con.execute("SELECT * FROM sqlagent_users").fetchall() == before


def test_statements_of_users_give_no_rows(fresh_db: Path) -> None:
    with sqlagent.connect(fresh_db) as con:
        for sql in ("CREATE USER ada WITH ENCRYPTED PASSWORD 'x' CONNECTION LIMIT 3 LOGIN",
                    "ALTER ROLE ada WITH NOLOGIN", "GRANT writer TO ada", "REVOKE writer FROM ada",
                    "DROP USER IF EXISTS nobody"):  # fmt: skip
            assert con.execute(sql).description is None
        assert con.execute(
            "SELECT role, can_log_in, connections_max FROM sqlagent_users"
        ).fetchall() == [("reader", False, 3)]


# The command --------------------------------------------------------------------------------------


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import sys; from sqlagent.cli import main; sys.exit(main())",
         *arguments],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False,
    )  # fmt: skip


def test_the_command(
    fresh_db: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        status = main(arguments)
        shown = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, status, shown.out, shown.err)

    monkeypatch.setattr("sys.stdin", io.StringIO())
    file = str(fresh_db)
    sqlagent.connect(fresh_db).close()
    secret = tmp_path / "secret"
    secret.write_text("s3cret\r\nsecond line\n")
    assert command("users", file, "add", "ada", "--role", "writer", "--password-file", str(secret),
                   "--agent", "a", "--table", "memories").returncode == 0  # fmt: skip
    assert command("users", file, "grant", "ada", "select", "--table", "documents").returncode == 0
    assert command("users", file, "revoke", "ada", "delete", "--table", "memories").returncode == 0
    listed = json.loads(command("users", file, "list", "--format", "json").stdout)
    assert [(r["name"], r["role"], r["logs_in"], r["agents"]) for r in listed] == [
        ("ada", "writer", "yes", "a")
    ]
    assert sorted(listed[0]["tables"].split("; ")) == [
        "documents: select", "memories: insert, select, update"
    ]  # fmt: skip
    with sqlagent.connect(fresh_db) as con:
        assert users.verify_password(con, "ada", "s3cret").name == "ada"
    secret.write_text("other")
    assert command("users", file, "password", "ada", "--password-file", str(secret)).returncode == 0
    with sqlagent.connect(fresh_db) as con:
        assert users.verify_password(con, "ada", "other").name == "ada"
    assert command("users", file, "remove", "ada").returncode == 0
    again = command("users", file, "remove", "ada")
    assert (again.returncode, again.stderr) == (1, 'error: there is no user "ada"\n')
    for arguments, message in (
        (["add", "eve"], "no terminal to ask for the password on"),
        (["add", "eve", "--password-file", str(tmp_path / "nosuch")], "no password in"),
        (["grant", "eve"], "nothing to grant"),
        (["add", "eve", "--role", "owner"], "invalid choice"),
    ):
        wrong = command("users", file, *arguments)
        assert wrong.returncode == 2
        assert message in wrong.stderr
    assert command("users", str(tmp_path / "nosuch.db"), "list").returncode == 2


# Limits -------------------------------------------------------------------------------------------


def test_places_are_counted_and_given_back() -> None:
    admission = Admission(Limits(connections=2, connections_per_user=1))
    ada = users.Principal("ada")
    with admission.enter("a") as first, admission.enter("b") as second:
        with pytest.raises(TooManyConnections) as caught:
            admission.enter("c")
        assert caught.value.sqlstate == "53300"
        first.login(ada)
        with pytest.raises(TooManyConnections, match="ada"):
            second.login(ada)
        first.leave()
        first.leave()
        second.login(ada)
        assert admission.count == 1
    assert admission.count == 0
    with admission.enter() as visit:
        visit.login(users.Principal("ada", connections_max=5))


def test_wrong_passwords_come_later_and_take_no_memory() -> None:
    failures = Failures()
    delays = []
    for _ in range(12):
        delays.append(failures.delay("1.2.3.4"))
        failures.failed("1.2.3.4")
    assert delays[:3] == [0.0, 0.0, 0.0]
    assert delays[3:] == sorted(delays[3:])
    assert delays[-1] == DELAY_MAX_S
    assert failures.delay("5.6.7.8") == 0.0
    failures.succeeded("1.2.3.4")
    assert failures.delay("1.2.3.4") == 0.0
    for n in range(ADDRESSES_MAX + 50):
        failures.failed(str(n))
    assert len(failures._known) == ADDRESSES_MAX


def test_sessions_follow_what_is_granted(fresh_db: Path) -> None:
    server = Server(str(fresh_db), limits=Limits(rows=100, statement_timeout_ms=5000))
    try:
        owner = server.owner
        owner.execute("CREATE USER ada PASSWORD 'x' ROLE writer ROWS LIMIT 3")
        con = server.login("ada", "x", "local")
        assert server.admission.count == 1
        with pytest.raises(sqlagent.Error, match="more than 3 rows"):
            con.execute("SELECT * FROM range(9)").fetchall()
        con.execute("SELECT remember('bob', 'x')")
        con.execute("SET statement_timeout_ms = 0")
        assert con.execute("SHOW statement_timeout_ms").fetchall()[0][1] == "5000"
        owner.execute("GRANT USE ON AGENT 'ada' TO ada")
        wait_for(lambda: con.execute("SELECT count(*) FROM memories").fetchall() == [(0,)])
        command("users", str(fresh_db), "grant", "ada", "--agent", "*")  # by another process
        wait_for(lambda: con.execute("SELECT count(*) FROM memories").fetchall() == [(1,)])
        owner.execute("ALTER USER ada ROLE reader")
        wait_for(lambda: fails(con, "SELECT remember('ada', 'y')") == "42501")
        owner.execute("DROP USER ada")
        wait_for(lambda: fails(con, "SELECT 1") == "57P01")
        con.close()
        assert server.admission.count == 0
        with pytest.raises(users.AuthenticationError):
            server.login("ada", "x", "local")
        assert server.admission.count == 0
    finally:
        server.close()


def wait_for(true: Any, within_s: float = 10.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def fails(con: sqlagent.Connection, sql: str) -> str:
    try:
        con.execute(sql).fetchall()
    except sqlagent.Error as error:
        return str(error.sqlstate)
    return ""


# Beside PostgreSQL --------------------------------------------------------------------------------

PASSWORDS = [
    "pencil",
    "pass word",
    "密码",
    "I\u00adX",
    "\u00aa",
    "a\u00a0b",
    "é\u0007",
    "ﬁ",
    "Ⅸ",
    "שלום",
]


@pytest.mark.slow
def test_verifiers_are_those_of_postgresql(tmp_path: Path) -> None:
    initdb = shutil.which("initdb") or "/usr/lib/postgresql/15/bin/initdb"
    if not Path(initdb).exists():
        pytest.skip("no PostgreSQL here to compare with")
    postgres = str(Path(initdb).resolve().parent / "postgres")
    data = tmp_path / "data"
    as_other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if not shutil.which("setpriv"):
        pytest.skip("no setpriv: PostgreSQL does not run as root")
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and folder != Path("/") and str(folder) != "/tmp":
            folder.chmod(0o755)
    data.mkdir()
    shutil.chown(data, 65534, 65534)
    subprocess.run(
        [*as_other, initdb, "-D", str(data), "-E", "UTF8", "--locale=C.UTF-8", "-N", "-U", "pg"],
        check=True, capture_output=True,
    )  # fmt: skip
    script = (
        "".join(f"CREATE ROLE r{n} PASSWORD '{p}';\n" for n, p in enumerate(PASSWORDS))
        + "SELECT rolname || '=' || rolpassword FROM pg_authid WHERE rolname ~ '^r[0-9]';\n"
    )
    run = subprocess.run(
        [*as_other, postgres, "--single", "-D", str(data), "postgres"],
        input=script, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = [
        line.split('"')[1] for line in run.stdout.splitlines() if "=SCRAM" in line.replace(" ", "")
    ]
    assert len(found) == len(PASSWORDS)
    for entry in found:
        name, _, text = entry.partition("=")
        verifier = scram.parse(text)
        assert verifier is not None
        assert verifier.fits(PASSWORDS[int(name[1:])]), PASSWORDS[int(name[1:])]
