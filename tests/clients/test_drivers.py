"""What programs of other languages do every day, with their own drivers, builders and mappers:
each `daily` program says `ok` or `FAIL` of each thing. Each runs where its client is installed."""

from __future__ import annotations

import os
import shutil
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


@pytest.mark.parametrize(
    ("command", "asked", "name", "least"),
    [
        (["Rscript"], ["-e", "library(RPostgreSQL)"], "daily.R", 12),
        (["tclsh"], [], "daily.tcl", 4),
        (["lua5.4"], ["-e", "require 'luasql.postgres'"], "daily.lua", 4),
    ],
)
def test_scripts(run: Run, command: list[str], asked: list[str], name: str, least: int) -> None:
    needs(*command)
    if asked and not succeeds(*command, *asked):
        pytest.skip(f"{asked[-1]} is not installed")
    if name == "daily.tcl" and "tdbc" not in _tcl():
        pytest.skip("tdbc::postgres is not installed")
    passed(run(*command, str(HERE / name)), least)


def _tcl() -> str:
    """What Tcl has of TDBC's drivers."""
    text = "puts [catch {package require tdbc::postgres}]; puts tdbc"
    done = subprocess.run(["tclsh"], input=text, capture_output=True, text=True, check=False)
    return "tdbc" if done.stdout.startswith("0") else ""


@pytest.mark.parametrize(
    ("client", "asked", "least"),
    [
        ("class", "DBIx::Class::Schema::Loader", 3), ("rose", "Rose::DB::Object::Loader", 1),
        ("mojo", "Mojo::Pg", 3),
    ],
)  # fmt: skip
def test_perl(run: Run, client: str, asked: str, least: int) -> None:
    needs("perl")
    if not succeeds("perl", "-MDBD::Pg", f"-M{asked}", "-e", "1"):
        pytest.skip(f"{asked} is not installed")
    passed(run("perl", str(HERE / "daily.pl"), client), least)


@pytest.mark.parametrize(
    ("client", "asked", "least"),
    [
        ("pdo", "in_array('pgsql', PDO::getAvailableDrivers())", 2),
        ("pgsql", "function_exists('pg_connect')", 1),
        ("doctrine", "(bool) stream_resolve_include_path('Doctrine/DBAL/autoload.php')", 5),
    ],
)  # fmt: skip
def test_php(run: Run, client: str, asked: str, least: int) -> None:
    needs("php")
    if not succeeds("php", "-r", f"exit({asked} ? 0 : 1);"):
        pytest.skip(f"the client {client} is not installed")
    passed(run("php", str(HERE / "daily.php"), client), least)


@pytest.mark.parametrize(
    ("command", "name", "least"),
    [
        (["g++", "-std=c++17", "-o", "daily", "{}", "-lpqxx", "-lpq"], "daily.cpp", 6),
        (["ocamlfind", "ocamlopt", "-thread", "-package", "postgresql", "-linkpkg", "{}", "-o",
          "daily"], "daily.ml", 5),
        (["ghc", "-v0", "-outputdir", ".", "-o", "daily", "{}"], "daily.hs", 5),
    ],
)  # fmt: skip
def test_compiled(run: Run, tmp_path: Path, command: list[str], name: str, least: int) -> None:
    needs(command[0])
    shutil.copy(HERE / name, tmp_path)
    built = [x.format(str(tmp_path / name)) for x in command]
    done = subprocess.run(built, cwd=tmp_path, capture_output=True, text=True, check=False)
    if done.returncode and not _library(command[0]):
        pytest.skip(f"the client of {name} is not installed")
    assert done.returncode == 0, done.stderr
    passed(run(str(tmp_path / "daily")), least)


def _library(compiler: str) -> bool:
    """Whether the compiler has the library of its program."""
    asked = {
        "g++": ["pkg-config", "--exists", "libpqxx"],
        "ocamlfind": ["ocamlfind", "query", "postgresql"],
        "ghc": ["ghc-pkg", "field", "postgresql-simple", "version"],
    }[compiler]
    return shutil.which(asked[0]) is not None and succeeds(*asked)


def test_erlang(run: Run, tmp_path: Path) -> None:
    needs("erl", "erlc")
    found = "erl -noshell -eval 'halt(case code:which(pgsql) of non_existing -> 1; _ -> 0 end)'"
    if not succeeds("sh", "-c", found):
        pytest.skip("p1_pgsql is not installed")
    run("erlc", str(HERE / "daily.erl"), cwd=tmp_path)
    passed(run("erl", "-noshell", "-s", "daily", "main", cwd=tmp_path), 4)


def test_gdal(run: Run, tmp_path: Path) -> None:
    """A table of points comes in and goes out again."""
    needs("ogr2ogr", "ogrinfo")
    text = tmp_path / "points.csv"
    text.write_text("name,n\n茶,5\nb,\n", "utf-8")
    place = "PG:dbname=agent"
    run("ogr2ogr", "-f", "PostgreSQL", place, str(text), "-nln", "ogr_points", "-overwrite")
    said = run("ogrinfo", "-q", place, "-sql", "SELECT name, n FROM ogr_points ORDER BY ogc_fid")
    assert "name (String) = 茶" in said and "n (String) = 5" in said


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
