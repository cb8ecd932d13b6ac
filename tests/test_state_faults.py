"""Whatever fails, wherever: a long state has all its versions whole, and no half of a new one."""

from __future__ import annotations

import json
import random
from pathlib import Path

import apsw
import pytest
from faults import copied, survey

import sqlagent

LETTERS = "abcdefghijklmnopqrstuvwxyz汉字"
OPERATIONS = {
    "save": ["SELECT save_state('ada', (SELECT data FROM held WHERE n = 3))"],
    "first": ["SELECT save_state('new', data) FROM held WHERE n = 2"],
    "restore": ["SELECT restore('ada', 'good')"],
    "fork": ["SELECT fork('ada', 'new')"],
    "merge": ["SELECT * FROM merge_states('ada', 'eve')"],
    "sync": ["CALL sync()"],
    "erase": ["SELECT erase(agent_id => 'ada')"],
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a state of some 20 KB, its versions, a fork, and two that are still whole."""
    rng = random.Random(1)
    path = tmp_path_factory.mktemp("prepared") / "agent.db"
    con = sqlagent.connect(path, embedding_model="none")
    con.execute("CREATE TABLE held (n INTEGER PRIMARY KEY, data TEXT)")
    state = {f"key{n}": "".join(rng.choices(LETTERS, k=300)) for n in range(40)}
    for n in range(1, 4):
        state[f"key{n * 9}"] = f"{n}" * 300
        con.execute("INSERT INTO held VALUES (?, ?)", (n, json.dumps(state, ensure_ascii=False)))
    con.execute("SELECT save_state('ada', data) FROM held WHERE n = 1")
    con.execute("SELECT snapshot('ada', 'good')")
    con.execute("SELECT fork('ada', 'eve')")
    con.execute("SELECT save_state('ada', data) FROM held WHERE n = 2")
    eve = {**json.loads(con.execute("SELECT data FROM held WHERE n = 1").fetchone()[0]), "e": 1}
    con.execute("SELECT save_state('eve', ?)", (json.dumps(eve, ensure_ascii=False),))
    con.execute("INSERT INTO states (agent_id, data) SELECT 'bob', data FROM held WHERE n = 1")
    third = "(SELECT data FROM held WHERE n = 3)"
    con.execute(f"UPDATE states SET data = {third} WHERE agent_id = 'bob'")
    con.close()
    return path


def whole(path: Path, done: bool) -> None:
    """Every version is what its checksum says; parts and blocks are all there, none too many."""
    con = sqlagent.connect(path, embedding_model="none")
    try:
        assert [row for row in con.execute("CALL check()").fetchall() if not row[1]] == []
    finally:
        con.close()
    raw = apsw.Connection(str(path))
    for kind, ids, named in (
        ("blocks", "block_id", "sqlagent_state_versions v, json_each(v.blocks)"),
        ("parts", "part_id", "sqlagent_state_blocks k, json_each(k.parts)"),
    ):
        there = {n for (n,) in raw.execute(f"SELECT {ids} FROM sqlagent_state_{kind}")}
        assert {n for (n,) in raw.execute(f"SELECT value FROM {named}")} == there
    marks = "SELECT count(*) FROM sqlagent_meta WHERE name IN ('saving', 'erasing')"
    assert raw.execute(marks).get == 0
    raw.close()


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_faults(prepared: Path, tmp_path: Path, name: str, step: int) -> None:
    before = copied(prepared, tmp_path / "before.db")
    kinds = ("io", "full", "statement", "kill") if step == 1 else ("io", "statement")
    step = 40 if name == "erase" and step > 1 else step  # it rewrites the whole file
    points = survey(before, OPERATIONS[name], tmp_path, step=step, kinds=kinds, check=whole)
    assert points >= (40 if step == 1 else 2)
