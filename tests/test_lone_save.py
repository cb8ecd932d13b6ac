"""A save that commits by itself is one statement: the same rows, errors and waits as any other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sqlagent
from sqlagent.engines.writer import Writer

SAVE = "SELECT save_state(?, ?)"
LONG = '{"text": "' + "状态 " * 2000 + '"}'


@pytest.fixture
def lone(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What each statement gave that was run by itself."""
    found: list[Any] = []
    was = Writer.write_one

    def write_one(self: Writer, *arguments: Any) -> Any:
        found.append(was(self, *arguments))
        return found[-1]

    monkeypatch.setattr(Writer, "write_one", write_one)
    return found


def versions(con: sqlagent.Connection) -> list[Any]:
    sql = "SELECT agent_id, version, parent_version, data, length(checksum) FROM state_versions"
    return con.execute(f"{sql} ORDER BY version_id").fetchall()


def test_only_what_is_one_statement_is_run_as_one(
    words: sqlagent.Connection, lone: list[Any]
) -> None:
    numbers = [words.execute(SAVE, ("ada", f"[{n}]")).fetchone()[0] for n in range(3)]
    assert numbers == [1, 2, 3]
    assert lone == [None, 2, 3]  # the first has no row to be the next of
    assert words.execute(SAVE, ("ada", LONG)).fetchone() == (4,)
    assert words.execute("SELECT save_state('ada', '[4]', if_version => 4)").fetchone() == (5,)
    assert words.execute(SAVE, (None, "[1]")).fetchone() == (None,)
    assert words.execute(SAVE, ("ada", None)).fetchone() == (None,)
    words.execute("BEGIN")
    assert words.execute(SAVE, ("ada", "[5]")).fetchone() == (6,)
    words.execute("COMMIT")
    words.execute("SET statement_timeout_ms = 60000")
    assert words.execute(SAVE, ("ada", "[6]")).fetchone() == (7,)
    assert len(lone) == 3
    words.execute("SET statement_timeout_ms = 0")
    assert words.execute(SAVE, ("ada", "[7]")).fetchone() == (8,) and lone[3:] == [8]
    found = versions(words)
    assert [row[1] for row in found] == list(range(1, 9)) and found[3][3] == LONG
    assert [row[2] for row in found] == [None, *range(1, 8)] and {row[4] for row in found} == {64}


def test_errors_are_the_same(words: sqlagent.Connection, lone: list[Any]) -> None:
    words.execute(SAVE, ("ada", "[0]"))
    for values, wanted in (
        (("ada", "{no"), "data is JSON"),
        (("ada", "NaN"), "data is JSON"),
        (("ada", '["a"] x'), "data is JSON"),
        ((7, "[1]"), "agent_id is a text"),
        (("ada",), "no value was given for parameter 1"),
    ):
        with pytest.raises(sqlagent.Error, match=wanted) as caught:
            words.execute(SAVE, values)
        assert caught.value.sql == SAVE
    words.execute("CREATE TABLE kept (n INTEGER)")
    words.execute(
        "CREATE TRIGGER no AFTER UPDATE OF data ON states WHEN NEW.data = '[13]'"
        " BEGIN INSERT INTO kept VALUES (1); SELECT RAISE(ABORT, 'not thirteen'); END"
    )
    with pytest.raises(sqlagent.IntegrityError, match="not thirteen"):
        words.execute(SAVE, ("ada", "[13]"))
    assert words.execute("SELECT count(*) FROM kept").fetchone() == (0,)  # all is undone
    assert [row[3] for row in versions(words)] == ["[0]"]
    assert words.execute(SAVE, ("ada", " [1] ")).fetchone() == (2,) and lone[-1] == 2


def stopped(con: sqlagent.Connection, run: Callable[[], Any]) -> sqlagent.Error:
    """The error of what another thread interrupts while it waits."""

    def stop() -> None:
        while not con.running:
            pass
        while con.running:
            con.interrupt()

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(sqlagent.InterruptedError) as caught:
        run()
    thread.join()
    return caught.value


def test_another_process_that_writes_is_waited_for(fresh_db: Path, child: Any) -> None:
    with sqlagent.connect(fresh_db, embedding_model="none", timeout=0.2) as con:
        con.execute(SAVE, ("ada", "[0]"))
        other = child(
            "import sqlite3, sys\n"
            "con = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "con.execute('BEGIN IMMEDIATE')\n"
            "print('held', flush=True)\n"
            "sys.stdin.readline()\n"
            "con.execute(\"UPDATE states SET data = '[1]'\")\n"
            "con.execute('COMMIT')\n"
            "print('done', flush=True)\n",
            fresh_db,
        )
        assert other.stdout.readline() == "held\n"
        with pytest.raises(sqlagent.BusyError):
            con.execute(SAVE, ("ada", "[2]"))
        assert not con.running
        con.timeout = 30.0
        assert stopped(con, lambda: con.execute(SAVE, ("ada", "[2]"))).sqlstate == "57014"
        assert not con.running
        threading.Timer(0.2, lambda: (other.stdin.write("\n"), other.stdin.flush())).start()
        assert con.execute(SAVE, ("ada", "[3]")).fetchone() == (3,)
        assert [row[3] for row in versions(con)] == ["[0]", "[1]", "[3]"]


def test_many_threads_share_commits_or_not_and_lose_nothing(fresh_db: Path) -> None:
    with sqlagent.connect(fresh_db, embedding_model="none") as con:
        con.execute(SAVE, ("ada", "[0]"))
        given: list[int] = []

        def save() -> None:
            own = sqlagent.connect(fresh_db, embedding_model="none")
            for n in range(40):
                given.append(own.execute(SAVE, ("ada", f"[{n}]")).fetchone()[0])
            own.close()

        threads = [threading.Thread(target=save) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(given) == list(range(2, 322))
        found = con.execute("SELECT count(*), max(version) FROM state_versions").fetchall()
        assert found == [(321, 321)]
        assert con.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
