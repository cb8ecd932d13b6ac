"""pg_dump into a PostgreSQL that is really one, postgres_fdw from it, and PostgreSQL's own tools."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Run = Callable[..., str]
pytestmark = pytest.mark.slow


def _found(name: str) -> str | None:
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name, path=os.pathsep.join([os.environ["PATH"], *map(str, places)]))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables by which libpq finds a fresh PostgreSQL; it does not run as root."""
    initdb, control = _found("initdb"), _found("pg_ctl")
    if initdb is None or control is None or shutil.which("psql") is None:
        pytest.skip("PostgreSQL's server is not installed")
    folder = tmp_path_factory.mktemp("real")
    before: list[str] = []
    if os.getuid() == 0:
        if shutil.which("runuser") is None:
            pytest.skip("PostgreSQL does not run as root, and there is no runuser")
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        for parent in (folder, *folder.parents):
            if parent != Path("/") and not os.stat(parent).st_mode & 1:
                os.chmod(parent, os.stat(parent).st_mode | 0o055)
        before = ["runuser", "-u", "nobody", "--"]
    data = str(folder / "data")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(*command: str) -> None:
        done = subprocess.run(
            [*before, *command], capture_output=True, text=True, cwd=folder, timeout=120,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    run(initdb, "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8")
    options = f"-p {port} -k '' -c listen_addresses=127.0.0.1 -c fsync=off"
    run(control, "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "postgres",
               "PGDATABASE": "postgres", "PGPASSWORD": ""}  # fmt: skip
    finally:
        run(control, "-D", data, "-m", "immediate", "stop")


def there(real: dict[str, str], *sql: str) -> str:
    """What psql says on the real server, without decoration."""
    given = [x for text in sql for x in ("-c", text)]
    done = subprocess.run(
        ["psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", *given], env={**os.environ, **real},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_dump_is_restored_without_an_error(
    run: Run, real: dict[str, str], tmp_path: Path
) -> None:
    if shutil.which("pg_dump") is None:
        pytest.skip("pg_dump is not installed")
    run("psql", "-c", "SELECT remember('ada', '记住 this')")
    dump = tmp_path / "dump.sql"
    run("pg_dump", "--no-owner", "-f", str(dump))
    there(real, "CREATE DATABASE restored")
    into = {**real, "PGDATABASE": "restored"}
    done = subprocess.run(
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(dump)],
        env={**os.environ, **into}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0 and "ERROR" not in done.stderr, done.stderr
    for sql in (
        "SELECT id, email, name, balance, created, active FROM users ORDER BY id",
        "SELECT id, user_id, total, note FROM orders ORDER BY id",
        "SELECT email, total FROM user_totals ORDER BY email",
        "SELECT memory_id, agent_id, content FROM memories ORDER BY memory_id",
    ):
        wanted = run("psql", "-X", "-At", "-c", sql)
        assert there(into, sql) == wanted and wanted.strip()
    keys = "SELECT conname FROM pg_constraint WHERE conrelid IN ('users'::regclass, "
    keys += "'orders'::regclass) ORDER BY 1"
    assert there(into, keys) == run("psql", "-X", "-At", "-c", keys)
    shown = there(into, "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' "
                  "AND conrelid = 'orders'::regclass")  # fmt: skip
    assert "REFERENCES users(id) ON DELETE CASCADE" in shown
    described = "SELECT obj_description('users'::regclass, 'pg_class')"
    assert there(into, described) == "people 人\n"


def test_other_ways_to_dump(run: Run, tmp_path: Path) -> None:
    if shutil.which("pg_dump") is None:
        pytest.skip("pg_dump is not installed")
    schema = run("pg_dump", "-s", "-t", "users", "-t", "orders")
    assert "CREATE TABLE public.users" in schema and "COPY " not in schema
    rows = run("pg_dump", "-a", "--inserts", "-t", "users")
    assert "INSERT INTO public.users VALUES" in rows and "王" in rows
    archive = tmp_path / "dump.custom"
    run("pg_dump", "-Fc", "-f", str(archive))
    assert "TABLE DATA public users" in run("pg_restore", "-l", str(archive))
    whole = run("pg_dump")
    assert "sqlagent_users" not in whole and "CREATE FUNCTION" not in whole


def test_tools_of_postgresql(run: Run) -> None:
    if shutil.which("pg_isready") is None:
        pytest.skip("PostgreSQL's client programs are not installed")
    assert "accepting connections" in run("pg_isready")
    for tool in ("vacuumdb", "reindexdb", "clusterdb"):
        if shutil.which(tool) is not None:
            run(tool)
    if shutil.which("pg_dumpall") is not None:
        assert "CREATE ROLE ada" in run("pg_dumpall", "-g", "-l", "agent")


def test_pgbench(run: Run, tmp_path: Path) -> None:
    if shutil.which("pgbench") is None:
        pytest.skip("pgbench is not installed")
    run("pgbench", "-i", "-q")
    for mode in ("simple", "extended", "prepared"):
        said = run("pgbench", "-n", "-M", mode, "-t", "20", "-c", "2")  # TPC-B, as it comes
        assert "number of failed transactions: 0" in said
    own = tmp_path / "own.sql"
    own.write_text("\\set id random(1, 2)\nSELECT email FROM users WHERE id = :id;\n")
    assert "number of failed transactions: 0" in run(
        "pgbench", "-n", "-M", "prepared", "-f", str(own), "-t", "100"
    )
    sums = run("psql", "-X", "-At", "-c", "SELECT (SELECT sum(abalance) FROM pgbench_accounts), "
               "(SELECT sum(bbalance) FROM pgbench_branches), (SELECT sum(tbalance) FROM "
               "pgbench_tellers), (SELECT sum(delta) FROM pgbench_history)")  # fmt: skip
    assert len(set(sums.strip().split("|"))) == 1
    run("psql", "-c", "DROP TABLE pgbench_accounts, pgbench_branches, pgbench_tellers, "
        "pgbench_history")  # fmt: skip


def test_postgres_fdw(run: Run, real: dict[str, str], server: dict[str, str]) -> None:
    if not there(real, "SELECT 1 FROM pg_available_extensions WHERE name = 'postgres_fdw'"):
        pytest.skip("postgres_fdw is not installed")
    there(
        real, "CREATE EXTENSION postgres_fdw",
        "CREATE SERVER agent FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{PGHOST}', "
        "port '{PGPORT}', dbname '{PGDATABASE}')".format(**server),
        "CREATE USER MAPPING FOR postgres SERVER agent OPTIONS (user '{PGUSER}', "
        "password '{PGPASSWORD}')".format(**server),
        "CREATE SCHEMA agent", "IMPORT FOREIGN SCHEMA public FROM SERVER agent INTO agent",
    )  # fmt: skip
    for sql in (
        "SELECT id, email, balance, active, created FROM {}users ORDER BY id",
        "SELECT u.email, sum(o.total) FROM {0}users u JOIN {0}orders o ON o.user_id = u.id "
        "WHERE u.active AND o.note LIKE '%t' GROUP BY 1 ORDER BY 1",
        "SELECT * FROM {}user_totals ORDER BY 1",
    ):
        assert there(real, sql.format("agent.")) == run("psql", "-XAt", "-c", sql.format(""))
    said = there(real, "INSERT INTO agent.orders (user_id, total, note) VALUES (2, 3.5, 'fdw 注') "
                 "RETURNING note")  # fmt: skip
    assert said.startswith("fdw 注")
    # Not sent as a whole: each row is written by its ctid.
    there(real, "UPDATE agent.orders SET note = note || clock_timestamp()::text "
          "WHERE note LIKE 'fdw%'")  # fmt: skip
    mine = "SELECT count(*) FROM orders WHERE note LIKE 'fdw 注2%'"
    assert run("psql", "-XAt", "-c", mine) == "1\n"
    kept = there(
        real, "BEGIN; INSERT INTO agent.orders (user_id, total, note) VALUES (1, 1, 'undone'); "
        "SAVEPOINT s; DELETE FROM agent.orders; ROLLBACK TO s; ROLLBACK",
        "SELECT count(*) > 2 FROM agent.orders WHERE note <> 'undone'",
    )  # fmt: skip
    assert kept.endswith("t\n")
    there(real, "DELETE FROM agent.orders WHERE note LIKE 'fdw%' AND length(note) > 8")
