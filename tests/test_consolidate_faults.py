"""consolidate and its undoing with a fault at every point: nothing lost, nothing half done."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults import KINDS, survey

import sqlagent

DO = "SELECT consolidate('ada')"
UNDO = "SELECT unconsolidate('ada')"
ADD = "INSERT INTO memories (agent_id, content, importance, created_at) VALUES ('ada', ?, ?, ?)"
TEXTS = [
    "The passport is in locker 17.", "the passport is in locker 17",
    "Well, the passport is in locker 17", "The passport is in locker 71.", "护照在抽屉里。",
    "护照在抽屉里",
    "Yesterday I ran along the river with Tom.", "Ran along the river with Tom, 40 minutes.",
    "I ran along the river with Tom on Monday.",
]  # fmt: skip


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A file that nobody has open, with an agent that has something to merge and to distil."""
    path = tmp_path / "prepared.db"
    with sqlagent.connect(path, embedding_model="none") as con:
        rows = [(t, n / 10, f"2026-01-{n:02}") for n, t in enumerate(TEXTS, 1)]
        con.executemany(ADD, rows)
        con.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    con.close()
    return path


@pytest.fixture
def consolidated(prepared: Path) -> Path:
    """The same, consolidated."""
    con = sqlagent.connect(prepared, embedding_model="none")
    assert con.execute(DO).fetchone() == (6,)
    con.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    con.close()
    return prepared


def test_a_statement_that_fails(prepared: Path, tmp_path: Path) -> None:
    assert survey(prepared, [DO], tmp_path, kinds=["statement"]) > 20


def test_undoing_that_fails(consolidated: Path, tmp_path: Path) -> None:
    assert survey(consolidated, [UNDO], tmp_path, kinds=["statement"]) > 8


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_at_every_point(prepared: Path, tmp_path: Path, kind: str) -> None:
    points = survey(prepared, [DO], tmp_path, kinds=[kind])
    print(f"{points} points of {kind}")
    assert points > 10


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_of_undoing(consolidated: Path, tmp_path: Path, kind: str) -> None:
    assert survey(consolidated, [UNDO], tmp_path, kinds=[kind]) > 8


CHILD = """
import os, sys
import sqlagent
from sqlagent.memory.consolidate import apply
apply.BATCH_PARTS = 8
con = sqlagent.connect(sys.argv[1], embedding_model="none")
con.execute("SELECT count(*) FROM memories").fetchall()
os.write(1, b"ready\\n")
con.progress = lambda what, done: os.write(1, b"batch\\n")
con.execute("CALL consolidate('ada')").fetchall()
os.write(1, b"done\\n")
"""


def facts(con: sqlagent.Connection) -> set[str]:
    """What the live memories say, as the writer of the test numbered it."""
    rows = con.execute(
        "SELECT content FROM memories WHERE archived_at IS NULL AND kind = 'episodic'"
    )
    return {"".join(c for c in content if c.isdigit()) for (content,) in rows.fetchall()}


def everything(con: sqlagent.Connection) -> list[Any]:
    return con.execute("SELECT * FROM memories ORDER BY memory_id").fetchall()


@pytest.mark.slow
def test_kill_nine_in_the_middle_of_batches(
    fresh_db: Path, child: Callable[..., Any], problems: Callable[..., Any]
) -> None:
    con = sqlagent.connect(fresh_db, embedding_model="none")
    texts = [t for n in range(150) for t in (f"Locker {n} is mine.", f"locker {n} is mine")]
    con.executemany(ADD, [(t, 0.5, "2026-01-01") for t in texts])
    before, wanted = everything(con), facts(con)
    con.close()
    chance = random.Random(5)
    between = set()
    for _ in range(50):
        process = child(CHILD, fresh_db)
        assert process.stdout.readline() == "ready\n"
        for _ in range(chance.randrange(37)):  # it goes on while one batch is heard of
            assert process.stdout.readline() == "batch\n"
        process.kill()
        process.wait()
        con = sqlagent.connect(fresh_db, embedding_model="none")
        merged, links, sources = (
            con.execute(f"SELECT count(*) FROM {what}").fetchone()[0]
            for what in ("memories WHERE archived_at IS NOT NULL", "memory_links", "memory_sources")
        )
        between.add(merged)
        assert merged == links == sources
        assert facts(con) == wanted
        con.execute("CALL consolidate('ada')").fetchall()  # it goes on
        assert con.execute(
            "SELECT count(*) FROM memories WHERE archived_at IS NULL"
        ).fetchone() == (150,)
        undone = 0
        while count := con.execute(UNDO).fetchone()[0]:
            undone += count
        assert undone == 150
        assert everything(con) == before
        assert problems(con) == []
        con.close()
    assert len(between - {0, 150}) > 3, between
