"""The extension for SQLite clients, by the real ones: the sqlite3 shell and Python's own sqlite3.

The library is compiled here, with every warning an error; what a machine lacks is skipped.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from library import ROOT, SHELL, compiled, engines, loading_python

import sqlagent
from sqlagent.functions import functions

pytestmark = pytest.mark.slow

Sql = Callable[..., str]


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    """A file with a few memories."""
    path = tmp_path / "agent.db"
    with sqlagent.connect(path, embedding_model="none") as con:
        for text in ("green tea is fine", "王芳喜欢喝龙井茶", "the parcel is in locker 17"):
            con.execute("SELECT remember('ada', ?)", (text,))
        con.close()
    return path


@pytest.fixture
def sql(library: Path, place: Path, agent: Path) -> Sql:
    """Run statements in the sqlite3 shell; what it prints, errors included."""
    if SHELL is None:
        pytest.skip("no sqlite3 shell")

    def run(*statements: str, file: Path | str = agent, options: tuple[str, ...] = ()) -> str:
        done = subprocess.run(
            [SHELL, *options, str(file)], text=True, capture_output=True, timeout=120,
            input=f".load {library.with_suffix('')}\n"
            + "\n".join(statements) + "\n",
        )  # fmt: skip
        return (done.stdout + done.stderr).strip()

    return run


class Python:
    """A process with Python's own sqlite3 and the extension, told what to do line by line."""

    CODE = """
import sqlite3, sys, threading
con = sqlite3.connect(sys.argv[1], isolation_level=None, check_same_thread=False)
con.enable_load_extension(True)
con.load_extension(sys.argv[2])
print("ready", flush=True)
for line in sys.stdin:
    try:
        print(repr(eval(line)), flush=True)
    except Exception as error:
        print(repr(f"{type(error).__name__}: {error}"), flush=True)
"""

    def __init__(self, file: Path, library: Path) -> None:
        python = loading_python()
        if python is None:
            pytest.skip("no Python whose sqlite3 loads extensions")
        self.process = subprocess.Popen(
            [python, "-c", self.CODE, str(file), str(library)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self.read() == "ready"

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def send(self, code: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(code + "\n")
        self.process.stdin.flush()

    def __call__(self, sql: str, *values: Any) -> Any:
        self.send(f"con.execute({sql!r}, {values!r}).fetchall()")
        return eval(self.read())

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def python(agent: Path, library: Path, place: Path) -> Iterator[Python]:
    made = Python(agent, library)
    yield made
    made.close()


# What works ---------------------------------------------------------------------------------------


def test_the_shell_recalls(sql: Sql) -> None:
    assert sql("SELECT content FROM recall('ada', 'parcel') WHERE k = 1;") == (
        "the parcel is in locker 17"
    )
    assert sql("SELECT content FROM recall('ada', '龙井茶', 1);") == "王芳喜欢喝龙井茶"
    assert "ada|the parcel is in locker 17" in sql(
        "SELECT a.agent_id, r.content FROM recall(a.agent_id, 'parcel') r, agents a WHERE r.k = 1;"
    )
    counted = "sqlagent('SELECT count(*) AS n FROM memories WHERE agent_id = ?', 'ada')"
    assert sql(f"SELECT {counted}, {counted}->>'$[0].n';") == '[{"n": 3}]|3'


def test_what_writes_writes(sql: Sql, agent: Path) -> None:
    assert sql("SELECT remember('ada', '新的记忆', 'semantic');") == "4"
    assert sql("SELECT value FROM remember('ada', 'by name') WHERE importance = 0.9;") == "5"
    with sqlagent.connect(agent) as con:
        rows = con.execute("SELECT content, kind, importance FROM memories WHERE memory_id > 3")
        assert rows.fetchall() == [("新的记忆", "semantic", 0.5), ("by name", "episodic", 0.9)]
        con.close()
    assert sql("SELECT forget('ada', 30, 0.1, 1);") == "0"


def test_every_function_is_there(sql: Sql) -> None:
    modules = set(sql("SELECT name FROM pragma_module_list;").splitlines())
    assert functions().keys() <= modules
    scalars = {name for name, one in functions().items() if one.kind != "table"}
    assert scalars <= set(sql("SELECT DISTINCT name FROM pragma_function_list;").splitlines())


def test_an_argument_with_the_name_of_a_column_ends_in_an_underscore(sql: Sql) -> None:
    sql("SELECT remember('ada', 'parcels are heavy', 'semantic');")
    first = "SELECT kind FROM recall('ada', 'where is the parcel?') WHERE k = 1"
    assert sql(f"{first};") == "episodic"
    assert sql(f"{first} AND kind_ = 'semantic';") == "semantic"  # filters before the ranking
    assert sql(f"{first} AND kind = 'semantic';") == ""  # and after it, as any condition does


def test_lateral_joins_whatever_the_order(sql: Sql) -> None:
    for source in ("q, recall('ada', q.word) r", "recall('ada', q.word) r, q"):
        rows = sql(
            "CREATE TEMP TABLE q (word TEXT); INSERT INTO q VALUES ('tea'), ('parcel'), (NULL);",
            f"SELECT q.word || ': ' || r.content FROM {source} WHERE r.k = 1 ORDER BY 1;",
        )
        assert rows.splitlines() == ["parcel: the parcel is in locker 17", "tea: green tea is fine"]


def test_errors_come_whole(sql: Sql) -> None:
    said = sql("SELECT * FROM neighbors('nobody at all');")
    assert 'unknown entity "nobody at all"\nhint: SELECT name FROM entities lists them.' in said
    assert "k is a whole number from 0, not -1" in sql("SELECT * FROM recall('ada', 'tea', -1);")
    said = sql("SELECT * FROM recall('ada');")
    assert "recall needs its argument query" in said and "token_budget => NULL" in said
    assert "needs its argument data" in sql("SELECT checksum();")
    assert "no such column: kk" in sql("SELECT * FROM recall('ada', 'tea') WHERE kk = 1;")
    assert "takes at most 1" in sql("SELECT checksum('1', 2);")


def test_null_is_null(sql: Sql) -> None:
    assert sql("SELECT count(*) FROM recall('ada', NULL); SELECT checksum(NULL) IS NULL;") == "0\n1"


def test_many_rows_are_streamed(python: Python) -> None:
    text = "word " * 40_000  # chunks of 10 characters: thousands of rows, in many frames
    rows = python("SELECT count(*), sum(length(c.content)) FROM chunk_text(?, 10, 0) c", text)
    assert rows[0][0] > 10_000
    assert python("SELECT ordinal FROM chunk_text(?, 10, 0) LIMIT 3", text) == [(0,), (1,), (2,)]
    for _ in range(600):  # calls that are left in the middle are ended
        python("SELECT ordinal FROM chunk_text(?, 10, 0) LIMIT 1", text[:5000])
    twice = "SELECT count(*) FROM chunk_text(?1, 10, 0) a, chunk_text(?1, 10, 0) b"
    assert (
        python(twice, "word " * 1000)[0][0]
        == python("SELECT count(*) * count(*) FROM chunk_text(?1, 10, 0)", "word " * 1000)[0][0]
    )


# Transactions -------------------------------------------------------------------------------------


def test_a_transaction_that_writes_refuses_what_writes(sql: Sql) -> None:
    begun = time.monotonic()
    for before in ("BEGIN IMMEDIATE;", "BEGIN; UPDATE agents SET metadata = NULL;"):
        said = sql(before, "SELECT remember('ada', 'x');", "ROLLBACK;")
        assert "remember writes by itself, and would wait for this transaction" in said
        assert "hint: COMMIT first" in said
    said = sql("CREATE TEMP TABLE t AS SELECT 1 a;",
               "INSERT INTO agents (agent_id) SELECT remember('ada', 'x');")  # fmt: skip
    assert "would wait" in said
    assert time.monotonic() - begun < 25
    assert sql("BEGIN; SELECT remember('ada', 'read so far'); COMMIT;") == "4"


def test_a_transaction_that_writes_may_read(sql: Sql) -> None:
    said = sql(
        "BEGIN IMMEDIATE; INSERT INTO memories (agent_id, content) VALUES ('ada', 'tea within');",
        "SELECT content FROM recall('ada', 'tea') WHERE k = 5;", "COMMIT;",
        "SELECT count(*) FROM recall('ada', 'tea') WHERE k = 5;",
    )  # fmt: skip
    lines = said.splitlines()
    assert "tea within" not in lines and "green tea is fine" in lines  # what is committed
    assert int(lines[-1]) >= 2


# Who may ------------------------------------------------------------------------------------------


def test_a_file_opened_for_reading_is_only_read(sql: Sql) -> None:
    only = ("-readonly",)
    assert "locker" in sql("SELECT content FROM recall('ada', 'parcel', 1);", options=only)
    said = sql("SELECT remember('ada', 'x');", options=only)
    assert "remember writes, and the file is open for reading only" in said
    assert "no such function: sqlagent" in sql("SELECT sqlagent('SELECT 1');", options=only)


def test_the_file_itself_cannot_call(sql: Sql) -> None:
    said = sql("CREATE VIEW v AS SELECT remember('ada', 'x');", "SELECT * FROM v;")
    assert "unsafe use of remember()" in said
    said = sql("CREATE VIEW w AS SELECT * FROM recall('ada', 'tea');", "SELECT * FROM w;")
    assert 'unsafe use of virtual table "recall"' in said


def test_other_files_stay_as_they_are(sql: Sql, tmp_path: Path) -> None:
    for file in (tmp_path / "other.db", ":memory:"):
        said = sql(
            "CREATE TABLE t (a); SELECT sqlagent('SELECT 1');",
            "SELECT count(*) FROM sqlite_master;", file=file,
        )  # fmt: skip
        assert said.splitlines()[0] == "1"
        assert "hint" in said and ("no file of sqlagent's" in said or "there is no file" in said)


def test_the_room_of_sockets_is_the_users_alone(
    sql: Sql, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sql("SELECT token_count('a b');") == "2"
    folder = place / "sqlagent"
    assert folder.stat().st_mode & 0o777 == 0o700
    sockets = [path for path in folder.iterdir() if path.is_socket()]
    assert [path.stat().st_mode & 0o777 for path in sockets] == [0o600]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_is_not_answered(sql: Sql, place: Path) -> None:
    assert sql("SELECT token_count('a b');") == "2"
    (path,) = (path for path in (place / "sqlagent").iterdir() if path.is_socket())
    for folder in (place, place / "sqlagent"):
        folder.chmod(0o777)
    path.chmod(0o777)
    code = (
        "import os, socket, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1])\n"
        "try:\n    s.sendall(b'\\1\\0\\0\\0H'); print(s.recv(100))\n"
        "except (BrokenPipeError, ConnectionResetError): print(b'')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert done.stdout.strip() == "b''", done.stderr
    said = sql("SELECT 1;")  # a folder that others reach is not used, nor made the user's again
    assert "1" in said and (place / "sqlagent").stat().st_mode & 0o777 == 0o777


# The engine's life --------------------------------------------------------------------------------


def test_one_engine_a_file(sql: Sql, place: Path, agent: Path, library: Path) -> None:
    command = [str(SHELL), str(agent), "-cmd", f".load {library.with_suffix('')}",
               "SELECT token_count('a b');"]  # fmt: skip
    clients = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert [client.communicate(timeout=120)[0].strip() for client in clients] == ["2"] * 6
    assert len(engines(place)) == 1


def test_a_killed_engine_is_started_again(python: Python, place: Path) -> None:
    assert python("SELECT token_count('a b')") == [(2,)]
    for _ in range(2):
        (pid,) = engines(place)
        os.kill(pid, signal.SIGKILL)
        while engines(place):
            time.sleep(0.01)
        assert python("SELECT content FROM recall('ada', 'parcel', 1)") == [
            ("the parcel is in locker 17",)
        ]
        assert engines(place) != [pid]


def test_an_engine_killed_at_work_is_told(python: Python, place: Path) -> None:
    slow = "SELECT count(*) FROM range(100000) a, range(100000) b WHERE a.range + b.range = 7.5"
    for call, told in ((f"sqlagent('{slow}')", True), ("* FROM watch('ada', NULL, 2000)", False)):
        python.send(f"con.execute({'SELECT ' + call!r}).fetchall()")
        time.sleep(0.7)
        for pid in engines(place):
            os.kill(pid, signal.SIGKILL)
        found = eval(python.read())  # what may be asked twice is
        assert ("the engine went away before it answered" in found) if told else (found == [])
    assert python("SELECT token_count('a b')") == [(2,)]


def test_an_idle_engine_ends(sql: Sql, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQLAGENT_TEST_MORE", "--idle 0.3")
    assert sql("SELECT token_count('a b');") == "2"
    end = time.monotonic() + 20
    while engines(place):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert not [path for path in (place / "sqlagent").iterdir() if path.is_socket()]
    assert sql("SELECT token_count('a b');") == "2"


def test_an_engine_whose_file_is_another_gives_way(sql: Sql, place: Path, agent: Path) -> None:
    assert sql("SELECT memory_id FROM recall('ada', 'parcel', 1);") == "3"
    old = engines(place)
    for path in agent.parent.glob("agent.db*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with sqlagent.connect(agent, embedding_model="none") as con:
        con.execute("SELECT remember('ada', 'another parcel')")
        con.close()
    assert sql("SELECT content FROM recall('ada', 'parcel');") == "another parcel"
    assert engines(place) != old


def test_another_version_starts_an_engine_of_its_own(
    sql: Sql, place: Path, agent: Path, tmp_path: Path
) -> None:
    assert sql("SELECT token_count('a b');") == "2"
    old = engines(place)
    newer = compiled(tmp_path / "sqlagent0.so", version="99.1")
    command = [str(SHELL), str(agent), "-cmd", f".load {newer.with_suffix('')}"]
    done = subprocess.run([*command, "SELECT token_count('a b');"], capture_output=True, text=True)
    assert done.stdout == "2\n", done.stderr
    end = time.monotonic() + 20
    while set(old) & set(engines(place)):
        assert time.monotonic() < end
        time.sleep(0.05)
    other = compiled(tmp_path / "other" / "sqlagent0.so" if (tmp_path / "other").mkdir() is None
                     else newer, "-DPROTOCOL=99", version="99.2")  # fmt: skip
    command[-1] = f".load {other.with_suffix('')}"
    done = subprocess.run([*command, "SELECT 1;"], capture_output=True, text=True)
    assert "the extension is of sqlagent 99.2, the engine of" in done.stderr
    assert "Load the extension that `sqlagent extension` names" in done.stderr


def test_without_a_program_it_says_so(
    sql: Sql, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQLAGENT_COMMAND", "/nowhere/sqlagent")
    said = sql("SELECT 1;")
    assert "the program sqlagent is not found" in said and "hint: pip install sqlagent" in said


def test_an_engine_that_cannot_start_says_why(sql: Sql, agent: Path) -> None:
    con = sqlagent.connect(agent)
    con.execute("INSERT INTO sqlagent_migrations (version, name, checksum) VALUES (999, 'x', 'y')")
    con.close()
    assert "this sqlagent knows" in sql("SELECT 1;")


# Interrupts ---------------------------------------------------------------------------------------


def test_an_interrupt_ends_a_call(python: Python) -> None:
    begun = time.monotonic()
    python.send(
        "[threading.Timer(0.5, con.interrupt).start(), "
        "con.execute(\"SELECT * FROM watch('ada', NULL, 60000)\").fetchall()]"
    )
    assert "interrupted" in eval(python.read())
    assert time.monotonic() - begun < 20
    assert python("SELECT token_count('a b')") == [(2,)]


def test_a_progress_handler_ends_a_call(python: Python) -> None:
    """As Datasette limits the time of a statement."""
    python.send(
        "[con.set_progress_handler(lambda end=__import__('time').monotonic() + 0.5: "
        "__import__('time').monotonic() > end, 1000), "
        "con.execute(\"SELECT * FROM watch('ada', NULL, 60000)\").fetchall()]"
    )
    begun = time.monotonic()
    assert "interrupted" in eval(python.read())
    assert time.monotonic() - begun < 20
    python.send("con.set_progress_handler(None, 0)")
    assert eval(python.read()) is None
    assert python("SELECT token_count('a b')") == [(2,)]


def test_a_client_that_is_gone_ends_its_call(python: Python, place: Path) -> None:
    python.send("con.execute(\"SELECT * FROM watch('ada', NULL, 60000)\").fetchall()")
    time.sleep(0.5)
    python.close()
    (pid,) = engines(place)
    threads = Path(f"/proc/{pid}/task")
    end = time.monotonic() + 20
    before = len(list(threads.iterdir()))
    while len(list(threads.iterdir())) >= before:
        assert time.monotonic() < end
        time.sleep(0.05)


# Other clients ------------------------------------------------------------------------------------


def test_apsw(agent: Path, library: Path, place: Path) -> None:
    code = (
        "import apsw, sys; con = apsw.Connection(sys.argv[1]); con.enable_load_extension(True); "
        "con.load_extension(sys.argv[2]); "
        "print(con.execute(\"SELECT content FROM recall('ada', 'parcel', 1)\").get)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(agent), str(library)], capture_output=True, text=True
    )
    assert done.stdout == "the parcel is in locker 17\n", done.stderr


def test_many_clients_at_once(agent: Path, library: Path, place: Path) -> None:
    clients = [Python(agent, library) for _ in range(8)]
    try:
        for round in range(20):
            for n, client in enumerate(clients):
                client.send(
                    f"con.execute(\"SELECT remember('ada', 'note {n} {round}')\").fetchone()"
                )
            assert all(isinstance(eval(client.read())[0], int) for client in clients)
        assert clients[0]("SELECT count(*) FROM memories WHERE content LIKE 'note %'") == [(160,)]
    finally:
        for client in clients:
            client.close()
    assert len(engines(place)) == 1


def test_a_socket_that_nobody_listens_at(sql: Sql, place: Path, agent: Path) -> None:
    assert sql("SELECT token_count('a b');") == "2"
    for pid in engines(place):
        os.kill(pid, signal.SIGKILL)
    (path,) = (path for path in (place / "sqlagent").iterdir() if path.is_socket())
    assert path.exists()
    assert sql("SELECT token_count('a b');") == "2"


def test_something_else_that_listens(
    sql: Sql, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place / "other"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    monkeypatch.setenv("SQLAGENT_SOCKET", str(path))
    import threading

    def greet() -> None:
        client, _ = listener.accept()
        client.recv(1000)
        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        client.close()

    threading.Thread(target=greet, daemon=True).start()
    assert "is no engine of sqlagent's" in sql("SELECT 1;")
    listener.close()


def test_a_storm_leaves_nothing_behind(python: Python, place: Path) -> None:
    assert python("SELECT token_count('a b')") == [(2,)]
    (pid,) = engines(place)
    (path,) = (path for path in (place / "sqlagent").iterdir() if path.is_socket())
    descriptors = Path(f"/proc/{pid}/fd")

    def held() -> int:
        return len(list(descriptors.iterdir()))

    before = held()
    for n in range(300):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(path))
        client.sendall([b"", b"\0", b"\1\0\0\0X", b"\xff\xff\xff\xff", b"\5\0\0\0H1234"][n % 5])
        client.close()
    end = time.monotonic() + 30
    while held() > before + 2:
        assert time.monotonic() < end, (before, held())
        time.sleep(0.05)
    assert python("SELECT content FROM recall('ada', 'parcel', 1)") == [
        ("the parcel is in locker 17",)
    ]
    assert engines(place) == [pid]


def test_what_was_acknowledged_outlives_a_killed_engine(
    python: Python, place: Path, agent: Path
) -> None:
    kept = []
    for round in range(3):
        for n in range(20):
            rows = python("SELECT remember('ada', ?)", f"kept {round} {n}")
            if isinstance(rows, list):
                kept.append(rows[0][0])
        for pid in engines(place):
            os.kill(pid, signal.SIGKILL)
    with sqlagent.connect(agent) as con:
        known = {i for (i,) in con.execute("SELECT memory_id FROM memories").fetchall()}
        assert set(kept) <= known and len(kept) > 50
        assert con.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        con.close()


# The command line ---------------------------------------------------------------------------------


def test_the_command_names_the_library(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from sqlagent.cli import extension, main

    monkeypatch.setattr(extension, "NAME", "none-such.so")
    assert main(["extension"]) == 2
    assert "built without a C compiler" in capsys.readouterr().err
    library = tmp_path / "sqlagent0.so"
    library.write_bytes(b"")
    monkeypatch.setattr(extension, "NAME", str(library))
    assert main(["extension"]) == 0
    assert capsys.readouterr().out.strip() == str(library)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--serve", "agent.db"], "--serve needs --socket PATH"),
        (["--serve", "agent.db", "--socket", "s", "--idle", "0"], "--idle is a number of seconds"),
        (["--serve", "nowhere.db", "--socket", "s"], "no such file"),
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    from sqlagent.cli import main

    assert main(["extension", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_wheel_is_built_with_it_or_without(tmp_path: Path) -> None:
    """What setup.py finds: a compiler and the headers, or a reason to be pure."""
    code = (
        "import sys, setuptools; setuptools.setup = lambda **k: print(len(k['ext_modules'])); "
        "sys.argv = ['setup.py']; exec(open('setup.py').read())"
    )
    pytest.importorskip("setuptools.command.bdist_wheel")

    def modules(**environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
            env={**os.environ, **environment},
        )  # fmt: skip
        return done.stdout.strip() or done.stderr

    compiled(tmp_path / "sqlagent0.so")
    assert modules() == "1"
    assert modules(SQLAGENT_PURE="1") == modules(CC="/nowhere/cc") == "0"
