"""SQLite clients on the file: Debian's shell, Python's module in another process, Datasette.

They read every table and view with what SQLite 3.40 has, and what they write is found.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import SQLITE3, python

import sqlagent

NAMES = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
READ_ALL = f"""
import json, sqlite3, sys
con = sqlite3.connect(sys.argv[1])
names = [name for (name,) in con.execute({NAMES!r})]
print(json.dumps({{n: len(con.execute(f'SELECT * FROM "{{n}}"').fetchall()) for n in names}}))
"""


@pytest.fixture
def lived(words: sqlagent.Connection) -> sqlagent.Connection:
    """A file in which something of everything is."""
    (rome,) = words.execute("SELECT remember('ada', 'lives in Rome 住在罗马')").fetchone()
    words.execute("SELECT supersede(?, 'lives in Oslo')", (rome,))
    (old,) = words.execute("SELECT remember('ada', 'the offer ends')").fetchone()
    words.execute(
        "UPDATE memories SET expires_at = '2020-01-01T00:00:00Z' WHERE memory_id = ?", (old,)
    )
    words.execute("SELECT index_document(?, chunk_size => 40, overlap => 10)", ("a word " * 40,))
    words.execute("SELECT save_state('ada', '{\"step\": 1}')")
    words.execute("CALL sync()")
    return words


def test_the_shell_reads_every_table_and_view(
    lived: sqlagent.Connection, shell: Callable[..., str]
) -> None:
    path = lived.database.path
    for name in shell(path, NAMES).splitlines():
        shell(path, f'SELECT count(*) FROM (SELECT * FROM "{name}")')
    assert shell(path, "SELECT content FROM current_facts") == "lives in Oslo"
    whole = shell(path, "SELECT group_concat(own_content, '') FROM chunk_texts")
    assert whole.strip() == ("a word " * 40).strip()
    assert shell(path, "SELECT count(*) FROM memory_strength WHERE strength > 0") == "3"
    assert shell(path, "SELECT data ->> '$.step' FROM state_versions") == "1"


def test_python_in_another_process(lived: sqlagent.Connection) -> None:
    read = json.loads(python(READ_ALL, lived.database.path))
    assert read["memories"] == 3 and read["current_facts"] == 1 and read["memory_strength"] == 3


def test_current_facts_are_what_recall_looks_at(lived: sqlagent.Connection) -> None:
    lived.execute("INSERT INTO memories (agent_id, content, valid_from) "
                  "VALUES ('ada', 'moves to Bergen', '2999-01-01 00:00:00.000')")  # fmt: skip
    lived.execute("INSERT INTO memories (agent_id, content, valid_to) "
                  "VALUES ('ada', 'was a pupil', '2001-01-01T00:00:00+02:00')")  # fmt: skip
    lived.execute("INSERT INTO memories (agent_id, content) VALUES ('ada', 'plays chess')")
    lived.execute("SELECT remember('ada', 'forgotten')")
    lived.execute("UPDATE memories SET archived_at = created_at WHERE content = 'forgotten'")
    question = "Rome Oslo offer Bergen pupil chess forgotten"
    recalled = {r[0] for r in lived.execute("SELECT content FROM recall('ada', ?)", (question,))}
    for route in ("sqlite", "duckdb"):
        lived.execute(f"SET route = '{route}'")
        facts = {r[0] for r in lived.execute("SELECT content FROM current_facts")}
        assert facts == {"lives in Oslo", "plays chess"} == recalled, route
    own = lived.execute("SELECT content FROM memories_as_of('ada', now())").fetchall()
    assert {r[0] for r in own} == recalled


def test_a_fact_holds_until_what_replaces_it_begins(words: sqlagent.Connection) -> None:
    (now,) = words.execute("SELECT remember('ada', 'works in Rome')").fetchone()
    words.execute("SELECT supersede(?, 'works in Oslo', valid_from => '2999-01-01')", (now,))
    for route in ("sqlite", "duckdb"):
        words.execute(f"SET route = '{route}'")
        assert words.execute("SELECT content FROM current_facts").fetchall() == [("works in Rome",)]


def _free_port() -> int:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return int(own.getsockname()[1])


@pytest.mark.slow
def test_datasette(lived: sqlagent.Connection, tmp_path: Path) -> None:
    target = tmp_path / "datasette"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--target", str(target), "datasette"]
    done = subprocess.run(pip, text=True, capture_output=True, timeout=300)
    if done.returncode:
        pytest.skip(f"datasette cannot be installed here: {done.stderr.strip()[-200:]}")
    port = _free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "datasette", lived.database.path, "-p", str(port)],
        env=os.environ | {"PYTHONPATH": str(target)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def get(path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return json.load(answer)

    try:
        end = time.monotonic() + 60
        while True:
            try:
                listing = get("/agent.json")
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < end
                time.sleep(0.2)
        names = [t["name"] for t in listing["tables"]] + [v["name"] for v in listing["views"]]
        assert {"memories", "current_facts", "chunk_texts", "memory_strength"} <= set(names)
        for name in names:
            get(f"/agent/{name}.json?_shape=array&_size=5")
        assert get("/agent/current_facts.json?_shape=array")[0]["content"] == "lives in Oslo"
    finally:
        process.terminate()
        process.wait(30)


def test_the_shell_is_3_40() -> None:
    if not os.path.exists(SQLITE3):
        pytest.skip(f"{SQLITE3} is not installed")
    found = subprocess.run([SQLITE3, "--version"], text=True, capture_output=True, timeout=60)
    assert found.stdout.startswith("3.")
