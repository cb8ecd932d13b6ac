"""The README is run: its SQL, Python and shell lines, in order, in a new folder, on one agent.db.

A block of text right behind one of SQL is what the shell shows for its last statement; one that
ends in `-- error: …` must fail with that text. `python -m tests.test_readme` writes the outputs.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import itertools
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import sqlagent
from sqlagent.cli.table import Look, write_table
from sqlagent.formats.cells import columns_of

README = Path(__file__).parent.parent / "README.md"
SHELLS = ("sh", "console")
FENCE = re.compile(r"^```(\w+)(.*)$")
FRAMES = {".df(": "pandas", ".pl(": "polars"}  # what is only there with the extra [all]


class Block(NamedTuple):
    """A fenced block: `first` is the number of its first line of code, from 1."""

    first: int
    language: str
    marks: list[str]
    code: list[str]


class Ran(NamedTuple):
    """What came of the README: problems as text, and each block's output by its line."""

    problems: list[str]
    outputs: dict[int, str]
    counts: dict[str, int]


def blocks(lines: list[str]) -> Iterator[Block]:
    """The fenced blocks, in order."""
    place = 0
    while place < len(lines):
        fence = FENCE.match(lines[place])
        place += 1
        if fence:
            first = place
            while lines[place] != "```":
                place += 1
            yield Block(first + 1, fence[1], fence[2].split(), lines[first:place])
            place += 1


def statements(code: list[str]) -> Iterator[tuple[str, str | None]]:
    """Each statement, and the error that it announces; a statement ends where its line does."""
    current = ""
    for line in code:
        text, _, comment = line.partition("  -- ")
        text = text if comment else line
        current += text.rstrip() + "\n"
        if sqlite3.complete_statement(current):
            announced = comment.strip() if comment.strip().startswith("error") else None
            yield current.strip().rstrip(";"), announced
            current = ""
    assert not current.strip(), f"no semicolon behind {current!r}"


def shown(cursor: sqlagent.Cursor, sql: str) -> str:
    """A result as the shell shows it."""
    out = io.StringIO()
    look = Look(lines=sql.upper().startswith("EXPLAIN"))
    write_table(columns_of(cursor.description), cursor.fetchall(), out, look)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


class Reader:
    """Runs block after block, as a reader would who types them."""

    def __init__(self) -> None:
        self.con: sqlagent.Connection | None = None
        self.names = {"__name__": "__main__"}
        self.ran = Ran([], {}, {"sql": 0, "python": 0, "shell": 0})

    def read(self, block: Block) -> None:
        """Run one block."""
        if "norun" in block.marks:
            return
        if block.language == "sql":
            self.sql(block)
        elif block.language == "python":
            self.python(block)
        elif block.language in SHELLS:
            self.shell(block)

    def problem(self, block: Block, what: str) -> None:
        """Note what went wrong."""
        self.ran.problems.append(f"README.md:{block.first}: {what}")

    def sql(self, block: Block) -> None:
        """Run its statements on the one connection; the last one's rows are its output."""
        self.ran.counts["sql"] += 1
        self.con = self.con or sqlagent.connect("agent.db")
        for sql, announced in statements(block.code):
            try:
                cursor = self.con.execute(sql)
                output = shown(cursor, sql) if cursor.description else ""
            except sqlagent.Error as error:
                wanted = (announced or "").partition(":")[2].strip()
                if announced is None or wanted not in error.message:
                    self.problem(block, f"{sql}\n{error}")
                continue
            if announced:
                self.problem(block, f"{sql}\nno error, though one is announced")
            self.ran.outputs[block.first] = output

    def python(self, block: Block) -> None:
        """Run it in the one namespace."""
        code = "\n".join(block.code)
        for call, library in FRAMES.items():
            if call in code and importlib.util.find_spec(library) is None:
                return
        self.ran.counts["python"] += 1
        try:
            exec(compile(code, f"README.md:{block.first}", "exec"), self.names)
        except Exception as error:
            self.problem(block, f"{type(error).__name__}: {error}")

    def shell(self, block: Block) -> None:
        """Run its lines that begin with sqlite3 or sqlagent."""
        for line in block.code:
            command = line.removeprefix("$ ")
            if not command.startswith(("sqlite3 ", "sqlagent ")):
                continue
            self.ran.counts["shell"] += 1
            done = subprocess.run(
                command, shell=True, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            if done.returncode:
                self.problem(block, f"{command}\n{done.stdout}{done.stderr}")


@contextlib.contextmanager
def installed_commands() -> Iterator[None]:
    """Let blocks find the command `sqlagent`, as in an environment that is activated."""
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{before}"
    try:
        yield
    finally:
        os.environ["PATH"] = before


def run_all() -> Ran:
    """Run the README as it is."""
    found = list(blocks(README.read_text(encoding="utf-8").splitlines()))
    reader = Reader()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), installed_commands():
        Path("handbook").mkdir()
        Path("handbook/boiler.md").write_text("# Boiler\n\nHold reset for five seconds.\n")
        try:
            for block in found:
                reader.read(block)
        finally:
            for con in (reader.con, reader.names.get("con")):
                if isinstance(con, sqlagent.Connection):
                    con.close()
    return reader.ran


def pairs(lines: list[str]) -> Iterator[tuple[Block, Block]]:
    """A block of SQL and the block of text right behind it, its output."""
    found = list(blocks(lines))
    for block, after in itertools.pairwise(found):
        between = after.first - 1 - (block.first + len(block.code) + 1)
        if (block.language, after.language) == ("sql", "text") and between <= 1:
            yield block, after


@pytest.fixture(scope="module")
def ran() -> Ran:
    """The README, run once."""
    if shutil.which("sqlite3") is None:
        pytest.skip("needs the program sqlite3")
    return run_all()


def test_every_block_runs(ran):
    assert not ran.problems, "\n\n".join(ran.problems)


def test_outputs_are_those_of_today(ran):
    for block, output in pairs(README.read_text(encoding="utf-8").splitlines()):
        assert "\n".join(output.code) == ran.outputs[block.first], f"README.md:{output.first}"


def test_there_is_enough_to_run(ran):
    assert ran.counts["sql"] >= 10 and ran.counts["python"] >= 4 and ran.counts["shell"] >= 10


def test_its_own_links_lead_somewhere():
    text = re.sub(r"(?ms)^```.*?^```$", "", README.read_text(encoding="utf-8"))
    titles = re.findall(r"(?m)^#+ (.+)$", text)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors


def test_headings_are_unique():
    text = re.sub(r"(?ms)^```.*?^```$", "", README.read_text(encoding="utf-8"))
    titles = re.findall(r"(?m)^#{2,3} (.+)$", text)
    assert len(titles) == len(set(titles))


def write_outputs() -> None:
    """Put today's outputs into the README."""
    ran = run_all()
    lines = README.read_text(encoding="utf-8").splitlines()
    for block, output in reversed(list(pairs(lines))):
        start = output.first - 1
        lines[start : start + len(output.code)] = ran.outputs[block.first].splitlines()
    README.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n\n".join(ran.problems) or "every block runs")


if __name__ == "__main__":
    write_outputs()
