"""Columns: what DuckDB sees is what the file holds, whoever wrote it, or it is refused."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sqlagent.engines.duckdb import DuckEngine
from sqlagent.engines.sqlite import Database
from sqlagent.errors import ProgrammingError
from sqlagent.plan.plans import Duck
from sqlagent.sync import build, making, replicas, snapshot
from sqlagent.sync.columns import NotColumnar

SCHEMA = """
CREATE TABLE sqlagent_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO sqlagent_meta VALUES ('file_id', lower(hex(randomblob(16))));
CREATE TABLE sqlagent_change_entries (
  seq INTEGER PRIMARY KEY, tbl TEXT NOT NULL, pk INTEGER, op TEXT NOT NULL, scope TEXT,
  at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')));
CREATE TABLE sqlagent_state_versions (
  version_id INTEGER PRIMARY KEY, state_id INTEGER, agent_id TEXT, state_type TEXT,
  version INTEGER, created_at TIMESTAMP);
CREATE VIEW sqlagent_change_log AS SELECT * FROM sqlagent_change_entries;
CREATE TRIGGER sqlagent_change_log_insert INSTEAD OF INSERT ON sqlagent_change_log BEGIN
  INSERT INTO sqlagent_change_entries (tbl, pk, op, scope)
  VALUES (NEW.tbl, NEW.pk, NEW.op, NEW.scope); END;
CREATE TRIGGER sqlagent_change_log_delete INSTEAD OF DELETE ON sqlagent_change_log BEGIN
  DELETE FROM sqlagent_change_entries WHERE seq = OLD.seq; END;
"""
ROWS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})"


def new_file(path: Path, *statements: str) -> Path:
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode = wal").fetchall()
    connection.execute("PRAGMA synchronous = off").fetchall()
    for statement in (SCHEMA, *statements):
        connection.execute(statement)
    connection.close()
    return path


def foreign(path: Path, *statements: str) -> None:
    """Run statements in another process, by Python's own sqlite3."""
    code = (
        "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)\n"
        "for s in sys.argv[2:]: c.execute(s)"
    )
    subprocess.run([sys.executable, "-c", code, str(path), *statements], check=True)


@contextlib.contextmanager
def opened(path: Path | str, **options: Any) -> Iterator[DuckEngine]:
    database = Database(str(path), **options)
    engine = DuckEngine(database)
    try:
        yield engine
    finally:
        engine.close()
        database.close()


def rows(engine: DuckEngine, sql: str, *tables: str, values: tuple[Any, ...] = ()) -> list[Any]:
    return list(engine.run(Duck(sql, tables=tables), values).rows())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return new_file(
        tmp_path / "agent.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, g TEXT, v DOUBLE)",
        "CREATE TABLE w (a TEXT PRIMARY KEY, b TEXT UNIQUE, n INTEGER)",
        ROWS.format(3000) + " INSERT INTO t SELECT i, char(65 + i % 4), i * 0.5 FROM n",
        "INSERT INTO w VALUES ('a', 'A', 1), ('b', 'B', 2), ('c', 'C', 3)",
    )


@pytest.mark.parametrize(
    ("declared", "value", "want"),
    [
        ("INTEGER", 2**62, 2**62),
        ("BOOLEAN", 1, True),
        ("DATE", "2024-02-29", datetime.date(2024, 2, 29)),
        ("TIMESTAMP", "2024-01-01 10:00:00.123", datetime.datetime(2024, 1, 1, 10, 0, 0, 123000)),
        ("TIMESTAMP", "2024-01-01 10:00:00", datetime.datetime(2024, 1, 1, 10)),
        ("TIMESTAMP", "2024-01-01T10:00:00Z", datetime.datetime(2024, 1, 1, 10)),
        (
            "TIMESTAMP",
            "2024-01-01T10:00:00.5+02:00",
            datetime.datetime(2024, 1, 1, 8, 0, 0, 500000),
        ),
        ("TIMESTAMP", "2024-01-01 10:00-05:00", datetime.datetime(2024, 1, 1, 15)),
        ("TIMESTAMP", "2024-01-01", datetime.datetime(2024, 1, 1)),
        ("DECIMAL(15,2)", 12.34, Decimal("12.34")),
        ("DECIMAL(15,2)", 5, Decimal("5.00")),
        ("DECIMAL(30,3)", 2.125, Decimal("2.125")),
        ("JSON", '{"a": [1, 2]}', '{"a": [1, 2]}'),
        ("JSON", 7, "7"),
        ("BLOB", b"\x00\xff", b"\x00\xff"),
        ("TEXT", "a\0b – 龙井茶", "a\0b – 龙井茶"),
        ("FLOAT[2]", b"\x00\x00\x80?\x00\x00\x00@", [1.0, 2.0]),
        ("FLOAT[]", b"\x00\x00\x80?", [1.0]),
        ("INTEGER[]", "[1, 2]", [1, 2]),
        ("", 5, 5),
        ("", "five", "five"),
        ("TIME", "10:30:00", datetime.time(10, 30)),
    ],
)
@pytest.mark.parametrize("large", [False, True])
def test_a_value_of_each_type(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    declared: str,
    value: Any,
    want: Any,
    large: bool,
) -> None:
    if large:
        monkeypatch.setattr(build, "ROWS_WITH_SCANNER", 0)
        monkeypatch.setattr(build, "ROWS_WITHOUT_SCANNER", 0)
    path = new_file(tmp_path / "a.db", f"CREATE TABLE t (id INTEGER PRIMARY KEY, x {declared})")
    with opened(path) as engine:
        database = engine._database
        database.write(lambda c: c.execute("INSERT INTO t VALUES (1, ?), (2, NULL)", (value,)))
        got = rows(engine, "SELECT x FROM t ORDER BY id", "t")
        assert got == [(want,), (None,)]
        assert type(got[0][0]) is type(want)
        database.write(lambda c: c.execute("INSERT INTO t VALUES (3, ?)", (value,)))  # by the log
        assert rows(engine, "SELECT x FROM t ORDER BY id", "t") == [(want,), (None,), (want,)]


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("INTEGER", "abc"),
        ("INTEGER", 2.5),
        ("INTEGER", b"1"),
        ("DOUBLE", "x"),
        ("TEXT", b"x"),
        ("BLOB", "x"),
        ("BLOB", 1),
        ("BOOLEAN", 2),
        ("BOOLEAN", "true"),
        ("DATE", "epoch"),
        ("DATE", 20240101),
        ("DATE", "2024-01-01 10:00"),
        ("TIMESTAMP", "soon"),
        ("TIMESTAMP", "infinity"),
        ("TIMESTAMP", 1700000000),
        ("DECIMAL(15,2)", 1.005),
        ("DECIMAL(15,2)", "much"),
        ("DECIMAL(5,2)", 123456),
        ("JSON", "{"),
        ("JSON", b"{}"),
        ("FLOAT[2]", b"\x00\x00\x80?"),
        ("FLOAT[2]", "[1, 2]"),
        ("UUID", "x"),
        ("", "mixed"),
    ],
)
@pytest.mark.parametrize("large", [False, True])
def test_a_value_of_the_wrong_type_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declared: str, value: Any, large: bool
) -> None:
    if large:
        monkeypatch.setattr(build, "ROWS_WITH_SCANNER", 0)
        monkeypatch.setattr(build, "ROWS_WITHOUT_SCANNER", 0)
    path = new_file(tmp_path / "a.db", f"CREATE TABLE t (id INTEGER PRIMARY KEY, x {declared})")
    with opened(path) as engine:
        write = engine._database.write
        write(
            lambda c: c.execute(
                "INSERT INTO t VALUES (1, ?), (2, ?)", (value, 5 if not declared else None)
            )
        )
        for _ in range(2):
            with pytest.raises(NotColumnar, match='table "t" cannot be read as columns'):
                rows(engine, "SELECT x FROM t", "t")
        write(lambda c: c.execute("DELETE FROM t WHERE id = 1"))
        assert (
            len(rows(engine, "SELECT x FROM t", "t")) == 1
        )  # and is columns again once it is mended
        write(
            lambda c: c.execute(
                "INSERT INTO t VALUES (1, ?), (3, ?)", (value, 5 if not declared else None)
            )
        )
        with pytest.raises(NotColumnar):
            rows(engine, "SELECT x FROM t", "t")


def test_an_unknown_table(file: Path) -> None:
    with opened(file) as engine, pytest.raises(ProgrammingError, match='table "u" does not exist'):
        rows(engine, "SELECT * FROM u", "u")


def test_foreign_writes_are_in_the_next_aggregate(file: Path) -> None:
    with opened(file) as engine:
        assert rows(engine, "SELECT count(*), sum(v) FROM T", "T") == [(3000, 2250750.0)]
        foreign(
            file,
            "INSERT INTO t VALUES (5000, 'Z', 1.0)",
            "UPDATE t SET v = 0 WHERE id <= 10",
            "DELETE FROM t WHERE id BETWEEN 11 AND 20",
            "INSERT OR REPLACE INTO t VALUES (21, 'Q', 100.0)",
            "UPDATE t SET id = 9000 WHERE id = 22",
            "UPDATE OR REPLACE t SET id = 24 WHERE id = 23",
        )
        check = "SELECT count(*), sum(v), min(id), max(id), count(DISTINCT g) FROM t"
        with engine._database.read() as reader:
            truth = reader.execute(check).fetchall()
        assert rows(engine, check, "t") == truth
        foreign(file, "ALTER TABLE t ADD COLUMN note TEXT DEFAULT 'x'")
        assert rows(engine, "SELECT count(note), min(note) FROM t", "t") == [(truth[0][0], "x")]
        foreign(file, "DELETE FROM t")
        assert rows(engine, "SELECT count(*) FROM t", "t") == [(0,)]
        foreign(file, "DROP TABLE t", "CREATE TABLE t (x TEXT)", "INSERT INTO t VALUES ('new')")
        assert rows(engine, "SELECT * FROM t", "t") == [("new",)]
        foreign(file, "ALTER TABLE t RENAME TO u", "INSERT INTO u VALUES ('more')")
        assert rows(engine, "SELECT count(*) FROM u", "u") == [(2,)]
        foreign(file, "INSERT INTO u VALUES ('third')")
        assert rows(engine, "SELECT count(*) FROM u", "u") == [(3,)]


def test_a_foreign_replace_by_another_unique_column(file: Path) -> None:
    with opened(file) as engine:
        assert rows(engine, "SELECT sum(n) FROM w", "w") == [(6,)]
        foreign(file, "INSERT OR REPLACE INTO w VALUES ('a', 'B', 10)")  # takes two rows away
        assert rows(engine, "SELECT a, b, n FROM w ORDER BY a", "w") == [
            ("a", "B", 10),
            ("c", "C", 3),
        ]
        foreign(file, "UPDATE OR REPLACE w SET b = 'C' WHERE a = 'a'")
        assert rows(engine, "SELECT * FROM w", "w") == [("a", "C", 10)]
        foreign(
            file,
            "CREATE UNIQUE INDEX more ON w (n)",
            "INSERT OR REPLACE INTO w VALUES ('z', 'Z', 10)",
        )
        assert rows(engine, "SELECT * FROM w", "w") == [("z", "Z", 10)]


def test_a_vacuum_that_renumbers(tmp_path: Path) -> None:
    path = new_file(
        tmp_path / "a.db", "CREATE TABLE h (x TEXT)", "INSERT INTO h VALUES ('a'), ('b'), ('c')"
    )
    with opened(path) as engine:
        assert rows(engine, "SELECT count(*) FROM h", "h") == [(3,)]
        foreign(path, "DELETE FROM h WHERE x = 'a'")
        foreign(path, "VACUUM", "UPDATE h SET x = 'B' WHERE x = 'b'")
        assert sorted(rows(engine, "SELECT x FROM h", "h")) == [("B",), ("c",)]
        assert rows(engine, "SELECT * FROM h WHERE x = 'c'", "h") == [("c",)]  # no hidden column


def test_other_schema_changes_do_not_rebuild(tmp_path: Path) -> None:
    path = new_file(
        tmp_path / "a.db",
        "CREATE TABLE h (x TEXT)",
        "INSERT INTO h VALUES ('a'), ('b')",
        "CREATE TABLE k (x TEXT)",
    )
    with opened(path) as engine:
        rows(engine, "SELECT count(*) FROM h", "h")
        before = engine.replicas._replicas["h"]
        foreign(path, "CREATE TABLE other (x)")
        rows(engine, "SELECT count(*) FROM h, k", "h", "k")
        assert engine.replicas._replicas["h"] is before


def test_a_read_only_file_is_fresh_too(file: Path) -> None:
    with opened(file, read_only=True) as engine:
        assert rows(engine, "SELECT count(*) FROM t", "t") == [(3000,)]
        foreign(file, "DELETE FROM t WHERE id > 10")
        assert rows(engine, "SELECT count(*) FROM t", "t") == [(10,)]


def test_a_database_in_memory() -> None:
    with opened(":memory:") as engine:
        write = engine._database.write
        write(
            lambda c: [c.execute(s) for s in (SCHEMA, "CREATE TABLE t (id INTEGER PRIMARY KEY, x)")]
        )
        for n in range(1, 4):
            write(lambda c: c.execute("INSERT INTO t (x) VALUES (1)"))
            assert rows(engine, "SELECT sum(x) FROM t", "t") == [(n,)]


def test_our_own_tables_and_without_rowid(tmp_path: Path) -> None:
    path = new_file(
        tmp_path / "a.db", "CREATE TABLE z (k TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID"
    )
    with opened(path) as engine:
        assert rows(engine, "SELECT count(*) FROM z", "z") == [(0,)]
        foreign(path, "INSERT INTO z VALUES ('a', 1)", "INSERT OR REPLACE INTO z VALUES ('a', 2)")
        assert rows(engine, "SELECT * FROM z", "z") == [("a", 2)]
        log = "SELECT count(\"at\"), count(*) FROM sqlagent_change_entries WHERE tbl = 'z'"
        found = rows(engine, log, "sqlagent_change_entries")
        foreign(path, "DELETE FROM z")
        assert rows(engine, log, "sqlagent_change_entries")[0][1] == found[0][1] + 1


def test_a_build_leaves_our_locks_alone(big: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds by the scanner, saves and loads, while a transaction of ours holds the write lock."""
    monkeypatch.setattr(build, "ROWS_WITH_SCANNER", 0)
    monkeypatch.setattr(build, "ROWS_WITHOUT_SCANNER", 0)
    code = (
        "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)\n"
        "try: c.execute('BEGIN IMMEDIATE')\nexcept sqlite3.OperationalError as e: print(e)"
    )
    with opened(big) as engine:
        held = engine._database.hold()
        held.execute("UPDATE t SET v = 0 WHERE id = 1")
        for _ in range(2):
            assert rows(engine, SUM, "t") == TRUTH
            engine.sync()
            engine.rebuild()
        assert engine.replicas._maker.scanner
        child = [sys.executable, "-c", code, str(big)]
        assert (
            subprocess.run(child, capture_output=True, text=True).stdout == "database is locked\n"
        )
        held.execute("COMMIT")
        engine._database.let_go()
        assert rows(engine, "SELECT v FROM t WHERE id = 1", "t") == [(0.0,)]
    check = apsw.Connection(str(big)).execute("PRAGMA integrity_check").fetchall()
    assert check == [("ok",)]


def test_a_trimmed_log_rebuilds(file: Path) -> None:
    with opened(file) as engine:
        rows(engine, "SELECT count(*) FROM t", "t")
        foreign(file, "DELETE FROM t WHERE id < 100", "INSERT INTO t VALUES (1, 'x', 1)",
                "DELETE FROM sqlagent_change_log"
                " WHERE seq < (SELECT max(seq) FROM sqlagent_change_log)")  # fmt: skip
        assert rows(engine, "SELECT count(*) FROM t", "t") == [(2902,)]


def test_a_query_sees_one_state(tmp_path: Path) -> None:
    """Two tables that always hold as many rows, in a query of both, while they change."""
    path = new_file(
        tmp_path / "a.db", "CREATE TABLE a (i INTEGER PRIMARY KEY)", "CREATE TABLE b (x)"
    )
    with opened(path) as engine:
        stop, wrong = threading.Event(), []

        def write() -> None:
            while not stop.is_set():
                engine._database.write(
                    lambda c: [
                        c.execute(s)
                        for s in ("INSERT INTO a VALUES (NULL)", "INSERT INTO b VALUES (1)")
                    ]
                )

        def read(tables: tuple[str, ...]) -> None:
            last = 0
            while not stop.is_set():
                with engine._database.read() as reader:
                    (least,) = reader.execute("SELECT count(*) FROM a").fetchone()
                sql = " UNION ALL ".join(f"SELECT count(*) FROM {t}" for t in tables)
                found = {n for (n,) in rows(engine, sql, *tables)}
                if len(found) != 1 or min(found) < max(least, last):
                    wrong.append((found, least, last))
                last = max(found)

        threads = [
            threading.Thread(target=read, args=(t,)) for t in (("a", "b"), ("b", "a"), ("a",))
        ]
        threads.append(threading.Thread(target=write))
        for thread in threads:
            thread.start()
        stop.wait(1.0)
        stop.set()
        for thread in threads:
            thread.join()
        assert not wrong


def test_a_copy_of_mostly_deleted_rows_is_compacted(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "COMPACT_ROWS", 1000)
    with opened(file) as engine:
        first = None
        for n in range(1, 8):
            assert rows(engine, "SELECT count(*), sum(v) FROM t", "t") == [
                (3000, 2250750.0 + 500 * (n - 1))
            ]
            first = first or engine.replicas._replicas["t"].physical
            foreign(file, f"UPDATE t SET v = v + 1 WHERE id BETWEEN {n * 10} AND {n * 10 + 499}")
        assert engine.replicas._replicas["t"].physical != first


# Snapshots ------------------------------------------------------------------------------


@pytest.fixture
def big(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table that is kept on disk, with thresholds that a quick test reaches."""
    monkeypatch.setattr(snapshot, "ROWS_MIN", 1000)
    monkeypatch.setattr(making, "ROWS_MIN", 1000)
    path = new_file(
        tmp_path / "agent.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, g TEXT, v DOUBLE, d DATE, j JSON)",
        ROWS.format(5000)
        + " INSERT INTO t SELECT i, char(65 + i % 4), i * 0.5, date('2024-01-01', i || ' days'),"
        " json_array(i) FROM n",
    )
    with opened(path) as engine:
        assert rows(engine, SUM, "t") == TRUTH
    assert len(kept(path)) == 1
    return path


SUM = "SELECT count(*), sum(v), max(d), sum(length(j)), sum(id) FROM t"
TRUTH = [(5000, 6251250.0, datetime.date(2037, 9, 9), 28893, 12502500)]


def kept(path: Path) -> list[Path]:
    return sorted(Path(f"{path}.d/columns").glob("*.parquet"))


def loaded(engine: DuckEngine) -> bool:
    """Whether the table came from disk: a copy made here would have been saved again."""
    return engine.replicas._replicas["t"].shape.name == "t" and engine.replicas.loads == 1


def test_the_next_process_loads_what_was_kept(big: Path) -> None:
    foreign(
        big,
        "UPDATE t SET v = v + 1 WHERE id = 1",
        "DELETE FROM t WHERE id = 2",
        "INSERT INTO t (v) VALUES (2)",
    )
    with opened(big) as engine:
        assert rows(engine, "SELECT count(*), sum(v) FROM t", "t") == [(5000, 6251252.0)]
        assert loaded(engine)
        assert engine.sync() == {"t": 5000}
        assert len(kept(big)) == 1
    with opened(big) as engine:
        assert rows(engine, "SELECT count(*), sum(v) FROM t", "t") == [(5000, 6251252.0)]
        assert loaded(engine)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: p.write_bytes(b""),
        lambda p: p.write_bytes(os.urandom(5000)),
        lambda p: os.truncate(p, p.stat().st_size // 2),
        _flip,
        _folder,
        lambda p: p.unlink(),
        lambda p: p.rename(p.with_name(p.name.replace("-2-", "-1-").replace("-1-", "-0-", 1))),
    ],
    ids=["empty", "rubbish", "half", "flipped", "folder", "gone", "renamed"],
)
def test_a_spoilt_snapshot_is_as_none(big: Path, spoil: Any) -> None:
    for path in kept(big):
        spoil(path)
    with opened(big) as engine:
        assert rows(engine, SUM, "t") == TRUTH
        assert not loaded(engine)


def test_the_folder_goes_while_open(big: Path) -> None:
    folder = Path(f"{big}.d")
    with opened(big) as engine:
        rows(engine, SUM, "t")
        shutil.rmtree(folder)
        assert rows(engine, SUM, "t") == TRUTH
        engine.rebuild()
        shutil.rmtree(folder, ignore_errors=True)
        folder.write_text("a file where the folder should be")
        assert rows(engine, SUM, "t") == TRUTH
        assert engine.sync() == {"t": 5000}
    with opened(big) as engine:
        assert rows(engine, SUM, "t") == TRUTH


def test_a_snapshot_of_another_history_is_not_taken(big: Path, tmp_path: Path) -> None:
    """A copy of the file goes its own way, then stands where the file was, at the same entry."""
    copy = tmp_path / "copy.db"
    source, target = apsw.Connection(str(big)), apsw.Connection(str(copy))
    with target.backup("main", source, "main") as backup:
        backup.step()
    source.close()
    target.close()
    foreign(big, "UPDATE t SET v = 1000000 WHERE id = 1")
    with opened(big) as engine:
        engine.replicas.fresh(["t"])
        engine.sync()
    foreign(copy, "UPDATE t SET v = -1 WHERE id = 2")
    for suffix in ("-wal", "-shm"):
        Path(f"{big}{suffix}").unlink(missing_ok=True)
        if Path(f"{copy}{suffix}").exists():
            Path(f"{copy}{suffix}").replace(f"{big}{suffix}")
    copy.replace(big)
    with opened(big) as engine:
        assert rows(engine, "SELECT sum(v) FROM t", "t") == [(6251250.0 - 2,)]


def test_two_processes_share_the_folder(big: Path) -> None:
    code = (
        "import sys\nsys.path[:0] = sys.argv[2:]\n"
        "from pathlib import Path\nimport test_columns as c\n"
        "c.snapshot.ROWS_MIN = c.making.ROWS_MIN = 1000\n"
        "with c.opened(Path(sys.argv[1])) as e:\n"
        "    for i in range(20):\n"
        "        e._database.write(lambda k: k.execute('INSERT INTO t (v) VALUES (1)'))\n"
        "        n = c.rows(e, 'SELECT count(*) FROM t', 't')[0][0]\n"
        "        assert n > 5000 + i, n\n"
        "        if i % 5 == 0: e.rebuild()\n"
        "        if i % 7 == 0: e.sync()\n"
    )
    path = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    children = [subprocess.Popen([sys.executable, "-c", code, str(big), *path]) for _ in range(2)]
    assert [c.wait(60) for c in children] == [0, 0]
    with opened(big) as engine:
        assert rows(engine, "SELECT count(*) FROM t", "t") == [(5040,)]


# Any writes at all ----------------------------------------------------------------------

KEYS = st.integers(-2, 6)
WORDS = st.sampled_from(["a", "b", "c", "d"])
NUMBERS = st.one_of(st.none(), st.integers(0, 3))
OR = st.sampled_from(["", "OR REPLACE", "OR IGNORE"])


class AnyWrites(RuleBasedStateMachine):
    """Whatever is written, the columns hold SQLite's rows."""

    @initialize()
    def begin(self) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        path = new_file(
            Path(self.folder.name) / "agent.db",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT UNIQUE, n INTEGER)",
            "CREATE TABLE w (a TEXT COLLATE NOCASE, n INTEGER NOT NULL DEFAULT 2, UNIQUE (a, n))",
            "CREATE UNIQUE INDEX part ON w (a) WHERE n = 1 AND a <> ')'",
            "CREATE UNIQUE INDEX expr ON w (n, lower(a))",
            "CREATE TABLE h (x TEXT, n INTEGER)",
            "CREATE TABLE z (a TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID",
        )
        self.stack = contextlib.ExitStack()
        self.engine = self.stack.enter_context(opened(path))
        self.other = apsw.Connection(str(path))

    def run(self, sql: str, *values: Any) -> None:
        with contextlib.suppress(apsw.ConstraintError):
            self.other.execute(sql, values)

    @rule(how=OR, key=st.one_of(st.none(), KEYS), u=WORDS, n=NUMBERS)
    def insert_t(self, how: str, key: int | None, u: str, n: int | None) -> None:
        self.run(f"INSERT {how} INTO t VALUES (?, ?, ?)", key, u, n)

    @rule(how=OR, old=KEYS, new=KEYS, u=WORDS)
    def update_t(self, how: str, old: int, new: int, u: str) -> None:
        self.run(f"UPDATE {how} t SET id = ?, u = ? WHERE id = ?", new, u, old)

    @rule(u=WORDS, n=NUMBERS)
    def upsert_t(self, u: str, n: int | None) -> None:
        self.run("INSERT INTO t (u, n) VALUES (?, ?) ON CONFLICT (u) DO UPDATE SET n = 9", u, n)

    @rule(how=OR, a=st.sampled_from(["a", "A", "b", "B"]), n=NUMBERS)
    def insert_w(self, how: str, a: str, n: int | None) -> None:
        self.run(f"INSERT {how} INTO w VALUES (?, ?)", a, n)

    @rule(how=OR, a=WORDS, n=st.integers(0, 3), m=NUMBERS)
    def update_w(self, how: str, a: str, n: int, m: int | None) -> None:
        self.run(f"UPDATE {how} w SET a = ?, n = ? WHERE n = ?", a, m, n)

    @rule(x=WORDS, n=NUMBERS)
    def insert_h(self, x: str, n: int | None) -> None:
        self.run("INSERT INTO h VALUES (?, ?)", x, n)

    @rule(how=OR, a=WORDS, n=NUMBERS)
    def insert_z(self, how: str, a: str, n: int | None) -> None:
        self.run(f"INSERT {how} INTO z VALUES (?, ?)", a, n)

    @rule(table=st.sampled_from("twhz"), n=NUMBERS)
    def delete(self, table: str, n: int | None) -> None:
        self.run(f"DELETE FROM {table} WHERE n IS ?", n)

    @rule()
    def vacuum(self) -> None:
        self.run("VACUUM")

    @rule()
    def add_index(self) -> None:
        self.run("CREATE INDEX IF NOT EXISTS more ON h (n)")

    @rule()
    def trim(self) -> None:
        self.run(
            "DELETE FROM sqlagent_change_log"
            " WHERE seq < (SELECT max(seq) - 2 FROM sqlagent_change_log)"
        )

    @rule(table=st.sampled_from("twhz"))
    def look_at_one(self, table: str) -> None:
        self.compare(table)

    @invariant()
    def same(self) -> None:
        if hasattr(self, "engine") and self.other.total_changes() % 3 == 0:
            for table in "twhz":
                self.compare(table)

    def compare(self, table: str) -> None:
        truth = self.other.execute(f"SELECT * FROM {table}").fetchall()
        got = rows(self.engine, f"SELECT * FROM {table}", table)
        assert sorted(got, key=repr) == sorted(truth, key=repr)

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            for table in "twhz":
                self.compare(table)
            self.other.close()
            self.stack.close()
            self.folder.cleanup()


TestAnyWrites = AnyWrites.TestCase
TestAnyWrites.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
