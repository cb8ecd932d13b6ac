"""Many threads and processes on one file: nothing lost, nothing stuck, everything ends."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sqlagent

COUNT = """
import sys
import sqlagent
con = sqlagent.connect(sys.argv[1], embedding_model='none')
sys.stdin.readline()
for n in range(int(sys.argv[2])):
    con.execute('UPDATE t SET n = n + 1 WHERE id = 1')
    if n % 3 == 0:
        con.execute('BEGIN')
        (seen,) = con.execute('SELECT n FROM t WHERE id = 2').fetchone()
        con.execute('UPDATE t SET n = ? WHERE id = 2', (seen + 1,))
        con.execute('COMMIT')
    if n % 5 == 0:
        con.execute("SELECT remember('p', ?)", (f'{sys.argv[3]} {n}',))
        con.execute('SELECT sum(n), count(*) FROM t').fetchall()
print('done')
"""


def processes_count(
    words: sqlagent.Connection, child: Callable[..., Any], many: int, each: int
) -> None:
    words.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
    words.execute("INSERT INTO t VALUES (1, 0), (2, 0)")
    processes = [child(COUNT, words.database.path, each, name) for name in range(many)]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, "done\n"), err
    rows = words.execute("SELECT n FROM t ORDER BY id").fetchall()
    assert rows == [(many * each,), (many * len(range(0, each, 3)),)]
    assert words.execute("SELECT sum(n) FROM t").fetchone() == (sum(n for (n,) in rows),)
    wanted = many * len(range(0, each, 5))
    assert words.execute("SELECT count(*) FROM memories").fetchone() == (wanted,)


def test_processes_lose_no_update(words: sqlagent.Connection, child: Callable[..., Any]) -> None:
    processes_count(words, child, 4, 30)


@pytest.mark.slow
def test_sixteen_processes_lose_no_update(
    words: sqlagent.Connection, child: Callable[..., Any], problems: Callable[..., Any]
) -> None:
    processes_count(words, child, 16, 150)
    assert problems(words) == []


def together(works: list[Callable[[], None]], limit_s: float = 60) -> None:
    """Run all at once, each in a thread; the first error of any is raised here."""
    errors: list[BaseException] = []
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        try:
            gate.wait(limit_s)
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(limit_s)
        assert not thread.is_alive(), "stuck"
    if errors:
        raise errors[0]


@pytest.mark.parametrize("shared", [True, False])
def test_fifty_threads(words: sqlagent.Connection, shared: bool) -> None:
    """One connection among all, and one each; writes, reads, analytics and recalls."""
    path = words.database.path

    def worker(number: int) -> Callable[[], None]:
        def work() -> None:
            con = words if shared else sqlagent.connect(path, embedding_model="none")
            for n in range(8):
                sql = "SELECT save_state(?, ?, state_type => 'task_state')"
                assert con.execute(sql, (f"a{number}", f'{{"n": {n}}}')).fetchone() == (n + 1,)
                con.execute("SELECT remember(?, ?)", (f"a{number}", f"note {n}"))
                sql = "SELECT version, data FROM states WHERE agent_id = ?"
                assert con.execute(sql, (f"a{number}",)).fetchall() == [(n + 1, f'{{"n": {n}}}')]
            sql = "SELECT agent_id, count(*) FROM memories WHERE agent_id = ? GROUP BY 1"
            assert con.execute(sql, (f"a{number}",)).fetchall() == [(f"a{number}", 8)]
            sql = "SELECT count(*) FROM recall(?, 'note', k => 99)"
            assert con.execute(sql, (f"a{number}",)).fetchone() == (8,)
            if not shared:
                con.close()

        return work

    together([worker(n) for n in range(50)])
    assert words.execute("SELECT count(*) FROM state_versions").fetchone() == (400,)


def test_a_transaction_keeps_others_waiting_until_their_timeout(fresh_db: Path) -> None:
    holder = sqlagent.connect(fresh_db)
    other = sqlagent.connect(fresh_db, timeout=30)
    holder.execute("BEGIN")
    holder.execute("INSERT INTO agents (agent_id) VALUES ('held')")
    assert other.execute("SELECT count(*) FROM agents").fetchone() == (0,)
    holder.close()
    assert other.execute("SELECT count(*) FROM agents").fetchone() == (0,)
    other.close()
    holder = sqlagent.connect(fresh_db, timeout=0.2)
    other = sqlagent.connect(fresh_db, timeout=0.2)
    holder.execute("BEGIN")
    holder.execute("INSERT INTO agents (agent_id) VALUES ('held')")
    for sql in ("INSERT INTO agents (agent_id) VALUES ('x')", "BEGIN", "SELECT remember('a', 'b')"):
        at = time.monotonic()
        with pytest.raises(sqlagent.BusyError, match=r"busy|locked") as caught:
            other.execute(sql)
        assert 0.15 < time.monotonic() - at < 5
        assert caught.value.hint and caught.value.sqlstate == "55P03"
    holder.execute("COMMIT")
    other.execute("INSERT INTO agents (agent_id) VALUES ('x')")
    assert other.execute("SELECT count(*) FROM agents").fetchone() == (2,)
    holder.close()
    other.close()


HOLD = """
import sqlite3, sys
con = sqlite3.connect(sys.argv[1], isolation_level=None)
con.execute('BEGIN IMMEDIATE')
con.execute("INSERT INTO agents (agent_id) VALUES ('theirs')")
print('held', flush=True)
sys.stdin.readline()
con.execute('COMMIT')
print('done', flush=True)
"""


def test_another_process_that_holds_the_lock(fresh_db: Path, child: Callable[..., Any]) -> None:
    con = sqlagent.connect(fresh_db, timeout=0.3)
    process = child(HOLD, fresh_db)
    assert process.stdout.readline() == "held\n"
    for sql in ("INSERT INTO agents (agent_id) VALUES ('x')", "BEGIN", "SELECT remember('a', 'b')"):
        with pytest.raises(sqlagent.BusyError, match=r"locked|busy") as caught:
            con.execute(sql)
        assert caught.value.hint
    assert con.execute("SELECT count(*) FROM agents").fetchone() == (0,)
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"
    con.execute("INSERT INTO agents (agent_id) VALUES ('x')")
    assert con.execute("SELECT count(*) FROM agents").fetchone() == (2,)
    con.close()


def test_questions_do_not_wait_for_a_writer(fresh_db: Path, child: Callable[..., Any]) -> None:
    """A recall that has vectors to keep, a search that has chunks to make: another has the lock."""
    con = sqlagent.connect(fresh_db, timeout=30)
    con.execute("INSERT INTO memories (agent_id, content) VALUES ('ada', 'The lamp is green')")
    con.execute("INSERT INTO documents (content) VALUES ('The lamp stands in the hall.')")
    con.execute("SELECT index_document('The curtain is drawn.')")
    process = child(HOLD, fresh_db)
    assert process.stdout.readline() == "held\n"
    at = time.monotonic()
    assert con.execute("SELECT content FROM recall('ada', 'lamp')").fetchall() == [
        ("The lamp is green",)
    ]
    assert con.execute("SELECT content FROM search('curtain')").fetchall()
    assert con.execute("SELECT agent_id, count(*) FROM memories GROUP BY 1").fetchall() == [
        ("ada", 1)
    ]
    assert time.monotonic() - at < 10
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"
    found = con.execute("SELECT content FROM search('lamp hall', k => 1)").fetchall()
    assert found == [("The lamp stands in the hall.",)]
    con.close()


LONG = {
    "sqlite": "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) "
    "SELECT count(*) FROM c, sqlite_master WHERE n < 0",
    "duckdb": "SELECT sum(a.range * b.range % 7) FROM range(3000000) a, range(3000000) b",
    "write": "INSERT INTO agents (agent_id) WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL "
    "SELECT n + 1 FROM c) SELECT n FROM c WHERE n < 0",
}


@pytest.mark.parametrize("engine", LONG)
@pytest.mark.parametrize("inside", [False, True])
def test_interrupt(words: sqlagent.Connection, engine: str, inside: bool) -> None:
    words.execute("SELECT sum(1) FROM range(10)").fetchall()
    if inside:
        words.execute("BEGIN")
        words.execute("INSERT INTO agents (agent_id) VALUES ('before')")
    caught: list[BaseException] = []
    started = threading.Event()

    def work() -> None:
        started.set()
        try:
            words.execute(LONG[engine]).fetchall()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    started.wait(5)
    end = time.monotonic() + 20
    while thread.is_alive() and time.monotonic() < end:
        words.interrupt()
        thread.join(0.05)
    assert not thread.is_alive()
    assert isinstance(caught[0], sqlagent.InterruptedError), caught
    assert caught[0].sqlstate == "57014"
    if inside and engine == "write":  # SQLite undoes all of a transaction whose write it stops
        with pytest.raises(sqlagent.ProgrammingError, match="rolled back"):
            words.execute("SELECT count(*) FROM agents")
        assert words.execute("SELECT count(*) FROM agents").fetchone() == (0,)
    elif inside:
        words.execute("INSERT INTO agents (agent_id) VALUES ('after')")
        words.execute("COMMIT")
        assert words.execute("SELECT count(*) FROM agents").fetchone() == (2,)
    assert words.execute("SELECT 1").fetchone() == (1,)
    words.execute("SELECT remember('ada', 'still works')")


@pytest.mark.parametrize("engine", LONG)
def test_statement_timeout(words: sqlagent.Connection, engine: str) -> None:
    words.execute("SELECT sum(1) FROM range(10)").fetchall()
    words.execute("SET statement_timeout_ms = 150")
    at = time.monotonic()
    with pytest.raises(sqlagent.InterruptedError):
        words.execute(LONG[engine]).fetchall()
    assert time.monotonic() - at < 10
    assert words.execute("SELECT 1").fetchone() == (1,)
    words.execute("SELECT remember('ada', 'still works')")
    words.execute("RESET statement_timeout_ms")


def test_a_reader_streams_while_a_writer_commits(words: sqlagent.Connection) -> None:
    words.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    words.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(5000)])
    cursor = words.execute("SELECT id FROM t")
    seen = [cursor.fetchone()]
    words.execute("DELETE FROM t WHERE id % 2 = 0")
    words.execute("INSERT INTO t VALUES (99999)")
    seen += cursor.fetchall()
    assert seen == [(n,) for n in range(5000)]
    assert words.execute("SELECT count(*) FROM t").fetchone() == (2501,)


def test_cursors_that_nobody_finished_do_not_use_up_the_readers(
    words: sqlagent.Connection,
) -> None:
    words.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    words.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(2000)])
    for _ in range(100):
        assert words.execute("SELECT id FROM t").fetchone() == (0,)
    kept = [words.execute("SELECT id FROM t") for _ in range(10)]
    assert words.execute("SELECT count(*) FROM t").fetchone() == (2000,)
    assert [len(c.fetchall()) for c in kept] == [2000] * 10


def test_more_open_cursors_than_readers_is_an_error_not_a_hang(fresh_db: Path) -> None:
    con = sqlagent.connect(fresh_db, timeout=0.3)
    con.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    con.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(2000)])
    kept = []
    with pytest.raises(sqlagent.BusyError, match="readers") as caught:
        for _ in range(200):
            kept.append(con.execute("SELECT id FROM t"))
    assert "cursor" in (caught.value.hint or "")
    kept[0].close()
    assert con.execute("SELECT id FROM t WHERE id = 3").fetchone() == (3,)
    con.close()


def test_closing_while_others_run(fresh_db: Path) -> None:
    """Every other thread ends, by its rows or by an error of ours."""
    for _ in range(5):
        con = sqlagent.connect(fresh_db, embedding_model="none")
        started = threading.Barrier(9)

        def work(con: sqlagent.Connection = con, started: threading.Barrier = started) -> None:
            started.wait(10)
            try:
                for n in range(100000):
                    con.execute("SELECT remember('ada', ?)", (str(n % 50),))
                    con.execute("SELECT count(*) FROM memories").fetchall()
                    con.execute("SELECT agent_id, count(*) FROM memories GROUP BY 1").fetchall()
                    con.execute("SELECT * FROM recall('ada', '7')").fetchall()
            except sqlagent.Error:
                pass

        def close(con: sqlagent.Connection = con, started: threading.Barrier = started) -> None:
            started.wait(10)
            time.sleep(0.05)
            con.close()

        together([work] * 8 + [close])
    con = sqlagent.connect(fresh_db)
    assert [r for r in con.execute("CALL check()").fetchall() if not r[1]] == []
    con.close()


def test_who_waits_for_the_writer_hears_that_it_is_closed(fresh_db: Path) -> None:
    """Not after its timeout, as busy: the close that held the writer wakes who waits."""
    con = sqlagent.connect(fresh_db, embedding_model="none", timeout=5)
    database = con.database
    con.execute("INSERT INTO agents (agent_id) VALUES ('ada')")
    said: list[BaseException] = []

    def work() -> None:
        try:
            con.execute("INSERT INTO agents (agent_id) VALUES ('bob')")
        except sqlagent.Error as error:
            said.append(error)

    with database._writing:  # as close() holds it
        waiting, closing = (threading.Thread(target=t) for t in (work, con.close))
        waiting.start()
        while not database._queue:
            time.sleep(0.001)
        closing.start()
        while not database.closed:
            time.sleep(0.001)
    waiting.join()
    closing.join()
    assert [type(error) for error in said] == [sqlagent.InterfaceError]


def test_a_connection_waits_as_long_as_it_says(fresh_db: Path) -> None:
    """Connections to one file share the writer, each with a patience of its own."""
    patient = sqlagent.connect(fresh_db, embedding_model="none", timeout=60)
    hasty = sqlagent.connect(fresh_db, embedding_model="none", timeout=0.05)
    patient.begin()
    with pytest.raises(sqlagent.BusyError, match=r"0\.05 s"):
        hasty.execute("INSERT INTO agents (agent_id) VALUES ('ada')")
    patient.rollback()
    patient.close()
    hasty.close()


def test_one_connection_closes_and_another_on_the_same_file_goes_on(fresh_db: Path) -> None:
    one = sqlagent.connect(fresh_db)
    two = sqlagent.connect(fresh_db)
    one.execute("INSERT INTO agents (agent_id) VALUES ('ada')")
    one.close()
    two.execute("INSERT INTO agents (agent_id) VALUES ('bob')")
    assert two.execute("SELECT count(*) FROM agents").fetchone() == (2,)
    two.close()


def test_a_connection_that_is_dropped_in_a_transaction_gives_the_writer_back(
    fresh_db: Path,
) -> None:
    con = sqlagent.connect(fresh_db)
    con.execute("BEGIN")
    con.execute("INSERT INTO agents (agent_id) VALUES ('ada')")
    keep = sqlagent.connect(fresh_db, timeout=5)
    del con
    keep.execute("INSERT INTO agents (agent_id) VALUES ('bob')")
    assert keep.execute("SELECT agent_id FROM agents").fetchall() == [("bob",)]
    keep.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_a_forked_child_opens_its_own_connection(migrated_db: Path) -> None:
    """Before the fork none is open; after it, each side has its own."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            con = sqlagent.connect(migrated_db)
            con.execute("INSERT INTO agents (agent_id) VALUES ('child')")
            con.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    con = sqlagent.connect(migrated_db)
    assert con.execute("SELECT agent_id FROM agents").fetchall() == [("child",)]
    con.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.parametrize("inside", [False, True])
def test_a_connection_carried_over_a_fork_is_refused(
    con: sqlagent.Connection, inside: bool
) -> None:
    """SQLite's locks are not inherited: a statement in the child could lose rows."""
    if inside:
        con.execute("BEGIN")
    con.execute("INSERT INTO agents (agent_id) VALUES ('parent')")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        said = "nothing"
        try:
            for sql in ("INSERT INTO agents (agent_id) VALUES ('x')", "SELECT * FROM agents"):
                try:
                    con.execute(sql)
                    said = f"ran {sql}"
                    break
                except sqlagent.InterfaceError as error:
                    said = error.message
            con.close()
        except BaseException as error:
            said = repr(error)
        finally:
            os.write(write, said.encode())
            os._exit(0)
    os.waitpid(child, 0)
    said = os.read(read, 1000).decode()
    os.close(read)
    os.close(write)
    assert "fork" in said, said
    con.execute("INSERT INTO agents (agent_id) VALUES ('after')")
    con.commit()
    assert con.execute("SELECT count(*) FROM agents").fetchone() == (2,)
