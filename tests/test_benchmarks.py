"""The benchmarks run, check their answers and print their table; no time is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks import measure
from benchmarks.bench import Bench, Line, WrongAnswer
from benchmarks.table import cells, number

ROOT = Path(__file__).resolve().parent.parent
FAST = ("point_read", "resident", "save")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any], Path]:
    """What the three fastest print at quick size, the values in their file, their folder."""
    folder = tmp_path_factory.mktemp("bench")
    values = folder / "values.json"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks",
            *FAST,
            "--quick",
            "--json",
            values,
            "--folder",
            folder,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(values.read_text()), folder


def test_every_figure_is_in_the_table(ran: tuple[str, dict[str, Any], Path]) -> None:
    printed, values, _ = ran
    head, _, *rows = printed.splitlines()
    assert head.split()[:3] == ["figure", "what", "measured"]
    assert {row.split()[0] for row in rows[: len(values["lines"])]} == set(FAST)
    assert {line["figure"] for line in values["lines"]} == set(FAST)


def test_answers_were_checked(ran: tuple[str, dict[str, Any], Path]) -> None:
    printed, values, _ = ran
    assert values["checked"] >= len(FAST) and not values["failed"]
    assert f"{values['checked']} answers checked" in printed


def test_raw_apsw_stands_beside_each(ran: tuple[str, dict[str, Any], Path]) -> None:
    peers = {line["beside"] for line in ran[1]["lines"] if line["peer"]}
    assert {"raw apsw", "raw apsw, two rows", "bare Python"} <= peers


def test_nothing_is_left_behind(ran: tuple[str, dict[str, Any], Path]) -> None:
    assert [path.name for path in ran[2].iterdir()] == ["values.json"]


def test_a_wrong_answer_ends_a_figure(tmp_path: Path) -> None:
    bench = Bench("any", tmp_path, tmp_path, quick=True)
    bench.check("one", True)
    with pytest.raises(WrongAnswer, match="any: two: 3"):
        bench.check("two", False, 3)
    assert bench.checked == 1


def test_a_figure_that_fails_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Done:
        returncode = 1

    monkeypatch.setattr(command.subprocess, "run", lambda *_, **__: Done)
    assert command.run_all(["save"], tmp_path, True, None) == 1
    assert "save: FAILED" in capsys.readouterr().out


def test_a_peer_that_is_missing_is_named(tmp_path: Path) -> None:
    bench = Bench("any", tmp_path, tmp_path, quick=True)
    assert bench.peer("no_such_module_at_all", "no-such-package") is None
    assert bench.notes == ["any: no-such-package is not installed: pip install no-such-package"]


def test_lines_say_whether_the_reach_is_met() -> None:
    assert Line("f", "w", 5, "ms", reach=5).met is True
    assert Line("f", "w", 6, "ms", reach=5).met is False
    assert Line("f", "w", 6, "/s", reach=5, at_least=True).met is True
    assert Line("f", "w", 6).met is None
    row = cells(Line("f", "w", 6, "ms", reach=5, beside="p", peer=3), quick=False)
    assert row == ("f", "w", "6.00 ms", "<= 5", "NOT MET", "p", "3.00 ms", "2.00")
    assert cells(Line("f", "w", 6, "ms", reach=5), quick=True)[3:5] == ("", "")


def test_numbers_have_three_digits_that_count() -> None:
    assert [number(v) for v in (None, 0.1234, 1.234, 12.34, 1234.5)] == [
        "", "0.123", "1.23", "12.3", "1,234",
    ]  # fmt: skip
    assert (number(1234, "/s"), number(2, "MB")) == ("1,234/s", "2.00 MB")


def test_turns_alternate_their_order() -> None:
    seen: list[str] = []
    took = measure.turns(2, [lambda: seen.append("a"), lambda: seen.append("b")])
    assert seen == ["a", "b", "b", "a"] and [len(t) for t in took] == [2, 2]


def test_every_figure_is_a_module_and_every_peer_a_requirement() -> None:
    for name in command.FIGURES:
        text = (ROOT / "benchmarks" / f"{name}.py").read_text()
        assert "def run(bench: Bench) -> None:" in text and "bench.check(" in text
    wanted = (ROOT / "benchmarks" / "requirements.txt").read_text()
    for package in ("chromadb", "langgraph-checkpoint-sqlite", "sqlite-vec"):
        assert package in wanted
