"""The reference is the code's, whole, and names everything that a user can type."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import sqlagent
from sqlagent import cli, reference
from sqlagent.config import SETTINGS
from sqlagent.functions import Function, functions
from sqlagent.run.procedures import CALLS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FUNCTIONS = list(functions().values())
NAMED = [f.name for f in FUNCTIONS]
# What an example rests on.
BEFORE = [
    "SELECT remember('ada', 'The parcel is in locker 17')",
    "SELECT save_state('ada', '{}')",
    "SELECT put_vector('points', 'a', [1.0, 0.0, 0.0])",
    "SELECT index_document('To install it, press reset for five seconds.', uri => 'boiler.md')",
]
SAID = "INSERT INTO memories (agent_id, content, session_id, user_id, created_at, pinned) VALUES "
AGAIN = f"{SAID} ('ada', 'the parcel is in locker 17!', NULL, NULL, '2024-01-01', 0)"
TWO = f"{SAID} ('ada', 'Ada lives in Paris', 's1', 'bob', '2024-01-01', 1), "
TWO += "('ada', 'Ada lives in Rome', 's1', 'bob', '2024-01-02', 1)"
ASKED = [
    "INSERT INTO memory_policies (name, event, action) VALUES ('ask', 'contradiction', 'ask')",
    "SELECT remember('ada', 'Ada lives in Paris')",
    "SELECT remember('ada', 'Ada lives in Rome')",
]
OPERATION = "INSERT INTO sqlagent_operations (agent_id, operation) VALUES ('ada', 'forget')"
BEFORE_ONE = {
    "consolidation_plan": [AGAIN],
    "contradictions": [TWO],
    "end_session": ["INSERT INTO sessions (session_id, agent_id) VALUES ('s1', 'ada')"],
    "erase": [TWO],
    "keep_both": ASKED,
    "link": [TWO],
    "memories_as_of": [TWO],
    "merge_states": [
        "SELECT fork('ada', 'eve')",
        "SELECT save_state('ada', '{\"plan\": 1}')",
        "SELECT save_state('eve', '{\"plan\": 2}')",
    ],
    "related": [TWO, "SELECT link(1, 2)"],
    "restore": ["SELECT snapshot('ada', 'before the trip')"],
    "review_due": [TWO],
    "state_diff": ["SELECT save_state('ada', '[1]')"],
    "supersede_by": ASKED,
    "undo": [OPERATION],
    "unlink": [TWO, "SELECT link(1, 2, 'causes')"],
    "unpin": [TWO],
    "unsupersede": [TWO, "SELECT supersede(1, 'The parcel is in locker 18')"],
}


def is_named(word: str) -> bool:
    """Whether the README has the word as code."""
    return re.search(rf"`[^`\n]*\b{re.escape(word)}\b", README) is not None


def test_the_readme_has_the_reference_of_the_code():
    assert reference.replaced(README) == README, "`make reference` writes it"


def test_check_tells_an_old_reference_and_writes_nothing(tmp_path, capsys):
    path = tmp_path / "README.md"
    old = f"before\n{reference.START}\nold\n{reference.END}\nafter\n"
    path.write_text(old)
    assert reference.main(["--check", str(path)]) == 1
    assert path.read_text() == old
    assert "make reference" in capsys.readouterr().err


def test_writing_it_twice_changes_nothing(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(f"before\n{reference.START}{reference.END}\nafter\n")
    assert reference.main([str(path)]) == 0
    once = path.read_text()
    assert reference.main([str(path)]) == reference.main(["--check", str(path)]) == 0
    assert path.read_text() == once
    assert once.startswith("before\n") and once.endswith("\nafter\n")


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["/no/such/file"]])
def test_wrong_usage_is_said(arguments, capsys):
    assert reference.main(arguments) == 2
    assert capsys.readouterr().err


def test_a_file_without_markers_is_left_alone(tmp_path, capsys):
    path = tmp_path / "README.md"
    path.write_text("nothing here")
    assert reference.main([str(path)]) == 2
    assert path.read_text() == "nothing here"
    assert "markers" in capsys.readouterr().err


@pytest.mark.parametrize("function", FUNCTIONS, ids=NAMED)
def test_every_function_says_what_it_is(function: Function):
    parts = reference.sections(function.doc)
    assert re.match(r"[A-Z].*\.", parts[""], re.S), "its first words are a sentence"
    told = [n for names, _ in reference.arguments(parts.get("Arguments", "")) for n in names]
    assert told == [p.name for p in function.parameters], "Arguments has each of them, in order"
    if function.parameters:
        assert parts.get("Returns"), "it says what it returns"
    assert any(function.name in sql for sql in reference.examples(function)), "it has an example"


@pytest.mark.parametrize("function", FUNCTIONS, ids=NAMED)
def test_every_example_runs(function: Function, fresh_db):
    con = sqlagent.connect(fresh_db)
    try:
        for sql in [*BEFORE, *BEFORE_ONE.get(function.name, [])]:
            con.execute(sql)
        for sql in reference.examples(function):
            cursor = con.execute(sql)
            if function.name in sql:  # the others make what it needs
                assert cursor.fetchall()
    finally:
        con.close()


@pytest.mark.parametrize("function", FUNCTIONS, ids=NAMED)
def test_every_function_has_an_entry(function: Function):
    assert README.count(f"\n#### {function.name}\n\n`{function.signature}` → ") == 1


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_has_a_row(name):
    assert README.count(f"\n| `{name}` | ") == 1


def test_every_table_is_named(con):
    rows = con.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
    names = {name for (name,) in rows}
    shadows = {n for n in names if "_fts_" in n or n.startswith("sqlite_")}
    assert not {name for name in names - shadows if not is_named(name)}


def test_every_column_of_memories_is_in_the_file(con):
    """The columns that Limits speaks of are there."""
    names = {row[0] for row in con.execute("DESCRIBE memories").fetchall()}
    spoken_of = {"expires_at", "archived_at", "valid_from", "valid_to", "superseded_by"}
    assert spoken_of <= names


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_is_named(command):
    assert f"`sqlagent {command} " in README


@pytest.mark.parametrize("name", CALLS)
def test_every_procedure_is_named(name):
    assert f"`CALL {name}(" in README


def test_every_extra_is_named():
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    assert not {extra for extra in extras if f"`sqlagent[{extra}]`" not in README}


def test_every_folder_of_the_package_is_named():
    folders = {p.parent for p in (ROOT / "sqlagent").glob("*/__init__.py")}
    assert not {f.name for f in folders if f"`sqlagent/{f.name}/`" not in README}


def test_every_error_of_ours_is_named():
    ours = {"BusyError", "InterruptedError", "MigrationError"}
    assert not {name for name in ours if not is_named(name)}
    assert ours <= set(sqlagent.__all__)


def test_the_version_has_its_changes():
    assert f"\n### {sqlagent.__version__}\n" in README.partition("\n## Changelog\n")[2]
