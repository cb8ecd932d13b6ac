"""What the tests of the extension share: the library, compiled here, and a room for its sockets."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sqlagent import __version__

ROOT = Path(__file__).resolve().parent.parent
FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-Wpedantic", "-Wshadow", "-Wconversion")
SHELL = shutil.which("sqlite3")


def compiled(target: Path, *more: str, version: str = __version__) -> Path:
    """The library, or a skip where there is no compiler or no header of SQLite's."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    probe = subprocess.run(
        [compiler, "-E", "-x", "c", "-"], input="#include <sqlite3ext.h>", text=True,
        capture_output=True,
    )  # fmt: skip
    if probe.returncode:
        pytest.skip("no sqlite3ext.h (libsqlite3-dev)")
    sources = sorted(str(path) for path in (ROOT / "extension").glob("*.c"))
    made = subprocess.run(
        [compiler, *FLAGS, "-g", "-O1", "-fPIC", "-fvisibility=hidden", "-shared",
         f'-DSQLAGENT_VERSION="{version}"', *more, "-o", str(target), *sources, "-ldl"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return target


def loading_python() -> str | None:
    """A Python whose sqlite3 loads extensions; many are built without."""
    for python in (sys.executable, "/usr/bin/python3"):
        code = "import sqlite3; sqlite3.connect(':memory:').enable_load_extension(True)"
        if (
            shutil.which(python)
            and not subprocess.run([python, "-c", code], capture_output=True).returncode
        ):
            return python
    return None


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("library") / "sqlagent0.so")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for sockets, whose paths are short; engines that are left end with the test."""
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="sa-"))
    program = tmp_path / "sqlagent-program"
    program.write_text(
        f"#!/bin/sh\nPYTHONPATH={ROOT} SQLAGENT_TEST={folder} "
        f'exec {sys.executable} -m sqlagent.cli "$@" $SQLAGENT_TEST_MORE\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("SQLAGENT_COMMAND", str(program))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.delenv("SQLAGENT_SOCKET", raising=False)
    yield folder
    for pid in engines(folder):
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def engines(folder: Path) -> list[int]:
    """The engines that the clients of a test started."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                environment = (process / "environ").read_bytes().split(b"\0")
                command = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if f"SQLAGENT_TEST={folder}".encode() in environment and b"--serve" in command:
                found.append(int(process.name))
    return found
