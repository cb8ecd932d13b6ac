"""Fixtures, each named for the state that it gives. Foreign clients are always other processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from library import library as library
from library import place as place

import sqlagent

collect_ignore = ["sqlalchemy_suite"]  # run by test_sqlalchemy_suite.py, in a process of its own

SQLITE3 = "/usr/bin/sqlite3"

# A shell that starts the tests in the background has them, and all that they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run, so that a failure is the change's; to look for new ones:
# HYPOTHESIS_PROFILE=random make test
# On a busy machine every example is slow to make: how long it takes says nothing of the test.
BUSY = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("steady", derandomize=True, **BUSY)
settings.register_profile("random", **BUSY)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture
def fresh_db(tmp_path: Path) -> Path:
    """The path of a file that does not exist yet."""
    return tmp_path / "agent.db"


@pytest.fixture
def con(fresh_db: Path) -> Iterator[sqlagent.Connection]:
    """An open connection to a new file."""
    with_model = sqlagent.connect(fresh_db)
    yield with_model
    with_model.close()


@pytest.fixture
def words(fresh_db: Path) -> Iterator[sqlagent.Connection]:
    """An open connection to a new file, without an embedding model."""
    connection = sqlagent.connect(fresh_db, embedding_model="none")
    yield connection
    connection.close()


@pytest.fixture
def migrated_db(fresh_db: Path) -> Path:
    """A file with our schema that nobody has open."""
    sqlagent.connect(fresh_db).close()
    return fresh_db


@pytest.fixture
def shop_db(tmp_path: Path) -> Path:
    """An ordinary SQLite file, in rollback mode, with tables of a business."""
    path = tmp_path / "shop.db"
    python(
        "import sqlite3, sys\n"
        "con = sqlite3.connect(sys.argv[1])\n"
        "con.executescript('''CREATE TABLE orders (id INTEGER PRIMARY KEY, total DOUBLE);"
        "CREATE VIEW big AS SELECT * FROM orders WHERE total > 10;"
        "INSERT INTO orders (total) VALUES (5), (50);''')",
        path,
    )
    return path


def run(argv: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a process to its end, within a minute."""
    return subprocess.run(argv, text=True, capture_output=True, timeout=60, **options)


def python(code: str, *args: Any, check: bool = True) -> str:
    """What a piece of Python prints in another process."""
    done = run([sys.executable, "-c", code, *map(str, args)], env=os.environ.copy())
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


def start(code: str, *args: Any) -> subprocess.Popen[str]:
    """A piece of Python in another process, with pipes to its input and output."""
    return subprocess.Popen(
        [sys.executable, "-u", "-c", code, *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def sqlite3_says(path: object, script: str) -> str:
    """What Debian's sqlite3 prints; a warning or an error fails the test."""
    if not os.path.exists(SQLITE3):
        pytest.skip("needs /usr/bin/sqlite3 (Debian's package sqlite3)")
    done = run([SQLITE3, "-bail", "-cmd", ".timeout 10000", str(path)], input=script)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.strip()


def sqlite3_refuses(path: object, script: str) -> str:
    """The error with which Debian's sqlite3 refuses a script."""
    if not os.path.exists(SQLITE3):
        pytest.skip("needs /usr/bin/sqlite3 (Debian's package sqlite3)")
    done = run([SQLITE3, "-bail", str(path)], input=script)
    assert done.returncode != 0, f"accepted: {done.stdout}"
    return done.stderr.strip()


@pytest.fixture
def elsewhere() -> Callable[..., str]:
    """`elsewhere(code, *args)`: a piece of Python in another process; what it prints."""
    return python


@pytest.fixture
def shell() -> Callable[[object, str], str]:
    """`shell(path, script)`: a script in Debian's sqlite3; what it prints."""
    return sqlite3_says


@pytest.fixture
def refused() -> Callable[[object, str], str]:
    """`refused(path, script)`: the error with which Debian's sqlite3 refuses a script."""
    return sqlite3_refuses


@pytest.fixture
def child() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """`child(code, *args)`: a running process, killed at the end of the test."""
    made: list[subprocess.Popen[str]] = []

    def make(code: str, *args: Any) -> subprocess.Popen[str]:
        made.append(start(code, *args))
        return made[-1]

    yield make
    for process in made:
        process.kill()
        process.communicate()


def all_ok(connection: sqlagent.Connection) -> list[tuple[Any, ...]]:
    """What CALL check() finds wrong."""
    return [row for row in connection.execute("CALL check()").fetchall() if not row[1]]


@pytest.fixture
def problems() -> Callable[[sqlagent.Connection], list[tuple[Any, ...]]]:
    """`problems(con)`: what CALL check() finds wrong; empty where all is well."""
    return all_ok
