"""What drivers and tools ask of the catalogs, by the drivers themselves; slow, and each where it is
installed."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
Run = Callable[..., str]


def test_asyncpg_introspects_types(server: dict[str, str]) -> None:
    asyncpg = pytest.importorskip("asyncpg", reason="asyncpg is not installed")

    async def ask() -> Any:
        connection = await asyncpg.connect(
            host=server["PGHOST"], port=int(server["PGPORT"]), user=server["PGUSER"],
            password=server["PGPASSWORD"], database=server["PGDATABASE"],
        )  # fmt: skip
        try:
            row = await connection.fetchrow(
                "SELECT relname, relkind, oid, oid::regclass AS named FROM pg_class "
                "WHERE relname = $1", "users",
            )  # fmt: skip
            keys = await connection.fetchval(
                "SELECT indkey FROM pg_index WHERE indexrelid = 'ix_orders_note'::regclass"
            )
            kinds = await connection.fetch(
                "SELECT typname, typarray FROM pg_type WHERE oid = ANY($1::oid[])", [20, 25]
            )
            await connection.set_type_codec("jsonb", encoder=str, decoder=str, schema="pg_catalog")
            await connection.reset()
            return dict(row), keys, sorted(tuple(k) for k in kinds)
        finally:
            await connection.close()

    row, keys, kinds = asyncio.run(ask())
    assert (row["relname"], row["relkind"], row["named"]) == ("users", b"r", "users")
    assert row["oid"] >= 1 << 30
    assert list(keys) == [2, 4]
    assert kinds == [("int8", 1016), ("text", 1009)]


def test_psycopg_finds_types_and_tables(server: dict[str, str]) -> None:
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    from psycopg.types import TypeInfo

    names = {
        "host": server["PGHOST"], "port": server["PGPORT"], "user": server["PGUSER"],
        "password": server["PGPASSWORD"], "dbname": server["PGDATABASE"],
    }  # fmt: skip
    with psycopg.connect(**names) as connection:
        found = TypeInfo.fetch(connection, "jsonb")
        assert found is not None and (found.oid, found.array_oid) == (3802, 3807)
        assert TypeInfo.fetch(connection, "nosuch") is None
        cursor = connection.execute("SELECT relname, relkind, oid, relacl FROM pg_class LIMIT 1")
        assert [d.type_code for d in cursor.description] == [19, 18, 26, 1034]
        cursor = connection.execute("SELECT indkey, indclass FROM pg_index LIMIT 1")
        assert [d.type_code for d in cursor.description] == [22, 30]


@pytest.mark.slow
def test_pgjdbc_metadata(run: Run, server: dict[str, str], tmp_path: Path) -> None:
    jar = Path(os.environ.get("PGJDBC", "/usr/share/java/postgresql.jar"))
    if shutil.which("javac") is None or not jar.exists():
        pytest.skip("Java or pgjdbc is not installed (PGJDBC names the jar)")
    run("javac", "-d", str(tmp_path), str(HERE / "Metadata.java"))
    said = run("java", "-cp", f"{jar}:{tmp_path}", "Metadata")
    assert "FAIL" not in said and said.count("ok ") >= 25
    assert "table users" in said and "auto true" in said


@pytest.mark.slow
def test_psqlodbc_catalog_functions(run: Run, server: dict[str, str]) -> None:
    pytest.importorskip("pyodbc", reason="pyodbc is not installed")
    import pyodbc

    if "PostgreSQL Unicode" not in pyodbc.drivers():
        pytest.skip("psqlODBC is not installed")
    text = (
        f"DRIVER={{PostgreSQL Unicode}};SERVER={server['PGHOST']};PORT={server['PGPORT']};"
        f"DATABASE={server['PGDATABASE']};UID={server['PGUSER']};PWD={server['PGPASSWORD']}"
    )
    with pyodbc.connect(text, autocommit=True) as connection:
        cursor = connection.cursor()
        assert {r.table_name for r in cursor.tables(tableType="TABLE")} >= {"users", "orders"}
        assert [r.column_name for r in cursor.columns(table="users")][:2] == ["id", "email"]
        assert [r.column_name for r in cursor.primaryKeys(table="users")] == ["id"]
        assert [r.fktable_name for r in cursor.foreignKeys(table="users")] == ["orders"]
        assert {r.index_name for r in cursor.statistics("orders")} >= {"ix_orders_user"}
        assert len(cursor.getTypeInfo().fetchall()) > 10
        cursor.procedures().fetchall()
        assert cursor.execute("SELECT name FROM users WHERE id = ?", 2).fetchval() == "王"


@pytest.mark.slow
def test_node_postgres(run: Run) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if subprocess.run(["node", "-e", "require('pg')"], capture_output=True).returncode:
        pytest.skip("node-postgres is not installed (NODE_PATH names where)")
    script = """
    const { Client } = require("pg");
    (async () => {
      const c = new Client(); await c.connect();
      const t = await c.query("SELECT oid, relname, relhasindex FROM pg_class WHERE relname = $1",
                              ["users"]);
      console.log(t.rows[0].relname, t.rows[0].relhasindex, t.fields.map(f => f.dataTypeID).join());
      const i = await c.query("SELECT column_name FROM information_schema.columns " +
                              "WHERE table_name = 'users' ORDER BY ordinal_position LIMIT 2");
      console.log(i.rows.map(r => r.column_name).join());
      await c.end();
    })();
    """
    assert run("node", "-e", script).splitlines() == ["users true 26,19,16", "id,email"]


@pytest.mark.slow
def test_perl_table_info(run: Run) -> None:
    if subprocess.run(["perl", "-MDBD::Pg", "-e", "1"], capture_output=True).returncode:
        pytest.skip("DBD::Pg is not installed")
    script = """
    use DBI; my $c = DBI->connect("dbi:Pg:", undef, undef, {RaiseError => 1});
    print join(",", map { $_->[3] } @{$c->column_info(undef, "public", "users", "%")
      ->fetchall_arrayref}), "\\n";
    print join(",", $c->primary_key(undef, "public", "users")), "\\n";
    print join(",", map { $_->{FK_COLUMN_NAME} || $_->{FKCOLUMN_NAME} } @{$c->foreign_key_info(
      undef, "public", "users", undef, "public", "orders")->fetchall_arrayref({})}), "\\n";
    print scalar(@{$c->table_info(undef, "public", "%", "TABLE")->fetchall_arrayref}) > 2, "\\n";
    """
    assert run("perl", "-e", script).splitlines() == [
        "id,email,name,age,balance,created,data,active", "id", "user_id", "1",
    ]  # fmt: skip


@pytest.mark.slow
def test_ruby_type_map(run: Run) -> None:
    if (
        shutil.which("ruby") is None
        or subprocess.run(["ruby", "-e", "require 'pg'"], capture_output=True).returncode
    ):
        pytest.skip("the gem pg is not installed")
    script = """
    require 'pg'; c = PG.connect
    c.type_map_for_results = PG::BasicTypeMapForResults.new(c)
    p c.exec("SELECT id, active, balance FROM users WHERE id = 1").values
    """
    assert "1, true" in run("ruby", "-e", script)


@pytest.mark.slow
def test_polars_connectorx_and_adbc(server: dict[str, str]) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    url = "postgresql://{PGUSER}:{word}@{PGHOST}:{PGPORT}/{PGDATABASE}".format(
        word=server["PGPASSWORD"].replace(" ", "%20"), **server
    )
    sql = "SELECT id, email, active, created FROM users ORDER BY id"
    ran = 0
    for engine, module in (("connectorx", "connectorx"), ("adbc", "adbc_driver_postgresql")):
        try:
            __import__(module)
        except ImportError:
            continue
        ran += 1
        frame = polars.read_database_uri(sql, url, engine=engine)
        assert frame["email"].to_list()[:2] == ["ada@example.org", "wang@example.org"]
        none = polars.read_database_uri("SELECT id FROM users WHERE id < 0", url, engine=engine)
        assert none.shape == (0, 1)
    if not ran:
        pytest.skip("neither connectorx nor ADBC's driver is installed")


DBT = {
    "dbt_project.yml": "name: p\nversion: '1.0'\nprofile: p\nmodel-paths: [models]\n"
    "seed-paths: [seeds]\nsnapshot-paths: [snapshots]\n"
    "flags: {send_anonymous_usage_stats: false}\n",
    "profiles.yml": "p: {target: d, outputs: {d: {type: postgres, host: \"{{ env_var('PGHOST') }}\""
    ", port: \"{{ env_var('PGPORT') | int }}\", user: \"{{ env_var('PGUSER') }}\", pass: "
    "\"{{ env_var('PGPASSWORD') }}\", dbname: agent, schema: public, threads: 1}}}\n",
    "seeds/seeded.csv": "id,name\n1,a\n2,b\n",
    "models/v.sql": "{{ config(materialized='view') }} select id, email from public.users",
    "models/t.sql": "{{ config(materialized='table') }} select id, email from {{ ref('v') }}",
    "models/inc.sql": "{{ config(materialized='incremental', unique_key='id') }} select id, email "
    "from {{ ref('t') }} {% if is_incremental() %} where id >= (select max(id) from {{ this }}) "
    "{% endif %}",
    "models/schema.yml": "version: 2\nmodels:\n  - name: t\n    description: the t\n"
    "    config: {persist_docs: {relation: true, columns: true}}\n    columns:\n"
    "      - {name: id, description: the id, tests: [unique, not_null]}\n",
    "snapshots/s.sql": "{% snapshot snap %}{{ config(target_schema='public', unique_key='id', "
    "strategy='check', check_cols=['email']) }} select id, email from public.users "
    "{% endsnapshot %}",
}  # fmt: skip


@pytest.mark.slow
def test_dbt(run: Run, tmp_path: Path) -> None:
    dbt = os.environ.get("DBT") or shutil.which("dbt")
    if dbt is None:
        pytest.skip("dbt-postgres is not installed (DBT names the program)")
    for name, text in DBT.items():
        place = tmp_path / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)
    for command in ("seed", "run", "run", "snapshot", "snapshot", "test", "docs generate"):
        said = run(
            dbt, "--no-use-colors", *command.split(), "--profiles-dir", str(tmp_path),
            cwd=tmp_path,
        )  # fmt: skip
        assert "ERROR=0" in said or "Catalog written" in said
