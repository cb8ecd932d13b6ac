"""Opening what is not a file of ours, not there, or not to be written; in memory; settings."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

import sqlagent
from sqlagent.engines.sqlite_errors import translate


def test_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("These are notes, not a database. " * 100)
    before = path.read_bytes()
    with pytest.raises(sqlagent.OperationalError, match="not a database") as caught:
        sqlagent.connect(path)
    assert caught.value.hint
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["notes.txt"]


@pytest.mark.parametrize("size", [15, 99, 512, 5000])
def test_a_truncated_or_random_file(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"SQLite format 3\0"[:size] + os.urandom(max(0, size - 16)))
    before = path.read_bytes()
    with pytest.raises(sqlagent.DatabaseError):
        sqlagent.connect(path)
    assert path.read_bytes() == before


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(sqlagent.OperationalError, match="is a folder, not a file"):
        sqlagent.connect(tmp_path)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(sqlagent.OperationalError, match=r"folder of .* does not exist") as caught:
        sqlagent.connect(tmp_path / "no" / "agent.db")
    assert caught.value.hint
    assert os.listdir(tmp_path) == []


def test_a_missing_file_read_only(fresh_db: Path) -> None:
    with pytest.raises(sqlagent.OperationalError, match="does not exist"):
        sqlagent.connect(fresh_db, read_only=True)
    assert not fresh_db.exists()


@pytest.mark.parametrize("path", ["", "\0", "a\0b"])
def test_names_that_no_file_can_have(path: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(sqlagent.Error):
        sqlagent.connect(path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path", [None, 5, b"agent.db", object()])
def test_a_path_of_a_wrong_type(path: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(sqlagent.InterfaceError, match="a path is text"):
        sqlagent.connect(path)


@pytest.mark.parametrize("timeout", [-1, "5", None, True, float("nan")])
def test_a_timeout_that_is_none(fresh_db: Path, timeout: Any) -> None:
    with pytest.raises(sqlagent.InterfaceError, match="timeout is a number of seconds"):
        sqlagent.connect(fresh_db, timeout=timeout)


@pytest.mark.parametrize(
    ("name", "value"),
    [("dialcet", "duckdb"), ("dialect", "oracle"), ("memory_limit_mb", -1), ("route", 5)],
)
def test_settings_are_checked_before_the_file_is_touched(
    fresh_db: Path, name: str, value: Any
) -> None:
    with pytest.raises(sqlagent.ProgrammingError):
        sqlagent.connect(fresh_db, **{name: value})
    assert not fresh_db.exists()


def test_settings_from_connect_are_those_of_set(fresh_db: Path) -> None:
    con = sqlagent.connect(fresh_db, dialect="sqlite", embedding_model="none")
    assert con.execute("SHOW dialect").fetchall() == [("dialect", "sqlite")]
    con.execute("SET dialect = 'duckdb'")
    assert con.execute("SHOW dialect").fetchall() == [("dialect", "duckdb")]
    con.close()


def test_in_memory_keeps_nothing_and_shares_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    one = sqlagent.connect(":memory:", embedding_model="none")
    two = sqlagent.connect(":memory:", embedding_model="none")
    assert one.execute("SELECT remember('ada', 'tea')").fetchone() == (1,)
    assert one.execute("SELECT content FROM recall('ada', 'tea')").fetchall() == [("tea",)]
    assert one.execute("SELECT agent_id, count(*) FROM memories GROUP BY 1").fetchall() == [
        ("ada", 1)
    ]
    assert two.execute("SELECT count(*) FROM memories").fetchone() == (0,)
    one.close()
    two.close()
    assert os.listdir(tmp_path) == []


def test_names_in_other_scripts_and_with_odd_characters(tmp_path: Path) -> None:
    for name in (
        "代理.db",
        "a b.db",
        "a'b.db",
        'a"b.db',
        "a%20b?.db",
        "a#b;.db",
        "-x.db",
        "[x]*.db",
    ):
        con = sqlagent.connect(tmp_path / name, embedding_model="none")
        con.execute("SELECT remember('ada', 'tea')")
        assert con.execute("SELECT count(*) FROM memories GROUP BY agent_id").fetchall() == [(1,)]
        con.close()
        assert (tmp_path / name).exists()


def test_one_file_under_several_names_is_one_database(fresh_db: Path, monkeypatch: Any) -> None:
    con = sqlagent.connect(fresh_db)
    link = fresh_db.parent / "link.db"
    link.symlink_to(fresh_db)
    monkeypatch.chdir(fresh_db.parent)
    same = [sqlagent.connect(link), sqlagent.connect("agent.db"), sqlagent.connect("./agent.db")]
    con.execute("BEGIN")
    con.execute("INSERT INTO agents (agent_id) VALUES ('ada')")
    con.execute("COMMIT")
    for other in same:
        assert other.execute("SELECT agent_id FROM agents").fetchall() == [("ada",)]
        other.close()
    con.close()


@pytest.fixture
def read_only(migrated_db: Path) -> Iterator[sqlagent.Connection]:
    """A read-only connection to a file with a memory in it."""
    con = sqlagent.connect(migrated_db, embedding_model="none")
    con.execute("SELECT remember('ada', 'The lamp is green')")
    con.execute("SELECT index_document('The lamp stands in the hall.')")
    con.execute("SELECT put_vector('p', 'a', [1.0, 0.0])")
    con.close()
    con = sqlagent.connect(migrated_db, read_only=True, embedding_model="none")
    yield con
    con.close()


def test_read_only_reads_everything(read_only: sqlagent.Connection) -> None:
    for sql in (
        "SELECT content FROM recall('ada', 'lamp')",
        "SELECT content FROM search('lamp')",
        "SELECT id FROM knn('p', [1.0, 0.0])",
        "SELECT agent_id, count(*) FROM memories GROUP BY agent_id",
        "SELECT * FROM memory_strength",
    ):
        assert len(read_only.execute(sql).fetchall()) == 1, sql
    read_only.execute("BEGIN")
    assert read_only.execute("SELECT count(*) FROM memories").fetchone() == (1,)
    read_only.execute("COMMIT")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT remember('ada', 'x')",
        "INSERT INTO memories (agent_id, content) VALUES ('ada', 'x')",
        "UPDATE memories SET importance = 1",
        "DELETE FROM memories",
        "CREATE TABLE t (a)",
        "CREATE INDEX i ON memories (source)",
        "SELECT save_state('ada', '{}')",
        "VACUUM",
        "CREATE TABLE t AS SELECT range AS n FROM range(3)",
    ],
)
def test_read_only_writes_nothing(read_only: sqlagent.Connection, sql: str) -> None:
    with pytest.raises(sqlagent.OperationalError, match=r"read-?only"):
        read_only.execute(sql)
    read_only.execute("BEGIN")
    inside = "transaction" if sql == "VACUUM" else "read-?only"
    with pytest.raises(sqlagent.DatabaseError, match=inside):
        read_only.execute(sql)
    read_only.execute("ROLLBACK")


def test_read_only_sees_what_others_commit(
    read_only: sqlagent.Connection, elsewhere: Callable[..., str]
) -> None:
    elsewhere(
        "import sqlagent, sys\n"
        "con = sqlagent.connect(sys.argv[1], embedding_model='none')\n"
        "con.execute(\"SELECT remember('ada', 'A new curtain')\")",
        read_only.database.path,
    )
    assert read_only.execute("SELECT count(*) FROM memories").fetchone() == (2,)
    assert read_only.execute("SELECT content FROM recall('ada', 'curtain')").fetchall() == [
        ("A new curtain",)
    ]
    assert read_only.execute("SELECT kind, count(*) FROM memories GROUP BY 1").fetchall() == [
        ("episodic", 2)
    ]


# Nobody may not read the interpreter's own files either: what is needed is imported before.
BECOME = """
import os, sys
import sqlagent
con = sqlagent.connect(':memory:', embedding_model='none')
con.execute("SELECT remember('ada', 'x')")
con.execute("SELECT * FROM recall('ada', 'x')").fetchall()
con.execute("SELECT count(*) FROM memories GROUP BY agent_id").fetchall()
con.close()
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
"""


def as_nobody(code: str, *args: object) -> subprocess.CompletedProcess[str]:
    """Run Python as a user who owns nothing."""
    if os.getuid() != 0:
        pytest.skip("needs root, to become somebody else")
    return subprocess.run(
        [sys.executable, "-c", BECOME + code, *map(str, args)],
        text=True, capture_output=True, timeout=60,
    )  # fmt: skip


OPEN = """
import sqlagent
try:
    con = sqlagent.connect(sys.argv[1], read_only=sys.argv[2] == 'ro', embedding_model='none')
    print(con.execute("SELECT content FROM recall('ada', 'lamp')").fetchall())
    print(con.execute("SELECT count(*) FROM memories GROUP BY agent_id").fetchall())
    con.execute("SELECT remember('ada', 'x')")
except sqlagent.Error as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def open_to_all(migrated_db: Path) -> Iterator[Path]:
    """A file with a memory, in folders that anybody may enter."""
    con = sqlagent.connect(migrated_db, embedding_model="none")
    con.execute("SELECT remember('ada', 'The lamp is green')")
    con.close()
    modes = {}
    for folder in [migrated_db.parent, *migrated_db.parent.parents]:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            modes[folder] = mode
            folder.chmod(mode | 0o055)
    yield migrated_db
    for folder, mode in modes.items():
        folder.chmod(mode)


@pytest.mark.parametrize("how", ["ro", "rw"])
def test_a_file_and_folder_that_may_not_be_written(open_to_all: Path, how: str) -> None:
    before = open_to_all.read_bytes()
    open_to_all.chmod(0o444)
    done = as_nobody(OPEN, open_to_all, how)
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1 if "hint" not in done.stdout else 0]
    assert "Error" in done.stdout, done.stdout
    assert "OperationalError" in done.stdout or "lamp" in last, done.stdout
    assert open_to_all.read_bytes() == before


def test_a_new_file_in_a_folder_that_may_not_be_written(open_to_all: Path) -> None:
    done = as_nobody(OPEN, open_to_all.parent / "new.db", "rw")
    assert done.stdout.startswith("OperationalError"), done.stdout + done.stderr
    assert not (open_to_all.parent / "new.db").exists()


def test_importing_and_a_first_query_load_no_heavy_library(
    fresh_db: Path, elsewhere: Callable[..., str]
) -> None:
    found = elsewhere(
        "import sys, sqlagent\n"
        "con = sqlagent.connect(sys.argv[1])\n"
        "con.execute(\"INSERT INTO memories (agent_id, content) VALUES ('ada', 'x')\")\n"
        'con.execute("SELECT content FROM memories WHERE memory_id = 1").fetchall()\n'
        "heavy = 'numpy duckdb pyarrow sqlglot onnxruntime tokenizers lancedb sqlite3 asyncio '\\\n"
        "    'dataclasses inspect logging'\n"
        "print([m for m in heavy.split() if m in sys.modules])",
        fresh_db,
    )
    assert found == "[]"


def test_an_error_of_the_disk_says_which_call_failed() -> None:
    found = translate(apsw.exception_for(apsw.SQLITE_IOERR_SHORT_READ), "SELECT 1")
    assert isinstance(found, sqlagent.OperationalError) and found.sqlstate == "58030"
    assert found.detail == "SQLITE_IOERR_SHORT_READ"
    plain = translate(apsw.exception_for(apsw.SQLITE_IOERR), "SELECT 1")
    assert isinstance(plain, sqlagent.OperationalError) and plain.detail is None
