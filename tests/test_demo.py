"""The tour of `sqlagent demo`, as a user sees it: in a process of its own, without an input."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sqlagent.demo.folder import MARK, Folder, Taken
from sqlagent.demo.steps import STEPS, Plain

COMMAND = [sys.executable, "-m", "sqlagent.cli"]
ROOT = Path(__file__).resolve().parent.parent
STATEMENT = r"(?m)^ {2}(SELECT|INSERT|UPDATE|WITH|CREATE|EXPLAIN|BEGIN|CALL|COPY)\b"


def environment() -> dict[str, str]:
    """Ours, without settings of the user's, and with this checkout's package."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SQLAGENT_")}
    paths = [str(ROOT), *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}


def sqlagent(where: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=where,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where the demo ran, over the rest of an earlier one, and all that it said."""
    where = tmp_path_factory.mktemp("demo_user")
    (where / "demo").mkdir()
    (where / "demo" / MARK).touch()
    (where / "demo" / "agent.db").write_text("of an earlier demo that was killed")
    done = sqlagent(where, "demo")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert not done.stderr
    return where, done.stdout


def test_shows_every_step_with_its_statements(shown: tuple[Path, str]) -> None:
    said = shown[1]
    place = Folder("demo")
    for number, step in enumerate(STEPS, 1):
        assert f"{number}. {step.title} " in said
        for part in step.parts:
            for sql in part.statements if isinstance(part, Plain) else [place.said(part)]:
                assert "\n".join(f"  {line}" for line in sql.splitlines()) + ";\n" in said
    assert len(re.findall(STATEMENT, said)) > 30
    assert "Traceback" not in said and "\x1b" not in said


def test_rows_come_back(shown: tuple[Path, str]) -> None:
    said = shown[1]
    assert re.search(r"South +│ +4000 │ ", said)  # the shop's orders, at first
    assert re.search(r"South +│ +6000 │ ", said)  # and after the second burst
    assert re.search(r"1 │ Ada Chen prefers jasmine tea .* │ +[01]\.\d", said)
    assert re.search(r"2 │ 客户李雷喜欢喝龙井茶，每周五来取货 │ +[01]\.\d", said)
    assert re.search(r"South +│ .*│ +76\.0 │ A storm closed the road", said)
    assert re.search(r"6 │ South is behind its target: 76% of it was sold +│", said)
    assert "7 │ 李雷今天来电：龙井茶要改成每周三送货" in said
    assert re.search(r"\n +2 │ \{\"task\": \"spring order\", \"budget\": 5000", said)
    assert re.search(r"\n +4 │ 5000 +│ ", said)
    assert re.search(r"龙井 +│ +0\.99", said)


def test_documents_answer_questions(shown: tuple[Path, str]) -> None:
    said = shown[1]
    answers = [part.split("\n\n")[0] for part in said.split("FROM search('")[1:]]
    for answer, package in zip(answers, ("sqlglot", "rich", "wcwidth"), strict=True):
        first = answer.split("┼")[-1].split("\n")[1]
        assert first.split("│")[0].strip() == package


def test_explains_both_engines_and_checks_the_file(shown: tuple[Path, str]) -> None:
    said = shown[1]
    assert "sqlite: read" in said and "files: demo/targets.parquet" in said
    assert re.search(r"duckdb: read \(4 rows, [\d.]+ ms\)", said)
    checks = said.split("CALL check();")[1].split("rows)")[0]
    assert "│ true │" in checks and "│ false │" not in checks


def test_its_last_words_can_be_typed(shown: tuple[Path, str]) -> None:
    where, said = shown
    lines = [line.removeprefix("  ") for line in said.split("Type next:")[1].splitlines()]
    assert "demo/agent.db" in next(line for line in lines if "sqlagent" in line)
    questions = [line for line in lines if '" "' not in line and '"SELECT' in line]
    ours = next(line for line in questions if "recall" in line)
    done = sqlagent(where, *shlex.split(ours)[1:])
    assert "客户李雷喜欢喝龙井茶" in done.stdout, done.stderr
    if shutil.which("sqlite3"):
        plain = next(line for line in questions if line.startswith("sqlite3 "))
        done = subprocess.run(shlex.split(plain), cwd=where, capture_output=True, text=True)
        assert "1|Ada Chen" in done.stdout and not done.stderr
    code = "\n".join(lines[lines.index("import sqlagent") :])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=where, env=environment(), capture_output=True, text=True
    )
    assert "客户李雷喜欢喝龙井茶" in done.stdout, done.stderr


def test_refuses_a_folder_that_holds_something_else(tmp_path: Path) -> None:
    (tmp_path / "agent.db").write_text("precious")
    done = sqlagent(tmp_path, "demo", ".")
    assert done.returncode == 1
    assert done.stderr.startswith('error: "." holds files that are not of an earlier demo')
    assert (tmp_path / "agent.db").read_text() == "precious"
    inside = sqlagent(tmp_path, "demo", "agent.db/x")
    assert (inside.returncode, inside.stderr) == (1, 'error: "agent.db/x": Not a directory\n')
    with pytest.raises(Taken, match="is a file"):
        Folder(str(tmp_path / "agent.db")).make()
    with pytest.raises(Taken, match="file pattern"):
        Folder(str(tmp_path / "a*b")).make()


def test_clearing_leaves_what_is_not_of_the_demo(tmp_path: Path) -> None:
    place = Folder(str(tmp_path / "it's here"))
    place.make()
    (place.path / "notes.txt").write_text("mine")
    (place.path / "agent.db.d").symlink_to(tmp_path)
    place.make()
    place.clear()
    assert [path.name for path in place.path.iterdir()] == ["notes.txt"]
    assert place.said("'FOLDER/x'").endswith("/it''s here/x'")


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is another signal there")
def test_ctrl_c_leaves_no_files(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "demo"],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "INSERT INTO memories" in line:
            break
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert (process.returncode, said) == (130, "interrupted\n")
    assert not list(tmp_path.iterdir())


def test_a_statement_that_fails_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sqlagent.demo import main, tour

    broken = STEPS[0]._replace(parts=(Plain(("SELECT 1 FROM nowhere",)),))
    monkeypatch.setattr(tour, "STEPS", (broken,))
    assert main(str(tmp_path / "demo")) == 1
    assert "detail: sqlite3.OperationalError: no such table: nowhere" in capsys.readouterr().err
    monkeypatch.setattr(
        tour, "STEPS", (STEPS[0]._replace(parts=("SELECT no_such_function('x')",)),)
    )
    assert main(str(tmp_path / "demo")) == 1
    assert capsys.readouterr().err.startswith("error: ")
