"""DuckDB as an engine: values, functions, errors, limits, transactions, threads."""

from __future__ import annotations

import datetime
import os
import threading
import time
import uuid
from array import array
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from test_columns import ROWS, foreign, new_file, opened, rows

import sqlagent
from sqlagent import errors
from sqlagent.engines.duckdb import DuckEngine
from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.functions import scalar, table
from sqlagent.plan.plans import Duck
from sqlagent.sync.columns import NotColumnar


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckEngine]:
    path = new_file(
        tmp_path / "agent.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, g TEXT, v DOUBLE)",
        "CREATE TABLE w (a TEXT, n INTEGER)",
        ROWS.format(1000) + " INSERT INTO t SELECT i, char(65 + i % 4), i * 0.5 FROM n",
        "INSERT INTO w VALUES ('A', 1), ('B', 2)",
    )
    with opened(path) as made:
        yield made


def test_values_and_types(engine: DuckEngine) -> None:
    sql = """SELECT 1::BIGINT AS i, 1.5::DECIMAL(5,2) AS d, '{"a": 1}'::JSON AS j, 'x'::BLOB AS b, 
      [1.5]::FLOAT[1] AS f,
      [1, 2] AS l, '00000000-0000-0000-0000-000000000001'::UUID AS u, DATE '2024-01-02' AS day,
      TIMESTAMPTZ '2024-01-01 12:00:00+02' AS z, [TIMESTAMPTZ '2024-01-01 12:00:00+02'] AS zz,
      NULL AS "a ""b", true AS y,
      170141183460469231731687303715884105727 AS h"""
    result = engine.run(Duck(sql), ())
    assert result.columns == [
        ("i", "BIGINT"), ("d", "DECIMAL(5,2)"), ("j", "JSON"), ("b", "BLOB"), ("f", "FLOAT[1]"),
        ("l", "INTEGER[]"), ("u", "UUID"), ("day", "DATE"), ("z", "TIMESTAMP"), 
        ("zz", "TIMESTAMP[]"),
        ('a "b', "INTEGER"), ("y", "BOOLEAN"), ("h", "HUGEINT"),
    ]  # fmt: skip
    noon = datetime.datetime(2024, 1, 1, 10)
    assert list(result.rows()) == [(
        1, Decimal("1.50"), '{"a": 1}', b"x", [1.5], [1, 2], uuid.UUID(int=1), 
        datetime.date(2024, 1, 2), noon, [noon], None, True, 2**127 - 1,
    )]  # fmt: skip


def test_parameters_and_arrow(engine: DuckEngine) -> None:
    values = (500, "A", b"x", None, datetime.datetime(2024, 1, 1), Decimal("1.5"), [1.0])
    sql = (
        "SELECT count(*) AS n, $3 AS b, $4 AS o, $5 AS ts, $6 AS d, $7 AS l FROM t"
        " WHERE id <= $1 AND g = $2"
    )
    got = engine.run(Duck(sql, tables=("t",)), values)
    assert list(got.rows()) == [(125, b"x", None, values[4], Decimal("1.5"), [1.0])]
    table_ = engine.run(
        Duck("SELECT g, sum(v) AS s FROM t GROUP BY g ORDER BY g", tables=("t",))
    ).arrow()
    assert table_.to_pydict()["g"] == ["A", "B", "C", "D"]


def test_order_survives_the_cast_of_instants(engine: DuckEngine) -> None:
    sql = "SELECT id, to_timestamp(id) AS at_ FROM t ORDER BY id DESC -- last first"
    got = rows(engine, sql, "t")
    assert [r[0] for r in got] == list(range(1000, 0, -1))
    assert got[-1][1] == datetime.datetime(1970, 1, 1, 0, 0, 1)


@pytest.mark.parametrize(
    ("sql", "kind", "message"),
    [
        ("SELECT nosuch(1)", errors.ProgrammingError, 'function "nosuch" does not exist'),
        ("SELECT * FROM nosuch", errors.ProgrammingError, 'table "nosuch" does not exist'),
        ("SELECT nope FROM t", errors.ProgrammingError, "nope"),
        ("SELEC 1", errors.ProgrammingError, "syntax error"),
        ("SELECT CAST(g AS INTEGER) FROM t", errors.DataError, "could not convert string"),
        ("SELECT 9223372036854775807 + id FROM t", errors.DataError, "overflow"),
        ("SELECT * FROM 'nowhere.csv'", errors.OperationalError, "no files found"),
    ],
)
def test_errors(engine: DuckEngine, sql: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        rows(engine, sql, "t")
    assert type(caught.value) is kind


def test_the_caret(engine: DuckEngine) -> None:
    with pytest.raises(ProgrammingError) as caught:
        rows(engine, "SELECT g,\n  nosuch(v)\nFROM t", "t")
    assert str(caught.value).splitlines()[1:3] == ["LINE 2:   nosuch(v)", "          ^"]


def test_interrupt_and_timeout(engine: DuckEngine) -> None:
    slow = Duck(
        "SELECT count(*) FROM range(100000) a, range(1000000) b WHERE a.range * b.range % 7 = 3"
    )
    with pytest.raises(errors.InterruptedError, match=r"limit of 0\.05 s"):
        list(engine.run(slow, timeout_s=0.05).rows())

    def stop(interrupt: Any) -> None:
        threading.Timer(0.05, interrupt).start()

    with pytest.raises(errors.InterruptedError, match="was interrupted"):
        list(engine.run(slow, started=stop).rows())
    threading.Timer(0.05, engine.interrupt).start()
    with pytest.raises(errors.InterruptedError):
        list(engine.run(slow).rows())
    assert rows(engine, "SELECT count(*) FROM t", "t") == [(1000,)]


def test_a_live_file_is_refused(engine: DuckEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    database = engine._database
    monkeypatch.setattr(
        type(database), "protected", lambda self, p: self.path if p.endswith(".db") else None
    )
    for files, values in (
        ((database.path,), ()),
        ((0,), (database.path,)),
        ((0,), (["x", database.path],)),
    ):
        plan = Duck("SELECT * FROM read_blob($1)", files=files)
        with pytest.raises(NotSupportedError, match=r'"agent\.db" is open here'):
            engine.run(plan, values)


# Transactions ---------------------------------------------------------------------------


def private(engine: DuckEngine, connection: Any, sql: str, *tables: str) -> list[Any]:
    return list(engine.run_private(Duck(sql, tables=tables), (), connection).rows())


@pytest.mark.parametrize("warm", [False, True])
def test_a_transaction_sees_its_own_writes(engine: DuckEngine, warm: bool) -> None:
    database = engine._database
    if warm:
        rows(engine, "SELECT 1 FROM t, w", "t", "w")
    held = database.hold()
    try:
        held.execute("UPDATE t SET v = -1 WHERE id <= 10")
        held.execute("DELETE FROM t WHERE id > 990")
        held.execute("INSERT INTO t VALUES (5000, 'Z', 0)")
        held.execute("INSERT INTO w VALUES ('C', 3)")
        check = "SELECT count(*), sum(v), max(id) FROM t"
        assert private(engine, held, check, "t") == held.execute(check).fetchall()
        assert private(engine, held, "SELECT sum(n) FROM w", "w") == [(6,)]
        assert rows(engine, "SELECT count(*), max(id) FROM t", "t") == [(1000, 1000)] or not warm
        held.execute("SAVEPOINT s")
        held.execute("DELETE FROM t")
        assert private(engine, held, "SELECT count(*) FROM t", "t") == [(0,)]
        held.execute("ROLLBACK TO s")
        assert private(engine, held, check, "t") == held.execute(check).fetchall()
        held.execute("CREATE TABLE fresh (x INTEGER)")
        held.execute("INSERT INTO fresh VALUES (1), (2)")
        assert private(engine, held, "SELECT sum(x) FROM fresh", "fresh") == [(3,)]
        held.execute("ALTER TABLE t ADD COLUMN extra TEXT DEFAULT 'e'")
        assert private(engine, held, "SELECT min(extra) FROM t", "t") == [("e",)]
        held.execute("INSERT INTO w VALUES ('D', 'many')")
        with pytest.raises(NotColumnar):
            private(engine, held, "SELECT * FROM w", "w")
    finally:
        held.execute("ROLLBACK")
        database.let_go()
    assert rows(engine, "SELECT count(*), max(id) FROM t", "t") == [(1000, 1000)]
    with pytest.raises(ProgrammingError):
        rows(engine, "SELECT * FROM fresh", "fresh")


# Functions ------------------------------------------------------------------------------


@scalar("DOUBLE")
def halve(context: Any, x: float, by: float = 2.0) -> float:
    """Divide."""
    return x / by


@scalar("VARCHAR")
def kind_of(context: Any, x: object) -> str:
    """The Python type that a body sees."""
    return type(x).__name__


@scalar("FLOAT[]")
def spread(context: Any, n: int) -> bytes:
    """A vector."""
    return array("f", range(n)).tobytes()


@scalar("DOUBLE")
def total(context: Any, v: object) -> float:
    """The sum of a vector."""
    return sum(memoryview(v).cast("f"))  # type: ignore[call-overload]  # bytes, by the contract


@scalar("BIGINT", deterministic=False)
def serial(context: Any) -> int:
    """A function without arguments."""
    return next(context)


@scalar("BIGINT")
def fail(context: Any, x: int) -> int:
    """Raise."""
    raise errors.IntegrityError("it does not hold", hint="Never")


@table("n BIGINT", "word VARCHAR", "at TIMESTAMP", "vector FLOAT[]")
def series(context: Any, start: int, k: int = 3) -> Iterator[tuple[Any, ...]]:
    """Rows."""
    if start < 0:
        raise errors.DataError("start is not negative")
    for i in range(k):
        yield start + i, f"w{i}", "2024-01-01 10:00:00.500", array("f", [i]).tobytes()


@table("one INTEGER")
def nothing(context: Any) -> list[tuple[Any, ...]]:
    """A table function without arguments."""
    return [(1,)]


@pytest.fixture
def ours(engine: DuckEngine) -> DuckEngine:
    made = (halve, kind_of, spread, total, serial, fail, series, nothing)
    numbers = iter(range(1 << 30))
    engine.register({f.name: f for f in made}, lambda: numbers)
    return engine


def test_scalars(ours: DuckEngine) -> None:
    assert rows(ours, "SELECT halve(3, NULL), halve(3.0, 4), halve(NULL, 4)") == [(1.5, 0.75, None)]
    assert rows(ours, "SELECT sum(halve(v, NULL)) FROM t", "t") == [(125125.0,)]
    assert rows(ours, "SELECT spread(2), spread(2)::FLOAT[2]") == [([0.0, 1.0], [0.0, 1.0])]
    assert rows(ours, "SELECT total(spread(4)), total([1, 2.5]), total([1, 2]::FLOAT[2])") == [
        (6, 3.5, 3)
    ]
    assert len(set(rows(ours, "SELECT serial() FROM t", "t"))) == 1000
    sql = (
        "SELECT kind_of(2::HUGEINT), kind_of(2.5), kind_of('x'::BLOB), kind_of(now()), kind_of($1)"
    )
    seen = rows(ours, sql, values=("x",))
    assert seen == [("int", "float", "bytes", "str", "str")]


def test_table_functions(ours: DuckEngine) -> None:
    result = ours.run(Duck("SELECT * FROM series(5, 2)"), ())
    assert result.columns == [
        ("n", "BIGINT"),
        ("word", "VARCHAR"),
        ("at", "TIMESTAMP"),
        ("vector", "FLOAT[]"),
    ]
    at = datetime.datetime(2024, 1, 1, 10, 0, 0, 500000)
    assert list(result.rows()) == [(5, "w0", at, [0.0]), (6, "w1", at, [1.0])]
    result = ours.run(Duck("SELECT * FROM series(5, 0)"), ())
    assert [c[1] for c in result.columns] == ["BIGINT", "VARCHAR", "TIMESTAMP", "FLOAT[]"]
    assert list(result.rows()) == []
    assert rows(ours, "SELECT * FROM series(NULL, 2)") == []
    assert rows(ours, "SELECT count(*) FROM series(5, NULL)") == [(3,)]
    assert rows(ours, "SELECT w.a, s.n FROM w, series(w.n, 1) s ORDER BY 1", "w") == [
        ("A", 1),
        ("B", 2),
    ]
    assert rows(ours, "SELECT n FROM series($1, $2)", values=(1, 1)) == [(1,)]
    assert rows(ours, "SELECT * FROM nothing()") == [(1,)]


def test_an_exception_keeps_its_class(ours: DuckEngine) -> None:
    with pytest.raises(errors.IntegrityError, match="it does not hold") as caught:
        rows(ours, "SELECT fail(id) FROM t", "t")
    assert caught.value.hint == "Never"
    with pytest.raises(errors.DataError, match="start is not negative"):
        rows(ours, "SELECT * FROM series(-1, 1)")
    with pytest.raises(errors.DataError, match=r"start is a whole number, not 2\.5"):
        rows(ours, "SELECT * FROM series(2.5, 1)")
    with pytest.raises(errors.ProgrammingError, match="halve takes at most 2 arguments"):
        rows(ours, "SELECT halve(1, 2, 3)")


# Threads, ends --------------------------------------------------------------------------


def test_a_stream_outlives_changes(engine: DuckEngine) -> None:
    plan = Duck("SELECT id FROM t, range(100) r", tables=("t",))
    stream = engine.run(plan).rows()
    next(stream)
    foreign(Path(engine._database.path), "DELETE FROM t")
    assert rows(engine, "SELECT count(*) FROM t", "t") == [(0,)]
    engine.rebuild()
    assert 1 + sum(1 for _ in stream) == 100_000


def test_rebuilds_beside_queries(engine: DuckEngine) -> None:
    ends = time.monotonic() + 1
    wrong: list[Any] = []

    def read() -> None:
        while time.monotonic() < ends:
            try:
                got = rows(engine, "SELECT count(*) FROM t, w", "t", "w")
            except Exception as error:
                got = [error]
            if got != [(2000,)]:
                wrong.append(got)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    while time.monotonic() < ends:
        engine.rebuild()
        time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_a_killed_process_spilled_is_removed(tmp_path: Path) -> None:
    spilled = tmp_path / "agent.db.d" / "spill" / "1" / "duckdb_temp_storage_DEFAULT-0.tmp"
    recent = tmp_path / "agent.db.d" / "spill" / "2"
    for folder in (spilled.parent, recent):
        folder.mkdir(parents=True)
    spilled.write_bytes(b"x" * 4096)
    os.utime(spilled.parent, (0, 0))
    with sqlagent.connect(tmp_path / "agent.db", route="duckdb") as con:
        con.execute("SELECT count(*) FROM memories").fetchall()
    assert not spilled.parent.exists() and recent.exists()


def test_close_and_status(engine: DuckEngine) -> None:
    rows(engine, "SELECT count(*) FROM t, w", "t", "w")
    assert [(r[0], r[1], r[3]) for r in sorted(engine.status())] == [
        ("t", 1000, 17000),
        ("w", 2, 34),
    ]
    assert "SEQ_SCAN" in (engine.plan_json(Duck("SELECT g FROM t", tables=("t",)), ()) or "")
    with engine.profiled() as profiles:
        rows(engine, "SELECT g FROM t WHERE id < 5", "t")
    assert profiles[0]["rows_returned"] == 4
    result = engine.run(Duck("SELECT * FROM t", tables=("t",)))
    result.close()
    result.close()
    engine.close()
    engine.close()
    with pytest.raises(errors.InterfaceError, match="closed"):
        rows(engine, "SELECT 1 FROM t", "t")
