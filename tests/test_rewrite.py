"""Every pair in `tests/rewrite/*.sql`: what a user writes, and what each engine is sent.

A record is `-- name`, the statement, then lines `sqlite: …`, `duckdb: …` or `error: …`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sqlagent.functions
from sqlagent.catalog import Catalog, Column, Table
from sqlagent.errors import Error
from sqlagent.functions import Function, Parameter
from sqlagent.plan import plan
from sqlagent.plan.plans import Duck, Fill, Lite

FUNCTIONS = {
    "decay": Function("decay", "macro", (Parameter("importance", "DOUBLE"),
                      Parameter("age", "DOUBLE"), Parameter("rate", "DOUBLE", 0.1)), "DOUBLE", "",
                      body_sql="importance * exp(-rate * age)"),
    "near": Function("near", "table", (Parameter("name", "VARCHAR"), Parameter("vector", "FLOAT[]"),
                     Parameter("k", "BIGINT", 10), Parameter("filter", "VARCHAR", None)), "TABLE",
                     "",
                     columns=(("id", "VARCHAR"), ("distance", "DOUBLE"))),
    "tokens": Function("tokens", "scalar", (Parameter("text", "VARCHAR"),), "BIGINT", ""),
}  # fmt: skip


def table(name, key, *columns, kind="table", sql=None):
    return Table(name, kind, tuple(Column(*c) for c in columns), key, sql)


CATALOG = Catalog(1, {t.name: t for t in (
    table("memories", "memory_id", ("memory_id", "BIGINT"), ("content", "VARCHAR", True),
          ("created_at", "TIMESTAMP", True), ("expires_at", "TIMESTAMP"), ("metadata", "JSON")),
    table("t", "id", ("id", "BIGINT"), ("n", "BIGINT"), ("x", "DOUBLE"), ("s", "VARCHAR"),
          ("ts", "TIMESTAMP"), ("d", "DATE"), ("v", "FLOAT[2]"), ("at", "VARCHAR")),
    table("ages", None, ("id", "BIGINT"), ("age", None), ("h", None), kind="view",
          sql="CREATE VIEW ages AS SELECT id, julianday('now') - julianday(ts) AS age, n / 2 AS h "
              "FROM t WHERE ts > datetime('now', '-1 day')"),
)})  # fmt: skip


def records():
    for path in sorted(Path(__file__).with_name("rewrite").glob("*.sql")):
        for part in re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip()):
            lines = part.splitlines()
            name = lines[0].removeprefix("-- ")
            said = [x for x in lines[1:] if re.match(r"(sqlite|duckdb|error): ", x)]
            sql = "\n".join(x for x in lines[1:] if x not in said)
            yield pytest.param(sql, said, id=f"{path.stem}: {name}")


@pytest.fixture(autouse=True)
def functions(monkeypatch):
    monkeypatch.setattr(sqlagent.functions, "_loaded", FUNCTIONS)


def text(sql, route):
    run = plan(sql, CATALOG, {"route": route}, lambda path: None).run
    if isinstance(run, Fill):
        run = run.source
    if route == "sqlite" and isinstance(run, Duck) and run.lite is not None:
        run = run.lite
    assert isinstance(run, Lite if route == "sqlite" else Duck)
    return run.sql


@pytest.mark.parametrize(("sql", "said"), list(records()))
def test_pairs(sql, said):
    assert said
    for line in said:
        engine, _, expected = line.partition(": ")
        if engine == "error":
            with pytest.raises(Error) as caught:
                plan(sql, CATALOG, {}, lambda path: None)
            assert expected in str(caught.value)
        else:
            assert text(sql, engine) == expected
