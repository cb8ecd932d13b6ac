"""Whatever fails, wherever: nothing lost, nothing half done."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults import KINDS, contents, copied, differences, survey

import sqlagent

SECRETS = ("zebrawort", "龘霸")
PREPARE = [
    "SELECT remember('ada', 'The zebrawort is in locker 7', user_id => 'bob', embedding => [1, 2])",
    "SELECT remember('ada', '龘霸在十七号柜', user_id => 'bob', importance => 0.9)",
    "SELECT remember('ada', 'She likes the smell of rain', session_id => 's1')",
    "SELECT remember('ada', 'Once there was a zebrawort', created_at => '2020-01-01')",
    "SELECT remember('eve', 'Nobody knows the way')",
    "INSERT INTO memory_sources (memory_id, source_memory_id) VALUES (4, 1)",
    "INSERT INTO memory_links (memory_id, related_id) VALUES (1, 3)",
    "INSERT INTO sessions (session_id, agent_id) VALUES ('s1', 'ada')",
    "SELECT save_state('ada', '{\"step\": \"zebrawort\"}')",
    "SELECT snapshot('ada', 'first')",
    "SELECT save_state('ada', '{\"step\": 2}')",
    "SELECT save_state('eve', '{\"step\": 3}')",
    "SELECT index_document('A quagmarsh lies in the north. 沼泽在北方。', uri => 'z.md')",
]
FORGET = "SELECT forget('ada', retention_days => 300, min_strength => 1.0)"
FADED = [
    f"SELECT remember('ada', 'It rained {n} times 雨', created_at => '2021-01-0{n}')"
    for n in range(1, 6)
]
WORKING = [
    f"SELECT remember('ada', 'Look at door {n}', tier => 'working', session_id => 's1', "
    f"importance => 0.{n})"
    for n in range(2, 9)
]
DOUBLES = [
    "SELECT remember('ada', 'The parcel from Kyoto came to the north gate', session_id => 's2')",
    "SELECT remember('ada', 'The parcel from Kyoto came to the north gate!', session_id => 's3')",
    *(
        f"SELECT remember('ada', 'Bob ran around the lake before breakfast on {day}', "
        f"session_id => '{day}', created_at => '2026-01-0{n}')"
        for n, day in enumerate(("Monday", "Tuesday", "Wednesday", "Thursday"), 1)
    ),
]
FORKED = [
    "SELECT fork('ada', 'bea')",
    'SELECT save_state(\'bea\', \'{"step": 2, "more": "龘"}\')',
]
POLICY = [
    "SELECT remember('ann', 'Ann lives in Paris')",
    "INSERT INTO memory_policies (name, event, action) "
    "VALUES ('new', 'contradiction', 'supersede') RETURNING name",
]
# What is done to the file before, and what is then done with faults.
OPERATIONS = {
    "remember": ([], "SELECT remember('ada', 'A new thing 新的事', embedding => [1, 2, 3])"),
    "save_state": ([], "SELECT save_state('ada', '{\"step\": 4}')"),
    "restore": ([], "SELECT restore('ada', 'first')"),
    "index_document": ([], "SELECT index_document('Another text.', uri => 'z.md')"),
    "supersede": ([], "SELECT supersede(1, 'The zebrawort is in locker 18')"),
    "unsupersede": (["SELECT supersede(1, '龘霸在十八号柜')"], "SELECT unsupersede(1)"),
    "contradict": (POLICY, "SELECT remember('ann', 'Ann lives in Rome')"),
    "forget": (FADED, FORGET),
    "unforget": ([*FADED, FORGET], "SELECT unforget('ada')"),
    "end_session": (WORKING, "SELECT end_session('s1')"),
    "consolidate": (DOUBLES, "SELECT consolidate('ada')"),
    "unconsolidate": ([*DOUBLES, "SELECT consolidate('ada')"], "SELECT unconsolidate('ada')"),
    "fork": ([], "SELECT fork('ada', 'bea')"),
    "merge_states": (FORKED, "SELECT * FROM merge_states('ada', 'bea')"),
}
ERASE = {
    "agent": "SELECT erase(agent_id => 'ada')",
    "user": "SELECT erase(user_id => 'bob')",
    "memory": "SELECT erase(memory_id => 1)",
    "document": "SELECT erase(document_id => 1)",
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file with something of everything, that nobody has open."""
    path = tmp_path_factory.mktemp("prepared") / "agent.db"
    connection = sqlagent.connect(path, embedding_model="none")
    for statement in PREPARE:
        connection.execute(statement)
    connection.close()
    return path


def erased(path: Path, done: bool) -> None:
    """Once the file is opened, an erasure that was committed is finished."""
    sqlagent.connect(path, embedding_model="none").close()
    connection = sqlagent.connect(path, embedding_model="none")
    rows = connection.execute("SELECT pending, finished_at FROM sqlagent_erasures").fetchall()
    connection.close()
    assert len(rows) == done
    assert all(pending == "[]" and finished is not None for pending, finished in rows)


def all_bytes(path: Path) -> bytes:
    """The bytes of a file that nobody has open, and of all beside and below it."""
    found = [p for p in path.parent.rglob(path.name + "*") if p.is_file()]
    found += [p for p in Path(f"{path}.d").rglob("*") if p.is_file()]
    return b"\0".join(p.read_bytes() for p in found)


def gone(path: Path, done: bool) -> None:
    """As `erased`; and no byte of an agent is left then."""
    erased(path, done)
    if done:
        for secret in SECRETS:
            assert secret.encode() not in all_bytes(path)


@pytest.fixture
def operation(request: pytest.FixtureRequest, prepared: Path, tmp_path: Path) -> tuple[Path, str]:
    """A file on which the operation of that name does something, and its statement."""
    before, statement = OPERATIONS[request.param]
    path = copied(prepared, tmp_path / "before.db")
    connection = sqlagent.connect(path, embedding_model="none")
    for sql in before:
        connection.execute(sql).fetchall()
    connection.close()
    return path, statement


@pytest.mark.parametrize("operation", OPERATIONS, indirect=True)
def test_an_operation_is_whole_or_not_there(operation: tuple[Path, str], tmp_path: Path) -> None:
    path, statement = operation
    assert survey(path, [statement], tmp_path, step=11) > 3


@pytest.mark.parametrize("scope", ["agent", "memory"])
def test_an_erasure_is_finished_or_not_there(scope: str, prepared: Path, tmp_path: Path) -> None:
    assert survey(prepared, [ERASE[scope]], tmp_path, step=43, check=erased) > 10


@pytest.mark.slow
@pytest.mark.parametrize("scope", ERASE)
def test_an_erasure_with_every_fault(scope: str, prepared: Path, tmp_path: Path) -> None:
    check, step = (gone, 1) if scope == "agent" else (erased, 3)  # what differs is in the rows
    points = survey(prepared, [ERASE[scope]], tmp_path, step=step, check=check)
    print(f"erase by {scope}: {points} points")
    assert points > 100


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS, indirect=True)
@pytest.mark.parametrize("kind", KINDS)
def test_an_operation_with_every_fault(
    operation: tuple[Path, str], kind: str, tmp_path: Path
) -> None:
    path, statement = operation
    points = survey(path, [statement], tmp_path, kinds=[kind])
    print(f"{statement}, {kind}: {points} points")
    assert points > 2


def test_what_is_half_done_is_found(prepared: Path, tmp_path: Path) -> None:
    two = ["UPDATE agents SET metadata = '{}'", "UPDATE sessions SET metadata = '{}'"]
    with pytest.raises(AssertionError, match=r"(agents|sessions) has"):
        survey(prepared, two, tmp_path)


def test_what_is_lost_is_found(prepared: Path, tmp_path: Path) -> None:
    path = copied(prepared, tmp_path / "less.db")
    connection = sqlagent.connect(path, embedding_model="none")
    connection.execute("DELETE FROM memories WHERE memory_id = 5")
    connection.close()
    told = differences(contents(path), contents(prepared))
    assert any(line.startswith("memories lacks (5, 'eve'") for line in told)
