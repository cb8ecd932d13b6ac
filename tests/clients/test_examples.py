"""The examples, each run where its language and driver are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
Run = Callable[..., str]


def needs(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


def succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def remembered(said: str) -> None:
    assert "Grace likes green tea." in said
    assert "memories" in said.splitlines()[-1]


def test_python(run: Run) -> None:
    import sys

    pytest.importorskip("psycopg", reason="psycopg is not installed")
    remembered(run(sys.executable, str(EXAMPLES / "agent.py")))


def test_ruby(run: Run) -> None:
    needs("ruby")
    if not succeeds("ruby", "-e", "require 'pg'"):
        pytest.skip("the gem pg is not installed")
    remembered(run("ruby", str(EXAMPLES / "agent.rb")))


def test_perl(run: Run) -> None:
    needs("perl")
    if not succeeds("perl", "-MDBD::Pg", "-e", "1"):
        pytest.skip("DBD::Pg is not installed")
    remembered(run("perl", str(EXAMPLES / "agent.pl")))


def test_php(run: Run) -> None:
    needs("php")
    if not succeeds("php", "-r", "exit(in_array('pgsql', PDO::getAvailableDrivers()) ? 0 : 1);"):
        pytest.skip("PDO's driver pgsql is not installed")
    remembered(run("php", str(EXAMPLES / "agent.php")))


def test_c(run: Run, tmp_path: Path) -> None:
    needs("cc", "pg_config")
    included = subprocess.run(["pg_config", "--includedir"], capture_output=True, text=True).stdout
    built = str(tmp_path / "agent")
    command = ["cc", str(EXAMPLES / "agent.c"), f"-I{included.strip()}", "-lpq", "-o", built]
    if not succeeds(*command):
        pytest.skip("libpq's header is not installed")
    remembered(run(built))


@pytest.mark.slow
def test_javascript(run: Run) -> None:
    needs("node")
    place = os.environ.get("NODE_PATH", "")
    if not succeeds("node", "-e", "require('pg')"):
        pytest.skip("node-postgres is not installed (NODE_PATH names where)")
    remembered(run("node", str(EXAMPLES / "agent.js"), NODE_PATH=place))


@pytest.mark.slow
def test_java(run: Run, tmp_path: Path) -> None:
    needs("java", "javac")
    jar = Path(os.environ.get("PGJDBC", "/usr/share/java/postgresql.jar"))
    if not jar.exists():
        pytest.skip("pgjdbc is not installed (PGJDBC names the jar)")
    run("javac", "-d", str(tmp_path), str(EXAMPLES / "Agent.java"))
    remembered(run("java", "-cp", f"{jar}:{tmp_path}", "Agent"))


@pytest.mark.slow
def test_r(run: Run) -> None:
    needs("Rscript")
    if not succeeds("Rscript", "-e", "library(RPostgreSQL)"):
        pytest.skip("RPostgreSQL is not installed")
    remembered(run("Rscript", str(EXAMPLES / "agent.R")))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "name"), [("lib/pq", "agent.go"), ("jackc/pgx/v4", "agent_pgx.go")]
)
def test_go(run: Run, tmp_path: Path, package: str, name: str) -> None:
    needs("go")
    place = os.environ.get("GOPATH", "/usr/share/gocode")
    if not (Path(place) / "src/github.com" / package).exists():
        pytest.skip(f"{package} is not installed (GOPATH names where)")
    settings = {"GO111MODULE": "off", "GOPATH": place, "GOCACHE": str(tmp_path / "cache")}
    built = str(tmp_path / "agent")
    run("go", "build", "-o", built, str(EXAMPLES / name), **settings)
    remembered(run(built))
