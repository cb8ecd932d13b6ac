"""The portal in DuckDB's other clients: older and newer versions, the CLI, Node. Each is installed
into a folder of its own from its registry, and left out where that cannot be had."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sqlagent
from sqlagent.portal import path_of

pytestmark = pytest.mark.slow
VERSIONS = ["1.1.3", "1.3.2", "1.4.4", "2.0.0"]
READ_ALL = """
import duckdb, sys
con = duckdb.connect(sys.argv[1], read_only=True,
    config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
assert duckdb.__version__ == sys.argv[2], duckdb.__version__
for (name,) in con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall():
    con.execute(f'SELECT * FROM "{name}"').fetchall()
for call in ("knn('points', [1.0, 0.0])", "within('points', [1.0, 0.0], 2)",
             "near_memories('ada', [1.0])", "near_chunks([1.0])"):
    con.execute(f"FROM {call}").fetchall()
con.execute("SELECT activation(5, 100.0, 1.0), retention(5, 5), cosine_similarity([1.0], [1.0])")
print(con.execute("SELECT content FROM current_facts").fetchall())
"""
NODE = """
import { DuckDBInstance } from '@duckdb/node-api';
const instance = await DuckDBInstance.create(process.argv[2], { access_mode: 'READ_ONLY' });
const connection = await instance.connect();
for (const sql of process.argv.slice(3)) {
  const reader = await connection.runAndReadAll(sql);
  console.log(JSON.stringify(reader.getRowsJson()));
}
"""


def run(argv: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, text=True, capture_output=True, timeout=300, **options)


def installed(folder: Path, *packages: str) -> None:
    """Install Python packages into a folder, or skip."""
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder)]
    done = run([*pip, *packages])
    if done.returncode:
        pytest.skip(f"{' '.join(packages)} cannot be installed here: {done.stderr.strip()[-200:]}")


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The portal of a file in which something of everything is."""
    path = tmp_path_factory.mktemp("portal") / "agent.db"
    with sqlagent.connect(path, embedding_model="none") as con:
        con.execute("SELECT remember('ada', 'likes tea 茶')")
        con.execute("SELECT index_document('a word ' || 'and another', uri => 'a')")
        con.execute("SELECT save_state('ada', '{\"step\": 1}')")
        con.execute("SELECT put_vector('points', 'a', [1.0, 0.0])")
        con.execute("CREATE TABLE shop (id INTEGER PRIMARY KEY, price DECIMAL(10,2), at TIMESTAMP)")
        con.execute("INSERT INTO shop VALUES (1, 2.5, '2026-01-01 00:00:00.000')")
        con.execute("CALL sync()")
    con.close()
    yield path_of(f"{path}.d")


@pytest.mark.parametrize("version", VERSIONS)
def test_another_version_of_duckdb(portal: str, version: str, tmp_path: Path) -> None:
    installed(tmp_path / "duckdb", f"duckdb=={version}")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "duckdb")}
    done = run([sys.executable, "-c", READ_ALL, portal, version], env=environment)
    assert done.returncode == 0, done.stderr
    assert "likes tea 茶" in done.stdout


@pytest.mark.parametrize("version", ["1.5.5", "1.5.6"])
def test_the_command_line(portal: str, version: str, tmp_path: Path) -> None:
    installed(tmp_path / "cli", f"duckdb-cli=={version}")
    binary = tmp_path / "cli" / "duckdb_cli" / "duckdb"
    binary.chmod(0o755)
    done = run([str(binary), "-readonly", "-json", portal, "SELECT content FROM current_facts"])
    assert json.loads(done.stdout) == [{"content": "likes tea 茶"}], done.stderr


def test_node(portal: str, tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    (tmp_path / "package.json").write_text('{"private": true}')
    done = run(["npm", "install", "--silent", "@duckdb/node-api"], cwd=tmp_path)
    if done.returncode:
        pytest.skip(f"@duckdb/node-api cannot be installed here: {done.stderr[-200:]}")
    (tmp_path / "read.mjs").write_text(NODE)
    asked = ["SELECT content FROM current_facts", "SELECT id FROM knn('points', [0.9, 0.1])"]
    done = run(["node", "read.mjs", portal, *asked], cwd=tmp_path)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        [["likes tea 茶"]], [["a"]],
    ], done.stderr  # fmt: skip
