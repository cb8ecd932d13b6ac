"""Whatever fails, wherever: nothing lost, nothing half done."""

from __future__ import annotations

from pathlib import Path

import pytest

import sqlagent

from faults import KINDS, survey

SECRETS = ("zebrawort", "龘霸")
PREPARE = [
    "SELECT remember('ada', 'The zebrawort is in locker 17', user_id => 'bob', embedding => [1, 2])",
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
    "SELECT remember('ann', 'Ann lives in Paris')",
    "SELECT supersede(6, 'Ann lives in Rome')",
    "INSERT INTO memory_policies (name, event, action, agent_id) "
    "VALUES ('newer', 'contradiction', 'supersede', 'ann')",
]
OPERATIONS = {
    "remember": ["SELECT remember('ada', 'A new thing 新的事', embedding => [1, 2, 3])"],
    "save_state": ["SELECT save_state('ada', '{\"step\": 4}')"],
    "supersede": ["SELECT supersede(7, '安住在柏林')"],
    "unsupersede": ["SELECT unsupersede(6)"],
    "contradict": ["SELECT remember('ann', 'Ann lives in Berlin')"],
    "restore": ["SELECT restore('ada', 'first')"],
    "index_document": ["SELECT index_document('Another text.', uri => 'z.md')"],
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


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_whole_or_not_there(name: str, prepared: Path, tmp_path: Path) -> None:
    assert survey(prepared, OPERATIONS[name], tmp_path, step=5) > 5


@pytest.mark.parametrize("scope", ["agent", "memory"])
def test_an_erasure_is_finished_or_not_there(scope: str, prepared: Path, tmp_path: Path) -> None:
    assert survey(prepared, [ERASE[scope]], tmp_path, step=23, check=erased) > 10


@pytest.mark.slow
@pytest.mark.parametrize("scope", ERASE)
def test_an_erasure_with_every_fault(scope: str, prepared: Path, tmp_path: Path) -> None:
    check = gone if scope == "agent" else erased
    points = survey(prepared, [ERASE[scope]], tmp_path, check=check)
    print(f"erase by {scope}: {points} points")
    assert points > 100


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_operation_with_every_fault(
    name: str, kind: str, prepared: Path, tmp_path: Path
) -> None:
    points = survey(prepared, OPERATIONS[name], tmp_path, kinds=[kind])
    print(f"{name}, {kind}: {points} points")
    assert points > 2


def test_what_is_half_done_is_found(prepared: Path, tmp_path: Path) -> None:
    two = ["UPDATE agents SET metadata = '{}'", "UPDATE sessions SET metadata = '{}'"]
    with pytest.raises(AssertionError, match="agents has"):
        survey(prepared, two, tmp_path)


def test_what_is_lost_is_found(prepared: Path, tmp_path: Path) -> None:
    from faults import contents, copied, differences

    path = copied(prepared, tmp_path / "less.db")
    connection = sqlagent.connect(path, embedding_model="none")
    connection.execute("DELETE FROM memories WHERE memory_id = 5")
    connection.close()
    told = differences(contents(path), contents(prepared))
    assert any(line.startswith("memories lacks (5, 'eve'") for line in told)
