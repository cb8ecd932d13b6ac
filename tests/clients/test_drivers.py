"""What programs of other languages do every day, with their own drivers, builders and mappers:
each `daily` program says `ok` or `FAIL` of each thing. Each runs where its client is installed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.test_examples import needs, succeeds

HERE = Path(__file__).parent
Run = Callable[..., str]
pytestmark = pytest.mark.slow
CRATES = Path(os.environ.get("CARGO_REGISTRY", "/usr/share/cargo/registry"))
CARGO = """
[package]
name = "clients"
version = "0.1.0"
edition = "2021"
[[bin]]
name = "agent"
path = "{examples}/agent.rs"
[[bin]]
name = "daily"
path = "{here}/daily.rs"
[dependencies.tokio-postgres]
version = "0.7"
features = ["with-chrono-0_4", "with-uuid-1", "with-serde_json-1"]
[dependencies]
tokio = {{ version = "1", features = ["rt", "macros", "net", "time", "sync"] }}
bytes = "1"
chrono = "0.4"
uuid = "1"
futures-util = {{ version = "0.3", features = ["sink"] }}
"""


def passed(said: str, least: int) -> None:
    """All that was tried works, and so much was tried."""
    assert "FAIL" not in said, said
    assert said.count("ok ") >= least, said


@pytest.mark.parametrize(
    ("client", "least"),
    [
        ("pg", 7), ("postgres", 8), ("pg-promise", 2), ("knex", 3), ("objection", 1),
        ("sequelize", 5), ("kysely", 3), ("drizzle", 2), ("typeorm", 5), ("slonik", 1),
        ("mikro-orm", 4),
    ],
)  # fmt: skip
def test_node(run: Run, client: str, least: int) -> None:
    needs("node")
    package = {"mikro-orm": "@mikro-orm/postgresql", "drizzle": "drizzle-orm"}.get(client, client)
    if not succeeds("node", "-e", f"require('{package}'); require('pg-cursor')"):
        pytest.skip(f"{package} is not installed (NODE_PATH names where)")
    place = os.environ.get("NODE_PATH", "")
    passed(run("node", str(HERE / "daily.js"), client, NODE_PATH=place), least)


@pytest.mark.parametrize(
    ("client", "gem", "least"),
    [("active_record", "active_record", 5), ("sequel", "sequel", 4)],
)
def test_ruby(run: Run, client: str, gem: str, least: int) -> None:
    needs("ruby")
    if not succeeds("ruby", "-e", f"require 'pg'; require '{gem}'"):
        pytest.skip(f"the gem {gem} is not installed")
    passed(run("ruby", str(HERE / "daily.rb"), client), least)


def test_go_pgx(run: Run, tmp_path: Path) -> None:
    needs("go")
    place = os.environ.get("GOPATH", "/usr/share/gocode")
    if not (Path(place) / "src/github.com/jackc/pgx/v4").exists():
        pytest.skip("pgx is not installed (GOPATH names where)")
    settings = {"GO111MODULE": "off", "GOPATH": place, "GOCACHE": str(tmp_path / "cache")}
    built = str(tmp_path / "daily")
    run("go", "build", "-o", built, str(HERE / "daily.go"), **settings)
    passed(run(built), 36)


def test_r(run: Run) -> None:
    needs("Rscript")
    if not succeeds("Rscript", "-e", "library(RPostgreSQL)"):
        pytest.skip("RPostgreSQL is not installed")
    passed(run("Rscript", str(HERE / "daily.R")), 12)


@pytest.fixture(scope="module")
def rust(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs that cargo has built."""
    needs("cargo")
    if not list(CRATES.glob("tokio-postgres-0.7*")):
        pytest.skip("tokio-postgres is not installed (CARGO_REGISTRY names a folder of crates)")
    folder = tmp_path_factory.mktemp("rust")
    (folder / "Cargo.toml").write_text(
        CARGO.format(here=HERE, examples=HERE.parents[1] / "examples")
    )
    (folder / ".cargo").mkdir()
    (folder / ".cargo/config.toml").write_text(
        f'[source.crates-io]\nreplace-with = "here"\n[source.here]\ndirectory = "{CRATES}"\n'
    )
    command = ["cargo", "build", "--offline", "--quiet"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "target/debug"


def test_rust(run: Run, rust: Path) -> None:
    passed(run(str(rust / "daily")), 6)


def test_rust_example(run: Run, rust: Path) -> None:
    from tests.clients.test_examples import remembered

    remembered(run(str(rust / "agent")))


def test_the_programs_are_all_run() -> None:
    """No `daily` program is left that no test runs."""
    text = Path(__file__).read_text("utf-8")
    assert all(p.name in text for p in HERE.glob("daily.*"))
