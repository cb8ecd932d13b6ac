"""Waiting for the writer: an interrupt, a cancel and a time limit end it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

import sqlagent
from tests.pg_served import served


def interrupted(connection: sqlagent.Connection, run: Callable[[], Any]) -> sqlagent.Error:
    """The error of what another thread interrupts as soon as it waits."""

    def stop() -> None:
        while not connection.running:
            time.sleep(0.005)
        connection.interrupt()

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        with pytest.raises(sqlagent.InterruptedError) as caught:
            run()
    finally:
        thread.join()
    assert not connection.running
    return caught.value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with sqlagent.connect(tmp_path / "agent.db") as con:
        con.execute("CREATE TABLE t (n INTEGER)")
    return tmp_path / "agent.db"


def test_an_interrupt_ends_the_wait_for_another_transaction(path: Path) -> None:
    with sqlagent.connect(path) as holder, sqlagent.connect(path) as other:
        holder.execute("BEGIN")
        holder.execute("INSERT INTO t VALUES (1)")
        began = time.monotonic()
        for run in (
            lambda: other.execute("INSERT INTO t VALUES (2)"),
            lambda: other.execute("BEGIN"),
            lambda: other.execute("VACUUM"),
            lambda: other.execute("SELECT remember('ada', 'x')"),
        ):
            assert interrupted(other, run).sqlstate == "57014"
        assert time.monotonic() - began < 20  # each would wait for 30 s
        holder.execute("COMMIT")
        other.execute("INSERT INTO t VALUES (3)")
        assert holder.execute("SELECT n FROM t ORDER BY n").fetchall() == [(1,), (3,)]


def test_an_interrupt_ends_the_wait_for_another_process(path: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('BEGIN IMMEDIATE'); "
        "print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with sqlagent.connect(path) as other:
            for sql in ("INSERT INTO t VALUES (2)", "BEGIN"):
                assert interrupted(other, lambda sql=sql: other.execute(sql)).sqlstate == "57014"
            other.execute("SET statement_timeout_ms = 60")
            with pytest.raises(sqlagent.InterruptedError, match="statement timeout"):
                other.execute("INSERT INTO t VALUES (2)")
    finally:
        holder.communicate()
    assert sqlite3.__name__


def test_the_time_limit_holds_while_waiting(path: Path) -> None:
    with sqlagent.connect(path) as holder, sqlagent.connect(path) as other:
        holder.execute("BEGIN")
        holder.execute("INSERT INTO t VALUES (1)")
        other.execute("SET statement_timeout_ms = 50")
        for sql in ("INSERT INTO t VALUES (2)", "BEGIN"):
            with pytest.raises(sqlagent.InterruptedError, match="statement timeout") as caught:
                other.execute(sql)
            assert caught.value.sqlstate == "57014"
        holder.execute("ROLLBACK")
    with sqlagent.connect(path) as holder, sqlagent.connect(path, timeout=0.05) as other:
        holder.execute("BEGIN")
        with pytest.raises(sqlagent.BusyError, match=r"busy for 0\.05 s"):
            other.execute("INSERT INTO t VALUES (2)")
        with pytest.raises(sqlagent.BusyError, match=r"busy for 0\.05 s"):
            other.execute("BEGIN")


def test_a_client_cancels_its_wait(path: Path) -> None:
    with (
        served(path) as place,
        psycopg.connect(**place.ada) as holder,
        psycopg.connect(**place.ada, autocommit=True) as other,
    ):
        holder.execute("INSERT INTO t VALUES (1)")
        timer = threading.Timer(0.3, other.cancel_safe)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled, match="due to user request"):
            other.execute("INSERT INTO t VALUES (2)")
        timer.join()
        other.execute("SET statement_timeout = '100ms'")
        with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"):
            other.execute("INSERT INTO t VALUES (2)")
        holder.commit()
        other.execute("INSERT INTO t VALUES (3)")
        assert other.execute("SELECT n FROM t ORDER BY n").fetchall() == [(1,), (3,)]
